"""A real quotad in a place of its own: started, asked over its socket, stopped, killed.

A ``Place`` is what belongs to one daemon (a Claude directory, state, settings, socket) and outlives every run
of it; a ``Quotad`` is one run. Whatever waits, polls with a deadline.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, cast

from quotactl.client import Client, connect
from quotactl.failure import NoDaemon
from quotad import wire

CHECKOUT = Path(__file__).parents[2]
QUOTAD = (sys.executable, "-m", "quotad")
QUOTACTL = (sys.executable, "-m", "quotactl")
SETTINGS = "[notify]\ndesktop = false\n"

START_SECONDS = 30.0
STOP_SECONDS = 20.0
SYNC_SECONDS = 60.0
POLL_SECONDS = 0.005


def wait_until(condition: Callable[[], object], *, seconds: float = 20.0) -> None:
    """Returns once ``condition`` holds; fails the test when it does not within ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"it did not come about within {seconds:g} s")
        time.sleep(POLL_SECONDS)  # noqa: TID251 - the room's one place that polls


class Failed(Exception):  # noqa: N818 - what the process did
    """The daemon ended before it answered, or never did."""

    def __init__(self, code: int | None, stderr: str) -> None:
        super().__init__(f"exit code {code}: {stderr}")
        self.code = code
        self.stderr = stderr


class Refused(Exception):  # noqa: N818 - the daemon's answer
    """The daemon's ``error`` in full, for a request made by ``Quotad.request``."""

    def __init__(self, error: wire.ErrorReply) -> None:
        super().__init__(str(error))
        self.error = error


class Once(NamedTuple):
    """The line that ``quotad --once`` prints."""

    files: int
    bytes: int
    lines: int
    messages: int
    malformed: int


