"""The watcher of systems that are not Linux, by watchfiles: its thread wakes at each step to ask for news."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from pathlib import Path

from watchfiles import Change, awatch

STEP_MS = 50
DEBOUNCE_MS = 50
"""A change is told after one to two steps. Being woken for a step is nearly all that watching costs."""
POLL_MS = 2_000
"""Where watchfiles has to poll: its own pace costs fifteen times more, and the scans are enough."""

_OF_NO_INTEREST = (
    ".db",
    ".db-journal",
    ".db-shm",
    ".db-wal",
    ".ics",
    ".js",
    ".json",
    ".lock",
    ".log",
    ".md",
    ".tmp",
    ".txt",
)
"""Our own files (a hint for each would feed on itself) and what Claude Code keeps beside transcripts."""


class _Stop(asyncio.Event):
    """What ends one watch: watchfiles sets it when it is cancelled.

    watchfiles asks for it after each step, in a thread of its own, so this is where its pace is held back.
    """

    def __init__(self, leisure: Callable[[], float]) -> None:
        super().__init__()
        self._leisure = leisure
        self._told = threading.Event()

    def set(self) -> None:
        self._told.set()
        super().set()

    def is_set(self) -> bool:
        return self._told.wait(self._leisure())


async def armed(
    roots: Sequence[Path], files: Sequence[Path], leisure: Callable[[], float], tick_ms: int
) -> AsyncGenerator[frozenset[Path], None]:
    """Give nothing once they are watched, then what changes, and nothing at each tick: a ``watch.Armed``.

    Directories of ``files`` are watched with all below them: watchfiles watches all alike.
    """
    watched = dict.fromkeys((*roots, *(path.parent for path in files)))
    deaths = _deaths(watched)
    logs = frozenset(map(os.fspath, files))
    batches = awatch(
        *watched,
        watch_filter=lambda _, path: path in logs or not path.endswith(_OF_NO_INTEREST),
        debounce=DEBOUNCE_MS,
        step=STEP_MS,
        stop_event=_Stop(leisure),
        rust_timeout=tick_ms,
        yield_on_timeout=True,
        poll_delay_ms=POLL_MS,
        ignore_permission_denied=True,
    )
    async with aclosing(batches):
        async for changes in batches:
            yield frozenset(Path(path) for _, path in changes)
            if not deaths.isdisjoint(changes):
                return


def _deaths(roots: Iterable[Path]) -> frozenset[tuple[Change, str]]:
    """What says that a root is gone, under each name it may be told by.

    A directory made anew may bear the inode number of the old one (50 of 50: FAULTS 0.9).
    """
    return frozenset((Change.deleted, name) for root in roots for name in (str(root), os.path.realpath(root)))
