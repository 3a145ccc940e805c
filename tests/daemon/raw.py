"""The daemon's socket as bytes: lines that no client of ours would send, and replies as they come."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from quotad import wire
from tests.daemon.process import Place

SECONDS_MAX = 20.0


class Line:
    """One connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._replies = connection.makefile("rb")

    def say(self, line: bytes) -> None:
        self._connection.sendall(line)

    def hear(self) -> dict[str, object]:
        """The next line; ``EOFError`` when the daemon has closed the connection."""
        line = self._replies.readline()
        if not line:
            raise EOFError
        assert line.endswith(b"\n")
        return cast("dict[str, object]", json.loads(line))

    def ask(self, line: bytes) -> dict[str, object]:
        """The reply to one line."""
        self.say(line)
        return self.hear()

    def change(self) -> wire.StatusChange:
        """The next notification to a subscriber."""
        heard = self.hear()
        assert {"jsonrpc": "2.0", "method": "status"} == {
            name: heard.get(name) for name in ("jsonrpc", "method")
        }
        return cast("wire.StatusChange", heard["params"])

    def subscribe(self) -> wire.StatusChange:
        """What a subscriber is told at once."""
        return cast("wire.StatusChange", self.ask(wire.request("subscribe", {}, 1))["result"])

    def close(self) -> None:
        self._replies.close()


@contextmanager
def line_to(place: Place) -> Iterator[Line]:
    """A connection to the daemon of a place."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(SECONDS_MAX)
        connection.connect(str(place.socket))
        line = Line(connection)
        try:
            yield line
        finally:
            line.close()
