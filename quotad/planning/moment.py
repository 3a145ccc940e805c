"""Times as people write them into the queue: instants with an offset, and deadlines that may be a day."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, tzinfo

from quotad import wire
from quotad.domain.instant import Instant

INSTANT_ALLOWED = "an instant such as 2026-11-22T10:00:00Z"
DEADLINE_ALLOWED = f"a day such as 2026-12-01, or {INSTANT_ALLOWED}"

_DATE_CHARACTERS = len("YYYY-MM-DD")
_BEYOND = "lies beyond the years 1 to 9999"


def instant(text: str) -> Instant:
    """An ISO 8601 instant. Raises ValueError, also for a time without an offset: it could be anybody's."""
    return _checked(wire.instant(text))


def deadline(text: str, zone: tzinfo | None = None) -> Instant:
    """An instant, or a day: then its end, in local time unless ``zone`` says otherwise. Raises ValueError."""
    if len(text) != _DATE_CHARACTERS:
        return instant(text)
    try:
        midnight = datetime.combine(date.fromisoformat(text) + timedelta(days=1), time())
        aware = midnight.astimezone() if zone is None else midnight.replace(tzinfo=zone)
    except OverflowError:
        raise ValueError(_BEYOND) from None
    return _checked(wire.instant(aware.isoformat()))


def _checked(at: Instant) -> Instant:
    try:
        wire.iso(at)
    except OverflowError:
        raise ValueError(_BEYOND) from None
    return at
