"""One more line costs the same however much is known: counted in lines of code that run, not in seconds."""

from __future__ import annotations

import sys
from types import FrameType
from typing import TYPE_CHECKING

import pytest

from quotad.domain.inputs import Anchored, CaughtUp, PolicyChanged, QueueSeen, Recalled, Remembered, Seen
from quotad.domain.instant import DAY, HOUR, MINUTE, Instant
from quotad.domain.notice import Mark
from quotad.domain.policy import Policy, WindowSpec
from quotad.domain.queue import Outcome, PlannedId, Queue, Run
from quotad.domain.state import State
from quotad.domain.step import step
from quotad.domain.usage import SessionId
from tests.domain.build import ANA, T0, call, reading

if TYPE_CHECKING:
    from _typeshed import TraceFunction

NOW = T0 + 7 * DAY
RESETS = NOW + 2 * HOUR
POLICY = Policy(
    windows=(WindowSpec("five_hour", 5 * HOUR, 50_000), WindowSpec("seven_day", 7 * DAY, 900_000))
)
LIVE = 5
"""Sessions that are at work now."""


def grown(calls: int, sessions: int, readings: int, marks: int, runs: int) -> State:
    """A week of it behind us, and the same last hours whatever lies before them."""
    state = State(POLICY)
    step(state, PolicyChanged(POLICY, (ANA,)), NOW)
    horizon = state.accounts[ANA].horizon
    long_ago, until = NOW - 6 * DAY, 5 * DAY
    found = [
        call(f"old{number}", long_ago + number * until // calls, session=f"old{number % sessions}")
        for number in range(calls)
    ]
    found += [
        call(f"new{number}", NOW - 2 * HOUR + number * MINUTE, session=f"new{number % LIVE}")
        for number in range(100)
    ]
    told = [
        reading(
            min(90, number), NOW + DAY, long_ago + number * until // readings, window="seven_day", session="a"
        )
        for number in range(readings)
    ]
    told += [reading(60, RESETS, NOW - HOUR, session="new1")]
    step(state, Recalled(ANA, horizon, tuple(found), (), tuple(told), frozenset()), NOW)
    step(state, Anchored(ANA, horizon, {}, {SessionId(one.session): None for one in found}), NOW)
    step(
        state,
        Remembered(
            tuple(
                Mark(ANA, "threshold", "five_hour", 50, NOW - day * HOUR, NOW - day * HOUR + 1)
                for day in range(20, 20 + marks)
            )
        ),
        NOW,
    )
    over = tuple(
        Run(PlannedId("p"), SessionId("a"), long_ago - number * DAY, 1000, outcome=Outcome.COMPLETE)
        for number in range(runs)
    )
    step(state, QueueSeen(Queue(), over), NOW)
    step(state, CaughtUp(), NOW)
    return state


def cost(state: State, now: Instant) -> int:
    """Lines of code that run from one more line to where we stand."""
    line = Seen(ANA, (call(f"more{now}", now - 1, session="new1"),))
    count = 0

    def trace(_: FrameType, what: str, __: object) -> TraceFunction:
        nonlocal count
        count += what == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        step(state, line, now)
    finally:
        sys.settrace(before)
    return count


MUCH = [
    (20_000, 20, 5, 5, 5),
    (5_000, 5_000, 5, 5, 5),
    (50, 20, 1_000, 5, 5),
    (50, 20, 5, 1_000, 5),
    (50, 20, 5, 5, 5_000),
]


@pytest.mark.parametrize("much", MUCH)
def test_one_more_line_costs_the_same(much: tuple[int, int, int, int, int]) -> None:
    """With a hundred times the calls, sessions, readings, announcements or runs behind it."""
    little, grew = grown(50, 20, 5, 5, 5), grown(*much)
    for now in (NOW + 1000, NOW + 2000):
        expected, actual = cost(little, now), cost(grew, now)
        assert actual < 1.1 * expected
