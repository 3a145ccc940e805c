"""Subscribers get the newest state, numbered, and a slow one holds no others."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest

from quotad import wire
from quotad.ipc.connection import Limits
from quotad.ipc.requests import Encoded, Method
from quotad.ipc.subscribers import Subscribers
from tests.ipc.talking import (
    HELLO,
    Client,
    Message,
    Talk,
    error,
    eventually,
    status,
    talking,
    turn,
    with_method,
)

BRIEFLY = 0.05
SIZE = 400_000


async def _subscribed(talk: Talk) -> tuple[Client, Message]:
    """A client that subscribed, and the first state it got."""
    client = talk.client()
    return client, (await client.ask("subscribe"))["result"]


def _large(number: int) -> Encoded:
    return Encoded(b'{"schema":%d,"advice":"%b"}' % (number, b"x" * SIZE))


async def test_the_first_reply_is_a_full_status() -> None:
    """Who subscribes gets the status at once, with the number of the newest state."""
    async with talking() as talk:
        assert {"seq": 0, "status": status()} == (await _subscribed(talk))[1]
        talk.server.subscribers.publish(status)
        assert {"seq": 1, "status": status()} == (await _subscribed(talk))[1]


async def test_changes_are_notifications() -> None:
    """Each change is told to every subscriber, numbered, under no id."""
    async with talking() as talk:
        clients = [(await _subscribed(talk))[0] for _ in range(3)]
        for number in (1, 2):
            talk.server.subscribers.publish(lambda number=number: status(schema=number))  # type: ignore[misc]
            for client in clients:
                expected = {"seq": number, "status": status(schema=number)}
                assert {"jsonrpc": "2.0", "method": "status", "params": expected} == await client.reply()


async def test_a_subscriber_may_ask_too() -> None:
    """Requests and changes share a connection."""
    async with talking() as talk:
        client, _ = await _subscribed(talk)
        assert HELLO == (await client.ask("hello"))["result"]
        talk.server.subscribers.publish(status)
        assert "status" == (await client.reply())["method"]


async def test_subscribing_twice_tells_once() -> None:
    """A second subscription of a connection answers a status again and changes nothing."""
    async with talking() as talk:
        client, _ = await _subscribed(talk)
        await client.ask("subscribe")
        talk.server.subscribers.publish(status)
        assert 1 == (await client.reply())["params"]["seq"]
        assert "result" in await client.ask("hello")


async def test_a_subscription_without_an_id_is_silent_until_a_change() -> None:
    """A notification subscribes and gets no reply."""
    async with talking() as talk:
        client = talk.client()
        await client.send(b'{"jsonrpc":"2.0","method":"subscribe"}\n')
        await eventually(lambda: len(talk.server.subscribers) == 1)
        talk.server.subscribers.publish(status)
        assert 1 == (await client.reply())["params"]["seq"]


async def test_subscribe_takes_no_parameters() -> None:
    """Unknown parameters are refused here too, and nobody is subscribed."""
    async with talking() as talk:
        assert (wire.INVALID_PARAMS, None) == error(await talk.client().ask("subscribe", every=5))
        assert 0 == len(talk.server.subscribers)


async def test_a_failing_status_subscribes_nobody() -> None:
    """When the first status is refused, so is the subscription."""

    async def refused(_: wire.NoParams) -> wire.StatusReply:
        raise wire.Refusal(wire.REFUSED, "not now", "ledger-unavailable")

    async with talking(with_method("status", Method(wire.NoParams, refused))) as talk:
        assert (wire.REFUSED, "ledger-unavailable") == error(await talk.client().ask("subscribe"))
        assert 0 == len(talk.server.subscribers)


async def test_a_subscriber_is_not_idle() -> None:
    """A subscriber that asks nothing outlives the idle time, which others who ask nothing do not."""
    async with talking(limits=Limits(idle=BRIEFLY)) as talk:
        client, _ = await _subscribed(talk)
        assert [] == await talk.client().rest()
        talk.server.subscribers.publish(status)
        assert 1 == (await client.reply())["params"]["seq"]


async def test_a_subscription_lasts_until_the_client_closes_its_side() -> None:
    """A client that subscribes and sends nothing more gets the first status, then the end."""
    async with talking() as talk:
        client = talk.client()
        await client.send(wire.request("subscribe", {}, 1))
        client.socket.shutdown(socket.SHUT_WR)
        assert [{"seq": 0, "status": status()}] == [message["result"] for message in await client.rest()]
        assert 0 == len(talk.server.subscribers)


async def test_a_subscriber_that_is_gone_is_forgotten() -> None:
    """Nothing is kept for a closed connection."""
    async with talking() as talk:
        client, _ = await _subscribed(talk)
        client.close()
        await eventually(lambda: len(talk.server.subscribers) == 0)


async def test_a_slow_subscriber_gets_the_newest_state() -> None:
    """What could not be sent in time is left out: the numbers have a gap, and the last state arrives."""
    async with talking() as talk:
        slow, _ = await _subscribed(talk)
        quick, _ = await _subscribed(talk)
        for number in range(1, 101):
            talk.server.subscribers.publish(lambda number=number: _large(number))  # type: ignore[misc]
            assert number == (await quick.reply())["params"]["seq"]
        seen = []
        while 100 not in seen:
            message = (await slow.reply())["params"]
            assert message["seq"] == message["status"]["schema"]
            seen.append(message["seq"])
        assert sorted(set(seen)) == seen
        assert len(seen) < 20
        assert HELLO == (await slow.ask("hello"))["result"]


async def test_a_subscriber_that_never_reads_costs_one_state_and_is_cut() -> None:
    """However many states there are, at most one of them waits for a deaf subscriber, and then it goes."""
    async with talking(limits=Limits(stall=BRIEFLY)) as talk:
        await _subscribed(talk)
        encoded = 0

        def state() -> Encoded:
            nonlocal encoded
            encoded += 1
            return _large(encoded)

        for _ in range(1000):
            talk.server.subscribers.publish(state)
        assert encoded < 20
        await eventually(lambda: len(talk.server.subscribers) == 0)
        await eventually(lambda: talk.server.connections == 0)


async def test_a_stop_ends_subscriptions() -> None:
    """A subscriber sees the end of the stream when the server stops."""
    async with talking() as talk:
        client, _ = await _subscribed(talk)
        kept = client.socket.dup()
    kept.settimeout(0)
    async with asyncio.timeout(5):
        assert b"" == await asyncio.get_running_loop().sock_recv(kept, 10)
    kept.close()


def test_a_state_is_encoded_once_and_only_for_somebody() -> None:
    """Without subscribers nothing is encoded; with many, each state is encoded once."""
    subscribers = Subscribers()
    calls: list[int] = []

    def state() -> Encoded:
        calls.append(1)
        return Encoded(b"{}")

    subscribers.publish(state)
    assert [] == calls
    lines: list[bytes] = []
    subscribers.add(lambda: lines.append(subscribers.newest()))
    subscribers.add(lambda: lines.append(subscribers.newest()))
    subscribers.publish(state)
    assert [b'{"jsonrpc":"2.0","method":"status","params":{"seq":2,"status":{}}}\n'] * 2 == lines
    assert [1] == calls


def test_there_is_no_newest_state_before_the_first() -> None:
    """Asking for what was never published is a bug and says so."""
    with pytest.raises(AssertionError):
        Subscribers().newest()


async def test_a_change_while_subscribing_is_not_lost() -> None:
    """A change during the making of the first status is in it, or is told after it."""
    server_subscribers: list[Subscribers] = []

    async def changing(_: wire.NoParams) -> wire.StatusReply:
        server_subscribers[0].publish(status)
        await turn()
        return status(schema=server_subscribers[0].number)

    async with talking(with_method("status", Method(wire.NoParams, changing))) as talk:
        server_subscribers.append(talk.server.subscribers)
        _, first = await _subscribed(talk)
        assert {"seq": 1, "status": status(schema=1)} == first
    with contextlib.suppress(ConnectionError):
        talk.close()
