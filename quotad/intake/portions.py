"""Many events to the engine, in portions that let others have their turn in between."""

from __future__ import annotations

from dataclasses import replace

from quotad.clock import Clock
from quotad.domain.inputs import Seen
from quotad.engine import Engine

PORTION = 500
"""Events that the engine takes in at once: a few milliseconds."""


async def submit(engine: Engine, seen: Seen, clock: Clock) -> None:
    """Everything of ``seen``, usage in portions."""
    for begin in range(0, max(1, len(seen.usage)), PORTION):
        engine.submit(replace(seen, usage=seen.usage[begin : begin + PORTION]))
        seen = replace(seen, logs=(), readings=())
        await clock.sleep(0)
