"""Working hours are the local clock's, whatever it does."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotad import wire
from quotad.domain.instant import DAY, HOUR, MINUTE
from quotad.planning.hours import LocalHours, Shift

BERLIN = ZoneInfo("Europe/Berlin")
WEEKDAYS = frozenset(range(5))
EVERY_DAY = frozenset(range(7))
OFFICE = LocalHours([Shift(WEEKDAYS, 9 * 60, 18 * 60)], BERLIN)
NIGHT = LocalHours([Shift(EVERY_DAY, 22 * 60, 8 * 60)], BERLIN)


@pytest.mark.parametrize(
    ("hours", "at", "first"),
    [
        pytest.param(OFFICE, "2026-11-23T10:00:00Z", "2026-11-23T10:00:00.000Z", id="within"),
        pytest.param(OFFICE, "2026-11-23T08:00:00Z", "2026-11-23T08:00:00.000Z", id="as-it-begins"),
        pytest.param(OFFICE, "2026-11-23T17:00:00Z", "2026-11-24T08:00:00.000Z", id="as-it-ends"),
        pytest.param(OFFICE, "2026-11-27T17:00:00Z", "2026-11-30T08:00:00.000Z", id="over-a-weekend"),
        pytest.param(NIGHT, "2026-11-22T03:00:00Z", "2026-11-22T03:00:00.000Z", id="after-midnight"),
        pytest.param(NIGHT, "2026-11-22T12:00:00Z", "2026-11-22T21:00:00.000Z", id="before-the-night"),
        pytest.param(OFFICE, "2026-03-27T20:00:00Z", "2026-03-30T07:00:00.000Z", id="the-clock-goes-forward"),
        pytest.param(OFFICE, "2026-10-23T20:00:00Z", "2026-10-26T08:00:00.000Z", id="the-clock-goes-back"),
    ],
)
def test_the_next_working_instant(hours: LocalHours, at: str, first: str) -> None:
    """Half-open on the local clock, in winter and in summer."""
    assert first == wire.iso(hours.next(wire.instant(at)))


def test_a_week_has_as_many_hours_as_were_said() -> None:
    """Five days of nine hours; spans that overlap count once."""
    monday = wire.instant("2026-11-23T00:00:00Z")
    assert 45 * HOUR == OFFICE.within(monday, monday + 7 * DAY)
    twice = LocalHours([Shift(WEEKDAYS, 540, 1080), Shift(WEEKDAYS, 600, 1140)], BERLIN)
    assert 50 * HOUR == twice.within(monday, monday + 7 * DAY)


def test_a_night_in_which_the_clock_changes_is_as_long_as_it_is() -> None:
    """Ten hours by the clock are eleven when it goes back, nine when it goes forward."""
    back, forward = wire.instant("2026-10-24T12:00:00Z"), wire.instant("2026-03-28T12:00:00Z")
    assert 11 * HOUR == NIGHT.within(back, back + DAY)
    assert 9 * HOUR == NIGHT.within(forward, forward + DAY)


@given(
    at=st.integers(1_700_000_000_000, 1_900_000_000_000),
    days=st.frozensets(st.integers(0, 6), min_size=1),
    begin=st.integers(0, 1439),
    length=st.integers(1, 1439),
)
def test_what_comes_next_is_work_and_nothing_before_it_is(
    at: int, days: frozenset[int], begin: int, length: int
) -> None:
    """From ``next`` on it is work for at least one of the coming minutes; up to it there is none."""
    hours = LocalHours([Shift(days, begin, (begin + length - 1) % 1440 + 1)], BERLIN)
    first = hours.next(at)
    assert first >= at
    assert 0 == hours.within(at, first)
    assert hours.within(first, first + MINUTE) > 0
