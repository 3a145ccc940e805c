"""Readings: what the provider itself said about a window at an instant."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from quotad.domain.instant import MINUTE, Instant, Millis

RESET_JITTER: Millis = 2 * MINUTE
"""Resets that lie closer together are the same one (they jitter: lobehub/lobehub#18326)."""


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


def best_reading(
    readings: Iterable[Reading], opened: Instant, resets: Instant, now: Instant
) -> Reading | None:
    """The reading that holds for a window: the highest, since use never goes down within one window.

    Of equal ones the latest, whose age is the smallest.
    """
    of_window = (
        one
        for one in readings
        if opened <= one.received_at <= now and opened < one.resets_at <= resets + RESET_JITTER
    )
    return max(of_window, key=lambda one: (one.percent, one.received_at), default=None)
