"""How much a session may spend now, and when there will be room for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from quotad.domain.due import room_now
from quotad.domain.inputs import QueueSeen, Seen
from quotad.domain.instant import DAY, HOUR, MINUTE, Instant, Millis
from quotad.domain.policy import FIVE_HOUR, SEVEN_DAY, Policy, WindowSpec
from quotad.domain.queue import Outcome, Planned, PlannedId, Priority, Queue, Run, Status, checked
from quotad.domain.room import (
    AFTER_RESET,
    DUE_PART,
    FRESH_PART,
    Room,
    earliest,
    fits,
    is_due,
    least,
    parts,
    rooms,
    rooms_for,
    takes,
)
from quotad.domain.standing import standing
from quotad.domain.step import step
from quotad.domain.usage import AccountId, SessionId
from tests.domain.build import ANA, T0, call, play, started
from tests.domain.planning import (
    FIVE,
    IDLE,
    LIMIT,
    Office,
    booked,
    five_hour,
    promised,
    queues,
    ready,
    room_sets,
    seven_day,
    windows,
)

CLAUDE = SessionId("claude")


@dataclass(frozen=True)
class Window:
    """A quota window as the standing shows it: 150 of 200 left, an hour to go."""

    account: AccountId = ANA
    name: str = FIVE_HOUR
    length: Millis = FIVE
    resets_at: Instant | None = T0 + HOUR
    limit: int | None = LIMIT
    percent: float | None = 25.0
    remaining: int | None = 150


IDLE_WINDOW = Window(resets_at=None, percent=0.0, remaining=LIMIT)


def reserved(
    *sessions: Planned,
    runs: tuple[Run, ...] = (),
    spent: Mapping[SessionId, int] | None = None,
    window: Window | None = None,
) -> int:
    """What is reserved of the one window."""
    (room,) = rooms([window or Window()], checked(sessions), runs, spent or {}, T0)
    return room.reserved


def run(which: str = "a", *, session: SessionId = CLAUDE, at: Instant = T0 - HOUR, before: int = 0) -> Run:
    """A run that goes on."""
    return Run(PlannedId(which), session, at, 50, spent_before=before)


DOING = ready("a", 50, status=Status.IN_PROGRESS)


def test_a_room_is_what_the_standing_says() -> None:
    """The very window that status shows: its reset, its limit and what is left."""
    state = started()
    step(state, Seen(ANA, (call("m", output=50_000),), (), ()), T0)
    expected = Room(FIVE_HOUR, FIVE, T0 + FIVE, 200_000, 150_000, 0)
    assert (expected,) == rooms(standing(state, T0).windows, Queue(), (), {}, T0)


def test_only_the_first_account_counts() -> None:
    """Plans are made for the first root's quota."""
    other = Window(account=AccountId("/home/ben/.claude"))
    assert [FIVE_HOUR, SEVEN_DAY] == [
        room.name for room in rooms([Window(), other, Window(name=SEVEN_DAY)], Queue(), (), {}, T0)
    ]
    assert () == rooms([], Queue(), (), {}, T0)


@pytest.mark.parametrize(("percent", "binds"), [(None, False), (99.9, False), (100.0, True), (104.0, True)])
def test_a_window_of_unknown_limit_binds_when_it_is_used_up(percent: float | None, *, binds: bool) -> None:
    """Then nothing is left of it; before that nobody can say."""
    found = rooms([Window(limit=None, remaining=None, percent=percent)], Queue(), (), {}, T0)
    assert [0] * binds == [room.available for room in found]
    assert not any(takes(room, 1) for room in found)


def test_an_idle_window_is_as_long_as_its_settings_say() -> None:
    """A booking for the day after tomorrow is none of a window's that lasts a day: all of that is there."""
    day = WindowSpec("day", DAY, LIMIT)
    state = started(Policy(windows=(*Policy().windows, day)))
    play(state, (QueueSeen(checked([booked("a", T0 + 2 * DAY)]), ()), T0))
    (_, idle) = room_now(standing(state, T0))
    assert (DAY, LIMIT) == (idle.length, idle.available)


