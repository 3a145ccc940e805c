"""Numbers and times in words."""

from __future__ import annotations

import pytest

from quotactl import words
from quotactl.text import HARD
from quotad import wire
from tests.quotactl.replies import NOW, view

SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0"),
        (0.4, "<1"),
        (1, "1"),
        (999, "999"),
        (1000, "1k"),
        (1249, "1.2k"),
        (187_655, "187.7k"),
        (200_000, "200k"),
        (999_949, "999.9k"),
        (999_950, "1M"),
        (1_528_000, "1.5M"),
        (2_000_000_000, "2G"),
    ],
)
def test_tokens_are_short(count: float, shown: str) -> None:
    """At most five signs, and no decimal that is zero."""
    assert shown == words.tokens(count)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0 %"), (0.1, "<1 %"), (1, "1 %"), (49.99, "49 %"), (50, "50 %"), (104.6, "104 %")],
)
def test_a_percentage_is_reached_before_it_is_said(value: float, shown: str) -> None:
    """It is rounded down, but something is never nothing."""
    assert shown == words.percent(value).replace(HARD, " ")


@pytest.mark.parametrize(
    ("millis", "shown"),
    [
        (-5, "0 s"),
        (59 * SECOND + 999, "59 s"),
        (MINUTE, "1 min"),
        (HOUR - 1, "59 min"),
        (HOUR, "1 h"),
        (2 * HOUR + 10 * MINUTE, "2 h 10 min"),
        (DAY - 1, "23 h 59 min"),
        (3 * DAY + 4 * HOUR, "3 d 4 h"),
        (2 * DAY + 59 * MINUTE, "2 d"),
    ],
)
def test_a_duration_has_at_most_two_units(millis: int, shown: str) -> None:
    """And begins with the largest."""
    assert shown == words.duration(millis).replace(HARD, " ")


def test_a_short_countdown_shows_seconds() -> None:
    """Below the bound that the caller sets, with two digits so that nothing jumps."""
    shown = [words.duration(millis, seconds_below=10 * MINUTE) for millis in (9 * MINUTE + 5000, 10 * MINUTE)]
    assert ["9 min 05 s", "10 min"] == [one.replace(HARD, " ") for one in shown]


def test_what_is_two_seconds_old_is_of_now() -> None:
    """A moving "1 s ago" tells nobody anything."""
    assert ["just now", "2 s ago"] == [words.ago(millis).replace(HARD, " ") for millis in (1999, 2000)]


@pytest.mark.parametrize(
    ("instant", "shown"),
    [
        ("2026-11-22T15:30:00.000Z", "16:30"),
        ("2026-11-22T23:30:00.000Z", "Mon 00:30"),
        ("2026-11-25T08:00:00.000Z", "Wed 09:00"),
        ("2026-11-29T08:00:00.000Z", "29 Nov 09:00"),
        ("2026-10-25T00:30:00.000Z", "25 Oct 02:30"),
        ("2026-10-25T01:30:00.000Z", "25 Oct 02:30"),
        ("2027-12-01T22:59:00.000Z", "1 Dec 2027 23:59"),
    ],
)
def test_a_time_is_local_and_has_a_day_if_it_is_not_today(instant: str, shown: str) -> None:
    """Of the view's zone, over the end of summer time too."""
    assert shown == words.clock(wire.instant(instant), wire.instant(NOW), view()).replace(HARD, " ")
