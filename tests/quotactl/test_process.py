"""quotactl as a process: its pipes, its signals, its colours."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess

import pytest

from quotad import wire
from tests.quotactl.conftest import Surroundings
from tests.quotactl.fake_daemon import FakeDaemon, Raw, Silence
from tests.quotactl.replies import row, session, status
from tests.quotactl.terminal import SECONDS, Terminal, wait_until


def test_in_a_pipe_there_is_no_colour_and_no_wide_line(here: Surroundings) -> None:
    """80 columns, whatever the terminal is that the pipe ends in."""
    with FakeDaemon(here.socket, {"status": status()}):
        result = here.process("status", COLUMNS="200")
    assert (0, "") == (result.returncode, result.stderr)
    assert "\x1b" not in result.stdout
    assert max(map(len, result.stdout.splitlines())) == 80


def test_status_says_the_same_by_either_way(here: Surroundings) -> None:
    """Without options it takes a shorter one, past click; behind ``--`` it takes the way of all commands."""
    with FakeDaemon(here.socket, {"status": status(sessions=[session()])}) as daemon:
        for environment in ({}, {"COLUMNS": "40"}, {"HOME": ""}):
            shorter, longer = (
                here.process(*words, **environment) for words in (["status"], ["--", "status"])
            )
            assert (0, "", longer.stdout) == (shorter.returncode, shorter.stderr, shorter.stdout)
    assert ["status", "hello", "status"] * 3 == [method for method, _ in daemon.asked]


def test_where_not_all_letters_can_be_said_status_is_left_to_the_command(here: Surroundings) -> None:
    """A directory's name is written as it always is."""
    with FakeDaemon(here.socket, {"status": status(sessions=[session(cwd="/src/shöp")])}) as daemon:
        shorter, longer = (
            here.process(*words, PYTHONIOENCODING="ascii") for words in (["status"], ["--", "status"])
        )
        assert (0, "", longer.stdout) == (shorter.returncode, shorter.stderr, shorter.stdout)
    assert ["hello", "status"] * 2 == [method for method, _ in daemon.asked]


def test_a_status_of_another_shape_is_left_to_the_command(here: Surroundings) -> None:
    """Whose words would not fit it."""
    with FakeDaemon(here.socket, {"status": status() | {"schema": 2}}) as daemon:
        here.process("status")
    assert ["status", "hello", "status"] == [method for method, _ in daemon.asked]


def test_where_columns_are_few_lines_are_short(here: Surroundings) -> None:
    """A pipe, too, may say how wide it wants to be."""
    with FakeDaemon(here.socket, {"status": status()}):
        result = here.process("status", COLUMNS="40")
    assert max(map(len, result.stdout.splitlines())) == 40


def test_a_reader_that_has_seen_enough_is_no_error(here: Surroundings) -> None:
    """`quotactl ... | head` ends like any other program in a pipe, and without a word."""
    rows = [row(day=wire.iso(number * 86_400_000)[:10]) for number in range(1_500)]
    with FakeDaemon(here.socket, {"history": rows}):
        process = subprocess.Popen(
            here.command("history"),
            env=here.environment,
            cwd=here.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        with process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.readline()
            process.stdout.close()
            said = process.stderr.read()
    assert (141, b"") == (process.returncode, said)


def test_a_full_disk_is_told(here: Surroundings) -> None:
    """Output that could not be written is not passed over."""
    with FakeDaemon(here.socket, {"status": status()}), open("/dev/full", "wb") as full:  # noqa: PTH123
        process = subprocess.run(
            here.command("status"),
            env=here.environment,
            cwd=here.root,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert process.returncode == 1
    assert b"No space left" in process.stderr
    assert b"Traceback" not in process.stderr


def test_ctrl_c_ends_it_quietly(here: Surroundings) -> None:
    """With 130, as the shell expects, and no traceback."""
    with FakeDaemon(here.socket, {"sync": Silence()}) as daemon:
        process = subprocess.Popen(
            here.command("sync"),
            env=here.environment,
            cwd=here.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        wait_until(lambda: ("sync", {"timeout": 60.0}) in daemon.asked)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=SECONDS)
    assert (130, b"", b"") == (process.returncode, out, err)


def test_a_terminal_gets_colour_and_its_whole_width(here: Surroundings) -> None:
    """Up to 100 columns, beyond which lines are hard to read."""
    with FakeDaemon(here.socket, {"status": status()}), Terminal(here, "status", columns=90) as terminal:
        assert terminal.wait() == 0
    assert "\x1b[32m" in terminal.text
    assert len(terminal.lines()[0]) == 90


def test_no_color_is_respected(here: Surroundings) -> None:
    """On a terminal, too; the bar stays."""
    here.environment["NO_COLOR"] = "1"
    with FakeDaemon(here.socket, {"status": status()}), Terminal(here, "status") as terminal:
        assert terminal.wait() == 0
    assert "\x1b" not in terminal.text
    assert "█" in terminal.text


def test_where_unicode_is_missing_our_signs_are_ascii(here: Surroundings) -> None:
    """And a name in another script is shown as far as it can be."""
    reply = status(sessions=[session(cwd="/home/ana/日本")])
    with FakeDaemon(here.socket, {"status": reply}):
        result = here.process("status", PYTHONIOENCODING="latin-1")
    assert (0, "") == (result.returncode, result.stderr)
    assert "##" in result.stdout
    assert "~/??" in result.stdout


def test_json_is_utf_8_whatever_the_terminal_takes(here: Surroundings) -> None:
    """Exactly the reply's result; a lone surrogate, legal in JSON only, is escaped."""
    reply = status(sessions=[session(cwd="/home/ana/日本\udc80")])
    line = json.dumps({"jsonrpc": "2.0", "id": 2, "result": reply}).encode()
    with FakeDaemon(here.socket, {"status": Raw(line + b"\n")}):
        result = here.process("status", "--json", PYTHONIOENCODING="ascii")
    assert reply == json.loads(result.stdout)
    assert "日本" in result.stdout


@pytest.mark.parametrize("closing", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_are_no_error(here: Surroundings, closing: str) -> None:
    """What is said then goes nowhere."""
    with FakeDaemon(here.socket, {"status": status()}):
        result = subprocess.run(
            ["/bin/sh", "-c", f"{shlex.join(here.command('status'))} {closing}"],
            env=here.environment,
            cwd=here.root,
            capture_output=True,
            text=True,
            check=False,
        )
    assert (0, "") == (result.returncode, result.stderr)
