"""One change at a time, each the same way: file, record, calendar, engine; by request, by hand, by time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from quotad import wire
from quotad.domain.cursor import Batch
from quotad.domain.due import room_now
from quotad.domain.inputs import Woke
from quotad.domain.instant import DAY, HOUR, MINUTE, SECOND, Instant
from quotad.domain.queue import Edit, Outcome, PlannedId, Priority, QueueRefused, ScheduleReason, Status
from quotad.domain.room import spent_by
from quotad.domain.session import LogKind
from quotad.domain.usage import SessionId
from quotad.domain.working import Always
from quotad.planning.agenda import NOTHING_KNOWN
from quotad.planning.hours import LocalHours, Shift
from quotad.planning.planner import MOVES_AT_ONCE
from quotad.planning.queue_text import FILE_BYTES_MAX, encoded
from quotad.planning.taken_in import TakenIn
from tests.domain.build import T0, call, log
from tests.planning.desk import Desk, Still, desk, plan

DOCS = PlannedId("docs")
LIMIT = 200_000


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Desk]:
    """A desk over an empty directory."""
    async with desk(tmp_path / "claude") as made:
        yield made


async def test_an_added_session_is_in_the_file_and_known(here: Desk) -> None:
    """When ``add`` returns, the file and the engine both have it."""
    await here.planner.add(plan("docs"))
    assert ["docs"] == [one["id"] for one in here.document()["sessions"]]
    assert {"docs": Status.READY} == here.statuses()


async def test_a_start_claims(here: Desk) -> None:
    """The session is in progress, and a run of it is remembered for the next start of the daemon."""
    await here.planner.add(plan("docs", tokens=30_000))
    decided = await here.start()
    assert ("start", Status.IN_PROGRESS) == (decided.action, decided.session.status)
    async with desk(here.root, clock=here.clock) as again:
        assert (SessionId("c-1"), 30_000, None) == (
            again.run("docs").session,
            again.run("docs").estimate,
            again.run("docs").outcome,
        )


async def test_one_that_takes_too_long_is_not_claimed(here: Desk) -> None:
    """Although it was named; it is not booked either."""
    await here.planner.add(plan("docs", hours=4))
    assert "none" == (await here.start("docs", hours=3.5)).action
    assert {"docs": Status.READY} == here.statuses()


async def test_what_is_claimed_is_not_there_for_others(here: Desk) -> None:
    """A second session of the rest plus one token is booked and not started."""
    await here.planner.add([*plan("a", tokens=150_000), *plan("b", tokens=50_001)])
    here.spend(1)
    assert "start" == (await here.start("a")).action
    decided = await here.start("b", "c-2")
    assert ("schedule", T0 + 5 * HOUR + MINUTE) == (decided.action, decided.schedule_for)
    assert ScheduleReason.LOW_QUOTA is here.planned("b").schedule_reason


async def test_two_starts_at_once_never_both_get_the_last_tokens(here: Desk) -> None:
    """Of ten who ask in the same moment for 150,000 tokens each, one starts and the others are booked."""
    names = [f"s-{number}" for number in range(10)]
    await here.planner.add(plan(*names, tokens=150_000))
    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(here.start(name, f"c-{name}")) for name in names]
    decided = [one.result() for one in asked]
    assert 1 == sum(one.action == "start" for one in decided)
    times = [one.schedule_for for one in decided if one.action == "schedule"]
    assert len(times) == len(set(times)) == 9


async def test_who_wants_it_only_if_it_fits_is_refused_else(here: Desk) -> None:
    """``does-not-fit``, and nothing is booked."""
    here.spend(LIMIT)
    await here.planner.add(plan("docs"))
    with pytest.raises(wire.Refusal) as refused:
        await here.planner.start(SessionId("c"), DOCS, None, only_if_it_fits=True)
    assert "does-not-fit" == refused.value.reason
    assert {"docs": Status.READY} == here.statuses()


async def test_what_a_run_spent_is_no_longer_held(here: Desk) -> None:
    """Of 30,000 claimed and 12,000 spent, 18,000 are held; what others spend does not count for it."""
    await here.planner.add(plan("docs", tokens=30_000))
    await here.start()
    here.clock.at += MINUTE
    here.spend(12_000, session="c-1")
    here.spend(5_000, session="other")
    [window] = [one for one in here.engine.standing().windows if one.name == "five_hour"]
    assert LIMIT - 17_000 == window.remaining
    assert LIMIT - 17_000 - 18_000 == here.planner.next(None).available


@pytest.mark.parametrize(
    ("spent", "outcome"),
    [(12_000, Outcome.COMPLETE), (30_000, Outcome.COMPLETE), (30_001, Outcome.OVER_RUN)],
)
async def test_done_ends_the_run_with_what_was_spent(here: Desk, spent: int, outcome: Outcome) -> None:
    """Up to the estimate it is complete, beyond it over-run; what was before the claim is not counted."""
    await here.planner.add(plan("docs", tokens=30_000))
    here.spend(7_000, session="c-1")
    here.clock.at += MINUTE
    await here.start()
    here.clock.at += MINUTE
    here.spend(spent, session="c-1")
    await here.planner.done(DOCS)
    assert (spent, outcome, here.clock.at) == (
        here.run("docs").actual,
        here.run("docs").outcome,
        here.run("docs").ended,
    )
    async with desk(here.root, clock=here.clock) as again:
        assert here.run("docs") == again.run("docs")


async def test_back_to_ready_is_abandoned(here: Desk) -> None:
    """The run ends, the session can be started again, and the next run is another one."""
    await here.planner.add(plan("docs"))
    await here.start()
    await here.planner.edit(DOCS, Edit(), ready=True)
    assert (Outcome.ABANDONED, 0) == (here.run("docs").outcome, here.run("docs").actual)
    here.clock.at += SECOND
    assert "start" == (await here.start(session="c-2")).action
    assert 2 == len(here.agenda.runs)


async def test_release_takes_back_only_ones_own_claim(here: Desk) -> None:
    """Another Claude Code session's claim is refused (``wrong-state``); one's own is ready again."""
    await here.planner.add(plan("docs"))
    await here.start()
    with pytest.raises(wire.Refusal) as refused:
        await here.planner.release(DOCS, SessionId("c-2"))
    assert "wrong-state" == refused.value.reason
    await here.planner.release(DOCS, SessionId("c-1"))
    assert {"docs": Status.READY} == here.statuses()


async def test_a_start_that_never_ran_is_no_run(here: Desk) -> None:
    """What was released leaves nothing in the record, after a restart either."""
    await here.planner.add(plan("docs"))
    await here.start()
    await here.planner.release(DOCS, SessionId("c-1"))
    assert () == here.agenda.runs
    async with desk(here.root, clock=here.clock) as again:
        assert () == again.agenda.runs


async def test_a_claim_that_cannot_be_written_is_no_run(here: Desk) -> None:
    """The file is as long as it may be: the session stays ready, and nobody has worked on it."""
    await here.planner.add(plan("docs"))
    spare = FILE_BYTES_MAX - len(encoded({**here.document(), "notes": ""}))
    here.file.write_bytes(encoded({**here.document(), "notes": "x" * spare}))
    with pytest.raises(QueueRefused):
        await here.start()
    assert ({"docs": Status.READY}, ()) == (here.statuses(), here.agenda.runs)
    await here.agenda.look()
    assert () == here.agenda.runs


async def test_who_takes_a_session_up_again_has_two_runs(here: Desk) -> None:
    """The same Claude Code session gave it back and claims it later: what was abandoned stays on record."""
    await here.planner.add(plan("docs"))
    await here.start()
    here.clock.at += MINUTE
    here.spend(700, session="c-1")
    await here.planner.edit(DOCS, Edit(), ready=True)
    here.clock.at += MINUTE
    await here.start()
    expected = [(Outcome.ABANDONED, 700), (None, None)]
    assert expected == [(run.outcome, run.actual) for run in here.agenda.runs]
    async with desk(here.root, clock=here.clock) as again:
        assert expected == [(run.outcome, run.actual) for run in again.agenda.runs]


async def test_one_after_the_other_each_pays_for_itself(here: Desk) -> None:
    """One Claude Code session claims a second one, the first not called done: nothing is booked twice."""
    await here.planner.add(plan("a", "b", tokens=60_000))
    await here.start("a")
    here.clock.at += MINUTE
    here.spend(10_000, session="c-1")
    here.clock.at += MINUTE
    await here.start("b")
    here.clock.at += MINUTE
    here.spend(5_000, session="c-1")
    (room,) = room_now(here.engine.standing())
    assert 50_000 + 55_000 == room.reserved
    spent = await here.agenda.spent()
    assert [10_000, 5_000] == [spent_by(run, here.agenda.runs, spent) for run in here.agenda.runs]
    await here.planner.done(PlannedId("a"))
    await here.planner.done(PlannedId("b"))
    assert [10_000, 5_000] == [run.actual for run in here.agenda.runs]


async def test_a_removed_session_ends_its_run(here: Desk) -> None:
    """What is gone is not in progress: its run is abandoned and holds nothing."""
    await here.planner.add(plan("docs", tokens=150_000))
    await here.start()
    await here.planner.remove(DOCS, force=False)
    assert Outcome.ABANDONED is here.run("docs").outcome


# Runs whose Claude Code session ends.


async def test_an_ended_claude_session_holds_nothing(here: Desk) -> None:
    """Its log says so: the planned session stays in progress, its quota is free, and it is remembered."""
    await here.planner.add([*plan("a", tokens=150_000), *plan("b", tokens=100_000)])
    await here.start("a")
    here.clock.at += MINUTE
    here.logged(log(LogKind.END, here.clock.at, session="c-1"))
    await here.planner.tend()
    assert (Status.IN_PROGRESS, T0 + MINUTE) == (here.statuses()[PlannedId("a")], here.run("a").ended)
    assert "start" == here.planner.next(None).action
    async with desk(here.root, clock=here.clock) as again:
        assert T0 + MINUTE == again.run("a").ended


async def test_a_resumed_claude_session_holds_again(here: Desk) -> None:
    """It ended and goes on after all: what it has not spent is held again."""
    await here.planner.add(plan("a", tokens=150_000))
    await here.start("a")
    here.clock.at += MINUTE
    here.logged(log(LogKind.END, here.clock.at, session="c-1"))
    here.clock.at += MINUTE
    here.spend(1_000, session="c-1")
    assert here.run("a").ended is None
    assert LIMIT - 150_000 == here.planner.next(None).available


async def test_a_claude_session_that_was_never_heard_of_holds_five_hours(here: Desk) -> None:
    """Whoever was killed before a word holds its quota until its five hours are over, and no longer."""
    await here.planner.add(plan("a", tokens=150_000))
    await here.start("a")
    await here.later(5 * HOUR - 1)
    assert here.run("a").ended is None
    await here.later(1)
    assert T0 + 5 * HOUR == here.run("a").ended


# The calendar.


async def test_a_booking_is_in_the_calendar_before_the_answer(here: Desk) -> None:
    """The event's file and ``all.ics`` are there when ``schedule`` returns."""
    await here.planner.add(plan("docs"))
    booked = await here.planner.schedule(DOCS, T0 + HOUR)
    assert (T0 + HOUR, ScheduleReason.USER_SCHEDULED) == (
        here.planned("docs").scheduled_for,
        here.planned("docs").schedule_reason,
    )
    assert "DTSTART:20261102T100000Z" in booked.ics.read_text()
    assert "SEQUENCE:0" in (here.root / "calendar" / "all.ics").read_text()


