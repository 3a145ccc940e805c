"""What to do now: start, schedule, or nothing and why."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from quotad.domain import queue as changes
from quotad.domain.decision import Decision, decide, decide_on, in_line, span, unlocked_by
from quotad.domain.instant import DAY, HOUR, MINUTE, SECOND
from quotad.domain.policy import quota_words
from quotad.domain.queue import (
    Planned,
    PlannedId,
    Priority,
    Queue,
    QueueRefused,
    Run,
    ScheduleReason,
    Status,
    checked,
)
from quotad.domain.room import AFTER_RESET, Room, fits, takes
from quotad.domain.usage import SessionId
from tests.domain.build import T0
from tests.domain.planning import (
    FIVE,
    IDLE,
    INSTANTS,
    LIMIT,
    Office,
    booked,
    five_hour,
    promised,
    queues,
    ready,
    room_sets,
    seven_day,
)

HIGH, LOW = Priority.HIGH, Priority.LOW


def decided(
    *sessions: Planned,
    rooms: Sequence[Room] = (five_hour(),),
    hours: float | None = None,
    runs: tuple[Run, ...] = (),
) -> Decision:
    """The decision for these sessions; what they have booked is promised."""
    queue = checked(sessions)
    return decide(queue, [promised(room, queue, room.reserved) for room in rooms], runs, hours, T0)


def head(decision: Decision) -> tuple[str, str | None, str | None]:
    """What to do, with which session, instead of which."""
    return (
        decision.action,
        None if decision.session is None else decision.session.id,
        None if decision.instead_of is None else decision.instead_of.id,
    )


def alternatives(decision: Decision) -> list[tuple[str, bool]]:
    """What else there is, and whether it fits."""
    return [(one.session.id, one.fits) for one in decision.alternatives]


def test_full_quota() -> None:
    """The most important session starts at once."""
    found = decided(ready("polish", 18), ready("implement", 65, priority=HIGH), rooms=(IDLE,))
    assert ("start", "implement", None) == head(found)
    assert (LIMIT, None, None, False, 1) == (
        found.available,
        found.schedule_for,
        found.schedule_reason,
        found.exceeds_window,
        found.parts,
    )
    assert [("polish", True)] == alternatives(found)
    assert "implement fits: it needs 65 tokens and 200 are available." == found.reason


def test_low_quota() -> None:
    """It is scheduled for a minute after the reset."""
    found = decided(ready("implement", 65), rooms=(five_hour(18),))
    assert ("schedule", "implement", None) == head(found)
    assert (18, T0 + HOUR + AFTER_RESET, ScheduleReason.LOW_QUOTA) == (
        found.available,
        found.schedule_for,
        found.schedule_reason,
    )
    assert (
        "implement needs 65 tokens and 18 of the 5-hour quota are available: "
        "the first time with room for it is in 1 h 1 min." == found.reason
    )


def test_a_smaller_task() -> None:
    """The best that fits starts instead; the answer says instead of what."""
    found = decided(
        ready("implement", 65, priority=HIGH), ready("polish", 18), ready("docs", 22), rooms=(five_hour(25),)
    )
    assert ("start", "docs", "implement") == head(found)
    assert [("implement", False), ("polish", True)] == alternatives(found)
    assert (
        "docs fits: it needs 22 tokens and 25 are available; implement needs 65, which do not fit."
        == found.reason
    )


def test_used_up() -> None:
    """With nothing left the reason is another, and names the window."""
    found = decided(ready("a"), rooms=(five_hour(), seven_day(0)))
    assert ("schedule", ScheduleReason.QUOTA_EXCEEDED, 0) == (
        found.action,
        found.schedule_reason,
        found.available,
    )
    assert "a needs 50 tokens and the weekly quota is used up: " in found.reason
    assert T0 + 2 * DAY + AFTER_RESET == found.schedule_for


@pytest.mark.parametrize(
    ("rooms", "reason"),
    [
        (
            (five_hour(0), seven_day(20)),
            "20 of the weekly quota are available: the first time with room for it is in 2 d.",
        ),
        (
            (five_hour(20), seven_day(0)),
            "the weekly quota is used up: the first time with room for it is in 2 d.",
        ),
        (
            (five_hour(20, resets=T0 + 3 * DAY), seven_day(0)),
            "20 of the 5-hour quota are available: the first time with room for it is in 3 d.",
        ),
        (
            (five_hour(20, resets=T0 + 2 * DAY), seven_day(0)),
            "the weekly quota is used up: the first time with room for it is in 2 d.",
        ),
    ],
    ids=["not the one that is used up", "used up", "not the weekly one", "of equals the one that is used up"],
)
def test_the_window_that_decides_the_time_is_named(rooms: Sequence[Room], reason: str) -> None:
    """Others may be full too, or fuller: waiting for them would be shorter."""
    assert f"a needs 50 tokens and {reason}" == decided(ready("a"), rooms=rooms).reason


def test_what_others_have_booked_is_named_too() -> None:
    """The weekly window has room now, but none any more when the 5-hour window has."""
    weekly = seven_day(100, limit=100, resets=T0 + HOUR // 2)
    later = booked("z", T0 + HOUR, 100)
    found = decided(ready("a"), later, rooms=(five_hour(0, limit=1000), weekly))
    assert (
        "a needs 50 tokens and the 5-hour quota is used up; beside what else is booked, "
        "the first time with room for it is in 7 d 1 h." == found.reason
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("five_hour", "5-hour quota"),
        ("seven_day", "weekly quota"),
        ("seven_day_opus", "weekly Opus quota"),
        ("seven_day_oauth_apps", "weekly Oauth apps quota"),
        ("five_hour_opus", "5-hour Opus quota"),
        ("my_month", "my month quota"),
        ("my_quota", "my quota"),
    ],
)
def test_a_quota_has_a_name_that_people_use(name: str, words: str) -> None:
    """And never an underscore."""
    assert words == quota_words(name)


def test_a_window_of_unknown_limit_that_is_used_up_binds() -> None:
    """Until it resets."""
    found = decided(ready("a"), rooms=(five_hour(), replace(seven_day(0), limit=None)))
    assert ("schedule", T0 + 2 * DAY + AFTER_RESET) == (found.action, found.schedule_for)


def test_without_any_limit_everything_starts() -> None:
    """Nobody can say what is available."""
    found = decided(ready("a", 10**9), rooms=())
    assert ("start", "a", None) == head(found)
    assert (None, "a can start: no limit of any quota window is known.") == (found.available, found.reason)


@pytest.mark.parametrize(
    "line",
    [
        (
            ready("z", 1, priority=HIGH),
            ready("a", 2, deadline=T0),
            ready("b", 3, priority=LOW, deadline=T0 - DAY),
        ),
        (booked("z", T0 - HOUR, 1), ready("a", 2, deadline=T0)),
        (ready("z", 1, deadline=T0), ready("y", 1, deadline=T0 + 1), ready("a", 2)),
        (ready("needed", 1), ready("a", 9)),
        (ready("z", 9), ready("a", 8)),
        (ready("a"), ready("b")),
        (ready("step-9"), ready("step-10")),
        (ready("9.step"), ready("10.step"), ready("a")),
        (ready("B"), ready("a")),
        (ready("a01"), ready("a1")),
        (ready("step"), ready("step-1")),
    ],
    ids=[
        "priority",
        "what is booked for now",
        "deadline, none last",
        "what it unlocks",
        "size",
        "id",
        "numbers as numbers",
        "numbers before letters",
        "capitals first",
        "equal numbers by text",
        "shorter first",
    ],
)
def test_the_line(line: tuple[Planned, ...]) -> None:
    """Each is decided by the first in which they differ; the file's order is of no account."""
    waiting = [ready("waiting", 100, "needed") for one in line if one.id == "needed"]
    queue = checked([*waiting, *reversed(line)])
    assert [one.id for one in line] == [one.id for one in in_line(reversed(line), queue, T0)]


