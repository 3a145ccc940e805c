"""The user's program gets each notice and cannot harm us, nor can osascript; the log never fails."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from pathlib import Path

import pytest

from quotad.sinks.channel import Delivery
from quotad.sinks.command import CommandChannel
from quotad.sinks.log import LogChannel
from quotad.sinks.osascript import OsascriptChannel
from quotad.sinks.program import COMPLAINT_BYTES_MAX, COMPLAINT_CHARS_MAX
from tests.sinks.notices import PAYLOAD, WORDS
from tests.sinks.waiting import open_descriptors, until

SOON = 0.3
"""Seconds after which a test's channel takes a program to hang."""


def shell(script: str, home: Path, *, seconds_max: float = 10) -> CommandChannel:
    """A channel that runs ``script``."""
    return CommandChannel(["sh", "-c", script], home, seconds_max=seconds_max)


def alive(pid: int) -> bool:
    """Whether a process runs; one that is dead but not yet buried does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


async def test_the_program_gets_one_line_of_json(tmp_path: Path) -> None:
    """The payload is a line on stdin, and then the input ends."""
    delivery = await shell("cat > got", tmp_path).deliver(WORDS, PAYLOAD)
    got = (tmp_path / "got").read_bytes()
    assert Delivery(delivered=True, detail="sh") == delivery
    assert PAYLOAD == json.loads(got)
    assert (1, b"\n") == (got.count(b"\n"), got[-1:])


async def test_the_program_runs_at_home_with_our_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is started in the home directory and knows what we know."""
    monkeypatch.setenv("QUOTAD_TEST_TOKEN", "sesame")
    await shell('echo "$PWD $QUOTAD_TEST_TOKEN" > got', tmp_path).deliver(WORDS, PAYLOAD)
    assert f"{tmp_path} sesame\n" == (tmp_path / "got").read_text()


async def test_a_relative_path_is_taken_from_home(tmp_path: Path) -> None:
    """``bin/tell`` is the one in the home directory, for finding and for running."""
    program = tmp_path / "bin" / "tell"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\ncat > got\n")
    program.chmod(0o755)
    channel = CommandChannel(["bin/tell"], tmp_path)
    assert (await channel.probe()).delivered
    assert (await channel.deliver(WORDS, PAYLOAD)).delivered
    assert (tmp_path / "got").exists()


async def test_a_program_need_not_read_what_it_gets(tmp_path: Path) -> None:
    """A program that ignores its input has still been told."""
    assert (await shell("exec <&-; exit 0", tmp_path).deliver(WORDS, PAYLOAD)).delivered


async def test_a_failure_is_told_with_the_programs_last_words(tmp_path: Path) -> None:
    """The exit code and the last line of stderr that is not blank make the detail."""
    delivery = await shell("echo first >&2; echo 'no network' >&2; echo >&2; exit 3", tmp_path).deliver(
        WORDS, PAYLOAD
    )
    assert Delivery(delivered=False, detail="sh exited with 3: no network") == delivery


async def test_a_death_by_signal_is_a_failure(tmp_path: Path) -> None:
    """A program that crashes has not delivered."""
    delivery = await shell("kill -SEGV $$", tmp_path).deliver(WORDS, PAYLOAD)
    assert Delivery(delivered=False, detail=f"sh was ended by signal {signal.SIGSEGV}") == delivery


async def test_many_complaints_are_read_and_little_is_kept(tmp_path: Path) -> None:
    """More than a pipe holds blocks nobody, and of one endless line only the end is kept."""
    script = f"import sys; sys.stderr.write('x' * {1 << 20} + 'y' * {COMPLAINT_BYTES_MAX}); sys.exit(1)"
    delivery = await CommandChannel([sys.executable, "-c", script], tmp_path).deliver(WORDS, PAYLOAD)
    assert f"{sys.executable} exited with 1: " + "y" * COMPLAINT_CHARS_MAX == delivery.detail


async def test_a_program_that_hangs_is_killed_with_its_children(tmp_path: Path) -> None:
    """When time is over the whole process group ends, and the notice may have arrived."""
    script = "sleep 60 & echo $! > child; echo waiting >&2; wait"
    delivery = await shell(script, tmp_path, seconds_max=SOON).deliver(WORDS, PAYLOAD)
    child = int((tmp_path / "child").read_text())
    await until(lambda: not alive(child))
    assert (
        Delivery(
            delivered=False,
            detail="sh was killed when its time was over: waiting",
            may_have_arrived=True,
        )
        == delivery
    )


async def test_a_program_that_ignores_sigterm_is_killed_too(tmp_path: Path) -> None:
    """Nobody is asked politely after ten seconds."""
    script = "trap '' TERM INT HUP; echo $$ > pid; while :; do sleep 1; done"
    await shell(script, tmp_path, seconds_max=SOON).deliver(WORDS, PAYLOAD)
    assert not alive(int((tmp_path / "pid").read_text()))


