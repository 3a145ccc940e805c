"""The daemon as seen from a command: one blocking socket, one line out, one line in.

No asyncio, no pydantic, no click: a status line runs this many times a minute. What comes in is trusted as
far as ``hello`` goes: a daemon of this user that speaks this protocol; its replies are checked to be JSON of
the right kind, and their fields are the wire's promise.
"""

from __future__ import annotations

import json
import os
import select
import socket
import stat
import struct
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self, cast

from quotactl.failure import NoDaemon, Refused
from quotad import wire

CONNECT_SECONDS = 2.0
CALL_SECONDS = 15.0
SYNC_GRACE_SECONDS = 5.0
"""How much longer than its own time limit a ``sync`` may take to answer."""

_CHUNK_BYTES = 64 * 1024
_BUSY_SECONDS = 0.02

_NAMES = {
    wire.PARSE_ERROR: "parse-error",
    wire.INVALID_REQUEST: "invalid-request",
    wire.NO_SUCH_METHOD: "no-such-method",
    wire.INVALID_PARAMS: "invalid-params",
    wire.REFUSED: "refused",
}

START = "Start it with `quotactl up`."
RESTART = "Restart it with `quotactl down`, then `quotactl up`."


def connect(path: Path, uid: int, *, any_protocol: bool = False) -> Client:
    """A client of the daemon that listens at ``path`` and belongs to ``uid``; raises ``NoDaemon``.

    Its ``reason`` is ``no-daemon`` when none runs, and another one when something is in the way. With
    ``any_protocol`` a daemon of another version is taken too: to stop it is the way out.
    """
    _check_owner(path, uid)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _dial(sock, path)
        _check_peer(sock, path, uid)
        client = Client(sock, path)
        if not any_protocol:
            _check_protocol(client.hello)
    except BaseException:
        sock.close()
        raise
    return client


