"""Waiting for what a test has set going, and a clock that stands still until it is moved."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from quotad.domain.instant import Instant, Millis

POLL_SECONDS = 0.002


async def until(condition: Callable[[], object], *, seconds: float = 5) -> None:
    """Returns once ``condition`` holds; fails the test when it does not within ``seconds``."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - a condition is no event
            await asyncio.sleep(POLL_SECONDS)  # noqa: TID251 - the room's one place that polls


async def one_turn() -> None:
    """Returns after one turn of the loop."""
    await asyncio.sleep(0)  # noqa: TID251 - it is no sleep


async def settled() -> None:
    """Returns when everything that needs neither time nor I/O has had its turn."""
    for _ in range(100):
        await one_turn()


def names(directory: Path) -> set[str]:
    """What is in a directory."""
    return {path.name for path in directory.iterdir()}


def open_descriptors() -> int:
    """How many files and sockets this process has open."""
    return sum(1 for _ in Path("/dev/fd").iterdir())


class StandingClock:
    """A clock that only the test moves; whoever sleeps looks at it all the while."""

    def __init__(self, now: Instant) -> None:
        self.time = now
        self._naps = 0

    def now(self) -> Instant:
        return self.time

    def monotonic(self) -> Instant:
        return self.time

    def seconds_until(self, at: Instant) -> float:
        self._naps += 1
        return 0 if at <= self.time else POLL_SECONDS

    def advance(self, length: Millis) -> None:
        self.time += length

    async def pass_time(self, length: Millis) -> None:
        """Once somebody sleeps, time passes."""
        naps = self._naps
        await until(lambda: self._naps > naps)
        self.advance(length)