def test_work_in_progress_holds_what_it_has_not_spent() -> None:
    """Less what its Claude Code session has spent since it was claimed; never less than nothing."""
    assert 50 == reserved(DOING, runs=(run(),))
    assert 40 == reserved(DOING, runs=(run(before=100),), spent={CLAUDE: 110})
    assert 0 == reserved(DOING, runs=(run(before=100),), spent={CLAUDE: 200})
    assert 50 == reserved(DOING, runs=(run(before=100),), spent={CLAUDE: 90})


def test_an_ended_run_holds_nothing() -> None:
    """The session stays in progress until it is called done."""
    assert 0 == reserved(DOING, runs=(replace(run(), ended=T0),))


def test_the_latest_open_run_counts() -> None:
    """Runs that are over, or of others, do not."""
    over = replace(run(at=T0), ended=T0, actual=9, outcome=Outcome.ABANDONED)
    later = run(session=SessionId("later"), at=T0 - MINUTE)
    assert 30 == reserved(DOING, runs=(later, run(), over, run("b")), spent={later.session: 20, CLAUDE: 5})


def test_work_that_was_put_in_progress_by_hand_holds_its_estimate() -> None:
    """Nobody knows what it spends."""
    assert 50 == reserved(DOING)


def test_a_run_of_what_is_not_in_progress_holds_nothing() -> None:
    """The queue file is where the status lives."""
    assert 0 == reserved(ready("a"), ready("b", status=Status.COMPLETE), runs=(run(), run("b"), run("c")))


@pytest.mark.parametrize(
    ("at", "window", "expected"),
    [
        (T0 + HOUR - 1, Window(), 50),
        (T0 + HOUR, Window(), 0),
        (T0, Window(), 50),
        (T0 - 3 * DAY, Window(), 50),
        (T0 + FIVE - 1, IDLE_WINDOW, 50),
        (T0 + FIVE, IDLE_WINDOW, 0),
        (T0 - DAY, IDLE_WINDOW, 50),
    ],
)
def test_a_booking_holds_the_window_that_its_time_falls_in(
    at: Instant, window: Window, expected: int
) -> None:
    """One whose time has come holds the current one; an idle window would open now."""
    assert expected == reserved(booked("a", at), window=window)


def test_available_is_never_less_than_nothing() -> None:
    """More may be promised than is left."""
    assert 0 == five_hour(10, reserved=50).available
    assert 5 == least((five_hour(10), seven_day(5)))
    assert None is least(())


@pytest.mark.parametrize(("tokens", "expected"), [(1, 1), (LIMIT, 1), (LIMIT + 1, 2), (1001, 6)])
def test_how_many_windows_a_session_takes(tokens: int, expected: int) -> None:
    """Of the smallest that binds; one without a limit says nothing."""
    spent = five_hour(0, limit=None)
    assert expected == parts(ready("a", tokens), (seven_day(5), five_hour(0), spent))
    assert 1 == parts(ready("a", tokens), ())
    assert 1 == parts(ready("a", tokens), (spent,))


def test_a_session_fits_when_every_window_has_room() -> None:
    """To the token."""
    assert fits(ready("a", 50), (five_hour(50), seven_day(50)), Queue(), T0)
    assert not fits(ready("a", 51), (five_hour(50), seven_day(51)), Queue(), T0)
    assert not fits(ready("a", 51), (five_hour(51), seven_day(50)), Queue(), T0)
    assert fits(ready("a", 10**9), (), Queue(), T0)


def test_what_is_larger_than_a_window_wants_a_fresh_one() -> None:
    """With nothing promised, and next to nothing spent: to ask what to do is to spend a little."""
    spent = LIMIT // FRESH_PART
    assert takes(five_hour(LIMIT - spent), LIMIT + 1)
    assert not takes(five_hour(LIMIT - spent - 1), LIMIT + 1)
    assert not takes(five_hour(reserved=1), LIMIT + 1)
    assert takes(IDLE, LIMIT + 1)


def test_when_its_time_has_come_half_of_a_fresh_one_will_do() -> None:
    """So that it is not put off for ever."""
    half = LIMIT // DUE_PART
    assert takes(five_hour(half), LIMIT + 1, due=True)
    assert not takes(five_hour(half - 1), LIMIT + 1, due=True)
    assert not takes(five_hour(half, reserved=1), LIMIT + 1, due=True)