def test_what_a_session_unlocks() -> None:
    """Each that waits for it, through others too, once; what is complete waits no more."""
    queue = checked(
        [
            ready("a"),
            ready("b", 1, "a"),
            ready("c", 10, "a"),
            ready("d", 100, "b", "c"),
            ready("e", 1000, "d", "f", status=Status.COMPLETE),
            ready("f", 10000, status=Status.COMPLETE),
        ]
    )
    unlocked = unlocked_by(queue)
    assert [111, 100, 100, 0] == [unlocked(PlannedId(one)) for one in "abcd"]


def test_dependencies_come_first() -> None:
    """What waits is no candidate, whatever it is called in the file; the answer lists what it waits for."""
    queue = Queue(
        (ready("a"), ready("b", 50, "a", priority=HIGH), booked("c", T0, 50, "a", "b", priority=HIGH))
    )
    found = decide(queue, (five_hour(),), (), None, T0)
    assert ("start", "a", None) == head(found)
    assert [] == alternatives(found)
    assert [("b", ("a",)), ("c", ("a", "b"))] == [*found.blocked]
    stale = Queue((ready("a", status=Status.BLOCKED),))
    assert ("start", "a", None) == head(decide(stale, (five_hour(),), (), None, T0))


def test_what_takes_longer_than_there_is_time_is_no_candidate() -> None:
    """To the hour given; without one everything is."""
    sessions = (ready("a", hours=2.5, priority=HIGH), ready("b", hours=1.5))
    assert ("start", "a", None) == head(decided(*sessions, hours=2.5))
    found = decided(*sessions, hours=2)
    assert (("start", "b", None), []) == (head(found), alternatives(found))
    found = decided(*sessions, hours=1)
    assert ("none", "Nothing ready fits into 1 h: the shortest, b, takes 1.5 h.", LIMIT) == (
        found.action,
        found.reason,
        found.available,
    )