async def test_the_end_of_the_daemon_ends_the_program(tmp_path: Path) -> None:
    """A delivery that is cancelled leaves no process behind."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(
            shell("echo $$ > pid; mv pid there; sleep 60", tmp_path).deliver(WORDS, PAYLOAD)
        )
        await until((tmp_path / "there").exists)
        task.cancel()
    assert not alive(int((tmp_path / "there").read_text()))


async def test_what_a_program_leaves_in_the_background_is_not_waited_for(tmp_path: Path) -> None:
    """A program that is done is done, though something of it holds on to its stderr; that one lives on."""
    delivery = await shell("sleep 60 & echo $! > child", tmp_path, seconds_max=5).deliver(WORDS, PAYLOAD)
    child = int((tmp_path / "child").read_text())
    try:
        assert delivery.delivered
        assert alive(child)
    finally:
        os.kill(child, signal.SIGKILL)


async def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    """A thousand notices cost no more descriptors than one."""
    channel = shell("echo no >&2; exit 1", tmp_path)
    await channel.deliver(WORDS, PAYLOAD)
    before = open_descriptors()
    for _ in range(5):
        await channel.deliver(WORDS, PAYLOAD)
    await CommandChannel(["/nonexistent/tell"], tmp_path).deliver(WORDS, PAYLOAD)
    await until(lambda: open_descriptors() <= before)


@pytest.mark.parametrize("program", ["no-such-program", "/nonexistent/tell", "./here"])
async def test_a_program_that_is_not_there(tmp_path: Path, program: str) -> None:
    """Neither a probe nor a delivery raises; both name the program."""
    channel = CommandChannel([program], tmp_path)
    assert Delivery(delivered=False, detail=f"there is no program {program!r}") == await channel.probe()
    delivery = await channel.deliver(WORDS, PAYLOAD)
    assert Delivery(delivered=False, detail=f"cannot run {program!r}: No such file or directory") == delivery


async def test_a_probe_remembers_the_last_failure(tmp_path: Path) -> None:
    """A program that is there and failed is broken until it succeeds."""
    channel = shell("test -e fixed", tmp_path)
    assert Delivery(delivered=True, detail="sh") == await channel.probe()
    failed = await channel.deliver(WORDS, PAYLOAD)
    assert failed == await channel.probe()
    (tmp_path / "fixed").touch()
    assert (await channel.deliver(WORDS, PAYLOAD)).delivered
    assert Delivery(delivered=True, detail="sh") == await channel.probe()


def fake_osascript(tmp_path: Path, script: str) -> OsascriptChannel:
    """A channel whose osascript is ``script``, run with what the real one would get."""
    program = tmp_path / "osascript"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return OsascriptChannel(tmp_path, osascript=str(program), seconds_max=SOON)


async def test_osascript_gets_the_words_as_arguments(tmp_path: Path) -> None:
    """Nothing of a notice is ever part of a script, whatever quotes it has."""
    words = WORDS._replace(title='-e do shell script "x"', body="\" & 'quoted'")
    channel = fake_osascript(tmp_path, r'for word; do printf "%s\n" "$word"; done > got')
    assert Delivery(delivered=True) == await channel.deliver(words, PAYLOAD)
    assert [
        "-e",
        "on run argv",
        "-e",
        "display notification (item 3 of argv) with title (item 1 of argv) subtitle (item 2 of argv)",
        "-e",
        "end run",
        "quotad",
        words.title,
        words.body,
    ] == (tmp_path / "got").read_text().splitlines()


async def test_osascript_fails_with_its_reason(tmp_path: Path) -> None:
    """What osascript complains of is the detail."""
    channel = fake_osascript(tmp_path, "echo 'execution error: not allowed (-1743)' >&2; exit 1")
    delivery = await channel.deliver(WORDS, PAYLOAD)
    detail = "osascript exited with 1: execution error: not allowed (-1743)"
    assert Delivery(delivered=False, detail=detail) == delivery


async def test_an_osascript_that_hangs_may_have_shown_the_notice(tmp_path: Path) -> None:
    """It is killed when its time is over."""
    delivery = await fake_osascript(tmp_path, "sleep 60").deliver(WORDS, PAYLOAD)
    assert (False, True) == (delivery.delivered, delivery.may_have_arrived)


async def test_osascript_is_missing_elsewhere(tmp_path: Path) -> None:
    """On other systems the channel says that there is no such program."""
    missing = OsascriptChannel(tmp_path, osascript="/nonexistent/osascript")
    delivery = await missing.deliver(WORDS, PAYLOAD)
    assert not (await missing.probe()).delivered
    assert "cannot run '/nonexistent/osascript': No such file or directory" == delivery.detail
    assert (await fake_osascript(tmp_path, "exit 0").probe()).delivered


async def test_the_log_gets_a_line(caplog: pytest.LogCaptureFixture) -> None:
    """One line, with kind, instant, title and body; it is always delivered."""
    channel = LogChannel(logging.getLogger("quotad.notices"))
    assert Delivery(delivered=True) == await channel.probe()
    assert Delivery(delivered=True) == await channel.deliver(WORDS, PAYLOAD)
    line = f"notice (threshold, 2026-11-22T10:00:00.000Z): {WORDS.title} - {WORDS.body}"
    assert [line] == caplog.messages