def seen_by(which: Planned, queue: Queue, remaining: int, running: int = 0) -> int | None:
    """What this session may spend of the five-hour window."""
    return least(rooms_for(which, (promised(five_hour(remaining), queue, running),), queue, T0))


def test_what_a_session_has_booked_is_its_own() -> None:
    """Everybody else sees it promised."""
    early, other = booked("a", T0 + MINUTE, 60), ready("b")
    queue = checked([early, other])
    assert (100, 40) == (seen_by(early, queue, 100), seen_by(other, queue, 100))
    coming = booked("a", T0 + 2 * HOUR, 60)
    assert 100 == seen_by(coming, checked([coming]), 100)


def test_of_two_whose_time_has_come_the_more_important_goes_first() -> None:
    """Then the one that was booked earlier; it does not happen that each waits for the other."""
    low, high = booked("a", T0 - HOUR, 60, priority=Priority.LOW), booked("b", T0, 60, priority=Priority.HIGH)
    queue = checked([low, high])
    assert (100, 40) == (seen_by(high, queue, 100), seen_by(low, queue, 100))
    first, second = booked("b", T0 - 1, 60), booked("a", T0, 60)
    queue = checked([first, second])
    assert (100, 40) == (seen_by(first, queue, 100), seen_by(second, queue, 100))


def test_what_cannot_start_now_holds_nothing_now() -> None:
    """Too large, or waiting for another: it must be moved anyhow, and stands in nobody's way."""
    large, small, other = booked("a", T0 - 1, 150), booked("b", T0, 60), ready("c")
    queue = checked([large, small, other])
    assert (100, 100, 40) == tuple(seen_by(one, queue, 100) for one in queue.sessions)
    waiting = booked("a", T0 - 1, 80, "c")
    queue = checked([waiting, small, other])
    assert 100 == seen_by(small, queue, 100)


def test_what_is_booked_for_later_gives_way_to_what_is_due() -> None:
    """And both to what is in progress."""
    due, later, other = booked("a", T0, 60), booked("b", T0 + MINUTE, 50), ready("c")
    queue = checked([due, later, other])
    assert 100 == seen_by(due, queue, 120, running=20)
    assert 40 == seen_by(later, queue, 120, running=20)
    assert 0 == seen_by(other, queue, 120, running=20)


def at(which: Planned, *found: Room, others: tuple[Planned, ...] = (), office: bool = False) -> Instant:
    """The earliest time, from now."""
    queue = checked([which, *others])
    now = tuple(promised(room, queue, room.reserved) for room in found)
    return (earliest(which, now, queue, T0, Office()) if office else earliest(which, now, queue, T0)).at - T0


def test_the_earliest_time_is_now_if_it_fits() -> None:
    """To the token, and whatever is booked for later windows."""
    assert 0 == at(ready("a", 50), five_hour(50), seven_day(50))
    assert 0 == at(ready("a", 50), five_hour(50), others=(booked("b", T0 + 2 * HOUR, LIMIT),))
    assert 0 == at(ready("a", 50))
    assert 0 == at(ready("a", LIMIT), IDLE)


def test_else_a_minute_after_the_reset() -> None:
    """Of every window that is too full, so of the later one."""
    assert HOUR + AFTER_RESET == at(ready("a", 51), five_hour(50))
    assert 2 * DAY + AFTER_RESET == at(ready("a", 51), five_hour(), seven_day(50))
    assert 2 * DAY + AFTER_RESET == at(ready("a", 51), five_hour(50), seven_day(50))
    assert HOUR + AFTER_RESET == at(ready("a"), five_hour(0, limit=None))


def test_the_full_windows_are_named() -> None:
    """Those that do not take it now."""
    queue = Queue()
    found = (five_hour(50), seven_day(50))
    assert found == earliest(ready("a", 51), found, queue, T0).full
    assert () == earliest(ready("a", 50), found, queue, T0).full


def test_a_window_that_others_have_booked_is_respected() -> None:
    """The first with room for both: the same, or the one after it."""
    next_one = HOUR + AFTER_RESET
    there = booked("b", T0 + next_one, 150)
    assert next_one == at(ready("a", 50), five_hour(0), others=(there,))
    assert next_one + FIVE + AFTER_RESET == at(ready("a", 51), five_hour(0), others=(there,))


