"""The demo's stage: a temporary directory, a private daemon in it, and what comes out of it.

Nothing of the user's is read or written: every directory that quotad looks at points into the stage, and the
stage is removed on every way out.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from quotactl import words
from quotactl.beside import quotad_command
from quotactl.client import Client
from quotactl.console import Console
from quotactl.demo import story
from quotactl.failure import NoDaemon, Undone
from quotactl.up import last_words
from quotad import wire

SECONDS = 20.0
"""How long the day takes at speed 1."""

_OPENING_HOUR = 9
_START_SECONDS_MAX = 30.0
_STOP_SECONDS_MAX = 5.0
_LOOK_SECONDS = 0.05

_FOREIGN_VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "JOURNAL_STREAM", "XDG_RUNTIME_DIR")
"""They belong to whatever started us, and would tie the private daemon to it."""


class Clock(NamedTuple):
    """The time of the demo, which the daemon shares.

    It was ``start`` when CLOCK_MONOTONIC was ``reference`` nanoseconds, and runs ``rate`` times as fast.
    """

    start: int
    rate: float
    reference: int

    def now(self) -> int:
        return self.start + round((time.monotonic_ns() - self.reference) * self.rate / 1_000_000)

    def option(self) -> str:
        """As ``quotad --demo-clock`` takes it."""
        return f"{wire.iso(self.start)}@{self.rate}@{self.reference}"


class Notice(NamedTuple):
    """A notice as the daemon handed it to our notify command."""

    at: int
    title: str
    body: str


@dataclass(slots=True)
class Stage:
    """``inner`` is the console with the stage's own environment; the rest is what has happened so far."""

    console: Console
    inner: Console
    root: Path
    clock: Clock
    notices: list[Notice] = field(default_factory=list)
    calls: int = 0
    spent: int = 0
    _heard: int = 0

    @contextmanager
    def daemon(self) -> Iterator[Client]:
        """The private daemon, from its start to its end; raises ``Undone`` if it does not come up."""
        self._settle()
        log = self.root / "quotad.log"
        command = [*quotad_command(self.console.program), "--demo-clock", self.clock.option()]
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - our own program
                command,
                env=dict(self.inner.environment),
                cwd=self.root,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            with self._connected(process, log) as client:
                yield client
        finally:
            _end(process)

    def _connected(self, process: subprocess.Popen[bytes], log: Path) -> Client:
        deadline = time.monotonic() + _START_SECONDS_MAX
        while process.poll() is None and time.monotonic() < deadline:
            try:
                client = self.inner.connect()
            except NoDaemon:
                time.sleep(_LOOK_SECONDS)
                continue
            if client.status()["daemon"]["caught_up"]:
                return client
            client.close()
            time.sleep(_LOOK_SECONDS)
        raise Undone("not-started", f"The demo's quotad did not start. Its last words:\n{last_words(log)}")

    def _settle(self) -> None:
        """Everything that must be there before the daemon is."""
        paths = self.inner.paths
        paths.state.mkdir(mode=0o700)
        notify = ["/bin/sh", "-c", 'cat >> "$0"', str(self.root / "notices")]
        settings = f"{story.SETTINGS}command = {json.dumps(notify)}\n"
        paths.config.write_text(settings, encoding="utf-8")
        for call in story.before():
            self._write(call, story.instant_of(call.minute, self.clock.start))

    def append(self, call: story.Scene, at: int) -> None:
        """Claude Code has made this call."""
        self._write(call, at)
        self.calls += 1
        self.spent += call.tokens

    def _write(self, call: story.Scene, at: int) -> None:
        file = self.inner.paths.root / "projects" / story.transcript_name(call)
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("ab") as transcript:
            transcript.write(story.transcript_line(call, at, self.console.home))

    def hear(self) -> list[Notice]:
        """The notices that came since the last time; a half-written one comes next time."""
        try:
            with (self.root / "notices").open("rb") as file:
                file.seek(self._heard)
                whole, end, _ = file.read().rpartition(b"\n")
        except FileNotFoundError:
            return []
        self._heard += len(whole) + len(end)
        new = [_notice(json.loads(line)) for line in whole.splitlines()]
        self.notices += new
        return new


def _notice(line: Mapping[str, object]) -> Notice:
    return Notice(wire.instant(str(line["at"])), str(line["title"]), str(line["body"]))


@contextmanager
def stage_of(console: Console, speed: float) -> Iterator[Stage]:
    """A directory of our own with everything in it, removed at the end whatever happens."""
    root = _short_directory()
    try:
        own = {
            "CLAUDE_CONFIG_DIR": str(root / "claude"),
            "QUOTAD_CONFIG": str(root / "config.toml"),
            "QUOTAD_SOCKET": str(root / "quotad.sock"),
            "QUOTAD_STATE_DIR": str(root / "state"),
            # Claude Code's second place for transcripts, which must not be the user's either.
            "XDG_CONFIG_HOME": str(root / "config"),
        }
        kept = {name: value for name, value in console.environment.items() if name not in _FOREIGN_VARIABLES}
        yield Stage(console, replace(console, environment=kept | own), root, _clock(console, speed))
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _clock(console: Console, speed: float) -> Clock:
    today = words.moment(console.now(), console.view())
    opening = today.replace(hour=_OPENING_HOUR, minute=0, second=0, microsecond=0)
    rate = round(story.MINUTES * 60 / SECONDS * speed, 3)
    return Clock(round(opening.timestamp() * 1000), rate, time.monotonic_ns())


def _short_directory() -> Path:
    """A new directory whose name leaves room for a socket's."""
    root = Path(tempfile.mkdtemp(prefix="quotactl-demo-")).resolve()
    if len(bytes(root / "quotad.sock")) > wire.SOCKET_PATH_BYTES_MAX:
        root.rmdir()
        root = Path(tempfile.mkdtemp(prefix="quotactl-demo-", dir="/tmp")).resolve()
    return root


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