async def test_a_moved_booking_is_the_same_event(here: Desk) -> None:
    """Scheduling again keeps the UID and raises SEQUENCE, across a restart too."""
    await here.planner.add(plan("docs"))
    await here.planner.schedule(DOCS, T0 + HOUR)
    [before] = here.agenda.events
    async with desk(here.root, clock=here.clock) as again:
        await again.planner.schedule(DOCS, T0 + 2 * HOUR)
        [after] = again.agenda.events
    assert (before.uid, 1, T0 + 2 * HOUR) == (after.uid, after.sequence, after.starts)


async def test_an_unscheduled_session_leaves_a_cancelled_event(here: Desk) -> None:
    """Calendars that have the event must learn that it does not take place."""
    await here.planner.add(plan("docs"))
    await here.planner.schedule(DOCS, T0 + HOUR)
    await here.planner.unschedule(DOCS)
    assert "STATUS:CANCELLED" in (here.root / "calendar" / "docs.ics").read_text()
    assert {"docs": Status.READY} == here.statuses()


async def test_a_time_that_has_passed_is_refused(here: Desk) -> None:
    """``invalid-value``; now is still to come."""
    await here.planner.add(plan("docs"))
    with pytest.raises(wire.Refusal) as refused:
        await here.planner.schedule(DOCS, T0 - 1)
    assert "invalid-value" == refused.value.reason
    await here.planner.schedule(DOCS, T0)


