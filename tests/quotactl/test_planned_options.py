"""What a person writes about a planned session, and what the wire gets."""

from __future__ import annotations

from datetime import UTC, tzinfo

import pytest

from quotactl.planned_options import hours_of, instant_of, tokens_of
from quotad import wire
from tests.quotactl.replies import BERLIN, NOW


@pytest.mark.parametrize(
    ("word", "count"),
    [
        ("1", 1),
        ("30000", 30_000),
        ("30,000", 30_000),
        ("1_200_000", 1_200_000),
        ("30k", 30_000),
        ("30 K", 30_000),
        ("1.2M", 1_200_000),
        ("0.001k", 1),
        ("1000000m", 10**12),
    ],
)
def test_tokens_have_short_forms(word: str, count: int) -> None:
    """With or without a unit, and with the separators that people write."""
    assert count == tokens_of(word)


@pytest.mark.parametrize(
    "word", ["", "0", "0.4", "-5", "30kk", "3,00", "k", "many", "1000001m", "1e5", "inf"]
)
def test_what_is_no_number_of_tokens_is_refused(word: str) -> None:
    """Nothing is guessed, and a session takes at least one."""
    with pytest.raises(ValueError, match=f"^{word}$"):
        tokens_of(word)


@pytest.mark.parametrize(
    ("word", "hours"),
    [
        ("4", 4.0),
        ("1.5", 1.5),
        ("4h", 4.0),
        ("90m", 1.5),
        ("20 min", 1 / 3),
        ("1h30", 1.5),
        ("2h 15m", 2.25),
        ("1000", 1e3),
        ("4 hours", 4.0),
        ("1 hour", 1.0),
        ("90 minutes", 1.5),
        ("1 hr 5 mins", 65 / 60),
    ],
)
def test_hours_have_short_forms(word: str, hours: float) -> None:
    """As numbers, minutes or both."""
    assert hours == pytest.approx(hours_of(word))


@pytest.mark.parametrize("word", ["", "0", "0m", "1000.1", "1001h", "-1", "soon", "4x", "nan"])
def test_what_is_no_number_of_hours_is_refused(word: str) -> None:
    """More than none, and at most a thousand."""
    with pytest.raises(ValueError, match=f"^{word}$"):
        hours_of(word)


@pytest.mark.parametrize(
    ("word", "zone", "instant"),
    [
        ("2026-12-01T14:00", BERLIN, "2026-12-01T13:00:00.000Z"),
        ("2026-07-01T14:00", BERLIN, "2026-07-01T12:00:00.000Z"),
        ("2026-12-01 14:00", UTC, "2026-12-01T14:00:00.000Z"),
        ("2026-12-01T14:00Z", BERLIN, "2026-12-01T14:00:00.000Z"),
        ("2026-12-01T14:00+05:30", BERLIN, "2026-12-01T08:30:00.000Z"),
        ("14:30", BERLIN, "2026-11-22T13:30:00.000Z"),
        ("2:30pm", BERLIN, "2026-11-22T13:30:00.000Z"),
        ("3 PM", BERLIN, "2026-11-22T14:00:00.000Z"),
        ("12am", BERLIN, "2026-11-22T23:00:00.000Z"),
        ("9:05", BERLIN, "2026-11-23T08:05:00.000Z"),
        ("11:00", BERLIN, "2026-11-23T10:00:00.000Z"),
        ("today 18:00", BERLIN, "2026-11-22T17:00:00.000Z"),
        ("Tomorrow 9:00", BERLIN, "2026-11-23T08:00:00.000Z"),
    ],
)
def test_a_time_is_what_is_on_the_wall(word: str, zone: tzinfo, instant: str) -> None:
    """Local unless it says otherwise; a time of day alone is the next one."""
    assert instant == instant_of(word, wire.instant(NOW), zone, day_ends=False)


@pytest.mark.parametrize(
    ("word", "instant"),
    [
        ("2026-12-01", "2026-12-01T22:59:00.000Z"),
        ("20261201", "2026-12-01T22:59:00.000Z"),
        ("today", "2026-11-22T22:59:00.000Z"),
        ("tomorrow", "2026-11-23T22:59:00.000Z"),
        ("2026-12-01T14:00", "2026-12-01T13:00:00.000Z"),
    ],
)
def test_a_deadline_may_be_a_day(word: str, instant: str) -> None:
    """Its last minute: what is done on that day is done in time."""
    assert instant == instant_of(word, wire.instant(NOW), BERLIN, day_ends=True)


@pytest.mark.parametrize(
    "word", ["", "then", "2026-12-01", "today", "25:00", "14:60", "today 14", "2026-02-30T10:00"]
)
def test_what_is_no_time_is_refused(word: str) -> None:
    """A day alone, too, where a time of day matters."""
    with pytest.raises(ValueError, match=r".*"):
        instant_of(word, wire.instant(NOW), BERLIN, day_ends=False)
