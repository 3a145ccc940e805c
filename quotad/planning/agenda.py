"""The queue with all that hangs on it: its file, its runs, its calendar, and what the engine knows of it.

A change goes the same way whoever makes it: the file is read if it is another one, the change is made of what
it says, the file is written for good, runs and events are remembered, the calendar's files follow, and the
engine is told. Whoever asked is answered after all of that.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from quotad import wire
from quotad.clock import Clock
from quotad.domain.event import EventRow
from quotad.domain.inputs import QueueSeen
from quotad.domain.instant import CLOCK_SLACK, HOUR, Instant, Millis
from quotad.domain.queue import (
    Outcome,
    PlannedId,
    Queue,
    QueueRefused,
    Run,
    Status,
    claimed,
    counted_from,
    readied,
)
from quotad.domain.usage import AccountId, SessionId
from quotad.engine import Engine
from quotad.planning.queue_file import QueueFile, QueueInvalid, file_text
from quotad.planning.record import Record
from quotad.sinks.calendar import reconciled
from quotad.sinks.calendar_file import Calendar
from quotad.store.thread import LedgerThread

QUEUE_INVALID: Final = "queue-invalid"
CALENDAR_UNWRITABLE: Final = "calendar-unwritable"
UNRECORDED: Final = "planning-unrecorded"

NOTHING_KNOWN: Final = "until it is mended no planned session is known"

CALENDAR_EVERY: Millis = HOUR
"""The calendar's files are looked at this often: cancelled events leave ``all.ics`` in time."""

GONE_SECONDS = 0.5
"""A file that is gone must stay away so long before nothing is planned any more."""

OnTrouble = Callable[[str, str | None], None]


