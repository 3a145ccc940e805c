"""Hooks as Claude Code runs them: noted in one write, mostly silent, never in the way."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from quotactl import session_log
from quotad import wire
from quotad.domain.cursor import Batch
from quotad.domain.session import LogEvent, LogKind
from quotad.domain.usage import AccountId
from quotad.sources.session_log import SessionLogDecoder
from tests.quotactl.claude_code import SESSION, hook
from tests.quotactl.conftest import Surroundings
from tests.quotactl.fake_daemon import Error, FakeDaemon, Raw, Silence
from tests.quotactl.terminal import wait_until

TOLD = {"message": "Quota: 91%", "context": "The account has used 91%."}


def run(
    here: Surroundings, *arguments: str, stdin: str | bytes = "", **environment: str
) -> subprocess.CompletedProcess[bytes]:
    """``quotactl hook`` as a process that is given ``stdin``."""
    return subprocess.run(
        here.command("hook", *arguments),
        input=stdin.encode(errors="surrogatepass") if isinstance(stdin, str) else stdin,
        env=here.environment | environment,
        cwd=here.root,
        capture_output=True,
        check=False,
        timeout=30,
    )


def state(here: Surroundings) -> Path:
    """The state directory, which may not be there yet."""
    return Path(here.environment["QUOTAD_STATE_DIR"])


def lines(here: Surroundings) -> list[dict[str, str]]:
    """What stands in the session log, without the time, which is checked to be now."""
    found = []
    for line in (state(here) / "sessions.jsonl").read_text().splitlines():
        members = json.loads(line)
        at = wire.instant(members.pop("timestamp"))
        assert abs(at - time.time_ns() // 1_000_000) < 20_000
        found.append(members)
    return found


def decoded(path: Path) -> Iterator[LogEvent]:
    """What the daemon reads there; nothing may be foreign or malformed."""
    decoder, batch = SessionLogDecoder(), Batch(AccountId("a"))
    counts = decoder.decode(path.read_bytes(), batch)
    assert (0, 0) == (counts.malformed, decoder.foreign)
    return iter(batch.logs)


# What is noted.


def test_a_session_is_noted_from_start_to_end(here: Surroundings) -> None:
    """In the shape that the session log has always had."""
    run(
        here,
        "SessionStart",
        stdin=hook("SessionStart", source="startup", agent_type="docs", model="claude-opus-5"),
    )
    run(
        here,
        "PostToolUse",
        stdin=hook("PostToolUse", tool_name="Read", tool_response={}, tool_use_id="toolu_1"),
    )
    run(here, "SessionEnd", stdin=hook("SessionEnd", reason="prompt_input_exit"))
    assert [
        {
            "type": "session_start",
            "session_id": SESSION,
            "cwd": "/home/ana/src",
            "agent": "docs",
            "source": "startup",
        },
        {"type": "tool_result", "session_id": SESSION, "tool": "Read", "tool_use_id": "toolu_1"},
        {"type": "session_end", "session_id": SESSION, "reason": "prompt_input_exit"},
    ] == lines(here)
    events = list(decoded(state(here) / "sessions.jsonl"))
    assert [LogKind.START, LogKind.TOOL_RESULT, LogKind.END] == [event.kind for event in events]
    assert ("/home/ana/src", "docs") == (events[0].cwd, events[0].agent)
    assert "tool:toolu_1|tool_result" == events[1].key


def test_the_event_s_name_may_come_with_the_json(here: Surroundings) -> None:
    """Without an argument it does."""
    result = run(here, stdin=hook("SessionEnd", reason="other"))
    assert (0, b"", b"") == (result.returncode, result.stdout, result.stderr)
    assert ["session_end"] == [line["type"] for line in lines(here)]


def test_odd_signs_are_noted_as_they_are(here: Surroundings) -> None:
    """A directory may bear any; half a character becomes a replacement, and the line stays JSON."""
    run(
        here,
        "SessionStart",
        stdin=hook("SessionStart", source="resume").replace("/home/ana/src", '/日本/\\"\\n\\ud800'),
    )
    assert '/日本/"\n\ud800' == lines(here)[0]["cwd"]
    assert 1 == len(list(decoded(state(here) / "sessions.jsonl")))


@pytest.mark.parametrize(
    ("event", "more"),
    [
        ("Stop", {}),
        ("UserPromptSubmit", {"prompt": "x"}),
        ("StopFailure", {"error": "rate_limit"}),
        ("PreCompact", {}),
    ],
)
def test_other_events_are_not_noted(here: Surroundings, event: str, more: dict[str, str]) -> None:
    """They cost nothing and tell nothing that the transcript does not."""
    result = run(here, event, stdin=hook(event, **more))
    assert (0, b"", b"") == (result.returncode, result.stdout, result.stderr)
    assert not state(here).exists()


def test_the_state_directory_is_made_for_its_owner_alone(here: Surroundings) -> None:
    """And so is the log."""
    run(here, "SessionStart", stdin=hook("SessionStart"))
    assert 0o700 == state(here).stat().st_mode & 0o777
    assert 0o600 == (state(here) / "sessions.jsonl").stat().st_mode & 0o777


@pytest.mark.parametrize(
    "arrangement", ["writable-by-others", "a-file", "a-link-for-a-log", "a-directory-for-a-log"]
)
def test_a_place_that_is_not_ours_alone_is_left_alone(here: Surroundings, arrangement: str) -> None:
    """Nothing is written where somebody else could have laid a trap; nothing is said of it either."""
    log = state(here) / "sessions.jsonl"
    match arrangement:
        case "writable-by-others":
            state(here).mkdir()
            state(here).chmod(0o777)
        case "a-file":
            state(here).write_text("")
        case "a-link-for-a-log":
            state(here).mkdir(0o700)
            log.symlink_to(here.root / "elsewhere")
        case _:
            log.mkdir(parents=True)
    result = run(here, "SessionStart", stdin=hook("SessionStart"))
    assert (0, b"", b"") == (result.returncode, result.stdout, result.stderr)
    assert not log.is_file()
    assert not (here.root / "elsewhere").exists()


def test_a_large_answer_of_a_tool_is_no_trouble(here: Surroundings) -> None:
    """The id stands behind it; what else it says is not kept."""
    text = hook(
        "PostToolUse", tool_name="Bash", tool_response={"stdout": "x" * 5_000_000}, tool_use_id="toolu_2"
    )
    run(here, "PostToolUse", stdin=text)
    assert [
        {"type": "tool_result", "session_id": SESSION, "tool": "Bash", "tool_use_id": "toolu_2"}
    ] == lines(here)


# Many at once, and rotation.


def test_many_hooks_at_once_write_whole_lines(here: Surroundings) -> None:
    """Each is one write at the end of the file."""
    with ThreadPoolExecutor(8) as hooks:
        for number in range(40):
            text = hook("PostToolUse", tool_name="Bash", tool_use_id=f"toolu_{number}")
            hooks.submit(run, here, "PostToolUse", stdin=text)
    assert {f"tool:toolu_{number}|tool_result" for number in range(40)} == {
        event.key for event in decoded(state(here) / "sessions.jsonl")
    }


def fill(here: Surroundings, size: int) -> None:
    """A log of that size, of lines as hooks write them."""
    state(here).mkdir(mode=0o700)
    line = json.dumps(
        {"type": "tool_result", "timestamp": wire.iso(0), "session_id": "old", "tool_use_id": "t"}
    )
    whole, rest = divmod(size, len(line) + 1)
    with (state(here) / "sessions.jsonl").open("w") as file:
        file.write((line + "\n") * whole + "\n" * rest)
    assert size == (state(here) / "sessions.jsonl").stat().st_size


@pytest.mark.parametrize(("below", "rotated"), [(1, False), (0, True)])
def test_the_log_is_rotated_at_its_limit(here: Surroundings, *, below: int, rotated: bool) -> None:
    """16 MB: what is there gets a new name, and the line is the first of a new file."""
    fill(here, session_log.SIZE_BYTES_MAX - below)
    run(here, "SessionEnd", stdin=hook("SessionEnd"))
    assert rotated == (state(here) / "sessions.jsonl.1").exists()
    assert rotated == ((state(here) / "sessions.jsonl").stat().st_size < 1_000)


def test_many_hooks_rotate_once_and_lose_nothing(here: Surroundings) -> None:
    """Whoever held the old file while another renamed it has written into the renamed one."""
    fill(here, session_log.SIZE_BYTES_MAX)
    with ThreadPoolExecutor(8) as hooks:
        for number in range(40):
            text = hook("PostToolUse", tool_name="Bash", tool_use_id=f"toolu_{number}")
            hooks.submit(run, here, "PostToolUse", stdin=text)
    old, new = state(here) / "sessions.jsonl.1", state(here) / "sessions.jsonl"
    assert old.stat().st_size >= session_log.SIZE_BYTES_MAX
    keys = {event.key for path in (old, new) for event in decoded(path)}
    assert keys == {"tool:t|tool_result", *(f"tool:toolu_{number}|tool_result" for number in range(40))}


def test_a_race_for_rotation_is_won_once(tmp_path: Path) -> None:
    """Without a process between them: threads that all find the log too large."""
    directory = tmp_path / "state"
    directory.mkdir(0o700)
    (directory / "sessions.jsonl").write_bytes(b"\n" * session_log.SIZE_BYTES_MAX)
    with ThreadPoolExecutor(16) as hooks:
        for number in range(400):
            hooks.submit(session_log.append, str(directory), f"line-{number}", os.getuid())
    text = (directory / "sessions.jsonl.1").read_text() + (directory / "sessions.jsonl").read_text()
    assert session_log.SIZE_BYTES_MAX <= (directory / "sessions.jsonl.1").stat().st_size
    assert sorted(f"line-{number}" for number in range(400)) == sorted(text.split())


def test_whoever_waited_for_a_rotation_does_not_rotate_again(tmp_path: Path) -> None:
    """It found the log too large, and meanwhile another one has renamed it and begun a new one."""
    directory, log = tmp_path / "state", tmp_path / "state" / "sessions.jsonl"
    directory.mkdir(0o700)
    log.write_bytes(b"\n" * session_log.SIZE_BYTES_MAX)
    lock, old = log.with_name("sessions.jsonl.lock"), log.with_name("sessions.jsonl.1")
    lock.touch()
    with ThreadPoolExecutor(1) as hooks, lock.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        hooks.submit(session_log.append, str(directory), "late", os.getuid())
        waiting = f":{lock.stat().st_ino} "
        wait_until(
            lambda: any(
                waiting in line and "->" in line for line in Path("/proc/locks").read_text().splitlines()
            )
        )
        log.rename(old)
        log.write_text("early\n")
        fcntl.flock(held, fcntl.LOCK_UN)
    assert (session_log.SIZE_BYTES_MAX, "early\nlate\n") == (old.stat().st_size, log.read_text())


# What is said.


@pytest.mark.parametrize("event", ["SessionStart", "UserPromptSubmit"])
def test_what_the_daemon_has_to_say_is_said(here: Surroundings, event: str) -> None:
    """In the JSON that Claude Code takes in: to the user, and as context."""
    with FakeDaemon(here.socket, {"hook": TOLD}):
        result = run(here, event, stdin=hook(event, prompt="secret"))
    assert (0, b"") == (result.returncode, result.stderr)
    assert {
        "systemMessage": "Quota: 91%",
        "hookSpecificOutput": {"hookEventName": event, "additionalContext": "The account has used 91%."},
    } == json.loads(result.stdout)


def test_the_daemon_is_told_no_prompt(here: Surroundings) -> None:
    """What the user writes is none of its business; nor is what they were answered, but for a limit."""
    with FakeDaemon(here.socket, {"hook": TOLD}) as daemon:
        run(here, "UserPromptSubmit", stdin=hook("UserPromptSubmit", prompt="secret", prompt_id="p"))
    ((method, params),) = daemon.asked
    text = json.dumps({"session_id": SESSION, "cwd": "/home/ana/src"}, separators=(",", ":"))
    root = here.environment["CLAUDE_CONFIG_DIR"]
    assert ("hook", {"event": "UserPromptSubmit", "text": text, "root": root}) == (method, params)


def test_a_limit_that_was_hit_is_told_on(here: Surroundings) -> None:
    """Claude Code takes no answer to it, and gets none."""
    words = "You've hit your session limit · resets 3pm (Europe/Lisbon)"
    with FakeDaemon(here.socket, {"hook": TOLD}) as daemon:
        result = run(
            here, "StopFailure", stdin=hook("StopFailure", error="rate_limit", last_assistant_message=words)
        )
    assert (0, b"", b"") == (result.returncode, result.stdout, result.stderr)
    text = json.loads(json.loads(json.dumps(daemon.asked[0][1]))["text"])
    assert ("rate_limit", words) == (text["error"], text["last_assistant_message"])


def test_at_the_end_of_a_turn_only_the_user_is_told(here: Surroundings) -> None:
    """Context would make Claude go on; and what it answered is none of the daemon's business."""
    with FakeDaemon(here.socket, {"hook": TOLD}) as daemon:
        result = run(here, "Stop", stdin=hook("Stop", last_assistant_message="secret"))
    assert (0, b'{"systemMessage":"Quota: 91%"}\n', b"") == (result.returncode, result.stdout, result.stderr)
    assert "secret" not in json.dumps(daemon.asked)


