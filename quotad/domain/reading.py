"""Readings: what the provider itself said about a window at an instant."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from quotad.domain.instant import DAY, MINUTE, Instant, Millis
from quotad.domain.policy import FIVE_HOUR, SEVEN_DAY
from quotad.domain.session import SESSION_LENGTH
from quotad.domain.usage import SessionId

RESET_JITTER: Millis = 2 * MINUTE
"""Resets that lie closer together are the same one (they jitter: lobehub/lobehub#18326)."""

PERCENT_MOST = 110.0
"""A larger percentage is none.

Calls in flight are still counted when the limit is reached, so that a little more than 100 is true: 105 was
seen in a status line, 1.01 in headers. What lies far above is another scale or an epoch
(anthropics/claude-code#60263), and would stop all work for hours, while a true 111 that is refused leaves the
reading before it in force.
"""


OVER = "reset: lies in the past"
"""Why a reading is none whose window is over: the usual reason, since idle terminals repeat old ones."""


class ReadingSource(StrEnum):
    """Who carried the provider's word to us."""

    STATUS_LINE = "status_line"
    LIMIT_HIT = "limit_hit"
    CACHED_USAGE = "cached_usage"
    BY_HAND = "by_hand"


class Reading(NamedTuple):
    """``percent`` of the window ``window`` was used at ``received_at``; it resets at ``resets_at``."""

    window: str
    percent: float
    resets_at: Instant
    received_at: Instant
    source: ReadingSource
    session: SessionId = SessionId("")
    """Whose status line said it; empty when no session did."""


def received(reading: Reading) -> tuple[Instant, Instant, float, str, str]:
    """Orders the readings of one kind of window as they were received, whatever order they came in."""
    return (reading.received_at, reading.resets_at, reading.percent, reading.source, reading.session)


def window_length(window: str) -> Millis:
    """How long a window that the provider speaks of is: five hours, and a week for every other."""
    return SESSION_LENGTH if window == FIVE_HOUR else 7 * DAY


def unfit(reading: Reading) -> str | None:
    """Why this cannot be what the provider says of a window now, if it cannot; NaN and infinity included."""
    if not 0 <= reading.percent <= PERCENT_MOST:
        return f"percentage: must lie between 0 and {PERCENT_MOST:g}, is {reading.percent:.15g}"
    ahead = reading.resets_at - reading.received_at
    if ahead <= 0:
        return OVER
    if ahead > window_length(reading.window) + RESET_JITTER:
        return "reset: lies further ahead than the window is long"
    return None


def by_hand(resets_at: Instant, now: Instant) -> Reading | None:
    """A limit that was hit just now: 100 % of the five hours if they can end then, else of the week.

    None for a reset that lies in the past, or further ahead than a week.
    """
    near = resets_at - now <= SESSION_LENGTH + RESET_JITTER
    reading = Reading(FIVE_HOUR if near else SEVEN_DAY, 100.0, resets_at, now, ReadingSource.BY_HAND)
    return None if unfit(reading) else reading


def in_force(readings: Iterable[Reading]) -> list[Reading]:
    """Without what was said by hand and, before its reset came, said otherwise or taken back (0 %)."""
    told = list(readings)
    by_hand = [one for one in told if one.source is ReadingSource.BY_HAND]
    if not by_hand:
        return told
    mended = {
        one
        for one in by_hand
        if any(one.received_at < other.received_at < one.resets_at for other in by_hand)
    }
    return [
        one
        for one in told
        if one.source is not ReadingSource.BY_HAND or (one.percent > 0 and one not in mended)
    ]


def taken_back(readings: Iterable[Reading], now: Instant) -> tuple[Reading, ...]:
    """What says that the limits said by hand, and not reset yet, were not hit: 0 % of the same window."""
    said = (one for one in in_force(readings) if one.source is ReadingSource.BY_HAND)
    return tuple(one._replace(percent=0.0, received_at=now) for one in said if one.resets_at > now)
