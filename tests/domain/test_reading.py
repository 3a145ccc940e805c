"""What may be a reading, and which of several holds."""

from __future__ import annotations

import pytest

from quotad.domain.instant import DAY, HOUR
from quotad.domain.reading import (
    PERCENT_MOST,
    RESET_JITTER,
    Reading,
    ReadingSource,
    by_hand,
    taken_back,
    unfit,
)
from quotad.domain.reported import fixed_windows, reported_windows
from quotad.domain.window import Window
from tests.domain.build import T0, reading


@pytest.mark.parametrize("percent", [-0.1, PERCENT_MOST + 0.1, float("nan"), float("inf"), -float("inf")])
def test_a_percentage_lies_between_0_and_a_little_over_100(percent: float) -> None:
    """Nothing compares with NaN, so that it is refused like the rest."""
    assert str(unfit(reading(percent, T0 + HOUR, T0))).startswith("percentage: must lie between 0 and 110")
    assert [None, None] == [unfit(reading(edge, T0 + HOUR, T0)) for edge in (0, PERCENT_MOST)]


def test_a_reset_lies_ahead_within_its_windows_length() -> None:
    """Five hours for the one of that name, a week for all others."""
    far = "reset: lies further ahead than the window is long"
    assert "reset: lies in the past" == unfit(reading(5, T0, T0))
    for window, length in (("five_hour", 5 * HOUR), ("seven_day", 7 * DAY), ("seven_day_fable", 7 * DAY)):
        edge = T0 + length + RESET_JITTER
        assert (None, far) == (
            unfit(reading(5, edge, T0, window=window)),
            unfit(reading(5, edge + 1, T0, window=window)),
        )


def test_maciek_roboblog_claude_code_usage_monitor_150_i_hit_the_limit_now() -> None:
    """Said by hand it is a reading of 100 %, of the five hours if they can end then, else of the week."""
    expected = Reading("five_hour", 100.0, T0 + 3 * HOUR, T0, ReadingSource.BY_HAND)
    assert expected == by_hand(T0 + 3 * HOUR, T0)
    edge = T0 + 5 * HOUR + RESET_JITTER
    assert ["five_hour", "seven_day"] == [told.window for at in (edge, edge + 1) if (told := by_hand(at, T0))]
    assert [None, None] == [by_hand(at, T0) for at in (T0, T0 + 8 * DAY)]


def test_of_equal_readings_the_latest_holds_and_none_from_the_future() -> None:
    """Its age is the smallest."""
    told = [reading(5, T0 + HOUR, T0), reading(5, T0 + HOUR, T0 + 1), reading(9, T0 + HOUR, T0 + 3)]
    (reported,) = reported_windows(reversed(told), 5 * HOUR, lambda *_: None)
    assert [None, told[0], told[1], told[1], told[2]] == [reported.highest(T0 + at) for at in range(-1, 4)]


def hit(resets_at: int, now: int) -> Reading:
    """A limit said by hand."""
    told = by_hand(resets_at, now)
    assert told is not None
    return told


def test_what_is_said_by_hand_last_holds() -> None:
    """A time that was mistyped is mended by the right one, earlier or later; before its reset."""
    length = 5 * HOUR
    for right in (T0 + HOUR, T0 + 4 * HOUR):
        said = [hit(T0 + 3 * HOUR, T0), hit(right, T0 + 1)]
        assert (Window(right - length, right),) == fixed_windows(said, length, lambda *_: None)
    later = hit(T0 + 9 * HOUR, T0 + 4 * HOUR)
    assert 2 == len(fixed_windows([hit(T0 + 3 * HOUR, T0), later], length, lambda *_: None))


def test_what_was_said_by_hand_can_be_taken_back() -> None:
    """Once, and until it has reset; the provider's own readings stay."""
    week, five = hit(T0 + 3 * DAY, T0), hit(T0 + HOUR, T0)
    undone = taken_back([week], T0 + 2 * HOUR)
    assert [("seven_day", 0.0)] == [(one.window, one.percent) for one in undone]
    assert () == fixed_windows([week, *undone], 7 * DAY, lambda *_: None)
    assert () == taken_back([week, *undone], T0 + 3 * HOUR)
    assert () == taken_back([five, reading(40, T0 + 4 * HOUR, T0)], T0 + 2 * HOUR)