async def test_a_session_larger_than_a_window_is_booked_with_a_warning(here: Desk) -> None:
    """It gets a fresh window and a sentence that says how many it would fill."""
    here.spend(50_000)
    await here.planner.add(plan("huge", tokens=450_000))
    booked = await here.planner.schedule(PlannedId("huge"), None)
    assert T0 + 5 * HOUR + MINUTE == booked.at
    assert booked.warning is not None
    assert "would fill 3" in booked.warning


async def test_a_booking_without_a_time_lies_inside_working_hours(tmp_path: Path) -> None:
    """The window comes back at 14:00, work begins again at 9 the next day: so it is 9."""
    nine_to_one = LocalHours([Shift(frozenset(range(7)), 9 * 60, 13 * 60)], None)
    async with desk(tmp_path / "claude", working=nine_to_one) as here:
        here.spend(LIMIT)
        await here.planner.add(plan("docs"))
        booked = await here.planner.schedule(DOCS, None)
        assert booked.at == nine_to_one.next(booked.at)
        assert booked.at >= T0 + 5 * HOUR + MINUTE


async def test_a_calendar_that_cannot_be_written_is_said(here: Desk) -> None:
    """The booking stands and is refused an answer that would promise its file; ``status`` says it, too."""
    (here.root / "calendar").write_text("in the way")
    await here.planner.add(plan("docs"))
    with pytest.raises(wire.Refusal) as refused:
        await here.planner.schedule(DOCS, T0 + HOUR)
    assert "calendar-unwritable" == refused.value.reason
    assert "is scheduled, but" in refused.value.message
    assert ["calendar-unwritable"] == list(here.problems)
    (here.root / "calendar").unlink()
    await here.planner.tend()
    assert {} == here.problems
    assert (here.root / "calendar" / "docs.ics").exists()


