"""One daemon a state directory: the lock that all else relies on.

The lock guards the state directory and not the socket, because two sockets over one ledger would corrupt it.
The kernel frees it when the process ends, however it ends. Its file is never unlinked: whoever opens an
unlinked one holds a lock that nobody else sees. The pid in it is for people and decides nothing.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from pathlib import Path

LOCK_NAME = "quotad.lock"

_ATTEMPTS = 10
"""How often the lock's file may be swapped under our hands before we say so."""
_PID_BYTES_MAX = 20


class AnotherDaemon(Exception):  # noqa: N818 - an answer, not a fault
    """Another daemon holds this state directory; ``pid`` is what it wrote, for the message."""

    def __init__(self, path: Path, pid: int | None) -> None:
        who = "another quotad" if pid is None else f"another quotad (process {pid})"
        super().__init__(f"{who} holds {path}")
        self.path = path
        self.pid = pid


class StateRefused(Exception):  # noqa: N818 - the world is wrong, not the program
    """The state directory cannot be used; the message names it and the remedy."""


class Instance:
    """The held lock; made by ``hold``."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    def still_ours(self) -> bool:
        """Whether the file at the path is the one we hold: if not, a second daemon could start."""
        return _same_file(self._descriptor, self.path)

    def release(self) -> None:
        """Let another daemon have the directory; the end of the process does the same."""
        os.close(self._descriptor)


def hold(state: Path) -> Instance:
    """Take the state directory for this process, creating it 0700.

    Raises ``AnotherDaemon`` and ``StateRefused``.
    """
    check_state(state)
    path = state / LOCK_NAME
    for _ in range(_ATTEMPTS):
        descriptor = _locked(path)
        if _same_file(descriptor, path):
            # The pid is for people: a full disk is for those to tell who need it.
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
            return Instance(path, descriptor)
        # The file was unlinked between opening and locking: what we hold is nobody's any more.
        os.close(descriptor)
    raise StateRefused(f"the lock {path} is taken away again and again: does another program sweep there?")


def check_state(state: Path) -> None:
    """Create the state directory 0700, or see that it is ours and nobody else can write to it.

    Raises ``StateRefused``.
    """
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        seen = state.stat()
    except FileExistsError as fault:
        raise StateRefused(
            f"{state} is not a directory: move what is there, or set QUOTAD_STATE_DIR"
        ) from fault
    except OSError as fault:
        raise StateRefused(f"cannot use the state directory {state}: {fault.strerror}") from fault
    if seen.st_uid != os.geteuid():
        raise StateRefused(
            f"the state directory {state} belongs to user {seen.st_uid}, not to us ({os.geteuid()}): "
            "set QUOTAD_STATE_DIR to a directory of your own"
        )
    mode = stat.S_IMODE(seen.st_mode)
    if mode & 0o022:
        raise StateRefused(
            f"others can write to the state directory {state} (mode {mode:04o}): run `chmod go-w {state}`"
        )


def _locked(path: Path) -> int:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as fault:
        reason = "it is a symbolic link" if fault.errno == errno.ELOOP else fault.strerror
        raise StateRefused(f"cannot open the lock {path}: {reason}") from fault
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = _pid(descriptor)
        os.close(descriptor)
        raise AnotherDaemon(path.parent, pid) from None
    except OSError as fault:
        os.close(descriptor)
        raise StateRefused(
            f"cannot lock {path}: {fault.strerror}; is it on a network file system?"
        ) from fault
    return descriptor


def _pid(descriptor: int) -> int | None:
    with contextlib.suppress(OSError, ValueError):
        return int(os.pread(descriptor, _PID_BYTES_MAX, 0))
    return None


def _same_file(descriptor: int, path: Path) -> bool:
    try:
        at_path = path.lstat()
    except OSError:
        return False
    return os.path.samestat(os.fstat(descriptor), at_path)
