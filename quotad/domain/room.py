"""How much a session may still spend now: what is left of every window that binds, less what is promised."""

from __future__ import annotations

from dataclasses import dataclass

from quotad.domain.instant import Instant, Millis


@dataclass(frozen=True, slots=True)
class Room:
    """One window that binds: what is left of it, and how much of that is promised to planned sessions.

    ``resets`` is None while the window is idle: then all of its limit is there. ``limit`` is None for a
    window known only by readings; it binds only when nothing is left of it.
    """

    name: str
    length: Millis
    resets: Instant | None
    limit: int | None
    remaining: int
    reserved: int

    @property
    def available(self) -> int:
        return max(0, self.remaining - self.reserved)
