"""Hands batches to the ledger on disk and never loses one to a full disk.

The count goes on in memory while the disk does not take anything: what could not be written is kept and
written later. Only when too much waits is it let go; then the files are read again from where the ledger on
disk knows them, which costs time and no token.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import deque
from collections.abc import Callable

from quotad.clock import Clock
from quotad.domain.cursor import Batch
from quotad.store.thread import LedgerThread

RETRY_SECONDS = 5.0
WAITING_EVENTS_MAX = 50_000
"""So many events wait in memory for a disk that takes nothing (about 25 MB)."""

_log = logging.getLogger(__name__)


class Recorder:
    """Writes batches in the order in which they come."""

    def __init__(self, ledger: LedgerThread, clock: Clock, trouble: Callable[[str | None], None]) -> None:
        """``trouble`` is told what is wrong with the ledger, and None when it is well again."""
        self._ledger = ledger
        self._clock = clock
        self._trouble = trouble
        self._waiting: deque[Batch] = deque()
        self._failed = asyncio.Event()
        self.overflowed = asyncio.Event()
        """Set when too much waited and was let go."""
        self.written = asyncio.Event()
        """Set while nothing waits."""
        self.written.set()

    def record(self, batch: Batch) -> asyncio.Future[None]:
        """Hand a batch over at once; the future is done when it is written or waits for better times."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._waiting:
            self._keep(batch)
            done.set_result(None)
            return done
        writing = self._append(batch)
        writing.add_done_callback(lambda _: self._written(writing, batch, done))
        return done

    def _written(self, writing: asyncio.Future[None], batch: Batch, done: asyncio.Future[None]) -> None:
        if writing.cancelled() or done.cancelled():
            return
        fault = writing.exception()
        if isinstance(fault, sqlite3.Error | OSError):
            self._keep(batch)
            self._trouble(f"the ledger cannot be written: {fault}. Make room on its disk; nothing is lost")
            self._failed.set()
        elif fault is not None:
            done.set_exception(fault)
            return
        done.set_result(None)

    async def settled(self) -> None:
        """Return once everything that was handed over before has been written or is known to wait."""
        await self._ledger.run(lambda _: None)

    async def keep_trying(self) -> None:
        """Write what waits as soon as the disk takes it; runs for ever."""
        while True:
            await self._failed.wait()
            await self._clock.sleep(RETRY_SECONDS)
            await self._write_waiting()

    async def _write_waiting(self) -> None:
        while self._waiting:
            batch = self._waiting[0]
            try:
                await self._append(batch)
            except (sqlite3.Error, OSError) as fault:
                _log.warning("the ledger still cannot be written: %s", fault)
                return
            self._waiting.popleft()
        self._failed.clear()
        self.written.set()
        self._trouble(None)

    def _append(self, batch: Batch) -> asyncio.Future[None]:
        return self._ledger.run(lambda ledger: ledger.append(batch))

    def _keep(self, batch: Batch) -> None:
        self.written.clear()
        self._waiting.append(batch)
        if sum(len(one.usage) + len(one.logs) for one in self._waiting) > WAITING_EVENTS_MAX:
            self._waiting.clear()
            self._waiting.append(Batch(batch.account))
            self.overflowed.set()
