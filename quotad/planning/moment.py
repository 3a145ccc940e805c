"""Times as people write them into the queue: instants with an offset, and deadlines that may be a day."""

from __future__ import annotations

from datetime import date, datetime, time, tzinfo

from quotad import wire
from quotad.domain.instant import Instant

INSTANT_ALLOWED = "an instant such as 2026-11-22T10:00:00Z"
DEADLINE_ALLOWED = f"a day such as 2026-12-01, or {INSTANT_ALLOWED}"

_DATE_CHARACTERS = len("YYYY-MM-DD")
_LAST_MINUTE = time(23, 59)
_BEYOND = "lies beyond the years 1 to 9999"


def instant(text: str) -> Instant:
    """An ISO 8601 instant. Raises ValueError, also for a time without an offset: it could be anybody's."""
    return _checked(wire.instant(text))


def deadline(text: str, zone: tzinfo | None = None) -> Instant:
    """An instant, or a day: its last minute, as a clock on the wall shows it (in ``zone``, if given).

    Raises ValueError.
    """
    if len(text) != _DATE_CHARACTERS:
        return instant(text)
    try:
        last = datetime.combine(date.fromisoformat(text), _LAST_MINUTE)
        aware = last.astimezone() if zone is None else last.replace(tzinfo=zone)
    except OverflowError:
        raise ValueError(_BEYOND) from None
    return _checked(wire.instant(aware.isoformat()))


def _checked(at: Instant) -> Instant:
    try:
        wire.iso(at)
    except OverflowError:
        raise ValueError(_BEYOND) from None
    return at
