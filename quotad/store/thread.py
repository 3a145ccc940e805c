"""The ledger file behind one thread of its own: SQLite's work never holds the loop.

Calls are carried out in the order in which they were made, so that a question sees every batch that was
handed over before it.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from quotad.store.ledger_file import LedgerFile

T = TypeVar("T")


class LedgerThread:
    """Runs work on the ledger, first come first served."""

    def __init__(self, ledger: LedgerFile, path: Path) -> None:
        self._ledger = ledger
        self._path = path
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")

    @property
    def set_aside(self) -> Path | None:
        """Where the damaged ledger lies that this one took the place of."""
        return self._ledger.set_aside

    def run(self, work: Callable[[LedgerFile], T]) -> asyncio.Future[T]:
        """Hand work over at once; the future brings its result, or what sqlite3 raised."""
        return asyncio.get_running_loop().run_in_executor(self._executor, lambda: work(self._ledger))

    async def renew(self, stamp: str) -> Path | None:
        """Set the damaged file aside and begin a new one; where the old one lies."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._renew, stamp)

    def _renew(self, stamp: str) -> Path | None:
        with contextlib.suppress(sqlite3.Error):
            self._ledger.close()
        self._ledger = LedgerFile.renew(self._path, stamp=stamp)
        return self._ledger.set_aside

    def close(self) -> None:
        """Finish what was handed over, then close the ledger; blocking."""
        self._executor.submit(self._ledger.close).result()
        self._executor.shutdown()
