"""watch shows every change, survives the daemon, and leaves the terminal as it was."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from tests.quotactl.conftest import Surroundings
from tests.quotactl.fake_daemon import FakeDaemon
from tests.quotactl.replies import status, window
from tests.quotactl.terminal import (
    ALTERNATE_SCREEN,
    ORDINARY_SCREEN,
    SECONDS,
    SHOWN_CURSOR,
    Terminal,
    wait_until,
)


@pytest.fixture
def daemon(here: Surroundings) -> Iterator[FakeDaemon]:
    """A daemon that has an ordinary status to tell."""
    with FakeDaemon(here.socket, {"subscribe": status()}) as fake:
        yield fake


def spent(tokens: int) -> object:
    """A status with so much spent."""
    return status(windows=[window(spent=tokens)])


def test_a_change_is_shown_at_once(here: Surroundings, daemon: FakeDaemon) -> None:
    """On the terminal's other screen."""
    with Terminal(here, "watch") as terminal:
        terminal.shows("62.3k spent")
        assert ALTERNATE_SCREEN in terminal.text
        daemon.change(spent(99_000))
        terminal.shows("99k spent")


def test_it_counts_down_by_itself(here: Surroundings, daemon: FakeDaemon) -> None:
    """A clock that stands still looks like a program that does."""
    with Terminal(here, "watch") as terminal:
        terminal.shows("q to leave")
        seconds = {f":0{second}" for second in range(5)}
        wait_until(lambda: sum(second in terminal.drawn() for second in seconds) > 1)


@pytest.mark.parametrize(("key", "code"), [(b"q", 0), (b"Q", 0), (b"\x1b", 0)])
def test_a_key_leaves_it(here: Surroundings, daemon: FakeDaemon, key: bytes, code: int) -> None:
    """With the ordinary screen, the cursor and the terminal's modes back."""
    with Terminal(here, "watch") as terminal:
        terminal.shows("q to leave")
        terminal.press(key)
        assert code == terminal.wait()
        assert terminal.modes_are_restored()
    assert terminal.text.rindex(ORDINARY_SCREEN) > terminal.text.rindex(ALTERNATE_SCREEN)
    assert SHOWN_CURSOR in terminal.text
    assert "Traceback" not in terminal.text


def test_other_keys_do_nothing(here: Surroundings, daemon: FakeDaemon) -> None:
    """Not even those that begin with the sign of the escape key."""
    with Terminal(here, "watch") as terminal:
        terminal.shows("q to leave")
        terminal.press(b"x\x1b[A\x1bOB\x1b[1;5C")
        daemon.change(spent(99_000))
        terminal.shows("99k spent")
        daemon.change(spent(77_000))
        terminal.shows("77k spent")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_ends_it_cleanly(here: Surroundings, daemon: FakeDaemon, number: int, code: int) -> None:
    """The terminal is restored, and nothing is said."""
    with Terminal(here, "watch") as terminal:
        terminal.shows("q to leave")
        os.kill(terminal.process.pid, number)
        assert code == terminal.wait()
        assert terminal.modes_are_restored()
    assert ORDINARY_SCREEN in terminal.text
    assert "Traceback" not in terminal.text


def test_it_follows_the_terminals_size(here: Surroundings, daemon: FakeDaemon) -> None:
    """The new width is used whole, and no more than it."""
    with Terminal(here, "watch", columns=80) as terminal:
        terminal.shows("5 hours")
        terminal.resize(40, 24)
        os.kill(terminal.process.pid, signal.SIGWINCH)
        terminal.shows("\n  137.7k left")


def test_it_waits_for_a_daemon_that_is_restarted(here: Surroundings) -> None:
    """What was known stays in view, with the word that nobody updates it."""
    with FakeDaemon(here.socket, {"subscribe": status()}):
        terminal = Terminal(here, "watch")
        terminal.shows("62.3k spent")
    with terminal:
        terminal.shows("Waiting; above is what was known last.")
        with FakeDaemon(here.socket, {"subscribe": spent(77_000)}):
            terminal.shows("77k spent")
            terminal.press(b"q")
            assert terminal.wait() == 0


def test_in_a_pipe_it_prints_each_state(here: Surroundings, daemon: FakeDaemon) -> None:
    """Plain text, one status and an empty line per change."""
    with following(here) as process:
        assert "62.3k spent" in block(process)
        assert daemon.subscribed.wait(SECONDS)
        daemon.change(spent(99_000))
        text = block(process)
        assert "99k spent" in text
        assert "\x1b" not in text
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 143


def test_in_a_pipe_it_waits_for_the_daemon_too(here: Surroundings) -> None:
    """What has happened is said on standard error."""
    with FakeDaemon(here.socket, {"subscribe": status()}):
        process = following(here)
        assert "62.3k spent" in block(process)
    with process:
        with FakeDaemon(here.socket, {"subscribe": spent(77_000)}):
            assert "77k spent" in block(process)
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 130
        assert process.stderr is not None
        assert "hung up" in process.stderr.read()


def test_in_a_pipe_it_ends_with_its_reader(here: Surroundings, daemon: FakeDaemon) -> None:
    """Without waiting for a change that nobody would read."""
    with following(here) as process:
        block(process)
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(SECONDS) == 141


def following(here: Surroundings) -> subprocess.Popen[str]:
    """A watch whose output goes into a pipe."""
    return subprocess.Popen(
        here.command("watch"),
        env=here.environment,
        cwd=here.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def block(process: subprocess.Popen[str]) -> str:
    """One printed status: up to the two empty lines between footer and header."""
    assert process.stdout is not None
    lines: list[str] = []
    while not (lines and lines[-1].startswith("quotad ")):
        line = process.stdout.readline()
        assert line, "the output ended"
        lines.append(line)
    return "".join(lines)