# Edits by hand.


async def test_an_edit_by_hand_is_taken_in(here: Desk) -> None:
    """A look is enough: the session is known as the file says now."""
    await here.planner.add(plan("docs"))
    here.by_hand(estimatedTokens=77)
    await here.agenda.look()
    assert 77 == here.planned("docs").tokens


async def test_a_file_that_is_gone_for_a_moment_is_not_empty(tmp_path: Path) -> None:
    """Editors move the old file away before they write the new one: no run is over, no event cancelled."""

    class Editor(Still):
        async def sleep(self, seconds: float) -> None:
            if away.exists():
                away.rename(tmp_path / "claude" / "session-queue.json")

    away = tmp_path / "claude" / "session-queue.json~"
    async with desk(tmp_path / "claude", clock=Editor()) as here:
        await here.planner.add(plan("docs", "api"))
        await here.planner.schedule(PlannedId("api"), T0 + HOUR)
        await here.start("docs")
        here.file.rename(away)
        await here.agenda.look()
        assert {"docs": Status.IN_PROGRESS, "api": Status.SCHEDULED} == here.statuses()
        assert (None, [0]) == (here.run("docs").outcome, [row.sequence for row in here.agenda.events])
        here.file.unlink()
        await here.agenda.look()
        assert {} == here.statuses()


async def test_an_edit_by_hand_ends_a_run(here: Desk) -> None:
    """Whoever writes ``complete`` into the file has called it done."""
    await here.planner.add(plan("docs"))
    await here.start()
    here.by_hand(status="complete")
    await here.agenda.look()
    assert Outcome.COMPLETE is here.run("docs").outcome


async def test_an_edit_by_hand_moves_the_event(here: Desk) -> None:
    """The calendar follows the file."""
    await here.planner.add(plan("docs"))
    await here.planner.schedule(DOCS, T0 + HOUR)
    here.by_hand(scheduledFor=wire.iso(T0 + 3 * HOUR))
    await here.agenda.look()
    assert [(T0 + 3 * HOUR, 1)] == [(row.starts, row.sequence) for row in here.agenda.events]


