"""When the user works: what planning asks of the working hours, whoever knows the local clock."""

from __future__ import annotations

from typing import Protocol

from quotad.domain.instant import Instant, Millis


class WorkingHours(Protocol):
    """The user's working hours; both questions are about the local clock, which the domain does not know."""

    def next(self, at: Instant) -> Instant:
        """The first instant at or after ``at`` that lies inside working hours."""

    def within(self, begin: Instant, end: Instant) -> Millis:
        """How much of ``[begin, end)`` lies inside working hours."""


class Always:
    """No working hours are set: any time will do."""

    def next(self, at: Instant) -> Instant:
        return at

    def within(self, begin: Instant, end: Instant) -> Millis:
        return max(0, end - begin)


ALWAYS = Always()
