"""What is left to be read in the background: history, and whatever grew by much; newest first."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple

from msgspec import Struct

from quotad.domain.cursor import Batch
from quotad.intake.files import AccountFiles
from quotad.intake.readers import Readers
from quotad.intake.reading import BATCH_BYTES, Order
from quotad.intake.recorder import Recorder
from quotad.sources.tree import Found


class Waiting(NamedTuple):
    """A file that is to be read in the background."""

    files: AccountFiles
    found: Found


class Progress(Struct):
    """How much of what was there at the start has been read."""

    files: int = 0
    files_done: int = 0
    bytes: int = 0
    bytes_done: int = 0


HandOver = Callable[[AccountFiles, Batch], Awaitable[None]]
"""Takes the cursors of a batch over before it waits for anything, and lets the engine know."""


ORDERS = 2
"""So many are under way: one is read while what the other brought is handed over and written."""


class Backlog:
    """Files that wait, and what reads them; each is in one order at a time."""

    def __init__(self, recorder: Recorder, hand_over: HandOver) -> None:
        self._recorder = recorder
        self._hand_over = hand_over
        self._readers = Readers()
        self._generation = 0
        """Rises whenever everything is read again from the cursors on disk: older readings are void then."""
        self._waiting: deque[Waiting] = deque()
        self._paths: set[str] = set()
        self._more = asyncio.Event()
        self.idle = asyncio.Event()
        """Set while nothing waits and nothing is being read."""
        self.progress = Progress()

    def __contains__(self, path: str) -> bool:
        """Whether the file waits or is being read, and so must not be read by anybody else."""
        return path in self._paths

    def add(self, found: Iterable[Waiting]) -> None:
        """Leave files to be read, behind those that wait already."""
        for one in found:
            if one.found.path not in self._paths:
                self._paths.add(one.found.path)
                self._waiting.append(one)
        if self._waiting:
            self.idle.clear()
        self._more.set()

    def clear(self) -> None:
        """Forget what waits, and whatever is being read now."""
        self._generation += 1
        self._waiting.clear()
        self._paths.clear()

    async def run(self, needed_since_ns: int, current: Callable[[], Awaitable[None]]) -> None:
        """Read what waits, for ever; ``current`` whenever no file that changed since then waits any more."""
        while True:
            await self._more.wait()
            self._more.clear()
            await self._read_since(needed_since_ns)
            await current()
            await self._read_since(0)
            await self._readers.rest()
            if not self._waiting:
                self.idle.set()

    def close(self) -> None:
        """Let go of threads and processes; blocking."""
        self._readers.close()

    async def _read_since(self, since_ns: int) -> None:
        """Read what waits and changed since then."""
        self._readers.prepare(_rest(one) for one in self._waiting if _is_of(one, since_ns))
        async with asyncio.TaskGroup() as tasks:
            for _ in range(ORDERS):
                tasks.create_task(self._read_on(since_ns))

    async def _read_on(self, since_ns: int) -> None:
        while self._waiting and _is_of(self._waiting[0], since_ns):
            await self._read_some(since_ns)

    async def _read_some(self, since_ns: int) -> None:
        """Read the next files of one account."""
        files = self._waiting[0].files
        taken: dict[str, Found] = {}
        orders: list[Order] = []
        size = 0
        while self._waiting and self._waiting[0].files is files and size < BATCH_BYTES:
            if not _is_of(self._waiting[0], since_ns):
                break
            one = self._waiting.popleft()
            size += _rest(one)
            taken[one.found.path] = one.found
            orders.append(files.order(one.found.path))
        generation = self._generation
        batch, rest, failed = await self._readers.read(files.account, orders)
        # One batch is written while the next ones are read, and no more of them wait in memory.
        await self._recorder.settled()
        if generation != self._generation:
            return
        for path, reason in failed:
            files.failed(path, reason)
        self._waiting.extendleft(Waiting(files, taken[path]) for path in reversed(rest))
        self._paths -= taken.keys() - set(rest)
        self.progress.files_done += len(taken) - len(rest)
        self._recorder.record(batch)
        await self._hand_over(files, batch)


def _is_of(one: Waiting, since_ns: int) -> bool:
    return one.found.stamp.mtime_ns >= since_ns


def _rest(one: Waiting) -> int:
    """How many bytes of the file were not read yet."""
    cursor = one.files.cursor(one.found.path)
    return one.found.stamp.size - (cursor.offset if cursor else 0)
