"""The socket as clients meet it: order, splits, deadlines, limits, and people who are gone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotad import wire
from quotad.ipc.connection import TURNED_AWAY_MAX, Limits
from quotad.ipc.requests import Encoded, Method
from quotad.ipc.server import Server
from quotad.ipc.socket_file import SocketRefused
from tests.ipc.talking import (
    HELLO,
    METHODS,
    PATIENCE_S,
    Message,
    Talk,
    error,
    eventually,
    hello,
    places,
    status,
    talking,
    turn,
    with_method,
)

BRIEFLY = 0.05
LARGE = Encoded(b'"%b"' % (b"x" * 8_000_000))


class Gate:
    """A method that has begun and waits until the test lets it go on."""

    def __init__(self) -> None:
        self.begun = 0
        self.cancelled = 0
        self.open = asyncio.Event()

    async def __call__(self, _: wire.NoParams) -> wire.Done:
        self.begun += 1
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return {"ok": True}


async def _large(_: wire.NoParams) -> Encoded:
    return LARGE


def _request(number: int, method: str = "hello", **params: object) -> bytes:
    return wire.request(method, params, number)


async def test_a_request_is_answered() -> None:
    """A method's result comes back under the request's id."""
    async with talking() as talk:
        client = talk.client()
        assert {"jsonrpc": "2.0", "id": 1, "result": HELLO} == await client.ask("hello")
        assert status() == (await client.ask("status"))["result"]
        assert 2.5 == (await client.ask("sync", timeout=2.5))["result"]["seconds"]


async def test_an_unknown_method_is_named_so() -> None:
    """A method that does not exist, or that nobody carries out, has its own code."""
    async with talking() as talk:
        client = talk.client()
        assert (wire.NO_SUCH_METHOD, None) == error(await client.ask("no.such"))
        assert (wire.NO_SUCH_METHOD, None) == error(await client.ask("reload"))


async def test_only_methods_of_the_wire_are_served() -> None:
    """A misspelt method, or one with another's parameters, is found when the server is made."""
    with places() as paths:
        for name in ("statos", "sync", "subscribe"):
            with pytest.raises(ValueError, match=name):
                Server(paths, {name: Method(wire.NoParams, hello)})


async def test_requests_in_one_packet_are_answered_in_order() -> None:
    """Pipelined requests, good and bad, get their replies in the order of asking."""
    async with talking() as talk:
        client = talk.client()
        await client.send(
            _request(1) + b"nonsense\n" + _request(2, "sync", timeout="x") + _request(3, "status")
        )
        replies = [await client.reply() for _ in range(4)]
        assert [1, None, 2, 3] == [reply["id"] for reply in replies]
        assert [wire.PARSE_ERROR, wire.INVALID_PARAMS] == [reply["error"]["code"] for reply in replies[1:3]]


async def test_a_slow_request_holds_only_its_own_connection() -> None:
    """While one request waits, its connection's next one does too, and another connection's is answered."""
    gate = Gate()
    async with talking(with_method("doctor", Method(wire.NoParams, gate))) as talk:
        waiting, other = talk.client(), talk.client()
        await waiting.send(_request(1, "doctor") + _request(2))
        await eventually(lambda: gate.begun)
        assert HELLO == (await other.ask("hello"))["result"]
        gate.open.set()
        assert [1, 2] == [(await waiting.reply())["id"] for _ in range(2)]


async def test_notifications_get_no_reply() -> None:
    """A request without an id is carried out in silence, and so is one that is wrong."""
    gate = Gate()
    gate.open.set()
    async with talking(with_method("doctor", Method(wire.NoParams, gate))) as talk:
        client = talk.client()
        for member in (
            b'"method":"doctor"',
            b'"method":"no.such"',
            b'"method":"sync","params":{"timeout":"x"}',
        ):
            await client.send(b'{"jsonrpc":"2.0",%b}\n' % member)
        assert 1 == (await client.ask("hello"))["id"]
        assert 1 == gate.begun


