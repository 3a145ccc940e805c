"""Handing over to the engine: at once what is little, in portions what is much."""

from __future__ import annotations

from quotad.clock import SystemClock
from quotad.domain.inputs import PolicyChanged, Seen
from quotad.domain.policy import Policy
from quotad.domain.state import State
from quotad.engine import Engine
from quotad.intake.portions import PORTION, submit
from tests.domain.build import ANA, call


class RestingClock(SystemClock):
    """Counts how often others have had their turn."""

    def __init__(self) -> None:
        self.rests = 0

    async def sleep(self, seconds: float) -> None:
        self.rests += 1
        await super().sleep(seconds)


async def handed_over(seen: Seen) -> tuple[int, int]:
    """How often others have their turn, and how many of the calls are known afterwards."""
    clock = RestingClock()
    engine = Engine(State(Policy()), clock, lambda _: None)
    engine.submit(PolicyChanged(engine.state.policy, (ANA,)))
    await submit(engine, seen, clock)
    ledger = engine.state.accounts[ANA].ledger
    return clock.rests, sum(ledger.holds(event.message) for event in seen.usage)


def calls(count: int) -> Seen:
    """So many calls, now."""
    now = SystemClock().now()
    return Seen(ANA, tuple(call(f"m{number}", at=now) for number in range(count)))


async def test_a_few_lines_are_taken_in_at_once() -> None:
    """Waiting for others would cost as much as taking them in."""
    assert (0, 3) == await handed_over(calls(3))


async def test_between_portions_others_have_their_turn() -> None:
    """Everything is taken in all the same."""
    rests, known = await handed_over(calls(2 * PORTION + 1))
    assert rests >= 2
    assert 2 * PORTION + 1 == known
