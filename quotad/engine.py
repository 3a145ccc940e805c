"""The one state behind its one door, moved by inputs and by time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from quotad.clock import Clock
from quotad.domain.effects import Effect, WakeAt
from quotad.domain.inputs import Input, Woke
from quotad.domain.instant import SECOND, Instant, Millis
from quotad.domain.standing import Standing, standing
from quotad.domain.state import State
from quotad.domain.step import step

SLEEP_MAX: Millis = 30 * SECOND
"""No sleep is longer: after a suspend or a clock that was set, time has simply moved."""
JUMP: Millis = 2 * SECOND
"""Wall and monotonic time that part by more than this mean that the clock was set."""


class Engine:
    """Owns the state. ``submit`` is synchronous: what never waits needs no lock."""

    def __init__(self, state: State, clock: Clock, carry: Callable[[Effect], None]) -> None:
        """``carry`` takes every effect but ``WakeAt`` and must not wait: sinks have queues of their own."""
        self.state = state
        self._clock = clock
        self._carry = carry
        self._due: Instant | None = None
        self._due_changed = asyncio.Event()

    def submit(self, incoming: Input) -> None:
        """Take one input in and send its effects on their way."""
        for effect in step(self.state, incoming, self._clock.now()):
            if isinstance(effect, WakeAt):
                self._due = effect.at
                self._due_changed.set()
            else:
                self._carry(effect)

    def standing(self) -> Standing:
        """Where we stand now."""
        return standing(self.state, self._clock.now())

    async def keep_time(self) -> None:
        """Submit ``Woke`` whenever it is due and whenever the clock was set; runs for ever."""
        offset = self._clock.now() - self._clock.monotonic()
        while True:
            now = self._clock.now()
            until = now + SLEEP_MAX if self._due is None else min(self._due, now + SLEEP_MAX)
            self._due_changed.clear()
            try:
                async with asyncio.timeout(self._clock.seconds_until(until)):
                    await self._due_changed.wait()
            except TimeoutError:
                pass
            now = self._clock.now()
            moved = abs(now - self._clock.monotonic() - offset) > JUMP
            if moved:
                offset = now - self._clock.monotonic()
            if moved or (self._due is not None and self._due <= now):
                self._due = None
                self.submit(Woke())