REQUESTS = [
    _request(1),
    _request(2, "sync", timeout=5),
    _request(3, "sync", timeout="é\u2028"),
    _request(4, "no.such"),
    b'{"jsonrpc":"2.0","method":"hello"}\n',
    b'{"jsonrpc":"2.0","method":"hello","id":"\\ud800"}\n',
    '{"jsonrpc":"2.0","method":"hello","id":"é"}\r\n'.encode(),
    b"[]\n",
    b"\n",
    b"\xff\xfe\n",
]


async def _replies(talk: Talk, chunks: list[bytes]) -> list[Message]:
    client = talk.client()
    for chunk in chunks:
        await client.send(chunk)
        await turn()
    client.socket.shutdown(socket.SHUT_WR)
    return await client.rest()


@given(st.lists(st.sampled_from(REQUESTS), max_size=8), st.lists(st.integers(0, 400), max_size=12))
async def test_any_split_gets_the_same_replies(requests: list[bytes], cuts: list[int]) -> None:
    """Wherever the stream of requests is cut, the replies are those to each request alone, in order."""
    stream = b"".join(requests)
    async with talking() as talk:
        alone = [reply for request in requests for reply in await _replies(talk, [request])]
        ends = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
        assert alone == await _replies(talk, [stream[begin:end] for begin, end in pairwise(ends)])


async def test_one_byte_at_a_time() -> None:
    """A request that comes byte by byte is answered like any other."""
    async with talking() as talk:
        raw = _request(5, "sync", timeout=1)
        assert [5] == [
            reply["id"] for reply in await _replies(talk, [raw[i : i + 1] for i in range(len(raw))])
        ]


async def test_a_request_without_its_newline_is_none() -> None:
    """What stands behind the last newline when the client stops sending is not carried out."""
    async with talking() as talk:
        assert [] == await _replies(talk, [_request(1).rstrip()])


@pytest.mark.parametrize("surplus", [0, 1])
async def test_requests_have_a_limit(surplus: int) -> None:
    """A request of the largest size is answered; one byte more is refused, and nothing after it is read."""
    padded = b'{"jsonrpc":"2.0","method":"hello","id":1%b}\n'
    raw = padded % (b" " * (wire.REQUEST_BYTES_MAX + 1 - len(padded % b"") + surplus))
    async with talking() as talk:
        client = talk.client()
        await client.send(raw + _request(2))
        if surplus:
            assert (wire.INVALID_REQUEST, "too-large") == error(await client.reply())
        else:
            assert [1, 2] == [(await client.reply())["id"] for _ in range(2)]
            client.socket.shutdown(socket.SHUT_WR)
        assert [] == await client.rest()


async def test_a_client_that_sends_far_too_much_learns_why() -> None:
    """The refusal arrives although the client is still sending when it is made."""
    async with talking() as talk:
        client = talk.client()
        await client.send(b"x" * (8 * wire.REQUEST_BYTES_MAX))
        assert (wire.INVALID_REQUEST, "too-large") == error(await client.reply())


async def test_requests_wait_in_the_kernel_when_many_are_sent() -> None:
    """A client that sends without end while a request is in work is read no further than the limit."""
    gate = Gate()
    async with talking(with_method("doctor", Method(wire.NoParams, gate))) as talk:
        client = talk.client()
        await client.send(_request(1, "doctor"))
        sent = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BRIEFLY * 4):
                while True:
                    await client.send(_request(2) * 1000)
                    sent += 1000
        assert sent * len(_request(2)) < 4 * wire.REQUEST_BYTES_MAX
        gate.open.set()
        assert 1 == (await client.reply())["id"]
        assert 2 == (await client.reply())["id"]


async def test_a_flood_of_bad_requests_holds_nobody_up() -> None:
    """One chunk of very many bad requests is worked off between others' requests."""
    async with talking() as talk:
        flood, other = talk.client(), talk.client()
        await flood.send(b"\n" * 50_000)
        assert HELLO == (await other.ask("hello"))["result"]
        assert wire.PARSE_ERROR == (await flood.reply())["error"]["code"]


