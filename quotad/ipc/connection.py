"""One client's connection: requests one after the other, deadlines for whoever keeps others waiting.

At most one request of a connection is in work; further ones wait, bounded, in its buffer, and replies come in
the order of the requests. A subscriber is told of changes in between. Everything here runs on the loop and
never waits; only the methods do.
"""

from __future__ import annotations

import asyncio
import logging
from typing import NamedTuple

from msgspec import Struct, field

from quotad import wire
from quotad.ipc import peer
from quotad.ipc.framing import Lines, TooLong
from quotad.ipc.requests import (
    Answer,
    Call,
    Malformed,
    Methods,
    Request,
    change,
    decode,
    error_line,
    reply,
)
from quotad.ipc.shared import SharedStatus
from quotad.ipc.subscribers import Subscribers

TURNED_AWAY_MAX = 16
"""Connections beyond the limit that are kept until they have been told so."""

READ_BYTES = 64 * 1024
"""So much is read of a connection at once."""

SUBSCRIBE = "subscribe"
STATUS = "status"

_log = logging.getLogger(__name__)


class Limits(NamedTuple):
    """What a client may ask of the daemon; lengths of time are in seconds of the loop's clock."""

    connections: int = 512
    message: float = 5.0
    """From the first byte of a request to its newline."""
    idle: float = 60.0
    """Without a request, unless subscribed."""
    stall: float = 5.0
    """Without reading anything of what waits to be sent."""
    stop: float = 2.0
    """For the requests in work when the daemon stops."""


class Clients(Struct):
    """What all connections share, and all connections there are."""

    methods: Methods
    status: SharedStatus
    subscribers: Subscribers
    limits: Limits
    admitted: int
    """The uid whose processes may ask."""
    tasks: asyncio.TaskGroup
    connections: set[Connection] = field(default_factory=set)
    turned_away: set[Connection] = field(default_factory=set)
    """Those for whom there was no room, until they have been told."""
    arriving: memoryview = field(default_factory=lambda: memoryview(bytearray(READ_BYTES)))
    """Where the kernel puts what is read: it is taken out before anybody else's is read. Without it asyncio
    makes room for 256 KB anew for each request, which may cost as much as the rest of reading it."""
    stopping: bool = False
    all_gone: asyncio.Event = field(default_factory=asyncio.Event)
    """While stopping: set once no connection is left."""

    def release(self, connection: Connection) -> None:
        self.connections.discard(connection)
        self.turned_away.discard(connection)
        if self.stopping and not self.everybody:
            self.all_gone.set()

    @property
    def everybody(self) -> set[Connection]:
        return self.connections | self.turned_away


