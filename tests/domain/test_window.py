"""Windows are a function of the set of events and readings."""

from __future__ import annotations

import itertools
import random

from hypothesis import given
from hypothesis import strategies as st

from quotad.domain.instant import DAY, HOUR, MINUTE, Instant
from quotad.domain.reading import Reading
from quotad.domain.reported import OTHER_RESET, fixed_windows
from quotad.domain.usage import SessionId
from quotad.domain.window import Window, chain
from tests.domain.build import T0, reading

FIVE = 5 * HOUR


def unused(_session: SessionId, _since: Instant, _until: Instant) -> Instant | None:
    """Nobody used anything here."""
    return None


def windows(events: list[Instant], fixed: tuple[Window, ...] = (), start: Instant = 0) -> list[Window]:
    """The chain over a list of instants."""

    def next_event(at: Instant) -> Instant | None:
        return min((event for event in events if event >= at), default=None)

    return list(chain(next_event, FIVE, fixed, start))


def test_the_first_event_opens_a_window_of_exactly_its_length() -> None:
    """No rounding to the hour: 11:25 opens 11:25 to 16:25."""
    at = T0 + 145 * MINUTE
    assert [Window(at, at + FIVE)] == windows([at])


def test_a_window_is_half_open() -> None:
    """An event one millisecond before the end belongs to it, one at the end opens the next."""
    assert [Window(T0, T0 + FIVE)] == windows([T0, T0 + FIVE - 1])
    assert [Window(T0, T0 + FIVE), Window(T0 + FIVE, T0 + 2 * FIVE)] == windows([T0, T0 + FIVE])


def test_a_pause_within_a_window_does_not_end_it() -> None:
    """There is no gap rule: the window runs its whole length."""
    assert [Window(T0, T0 + FIVE)] == windows([T0, T0 + FIVE - MINUTE])


def test_the_next_window_opens_with_the_next_event() -> None:
    """Between windows nothing runs."""
    late = T0 + FIVE + 3 * HOUR
    assert [Window(T0, T0 + FIVE), Window(late, late + FIVE)] == windows([T0, late])


def test_a_chain_may_resume_at_the_end_of_any_window() -> None:
    """What came before the resuming point does not matter."""
    events = [T0, T0 + 4 * HOUR, T0 + 6 * HOUR, T0 + 12 * HOUR]
    whole = windows(events)
    assert whole[1:] == windows(events, start=whole[0].resets)


def test_a_reading_lays_the_window_down() -> None:
    """A reset that lies ahead fixes the window to the length before it, events or not."""
    told = reading(61, T0 + 3 * HOUR, T0)
    assert [Window(T0 - 2 * HOUR, T0 + 3 * HOUR)] == windows([], fixed_windows([told], FIVE, unused))


def test_a_computed_window_that_runs_into_a_fixed_one_is_cut_short() -> None:
    """The provider's word outranks what was computed, and the chain resumes at its reset."""
    fixed = fixed_windows([reading(100, T0 + 6 * HOUR, T0 + 3 * HOUR)], FIVE, unused)
    expected = [
        Window(T0, T0 + HOUR),
        Window(T0 + HOUR, T0 + 6 * HOUR),
        Window(T0 + 7 * HOUR, T0 + 12 * HOUR),
    ]
    assert expected == windows([T0, T0 + 2 * HOUR, T0 + 7 * HOUR], fixed)


def test_a_fixed_window_behind_the_resuming_point_is_left_out() -> None:
    """A chain that resumes at its reset begins with what follows."""
    fixed = fixed_windows([reading(100, T0 + 5 * HOUR, T0 + 3 * HOUR)], FIVE, unused)
    late = T0 + 6 * HOUR
    assert [Window(late, late + FIVE)] == windows([T0, late], fixed, start=T0 + 5 * HOUR)


def test_a_reset_that_jitters_is_the_same_window() -> None:
    """Resets within two minutes of each other are one (lobehub#18326)."""
    told = [reading(10, T0 + HOUR, T0), reading(12, T0 + HOUR + 90_000, T0 + 1)]
    assert (Window(T0 - 4 * HOUR, T0 + HOUR),) == fixed_windows(told, FIVE, unused)


def test_a_later_reset_ends_the_earlier_window_where_it_begins() -> None:
    """The provider resets everyone early at times."""
    told = [reading(80, T0 + 3 * HOUR, T0), reading(1, T0 + 6 * HOUR, T0 + HOUR + 1)]
    expected = (Window(T0 - 2 * HOUR, T0 + HOUR), Window(T0 + HOUR, T0 + 6 * HOUR))
    assert expected == fixed_windows(told, FIVE, unused)


def test_an_earlier_reset_after_a_later_one_is_a_stale_repeat() -> None:
    """Idle terminals render old payloads again (claude-caliper#265)."""
    told = [reading(80, T0 + 5 * HOUR, T0), reading(70, T0 + 2 * HOUR, T0 + 1)]
    assert (Window(T0, T0 + 5 * HOUR),) == fixed_windows(told, FIVE, unused)


def test_a_reset_in_the_past_or_too_far_ahead_fixes_nothing() -> None:
    """A reading says where its window is only if its reset lies ahead, within a window's length."""
    told = [reading(80, T0, T0), reading(80, T0 + FIVE + 3 * MINUTE, T0), reading(80, T0 + DAY, T0)]
    assert () == fixed_windows(told, FIVE, unused)


def test_overlap_is_the_time_two_windows_share() -> None:
    """It is never negative."""
    one = Window(T0, T0 + FIVE)
    assert HOUR == one.overlap(Window(T0 + 4 * HOUR, T0 + 9 * HOUR))
    assert 0 == one.overlap(Window(T0 + DAY, T0 + DAY + FIVE))


@given(
    st.lists(st.integers(0, 3 * DAY // MINUTE), max_size=30),
    st.lists(st.tuples(st.integers(0, 3 * DAY // MINUTE), st.integers(-60, 400)), max_size=4),
    st.integers(0, 2**32),
)
def test_windows_are_disjoint_cover_every_event_and_ignore_order(
    minutes: list[int], told: list[tuple[int, int]], seed: int
) -> None:
    """Every event lies in exactly one window, whatever the order in which readings came.

    One whose reset was said to be a little later keeps what it opened with.
    """
    events = [T0 + minute * MINUTE for minute in minutes]
    readings: list[Reading] = [
        reading(50, T0 + (at + ahead) * MINUTE, T0 + at * MINUTE) for at, ahead in told
    ]
    found = windows(events, fixed_windows(readings, FIVE, unused))
    random.Random(seed).shuffle(readings)
    assert found == windows(events, fixed_windows(readings, FIVE, unused))
    assert all(one.resets <= other.opened for one, other in itertools.pairwise(found))
    assert all(0 < one.resets - one.opened <= FIVE + OTHER_RESET for one in found)
    for event in events:
        assert 1 == sum(one.opened <= event < one.resets for one in found)