class Agenda:
    """The first account's; only one change at a time: whoever changes holds ``changing``."""

    def __init__(
        self, engine: Engine, ledger: LedgerThread, clock: Clock, root: Path, on_trouble: OnTrouble
    ) -> None:
        """``root`` is the first account's directory, and its id."""
        self.changing = asyncio.Lock()
        self.file = QueueFile(root / "session-queue.json")
        self.calendar = Calendar(root / "calendar")
        self._account = AccountId(str(root))
        self._engine = engine
        self._clock = clock
        self._record = Record(ledger, self._account)
        self._on_trouble = on_trouble
        self._troubles: dict[str, str] = {}
        self._invalid: str | None = None
        self._stale = True
        """The engine may not know what the file says; so it is while a change is on its way."""
        self._adopted = False
        self._calendar_due: Instant = 0

    # What is known.

    @property
    def queue(self) -> Queue:
        """As the engine knows it."""
        return self._engine.state.queue

    @property
    def runs(self) -> tuple[Run, ...]:
        """As the engine knows them."""
        return self._engine.state.runs

    @property
    def events(self) -> tuple[EventRow, ...]:
        """Every event there ever was, next first."""
        return self._record.events

    @property
    def current_events(self) -> list[EventRow]:
        """Those that are still written, next first."""
        now = self._clock.now()
        return [row for row in self.events if row.is_current(now)]

    async def spent(self) -> dict[SessionId, int]:
        """What the Claude Code sessions of open runs have spent, on the scale of ``Run.spent_before``."""
        return {
            run.session: run.spent_before + await self._spent_by(run) for run in self.runs if is_open(run)
        }

    def text(self) -> str:
        """The file's text; of a file that is valid and known."""
        return file_text(self.file.latest(), self.file.path, self._clock.now())

    # Taking in.

    async def open(self) -> None:
        """Take in what is on disk, before anybody asks."""
        async with self.changing:
            await self._load()
            self._engine.submit(QueueSeen(self.queue, self._record.runs))
            await self._take_in()

    async def peek(self) -> None:
        """Let the engine know what is on disk, and change nothing."""
        await self._load()
        try:
            queue = (await asyncio.to_thread(self.file.read)).queue
        except QueueInvalid as fault:
            self._trouble(QUEUE_INVALID, str(fault))
            return
        self._engine.submit(QueueSeen(queue, self._record.runs))

    async def look(self) -> None:
        """Take the file in if it was changed by hand."""
        if self._stale or self.file.changed():
            async with self.changing:
                await self._take_in()

    async def current(self) -> Queue:
        """What the file says now; for whoever holds ``changing``. Raises ``wire.Refusal``: queue-invalid."""
        await self._take_in()
        if self._invalid is not None:
            raise refusal(QUEUE_INVALID, self._invalid)
        return self.queue

    async def _take_in(self) -> None:
        if not self._stale and not self.file.changed():
            return
        self._stale = True
        if self.queue.sessions and not self.file.path.exists():
            # Some programs take a file away before they put the next one in its place.
            await self._clock.sleep(GONE_SECONDS)
        try:
            read = await asyncio.to_thread(self.file.latest)
        except QueueInvalid as fault:
            self._invalid, self._stale = str(fault), False
            meanwhile = "what it said before stays in force" if self._adopted else NOTHING_KNOWN
            self._trouble(QUEUE_INVALID, f"{fault}; {meanwhile}")
            return
        self._invalid = None
        self._trouble(QUEUE_INVALID, None)
        await self._adopt(read.queue)

    async def _load(self) -> None:
        try:
            await self._record.load()
        except sqlite3.Error as fault:
            self._trouble(UNRECORDED, f"earlier runs and calendar events cannot be read: {fault}")

    # Changing.

    async def change(self, change: Callable[[Queue], Queue]) -> None:
        """Make one change of what the file says; for whoever holds ``changing``.

        Raises ``QueueRefused``, and ``wire.Refusal``: queue-invalid, queue-unwritable.
        """
        await self._adopt(await self._written(change(await self.current())))

    async def claim(self, run: Run) -> None:
        """Its session is in progress from now on; raises as ``change`` does.

        The run is remembered first: a session in progress without one holds its estimate until somebody
        calls it done, one with a run at most until the run is over.
        """
        changed = claimed(await self.current(), run.planned)
        self._record.note_runs([run])
        await self._keep()
        try:
            written = await self._written(changed)
        except (QueueRefused, wire.Refusal):
            self._record.forget_run(run)
            raise
        await self._adopt(written)

    async def unclaim(self, run: Run) -> None:
        """Its session is as it was before, and the run never was; raises as ``change`` does."""
        written = await self._written(readied(await self.current(), run.planned))
        self._record.forget_run(run)
        await self._adopt(written)

    async def _written(self, changed: Queue) -> Queue:
        """What the file says with the change in it; for good."""
        self._stale = True
        try:
            read = await self.file.write(changed, self._clock.now())
        except QueueInvalid as fault:
            raise refusal(QUEUE_INVALID, str(fault)) from fault
        except OSError as fault:
            message = f"{self.file.path} cannot be written: {fault.strerror}; nothing was changed"
            raise refusal("queue-unwritable", message) from fault
        return read.queue

    async def _adopt(self, queue: Queue) -> None:
        """What the file says is so from now on: for runs, events, the calendar, and the engine."""
        self._adopted = True
        running = {one.id for one in queue.sessions if one.status is Status.IN_PROGRESS}
        over = [run for run in self._record.runs if is_open(run) and run.planned not in running]
        self._record.note_runs([await self._ended(run, queue) for run in over])
        self._record.note_events(reconciled(queue, self._record.events, self._clock.now()))
        self._engine.submit(QueueSeen(queue, self._record.runs))
        self._stale = False
        await self._keep()
        await self._write_calendar()

    async def _ended(self, run: Run, queue: Queue) -> Run:
        """The run with its end: its session is not in progress any more."""
        actual = await self._spent_by(run)
        planned = next((one for one in queue.sessions if one.id == run.planned), None)
        if planned is None or planned.status is not Status.COMPLETE:
            outcome = Outcome.ABANDONED
        else:
            outcome = Outcome.OVER_RUN if actual > run.estimate else Outcome.COMPLETE
        return replace(run, ended=run.ended or self._clock.now(), actual=actual, outcome=outcome)

    async def _spent_by(self, run: Run) -> int:
        """What its Claude Code session spent up to its next claim: by memory, further back by the disk.

        Memory knows a line before the disk does, which is asked of nothing that memory reaches.
        """
        state = self._engine.state
        account = state.accounts[self._account]
        others = (one.started for one in self._record.runs if one.session == run.session)
        later = (counted_from(at) for at in others if at > run.started)
        until = min(later, default=self._clock.now() + CLOCK_SLACK)
        begins = counted_from(run.started)
        since = min(max(begins, account.horizon), until)
        spent = account.ledger.totals(since, until, session=run.session).spent(state.policy)
        if since <= begins:
            return spent
        try:
            return spent + await self._record.spent_between(run.session, begins, since, state.policy)
        except sqlite3.Error:
            return spent

    # Remembering and writing.

    def note_runs(self, runs: Iterable[Run]) -> None:
        """What became of these; ``tend`` remembers it for good."""
        self._record.note_runs(runs)

    async def tend(self) -> None:
        """Try again what the disk did not take, and let time pass in the calendar; under ``changing``."""
        await self._keep()
        if self._clock.now() >= self._calendar_due:
            await self._write_calendar()

    async def export(self, ids: Sequence[PlannedId]) -> list[EventRow]:
        """Write these sessions' files anew. Raises ``wire.Refusal``: calendar-unwritable."""
        try:
            await self.calendar.export(self.events, self.queue, self._clock.now(), ids)
        except OSError as fault:
            raise refusal(CALENDAR_UNWRITABLE, self._unwritable(fault)) from fault
        return [row for row in self.events if row.planned in ids]

    def trouble(self, code: str) -> str | None:
        """What is wrong under this code, if anything is."""
        return self._troubles.get(code)

    async def _keep(self) -> None:
        try:
            await self._record.keep()
        except sqlite3.Error as fault:
            self._trouble(UNRECORDED, f"runs and calendar events cannot be remembered yet: {fault}")
        else:
            self._trouble(UNRECORDED, None)

    async def _write_calendar(self) -> None:
        now = self._clock.now()
        self._calendar_due = now + CALENDAR_EVERY
        try:
            await self.calendar.write(self.events, self.queue, now)
        except OSError as fault:
            self._calendar_due = 0
            self._trouble(CALENDAR_UNWRITABLE, self._unwritable(fault))
        else:
            self._trouble(CALENDAR_UNWRITABLE, None)

    def _unwritable(self, fault: OSError) -> str:
        return f"the calendar's files in {self.calendar.all.parent} cannot be written: {fault.strerror}"

    def _trouble(self, code: str, message: str | None) -> None:
        if self._troubles.get(code) == message:
            return
        if message is None:
            del self._troubles[code]
        else:
            self._troubles[code] = message
        self._on_trouble(code, message)


def is_open(run: Run) -> bool:
    """Whether it is not over."""
    return run.outcome is None


def refusal(code: wire.RefusalCode, message: str) -> wire.Refusal:
    """An answer to whoever asked for what cannot be."""
    return wire.Refusal(wire.REFUSED, message, code)
