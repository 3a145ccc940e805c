"""The socket's server: listens as long as it is entered, and leaves nobody without an answer.

Protocols and not streams: a status takes one task instead of two and no copies, and every wait has a deadline
that can be seen in ``connection``.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
from contextlib import suppress
from types import TracebackType
from typing import Self

from quotad import wire
from quotad.ipc.connection import STATUS, SUBSCRIBE, Clients, Connection, Limits
from quotad.ipc.requests import Methods
from quotad.ipc.shared import SharedStatus
from quotad.ipc.socket_file import BACKLOG, SocketFile, claim
from quotad.ipc.subscribers import Subscribers
from quotad.wire.methods import METHODS

ACCEPTS_AT_ONCE = 16
"""Connections taken before other work has its turn. asyncio complains as often in a row when there are no
file descriptors left, which is why it is not the backlog."""

_log = logging.getLogger(__name__)


class Server:
    """``async with Server(...)`` listens; leaving it stops, once requests had ``limits.stop`` seconds."""

    def __init__(
        self, paths: wire.Paths, methods: Methods, limits: Limits | None = None, admitted: int | None = None
    ) -> None:
        """The state directory's lock is held until the server is left.

        ``admitted``: the uid whose processes are answered, ours unless a test says otherwise. Raises
        ``ValueError`` when a method is not the wire's.
        """
        for name, method in methods.items():
            if name == SUBSCRIBE or METHODS.get(name) is not method.params:
                raise ValueError(f"{name} is no method of the wire with {method.params.__name__}")
        self.subscribers = Subscribers()
        self._paths = paths
        self._methods = methods
        self._limits = limits or Limits()
        self._admitted = os.geteuid() if admitted is None else admitted
        self._clients: Clients
        self._file: SocketFile
        self._server: asyncio.Server

    async def __aenter__(self) -> Self:
        """Raises ``SocketRefused``."""
        tasks = asyncio.TaskGroup()
        limits = self._limits._replace(connections=_affordable(self._limits.connections))
        status = SharedStatus(self._methods[STATUS], self.subscribers)
        self._clients = Clients(self._methods, status, self.subscribers, limits, self._admitted, tasks)
        await tasks.__aenter__()
        await self._listen()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stop()
        # Nothing is left to be cancelled, so what ended the body passes as it is, in no group.
        await self._clients.tasks.__aexit__(None, None, None)

    @property
    def connections(self) -> int:
        """How many connections there are now."""
        return len(self._clients.connections)

    async def keep_listening(self) -> bool:
        """Make the socket anew if its file has vanished, and say whether it had. Raises ``SocketRefused``.

        Some systems sweep old files from temporary directories, sockets of living daemons too.
        """
        if self._file.still_ours():
            return False
        # First: the new file may get the old one's inode number, and would then be taken for it.
        self._server.close()
        self._file.close()
        await self._listen()
        _log.warning("the socket %s had vanished and was made again", self._file.path)
        return True

    async def _listen(self) -> None:
        self._file = claim(self._paths)
        self._server = await asyncio.get_running_loop().create_unix_server(
            lambda: Connection(self._clients), sock=self._file.listener, backlog=ACCEPTS_AT_ONCE
        )
        self._file.listener.listen(BACKLOG)

    async def _stop(self) -> None:
        """No new connections; requests in work get their time, then a refusal; who does not read is cut."""
        self._server.close()
        self._file.close()
        clients = self._clients
        clients.stopping = True
        for give_up in (Connection.stop, Connection.give_up, Connection.abort):
            for connection in clients.everybody:
                give_up(connection)
            if not clients.everybody:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(self._limits.stop):
                    await clients.all_gone.wait()


def _affordable(connections: int) -> int:
    """As many connections as asked for, but at most half of the file descriptors there may be.

    The soft limit (256 on macOS) is raised for it as far as the hard one allows. The other half is for what
    must work while all connections are taken: reading what is new, and turning others away in words.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * connections
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return connections if soft == resource.RLIM_INFINITY else min(connections, soft // 2)
