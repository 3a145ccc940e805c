"""The status line as Claude Code runs it: a process with JSON on stdin, and nothing that may go wrong."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quotactl import quick
from quotad import status_line, wire
from quotad.domain import reading
from quotad.domain.level import level_of
from quotad.places import default_places
from quotad.status_line import DAY, HOUR, MINUTE, View, Window
from tests.quotactl.claude_code import status_line as said
from tests.quotactl.conftest import Surroundings
from tests.quotactl.fake_daemon import Error, FakeDaemon, Raw, Silence
from tests.quotactl.replies import status
from tests.quotactl.terminal import SECONDS, wait_until

NOW = wire.instant("2026-11-22T10:00:00.000Z")
AN_HOUR_AHEAD = int(time.time()) + 3600
LINE = '\x1b[33mmoderate\x1b[0m  5h ██░░ \\ "61%"'
HEAVY = {
    "argparse",
    "asyncio",
    "click",
    "dataclasses",
    "inspect",
    "json",
    "pathlib",
    "pydantic",
    "quotactl.cli",
    "socket",
    "subprocess",
}


def run(
    here: Surroundings, *arguments: str, stdin: str | bytes = "", **environment: str
) -> subprocess.CompletedProcess[bytes]:
    """The status line, or whatever is named, as a process that is given ``stdin``."""
    return subprocess.run(
        here.command(*(arguments or ("statusline",))),
        input=stdin.encode() if isinstance(stdin, str) else stdin,
        env=here.environment | environment,
        cwd=here.root,
        capture_output=True,
        check=False,
        timeout=30,
    )


def soon() -> int:
    """A reset two hours from now, in epoch seconds."""
    return int(time.time()) + 2 * 3600 + 30


# With a daemon.


def test_the_daemon_draws_the_line(here: Surroundings) -> None:
    """Its words are printed as they are, colours, quotes and signs included, and end in a newline."""
    with FakeDaemon(here.socket, {"statusline": {"line": LINE}}):
        result = run(here, stdin=said())
    assert (0, f"{LINE}\n", b"") == (result.returncode, result.stdout.decode(), result.stderr)


def test_the_daemon_gets_what_claude_code_said(here: Surroundings) -> None:
    """The text as it came, whatever signs are in it, the account's directory, the width and colours."""
    text = said(five_hour=(61.5, 1_793_624_400)) + '\n{"odd": "\\u0000 日本 \\" \\\\ \t"}\n'
    with FakeDaemon(here.socket, {"statusline": {"line": ""}}) as daemon:
        run(here, stdin=text, COLUMNS="132")
        run(here, stdin=text, NO_COLOR="1", CLAUDE_CONFIG_DIR="")
    root = here.environment["CLAUDE_CONFIG_DIR"]
    assert [
        ("statusline", {"text": text, "root": root, "columns": 132, "colour": True}),
        ("statusline", {"text": text, "root": None, "columns": 80, "colour": False}),
    ] == daemon.asked


def test_what_no_request_can_hold_does_not_silence_the_daemon(here: Surroundings) -> None:
    """It draws its line from what it knows."""
    with FakeDaemon(here.socket, {"statusline": {"line": "5h 61%"}}) as daemon:
        result = run(here, stdin=json.dumps({"x": "é" * 2_000_000}, ensure_ascii=False))
    assert b"5h 61%\n" == result.stdout
    ((_, params),) = daemon.asked
    assert isinstance(params, dict)
    assert not params["text"]


@pytest.mark.parametrize("columns", ["", "wide", "-3", "0", "99999"])
def test_a_width_that_is_none_is_eighty(here: Surroundings, columns: str) -> None:
    """Before 2.1.153 there is none."""
    with FakeDaemon(here.socket, {"statusline": {"line": ""}}) as daemon:
        run(here, stdin="{}", COLUMNS=columns)
    assert 80 == json.loads(json.dumps(daemon.asked[0][1]))["columns"]


@pytest.mark.parametrize("broken", ["\x00", "\x80\xff", "[" * 100_000, "1e999999", "{", "null", ""])
def test_what_is_no_json_goes_to_the_daemon_all_the_same(here: Surroundings, broken: str) -> None:
    """It is for the daemon to say what is wrong with it."""
    with FakeDaemon(here.socket, {"statusline": {"line": "ok"}}) as daemon:
        result = run(here, stdin=broken.encode("latin-1"))
    assert (0, b"ok\n", b"") == (result.returncode, result.stdout, result.stderr)
    assert 1 == len(daemon.asked)


