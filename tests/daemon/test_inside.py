"""What Claude Code is told from inside: by the methods themselves, and by the real daemon."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import cast

import pytest

from quotad import wire
from quotad.clock import Clock
from quotad.daemon import remarks
from quotad.daemon.inside import Inside
from quotad.domain.inputs import QueueSeen, Seen
from quotad.domain.instant import HOUR, MINUTE, SECOND, Instant
from quotad.domain.policy import Policy
from quotad.domain.queue import Planned, PlannedId, Queue, Status
from quotad.domain.reading import Reading, ReadingSource
from quotad.domain.step import step
from quotad.domain.usage import AccountId, UsageEvent
from quotad.engine import Engine
from quotad.intake.hearsay import Hearsay
from quotad.intake.intake import Intake
from quotad.planning.agenda import Agenda
from tests.daemon.process import QUOTACTL, Place
from tests.daemon.work import spend
from tests.domain.build import ANA, T0, call, started
from tests.quotactl import claude_code
from tests.quotactl.conftest import CHECKOUT

RESETS = T0 + 2 * HOUR


class SetClock:
    """Shows what the test sets."""

    def __init__(self) -> None:
        self.at = T0

    def now(self) -> Instant:
        return self.at


class Ears:
    """Where the intake would be: hands on what is news, and counts how often it looked."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._hearsay = Hearsay()
        self.looks = 0
        self.on_disk: list[UsageEvent] = []
        """What the next look finds."""
        self.heard_of: list[tuple[AccountId, Reading]] = []

    async def refresh(self) -> None:
        self.looks += 1
        self._engine.submit(Seen(ANA, tuple(self.on_disk), (), ()))
        self.on_disk.clear()

    def heard(self, account: AccountId, readings: Iterable[Reading]) -> None:
        told = self._hearsay.news(readings, self._engine.state.accounts[account].ledger.last_use)
        self.heard_of += [(account, one) for one in told]
        self._engine.submit(Seen(account, (), (), tuple(told)))


