"""Hints that something changed, from the operating system; the scans find what they miss.

A watcher goes silent for ever when its directory is deleted and made again, loses events when queues
overflow or many directories appear at once, and finds no room where others used up the machine's watches
(FAULTS 0.1). So it is only ever a reason to look sooner: it is armed again when a root is not the directory
it was, and its failure is a value, not an end.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import NamedTuple, TypeAlias

from watchfiles import Change, awatch

STEP_MS = 50
DEBOUNCE_MS = 50
"""A change is told after one to two steps. Being woken for a step is nearly all that watching costs."""
LEISURE_SECONDS = 0.2
"""Added to each step while nobody is in a hurry; snapshots are still written within a second of a change."""
TICK_MS = 5_000
"""So often the roots are compared with those that are watched, whether anything happens or not."""
POLL_MS = 2_000
"""Where watchfiles has to poll (WSL): its own pace costs fifteen times more, and the scans are enough."""

REARM_SECONDS = 2.0
"""A missing root is looked for, and a root that is not the same any more armed, after so long."""
RETRY_SECONDS = 60.0
"""A watcher that failed is tried again after so long."""

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

_Identity: TypeAlias = tuple[int, int]


class WatchUnavailable(NamedTuple):
    """Nothing is watched for now, and why; given once for each reason."""

    reason: str


Hint: TypeAlias = frozenset[Path] | WatchUnavailable
"""Files and directories that may have changed, or that nobody watches them."""


async def hints(
    roots: Sequence[Path],
    sleep: Callable[[float], Awaitable[None]],
    *,
    hurried: Callable[[], bool],
    tick_ms: int = TICK_MS,
) -> AsyncGenerator[Hint, None]:
    """Give what may have changed under ``roots``, the missing ones as soon as they exist, until it is closed.

    The first set after arming, and after arming again, holds the roots: what happened before was not seen.
    It also ends the trouble that ``WatchUnavailable`` told of. ``sleep`` takes seconds. ``hurried`` says
    whether somebody waits for changes, from another thread; else they may be told a second later.
    """
    trouble = ""
    while True:
        pause = REARM_SECONDS
        try:
            async with aclosing(_armed(roots, hurried, tick_ms)) as batches:
                async for paths in batches:
                    trouble = ""
                    yield paths
        except FileNotFoundError:
            pass  # a root that was there a moment ago
        except (OSError, RuntimeError) as error:  # watchfiles has its own kind of RuntimeError
            pause = RETRY_SECONDS
            if trouble != str(error):
                trouble = str(error)
                yield WatchUnavailable(trouble)
        await sleep(pause)


class _Stop(asyncio.Event):
    """What ends one watch: watchfiles sets it when it is cancelled.

    watchfiles asks for it after each step, in a thread of its own, so this is where its pace is held back.
    """

    def __init__(self, hurried: Callable[[], bool]) -> None:
        super().__init__()
        self._hurried = hurried
        self._told = threading.Event()

    def set(self) -> None:
        self._told.set()
        super().set()

    def is_set(self) -> bool:
        return self._told.is_set() or (not self._hurried() and self._told.wait(LEISURE_SECONDS))


async def _armed(
    roots: Sequence[Path], hurried: Callable[[], bool], tick_ms: int
) -> AsyncGenerator[frozenset[Path], None]:
    """Watch the roots that exist, until one is not the directory that it was. Raises what watchfiles does."""
    watched = _identities(roots)
    present = [root for root in roots if root in watched]
    if not present:
        return
    deaths = _deaths(present)
    changed_before = frozenset(present)
    batches = awatch(
        *present,
        watch_filter=_is_of_interest,
        debounce=DEBOUNCE_MS,
        step=STEP_MS,
        stop_event=_Stop(hurried),
        rust_timeout=tick_ms,
        yield_on_timeout=True,
        poll_delay_ms=POLL_MS,
        ignore_permission_denied=True,
    )
    async with aclosing(batches):
        async for changes in batches:
            paths = changed_before.union(Path(path) for _, path in changes)
            changed_before = frozenset()
            if paths:
                yield paths
            if not deaths.isdisjoint(changes) or _identities(roots) != watched:
                return


def _identities(roots: Sequence[Path]) -> dict[Path, _Identity]:
    """Device and inode of each root that exists."""
    identities = {}
    for root in roots:
        try:
            status = os.stat(root)
        except OSError:
            continue
        identities[root] = (status.st_dev, status.st_ino)
    return identities


def _deaths(roots: Sequence[Path]) -> frozenset[tuple[Change, str]]:
    """What says that a root is gone, under each name it may be told by.

    A directory made anew may bear the inode number of the old one (50 of 50: FAULTS 0.9).
    """
    return frozenset((Change.deleted, name) for root in roots for name in (str(root), os.path.realpath(root)))


def _is_of_interest(_: Change, path: str) -> bool:
    return not path.endswith(_OF_NO_INTEREST)