@pytest.mark.parametrize("event", ["PostToolUse", "SessionEnd", "PreCompact", "Nonsense"])
def test_other_events_ask_nobody(here: Surroundings, event: str) -> None:
    """Not once for every tool."""
    with FakeDaemon(here.socket, {"hook": TOLD}) as daemon:
        result = run(here, event, stdin=hook(event, tool_name="Read"))
    assert (0, b"", b"", []) == (result.returncode, result.stdout, result.stderr, daemon.asked)


@pytest.mark.parametrize(
    "reply",
    [
        {"message": None, "context": None},
        {"message": 5, "context": []},
        Silence(),
        Raw(),
        Raw(b"\xff\n"),
        Raw(b"[]\n"),
        Error(code=-32601, message="no method hook"),
    ],
    ids=["nothing", "no-text", "silent", "hangs-up", "garbage", "a-list", "too-old"],
)
def test_with_nothing_to_say_nothing_is_said(here: Surroundings, reply: object) -> None:
    """A daemon that does not answer has nothing to say; the event is noted all the same."""
    with FakeDaemon(here.socket, {"hook": reply}):
        result = run(here, "SessionStart", stdin=hook("SessionStart"))
    assert (0, b"", b"") == (result.returncode, result.stdout, result.stderr)
    assert ["session_start"] == [line["type"] for line in lines(here)]