class Client:
    """An open connection. Making one says hello; ``hello`` is what the daemon answered."""

    def __init__(self, sock: socket.socket, path: Path) -> None:
        self._sock = sock
        self._path = path
        self._received = bytearray()
        self._searched = 0
        self._number = 0
        # The real thing is asked first: everything after it may rely on the protocol.
        self.hello: Final = cast("wire.Hello", _as_object("hello", self._call("hello", {}, CALL_SECONDS)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._sock.close()

    def status(self) -> wire.StatusReply:
        return cast("wire.StatusReply", self._object("status"))

    def sync(self, seconds: float) -> wire.SyncReply:
        """Wait until everything on disk has been taken in, at most ``seconds``."""
        limit = seconds + SYNC_GRACE_SECONDS
        return cast("wire.SyncReply", _as_object("sync", self._call("sync", {"timeout": seconds}, limit)))

    def history(self, params: wire.HistoryParams) -> list[wire.HistoryRow]:
        asked = {"by": params.by, "since": params.since, "until": params.until, "utc": params.utc}
        rows = self._call("history", asked, CALL_SECONDS)
        if not isinstance(rows, list):
            raise _nonsense("history")
        return cast("list[wire.HistoryRow]", rows)

    def doctor(self) -> wire.DoctorReply:
        return cast("wire.DoctorReply", self._object("doctor"))

    def notify_test(self) -> wire.NotifyTestReply:
        return cast("wire.NotifyTestReply", self._object("notify.test"))

    def shutdown(self) -> None:
        self._object("shutdown")

    def subscribe(self) -> Subscription:
        """Turn this connection into a stream of states; it takes no further calls."""
        return Subscription(self, self._object("subscribe"))

    def ask(self, method: str, params: Mapping[str, object]) -> Mapping[str, object]:
        """The result of any method that answers with an object; its fields are the wire's promise."""
        return _as_object(method, self._call(method, params, CALL_SECONDS))

    def fileno(self) -> int:
        return self._sock.fileno()

    def _object(self, method: str) -> Mapping[str, object]:
        return self.ask(method, {})

    def _call(self, method: str, params: Mapping[str, object], seconds: float) -> object:
        """The reply's ``result``; raises ``Refused`` and ``NoDaemon``."""
        self._number += 1
        deadline = time.monotonic() + seconds
        self._send(wire.request(method, params, self._number), deadline)
        line = self._line(deadline)
        if line is None:
            message = f"quotad (pid {self._pid()}) did not answer within {seconds:.0f} s. {RESTART}"
            raise NoDaemon("no-answer", message)
        reply = _decoded(method, line)
        if reply.get("id") != self._number:
            raise _nonsense(method)
        error = reply.get("error")
        if error is not None:
            raise _refusal(error)
        if "result" not in reply:
            raise _nonsense(method)
        return reply["result"]

    def _pid(self) -> str:
        hello: wire.Hello | None = getattr(self, "hello", None)
        return "unknown" if hello is None else str(hello["pid"])

    def _send(self, line: bytes, deadline: float) -> None:
        self._sock.settimeout(max(0.0, deadline - time.monotonic()) or None)
        try:
            self._sock.sendall(line)
        except OSError as error:
            raise _gone(self._path) from error

    def _line(self, deadline: float | None) -> bytes | None:
        """The next line without its end, None when the deadline passed first; raises ``NoDaemon``."""
        while True:
            end = self._received.find(b"\n", self._searched)
            if (len(self._received) if end < 0 else end) > wire.REPLY_BYTES_MAX:
                raise NoDaemon("bad-reply", f"quotad sent a line of more than 16 MiB. {RESTART}")
            if end >= 0:
                line = bytes(self._received[:end])
                del self._received[: end + 1]
                self._searched = 0
                return line
            self._searched = len(self._received)
            left = None if deadline is None else deadline - time.monotonic()
            if not select.select([self._sock], [], [], None if left is None else max(0.0, left))[0]:
                return None
            self._receive()

    def _receive(self) -> None:
        try:
            chunk = self._sock.recv(_CHUNK_BYTES)
        except OSError as error:
            raise _gone(self._path) from error
        if not chunk:
            raise _gone(self._path)
        self._received += chunk

    def notification(self, seconds: float | None) -> Mapping[str, object] | None:
        """The parameters of the next notification; None when none came within ``seconds``."""
        line = self._line(None if seconds is None else time.monotonic() + seconds)
        if line is None:
            return None
        return _as_object("subscribe", _decoded("subscribe", line).get("params"))


class Subscription:
    """The daemon's states as they change: ``first`` at once, then whatever ``next`` brings."""

    def __init__(self, client: Client, result: Mapping[str, object]) -> None:
        self._client = client
        self.first = _state(result)

    def close(self) -> None:
        self._client.close()

    def fileno(self) -> int:
        """For ``select``: readable when ``next`` may have something."""
        return self._client.fileno()

    def next(self, seconds: float | None) -> wire.StatusReply | None:
        """The next state; None when none came within ``seconds``; raises ``NoDaemon`` at the end."""
        params = self._client.notification(seconds)
        return None if params is None else _state(params)


def _state(message: Mapping[str, object]) -> wire.StatusReply:
    """The status in a ``StatusChange``, or the status itself."""
    inner = message.get("status", message)
    return cast("wire.StatusReply", _as_object("subscribe", inner))


def _check_owner(path: Path, uid: int) -> None:
    try:
        found = path.stat()
    except FileNotFoundError as error:
        raise NoDaemon("no-daemon", f"quotad is not running: there is no {path}. {START}") from error
    except OSError as error:
        message = f"quotad cannot be reached at {path}: {error.strerror}. {START}"
        raise NoDaemon("unreachable", message) from error
    if not stat.S_ISSOCK(found.st_mode):
        raise NoDaemon("unreachable", f"quotad cannot be reached: {path} is not a socket. {START}")
    if found.st_uid != uid:
        raise _foreign(path, found.st_uid)


def _dial(sock: socket.socket, path: Path) -> None:
    deadline = time.monotonic() + CONNECT_SECONDS
    sock.settimeout(CONNECT_SECONDS)
    while True:
        try:
            sock.connect(str(path))
        except BlockingIOError as error:
            # The daemon's backlog is full: it is busy, not gone.
            if time.monotonic() >= deadline:
                raise NoDaemon("no-answer", f"quotad at {path} is too busy to answer. {RESTART}") from error
            time.sleep(_BUSY_SECONDS)
        except ConnectionRefusedError as error:
            message = f"quotad is not running: nobody listens at {path} any more. {START}"
            raise NoDaemon("no-daemon", message) from error
        except OSError as error:
            message = f"quotad cannot be reached at {path}: {error.strerror or error}. {START}"
            raise NoDaemon("unreachable", message) from error
        else:
            return


def _check_peer(sock: socket.socket, path: Path, uid: int) -> None:
    """The socket file may be ours and its listener not; Linux tells (elsewhere the file has to do)."""
    if sys.platform == "linux":
        credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        _, peer, _ = struct.unpack("3i", credentials)
        if peer != uid:
            raise _foreign(path, peer)


def _check_protocol(hello: wire.Hello) -> None:
    spoken = hello.get("protocol")
    if spoken != wire.PROTOCOL:
        message = (
            f"The running quotad {hello.get('version')} speaks protocol {spoken}, "
            f"this quotactl {wire.PROTOCOL}. {RESTART}"
        )
        raise NoDaemon("protocol-mismatch", message)


def _decoded(method: str, line: bytes) -> Mapping[str, object]:
    try:
        reply: object = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _nonsense(method) from error
    return _as_object(method, reply)


def _as_object(method: str, value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise _nonsense(method)
    return cast("Mapping[str, object]", value)


def _refusal(error: object) -> Refused:
    reply = cast("wire.ErrorReply", _as_object("error", error))
    reason = reply.get("data", {}).get("code") or _NAMES.get(reply.get("code", 0), "refused")
    return Refused(str(reason), str(reply.get("message", "The daemon refused without a reason.")))


def _nonsense(method: str) -> NoDaemon:
    return NoDaemon("bad-reply", f"What answered `{method}` is no quotad of this version. {RESTART}")


def _gone(path: Path) -> NoDaemon:
    return NoDaemon("no-daemon", f"quotad at {path} hung up. {START}")


def _foreign(path: Path, uid: int) -> NoDaemon:
    owner = f"uid {uid}, not to uid {os.getuid()}"
    return NoDaemon("unreachable", f"quotad at {path} belongs to {owner}: not asking it. {START}")