class QueueOnDisk:
    """Where the agenda would be: takes in what somebody wrote by hand."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.changing = asyncio.Lock()
        self.written: Queue | None = None

    async def look(self) -> None:
        async with self.changing:
            if self.written is not None:
                self._engine.submit(QueueSeen(self.written, ()))


class Scene:
    """One account, nothing spent, 200k tokens in five hours; the time is T0."""

    def __init__(self, environment: dict[str, str] | None = None) -> None:
        self.clock = SetClock()
        clock = cast("Clock", self.clock)
        self.engine = Engine(started(Policy(), T0), clock, lambda _: None)
        self.ears = Ears(self.engine)
        self.on_disk = QueueOnDisk(self.engine)
        self.inside = Inside(
            self.engine,
            lambda: cast("Intake", self.ears),
            cast("Agenda", self.on_disk),
            clock,
            environment or {"HOME": "/home/ana"},
            lambda _: 3600,
        )

    async def line(self, text: str = "{}", *, columns: int = 80, root: str | None = None) -> str:
        reply = await self._call("statusline", {"text": text, "columns": columns, "root": root})
        return str(reply["line"])

    async def hook(
        self, event: str, *, session: str = "s", root: str | None = None, **more: str
    ) -> wire.HookReply:
        text = json.dumps({"session_id": session, **more})
        return cast("wire.HookReply", await self._call("hook", {"event": event, "text": text, "root": root}))

    async def limit_hit(self, resets: str | None = None, root: str | None = None) -> None:
        await self._call("limit-hit", {"resets": resets, "root": root})

    async def undo(self) -> dict[str, object]:
        return await self._call("limit-hit", {"undo": True})

    def spend(self, tokens: int) -> None:
        self.engine.submit(
            Seen(ANA, (call(f"m{tokens}-{self.clock.at}", self.clock.at, output=tokens),), (), ())
        )

    def plan(self, *planned: Planned) -> None:
        self.engine.submit(QueueSeen(Queue(planned), ()))

    async def _call(self, method: str, params: dict[str, object]) -> dict[str, object]:
        answer = cast("Callable[[bytes], Awaitable[object]]", self.inside.methods()[method].call)
        return cast("dict[str, object]", await answer(json.dumps(params).encode()))


def said(percent: float, resets: Instant = RESETS) -> str:
    """A status line that speaks of the five hours alone."""
    return claude_code.status_line(five_hour=(percent, resets // SECOND))


def booked(name: str, at: Instant, tokens: int = 20_000) -> Planned:
    """A planned session that has its time."""
    return Planned(PlannedId(name), tokens, status=Status.SCHEDULED, scheduled_for=at)


# The status line.


async def test_what_a_status_line_says_is_in_its_own_answer() -> None:
    """Handed in first, looked for next, answered last."""
    scene = Scene()
    assert "moderate  5h ██████░░░░ 61% resets in 2h" == await scene.line(said(61.5))
    ((account, reading),) = scene.ears.heard_of
    assert (ANA, 61.5, RESETS, ReadingSource.STATUS_LINE) == (
        account, reading.percent, reading.resets_at, reading.source,
    )  # fmt: skip
    assert 1 == scene.ears.looks


async def test_a_queue_that_was_changed_by_hand_is_in_the_answer() -> None:
    """A line is not older than its question; but for a change that is on its way it does not wait."""
    scene = Scene()
    scene.on_disk.written = Queue((booked("docs", T0 + 2 * HOUR),))
    async with scene.on_disk.changing:
        assert "next docs" not in await scene.line()
    assert "next docs 12:00" in await scene.line()


async def test_a_due_session_that_was_written_by_hand_is_told() -> None:
    """Hooks look, too."""
    scene = Scene()
    scene.on_disk.written = Queue((booked("docs", T0),))
    assert "docs" in str((await scene.hook("UserPromptSubmit"))["message"])


async def test_a_repeated_percentage_is_confirmed_by_the_call_that_is_read_with_it() -> None:
    """Calls are on disk before the status line comes, and are read after it was heard."""
    scene = Scene()
    await scene.line(said(61.5))
    scene.clock.at += 10 * MINUTE
    scene.ears.on_disk.append(call("m", scene.clock.at, output=1, session=claude_code.SESSION))
    assert "moderate  5h ██████░░░░ 61% resets in 1h50m" == await scene.line(said(61.5))


async def test_without_a_reading_it_shows_what_is_counted() -> None:
    """Marked as that: the limit is a label."""
    scene = Scene()
    scene.spend(50_000)
    assert "plenty  5h ██░░░░░░░░ ~25% resets in 5h · runs out 10:30" == await scene.line()


async def test_an_old_reading_is_shown_with_its_age() -> None:
    """From ten minutes on."""
    scene = Scene()
    await scene.line(said(61.5))
    scene.clock.at += 10 * MINUTE
    assert "moderate  5h ██████░░░░ 61% resets in 1h50m (10m old)" == await scene.line()


async def test_the_nearest_booked_session_is_shown() -> None:
    """And no other."""
    scene = Scene()
    scene.plan(booked("later", T0 + 5 * HOUR), booked("docs", T0 + 2 * HOUR), Planned(PlannedId("ready"), 5))
    assert "plenty  5h ░░░░░░░░░░ 0% · next docs 12:00" == await scene.line()


@pytest.mark.parametrize(
    ("root", "known"),
    [
        (None, True),
        ("", True),
        ("/home/ana/.claude", True),
        ("/home/ana/.claude/", True),
        ("/home/ana/.config/claude", True),
        ("/home/bob/.claude", False),
    ],
)
def test_an_account_is_known_by_its_directory(root: str | None, *, known: bool) -> None:
    """Written with a slash or without; no directory is the usual one."""
    assert (ANA if known else None) == Scene().inside.account_of(root)


def test_a_linked_directory_is_the_same_account(tmp_path: Path) -> None:
    """Dotfiles are often links."""
    (tmp_path / "link").symlink_to(tmp_path / "real")
    scene = Scene()
    step(scene.engine.state, Seen(ANA, (), (), ()), T0)
    scene.engine.state.accounts = {AccountId(str(tmp_path / "real")): scene.engine.state.accounts[ANA]}
    assert str(tmp_path / "real") == scene.inside.account_of(str(tmp_path / "link"))


async def test_another_account_s_reading_is_nobody_s() -> None:
    """Its own words are shown to it, and it is said why no more is."""
    scene = Scene()
    line = await scene.line(said(97), root="/home/bob/.claude")
    assert "critical  5h █████████░ 97% resets in 2h · quotad does not follow this account" == line
    assert [] == scene.ears.heard_of


async def test_what_is_not_believed_is_kept_for_the_doctor() -> None:
    """With the value at fault; the next good line clears it."""
    scene = Scene()
    await scene.line(said(1_793_624_400))
    assert ("five_hour.percentage: must lie between 0 and 110, is 1793624400",) == scene.inside.refused
    await scene.line("")
    assert scene.inside.refused, "who says nothing takes nothing back"
    await scene.line(said(61.5))
    assert not scene.inside.refused
    await scene.line(said(61.5, T0))
    assert not scene.inside.refused, "idle terminals repeat what is over: nothing is wrong"


# Hooks.


async def test_a_session_starts_with_what_is_left() -> None:
    """To the user with advice, to Claude as a plain fact."""
    scene = Scene()
    await scene.line(said(61.5))
    reply = await scene.hook("SessionStart", source="startup")
    assert (
        "Quota: 61% of the 5-hour window used, about 77k tokens left, resets 12:00 (in 2h). "
        "Take medium tasks, 30-60k tokens." == reply["message"]
    )
    assert (
        "The account has used 61% of its 5-hour allowance, about 77k tokens left; it resets at 12:00."
        == reply["context"]
    )


async def test_while_no_window_runs_a_session_starts_in_silence() -> None:
    """There is nothing to say; the same goes for a session of a foreign account, and one without a name."""
    scene = Scene()
    nothing = {"message": None, "context": None}
    assert nothing == await scene.hook("SessionStart", source="startup")
    scene.spend(100_000)
    assert nothing == await scene.hook("SessionStart", source="startup", root="/home/bob/.claude")
    assert nothing == await scene.hook("SessionStart", source="startup", session="")


async def test_a_threshold_is_told_at_the_next_prompt_and_once() -> None:
    """Crossed since the last prompt of that session; each session hears of it for itself."""
    scene = Scene()
    scene.spend(80_000)
    for session in ("one", "two"):
        await scene.hook("SessionStart", session=session, source="startup")
    assert (await scene.hook("UserPromptSubmit", session="one"))["message"] is None
    scene.spend(72_000)
    told = [
        (await scene.hook("UserPromptSubmit", session=session))["message"]
        for session in ("one", "two", "one")
    ]
    assert told[0] is not None
    assert told[0].startswith("Quota: 76% of the 5-hour window used")
    assert told == [told[0], told[0], None]


async def test_a_threshold_is_shown_when_its_turn_ends_and_told_to_claude_with_the_next_prompt() -> None:
    """Each of the two once: context at the end of a turn would make Claude go on."""
    scene = Scene()
    scene.spend(80_000)
    await scene.hook("SessionStart", source="startup")
    assert {"message": None, "context": None} == await scene.hook("Stop")
    scene.spend(72_000)
    shown = await scene.hook("Stop")
    assert str(shown["message"]).startswith("Quota: 76% of the 5-hour window used")
    assert shown["context"] is None
    assert {"message": None, "context": None} == await scene.hook("Stop")
    told = await scene.hook("UserPromptSubmit")
    assert told["message"] is None
    assert str(told["context"]).startswith("The account has used 76% of its 5-hour allowance")
    assert {"message": None, "context": None} == await scene.hook("UserPromptSubmit")


async def test_at_the_end_of_a_turn_nothing_old_is_shown() -> None:
    """After a restart of the daemon nobody knows what the session was told."""
    scene = Scene()
    scene.spend(110_000)
    for event in ("Stop", "Stop", "UserPromptSubmit"):
        assert {"message": None, "context": None} == await scene.hook(event)


async def test_a_new_window_begins_anew() -> None:
    """What was crossed in the last one says nothing about this one."""
    scene = Scene()
    await scene.line(said(80))
    await scene.hook("SessionStart", source="startup")
    scene.clock.at = RESETS + MINUTE
    assert (await scene.hook("UserPromptSubmit"))["message"] is None
    await scene.line(said(55, RESETS + 5 * HOUR))
    told = (await scene.hook("UserPromptSubmit"))["message"]
    assert told is not None
    assert told.startswith("Quota: 55%")


async def test_a_session_that_was_never_heard_of_learns_nothing_old() -> None:
    """After a restart of the daemon nobody knows what it was told; from then on it is known."""
    scene = Scene()
    scene.spend(110_000)
    assert (await scene.hook("UserPromptSubmit"))["message"] is None
    scene.spend(50_000)
    assert (await scene.hook("UserPromptSubmit"))["message"] is not None


async def test_compacting_is_no_start() -> None:
    """The user has seen it all."""
    scene = Scene()
    scene.spend(110_000)
    await scene.hook("SessionStart", source="startup")
    assert (await scene.hook("SessionStart", source="compact"))["message"] is None


async def test_a_due_session_is_told_once_to_each() -> None:
    """With the command that starts it; again only if it was booked anew."""
    scene = Scene()
    scene.plan(booked("docs", T0 - MINUTE, 22_000))
    reply = await scene.hook("UserPromptSubmit")
    assert "Planned session docs (22k tokens) is due: quotactl start docs" == reply["message"]
    assert (await scene.hook("UserPromptSubmit"))["message"] is None
    assert (await scene.hook("UserPromptSubmit", session="other"))["message"] is not None
    scene.plan(booked("docs", T0, 22_000))
    assert (await scene.hook("UserPromptSubmit"))["message"] is not None


async def test_a_due_session_without_quota_is_not_told() -> None:
    """It will be moved, not started."""
    scene = Scene()
    scene.spend(190_000)
    scene.plan(booked("docs", T0, 22_000))
    assert (await scene.hook("UserPromptSubmit"))["message"] is None


async def test_of_so_many_sessions_the_oldest_are_forgotten() -> None:
    """What is remembered has an end."""
    scene = Scene()
    scene.spend(110_000)
    for number in range(remarks.SESSIONS_MAX + 1):
        await scene.hook("SessionStart", session=f"s{number}", source="startup")
    scene.spend(50_000)
    assert (await scene.hook("UserPromptSubmit", session="s0"))["message"] is None
    assert (await scene.hook("UserPromptSubmit", session=f"s{remarks.SESSIONS_MAX}"))["message"] is not None


@pytest.mark.parametrize(
    ("told", "readings"),
    [
        ({"error": "rate_limit"}, 1),
        ({"error_type": "rate_limit"}, 1),
        ({}, 1),
        ({"error": "server_error"}, 0),
        ({"error": "rate_limit", "last_assistant_message": "API Error: Request rejected (429)"}, 0),
        ({"error": "rate_limit", "last_assistant_message": ""}, 0),
    ],
)
async def test_a_limit_that_was_hit_is_a_reading(told: dict[str, str], readings: int) -> None:
    """If the sentence says which one, and when it resets."""
    scene = Scene()
    words = {"last_assistant_message": "You've hit your session limit · resets 12pm (UTC)"}
    reply = await scene.hook("StopFailure", **{**words, **told})
    assert {"message": None, "context": None} == reply
    assert readings == len(scene.ears.heard_of)
    await (other := Scene()).hook("StopFailure", session="", **{**words, **told})
    assert readings == len(other.ears.heard_of), "whose session it was does not matter"


@pytest.mark.parametrize("text", ["", "null", "[]", "{", "[" * 100_000])
async def test_a_hook_s_text_may_be_anything(text: str) -> None:
    """Nothing is said of it."""
    call_hook = Scene().inside.methods()["hook"].call
    for event in ("SessionStart", "UserPromptSubmit", "StopFailure", "Nonsense"):
        reply = await call_hook(json.dumps({"event": event, "text": text}).encode())
        assert {"message": None, "context": None} == reply


# By hand.


async def test_a_limit_by_hand_ends_with_the_running_window() -> None:
    """Unless the time is given."""
    scene = Scene()
    scene.spend(1_000)
    await scene.limit_hit()
    ((account, reading),) = scene.ears.heard_of
    assert (ANA, "five_hour", 100.0, T0 + 5 * HOUR, ReadingSource.BY_HAND) == (
        account, reading.window, reading.percent, reading.resets_at, reading.source,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("resets", "window"), [(T0 + 2 * HOUR, "five_hour"), (T0 + 50 * HOUR, "seven_day")], ids=["near", "far"]
)
async def test_a_limit_by_hand_with_its_time(resets: Instant, window: str) -> None:
    """A reset that is too far for five hours is the week's."""
    scene = Scene()
    await scene.limit_hit(wire.iso(resets))
    assert (window, resets) == (scene.ears.heard_of[0][1].window, scene.ears.heard_of[0][1].resets_at)


