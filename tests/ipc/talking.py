"""A server of made-up methods and a client that sees every byte, for the tests of the socket."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, cast

from quotad import wire
from quotad.ipc.connection import Limits
from quotad.ipc.requests import Method, Methods
from quotad.ipc.server import Server

PATIENCE_S = 10.0

Message = dict[str, Any]

HELLO: wire.Hello = {"protocol": wire.PROTOCOL, "version": "0.0.1", "pid": 1, "instance": "here"}


@contextmanager
def places() -> Iterator[wire.Paths]:
    """Paths below a directory whose name is short enough for a socket; nothing of them exists yet."""
    directory = Path(tempfile.mkdtemp(dir="/tmp"))
    try:
        yield wire.Paths(
            directory / "claude", directory / "config.toml", directory / "state", directory / "run" / "q.sock"
        )
    finally:
        shutil.rmtree(directory)


def status(**changed: object) -> wire.StatusReply:
    """A status with nothing in it but its advice."""
    reply = {"schema": 1, "now": "2026-11-22T10:00:00.000Z", "advice": ["Any task fits."], **changed}
    return cast("wire.StatusReply", reply)


async def hello(_: wire.NoParams) -> wire.Hello:
    """Says who we would be."""
    return HELLO


async def _status(_: wire.NoParams) -> wire.StatusReply:
    return status()


async def _sync(params: wire.SyncParams) -> wire.SyncReply:
    return {"caught_up": True, "seconds": params.timeout}


METHODS: Methods = {
    "hello": Method(wire.NoParams, hello),
    "status": Method(wire.NoParams, _status),
    "sync": Method(wire.SyncParams, _sync),
}


class Client:
    """One connection, made by hand so that a test decides what is sent and read, and when."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(0)
        self._arrived = b""
        try:
            self.socket.connect(str(path))
        except OSError:
            self.socket.close()
            raise

    async def send(self, data: bytes) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.get_running_loop().sock_sendall(self.socket, data)

    async def reply(self) -> Message:
        """The next message; it is an error if the server closes instead."""
        while b"\n" not in self._arrived:
            data = await self._receive()
            assert data, f"the server closed the connection after {self._arrived!r}"
        line, _, self._arrived = self._arrived.partition(b"\n")
        message: Message = json.loads(line)
        return message

    async def rest(self) -> list[Message]:
        """Every message until the server closes."""
        while await self._receive():
            pass
        return [json.loads(line) for line in self._arrived.splitlines()]

    async def ask(self, method: str, **params: object) -> Message:
        await self.send(wire.request(method, params, 1))
        return await self.reply()

    async def _receive(self) -> bytes:
        async with asyncio.timeout(PATIENCE_S):
            data = await asyncio.get_running_loop().sock_recv(self.socket, 1024 * 1024)
        self._arrived += data
        return data

    def close(self) -> None:
        self.socket.close()


class Talk:
    """A running server and its clients."""

    def __init__(self, server: Server, paths: wire.Paths) -> None:
        self.server = server
        self.paths = paths
        self._clients: list[Client] = []

    def client(self) -> Client:
        client = Client(self.paths.socket)
        self._clients.append(client)
        return client

    def close(self) -> None:
        for client in self._clients:
            client.close()


@asynccontextmanager
async def talking(
    methods: Methods = METHODS, limits: Limits | None = None, admitted: int | None = None
) -> AsyncIterator[Talk]:
    """A server in a directory of its own; its clients are closed at the end, the server after them."""
    with places() as paths:
        async with Server(paths, methods, limits, admitted) as server:
            talk = Talk(server, paths)
            try:
                yield talk
            finally:
                talk.close()


async def turn() -> None:
    """Let the loop look once for what has arrived, and deal with it."""
    loop = asyncio.get_running_loop()
    for _ in range(2):
        passed = loop.create_future()
        loop.call_soon(passed.set_result, None)
        await passed


async def eventually(condition: Callable[[], object]) -> None:
    """Wait until the condition holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await turn()


def with_method(name: str, method: Method) -> Methods:
    """The made-up methods with one of the test's own."""
    return {**METHODS, name: method}


def error(message: Mapping[str, Any]) -> tuple[int, str | None]:
    """Code and reason of an error reply."""
    return message["error"]["code"], message["error"].get("data", {}).get("code")
