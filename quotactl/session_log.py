"""Our own session log: what hooks append of sessions and tools, in ``sessions.jsonl`` in the state directory.

One line is one write to a file that is open for appending, so that many hooks at once never mix their lines.
The daemon follows the file and the one that it is renamed to, so a hook that still holds the old one while
another renames it loses nothing.
"""
# ruff: noqa: PTH103, PTH104, PTH116 - pathlib costs a quarter of Python's start

import os

SIZE_BYTES_MAX = 16 * 1024 * 1024
"""From here on the log is renamed to ``sessions.jsonl.1``, in place of the one before."""

_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_WRITABLE_BY_OTHERS = 0o022


def append(state: str, line: str, uid: int) -> None:
    """Add one line; raises OSError when the place is not ours or takes nothing."""
    try:
        there = os.stat(state)
    except FileNotFoundError:
        os.makedirs(state, 0o700, exist_ok=True)
        there = os.stat(state)
    if there.st_uid != uid or there.st_mode & _WRITABLE_BY_OTHERS:
        raise PermissionError(f"{state} can be written by others")
    path = f"{state}/sessions.jsonl"
    log = os.open(path, _APPEND, 0o600)
    if os.fstat(log).st_size >= SIZE_BYTES_MAX:
        os.close(log)
        _rotate(path)
        log = os.open(path, _APPEND, 0o600)
    try:
        os.write(log, line.encode(errors="replace") + b"\n")
    finally:
        os.close(log)


def _rotate(path: str) -> None:
    """Rename the log if it is still too large: of many hooks that find it so only the first one does."""
    import fcntl  # noqa: PLC0415 - once in 16 MB

    lock = os.open(f"{path}.lock", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.stat(path).st_size >= SIZE_BYTES_MAX:
            os.rename(path, f"{path}.1")
    except FileNotFoundError:
        # The first one has renamed it, and nobody has made the new one yet.
        return
    finally:
        os.close(lock)