def test_what_is_booked_for_now_is_a_candidate() -> None:
    """Its own booking is there for it."""
    found = decided(booked("a", T0, 150), rooms=(five_hour(),))
    assert (("start", "a", None), LIMIT) == (head(found), found.available)
    assert ("start", "a", None) == head(decided(booked("a", T0 - 9 * DAY, 150)))


def test_what_is_booked_for_later_is_none_and_its_room_is_kept() -> None:
    """Nobody else gets it."""
    found = decided(booked("a", T0 + MINUTE, 150), ready("b", 51))
    assert (("schedule", "b", None), 50, []) == (head(found), found.available, alternatives(found))
    assert ("start", "b", None) == head(decided(booked("a", T0 + HOUR, 150), ready("b", 51)))


def test_what_is_due_without_quota_makes_way() -> None:
    """A smaller one may start; alone it is moved."""
    due = booked("a", T0 - HOUR, 150)
    assert ("start", "b", "a") == head(decided(due, ready("b"), rooms=(five_hour(60),)))
    found = decided(due, rooms=(five_hour(60),))
    assert (("schedule", "a", None), T0 + HOUR + AFTER_RESET) == (head(found), found.schedule_for)


def test_larger_than_a_window() -> None:
    """It is said to be so and gets a fresh window: this one if it is, else the next; never none."""
    found = decided(ready("a", 2 * LIMIT + 1), rooms=(IDLE,))
    assert (("start", "a", None), True, 3) == (head(found), found.exceeds_window, found.parts)
    assert "a needs 401 tokens, 3 windows' worth, and may begin in this one." == found.reason
    found = decided(ready("a", LIMIT + 1), rooms=(five_hour(150),))
    assert (("schedule", "a", None), True, 2, T0 + HOUR + AFTER_RESET) == (
        head(found),
        found.exceeds_window,
        found.parts,
        found.schedule_for,
    )
    assert found.reason.startswith("a needs 201 tokens, 2 windows' worth, and gets a fresh window: ")
    found = decided(ready("a", LIMIT + 1, priority=HIGH), ready("b"), rooms=(five_hour(150),))
    assert (("start", "b", "a"), False) == (head(found), found.exceeds_window)
    assert ("start", "a", None) == head(decided(booked("a", T0, LIMIT + 1), rooms=(five_hour(150),)))