def test_a_session_that_comes_before_a_booking_shares_its_window() -> None:
    """It would open the window, and the booking would fall into it."""
    there = booked("b", T0 + 3 * HOUR, 150)
    assert HOUR + AFTER_RESET == at(ready("a", 50), five_hour(0), others=(there,))
    assert 3 * HOUR + FIVE + AFTER_RESET == at(ready("a", 51), five_hour(0), others=(there,))
    far = booked("b", T0 + HOUR + AFTER_RESET + FIVE, 150)
    assert HOUR + AFTER_RESET == at(ready("a", 51), five_hour(0), others=(far,))


def test_a_session_does_not_push_bookings_into_each_other() -> None:
    """A window that opens earlier moves those behind it: 100 + 100 and 120 would become 100 and 100 + 120."""
    first, second, third = booked("b", T0 + 5 * HOUR, 100), booked("c", T0 + 8 * HOUR, 100), T0 + 12 * HOUR
    others = (first, second, booked("d", third, 120))
    assert 10 * HOUR + AFTER_RESET == at(ready("a", 80), five_hour(0), others=others)
    others = (first, second, booked("d", third, 100))
    assert HOUR + AFTER_RESET == at(ready("a", 80), five_hour(0), others=others)
    others = (first, second, booked("d", third + HOUR, 120))
    assert HOUR + AFTER_RESET == at(ready("a", 80), five_hour(0), others=others)


def test_it_may_join_a_window_where_opening_one_would_push() -> None:
    """100 before the booking would leave 50 + 160 to the next window; beside it nothing moves."""
    others = (booked("b", T0 + 5 * HOUR), booked("c", T0 + 8 * HOUR), booked("d", T0 + 12 * HOUR, 160))
    assert 5 * HOUR == at(ready("a", 100), five_hour(0), others=others)


def test_what_fits_now_is_not_put_off_for_later_bookings() -> None:
    """They are moved when their time comes, if they must be."""
    others = (
        booked("b", T0 + 4 * HOUR, 100),
        booked("c", T0 + 7 * HOUR, 100),
        booked("d", T0 + 11 * HOUR, 120),
    )
    assert 0 == at(ready("a", 80), IDLE, others=others)


def test_the_minute_after_a_reset_is_kept_free() -> None:
    """Also where somebody else has booked it."""
    assert HOUR + AFTER_RESET == at(ready("a"), five_hour(0), others=(booked("b", T0 + HOUR + 1000),))


def test_an_idle_window_opens_with_the_next_booking() -> None:
    """Today's hours belong to it."""
    there = booked("b", T0 + 2 * HOUR, 150)
    assert 0 == at(ready("a", 50), IDLE, others=(there,))
    assert 2 * HOUR + FIVE + AFTER_RESET == at(ready("a", 51), IDLE, others=(there,))


def test_what_is_promised_of_an_idle_window_opens_it_now() -> None:
    """A run that has not spent yet, or a booking whose time has come."""
    assert FIVE + AFTER_RESET == at(ready("a", 51), replace(IDLE, reserved=150))
    assert FIVE + AFTER_RESET == at(ready("a", 51), IDLE, others=(booked("b", T0 - HOUR, 150),))


