"""What is remembered of a planned session's event in the calendar, so that it is moved and never doubled."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

from quotad.domain.instant import DAY, Instant, Millis
from quotad.domain.queue import PlannedId

EventStatus: TypeAlias = Literal["CONFIRMED", "CANCELLED"]
"""As RFC 5545 writes it."""


CANCELLED_KEPT: Millis = 7 * DAY
"""How long a cancelled event is still written: slow subscribers look once a day."""


class EventRow(NamedTuple):
    """The latest state of one session's event; there is at most one a session, and none before it is booked.

    ``fingerprint`` is a hash of everything in it that a calendar shows: as long as it stays, so do
    ``sequence`` (RFC 5545 3.8.7.4) and ``changed``, the instant of the latest change. A cancelled event
    keeps its row, and with it its ``uid`` for the next time.
    """

    planned: PlannedId
    uid: str
    sequence: int
    fingerprint: bytes
    status: EventStatus
    starts: Instant
    changed: Instant

    def is_current(self, now: Instant) -> bool:
        """Whether the event is still to be written."""
        return self.status != "CANCELLED" or now - self.changed < CANCELLED_KEPT
