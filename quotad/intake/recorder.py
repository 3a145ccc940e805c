"""Writes batches to the ledger on disk, in order, and loses none to a full disk.

A batch's cursors cover what came before, too: so a later batch is never written before an earlier one. The
count goes on in memory while the disk takes nothing. Only when too much waits is it let go, and from then on
nothing is taken until the files are read again from where the ledger on disk knows them (``begin_again``):
that costs time and no token.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable

from quotad.clock import Clock
from quotad.domain.cursor import Batch
from quotad.domain.usage import AccountId, UsageEvent
from quotad.store.damage import is_damage
from quotad.store.thread import LedgerThread

RETRY_SECONDS = 5.0
WAITING_EVENTS_MAX = 50_000
"""So many events wait in memory for a disk that takes nothing (about 25 MB)."""

Written = Callable[[Batch, list[UsageEvent]], None]
"""Told of each batch that was written, and the rows of those of its calls that were known before."""


class Recorder:
    """A queue of batches and what empties it."""

    def __init__(
        self, ledger: LedgerThread, clock: Clock, trouble: Callable[[str | None], None], written: Written
    ) -> None:
        """``trouble`` is told what is wrong with the ledger, and None when it is well again."""
        self._ledger = ledger
        self._clock = clock
        self._trouble = trouble
        self._written = written
        self._waiting: deque[Batch] = deque()
        self._failing = False
        self._more = asyncio.Event()
        self._still = asyncio.Event()
        self._still.set()
        self.lost = asyncio.Event()
        """Set when batches were let go, until ``begin_again``."""
        self.damaged = False
        """The ledger's file itself is broken: it must be renewed first."""

    @property
    def complete(self) -> bool:
        """Whether the ledger on disk has everything that was recorded."""
        return not self._waiting and not self.lost.is_set()

    def record(self, batch: Batch) -> None:
        """Write the batch when its turn comes."""
        if self.lost.is_set():
            return
        self._waiting.append(batch)
        if self._failing and sum(map(_events, self._waiting)) > WAITING_EVENTS_MAX:
            self._let_go()
        else:
            self._still.clear()
            self._more.set()

    def unwritten(self, account: AccountId) -> list[Batch]:
        """The batches of an account that the ledger on disk does not know yet."""
        return [batch for batch in self._waiting if batch.account == account]

    def begin_again(self) -> None:
        """The files are read from the cursors on disk from now on."""
        self.damaged = False
        # The disk may take things again: a batch that alone is too much would never be tried otherwise.
        self._failing = False
        self.lost.clear()

    async def settled(self) -> None:
        """Return once everything recorded so far is written, or waits for better times."""
        await self._still.wait()

    async def run(self) -> None:
        """Write what is recorded, for ever."""
        try:
            while True:
                await self._more.wait()
                self._more.clear()
                while self._waiting:
                    if not await self._write_next():
                        self._still.set()
                        await self._clock.sleep(RETRY_SECONDS)
                self._still.set()
        finally:
            # Other places may be followed from now on: whoever waits for these would wait for ever.
            self._still.set()

    async def finish(self) -> None:
        """Write what still waits; what the disk does not take is read again at the next start."""
        while self._waiting and await self._write_next():
            pass

    async def _write_next(self) -> bool:
        batch = self._waiting[0]
        try:
            known = await self._ledger.run(lambda ledger: ledger.append(batch))
        except sqlite3.DatabaseError as fault:
            self._failing = True
            self.damaged = is_damage(fault)
            if self.damaged:
                self._let_go()
            else:
                self._trouble(
                    f"the ledger cannot be written ({fault}): make room on its disk; nothing is lost"
                )
            return False
        self._failing = False
        # A batch that was let go meanwhile is no longer the first.
        if self._waiting and self._waiting[0] is batch:
            self._waiting.popleft()
        # The disk takes things again: whoever waits for everything to be written waits for the rest.
        if self._waiting:
            self._still.clear()
        self._trouble(None)
        self._written(batch, known)
        return True

    def _let_go(self) -> None:
        self._waiting.clear()
        self.lost.set()


def _events(batch: Batch) -> int:
    return len(batch.usage) + len(batch.logs) + len(batch.readings)