async def test_a_request_has_a_deadline_from_its_first_byte() -> None:
    """A client that sends byte after byte is told at the deadline and cut; others are not hurt."""
    async with talking(limits=Limits(message=BRIEFLY)) as talk:
        slow, other = talk.client(), talk.client()
        begun = asyncio.get_running_loop().time()
        with contextlib.suppress(ConnectionError):
            while True:
                await slow.send(b" ")
                assert HELLO == (await other.ask("hello"))["result"]
                if asyncio.get_running_loop().time() - begun > PATIENCE_S:
                    pytest.fail("nobody was cut")
        assert (wire.REFUSED, "timed-out") == error(await slow.reply())
        assert asyncio.get_running_loop().time() - begun < PATIENCE_S / 2


async def test_the_silent_are_closed() -> None:
    """A client without a request is closed after the idle time, before and after its first one."""
    async with talking(limits=Limits(idle=BRIEFLY)) as talk:
        silent, once = talk.client(), talk.client()
        assert HELLO == (await once.ask("hello"))["result"]
        assert [] == await silent.rest()
        assert [] == await once.rest()
        assert 0 == talk.server.connections


async def test_working_is_not_idle() -> None:
    """A client whose request takes longer than the idle time is not closed."""
    gate = Gate()
    async with talking(with_method("doctor", Method(wire.NoParams, gate)), Limits(idle=BRIEFLY)) as talk:
        working = talk.client()
        await working.send(_request(1, "doctor"))
        await eventually(lambda: gate.begun)
        assert [] == await talk.client().rest()
        gate.open.set()
        assert 1 == (await working.reply())["id"]


async def test_a_client_may_stop_sending() -> None:
    """What was asked before the client closed its side is answered, then the connection ends."""
    gate = Gate()
    async with talking(with_method("doctor", Method(wire.NoParams, gate))) as talk:
        client = talk.client()
        await client.send(_request(1, "doctor") + _request(2))
        client.socket.shutdown(socket.SHUT_WR)
        await eventually(lambda: gate.begun)
        gate.open.set()
        assert [1, 2] == [reply["id"] for reply in await client.rest()]


async def test_a_client_that_is_gone_is_no_fault(caplog: pytest.LogCaptureFixture) -> None:
    """Clients that vanish before, during and after their reply leave no connection and no line in the log."""
    gate = Gate()
    methods = {**METHODS, "doctor": Method(wire.NoParams, gate), "notify.test": Method(wire.NoParams, _large)}
    async with talking(methods) as talk:
        before, during, after = talk.client(), talk.client(), talk.client()
        await before.send(_request(1, "doctor"))
        await eventually(lambda: gate.begun)
        before.close()
        await during.send(_request(1, "notify.test"))
        await eventually(lambda: during.socket.recv(10, socket.MSG_PEEK) if _readable(during.socket) else b"")
        during.close()
        await after.send(_request(1) + b"half a requ")
        after.close()
        await eventually(lambda: talk.server.connections == 1)
        gate.open.set()
        await eventually(lambda: talk.server.connections == 0)
        assert HELLO == (await talk.client().ask("hello"))["result"]
    assert [] == caplog.records


def _readable(connection: socket.socket) -> bool:
    try:
        return bool(connection.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False


async def test_who_does_not_read_is_cut() -> None:
    """A client that reads nothing of its reply is cut, and its further requests are not carried out."""
    calls = 0

    async def large(_: wire.NoParams) -> Encoded:
        nonlocal calls
        calls += 1
        return LARGE

    async with talking(with_method("doctor", Method(wire.NoParams, large)), Limits(stall=BRIEFLY)) as talk:
        client = talk.client()
        await client.send(_request(1, "doctor") * 5)
        await eventually(lambda: calls)
        await eventually(lambda: talk.server.connections == 0)
        assert 1 == calls


async def test_who_reads_slowly_is_not_cut() -> None:
    """A reply may take longer than the stall time as long as some of it is read."""
    async with talking(with_method("doctor", Method(wire.NoParams, _large)), Limits(stall=BRIEFLY)) as talk:
        client = talk.client()
        await client.send(_request(1, "doctor"))
        loop = asyncio.get_running_loop()
        begun, read = loop.time(), 0
        while read < len(LARGE):
            async with asyncio.timeout(PATIENCE_S):
                read += len(await loop.sock_recv(client.socket, 300_000))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BRIEFLY / 5):
                    await asyncio.Event().wait()
        assert loop.time() - begun > 3 * BRIEFLY


