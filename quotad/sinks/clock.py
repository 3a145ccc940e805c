"""What sinks need of a clock: to know the time, and to let some of it pass."""

from __future__ import annotations

import asyncio
from typing import Protocol

from quotad.domain.instant import SECOND, Instant, Millis

NAP_MAX: Millis = 30 * SECOND
"""No single sleep is longer: after a suspend or a clock that was set, time has simply moved."""


class Clock(Protocol):
    """The part of the daemon's clock that is used here."""

    def now(self) -> Instant:
        """Wall time."""

    def monotonic(self) -> Instant:
        """Milliseconds that never jump."""

    def seconds_until(self, at: Instant) -> float:
        """How many seconds to sleep for ``now`` to become ``at``; never negative."""


async def pause(clock: Clock, length: Millis, unless: asyncio.Event) -> None:
    """Let ``length`` pass, or less once ``unless`` is set."""
    due = clock.monotonic() + length
    while not unless.is_set() and (left := due - clock.monotonic()) > 0:
        try:
            async with asyncio.timeout(clock.seconds_until(clock.now() + min(left, NAP_MAX))):
                await unless.wait()
        except TimeoutError:
            pass