def test_it_is_scheduled_inside_working_hours() -> None:
    """Here tomorrow at nine."""
    late = five_hour(0, resets=T0 + 8 * HOUR)
    assert T0 + DAY == decide(checked([ready("a")]), (late,), (), None, T0, Office()).schedule_for


DOING = ready("b", status=Status.IN_PROGRESS)
RUN = Run(PlannedId("b"), SessionId("claude"), T0 - HOUR, 50)


@pytest.mark.parametrize(
    ("sessions", "runs", "reason"),
    [
        ((), (), "The queue is empty: quotactl queue add plans a session."),
        ((ready("a", status=Status.COMPLETE),), (), "Every session in the queue is complete."),
        ((DOING, ready("a", 50, "b")), (), "Nothing is ready: b is in progress; a waits for b."),
        (
            (DOING, ready("a", 50, "b")),
            (RUN, replace(RUN, ended=T0)),
            "Nothing is ready: b has ended but is not called done; a waits for b.",
        ),
        ((booked("a", T0 + 90 * MINUTE),), (), "Nothing is ready: a is booked in 1 h 30 min."),
        (
            (booked("a", T0 + MINUTE), booked("b", T0, 50, "a")),
            (),
            "Nothing is ready: a is booked in 1 min; b waits for a.",
        ),
        (
            tuple(booked(f"a{number}", T0 + number * MINUTE) for number in (5, 4, 3, 2, 1)),
            (),
            (
                "Nothing is ready: "
                "a1 is booked in 1 min, a2 is booked in 2 min, a3 is booked in 3 min and 2 more."
            ),
        ),
    ],
)
def test_nothing_to_do(sessions: tuple[Planned, ...], runs: tuple[Run, ...], reason: str) -> None:
    """Nothing is an answer, with its reason."""
    found = decided(*sessions, runs=runs, hours=0.5 if runs else None)
    assert ("none", None, None, reason) == (*head(found), found.reason)


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (0, "0 s"),
        (MINUTE - 1, "59 s"),
        (MINUTE, "1 min"),
        (HOUR - 1, "59 min"),
        (4 * HOUR + 59 * SECOND, "4 h"),
        (DAY - 1, "23 h 59 min"),
        (DAY, "1 d"),
        (2 * DAY + 3 * HOUR, "2 d 3 h"),
    ],
)
def test_how_long_that_is(length: int, expected: str) -> None:
    """Rounded down, as the client says it."""
    assert expected == span(length)


def on(which: str, *sessions: Planned, room: Room, hours: float | None = None) -> Decision:
    """The decision on the one that was named."""
    queue = checked(sessions)
    return decide_on(queue, (promised(room, queue),), PlannedId(which), hours, T0)


def test_the_one_that_was_named() -> None:
    """Whatever is more important; that is among the alternatives."""
    sessions = (ready("a", 30, priority=HIGH), ready("b", 60))
    assert ("start", "b", None) == head(on("b", *sessions, room=five_hour(60)))
    found = on("b", *sessions, room=five_hour(59))
    assert (("schedule", "b", None), [("a", True)]) == (head(found), alternatives(found))


def test_the_one_that_was_named_may_take_too_long() -> None:
    """Then there is nothing to do, and what else there is fits into the hours."""
    sessions = (ready("a", hours=1.5), ready("b", hours=2.5), ready("c", hours=3, priority=HIGH))
    assert ("start", "b", None) == head(on("b", *sessions, room=five_hour(), hours=2.5))
    found = on("b", *sessions, room=five_hour(), hours=2)
    assert (("none", None, None), [("a", True)]) == (head(found), alternatives(found))
    assert "b takes 2.5 h, and there are 2 h." == found.reason


