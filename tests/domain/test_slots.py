"""Which windows are coming, and what may be spent in them."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from quotad.domain.instant import DAY, HOUR, MINUTE, SECOND, Instant, Millis
from quotad.domain.room import Room
from quotad.domain.slots import SLOT_COUNT, Capacity, Slot, Span, coming
from quotad.domain.working import ALWAYS, WorkingHours
from tests.domain.build import T0

LIMIT = 200_000
WEEKLY = 1_000_000


class Daily:
    """Every day at these hours, UTC."""

    def __init__(self, *spans: tuple[float, float]) -> None:
        self._spans = [(round(begin * HOUR), round(end * HOUR)) for begin, end in spans]

    def next(self, at: Instant) -> Instant:
        day = at - at % DAY
        return next(
            max(at, day + plus + begin)
            for plus in (0, DAY)
            for begin, end in self._spans
            if at < day + plus + end
        )

    def within(self, begin: Instant, end: Instant) -> Millis:
        days = range(begin - begin % DAY, end, DAY)
        return sum(
            max(0, min(end, day + to) - max(begin, day + at)) for day in days for at, to in self._spans
        )


OFFICE = Daily((9, 12), (13, 18))


def five_hour(resets: Instant | None = T0 + 2 * HOUR, remaining: int = 80_000, reserved: int = 0) -> Room:
    """Two hours of it are to come."""
    return Room("five_hour", 5 * HOUR, resets, LIMIT, remaining, reserved)


def week(resets: Instant | None, remaining: int = 500_000, limit: int | None = WEEKLY) -> Room:
    """Half of it is left."""
    return Room("seven_day", 7 * DAY, resets, limit, remaining, 0)


def hours(slots: tuple[Slot, ...]) -> list[tuple[float, float]]:
    """Opening and reset of each slot in hours after T0, a minute after a reset left out."""
    return [((slot.opens - T0) // HOUR, (slot.resets - T0) // HOUR) for slot in slots]


def weekly(slot: Slot) -> Capacity:
    """The week that the slot spends from."""
    return next(capacity for capacity in slot.capacities if capacity.name == "seven_day")


def test_the_rest_of_the_current_window_comes_first_with_what_is_left() -> None:
    """Then whole windows, a minute after each reset."""
    first, second, third = coming([five_hour(reserved=30_000)], ALWAYS, T0, count=3)
    assert (T0, T0 + 2 * HOUR, 50_000) == (first.opens, first.resets, first.room)
    assert (Capacity("five_hour", T0 + 2 * HOUR, 50_000, LIMIT),) == first.capacities
    opens = T0 + 2 * HOUR + MINUTE
    assert (opens, opens + 5 * HOUR, LIMIT) == (second.opens, second.resets, second.room)
    assert second.resets + MINUTE == third.opens


def test_a_week_of_windows_is_asked_for_by_default() -> None:
    """Four a day."""
    assert SLOT_COUNT == len(coming([five_hour()], ALWAYS, T0))


def test_an_idle_window_opens_now() -> None:
    """All of its limit is there but what sessions in progress hold."""
    (slot,) = coming([five_hour(None, LIMIT, 20_000)], ALWAYS, T0, count=1)
    assert (T0, T0 + 5 * HOUR, LIMIT - 20_000) == (slot.opens, slot.resets, slot.room)


def test_a_reset_that_has_passed_is_none() -> None:
    """The window is idle again."""
    assert [(0, 5)] == hours(coming([five_hour(T0, LIMIT)], ALWAYS, T0, count=1))


def test_without_a_five_hour_window_nothing_of_it_binds() -> None:
    """The slots are there, only without a limit."""
    (slot,) = coming([], ALWAYS, T0, count=1)
    assert (None, ()) == (slot.room, slot.capacities)


def test_a_used_up_window_of_unknown_limit_binds_until_its_reset() -> None:
    """After it nothing is known."""
    room = Room("five_hour", 5 * HOUR, T0 + HOUR, None, 0, 0)
    first, second = coming([room], ALWAYS, T0, count=2)
    assert ((Capacity("five_hour", T0 + HOUR, 0, None),), ()) == (first.capacities, second.capacities)
    assert (0, None) == (first.room, second.room)


def test_a_window_opens_when_work_begins() -> None:
    """At half past five of a day that ends at six there is half an hour; the next slot opens at nine."""
    first, second = coming([five_hour(None)], OFFICE, T0 + 8 * HOUR + 30 * MINUTE, count=2)
    assert 30 * MINUTE == first.works
    assert T0 + DAY == second.opens


def test_a_current_window_that_ends_before_work_begins_is_passed_over() -> None:
    """The first slot is a fresh window of the next day."""
    (slot,) = coming([five_hour(T0 + 11 * HOUR)], OFFICE, T0 + 10 * HOUR, count=1)
    assert (T0 + DAY, LIMIT) == (slot.opens, slot.room)
    (nothing_known,) = coming([], OFFICE, T0 + 10 * HOUR, count=1)
    assert T0 + DAY == nothing_known.opens


def test_breaks_are_left_out_of_the_working_time() -> None:
    """Spans are found to the millisecond, and times count over them."""
    (slot,) = coming([five_hour(None)], OFFICE, T0, count=1)
    noon, one = T0 + 3 * HOUR, T0 + 4 * HOUR
    assert (Span(T0, noon), Span(one, T0 + 5 * HOUR)) == slot.spans
    assert 4 * HOUR == slot.works
    assert [0, 3 * HOUR, 3 * HOUR + 1] == [slot.worked(until) for until in (T0, one, one + 1)]
    assert [T0, one, one + 1] == [slot.beginning(worked) for worked in (0, 3 * HOUR, 3 * HOUR + 1)]
    assert (noon, one + 1) == (slot.ending(3 * HOUR), slot.ending(3 * HOUR + 1))


def test_less_than_a_minute_is_no_working_time() -> None:
    """Neither at the end of a window nor before a break."""
    slots = coming([five_hour(T0 + 59 * SECOND)], ALWAYS, T0, count=1)
    assert T0 + 59 * SECOND + MINUTE == slots[0].opens
    assert T0 == coming([five_hour(T0 + MINUTE)], ALWAYS, T0, count=1)[0].opens


def test_a_week_that_resets_within_a_window_cuts_it_in_two() -> None:
    """Both parts share the window's room, and each spends from its own week; a minute lies between them."""
    reset = T0 + 4 * HOUR
    current, before, after = coming([five_hour(), week(reset)], ALWAYS, T0, count=3)
    assert (reset, 500_000, WEEKLY) == (weekly(before).resets, weekly(before).room, weekly(after).room)
    assert (reset, reset + MINUTE) == (before.spans[-1].ends, after.opens)
    assert before.capacities[0] == after.capacities[0]
    assert weekly(current) == weekly(before)
    assert reset + 7 * DAY == weekly(after).resets


