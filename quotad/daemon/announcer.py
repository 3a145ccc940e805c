"""From the decision to tell something to the telling: remembered first, so that nothing is told twice."""

from __future__ import annotations

import asyncio
import logging
import sqlite3

from quotad.domain.effects import Announce
from quotad.domain.notice import Mark
from quotad.sinks.notifier import Notifier
from quotad.store.thread import LedgerThread

_log = logging.getLogger(__name__)


class Announcer:
    """Keeps each announcement's marks in the ledger on disk, and then has it shown."""

    def __init__(self, ledger: LedgerThread, notifier: Notifier) -> None:
        self._ledger = ledger
        self._notifier = notifier
        self._waiting: asyncio.Queue[Announce] = asyncio.Queue()
        self._unremembered: set[Mark] = set()
        """Marks that the disk has not taken yet."""

    def announce(self, announce: Announce) -> None:
        """Take it; it is told by ``run``."""
        self._waiting.put_nowait(announce)

    async def run(self) -> None:
        """Remember, then show, for ever; what cannot be remembered now is shown all the same."""
        while True:
            announce = await self._waiting.get()
            if announce.marks:
                await self._remember(announce.marks)
            self._notifier.offer(announce.notice)
            self._waiting.task_done()

    async def catch_up(self) -> None:
        """Try again to remember what the disk did not take."""
        if self._unremembered:
            await self._remember(())

    async def finish(self) -> None:
        """Tell what is on its way, for the end: not between remembering a thing and telling it."""
        await self._waiting.join()
        await self._notifier.finish()

    async def _remember(self, marks: tuple[Mark, ...]) -> None:
        self._unremembered.update(marks)
        tried = tuple(self._unremembered)
        try:
            await self._ledger.run(lambda ledger: ledger.remember(tried))
        except sqlite3.Error as fault:
            _log.warning("what was announced cannot be remembered yet: %s", fault)
        else:
            self._unremembered.difference_update(tried)