# Without one that helps.


@pytest.mark.parametrize(
    "reply",
    [
        Silence(),
        Raw(),
        Raw(b"not json\n"),
        Raw(b'{"jsonrpc":"2.0","id":1,"result":{"line":5}}\n'),
        Raw(b"x" * 100_000 + b"\n"),
        Error(code=-32601, message="no method statusline"),
    ],
    ids=["silent", "hangs-up", "garbage", "no-text", "endless", "too-old"],
)
def test_a_daemon_that_does_not_answer_is_not_waited_for(here: Surroundings, reply: object) -> None:
    """The line is made of what Claude Code said, within a fraction of a second."""
    with FakeDaemon(here.socket, {"statusline": reply}):
        result = run(here, stdin=said(five_hour=(61.5, soon()), seven_day=(23, soon())), NO_COLOR="1")
    assert (0, b"") == (result.returncode, result.stderr)
    assert (
        "moderate  5h ██░░ 61% 2h · 7d █░░░ 23% 2h · quotad does not answer: quotactl up\n"
        == result.stdout.decode().replace("2h0m", "2h")
    )


def test_without_a_daemon_claude_code_s_own_words_are_shown(here: Surroundings) -> None:
    """In colour: Claude Code shows it."""
    result = run(here, stdin=said(five_hour=(97.0, soon())))
    assert (0, b"") == (result.returncode, result.stderr)
    assert result.stdout.decode().startswith("\x1b[1;31mcritical\x1b[0m  5h \x1b[1;31m█")


@pytest.mark.parametrize(
    "limits",
    [
        {},
        {"five_hour": None},
        {"five_hour": {"used_percentage": True, "resets_at": AN_HOUR_AHEAD}},
        {"five_hour": {"used_percentage": 1_793_624_400, "resets_at": AN_HOUR_AHEAD}},
        {"five_hour": {"used_percentage": float("nan"), "resets_at": AN_HOUR_AHEAD}},
        {"five_hour": {"used_percentage": 50, "resets_at": 1_000}},
        {"five_hour": {"used_percentage": 50, "resets_at": "2026-11-22T10:00:00Z"}},
        {"five_hour": {"used_percentage": 50, "resets_at": 9e99}},
        [],
        "61%",
    ],
)
def test_what_makes_no_sense_is_not_shown(here: Surroundings, limits: object) -> None:
    """Not an epoch for a percentage, not a reset that is over."""
    result = run(here, stdin=json.dumps({"rate_limits": limits}), NO_COLOR="1")
    assert b"quotad does not answer: quotactl up\n" == result.stdout


@pytest.mark.parametrize("stdin", [b"", b"\xff\xfe\x00", b"[" * 1_000_000, b'{"rate_limits":' * 50_000])
def test_without_anything_it_still_says_something(here: Surroundings, stdin: bytes) -> None:
    """And never how it failed."""
    result = run(here, stdin=stdin, NO_COLOR="1")
    assert (0, b"quotad does not answer: quotactl up\n", b"") == (
        result.returncode,
        result.stdout,
        result.stderr,
    )


