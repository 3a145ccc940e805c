"""The ledger file behind one thread of its own: SQLite's work never holds the loop.

Calls are carried out in the order in which they were made, so that a question sees every batch that was
handed over before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from quotad.store.ledger_file import LedgerFile

T = TypeVar("T")


class LedgerThread:
    """Runs work on the ledger, first come first served."""

    def __init__(self, ledger: LedgerFile) -> None:
        self._ledger = ledger
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")

    def run(self, work: Callable[[LedgerFile], T]) -> asyncio.Future[T]:
        """Hand work over at once; the future brings its result, or what sqlite3 raised."""
        return asyncio.get_running_loop().run_in_executor(self._executor, work, self._ledger)

    def close(self) -> None:
        """Finish what was handed over, then close the ledger; blocking."""
        self._executor.submit(self._ledger.close).result()
        self._executor.shutdown()
