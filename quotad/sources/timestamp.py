"""ISO text to instants: the door by which times of other programs come in, but for those of transcripts.

There is no cache and no pattern for the usual form: ``fromisoformat`` and a subtraction took half the time
of either (Python 3.11), and the parts of the difference are had for less than a division of it.
"""

from __future__ import annotations

from datetime import UTC, datetime

from quotad.domain.instant import DAY, SECOND, Instant

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant(text: str) -> Instant:
    """Any form that ``datetime.fromisoformat`` takes, rounded down to a millisecond.

    Raises ValueError, also for a time without an offset: its hour could be anybody's.
    """
    return instant_of(moment(text))


def moment(text: str) -> datetime:
    """Any form that ``datetime.fromisoformat`` takes, as it is. Raises as ``instant`` does."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"no offset from UTC: {text!r}")
    return at


def instant_of(at: datetime) -> Instant:
    """A time with an offset, rounded down to a millisecond."""
    since = at - _EPOCH
    return since.days * DAY + since.seconds * SECOND + since.microseconds // 1_000