@pytest.mark.parametrize("closing", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full"])
def test_closed_streams_are_no_error(here: Surroundings, closing: str) -> None:
    """Nobody reads, or nobody writes: exit 0."""
    command = f"{' '.join(here.command('statusline'))} {closing}"
    result = subprocess.run(
        ["/bin/sh", "-c", command], env=here.environment, capture_output=True, check=False
    )
    assert (0, b"") == (result.returncode, result.stderr)


def test_a_wrong_environment_is_told_in_the_line(here: Surroundings) -> None:
    """It is the one place where the user looks."""
    result = run(here, QUOTAD_SOCKET="rel/ative")
    assert (0, b"") == (result.returncode, result.stderr)
    assert b"quotactl: QUOTAD_SOCKET must be an absolute path, not 'rel/ative'\n" == result.stdout


def test_arguments_change_nothing(here: Surroundings) -> None:
    """Whatever is typed, it is a status line."""
    result = run(here, "statusline", "--bogus", "--exit-zero", NO_COLOR="1")
    assert (0, b"quotad does not answer: quotactl up\n") == (result.returncode, result.stdout)


# The status line that was there before.


def former(here: Surroundings, command: object) -> None:
    """As ``claude install`` leaves it."""
    state = Path(here.environment["QUOTAD_STATE_DIR"])
    state.mkdir(exist_ok=True)
    root = str(Path(here.environment["CLAUDE_CONFIG_DIR"]).resolve())
    (state / "statusline-before.json").write_text(json.dumps({root: command, "/other": "echo other"}))


def test_the_former_status_line_gets_the_same_and_follows_ours(here: Surroundings) -> None:
    """All its lines, after ours; what it says on stderr is dropped."""
    former(here, "cat; echo; echo $COLUMNS >&1; echo oops >&2; exit 3")
    text = said(five_hour=(61.5, soon()))
    with FakeDaemon(here.socket, {"statusline": {"line": "ours"}}):
        result = run(here, stdin=text, COLUMNS="90")
    assert (0, f"ours\n{text}\n90\n", b"") == (result.returncode, result.stdout.decode(), result.stderr)


def test_a_former_one_is_that_of_its_own_directory(here: Surroundings, tmp_path: Path) -> None:
    """People keep an account in each; a link to one is the same one."""
    former(here, "echo theirs")
    other, link = tmp_path / "another", tmp_path / "link"
    link.symlink_to(here.environment["CLAUDE_CONFIG_DIR"])
    with FakeDaemon(here.socket, {"statusline": {"line": "ours"}}):
        outputs = [run(here, stdin="{}", CLAUDE_CONFIG_DIR=str(root)).stdout for root in (other, link)]
    assert [b"ours\n", b"ours\ntheirs\n"] == outputs


def test_a_former_one_that_reads_nothing_or_much_is_served(here: Surroundings) -> None:
    """A pipe holds 64 KB; neither side waits for the other."""
    text = json.dumps({"x": "y" * 500_000})
    for command, shown in (("echo theirs", "theirs"), ("wc -c | tr -d ' '", str(len(text)))):
        former(here, command)
        result = run(here, stdin=text, NO_COLOR="1")
        assert f"quotad does not answer: quotactl up\n{shown}\n" == result.stdout.decode()


@pytest.mark.parametrize("command", ["", None, 5, "exit 1", "/no/such/program", "kill -9 $$"])
def test_a_former_one_that_fails_leaves_ours(here: Surroundings, command: object) -> None:
    """Ours is printed, and nothing else."""
    former(here, command)
    with FakeDaemon(here.socket, {"statusline": {"line": "ours"}}):
        result = run(here, stdin="{}")
    assert (0, b"ours\n", b"") == (result.returncode, result.stdout, result.stderr)


def test_a_former_one_ends_with_ours(here: Surroundings) -> None:
    """Claude Code ends a status line when there is something newer to show; nothing of it goes on."""
    former(here, "echo $$ > pid; sleep 60 & wait")
    process = subprocess.Popen(
        here.command("statusline"),
        env=here.environment,
        cwd=here.root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    with process:
        wait_until(lambda: (here.root / "pid").exists() and bool((here.root / "pid").read_text()))
        group = int((here.root / "pid").read_text())
        process.terminate()
        process.communicate(timeout=SECONDS)
    wait_until(lambda: not alive(group))


def alive(group: int) -> bool:
    """Whether anything of a process group still runs; what has ended and nobody took note of does not."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[2]) == group and fields[0] != "Z":
                return True
    return False


def test_two_that_run_each_other_come_to_an_end(here: Surroundings) -> None:
    """The former one may be quotactl itself, by another path."""
    former(here, f"{' '.join(here.command('statusline'))}")
    with FakeDaemon(here.socket, {"statusline": {"line": "ours"}}) as daemon:
        result = run(here, stdin="{}")
    assert (b"ours\nours\n", 2) == (result.stdout, len(daemon.asked))


# What it costs.


INSIDE = {"quotactl", "quotactl.__main__", "quotactl.quick", "quotad", "quotad.places"}
"""What each of them is made of; whatever else is imported is C, and loads in no time."""
HOOK = {"quotactl.hook", "quotactl.session_log", "quotactl.statusline"}


@pytest.mark.parametrize(
    ("arguments", "ours"),
    [
        (("statusline",), {"quotactl.statusline"}),
        (("hook", "PostToolUse"), HOOK),
        (("hook", "UserPromptSubmit"), HOOK),
    ],
    ids=" ".join,
)
def test_nothing_but_ours_is_imported(here: Surroundings, arguments: tuple[str, ...], ours: set[str]) -> None:
    """Each module in Python costs as much as a tenth of Python's start, or more."""
    replies = {"statusline": {"line": "ours"}, "hook": {"message": "told", "context": None}}
    with FakeDaemon(here.socket, replies):
        result, imported = imported_by(here, *arguments)
    assert (b"ours" in result or b"told" in result) or arguments == ("hook", "PostToolUse")
    assert INSIDE | ours == imported


def test_without_a_daemon_the_line_needs_one_more(here: Surroundings) -> None:
    """The one that draws it."""
    result, imported = imported_by(here, "statusline")
    assert b"61%" in result
    assert INSIDE | {"quotactl.statusline", "quotad.status_line"} == imported


def test_status_imports_what_its_words_need(here: Surroundings) -> None:
    """Of ours these, of Python's own nothing heavier than ``typing`` and ``datetime``."""
    with FakeDaemon(here.socket, {"status": status()}):
        result, imported = imported_by(here, "status")
    assert b"Claude Code quota" in result
    ours = {"glance", "render", "text", "width", "words"}
    assert INSIDE | {"quotad.wire"} | {f"quotactl.{name}" for name in ours} == {
        name for name in imported if name.partition(".")[0] in {"quotactl", "quotad"}
    }
    assert set() == imported & HEAVY


def imported_by(here: Surroundings, *arguments: str) -> tuple[bytes, set[str]]:
    """What it prints, and which modules written in Python it imports."""
    program = (
        "import os, sys\n"
        "before = set(sys.modules)\n"
        "def tell(code):\n"
        "    new = {name for name in set(sys.modules) - before\n"
        "           if (getattr(sys.modules[name], '__file__', None) or '').endswith('.py')}\n"
        "    sys.stderr.write(' '.join(new)); sys.stderr.flush(); end(code)\n"
        "end, os._exit = os._exit, tell\n"
        f"sys.argv = ['quotactl', *{arguments!r}]\n"
        "from quotactl.__main__ import main\n"
        "main()\n"
    )
    result = subprocess.run(
        [sys.executable, "-S", "-c", program],
        env=here.environment,
        input=said(five_hour=(61.5, soon())).encode(),
        capture_output=True,
        check=True,
    )
    return result.stdout, set(result.stderr.decode().split())


PATHS = st.sampled_from(
    ["", "/a", "/a/", "/a//b/./c", "/", "~/x", "relative", "/a/../b", "/.hidden", "/" + "x" * 95, "/ä/日"]
)
NAMES = (
    "HOME", "CLAUDE_CONFIG_DIR", "QUOTAD_STATE_DIR", "QUOTAD_CONFIG", "QUOTAD_SOCKET", "XDG_STATE_HOME",
    "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR",
)  # fmt: skip


@settings(max_examples=300)
@given(
    st.dictionaries(st.sampled_from(NAMES), PATHS).filter(lambda one: one.get("HOME") != "relative"),
    st.sampled_from(["linux", "darwin"]),
)
def test_it_knows_the_same_places_as_everybody_else(environment: Mapping[str, str], platform: str) -> None:
    """Text here and paths there say the same, and so do their refusals."""
    try:
        expected: object = tuple(map(str, wire.paths(environment, platform, 4_242_424)))
    except ValueError as fault:
        expected = str(fault)
    try:
        actual: object = default_places(environment, platform, 4_242_424)
    except ValueError as fault:
        actual = str(fault)
    assert expected == actual


@given(st.text())
def test_quick_json_is_json(text: str) -> None:
    """What is quoted here reads the same elsewhere, and the other way round."""
    assert text == json.loads(quick.quoted(text))
    assert [text] == quick.decoded(json.dumps([text]))


# The line itself.


def view(columns: int = 80, *, colour: bool = False) -> View:
    """Berlin's winter time."""
    return View(NOW, columns, colour=colour, ahead=lambda _: 3600)


FIVE = Window("five_hour", 61.5, NOW + 2 * HOUR + 10 * MINUTE, runs_out_at=NOW + HOUR)
WEEK = Window("seven_day", 23, NOW + 3 * DAY + 4 * HOUR)
OPUS = Window("seven_day_opus", 97, NOW + 3 * DAY, said_at=NOW - 25 * MINUTE)
DOCS = ("docs", NOW + 2 * HOUR + 11 * MINUTE)


def test_eighty_columns_have_room_for_everything() -> None:
    """Level, bar, percentage and reset of both windows, when it runs out, and what comes next."""
    assert (
        "moderate  5h ███░░░ 61% 2h10m · 7d █░░░░░ 23% 3d4h · out 12:00 · next docs 13:11"
        == status_line.render([FIVE, WEEK], view(), planned=DOCS)
    )


@pytest.mark.parametrize(
    ("windows", "planned", "line"),
    [
        ([Window("five_hour", 0, None)], None, "plenty  5h ░░░░░░░░░░ 0%"),
        ([Window("five_hour", 0.3, NOW + HOUR)], None, "plenty  5h █░░░░░░░░░ <1% resets in 1h"),
        ([Window("five_hour", 6.2, NOW + HOUR, mark="~")], None, "plenty  5h █░░░░░░░░░ ~6% resets in 1h"),
        ([Window("five_hour", 99.9, NOW + 59_000)], None, "critical  5h █████████░ 99% resets in 59s"),
        (
            [Window("five_hour", 105, NOW + HOUR)],
            ("docs", NOW + HOUR + MINUTE),
            "critical  5h ██████████ 105% resets in 1h · used up until 12:00 · next docs 12:01",
        ),
        ([Window("five_hour", 0, None)], ("docs", NOW), "plenty  5h ░░░░░░░░░░ 0% · due docs"),
        ([Window("five_hour", 0, None)], ("a", NOW + DAY), "plenty  5h ░░░░░░░░░░ 0% · next a Mon 11:00"),
        ([Window("five_hour", 0, None)], ("a", NOW + 8 * DAY), "plenty  5h ░░░░░░░░░░ 0% · next a in 8d"),
        (
            [FIVE, WEEK, OPUS],
            None,
            "critical  5h ███░░░ 61% 2h10m · 7d opus █████░ 97% 3d (25m old) · out 12:00",
        ),
    ],
    ids=["idle", "a-little", "counted", "nearly-full", "used-up", "due", "tomorrow", "far", "stale-opus"],
)
def test_what_is_shown(windows: list[Window], planned: tuple[str, int] | None, line: str) -> None:
    """At the width that it needs."""
    assert line == status_line.render(windows, view(len(line)), planned=planned)


@given(
    st.lists(
        st.builds(
            Window,
            st.sampled_from(["five_hour", "seven_day", "seven_day_opus", "my own\x1b[31mone", "x" * 50]),
            st.floats(0, 200),
            st.none() | st.integers(NOW - DAY, NOW + 9 * DAY),
            mark=st.sampled_from(["", "~", "≥"]),
            said_at=st.none() | st.integers(NOW - DAY, NOW),
            runs_out_at=st.none() | st.integers(NOW, NOW + DAY),
        ),
        max_size=5,
    ),
    st.integers(-5, 300),
    st.none() | st.tuples(st.text("abc-", min_size=1, max_size=64), st.integers(NOW - DAY, NOW + 30 * DAY)),
    st.text("ab ", max_size=60),
)
def test_no_line_is_longer_than_its_terminal(
    windows: list[Window], columns: int, planned: tuple[str, int] | None, note: str
) -> None:
    """Nor does a window's name reach the terminal's command language; colours take no room."""
    plain = status_line.render(windows, view(columns), planned=planned, note=note)
    painted = status_line.render(windows, view(columns, colour=True), planned=planned, note=note)
    assert len(plain) <= max(8, columns)
    assert plain.isprintable()
    for code in ("32", "33", "31", "1;31", "2"):
        painted = painted.replace(f"\x1b[{code}m", "")
    assert plain == painted.replace("\x1b[0m", "")


@pytest.mark.parametrize("percent", [0.0, 49.9, 50.0, 74.9, 75.0, 89.9, 90.0, 94.9, 95.0, 140.0])
def test_levels_are_the_domain_s(percent: float) -> None:
    """The client may not import them, so they stand twice, and are the same."""
    assert level_of(percent).value == status_line.level_of(percent)


def test_what_makes_sense_is_the_domain_s() -> None:
    """So do these: how much a percentage may be, and how far ahead a reset."""
    assert reading.PERCENT_MOST == status_line.PERCENT_MOST
    windows = {name: reading.window_length(name) + reading.RESET_JITTER for name, _ in status_line.AHEAD_MOST}
    assert windows == dict(status_line.AHEAD_MOST)


def test_a_little_over_all_is_shown_as_it_is_said(here: Surroundings) -> None:
    """With and without a daemon: 105 has been seen."""
    result = run(here, stdin=said(five_hour=(105, soon())), NO_COLOR="1")
    assert "105%" in result.stdout.decode()


def test_help_is_for_people(here: Surroundings) -> None:
    """Asked for by name, it is there."""
    result = run(here, "statusline", "--help")
    assert 0 == result.returncode
    assert b"status line" in result.stdout