async def test_an_invalid_file_stops_changes_and_nothing_else(here: Desk) -> None:
    """The last good queue stays in force, changes are refused, the file is untouched; mended, all is well."""
    await here.planner.add(plan("docs"))
    good = here.file.read_bytes()
    here.file.write_text("{broken")
    await here.agenda.look()
    assert ["queue-invalid"] == list(here.problems)
    assert {"docs": Status.READY} == here.statuses()
    for change in (here.planner.add(plan("b")), here.start(), here.planner.done(DOCS)):
        with pytest.raises(wire.Refusal) as refused:
            await change
        assert "queue-invalid" == refused.value.reason
    assert "{broken" == here.file.read_text()
    here.file.write_bytes(good)
    await here.agenda.look()
    assert {} == here.problems
    await here.planner.add(plan("b"))
    assert ["docs", "b"] == [one["id"] for one in here.document()["sessions"]]


async def test_a_file_that_was_invalid_at_the_start_is_no_empty_queue(tmp_path: Path) -> None:
    """Nothing is known, changes are refused, and the calendar is not cleared."""
    root = tmp_path / "claude"
    async with desk(root) as here:
        await here.planner.add(plan("docs"))
        await here.planner.schedule(DOCS, T0 + HOUR)
        good = here.file.read_bytes()
    here.file.write_text("[]")
    async with desk(root) as again:
        assert ["queue-invalid"] == list(again.problems)
        assert again.problems["queue-invalid"].endswith(NOTHING_KNOWN)
        assert ["CONFIRMED"] == [row.status for row in again.agenda.events]
        again.file.write_bytes(good)
        await again.agenda.look()
        assert [("CONFIRMED", 0)] == [(row.status, row.sequence) for row in again.agenda.events]


async def test_a_file_that_cannot_be_written_changes_nothing(here: Desk) -> None:
    """``queue-unwritable``, and the engine still knows what the file says."""
    await here.planner.add(plan("docs"))
    here.file.unlink()
    here.file.mkdir()
    with pytest.raises(wire.Refusal):
        await here.planner.add(plan("b"))
    here.file.rmdir()
    await here.agenda.look()
    assert {} == here.statuses()


async def test_a_refused_change_leaves_everything(here: Desk) -> None:
    """Two at once, one of them wrong: neither is added."""
    await here.planner.add(plan("docs"))
    before = here.file.read_bytes()
    with pytest.raises(QueueRefused) as refused:
        await here.planner.add(plan("new", "docs"))
    assert "duplicate" == refused.value.code
    assert before == here.file.read_bytes()


# Sessions whose time comes.


async def test_a_due_session_is_announced_once_when_the_quota_is_there(here: Desk) -> None:
    """Not before its time, then once, and not again after a restart of time or daemon."""
    await here.planner.add(plan("docs", tokens=30_000))
    await here.planner.schedule(DOCS, T0 + HOUR)
    await here.later(HOUR - 1)
    assert [] == here.due_notices()
    await here.later(1)
    [notice] = here.due_notices()
    assert ("docs", LIMIT, T0 + HOUR) == (notice.session, notice.available, notice.scheduled_for)
    await here.later(MINUTE)
    assert 1 == len(here.due_notices())


async def test_a_due_session_without_quota_is_moved_once(here: Desk) -> None:
    """It goes to the minute after the reset, with its event, says why, and is announced then."""
    await here.planner.add(plan("docs", tokens=30_000))
    await here.planner.schedule(DOCS, T0 + HOUR)
    here.spend(LIMIT)
    await here.later(HOUR)
    reset = T0 + 5 * HOUR + MINUTE
    assert [] == here.due_notices()
    assert (reset, ScheduleReason.QUOTA_EXCEEDED) == (
        here.planned("docs").scheduled_for,
        here.planned("docs").schedule_reason,
    )
    await here.later(MINUTE)
    assert [(reset, 1)] == [(row.starts, row.sequence) for row in here.agenda.events]
    await here.later(4 * HOUR)
    assert ["docs"] == [notice.session for notice in here.due_notices()]


