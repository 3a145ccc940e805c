"""What the status line and hooks need, at the price of no import: stdin, a little JSON, one question.

Claude Code runs them at every answer and every tool, so ``json``, ``socket``, ``re`` and ``typing``, each of
which costs as much as half a Python start, are left out. The C modules under them are not: they are the same
code, and load in well under a millisecond.
"""
# ruff: noqa: PTH116 - pathlib costs a quarter of Python's start

import _json
import _socket
import os
import select
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

STDIN_BYTES_MAX = 32 * 1024 * 1024
STDIN_SECONDS = 2.0
"""Whoever holds our stdin open and says nothing is not waited for."""
REQUEST_BYTES_MAX = 1024 * 1024
REPLY_BYTES_MAX = 1024 * 1024

_CHUNK_BYTES = 64 * 1024


class _Strictness:
    """What the decoder of ``json`` asks for; numbers that JSON does not have are nothing."""

    strict = False
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    memo: dict[str, str] = {}  # noqa: RUF012 - asked for by its name

    @staticmethod
    def parse_constant(_: str) -> None:
        return None


_scan = _json.make_scanner(_Strictness())  # type: ignore[arg-type] # typeshed means itself


def decoded(text: str) -> object:
    """The value that the text begins with; None if it is no JSON."""
    try:
        value: object = _scan(text, len(text) - len(text.lstrip(" \t\r\n\ufeff")))[0]
    except (StopIteration, ValueError, RecursionError):
        return None
    return value


def quoted(text: str) -> str:
    """The text as a JSON string of ASCII alone."""
    return _json.encode_basestring_ascii(text)


def fields(value: object) -> "Mapping[str, object]":
    """The members of an object; nothing has none."""
    return value if isinstance(value, dict) else {}


def stdin() -> str:
    """Everything on stdin, if it is soon complete and no person types it; else what came."""
    read = bytearray()
    deadline = time.monotonic() + STDIN_SECONDS
    try:
        if os.isatty(0):
            return ""
        while len(read) <= STDIN_BYTES_MAX:
            if not select.select([0], [], [], max(0.0, deadline - time.monotonic()))[0]:
                break
            chunk = os.read(0, _CHUNK_BYTES)
            if not chunk:
                break
            read += chunk
    except (OSError, ValueError):
        # Closed, or not for reading: nobody has anything to say.
        pass
    return read.decode(errors="replace")


def say(text: str) -> None:
    """The text on stdout, in UTF-8 whatever the locale is; whoever does not listen misses it."""
    left = text.encode(errors="replace")
    try:
        while left:
            left = left[os.write(1, left) :]
    except OSError:
        pass


def ask(
    socket_path: str, uid: int, method: str, params: str, seconds: float
) -> "Mapping[str, object] | None":
    """The daemon's answer to one request; None if there is none within ``seconds``.

    ``params`` is JSON in ASCII. No ``hello`` before it: a daemon that does not know the method says so.
    """
    line = f'{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}\n'.encode()
    if len(line) > REQUEST_BYTES_MAX:
        return None
    deadline = time.monotonic() + seconds
    try:
        if os.stat(socket_path).st_uid != uid:
            return None
        sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        try:
            sock.settimeout(_left(deadline))
            sock.connect(socket_path)
            if not _is_heard_by(uid, sock):
                return None
            reply = _exchanged(sock, line, deadline)
        finally:
            sock.close()
    except OSError:
        return None
    result = fields(decoded(reply.decode(errors="replace"))).get("result")
    return fields(result) if result is not None else None


def _is_heard_by(uid: int, sock: "_socket.socket") -> bool:
    """The socket's file may be ours and its listener not; Linux tells (elsewhere the file has to do)."""
    if not hasattr(_socket, "SO_PEERCRED"):
        return True
    credentials = sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)
    return int.from_bytes(credentials[4:8], sys.byteorder) == uid


def _exchanged(sock: "_socket.socket", line: bytes, deadline: float) -> bytes:
    """The line that comes back; raises OSError, TimeoutError too."""
    sock.settimeout(_left(deadline))
    sock.sendall(line)
    received = bytearray()
    while not received.endswith(b"\n"):
        if len(received) > REPLY_BYTES_MAX:
            raise OSError("the reply is too long")
        sock.settimeout(_left(deadline))
        chunk = sock.recv(_CHUNK_BYTES)
        if not chunk:
            raise OSError("the daemon hung up")
        received += chunk
    return bytes(received)


def _left(deadline: float) -> float:
    """The time that is left, in seconds; raises TimeoutError when there is none."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("time is up")
    return left