async def test_a_limit_by_hand_can_be_taken_back() -> None:
    """Once: afterwards there is nothing to take back, and that is said."""
    scene = Scene()
    with pytest.raises(wire.Refusal, match="no limit was said to be hit by hand"):
        await scene.undo()
    await scene.limit_hit(wire.iso(T0 + 50 * HOUR))
    scene.clock.at += 1
    assert {"windows": ["seven_day"], "resets_at": None} == await scene.undo()
    with pytest.raises(wire.Refusal):
        await scene.undo()


@pytest.mark.parametrize(
    ("resets", "root", "words"),
    [
        (None, None, "no five-hour window is running"),
        ("soon", None, "'soon' is no ISO 8601 time"),
        ("2026-11-02T12:00:00", None, "is no ISO 8601 time with an offset"),
        (wire.iso(T0), None, "must lie ahead"),
        (wire.iso(T0 + 8 * 24 * HOUR), None, "at most a week"),
        (None, "/home/bob/.claude", "not among the directories"),
    ],
)
async def test_a_limit_by_hand_that_cannot_be_is_refused(
    resets: str | None, root: str | None, words: str
) -> None:
    """The words name what to do instead."""
    with pytest.raises(wire.Refusal, match=words) as refusal:
        await Scene().limit_hit(resets, root)
    assert "invalid-value" == refusal.value.reason