# Never in the way.


@pytest.mark.parametrize(
    "arguments", [(), ("",), ("Nonsense",), ("--bogus",), ("SessionStart", "too", "many"), ("--exit-zero",)]
)
def test_wrong_usage_is_silent_too(here: Surroundings, arguments: tuple[str, ...]) -> None:
    """An exit code of 2 would block the user's prompt, and any other is shown as an error."""
    result = run(here, *arguments)
    assert (0, b"", b"") == (result.returncode, result.stdout, result.stderr)


@pytest.mark.parametrize("arguments", [("--exit-zero", "hook"), ("hook", "--exit-zero")])
def test_exit_zero_may_stand_before_and_after(here: Surroundings, arguments: tuple[str, ...]) -> None:
    """As with every command; it takes no event's place, and even a wrong environment is silent."""
    for environment in ({}, {"QUOTAD_SOCKET": "rel/ative"}):
        result = subprocess.run(
            here.command(*arguments, "SessionEnd"),
            input=hook("SessionEnd").encode(),
            env=here.environment | environment,
            capture_output=True,
            check=False,
            timeout=30,
        )
        assert (0, b"", b"") == (result.returncode, result.stdout, result.stderr)
    assert ["session_end"] == [line["type"] for line in lines(here)]


@pytest.mark.parametrize(
    "stdin", ["", "null", "[]", "{", "[" * 100_000, '{"session_id":5}', '{"session_id":"\\ud800"}']
)
def test_bad_input_is_silent_too(here: Surroundings, stdin: str) -> None:
    """It is Claude Code's, and nobody who uses it could do anything about it."""
    result = run(here, "SessionStart", stdin=stdin)
    assert (0, b"", b"") == (result.returncode, result.stdout, result.stderr)


