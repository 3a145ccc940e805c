"""The socket as a file: whose directory it lies in, that nobody else's is taken, and that it stays ours.

The directory is the real gate (some systems ignore a socket's own mode), so one that others can enter is
refused. ``asyncio`` would unlink whatever socket it finds, a living daemon's too: here it is asked first, and
only our own dead one is removed. All of this happens while the state directory's lock is held.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from pathlib import Path
from typing import NamedTuple

from quotad import wire

BACKLOG = 512
"""With the default of 100, 99 of 200 clients that connect at once are turned away while the loop is busy."""

_EVERYTHING = 0o077
_WRITING = 0o022


class SocketRefused(Exception):  # noqa: N818 - the world is wrong, not the program
    """There can be no socket at this place; the message names the path and the remedy."""


class _Identity(NamedTuple):
    device: int
    inode: int


class SocketFile:
    """A bound socket; made by ``claim``."""

    def __init__(self, path: Path, listener: socket.socket, identity: _Identity) -> None:
        self.path = path
        self.listener = listener
        self._identity = identity

    def still_ours(self) -> bool:
        """Whether clients that connect to the path reach us: tidy programs sweep old sockets away."""
        return _identity(self.path) == self._identity

    def close(self) -> None:
        """Stop listening, and take the file away if it is ours."""
        if self.still_ours():
            with contextlib.suppress(OSError):
                self.path.unlink()
        self.listener.close()


def claim(paths: wire.Paths) -> SocketFile:
    """Bind ``paths.socket``, mode 0600 from its birth, in a directory that only we can enter.

    The caller holds the state directory's lock. Raises ``SocketRefused``.
    """
    path = paths.socket
    # The contract accepts a state directory that others may read; what matters is that they cannot write.
    check_directory(path.parent, _WRITING if path.parent == paths.state else _EVERYTHING)
    _make_way(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        return SocketFile(path, listener, _bind(listener, path))
    except OSError as fault:
        listener.close()
        raise SocketRefused(f"cannot make the socket {path}: {fault.strerror or fault}") from fault


def _bind(listener: socket.socket, path: Path) -> _Identity:
    listener.settimeout(0)
    # On Linux the file gets the socket's own mode: no moment at which it is open to others, and no umask that
    # other threads would see. Elsewhere the directory has to do for the one line until chmod.
    with contextlib.suppress(OSError):
        os.fchmod(listener.fileno(), 0o600)
    listener.bind(os.fspath(path))
    path.chmod(0o600)
    # From now on a second daemon's probe is answered.
    listener.listen(BACKLOG)
    seen = path.lstat()
    return _Identity(seen.st_dev, seen.st_ino)


def check_directory(directory: Path, forbidden: int) -> None:
    """Create ``directory`` 0700, or see that it is ours and grants others nothing of ``forbidden``."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as fault:
        raise SocketRefused(_no_directory(directory, fault)) from fault
    try:
        seen = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    if seen.st_uid != os.geteuid():
        raise SocketRefused(
            f"the socket's directory {directory} belongs to user {seen.st_uid}, not to us ({os.geteuid()}): "
            "set QUOTAD_SOCKET to a path in a directory of your own"
        )
    mode = stat.S_IMODE(seen.st_mode)
    if mode & forbidden:
        raise SocketRefused(
            f"the socket's directory {directory} is open to others (mode {mode:04o}): "
            f"run `chmod 0700 {directory}`, or set QUOTAD_SOCKET to a path in a private directory"
        )


def _no_directory(directory: Path, fault: OSError) -> str:
    if directory.is_symlink():
        return (
            f"the socket's directory {directory} is a symbolic link: "
            "set QUOTAD_SOCKET to a path in the directory itself"
        )
    if fault.errno in {errno.EEXIST, errno.ENOTDIR}:
        return (
            f"the socket's directory {directory} is not a directory: move what is there, or set QUOTAD_SOCKET"
        )
    return f"cannot use the socket's directory {directory}: {fault.strerror}"


def _make_way(path: Path) -> None:
    """Remove a socket that nobody answers any more; raises ``SocketRefused`` for everything else."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    except OSError as fault:
        raise SocketRefused(f"cannot look at the socket {path}: {fault.strerror}") from fault
    if not stat.S_ISSOCK(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "something else")
        raise SocketRefused(f"{path} is {kind}, not a socket: move it away, or set QUOTAD_SOCKET")
    if found.st_uid != os.geteuid():
        raise SocketRefused(
            f"the socket {path} belongs to user {found.st_uid}: set QUOTAD_SOCKET to another path"
        )
    if _answers(path):
        raise SocketRefused(
            f"another program answers on {path}: stop it, or set QUOTAD_SOCKET to another path"
        )
    with contextlib.suppress(FileNotFoundError):
        path.unlink()


_KINDS = {stat.S_IFLNK: "a symbolic link", stat.S_IFREG: "a file", stat.S_IFDIR: "a directory"}


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(0)
        # A full backlog (EAGAIN) and a socket we may not use are somebody's, too.
        return probe.connect_ex(os.fspath(path)) not in {errno.ECONNREFUSED, errno.ENOENT}


def _identity(path: Path) -> _Identity | None:
    try:
        seen = path.lstat()
    except OSError:
        return None
    return _Identity(seen.st_dev, seen.st_ino) if stat.S_ISSOCK(seen.st_mode) else None