def test_what_is_booked_for_later_may_be_started_now() -> None:
    """By its name, with its own booking."""
    found = on("a", booked("a", T0 + MINUTE, 150), ready("b"), room=five_hour(170))
    assert (("start", "a", None), 170) == (head(found), found.available)


@pytest.mark.parametrize(
    ("which", "code", "said"),
    [
        ("x", "no-such-session", 'no session "x"'),
        ("b", "wrong-state", '"b" waits for "a"'),
        ("c", "wrong-state", '"c" is in progress'),
        ("d", "wrong-state", '"d" is complete'),
    ],
)
def test_what_cannot_be_started(which: str, code: str, said: str) -> None:
    """Is refused by name."""
    sessions = (
        ready("a"),
        ready("b", 1, "a"),
        ready("c", status=Status.IN_PROGRESS),
        ready("d", status=Status.COMPLETE),
    )
    with pytest.raises(QueueRefused, match=said) as refused:
        on(which, *sessions, room=five_hour())
    assert code == refused.value.code


@given(st.data(), st.none() | st.sampled_from([0.5, 1.0, 3.0]))
def test_every_decision_can_be_acted_on(data: st.DataObject, hours: float | None) -> None:
    """What is to start waits for nothing and fits; what is to be scheduled does not; or nothing can."""
    queue = data.draw(queues())
    rooms = data.draw(room_sets(queue))
    found = decide(queue, rooms, (), hours, T0, Office())
    candidates = {one.session.id for one in found.alternatives} | (
        {found.session.id} if found.session else set()
    )
    open_ = {one.id for one in found.blocked}
    assert found == decide(queue, rooms, (), hours, T0, Office())
    assert not candidates & open_
    match found.action:
        case "start":
            assert found.session is not None
            assert fits(found.session, rooms, queue, T0)
            assert found.available is None or found.exceeds_window or found.session.tokens <= found.available
            changes.claimed(queue, found.session.id)
        case "schedule":
            assert found.session is not None
            assert found.schedule_for is not None
            assert Office().next(found.schedule_for) == found.schedule_for > T0
            assert not any(fit for _, fit in found.alternatives)
            assert found.schedule_reason is not None
            changes.booked(queue, found.session.id, found.schedule_for, found.schedule_reason)
        case "none":
            assert (None, (), None) == (found.session, found.alternatives, found.schedule_for)
            assert hours is not None or Status.READY not in {one.status for one in queue.sessions}


@given(st.data())
def test_the_order_of_the_file_does_not_matter(data: st.DataObject) -> None:
    """No two sessions are alike: their ids differ."""
    queue = data.draw(queues())
    rooms = data.draw(room_sets(queue))
    shuffled = Queue(tuple(data.draw(st.permutations(queue.sessions))))
    one, two = (decide(each, rooms, (), None, T0) for each in (queue, shuffled))
    assert replace(one, blocked=(), reason="") == replace(two, blocked=(), reason="")
    assert sorted(one.blocked) == sorted(two.blocked)


@given(st.data())
def test_started_one_after_the_other_nothing_is_over_committed(data: st.DataObject) -> None:
    """Each start takes its tokens: what is promised of a window never exceeds what is left of it."""
    sizes = data.draw(st.lists(st.integers(1, LIMIT), max_size=12))
    remaining = data.draw(st.integers(0, LIMIT))
    at = data.draw(st.lists(INSTANTS, min_size=len(sizes), max_size=len(sizes)))
    queue = checked(
        [
            ready(f"s{number}", tokens) if number % 3 else booked(f"s{number}", time, tokens)
            for number, (tokens, time) in enumerate(zip(sizes, at, strict=True))
        ]
    )
    running = 0
    while True:
        room = promised(five_hour(remaining), queue, running)
        found = decide(queue, (room,), (), None, T0)
        if found.action != "start" or found.session is None:
            break
        assert takes(replace(room, reserved=running), found.session.tokens)
        running += found.session.tokens
        queue = changes.claimed(queue, found.session.id)
    assert running <= remaining
    assert FIVE == room.length
