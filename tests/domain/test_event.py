"""What is remembered of an event in the calendar."""

from __future__ import annotations

from quotad.domain.event import CANCELLED_KEPT, EventRow
from quotad.domain.instant import DAY
from quotad.domain.queue import PlannedId
from tests.domain.build import T0

ROW = EventRow(PlannedId("docs"), "1@quotad", 0, b"", "CONFIRMED", T0 + DAY, T0)


def test_a_cancelled_event_is_written_for_a_week() -> None:
    """So that every calendar that subscribes hears of it; one that stands is always written."""
    cancelled = ROW._replace(status="CANCELLED")
    assert cancelled.is_current(T0 + CANCELLED_KEPT - 1)
    assert not cancelled.is_current(T0 + CANCELLED_KEPT)
    assert ROW.is_current(T0 + 365 * DAY)
