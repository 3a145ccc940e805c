"""A status that many share is one that each of them could have got alone."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotad import wire
from quotad.ipc.requests import NO_PARAMS, Call, Method, encoded
from quotad.ipc.shared import SharedStatus
from quotad.ipc.subscribers import Subscribers
from tests.ipc.talking import status, talking, with_method


class World:
    """Counts what has happened in it; its status is that number, told after a while if it is to wait."""

    def __init__(self) -> None:
        self.happened = 0
        self.statuses = 0
        self.begun = asyncio.Semaphore(0)
        """Free as often as a status was begun."""
        self.gate = asyncio.Event()
        self.gate.set()
        self.subscribers = Subscribers()
        self.shared = SharedStatus(Method(wire.NoParams, self._status), self.subscribers)

    async def _status(self, _: wire.NoParams) -> wire.StatusReply:
        self.statuses += 1
        self.begun.release()
        happened = self.happened
        await self.gate.wait()
        return status(happened=happened)

    def change(self) -> None:
        """Something happens, and subscribers are told."""
        self.happened += 1
        self.subscribers.publish(status)


async def told(call: Call) -> int:
    """What had happened, as the answer says."""
    happened = json.loads(encoded(await call(NO_PARAMS)))["happened"]
    assert isinstance(happened, int)
    return happened


async def test_one_answer_serves_all_who_had_asked() -> None:
    """And nobody who asks later."""
    world = World()
    crowd = [world.shared.asked() for _ in range(200)]
    assert {0} == {await told(call) for call in crowd}
    assert 1 == world.statuses
    late = world.shared.asked()
    world.happened += 1
    assert 1 == await told(late)


async def test_who_asks_while_an_answer_is_made_gets_another() -> None:
    """What happened meanwhile may not be in the first one."""
    world = World()
    world.gate.clear()
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(told(world.shared.asked()))
        await world.begun.acquire()
        world.happened += 1
        second = tasks.create_task(told(world.shared.asked()))
        await world.begun.acquire()
        world.gate.set()
    assert (0, 1) == (first.result(), second.result())


async def test_wrong_parameters_are_refused_to_whoever_sent_them() -> None:
    """An answer that is there already changes nothing."""
    world = World()
    right, wrong = world.shared.asked(), world.shared.asked()
    await told(right)
    with pytest.raises(wire.Refusal, match="colour"):
        await wrong(b'{"colour":1}')


@given(st.lists(st.sampled_from(["ask", "happen", "change"]) | st.integers(0, 9), max_size=30))
def test_no_answer_is_older_than_its_question_or_a_change(steps: list[str | int]) -> None:
    """Whoever is answered in whatever order, between whatever happens, with subscribers told or not."""

    async def play() -> None:
        world = World()
        open_: list[tuple[int, Call]] = []
        changed = 0
        for step in steps:
            match step:
                case "ask":
                    open_.append((world.happened, world.shared.asked()))
                case "happen":
                    world.happened += 1
                case "change":
                    world.change()
                    changed = world.happened
                case int() if open_:
                    before, call = open_.pop(step % len(open_))
                    assert max(before, changed) <= await told(call) <= world.happened
                case _:
                    pass

    asyncio.run(play())


async def test_a_crowd_of_connections_shares() -> None:
    """Fifty that have all asked before the server looks at the first are answered with fewer statuses."""
    world = World()
    methods = with_method("status", Method(wire.NoParams, world._status))  # noqa: SLF001 - it is the same
    async with talking(methods) as talk:
        crowd = [talk.client() for _ in range(50)]
        for number, client in enumerate(crowd):
            await client.send(wire.request("status", {}, number))
        assert [*range(50)] == [(await client.reply())["id"] for client in crowd]
    assert world.statuses < len(crowd)
