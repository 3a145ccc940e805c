"""Who is at the other end of a Unix socket, as the kernel knows it since the connection was made."""

from __future__ import annotations

import socket
import struct
import sys

_LINUX_CREDENTIALS = struct.Struct("3i")
"""``struct ucred``: pid, uid, gid."""

_DARWIN_LEVEL = 0
_DARWIN_OPTION = 1
_DARWIN_CREDENTIALS_SIZE = 76
_DARWIN_CREDENTIALS = struct.Struct("2I")
"""The beginning of ``struct xucred`` (LOCAL_PEERCRED at SOL_LOCAL): version, uid."""


def uid(connection: socket.socket) -> int:
    """The effective user id of the process that connected.

    Raises ``OSError`` when the kernel does not say. The pid is not given: it may be another process's by now.
    """
    if sys.platform == "darwin":
        raw = connection.getsockopt(_DARWIN_LEVEL, _DARWIN_OPTION, _DARWIN_CREDENTIALS_SIZE)
        _, user = _DARWIN_CREDENTIALS.unpack_from(raw)
    else:
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _LINUX_CREDENTIALS.size)
        _, user, _ = _LINUX_CREDENTIALS.unpack(raw)
    return int(user)
