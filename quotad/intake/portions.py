"""Many events to the engine, in portions that let others have their turn in between."""

from __future__ import annotations

from msgspec.structs import replace

from quotad.clock import Clock
from quotad.domain.inputs import Seen
from quotad.engine import Engine

PORTION = 500
"""Events that the engine takes in at once: a few milliseconds."""


async def submit(engine: Engine, seen: Seen, clock: Clock) -> None:
    """Everything of ``seen``, in portions."""
    longest = max(len(seen.usage), len(seen.logs))
    if longest <= PORTION:
        engine.submit(seen)
        return
    for begin in range(0, longest, PORTION):
        end = begin + PORTION
        engine.submit(replace(seen, usage=seen.usage[begin:end], logs=seen.logs[begin:end]))
        seen = replace(seen, readings=())
        await clock.sleep(0)