# The real processes.


def quotactl(place: Place, *arguments: str, stdin: str) -> str:
    """What a command prints that Claude Code gives ``stdin``; it must end with 0 and in silence."""
    done = subprocess.run(
        [*QUOTACTL, *arguments],
        input=stdin,
        env=place.environment({"NO_COLOR": "1"}),
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert "" == done.stderr
    return done.stdout


def test_status_line_and_hooks_reach_the_daemon(place: Place) -> None:
    """A reading by status line, a session by hook, a fact at its start, a limit by hand."""
    resets = int(time.time()) + 2 * 3600
    with place.running() as quotad:
        spend(place, 1000)
        quotad.request("statusline", {"text": "{}"})
        shown = quotactl(place, "statusline", stdin=claude_code.status_line(five_hour=(61.5, resets)))
        assert shown.startswith("moderate  5h ██████░░░░ 61% resets in 1h59m")
        window = quotad.window()
        assert ("reported", 61.5, wire.iso(resets * 1000)) == (
            window["basis"], window["percent"], window["resets_at"],
        )  # fmt: skip
        told = json.loads(quotactl(place, "hook", "SessionStart", stdin=claude_code.hook("SessionStart")))
        assert told["systemMessage"].startswith("Quota: 61% of the 5-hour window used")
        assert "SessionStart" == told["hookSpecificOutput"]["hookEventName"]
        assert claude_code.SESSION in {one["id"] for one in quotad.status()["sessions"]}
        assert "Noted" in quotactl(place, "limit-hit", stdin="")
        assert 100 == quotad.window()["percent"]


@pytest.mark.requires("nc.openbsd", "netcat-openbsd")
def test_a_shell_asks_for_the_line_as_the_readme_has_it(place: Place, tmp_path: Path) -> None:
    """Whatever is in what Claude Code says, it reaches the daemon whole, and the line comes back."""
    readme = (CHECKOUT / "README.md").read_text()
    (script,) = (block for block in readme.split("```") if '"method":"statusline"' in block)
    nc = shutil.which("nc.openbsd")
    assert nc is not None, "this test requires it"
    (tmp_path / "nc").symlink_to(nc)
    said = json.loads(claude_code.status_line(five_hour=(61.5, int(time.time()) + 2 * 3600 + 30)))
    said["cwd"] = 'a "b" \\ %s $HOME `ls` ä\t'
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "XDG_RUNTIME_DIR": str(tmp_path),
        "CLAUDE_CONFIG_DIR": str(place.claude),
    }
    (tmp_path / "quotad").mkdir()
    (tmp_path / "quotad" / "quotad.sock").symlink_to(place.socket)
    with place.running() as quotad:
        done = subprocess.run(
            ["/bin/sh", "-c", script.removeprefix("sh\n")],
            input=json.dumps(said, indent=1, ensure_ascii=False),
            env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert ("moderate  5h ██████░░░░ 61% resets in 2h\n", "") == (done.stdout, done.stderr)
        assert 61.5 == quotad.window()["percent"]


def test_the_doctor_quotes_what_was_not_believed_of_a_cache(place: Place) -> None:
    """With the window that it is about, once somebody has looked."""
    window = {"utilization": 40, "resets_at": "tomorrow"}
    cached = {"fetchedAtMs": int(time.time() * 1000) - 5, "utilization": {"five_hour": window}}
    (place.claude / ".claude.json").write_text(json.dumps({"cachedUsageUtilization": cached}))
    with place.running() as quotad:
        checks = cast("wire.DoctorReply", quotad.request("doctor"))["checks"]
    reason = "not believed: five_hour: the reset must be an ISO time with an offset"
    assert [reason] == [one["message"] for one in checks if one["name"] == "usage cache"]


def test_the_doctor_quotes_what_was_not_believed(place: Place) -> None:
    """Of the last status line, with the value; the next good one ends it."""
    resets = int(time.time()) + 2 * 3600
    with place.running() as quotad:
        names = []
        for percent in (resets, 61.5):
            quotactl(place, "statusline", stdin=claude_code.status_line(five_hour=(percent, resets)))
            checks = cast("wire.DoctorReply", quotad.request("doctor"))["checks"]
            names.append([one["message"] for one in checks if one["name"] == "status line"])
    reason = f"not believed: five_hour.percentage: must lie between 0 and 110, is {resets}"
    assert [[reason], []] == names
