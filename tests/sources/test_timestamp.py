"""Times of other programs become instants in one way, or not at all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotad.sources.timestamp import instant

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# (Python itself takes an offset of less than a second for none.)
OFFSETS = st.integers(-23 * 3600, 23 * 3600).map(lambda seconds: timezone(timedelta(seconds=seconds)))


def test_the_usual_form_is_milliseconds_since_the_epoch() -> None:
    """Claude Code's own form is read to the millisecond."""
    assert 1_793_610_004_250 == instant("2026-11-02T09:00:04.250Z")


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-02T09:00:04Z",
        "2026-11-02T09:00:04+00:00",
        "2026-11-02 09:00:04.000000Z",
        "2026-11-02T11:00:04+02:00",
        "20261102T090004Z",
        "2026-11-02T09:00:04.000999Z",
    ],
)
def test_every_iso_form_with_an_offset_is_taken(text: str) -> None:
    """One moment is one instant, however it is written; what is under a millisecond is cut off."""
    assert 1_793_610_004_000 == instant(text)


def test_instants_before_the_epoch_are_rounded_down_too() -> None:
    """Rounding has one direction on both sides of the epoch."""
    assert -1 == instant("1969-12-31T23:59:59.999001Z")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-02T09:00:04.000",
        "2026-11-02",
        "yesterday",
        "2026-13-02T09:00:04Z",
        "2026-11-02T09:00:60Z",
        "1793610004",
        "2026-11-02T09:00:04.000Z ",
        "2026-11-02T09:00:04\ud800Z",
    ],
)
def test_a_time_that_is_not_certain_is_refused(text: str) -> None:
    """No offset, no such time, or no time at all: ValueError."""
    with pytest.raises(ValueError):  # noqa: PT011 - the standard library's words are not ours to match
        instant(text)


@given(st.datetimes(timezones=OFFSETS), st.sampled_from(["T", " "]))
def test_it_equals_the_definition(moment: datetime, separator: str) -> None:
    """Any datetime's text gives the whole milliseconds between the epoch and it, rounded down."""
    assert (moment - EPOCH) // timedelta(milliseconds=1) == instant(moment.isoformat(separator))