async def test_two_due_sessions_share_what_is_left(here: Desk) -> None:
    """For the more important there is room: it is announced, and the other one moved."""
    small, large = plan("a", tokens=120_000), plan("b", tokens=120_000)
    await here.planner.add([*small, *large])
    await here.planner.schedule(PlannedId("a"), T0 + HOUR)
    await here.planner.schedule(PlannedId("b"), T0 + HOUR)
    here.spend(1)
    await here.later(HOUR)
    assert ["a"] == [notice.session for notice in here.due_notices()]
    assert (T0 + HOUR, T0 + 5 * HOUR + MINUTE) == (
        here.planned("a").scheduled_for,
        here.planned("b").scheduled_for,
    )


async def test_a_due_session_whose_dependency_is_not_done_is_moved(here: Desk) -> None:
    """It could not start: it is looked at again an hour later, and the reason is said."""
    await here.planner.add(plan("first", "docs"))
    await here.planner.schedule(DOCS, T0 + HOUR)
    await here.planner.edit(DOCS, Edit(dependencies=(PlannedId("first"),)), ready=False)
    await here.later(HOUR)
    assert [] == here.due_notices()
    assert (T0 + 2 * HOUR, ScheduleReason.DEPENDENCY) == (
        here.planned("docs").scheduled_for,
        here.planned("docs").schedule_reason,
    )


async def test_a_move_is_told_once(here: Desk) -> None:
    """From when, to when and why; nobody was asked."""
    await here.planner.add(plan("docs", tokens=30_000))
    await here.planner.schedule(DOCS, T0 + HOUR)
    here.spend(LIMIT)
    await here.later(HOUR)
    await here.later(MINUTE)
    (told,) = here.moved_notices()
    assert (T0 + HOUR, T0 + 5 * HOUR + MINUTE, ScheduleReason.QUOTA_EXCEEDED, 0) == (
        told.moved_from,
        told.scheduled_for,
        told.reason,
        told.others,
    )


async def test_waiting_for_a_dependency_is_told_once(here: Desk) -> None:
    """It is looked at every hour, and nobody wants to hear of that every hour."""
    await here.planner.add(plan("first", "docs"))
    await here.planner.schedule(DOCS, T0 + HOUR)
    await here.planner.edit(DOCS, Edit(dependencies=(PlannedId("first"),)), ready=False)
    for _ in range(3):
        await here.later(HOUR)
    assert T0 + 4 * HOUR == here.planned("docs").scheduled_for
    assert [ScheduleReason.DEPENDENCY] == [notice.reason for notice in here.moved_notices()]


async def test_many_that_are_due_without_quota_are_moved_in_few_changes(here: Desk) -> None:
    """Fifty at once: the more important get the earlier times, and one notice tells of all."""
    some = plan(*(f"s{number:02}" for number in range(50)), tokens=100_000)
    await here.planner.add([*some[:49], replace(some[49], priority=Priority.HIGH)])
    here.spend(LIMIT)
    document = here.document()
    for entry in document["sessions"]:
        entry.update(status="scheduled", scheduledFor=wire.iso(T0))
    here.file.write_text(json.dumps(document))
    await here.planner.tend()
    changes = 1
    while any(one.scheduled_for == T0 for one in here.agenda.queue.sessions):
        await here.planner.tend()
        changes += 1
    assert 50 // MOVES_AT_ONCE + 1 == changes
    assert T0 + 5 * HOUR + MINUTE == here.planned("s49").scheduled_for
    assert [49] == [notice.others for notice in here.moved_notices()]


async def test_who_comes_due_during_a_move_is_moved_next(tmp_path: Path) -> None:
    """What is asked while others are being moved is not forgotten with what was asked before."""

    class Meanwhile(Always):
        def next(self, at: Instant) -> Instant:
            if busy.clock.at == T0 + HOUR:
                busy.clock.at += SECOND
                busy.engine.submit(Woke())
            return at

    async with desk(tmp_path / "claude", working=Meanwhile()) as busy:
        await busy.planner.add(plan("a", "b", tokens=100_000))
        await busy.planner.schedule(PlannedId("a"), T0 + HOUR)
        await busy.planner.schedule(PlannedId("b"), T0 + HOUR + SECOND)
        busy.spend(LIMIT)
        await busy.later(HOUR)
        await busy.planner.tend()
        reset = T0 + 5 * HOUR + MINUTE
        assert [reset, reset] == [one.scheduled_for for one in busy.agenda.queue.sessions]


