"""Much work in portions that let others have their turn in between."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

from msgspec.structs import replace

from quotad.clock import Clock
from quotad.domain.inputs import Seen
from quotad.engine import Engine

PORTION = 500
"""Events that the engine takes in at once: a few milliseconds."""

T = TypeVar("T")


async def completed(steps: Generator[None, None, T], clock: Clock) -> T:
    """What comes of all the steps."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        await clock.sleep(0)


async def submit(engine: Engine, seen: Seen, clock: Clock) -> None:
    """Let the engine know everything of ``seen``."""
    longest = max(len(seen.usage), len(seen.logs))
    if longest <= PORTION:
        engine.submit(seen)
        return
    for begin in range(0, longest, PORTION):
        end = begin + PORTION
        engine.submit(replace(seen, usage=seen.usage[begin:end], logs=seen.logs[begin:end]))
        seen = replace(seen, readings=())
        await clock.sleep(0)