def test_larger_than_a_window_it_gets_one_of_its_own() -> None:
    """The first in which nothing else is booked."""
    large = ready("a", LIMIT + 1)
    assert 0 == at(large, IDLE)
    assert HOUR + AFTER_RESET == at(large, five_hour(LIMIT // 2))
    there = booked("b", T0 + 2 * HOUR, 1)
    assert 2 * HOUR + FIVE + AFTER_RESET == at(large, five_hour(0), others=(there,))
    own = booked("b", T0 + HOUR + AFTER_RESET, LIMIT + 1)
    assert HOUR + FIVE + 2 * AFTER_RESET == at(ready("a", 1), five_hour(0), others=(own,))


def test_it_lies_inside_working_hours() -> None:
    """The reset at 17:30 is too late for today; what is booked meanwhile counts."""
    evening = five_hour(0, resets=T0 + 8 * HOUR + 30 * MINUTE)
    assert DAY == at(ready("a"), evening, office=True)
    early = booked("b", T0 + DAY - HOUR, LIMIT)
    assert DAY + 4 * HOUR + AFTER_RESET == at(ready("a"), evening, others=(early,), office=True)


def test_outside_working_hours_what_fits_now_is_for_tomorrow() -> None:
    """A booking is made for when the user works."""
    night = T0 - HOUR
    assert T0 == earliest(ready("a"), (five_hour(),), Queue(), night, Office()).at


def test_a_booked_session_is_moved_as_if_it_were_not_booked() -> None:
    """Its own booking is nowhere in its way."""
    assert HOUR + AFTER_RESET == at(booked("a", T0 + HOUR + AFTER_RESET, LIMIT), five_hour(0))
    assert HOUR + AFTER_RESET == at(booked("a", T0 - DAY, LIMIT), five_hour(0))


@given(st.data())
def test_no_booking_overfills_a_window(data: st.DataObject) -> None:
    """Whatever is booked already: its own window keeps its limit, and no other gets fuller than full."""
    queue = data.draw(queues())
    found = data.draw(room_sets(queue))
    which = ready("new", data.draw(st.integers(1, 2 * LIMIT)))
    office = Office()
    first = earliest(which, found, queue, T0, office)
    assert (fits(which, found, queue, T0), office.next(first.at)) == (not first.full, first.at)
    if not first.full:
        assert office.next(T0) == first.at
        return
    for room in found:
        if room.resets is not None and first.at < room.resets:
            assert (
                takes(room, which.tokens)
                or which.tokens
                <= sum(one.tokens for one in queue.sessions if is_due(one, T0)) + room.available
            )
            continue
        since = room.resets or T0
        later = [
            (one.scheduled_for, one.tokens)
            for one in queue.sessions
            if one.status is Status.SCHEDULED
            and one.scheduled_for
            and one.scheduled_for >= max(since, T0 + 1)
        ]
        assert first.at >= since + (AFTER_RESET if room.resets else 0)
        if room.limit is not None:
            new = (first.at, which.tokens)
            # What is promised of an idle window (to a run, to a session that is due) opens it, if it holds.
            soon = sum(tokens for at, tokens in later if at < T0 + room.length)
            opening = [(T0, room.reserved - soon)] if room.resets is None and room.reserved > soon else []
            assert any(keeps_within([*held, *later], new, room) for held in ([], opening))


def keeps_within(bookings: list[tuple[Instant, int]], new: tuple[Instant, int], room: Room) -> bool:
    """Whether the new booking's window keeps its limit, or is its own, and the others get no fuller."""
    limit = room.limit or 0
    after = windows([*bookings, new], room.length)
    opened, load, count = next(one for one in reversed(after) if one[0] <= new[0])
    others = [one for one in after if one[0] != opened]
    before = windows(bookings, room.length)
    return (load <= limit or count == 1) and excess(others, limit) <= excess(before, limit)


def excess(found: list[tuple[Instant, int, int]], limit: int) -> int:
    """By how much windows are booked over their limit."""
    return sum(max(0, load - limit) for _, load, _ in found)


@given(st.data())
def test_with_one_booking_after_the_other_nothing_is_ever_overfilled(data: st.DataObject) -> None:
    """Each at its earliest time: every window keeps its limit, or holds only one that is larger."""
    sizes = data.draw(st.lists(st.integers(1, LIMIT + 50), min_size=1, max_size=40))
    room = data.draw(st.sampled_from([IDLE, five_hour(0), five_hour(70)]))
    queue = Queue()
    for number, tokens in enumerate(sizes):
        which = ready(f"s{number}", tokens)
        time = earliest(which, (promised(room, queue),), queue, T0, Office()).at
        queue = Queue((*queue.sessions, booked(which.id, time, tokens)))
    now = [
        one for one in queue.sessions if room.resets is not None and (one.scheduled_for or 0) < room.resets
    ]
    assert sum(one.tokens for one in now) <= room.remaining
    times = [(one.scheduled_for or 0, one.tokens) for one in queue.sessions if one not in now]
    assert all(load <= LIMIT or count == 1 for _, load, count in windows(times, FIVE))