class Connection(asyncio.BufferedProtocol):
    """The state of one connection; asyncio calls it when something happens there."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._loop = asyncio.get_running_loop()
        self._lines = Lines()
        self._transport: asyncio.Transport
        self._busy = False
        """A request is in work."""
        self._task: asyncio.Task[None] | None = None
        self._paused = False
        """Something waits to be read by the client."""
        self._ended = False
        """The client sends nothing more."""
        self._refused = False
        """The client has got its last reply; what it still sends is dropped."""
        self._lost = False
        self._seen = 0
        """Number of the newest state the client was told of."""
        self._waiting: asyncio.TimerHandle | None = None
        self._waiting_for_rest = False
        self._stall: asyncio.TimerHandle | None = None

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        clients = self._clients
        user = peer.uid(transport.get_extra_info("socket"))
        if user != clients.admitted:
            _log.warning("refused a connection from user %d", user)
            transport.abort()
        elif len(clients.connections) >= clients.limits.connections or clients.stopping:
            _log.warning("refused a connection: %d are open", len(clients.connections))
            self._turn_away()
        else:
            clients.connections.add(self)
            # Whatever the kernel does not take is a reason to wait: at most one line is kept here.
            transport.set_write_buffer_limits(high=0)
            self._wait()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - it knows no better
        return self._clients.arriving

    def buffer_updated(self, nbytes: int) -> None:
        if self._refused:
            return
        self._lines.feed(self._clients.arriving[:nbytes])
        if self._lines.overfull:
            self._transport.pause_reading()
        self._go_on()

    def eof_received(self) -> bool:
        """Whether to stay open: replies may be under way to a client that has only stopped sending.

        A subscriber that has done so is taken for gone, because one that is gone looks no different and would
        hold its place until the next change.
        """
        self._ended = True
        return not self._refused and (self._busy or self._paused)

    def pause_writing(self) -> None:
        self._paused = True
        self._watch_stall(self._transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        self._paused = False
        _cancel(self._stall)
        if self._subscribed:
            self._tell()
        self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - see below
        """A client that is gone is no fault, whatever it left unread."""
        self._lost = True
        _cancel(self._waiting)
        _cancel(self._stall)
        self._clients.subscribers.discard(self._tell)
        if not self._busy:
            self._clients.release(self)

    # What the server calls

    def stop(self) -> None:
        """The daemon stops: close once the request in work is answered."""
        if not self._busy:
            self._transport.close()

    def give_up(self) -> None:
        """The daemon waits no longer for the request in work."""
        if self._task is not None:
            self._task.cancel()

    def abort(self) -> None:
        """Close now, whatever was not read yet."""
        self._transport.abort()

    # Requests

    def _go_on(self) -> None:
        """Begin with the next request if there is one and its reply could be sent."""
        if self._busy or self._paused or self._lost or self._refused:
            return
        try:
            line = self._lines.take()
        except TooLong:
            self._refuse_the_rest()
            return
        if line is not None:
            self._begin(line)
        elif self._ended:
            self._transport.close()
        else:
            self._transport.resume_reading()
            self._wait()

    def _begin(self, line: bytes) -> None:
        request = decode(line)
        if self in self._clients.turned_away:
            self._refused = True
            self._send(self._no_room(request.id))
            self._transport.close()
            return
        self._busy = True
        self._stop_waiting()
        if isinstance(request, Malformed):
            self._finish_soon(error_line(*request))
        elif (call := self._call(request.method)) is not None:
            self._task = self._clients.tasks.create_task(self._answer(request, call))
        elif request.notification:
            self._finish_soon(b"")
        else:
            self._finish_soon(error_line(request.id, wire.NO_SUCH_METHOD, "there is no such method"))

    def _call(self, name: str) -> Call | None:
        if name == SUBSCRIBE:
            return self._subscribe
        if name == STATUS:
            return self._clients.status.asked()
        method = self._clients.methods.get(name)
        return None if method is None else method.call

    async def _answer(self, request: Request, call: Call) -> None:
        try:
            line = await reply(request, call)
        except asyncio.CancelledError:
            self._finish(_shutting_down(request.id))
            raise
        self._finish(b"" if request.notification else line)

    def _finish_soon(self, line: bytes) -> None:
        """Answer without having waited, and let the loop breathe: one chunk may hold 350,000 bad requests."""
        self._loop.call_soon(self._finish, line)

    def _finish(self, line: bytes) -> None:
        self._busy = False
        if self._lost:
            self._clients.release(self)
            return
        self._send(line)
        if self._clients.stopping:
            self._transport.close()
        else:
            self._go_on()

    def _send(self, line: bytes) -> None:
        if line and not self._transport.is_closing():
            self._transport.write(line)

    # Subscription

    @property
    def _subscribed(self) -> bool:
        return self._tell in self._clients.subscribers

    async def _subscribe(self, params: bytes) -> Answer:
        clients = self._clients
        status = await clients.methods[STATUS].call(params)
        self._seen = clients.subscribers.number
        if not self._lost:
            clients.subscribers.add(self._tell)
        return change(self._seen, status)

    def _tell(self) -> None:
        subscribers = self._clients.subscribers
        if self._seen < subscribers.number and not self._paused:
            self._seen = subscribers.number
            self._send(subscribers.newest())

    # Deadlines

    def _wait(self) -> None:
        """Nothing to do: wait for the rest of a request, or for one to begin."""
        limits = self._clients.limits
        if not self._lines.pending:
            self._stop_waiting()
            if not self._subscribed:
                self._waiting = self._loop.call_later(limits.idle, self._transport.close)
        elif not self._waiting_for_rest:
            self._stop_waiting()
            self._waiting_for_rest = True
            self._waiting = self._loop.call_later(limits.message, self._rest_is_late)

    def _stop_waiting(self) -> None:
        _cancel(self._waiting)
        self._waiting = None
        self._waiting_for_rest = False

    def _turn_away(self) -> None:
        """There is no room: say so to the first request, which is on its way, if there is room for that."""
        if len(self._clients.turned_away) < TURNED_AWAY_MAX:
            self._clients.turned_away.add(self)
            self._waiting = self._loop.call_later(self._clients.limits.message, self._transport.close)
        else:
            self._send(self._no_room(None))
            self._transport.close()

    def _no_room(self, identity: wire.RequestId) -> bytes:
        if self._clients.stopping:
            return _shutting_down(identity)
        return error_line(identity, wire.REFUSED, "too many connections: try again", "busy")

    def _rest_is_late(self) -> None:
        self._part(error_line(None, wire.REFUSED, "the rest of the request did not come", "timed-out"))

    def _refuse_the_rest(self) -> None:
        message = f"a request may have {wire.REQUEST_BYTES_MAX} bytes"
        self._part(error_line(None, wire.INVALID_REQUEST, message, "too-large"))

    def _part(self, line: bytes) -> None:
        """Send the last reply, and for a while read and drop what the client is still sending.

        A connection that is closed at once breaks the client's sending, and it never reads why.
        """
        self._refused = True
        self._lines = Lines()
        self._stop_waiting()
        self._clients.subscribers.discard(self._tell)
        self._send(line)
        self._transport.resume_reading()
        self._transport.write_eof()
        self._waiting = self._loop.call_later(self._clients.limits.message, self._transport.abort)

    def _watch_stall(self, left: int) -> None:
        self._stall = self._loop.call_later(self._clients.limits.stall, self._stalled, left)

    def _stalled(self, left: int) -> None:
        """Cut a client that has read nothing of what waits since ``left`` bytes were left."""
        now_left = self._transport.get_write_buffer_size()
        if now_left < left:
            self._watch_stall(now_left)
        else:
            _log.info("cut a connection that does not read: %d bytes waited", now_left)
            self._transport.abort()


def _shutting_down(identity: wire.RequestId) -> bytes:
    return error_line(identity, wire.REFUSED, "quotad is shutting down", "shutting-down")


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