class Place:
    """Everything that belongs to one daemon, in a directory whose name is short enough for a socket."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.claude = root / "claude"
        self.projects = self.claude / "projects"
        self.state = root / "state"
        self.socket = root / "s" / "quotad.sock"
        self.config = root / "config.toml"
        self.stderr = root / "stderr.log"
        """What every run so far wrote to its standard error."""
        self.projects.mkdir(parents=True)
        self.config.write_text(SETTINGS)

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """The machine's environment, in which the daemon finds this place and nothing else."""
        return {
            **os.environ,
            "HOME": str(self.root),
            "CLAUDE_CONFIG_DIR": str(self.claude),
            "QUOTAD_STATE_DIR": str(self.state),
            "QUOTAD_SOCKET": str(self.socket),
            "QUOTAD_CONFIG": str(self.config),
            "PYTHONPATH": str(CHECKOUT),
            "PYTHONDONTWRITEBYTECODE": "1",
            **(extra or {}),
        }

    def launch(
        self,
        *arguments: str,
        program: Sequence[str] = QUOTAD,
        extra: Mapping[str, str] | None = None,
        preload: Path | None = None,
    ) -> Quotad:
        """A daemon that was started and may not have come far yet.

        ``program`` is what to run instead of quotad, or quotad with what comes before it; ``extra`` variables
        of the environment; ``preload`` a library for ``LD_PRELOAD``.
        """
        environment = self.environment(extra)
        if preload is not None:
            environment["LD_PRELOAD"] = str(preload)
        with self.stderr.open("ab") as err:
            process = subprocess.Popen(
                [*program, *arguments],
                env=environment,
                cwd=self.root,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=err,
            )
        return Quotad(self, process)

    @contextmanager
    def running(
        self,
        *arguments: str,
        program: Sequence[str] = QUOTAD,
        extra: Mapping[str, str] | None = None,
        preload: Path | None = None,
    ) -> Iterator[Quotad]:
        """A daemon that answers; at the end it is killed if it still runs. Raises ``Failed``."""
        quotad = self.launch(*arguments, program=program, extra=extra, preload=preload)
        try:
            quotad.wait_until_it_answers()
            yield quotad
        finally:
            quotad.kill()

    def once(
        self,
        *arguments: str,
        program: Sequence[str] = QUOTAD,
        extra: Mapping[str, str] | None = None,
    ) -> Once:
        """What ``quotad --once`` prints; raises ``Failed`` when it ends with anything but 0."""
        done = self.run([*program, "--once", *arguments], extra)
        if done.returncode:
            raise Failed(done.returncode, done.stderr)
        said = json.loads(done.stdout)
        return Once(*(said[name] for name in Once._fields))

    def quotactl(
        self, *arguments: str, extra: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Runs quotactl to its end."""
        return self.run([*QUOTACTL, *arguments], extra)

    def run(
        self, command: Sequence[str], extra: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Runs any command in this place's environment to its end."""
        return subprocess.run(
            command,
            env=self.environment(extra),
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=SYNC_SECONDS,
        )


@contextmanager
def new_place() -> Iterator[Place]:
    """A place that is gone afterwards."""
    # A socket's path has room for 103 bytes, which pytest's own directories exceed on some machines.
    root = Path(tempfile.mkdtemp(prefix="qd-", dir="/tmp"))
    try:
        yield Place(root)
    finally:
        shutil.rmtree(root)


@dataclass
class Quotad:
    """One run of the daemon."""

    place: Place
    process: subprocess.Popen[bytes]
    _client: Client | None = field(default=None, init=False)
    _stderr_from: int = field(init=False)

    def __post_init__(self) -> None:
        self._stderr_from = self.place.stderr.stat().st_size

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def stderr(self) -> str:
        """What this run has written to its standard error so far."""
        with self.place.stderr.open("rb") as written:
            written.seek(self._stderr_from)
            return written.read().decode(errors="replace")

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    # Ending.

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, seconds: float = STOP_SECONDS) -> int:
        """The exit code (negative: the signal that killed it) once it has ended."""
        code = self.process.wait(seconds)
        self._hang_up()
        return code

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Sends a signal and gives the exit code."""
        self.send(number)
        return self.wait()

    def kill(self) -> None:
        """Ends it at once, if it still runs."""
        if self.alive:
            self.send(signal.SIGKILL)
        self.wait()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stopped by SIGSTOP meanwhile: it sees nothing of what happens."""
        self.send(signal.SIGSTOP)
        wait_until(lambda: self._scheduler_state() == "T")
        try:
            yield
        finally:
            self.send(signal.SIGCONT)

    def _scheduler_state(self) -> str:
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]

    # Asking.

    def wait_until_it_answers(self, seconds: float = START_SECONDS) -> None:
        """Returns once it says hello; raises ``Failed`` when it ends before, or does not in time."""
        deadline = time.monotonic() + seconds
        while not self.answers():
            if not self.alive:
                raise Failed(self.wait(), self.stderr)
            if time.monotonic() > deadline:
                raise Failed(None, f"silent for {seconds:g} s: {self.stderr}")
            time.sleep(POLL_SECONDS)  # noqa: TID251 - see `wait_until`

    def answers(self) -> bool:
        """Whether this run, not an earlier one, says hello on the socket."""
        try:
            with self.connect() as client:
                return client.hello["pid"] == self.pid
        except NoDaemon:
            return False

    def connect(self) -> Client:
        """A new connection; raises ``NoDaemon``."""
        return connect(self.place.socket, self.place.socket.stat().st_uid if self._bound() else os.getuid())

    def _bound(self) -> bool:
        return self.place.socket.exists()

    @property
    def client(self) -> Client:
        """The one connection that the questions below go over."""
        if self._client is None:
            self._client = self.connect()
        return self._client

    def _hang_up(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def status(self) -> wire.StatusReply:
        return self.client.status()

    def window(self, name: str = "five_hour") -> wire.WindowReply:
        """One window of ``status``."""
        return next(window for window in self.status()["windows"] if window["name"] == name)

    def history(
        self,
        by: wire.GroupBy = "day",
        *,
        since: str | None = None,
        until: str | None = None,
        zone: Literal["utc", "local"] = "local",
    ) -> list[wire.HistoryRow]:
        return self.client.history(wire.HistoryParams(by, since, until, zone == "utc"))

    def sync(self, seconds: float = SYNC_SECONDS) -> wire.SyncReply:
        """Waits until all that is on disk has been taken in and written down."""
        return self.client.sync(seconds)

    def doctor(self) -> dict[str, wire.CheckReply]:
        """The checks by their names."""
        return {check["name"]: check for check in self.client.doctor()["checks"]}

    def problems(self) -> dict[str, str]:
        """The messages of the problems in ``status`` by their codes."""
        return {problem["code"]: problem["message"] for problem in self.status()["daemon"]["problems"]}

    def request(self, method: str, params: Mapping[str, object] | None = None) -> object:
        """The result of any request, on a connection of its own; raises ``Refused``."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(SYNC_SECONDS)
            line.connect(str(self.place.socket))
            line.sendall(wire.request(method, params or {}, 1))
            with line.makefile("rb") as answers:
                reply = cast("dict[str, object]", json.loads(answers.readline()))
        if "error" in reply:
            raise Refused(cast("wire.ErrorReply", reply["error"]))
        return reply["result"]
