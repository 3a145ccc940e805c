"""A daemon that knows nothing: a real socket that speaks the protocol from recorded replies.

It checks what a client sends (one JSON-RPC request a line) and answers in the request's words; a test that
wants a broken daemon hands in raw bytes.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

from quotad import wire

HELLO: wire.Hello = {"protocol": wire.PROTOCOL, "version": "0.1.0", "pid": 4242, "instance": "one"}


class Error(dict[str, object]):
    """An error object that is answered instead of a result."""


class Raw(bytes):
    """Bytes that are sent as they are instead of a reply; empty: the connection is closed."""


class Silence:
    """No answer at all."""


class FakeDaemon:
    """Answers each method with what ``replies`` holds for it, or gives when called; remembers what was asked.

    After ``last_call`` it takes no new connection, as a daemon that ends.
    """

    def __init__(self, path: Path, replies: Mapping[str, object]) -> None:
        self.path = path
        self.replies: dict[str, object] = {"hello": HELLO, **replies}
        self.asked: list[tuple[str, object]] = []
        self.last_call = ""
        self.subscribed = threading.Event()
        self._subscribers: list[socket.socket] = []
        self._connections: list[socket.socket] = []
        self._sequence = 0
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._server.bind(str(path))
        self._server.listen(16)
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """The daemon is gone: its socket, and every connection to it."""
        self.path.unlink(missing_ok=True)
        _hang_up(self._server)
        self._threads[0].join(5)
        for one in self._connections:
            _hang_up(one)
        for thread in self._threads[1:]:
            thread.join(5)

    def change(self, status: object) -> None:
        """Tells every subscriber of a new state."""
        self._sequence += 1
        params = {"seq": self._sequence, "status": status}
        line = wire.encode({"jsonrpc": "2.0", "method": "status", "params": params})
        for one in self._subscribers:
            one.sendall(line)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self._connections.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection.makefile("rb") as lines:
                for line in lines:
                    self._answer(connection, json.loads(line))
        except (OSError, ValueError):
            return

    def _answer(self, connection: socket.socket, request: Mapping[str, object]) -> None:
        assert request["jsonrpc"] == "2.0"
        method = str(request["method"])
        self.asked.append((method, request["params"]))
        reply = self.replies.get(method, Error(code=wire.NO_SUCH_METHOD, message=f"no method {method}"))
        if callable(reply):
            reply = reply()
        match reply:
            case Silence():
                return
            case Raw():
                connection.sendall(reply) if reply else connection.shutdown(socket.SHUT_RDWR)
            case Error():
                connection.sendall(wire.encode({"jsonrpc": "2.0", "id": request["id"], "error": reply}))
            case _:
                connection.sendall(wire.encode({"jsonrpc": "2.0", "id": request["id"], "result": reply}))
        if method == self.last_call:
            self.path.unlink()
            _hang_up(self._server)
        if method == "subscribe":
            self._subscribers.append(connection)
            self.subscribed.set()


def _hang_up(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