async def test_a_move_that_cannot_be_written_is_tried_again(here: Desk) -> None:
    """The file is broken when the time comes; mended, the session is moved."""
    await here.planner.add(plan("docs", tokens=30_000))
    await here.planner.schedule(DOCS, T0 + HOUR)
    here.spend(LIMIT)
    good = here.file.read_bytes()
    here.file.write_text("{")
    await here.later(HOUR)
    assert T0 + HOUR == here.planned("docs").scheduled_for
    here.file.write_bytes(good)
    await here.planner.tend()
    assert T0 + 5 * HOUR + MINUTE == here.planned("docs").scheduled_for


# The plan, and what is kept.


async def test_the_plan_lays_every_session_out(here: Desk) -> None:
    """Three sessions of 150,000 tokens lie in three windows; nothing is changed by asking."""
    await here.planner.add(plan("a", "b", "c", tokens=150_000))
    before = here.file.read_bytes()
    made = await here.planner.plan()
    assert [0, 1, 2] == [placed.slot for placed in made.layout.placements]
    assert before == here.file.read_bytes()


async def test_cancelled_events_leave_the_calendar_after_a_week(here: Desk) -> None:
    """Nobody changes anything, and yet ``all.ics`` is written without it in time."""
    await here.planner.add(plan("docs"))
    await here.planner.schedule(DOCS, T0 + HOUR)
    await here.planner.unschedule(DOCS)
    feed = here.root / "calendar" / "all.ics"
    await here.later(6 * DAY)
    assert "CANCELLED" in feed.read_text()
    await here.later(2 * DAY)
    assert "CANCELLED" not in feed.read_text()


async def test_what_an_old_run_spent_is_asked_of_the_disk(here: Desk) -> None:
    """It was claimed before the reach of memory; the disk may not know yet what it spent since."""
    await here.planner.add(plan("docs", tokens=30_000))
    await here.start()
    here.clock.at += MINUTE
    event = call("m", here.clock.at, output=12_000, session="c-1")
    here.spend(12_000, session="c-1")
    await here.ledger.run(lambda ledger: ledger.append(Batch(here.account, usage=[event])))
    await here.later(2 * DAY)
    here.spend(3_000, session="c-1")
    assert {"c-1": 15_000} == await here.agenda.spent()
    await here.planner.done(DOCS)
    assert (15_000, Outcome.COMPLETE) == (here.run("docs").actual, here.run("docs").outcome)


async def test_a_list_may_come_in_again(tmp_path: Path) -> None:
    """What is in the queue stays as it is; what is new is added, or nothing if anything is wrong."""
    async with desk(tmp_path) as at:
        assert TakenIn([*map(PlannedId, "ab")], []) == await at.planner.take_in(plan("a", "b"))
        await at.start("a")
        again = await at.planner.take_in(plan("c", "b", "a", tokens=5))
        assert TakenIn([PlannedId("c")], [*map(PlannedId, "ba")]) == again
        with pytest.raises(QueueRefused, match="circle"):
            await at.planner.take_in(
                [
                    replace(one, dependencies=(needs,))
                    for one, needs in zip(plan("d", "e"), map(PlannedId, "ed"), strict=True)
                ]
            )
        assert {"a": "in_progress", "b": "ready", "c": "ready"} == at.statuses()
        assert [10_000, 10_000, 5] == [one.tokens for one in at.agenda.queue.sessions]


async def test_a_run_counts_from_the_start_of_its_second(tmp_path: Path) -> None:
    """Who writes a transcript may cut its times to seconds; what was spent before is not the run's."""
    async with desk(tmp_path, clock=Still(T0 + 999)) as at:
        await at.planner.add(plan("a"))
        at.spend(100, session="c-1", at=T0 - 1)
        at.spend(10, session="c-1", at=T0)
        await at.start("a")
        assert 100 == at.run("a").spent_before
        at.spend(1, session="c-1", at=T0)
        await at.later(MINUTE)
        await at.planner.done(PlannedId("a"))
        assert 11 == at.run("a").actual