def test_no_slot_opens_while_the_week_is_used_up() -> None:
    """The current window's rest is of no use; the next opens a minute after the week's reset."""
    slots = coming([five_hour(), week(T0 + 30 * HOUR, 0)], ALWAYS, T0, count=2)
    assert T0 + 30 * HOUR + MINUTE == slots[0].opens
    assert (LIMIT, WEEKLY) == (slots[0].room, weekly(slots[0]).room)


def test_a_week_that_comes_back_within_the_current_window_leaves_its_end() -> None:
    """It has the current window's room."""
    (slot,) = coming([five_hour(), week(T0 + HOUR, 0)], ALWAYS, T0, count=1)
    assert (T0 + HOUR + MINUTE, T0 + 2 * HOUR, 80_000) == (slot.opens, slot.resets, slot.room)


def test_a_used_up_week_of_unknown_limit_binds_no_longer_after_its_reset() -> None:
    """Nothing is known of the next one."""
    (slot,) = coming([five_hour(), week(T0 + 3 * DAY, 0, None)], ALWAYS, T0, count=1)
    assert ["five_hour"] == [capacity.name for capacity in slot.capacities]


def test_an_idle_week_begins_with_the_first_slot() -> None:
    """It lasts its length from there."""
    (slot,) = coming([five_hour(), week(None, WEEKLY)], ALWAYS, T0, count=1)
    assert Capacity("seven_day", T0 + 7 * DAY, WEEKLY, WEEKLY) == weekly(slot)


def test_a_week_without_any_room_ever_does_not_go_on_for_ever() -> None:
    """There are no slots then."""
    assert () == coming([five_hour(None), week(T0 + DAY, 0, 0)], ALWAYS, T0)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(
        [ALWAYS, OFFICE, Daily((0, 24)), Daily((22, 24)), Daily((8, 8.25), (9, 9.5), (15.5, 17))]
    ),
    st.integers(0, 3 * DAY),
    st.none() | st.integers(1, 5 * HOUR),
    st.none() | st.integers(1, 7 * DAY),
    st.integers(0, WEEKLY),
)
def test_slots_follow_one_another_inside_the_working_hours(
    working: WorkingHours, after: int, resets: int | None, week_resets: int | None, left: int
) -> None:
    """Whatever the hours and the resets, nothing overlaps, and no working time is invented."""
    now = T0 + after
    rooms = [five_hour(resets and now + resets), week(week_resets and now + week_resets, left)]
    slots = coming(rooms, working, now)
    spans = [span for slot in slots for span in slot.spans]
    assert all(one.ends <= other.begins for one, other in pairwise(spans))
    assert all(span.ends - span.begins == working.within(span.begins, span.ends) >= MINUTE for span in spans)
    assert all(slot.opens == slot.spans[0].begins and slot.spans[-1].ends <= slot.resets for slot in slots)
    assert all(now <= slot.opens for slot in slots)
    assert SLOT_COUNT == len(slots)
