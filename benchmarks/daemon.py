"""The product as its users meet it: a program, an environment, a socket. Nothing of it is imported."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

START_S_MAX = 120.0
STOP_S_MAX = 10.0
POLL_S = 0.002
READ_BYTES = 1 << 20
SETTINGS = "[notify]\ndesktop = false\n"
REQUEST = b'{"jsonrpc":"2.0","id":1,"method":"%b","params":{}}\n'
STATUS = REQUEST % b"status"


class Standing(NamedTuple):
    """The first window of a ``status`` reply; times in milliseconds since the epoch, 0 when idle."""

    opened_ms: int
    resets_ms: int
    tokens: tuple[int, int, int, int]
    caught_up: bool

    @classmethod
    def read(cls, reply: bytes) -> Standing:
        """Raises KeyError or ValueError when the reply is not as the contract has it."""
        result = json.loads(reply)["result"]
        window = result["windows"][0]
        if window["name"] != "five_hour":
            raise ValueError(f"the first window is {window['name']}")
        tokens = window["tokens"]
        return cls(
            _instant(window["opened_at"]),
            _instant(window["resets_at"]),
            (tokens["input"], tokens["output"], tokens["cache_write"], tokens["cache_read"]),
            result["daemon"]["caught_up"],
        )


def _instant(text: str | None) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000) if text else 0


class Place(NamedTuple):
    """Where one daemon lives: a Claude directory to read and a private directory for all it writes."""

    program: Sequence[str]
    claude: Path
    private: Path

    @property
    def socket(self) -> Path:
        return self.private / "s" / "quotad.sock"

    def environment(self, **more: str) -> dict[str, str]:
        """The contract's variables and nothing that belongs to the user but what Python needs to run."""
        kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LANG", "TZ") if name in os.environ}
        return kept | {
            "HOME": str(self.private),
            "CLAUDE_CONFIG_DIR": str(self.claude),
            "QUOTAD_STATE_DIR": str(self.private / "state"),
            "QUOTAD_SOCKET": str(self.socket),
            "QUOTAD_CONFIG": str(self.private / "config.toml"),
            **more,
        }

    def prepare(self) -> None:
        """Make the directories, private to this user."""
        for folder in (self.private, self.private / "state", self.socket.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.private / "config.toml").write_text(SETTINGS)


def installed(program: str | None) -> list[str]:
    """The ``quotad`` to measure: the one named, the one of this environment, or the package itself."""
    if program:
        return [program]
    script = Path(sys.executable).with_name("quotad")
    return [str(script)] if script.exists() else [sys.executable, "-m", "quotad"]


class Client:
    """One connection: a line out, a line back, and lines that come unasked to a subscriber."""

    def __init__(self, path: Path) -> None:
        self._said = bytearray()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(START_S_MAX)
        self._socket.connect(str(path))

    def ask(self, request: bytes) -> bytes:
        self._socket.sendall(request)
        return self.hear()

    def hear(self) -> bytes:
        """The next line."""
        said = self._said
        while (end := said.find(b"\n")) < 0:
            more = self._socket.recv(READ_BYTES)
            if not more:
                raise ConnectionError("the connection was closed in the middle of a reply")
            said += more
        line = bytes(said[: end + 1])
        del said[: end + 1]
        return line

    def close(self) -> None:
        self._socket.close()


class Daemon:
    """A running daemon, started on entry and stopped on exit."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.started = 0.0
        self.pid = 0

    def __enter__(self) -> Self:
        place = self.place
        place.prepare()
        self._ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        ear = place.private / "s" / "notify"
        ear.unlink(missing_ok=True)
        self._ear.bind(str(ear))
        self._stderr = (place.private / "stderr.log").open("wb")
        environment = place.environment(NOTIFY_SOCKET=str(ear))
        self.started = time.perf_counter()
        self._process = subprocess.Popen(
            place.program, env=environment, stdin=subprocess.DEVNULL, stdout=self._stderr, stderr=self._stderr
        )
        self.pid = self._process.pid
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            print(f"quotad did not stop within {STOP_S_MAX:.0f} s of SIGTERM", file=sys.stderr)
            self._process.kill()
            self._process.wait()
        self._ear.close()
        self._stderr.close()

    def age_s(self) -> float:
        return time.perf_counter() - self.started

    def ready_s(self) -> float:
        """Wait for READY=1; seconds since the start."""
        while True:
            self._ear.settimeout(max(0.01, START_S_MAX - self.age_s()))
            try:
                told = self._ear.recv(READ_BYTES)
            except TimeoutError:
                raise self._failed("never said READY=1") from None
            if b"READY=1" in told.split(b"\n"):
                return self.age_s()

    def connect(self) -> Client:
        """A connection as soon as one can be had."""
        while self._process.poll() is None and self.age_s() < START_S_MAX:
            try:
                return Client(self.place.socket)
            except (FileNotFoundError, ConnectionRefusedError):
                time.sleep(POLL_S)
        raise self._failed("cannot be reached")

    def caught_up_s(self, client: Client) -> float:
        """Wait until history has been read in; seconds since the start."""
        while not Standing.read(client.ask(STATUS)).caught_up:
            time.sleep(0.05)
            if self._process.poll() is not None:
                raise self._failed("died while reading history")
        return self.age_s()

    def _failed(self, what: str) -> RuntimeError:
        said = (self.place.private / "stderr.log").read_text(errors="replace")[-2000:]
        return RuntimeError(f"quotad {what} (exit status {self._process.poll()}). It said:\n{said}")


def summary(output: bytes) -> Mapping[str, float]:
    """The JSON line that ``quotad --once`` prints."""
    fields: Mapping[str, float] = json.loads(output)
    return fields
