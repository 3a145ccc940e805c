"""The demo plays its day on the real daemon, and leaves nothing behind, however it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator

import pytest

from quotactl import text
from quotactl.demo import story
from quotactl.demo.command import closing
from quotactl.demo.show import lines_show
from quotactl.demo.stage import Clock, Notice, stage_of
from quotad import wire
from tests.quotactl.conftest import Surroundings
from tests.quotactl.replies import view
from tests.quotactl.terminal import ORDINARY_SCREEN, SECONDS, Terminal

LIMIT = 200_000
OPENED, RESET = 2, 2 + 300


def calls() -> list[story.Scene]:
    """Every call of the day."""
    return [scene for scene in story.day() if scene.tokens]


def test_the_window_fills_beyond_its_last_threshold_and_not_beyond_its_limit() -> None:
    """Whoever watches sees all four notices, and no number that frightens."""
    spent = sum(call.tokens for call in calls() if call.minute < RESET)
    assert 0.95 * LIMIT < spent < LIMIT


def test_after_the_reset_nothing_happens_until_the_next_window_opens() -> None:
    """So that the idle window is seen, too."""
    first = calls()[0].minute
    after = [call.minute for call in calls() if call.minute >= RESET]
    assert (OPENED, 322) == (first, min(after))
    assert max(after) <= story.MINUTES


def test_the_week_crosses_its_half_on_that_day() -> None:
    """The days before bring it near."""
    before = sum(call.tokens for call in story.before())
    assert before < 500_000 < before + sum(call.tokens for call in calls())


def test_the_story_is_the_same_each_time() -> None:
    """What was tried once holds."""
    assert (story.day(), story.before()) == (story.day(), story.before())


def test_a_line_bears_exactly_the_calls_tokens() -> None:
    """New tokens of all kinds; every call has an identity of its own."""
    lines = [json.loads(story.transcript_line(call, 0, "/home/ana")) for call in [*story.before(), *calls()]]
    usages = [line["message"]["usage"] for line in lines]
    fresh = [
        one["input_tokens"] + one["output_tokens"] + one["cache_creation_input_tokens"] for one in usages
    ]
    assert [call.tokens for call in [*story.before(), *calls()]] == fresh
    assert min(min(one.values()) for one in usages) >= 0
    assert len(lines) == len({line["message"]["id"] for line in lines})


def test_every_title_comes_in_its_time() -> None:
    """None after the end, none without words."""
    titles = [scene for scene in story.day() if not scene.tokens]
    assert all(scene.title and 0 < scene.minute <= story.MINUTES for scene in titles)


def test_the_clock_is_told_as_the_daemon_takes_it() -> None:
    """Start, rate and reference."""
    clock = Clock(wire.instant("2026-11-22T08:00:00.000Z"), 1050.0, 123)
    assert clock.option() == "2026-11-22T08:00:00.000Z@1050.0@123"


def test_the_stage_points_everywhere_into_itself(here: Surroundings) -> None:
    """No directory of the user's is left for the private daemon to find."""
    here.environment["NOTIFY_SOCKET"] = "/run/systemd/notify"
    with stage_of(here.console(), 1.0) as stage:
        environment = stage.inner.environment
        for name in (
            "CLAUDE_CONFIG_DIR",
            "QUOTAD_CONFIG",
            "QUOTAD_SOCKET",
            "QUOTAD_STATE_DIR",
            "XDG_CONFIG_HOME",
        ):
            assert environment[name].startswith(f"{stage.root}/")
        assert "NOTIFY_SOCKET" not in environment
        assert len(bytes(stage.inner.paths.socket)) <= wire.SOCKET_PATH_BYTES_MAX
    assert not stage.root.exists()


def test_notices_are_heard_once_and_whole(here: Surroundings) -> None:
    """One that is half written comes with its second half."""
    line = b'{"at":"2026-11-22T08:00:00.000Z","kind":"reset","title":"t","body":"b"}\n'
    with stage_of(here.console(), 1.0) as stage:
        assert stage.hear() == []
        for written, heard in ((line + line[:20], 1), (b"", 0), (line[20:], 1)):
            with (stage.root / "notices").open("ab") as notices:
                notices.write(written)
            assert len(stage.hear()) == heard


