"""Files that are whole at every instant: the old content or the new, whatever dies when.

A temporary file in the same directory, written in full, then renamed over the target. With ``sync`` the new
content also survives a loss of power once the call returns: file, then name, then directory, in that order.

All of it happens in one thread without a stop: between steps that were awaited one by one, a cancellation
could leave files open and names behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import re
import secrets
import stat
import sys
from pathlib import Path

NEW_FILE_MODE = 0o600
"""Our files are nobody else's business; a file that is there keeps its own mode."""
TOKEN_BYTES = 6
TRIES_MAX = 8
"""Names tried for the temporary file, should another process remove leftovers at the same instant."""


async def replace(path: Path, data: bytes, *, sync: bool) -> None:
    """Make ``data`` the content of ``path``, keeping the mode of a file that is there.

    A symbolic link is followed: what it points to is replaced. Raises ``OSError``, and then the old content
    is whole and nothing is left behind; only an error of syncing the directory, the last step, comes when the
    new content is in place already. What a killed process left behind is removed by the next call. A
    cancelled call ends only when its thread has, so that it cannot overtake a later one.
    """
    work = asyncio.get_running_loop().run_in_executor(None, lambda: _replace(path, data, sync=sync))
    try:
        await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        # Looked at, or asyncio would log that nobody did.
        work.exception()
        raise


def _replace(path: Path, data: bytes, *, sync: bool) -> None:
    target = Path(os.path.realpath(path))
    mode = _mode_for(target)
    _remove_leftovers(target)
    temporary, descriptor = _create(target)
    try:
        os.fchmod(descriptor, mode)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        if sync:
            _sync(descriptor)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
    if sync:
        _sync_names(target.parent)


def _mode_for(target: Path) -> int:
    try:
        found = target.stat().st_mode
    except FileNotFoundError:
        return NEW_FILE_MODE
    if not stat.S_ISREG(found):
        raise OSError(errno.EINVAL, "not a regular file", str(target))
    return stat.S_IMODE(found)


def _create(target: Path) -> tuple[Path, int]:
    """A new file beside ``target``, locked while it is open, so that nobody takes it for a leftover."""
    for _ in range(TRIES_MAX):
        temporary = target.with_name(f".{target.name}.{secrets.token_hex(TOKEN_BYTES)}.tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, NEW_FILE_MODE)
        try:
            # Somebody who removes leftovers may have come between: the file is locked then, or has no name.
            if _lock(descriptor) and os.fstat(descriptor).st_nlink:
                return temporary, descriptor
        except OSError:
            _discard(temporary, descriptor)
            raise
        _discard(temporary, descriptor)
    raise OSError(errno.EAGAIN, "somebody else locks our temporary files", str(target))


def _remove_leftovers(target: Path) -> None:
    """Remove temporary files of ``target`` that no living process holds."""
    leftover = re.compile(rf"\.{re.escape(target.name)}\.[0-9a-f]{{{2 * TOKEN_BYTES}}}\.tmp")
    with contextlib.suppress(PermissionError):
        for path in target.parent.iterdir():
            if leftover.fullmatch(path.name):
                _remove_unless_held(path)


def _remove_unless_held(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            if _lock(descriptor):
                path.unlink()
        finally:
            os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _discard(temporary: Path, descriptor: int) -> None:
    os.close(descriptor)
    temporary.unlink(missing_ok=True)


def _sync(descriptor: int) -> None:
    """Returns once it is on the disk itself: on macOS ``fsync`` stops at the disk's own cache."""
    if sys.platform == "darwin":
        # Not every file system there has it.
        with contextlib.suppress(OSError):
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
            return
    os.fsync(descriptor)


def _sync_names(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _sync(descriptor)
    finally:
        os.close(descriptor)
