"""The user's working hours on the local clock, as ``domain.working`` asks about them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta, tzinfo
from typing import NamedTuple

from quotad.domain.instant import DAY, Instant, Millis
from quotad.domain.window import Window

DAYS_AHEAD = 9
"""Hours that recur weekly come again within so many days, whatever day it is where."""


class Shift(NamedTuple):
    """Work from minute ``begin`` to ``end`` of each of ``days`` (0 is Monday).

    Minutes since local midnight; one that ends before it begins goes on over midnight.
    """

    days: frozenset[int]
    begin: int
    end: int


class LocalHours:
    """Working hours in one zone (None: the machine's own); ``shifts`` are never empty."""

    def __init__(self, shifts: Sequence[Shift], zone: tzinfo | None = None) -> None:
        self._shifts = tuple(shifts)
        self._zone = zone

    def next(self, at: Instant) -> Instant:
        """The first instant at or after ``at`` that lies inside working hours."""
        spans = self._spans(at, at + DAYS_AHEAD * DAY)
        return next((max(at, span.opened) for span in spans if span.resets > at), at)

    def within(self, begin: Instant, end: Instant) -> Millis:
        """How much of ``[begin, end)`` lies inside working hours."""
        if end <= begin:
            return 0
        return sum(Window(begin, end).overlap(span) for span in self._spans(begin, end))

    def _spans(self, begin: Instant, end: Instant) -> list[Window]:
        """Working time that reaches into ``[begin, end)``, in order and disjoint."""
        day = self._local(begin).date() - timedelta(days=1)
        last = self._local(end).date()
        found = []
        while day <= last:
            found += [
                self._span(day, shift.begin, shift.end)
                for shift in self._shifts
                if day.weekday() in shift.days
            ]
            day += timedelta(days=1)
        merged: list[Window] = []
        for span in sorted(found):
            if merged and span.opened <= merged[-1].resets:
                merged[-1] = Window(merged[-1].opened, max(merged[-1].resets, span.resets))
            elif span.opened < span.resets:
                merged.append(span)
        return merged

    def _span(self, day: date, begin: int, end: int) -> Window:
        over_midnight = end if end > begin else end + 24 * 60
        return Window(self._instant(day, begin), self._instant(day, over_midnight))

    def _local(self, at: Instant) -> datetime:
        return datetime.fromtimestamp(at / 1000, self._zone)

    def _instant(self, day: date, minutes: int) -> Instant:
        """A minute of a local day; one that the clock skips is the one an hour later, as people mean it."""
        wall = datetime.combine(day, time(), self._zone) + timedelta(minutes=minutes)
        return round(wall.timestamp() * 1000)