@pytest.fixture
def theatre(here: Surroundings) -> Iterator[Surroundings]:
    """Where the demo makes its directory, which must be empty afterwards."""
    (here.root / "tmp").mkdir()
    here.environment |= {"TMPDIR": str(here.root / "tmp"), "HOME": str(here.root)}
    yield here
    assert [] == list((here.root / "tmp").iterdir())


def test_in_a_pipe_it_tells_the_day_in_lines(theatre: Surroundings) -> None:
    """Thresholds, a reset, and the way on; by itself, with nothing on standard error."""
    result = theatre.process("demo", "--speed", "4")
    assert (0, "") == (result.returncode, result.stderr)
    # On a busy machine a frame may jump over a threshold; the highest is always told.
    percents = [int(one) for one in re.findall(r"notice: 5-hour quota: (\d+)\s?%", result.stdout)]
    assert percents == sorted(percents)
    assert 95 <= percents[-1] < 100
    assert re.search(r"^\d\d:\d\d  notice: 5-hour quota is back", result.stdout, re.MULTILINE)
    times = re.findall(r"^(\d\d:\d\d)  ", result.stdout, re.MULTILINE)
    assert times == sorted(times)
    assert "218k tokens" in result.stdout
    assert "quotactl up" in result.stdout.splitlines()[-1]
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_a_line_that_is_told_late_does_not_go_back(
    here: Surroundings, capsys: pytest.CaptureFixture[str]
) -> None:
    """It bears the time of the line before it."""
    eleven, minute = wire.instant("2026-11-22T10:00:00.000Z"), 60_000
    with lines_show(here.console()) as show:
        show.event(eleven, "a")
        show.notice(Notice(eleven - minute, "b", "c"))
        show.notice(Notice(eleven + 2 * minute, "d", "e"))
        show.event(eleven + minute, "f")
    told = capsys.readouterr().out
    assert told == "11:00  a\n11:00  notice: b. c\n11:02  notice: d. e\n11:02  f\n"


@pytest.mark.parametrize("width", [80, 40])
def test_the_closing_words_are_wrapped(here: Surroundings, width: int) -> None:
    """Nothing of them is cut off, and the command to copy stays in one line."""
    with stage_of(here.console(), 1.0) as stage:
        shown = text.paint(closing(stage, finished=True, view=view(width)), view(width))
    assert max(map(len, shown.splitlines())) <= width
    words = " ".join(shown.split())
    assert "a window that filled, reset, and opened again" in words
    assert "The demo's daemon has ended, and its files are gone." in words
    assert shown.splitlines()[-1].endswith("quotactl up && quotactl status")


def test_on_a_terminal_it_draws_and_leaves_with_a_key(theatre: Surroundings) -> None:
    """The ordinary screen comes back, with the way on."""
    with Terminal(theatre, "demo") as terminal:
        terminal.shows("a session opens a five-hour window")
        terminal.shows("5 hours")
        terminal.press(b"q")
        assert terminal.wait() == 0
        assert terminal.modes_are_restored()
    after = terminal.text[terminal.text.rindex(ORDINARY_SCREEN) :]
    assert "its files are gone" in after
    assert "What you have seen" not in after


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_leaves_nothing_behind(theatre: Surroundings, number: int, code: int) -> None:
    """No directory, no daemon, no traceback."""
    process = subprocess.Popen(
        theatre.command("demo"),
        env=theatre.environment,
        cwd=theatre.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert "quotad counts" in process.stdout.readline()
        children = children_of(process.pid)
        process.send_signal(number)
        assert code == process.wait(SECONDS)
        assert process.stderr.read() == ""
    assert len(children) == 1
    with pytest.raises(ProcessLookupError):
        os.kill(children[0], 0)


def children_of(pid: int) -> list[int]:
    """The processes that this one has started."""
    found = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    )
    return [int(one) for one in found.stdout.split()]


def test_a_quotad_that_does_not_start_is_quoted(theatre: Surroundings) -> None:
    """With its last words, before its directory goes."""
    theatre.install("quotad", "import sys; sys.exit('no clock like that')")
    result = theatre.run("demo")
    assert (1, "") == (result.exit_code, result.stdout)
    assert "  no clock like that" in result.stderr