@pytest.mark.parametrize("event", ["SessionStart", "PostToolUse", "StopFailure"])
@pytest.mark.parametrize("closing", ["<&-", ">&-", "<&- >&- 2>&-", ">/dev/full"])
def test_closed_streams_are_no_error(here: Surroundings, event: str, closing: str) -> None:
    """Nobody reads, or nobody writes."""
    command = f"{' '.join(here.command('hook', event))} {closing}"
    with FakeDaemon(here.socket, {"hook": TOLD}):
        result = subprocess.run(
            ["/bin/sh", "-c", command],
            input=hook(event).encode(),
            env=here.environment,
            capture_output=True,
            check=False,
        )
    assert (0, b"") == (result.returncode, result.stderr)


def test_a_wrong_environment_is_silent(here: Surroundings) -> None:
    """`quotactl status` says what is wrong with it."""
    result = run(here, "SessionStart", stdin=hook("SessionStart"), QUOTAD_STATE_DIR="rel/ative")
    assert (0, b"", b"") == (result.returncode, result.stdout, result.stderr)


def test_a_stdin_that_nobody_closes_is_not_waited_for(here: Surroundings) -> None:
    """What came is taken."""
    read, write = os.pipe()
    with os.fdopen(write, "wb", buffering=0) as held:
        held.write(hook("SessionEnd").encode())
        with os.fdopen(read, "rb") as stdin:
            result = subprocess.run(
                here.command("hook", "SessionEnd"),
                env=here.environment,
                stdin=stdin,
                capture_output=True,
                check=False,
                timeout=20,
            )
    assert (0, b"", b"") == (result.returncode, result.stdout, result.stderr)
    assert ["session_end"] == [line["type"] for line in lines(here)]