async def test_two_hundred_clients_at_once() -> None:
    """Clients that all connect and ask before any of them is accepted are all answered."""
    async with talking() as talk:
        clients = [talk.client() for _ in range(200)]
        for number, client in enumerate(clients):
            await client.send(_request(number) * 5)
        for number, client in enumerate(clients):
            assert [number] * 5 == [(await client.reply())["id"] for _ in range(5)]


async def test_connections_have_a_limit() -> None:
    """One connection too many is told so and closed; when another has gone there is room again."""
    assert Limits().connections >= 256
    async with talking(limits=Limits(connections=2)) as talk:
        first, second, third = talk.client(), talk.client(), talk.client()
        assert HELLO == (await first.ask("hello"))["result"]
        assert HELLO == (await second.ask("hello"))["result"]
        await third.send(_request(7) + _request(8))
        assert [(7, (wire.REFUSED, "busy"))] == [(reply["id"], error(reply)) for reply in await third.rest()]
        first.close()
        await eventually(lambda: talk.server.connections == 1)
        assert HELLO == (await talk.client().ask("hello"))["result"]


async def test_the_turned_away_have_limits_too() -> None:
    """Silent clients for whom there is no room are closed at the deadline, and few of them are kept."""
    async with talking(limits=Limits(connections=0, message=BRIEFLY)) as talk:
        clients = [talk.client() for _ in range(TURNED_AWAY_MAX + 3)]
        told = [[error(reply) for reply in await client.rest()] for client in clients]
        assert [[]] * TURNED_AWAY_MAX + [[(wire.REFUSED, "busy")]] * 3 == told


async def test_a_vanished_client_holds_its_place_while_its_request_is_in_work() -> None:
    """Asking and leaving again and again does not pile up work."""
    gate = Gate()
    async with talking(with_method("doctor", Method(wire.NoParams, gate)), Limits(connections=1)) as talk:
        gone = talk.client()
        await gone.send(_request(1, "doctor"))
        await eventually(lambda: gate.begun)
        gone.close()
        assert (wire.REFUSED, "busy") == error(await talk.client().ask("hello"))
        gate.open.set()
        await eventually(lambda: talk.server.connections == 0)


async def test_a_lost_client_holds_its_place_while_its_request_is_in_work() -> None:
    """The same when the connection is already known to be lost, because a change could not be told."""
    gate = Gate()
    async with talking(with_method("doctor", Method(wire.NoParams, gate))) as talk:
        gone = talk.client()
        await gone.ask("subscribe")
        await gone.send(_request(1, "doctor"))
        await eventually(lambda: gate.begun)
        gone.close()
        talk.server.subscribers.publish(status)
        await eventually(lambda: len(talk.server.subscribers) == 0)
        assert 1 == talk.server.connections
        gate.open.set()
        await eventually(lambda: talk.server.connections == 0)


@contextlib.contextmanager
def _somebody_else() -> Iterator[int]:
    """Become another user for a moment if we may, else let the server take us for one: the admitted uid."""
    if os.geteuid() != 0:
        yield os.geteuid() + 1
        return
    os.seteuid(65534)
    try:
        yield 0
    finally:
        os.seteuid(0)


async def test_another_user_is_not_answered(caplog: pytest.LogCaptureFixture) -> None:
    """A process of another user is cut although the socket's mode lets it in, and that is logged."""
    with _somebody_else() as admitted:
        pass
    async with talking(admitted=admitted) as talk:
        talk.paths.socket.parent.parent.chmod(0o755)
        talk.paths.socket.parent.chmod(0o755)
        talk.paths.socket.chmod(0o666)
        with _somebody_else():
            stranger = talk.client()
        with contextlib.suppress(ConnectionError):
            await stranger.send(_request(1))
            assert [] == await stranger.rest()
        assert 0 == talk.server.connections
    assert ["refused a connection from user %d"] == [record.msg for record in caplog.records]


