"""What planning remembers for good besides the queue: runs and calendar events, kept in the ledger.

The disk may refuse at any time. What it did not take is tried again, and again after a damaged ledger was
replaced by an empty one, which knows of no event and would have each made a second time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeAlias

from quotad.domain.event import EventRow
from quotad.domain.instant import Instant
from quotad.domain.policy import Policy
from quotad.domain.queue import PlannedId, Run
from quotad.domain.sums import Totals
from quotad.domain.usage import AccountId, SessionId
from quotad.store.ledger_file import LedgerFile
from quotad.store.thread import LedgerThread

RunKey: TypeAlias = tuple[PlannedId, SessionId, Instant]
"""A Claude Code session may take a planned one up again that it gave back."""


class Record:
    """The first account's runs and events, in memory and, sooner or later, on disk."""

    def __init__(self, ledger: LedgerThread, account: AccountId) -> None:
        self._ledger = ledger
        self._account = account
        self._set_aside: Path | None = ledger.set_aside
        self._runs: dict[RunKey, Run] = {}
        self._events: dict[PlannedId, EventRow] = {}
        self._unkept_runs: set[RunKey] = set()
        self._unforgotten: dict[RunKey, Run] = {}
        self._unkept_events: set[PlannedId] = set()

    @property
    def runs(self) -> tuple[Run, ...]:
        """Every run there ever was, in the order in which they were started."""
        return tuple(sorted(self._runs.values(), key=lambda run: (run.started, run.planned, run.session)))

    @property
    def events(self) -> tuple[EventRow, ...]:
        """Every event there ever was, next first."""
        return tuple(sorted(self._events.values(), key=lambda row: (row.starts, row.planned)))

    async def load(self) -> None:
        """Read what is on disk. Raises ``sqlite3.Error``."""
        account = self._account
        runs = await self._ledger.run(lambda ledger: ledger.runs(account))
        events = await self._ledger.run(lambda ledger: ledger.events(account))
        read = {_key(run): run for run in runs}
        self._runs = {key: run for key, run in read.items() if key not in self._unforgotten} | self._runs
        self._events = {row.planned: row for row in events} | self._events

    def note_runs(self, runs: Iterable[Run]) -> None:
        """Know these runs from now on; ``keep`` puts them on disk."""
        for run in runs:
            key = _key(run)
            self._runs[key] = run
            self._unkept_runs.add(key)
            self._unforgotten.pop(key, None)

    def forget_run(self, run: Run) -> None:
        """Nothing came of it: from now on it never was; ``keep`` takes it off the disk."""
        key = _key(run)
        self._runs.pop(key, None)
        self._unkept_runs.discard(key)
        self._unforgotten[key] = run

    def note_events(self, rows: Iterable[EventRow]) -> None:
        """Know these events from now on; ``keep`` puts them on disk."""
        for row in rows:
            if self._events.get(row.planned) != row:
                self._events[row.planned] = row
                self._unkept_events.add(row.planned)

    async def keep(self) -> None:
        """Put on disk what is not there yet. Raises ``sqlite3.Error``; the rest is tried the next time."""
        if self._ledger.set_aside != self._set_aside:
            self._unkept_runs.update(self._runs)
            self._unkept_events.update(self._events)
        for key in tuple(self._unkept_runs):
            run = self._runs[key]
            await self._run(_keeping_run(self._account, run))
            # Meanwhile more may have become of it.
            if self._runs.get(key) == run:
                self._unkept_runs.discard(key)
        for key, run in tuple(self._unforgotten.items()):
            await self._run(_forgetting_run(self._account, run))
            self._unforgotten.pop(key, None)
        for planned in tuple(self._unkept_events):
            await self._run(_keeping_event(self._account, self._events[planned]))
            self._unkept_events.discard(planned)
        self._set_aside = self._ledger.set_aside

    async def _run(self, work: Callable[[LedgerFile], None]) -> None:
        await self._ledger.run(work)

    async def spent_between(self, session: SessionId, since: Instant, until: Instant, policy: Policy) -> int:
        """What a Claude Code session spent in ``[since, until)``, by the disk. Raises ``sqlite3.Error``."""
        account = self._account
        groups = await self._ledger.run(lambda ledger: ledger.history(account, "session", since, until))
        group = next((group for group in groups if group.name == session), None)
        if group is None:
            return 0
        estimated = sum(policy.estimate(tool) * times for tool, times in group.tools.items())
        models = {name: one.tokens for name, one in group.models.items()}
        return Totals(models, group.messages, estimated).spent(policy)


def _key(run: Run) -> RunKey:
    return run.planned, run.session, run.started


def _keeping_run(account: AccountId, run: Run) -> Callable[[LedgerFile], None]:
    return lambda ledger: ledger.keep_run(account, run)


def _forgetting_run(account: AccountId, run: Run) -> Callable[[LedgerFile], None]:
    return lambda ledger: ledger.forget_run(account, run)


def _keeping_event(account: AccountId, row: EventRow) -> Callable[[LedgerFile], None]:
    return lambda ledger: ledger.keep_event(account, row)
