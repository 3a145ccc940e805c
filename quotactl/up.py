"""``quotactl up``: the daemon in the background, for whoever wants no service manager."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from quotactl import text
from quotactl.beside import quotad_command
from quotactl.console import Console
from quotactl.failure import NoDaemon, Undone
from quotactl.render import reading_history
from quotad import wire

START_SECONDS_MAX = 120.0
"""As long as the service file gives it: a first scan of a slow disk takes its time."""
LOG_BYTES_MAX = 1024 * 1024
"""At the next start a longer log makes room; one older log is kept."""

_LOOK_SECONDS = 0.05
_LAST_WORDS_LINES = 12
_LAST_WORDS_BYTES = 16 * 1024
_STARTS = re.compile(r"\bquotad (\d\S*|\(.*\)) starts\b")
"""What quotad logs first at each start."""

EXIT_LOCKED = 75
EXIT_SETTINGS = 78


_UP_EXAMPLES = """\b
Examples:
  quotactl up
  quotactl up && quotactl status
"""


@click.command(epilog=_UP_EXAMPLES)
@click.pass_obj
def up(console: Console) -> None:
    """Start the daemon in the background, and return once it answers.

    It runs until `quotactl down`. To have it at every login: `quotactl service install`. What it has to
    say goes to quotad.log in its state directory.
    """
    try:
        with console.connect() as client:
            hello = client.hello
    except NoDaemon as failure:
        if failure.reason != "no-daemon":
            raise
    else:
        console.say(f"quotad is running already (pid {hello['pid']}).")
        return
    log = log_file(console.paths.state)
    reply = started(console, log)
    console.say(f"quotad is running (pid {reply['daemon']['pid']}).")
    progress = reply["daemon"]["progress"]
    if not reply["daemon"]["caught_up"] and progress is not None:
        console.say(_plain(console, f"{reading_history(progress)}."))
    console.say("Next: `quotactl status`, or `quotactl watch` to keep it in view.")


def _plain(console: Console, words: str) -> str:
    return text.paint(text.flow([(text.Span(words),)], console.view(), 0), console.view())


def started(console: Console, log: Path, seconds: float = START_SECONDS_MAX) -> wire.StatusReply:
    """Starts the daemon and waits for its first status; raises ``Undone`` with its last words."""
    began = log.stat().st_size
    process = _spawn(console, log)
    deadline = time.monotonic() + seconds
    with _spinner(console) as turn:
        while time.monotonic() < deadline:
            code = process.poll()
            if code is not None:
                raise _died(code, log, began)
            try:
                with console.connect() as client:
                    return client.status()
            except NoDaemon as failure:
                if failure.reason == "protocol-mismatch":
                    raise
            turn()
            time.sleep(_LOOK_SECONDS)
    raise Undone(
        "timed-out",
        f"quotad (pid {process.pid}) has not answered within {seconds:.0f} s; it goes on trying.\n"
        f"Its log: {log}",
    )


def _spawn(console: Console, log: Path) -> subprocess.Popen[bytes]:
    command = quotad_command(console.program)
    with log.open("ab") as output:
        try:
            return subprocess.Popen(  # noqa: S603 - our own program
                command,
                env=dict(console.environment),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        except OSError as error:
            raise Undone("not-started", f"{command[0]} cannot be started: {error.strerror}") from error


def log_file(state: Path) -> Path:
    """The log in the state directory, which only we can read; both are made if need be."""
    log = state / "quotad.log"
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
            log.replace(log.with_suffix(".log.1"))
        os.close(os.open(log, os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_NOFOLLOW, 0o600))
    except OSError as error:
        where = error.filename or log
        raise Undone("not-started", f"{where}: {error.strerror}. Set QUOTAD_STATE_DIR?") from error
    return log


def _died(code: int, log: Path, began: int) -> Undone:
    last = last_words(log, began)
    if code == EXIT_SETTINGS:
        what = "quotad did not start, because its settings are not valid"
        return Undone("settings-invalid", f"{what}:\n{last}\nMend them, then run `quotactl up` again.")
    if code == EXIT_LOCKED:
        return Undone(
            "locked", f"Another quotad holds this state directory, but does not answer here:\n{last}"
        )
    how = f"was ended by signal {-code}" if code < 0 else f"ended at once (exit code {code})"
    return Undone("not-started", f"quotad {how}. Its last words, from {log}:\n{last}")


def last_words(log: Path, began: int = 0) -> str:
    """The last lines after ``began``, indented, of the last start alone; a placeholder if there are none."""
    try:
        with log.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(began, end - _LAST_WORDS_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        lines = []
    starts = [number for number, line in enumerate(lines) if _STARTS.search(line)]
    lines = lines[starts[-1] :] if starts else lines
    return "\n".join(f"  {text.plain(line)}" for line in lines[-_LAST_WORDS_LINES:]) or "  (nothing)"


class _Spinner:
    """A sign of life on the terminal while something takes longer than expected."""

    _AFTER_SECONDS = 0.4

    def __init__(self, console: Console) -> None:
        self._on = console.terminal
        self._signs = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏" if console.unicode else "|/-\\"
        self._since = time.monotonic()
        self._shown = 0

    def __call__(self) -> None:
        if self._on and time.monotonic() - self._since > self._AFTER_SECONDS:
            sign = self._signs[self._shown % len(self._signs)]
            click.echo(f"\r{sign} quotad is looking at what there is ...", nl=False)
            self._shown += 1

    def clear(self) -> None:
        if self._shown:
            click.echo("\r\x1b[K", nl=False, color=True)


@contextmanager
def _spinner(console: Console) -> Iterator[_Spinner]:
    spinner = _Spinner(console)
    try:
        yield spinner
    finally:
        spinner.clear()