@contextlib.asynccontextmanager
async def _stoppable(gate: Gate, limits: Limits | None = None) -> AsyncIterator[tuple[Talk, asyncio.Event]]:
    """A server that begins to stop when the event is set, while the test goes on."""
    stop = asyncio.Event()
    ready: asyncio.Future[Server] = asyncio.get_running_loop().create_future()

    async def serve() -> None:
        async with Server(paths, with_method("doctor", Method(wire.NoParams, gate)), limits) as server:
            ready.set_result(server)
            await stop.wait()

    with places() as paths:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(serve())
            talk = Talk(await ready, paths)
            yield talk, stop
            stop.set()
        talk.close()


async def test_a_stop_lets_requests_finish() -> None:
    """Who is being answered at a stop gets the answer; who is idle is closed; nobody new is let in."""
    gate = Gate()
    async with _stoppable(gate) as (talk, stop):
        asking, idle = talk.client(), talk.client()
        await asking.send(_request(1, "doctor") + _request(2))
        assert HELLO == (await idle.ask("hello"))["result"]
        await eventually(lambda: gate.begun)
        stop.set()
        assert [] == await idle.rest()
        with pytest.raises(FileNotFoundError):
            talk.client()
        gate.open.set()
        assert [1] == [reply["id"] for reply in await asking.rest()]


async def test_a_stop_does_not_wait_for_ever() -> None:
    """A request that is not done in time is cancelled and refused, and who does not read is cut."""
    gate = Gate()
    async with _stoppable(gate, Limits(stop=BRIEFLY)) as (talk, stop):
        asking, deaf = talk.client(), talk.client()
        await asking.send(_request(7, "doctor"))
        await deaf.send(_request(8, "doctor"))
        await eventually(lambda: gate.begun == 2)
        stop.set()
        refused = await asking.rest()
        assert [(wire.REFUSED, "shutting-down")] == [error(reply) for reply in refused]
        assert [7] == [reply["id"] for reply in refused]
        assert 2 == gate.cancelled


async def test_a_stop_with_nobody_there_is_quick() -> None:
    """Without connections there is nothing to wait for."""
    async with asyncio.timeout(PATIENCE_S), talking(limits=Limits(stop=1000)):
        pass


async def test_a_stop_cuts_who_does_not_read() -> None:
    """A reply that nobody reads does not keep the server alive."""
    async with asyncio.timeout(PATIENCE_S):
        async with talking(
            with_method("doctor", Method(wire.NoParams, _large)), Limits(stop=BRIEFLY, stall=1000)
        ) as talk:
            client = talk.client()
            await client.send(_request(1, "doctor"))
            await eventually(lambda: _readable(client.socket))
            deaf = client.socket.dup()
        deaf.close()


async def test_what_ends_the_body_passes_as_it_is() -> None:
    """An error of whoever runs the server is not wrapped, and the socket is gone."""
    with places() as paths:
        with pytest.raises(ZeroDivisionError):
            async with Server(paths, METHODS):
                raise ZeroDivisionError
        assert not paths.socket.exists()


async def test_a_swept_socket_is_made_again() -> None:
    """When the socket's file has vanished it comes back, and connections that were there stay."""
    async with talking() as talk:
        early = talk.client()
        assert HELLO == (await early.ask("hello"))["result"]
        assert not await talk.server.keep_listening()
        talk.paths.socket.unlink()
        assert await talk.server.keep_listening()
        assert not await talk.server.keep_listening()
        assert HELLO == (await talk.client().ask("hello"))["result"]
        assert HELLO == (await early.ask("hello"))["result"]


async def test_a_swept_directory_is_made_again() -> None:
    """The same when the whole directory has vanished."""
    async with talking() as talk:
        talk.paths.socket.unlink()
        talk.paths.socket.parent.rmdir()
        assert await talk.server.keep_listening()
        assert HELLO == (await talk.client().ask("hello"))["result"]


async def test_a_stolen_place_is_taken_back_when_it_is_free() -> None:
    """What stands in the socket's place is refused by name and left alone; later the socket is made."""
    async with talking() as talk:
        talk.paths.socket.unlink()
        talk.paths.socket.write_text("mine")
        with pytest.raises(SocketRefused, match="is a file, not a socket"):
            await talk.server.keep_listening()
        assert "mine" == talk.paths.socket.read_text()
        talk.paths.socket.unlink()
        assert await talk.server.keep_listening()
        assert HELLO == (await talk.client().ask("hello"))["result"]
