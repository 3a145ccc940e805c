"""The one clock: everything else is told what time it is.

Wall time places events (logs are wall time), monotonic time measures waiting. A clock that runs faster
serves the demo, which shows seven hours in twenty seconds.
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

from quotad.domain.instant import Instant

_NS_PER_MS = 1_000_000


class Clock(Protocol):
    """What the time is, and how long to wait for another."""

    def now(self) -> Instant:
        """Wall time."""

    def monotonic(self) -> Instant:
        """Milliseconds that never jump, in the same unit as ``now`` moves when nobody sets the clock."""

    def seconds_until(self, at: Instant) -> float:
        """How many seconds to sleep for ``now`` to become ``at``; never negative."""

    async def sleep(self, seconds: float) -> None:
        """Let real seconds pass."""

    def file_time_ns(self) -> int:
        """The time that file systems stamp with."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> Instant:
        return time.time_ns() // _NS_PER_MS

    def monotonic(self) -> Instant:
        return time.monotonic_ns() // _NS_PER_MS

    def seconds_until(self, at: Instant) -> float:
        return max(0, at - self.now()) / 1000

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def file_time_ns(self) -> int:
        return time.time_ns()


class ScaledClock:
    """A clock that began at ``start`` when the monotonic clock stood at ``reference_ns``.

    The reference is the machine's, so that another process can compute the same time.
    """

    def __init__(self, start: Instant, rate: float, reference_ns: int) -> None:
        self._start = start
        self._rate = rate
        self._reference_ns = reference_ns

    def now(self) -> Instant:
        return self._start + round((time.monotonic_ns() - self._reference_ns) * self._rate / _NS_PER_MS)

    def monotonic(self) -> Instant:
        return self.now()

    def seconds_until(self, at: Instant) -> float:
        return max(0, at - self.now()) / 1000 / self._rate

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def file_time_ns(self) -> int:
        return time.time_ns()
