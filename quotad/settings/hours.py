"""Hours of the day as people write them: ``22:00-08:00``, ``Mon-Fri 09:00-18:00``; always local time.

Minutes of the local day are the unit, so that nothing here asks which day it is or whether the clock changed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

DAY_MINUTES = 24 * 60
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

SPAN_ALLOWED = 'spans such as "22:00-08:00", from 00:00 to 24:00, which do not end when they begin'
WORKING_HOURS_ALLOWED = (
    f'days and spans such as "Mon-Fri 09:00-18:00" or "Sat,Sun 10:00-12:00" (days: {" ".join(DAYS)})'
)

_SPAN = re.compile(r"([012]\d):([0-5]\d)-([012]\d):([0-5]\d)", re.ASCII)


class Span(NamedTuple):
    """``[begin, end)`` in minutes since local midnight; one that ends before it begins goes over midnight."""

    begin: int
    end: int

    def holds(self, minute: int) -> bool:
        """Whether the minute of the day lies within."""
        if self.begin < self.end:
            return self.begin <= minute < self.end
        return minute >= self.begin or minute < self.end

    def __str__(self) -> str:
        return f"{_clock(self.begin)}-{_clock(self.end)}"


class WorkingHours(NamedTuple):
    """A span that begins on each of ``days`` (0 is Monday); ``text`` is how the user wrote it."""

    text: str
    days: frozenset[int]
    span: Span


def span(text: str) -> Span:
    """Read ``22:00-08:00``. Raises ``ValueError``."""
    match = _SPAN.fullmatch(text)
    if match is None:
        raise ValueError
    hour, minute, end_hour, end_minute = map(int, match.groups())
    begin, end = hour * 60 + minute, end_hour * 60 + end_minute
    if begin >= DAY_MINUTES or end > DAY_MINUTES or begin == end:
        raise ValueError
    return Span(begin, end)


def working_hours(text: str) -> WorkingHours:
    """Read ``Mon-Fri 09:00-18:00``. Raises ``ValueError``."""
    days, _, times = text.partition(" ")
    return WorkingHours(text, _days(days), span(times))


def is_quiet(spans: Sequence[Span], minute: int) -> bool:
    """Whether the minute of the local day lies in any of the spans."""
    return any(quiet.holds(minute) for quiet in spans)


def next_change(spans: Sequence[Span], minute: int) -> int | None:
    """In how many minutes ``is_quiet`` will say something else, 1 to 1439; None: it never does."""
    now = is_quiet(spans, minute)
    edges = {edge for quiet in spans for edge in quiet}
    waits = sorted((edge - minute) % DAY_MINUTES for edge in edges)
    return next((wait for wait in waits if is_quiet(spans, (minute + wait) % DAY_MINUTES) != now), None)


def _days(text: str) -> frozenset[int]:
    days: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        begin = DAYS.index(first)
        end = DAYS.index(last) if dash else begin
        days.update((begin + day) % 7 for day in range((end - begin) % 7 + 1))
    return frozenset(days)


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
