"""What is asked about planned sessions and done with them: by request, and by time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from quotad import wire
from quotad.clock import Clock
from quotad.domain import queue as queues
from quotad.domain.decision import Decision, decide, decide_on
from quotad.domain.due import lengths_of, room_now
from quotad.domain.event import EventRow
from quotad.domain.instant import HOUR, Instant, Millis
from quotad.domain.plan import Layout, in_progress, lay_out
from quotad.domain.queue import Edit, Planned, PlannedId, Queue, QueueRefused, Run, ScheduleReason, Status
from quotad.domain.room import Room, earliest, parts, rooms
from quotad.domain.slots import Slot, coming
from quotad.domain.usage import SessionId
from quotad.domain.working import WorkingHours
from quotad.engine import Engine
from quotad.planning.agenda import CALENDAR_UNWRITABLE, Agenda, is_open, refusal

LOOK_SECONDS = 5.0
"""The queue file is looked at this often without any question."""
AFTER_DEPENDENCY: Millis = HOUR
"""A session whose dependencies are not done is looked at again after so long at the earliest."""


@dataclass(frozen=True, slots=True)
class Booked:
    """A booked session, when, the file of its event, and what is to be said against that time."""

    planned: Planned
    at: Instant
    ics: Path
    warning: str | None


@dataclass(frozen=True, slots=True)
class Plan:
    """The queue over the coming windows, and the times that are in the calendar."""

    layout: Layout
    slots: tuple[Slot, ...]
    booked: dict[PlannedId, Instant]


class Planner:
    """Acts on one agenda. Whatever changes it raises ``QueueRefused`` and ``wire.Refusal``."""

    def __init__(self, engine: Engine, clock: Clock, agenda: Agenda, working: WorkingHours) -> None:
        self.agenda = agenda
        self.working = working
        self._engine = engine
        self._clock = clock
        self._moves: set[PlannedId] = set()
        self._news = asyncio.Event()

    # What goes on by itself.

    async def run(self) -> None:
        """See to what changes by hand and by time, for ever."""
        while True:
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._news.wait()
            except TimeoutError:
                pass
            await self.tend()

    async def tend(self) -> None:
        """See to it once."""
        self._news.clear()
        await self.agenda.look()
        async with self.agenda.changing:
            await self._move()
            await self.agenda.tend()

    def rebook(self, ids: Iterable[PlannedId]) -> None:
        """Their time has come without quota; returns at once."""
        self._moves.update(ids)
        self._news.set()

    def keep_runs(self, runs: Iterable[Run]) -> None:
        """Remember what became of these; returns at once."""
        self.agenda.note_runs(runs)
        self._news.set()

    # What is asked.

    def next(self, hours: float | None, which: PlannedId | None = None) -> Decision:
        """The decision for now, over all sessions or about one. Raises ``QueueRefused``."""
        now, queue, found = self._clock.now(), self.agenda.queue, self._rooms()
        if which is not None:
            return decide_on(queue, found, which, now, self.working)
        return decide(queue, found, self.agenda.runs, hours, now, self.working)

    async def plan(self) -> Plan:
        """The whole queue over the coming windows; computed in a thread."""
        standing = self._engine.standing()
        queue, now = standing.queue, standing.now
        holding = rooms(
            standing.windows, in_progress(queue), standing.runs, standing.spent, now, self._lengths()
        )
        slots = coming(holding, self.working, now)
        announced = {one.id: one.scheduled_for for one in queue.sessions if one.scheduled_for is not None}
        layout = await asyncio.to_thread(lay_out, queue, slots, now, announced=announced)
        return Plan(layout, slots, announced)

    async def text(self) -> str:
        """The queue file's text."""
        async with self.agenda.changing:
            await self.agenda.current()
            return self.agenda.text()

    # What is changed by request.

    async def add(self, sessions: Sequence[Planned]) -> list[Planned]:
        """New sessions, all or none."""
        async with self.agenda.changing:
            await self.agenda.change(lambda queue: queues.joined(queue, sessions))
            return [self._found(one.id) for one in sessions]

    async def edit(self, which: PlannedId, edit: Edit, *, ready: bool) -> Planned:
        """Change fields, and take it back to ready if asked so."""
        async with self.agenda.changing:
            await self.agenda.change(
                lambda queue: queues.edited(queues.readied(queue, which) if ready else queue, which, edit)
            )
            return self._found(which)

    async def remove(self, which: PlannedId, *, force: bool) -> Planned:
        """Take a session out of the queue; gives what it was."""
        async with self.agenda.changing:
            before = queues.found(await self.agenda.current(), which)
            await self.agenda.change(lambda queue: queues.removed(queue, which, force=force))
            return before

    async def done(self, which: PlannedId) -> Planned:
        """It is complete: its run is over."""
        async with self.agenda.changing:
            await self.agenda.change(lambda queue: queues.done(queue, which))
            return self._found(which)

    async def start(
        self, session: SessionId, which: PlannedId | None, hours: float | None, *, only_if_it_fits: bool
    ) -> Decision:
        """Claim the session that is decided for, or book it; does-not-fit if that is not wanted."""
        async with self.agenda.changing:
            await self.agenda.current()
            decided = self.next(hours, which)
            planned = decided.session
            if planned is None or decided.action == "none":
                return decided
            if decided.action == "start":
                await self._claim(planned, session)
            elif only_if_it_fits:
                raise refusal("does-not-fit", decided.reason)
            else:
                at, reason = decided.schedule_for, decided.schedule_reason
                assert at is not None, "a decision to schedule says when"
                assert reason is not None, "and why"
                await self.agenda.change(lambda queue: queues.booked(queue, planned.id, at, reason))
            return replace(decided, session=self._found(planned.id))

    async def _claim(self, planned: Planned, session: SessionId) -> None:
        state, now = self._engine.state, self._clock.now()
        account = next(iter(state.accounts.values()))
        before = account.ledger.totals(account.horizon, now, session=session).spent(state.policy)
        run = Run(planned.id, session, now, planned.tokens, before)
        await self.agenda.change(lambda queue: queues.claimed(queue, planned.id), run)

    async def release(self, which: PlannedId, session: SessionId) -> Planned:
        """Take a claim back; wrong-state if it is another one's."""
        async with self.agenda.changing:
            await self.agenda.current()
            open_runs = {(run.planned, run.session) for run in self.agenda.runs if is_open(run)}
            if (which, session) not in open_runs:
                raise refusal("wrong-state", f'"{which}" is not claimed by the Claude Code session {session}')
            await self.agenda.change(lambda queue: queues.readied(queue, which))
            return self._found(which)

    async def schedule(self, which: PlannedId, at: Instant | None) -> Booked:
        """Book it, or move it, to ``at`` or the earliest time with room."""
        async with self.agenda.changing:
            planned = queues.found(await self.agenda.current(), which)
            now, found = self._clock.now(), self._rooms()
            if at is not None and at < now:
                raise refusal("invalid-value", f"{wire.iso(at)} has passed; choose a time to come")
            time, reason = at, ScheduleReason.USER_SCHEDULED
            if time is None:
                first = earliest(planned, found, self.agenda.queue, now, self.working)
                time, reason = first.at, _reason(first.full)
            await self.agenda.change(lambda queue: queues.booked(queue, which, time, reason))
            unwritable = self.agenda.trouble(CALENDAR_UNWRITABLE)
            if unwritable is not None:
                raise refusal(CALENDAR_UNWRITABLE, f'"{which}" is scheduled, but {unwritable}')
            warning = self._warning(planned, found, time)
            return Booked(self._found(which), time, self.agenda.calendar.path(which), warning)

    async def unschedule(self, which: PlannedId) -> Planned:
        """It waits for no time any more."""
        async with self.agenda.changing:
            await self.agenda.change(lambda queue: queues.unbooked(queue, which))
            return self._found(which)

    async def export(self, ids: Sequence[PlannedId]) -> list[EventRow]:
        """Write the events' files of these, or of all that are scheduled, anew."""
        async with self.agenda.changing:
            queue = await self.agenda.current()
            for which in ids:
                if queues.found(queue, which).status is not Status.SCHEDULED:
                    raise refusal(
                        "wrong-state", f'"{which}" is not scheduled: `quotactl schedule {which}` books it'
                    )
            scheduled = [one.id for one in queue.sessions if one.status is Status.SCHEDULED]
            return await self.agenda.export(ids or scheduled)

    # Moving what has no quota.

    async def _move(self) -> None:
        """Move the sessions whose time has come without quota; what cannot be now is tried again."""
        if not self._moves:
            return
        try:
            queue = await self.agenda.current()
            for which in [one.id for one in queue.sessions if one.id in self._moves]:
                await self._move_one(which)
        except (wire.Refusal, QueueRefused):
            # The file is broken or cannot be written: `status` says so.
            return
        self._moves.clear()

    async def _move_one(self, which: PlannedId) -> None:
        queue, now = self.agenda.queue, self._clock.now()
        planned = queues.found(queue, which)
        first = earliest(planned, self._rooms(), queue, now, self.working)
        waiting = queues.blocked_by(queue, which)
        at, reason = first.at, _reason(first.full)
        if waiting:
            later = max(now + AFTER_DEPENDENCY, *(self._ends_at(queue, one) for one in waiting))
            at, reason = self.working.next(max(at, later)), ScheduleReason.DEPENDENCY
        has_come = planned.status is Status.SCHEDULED and (planned.scheduled_for or now) <= now
        # Meanwhile the quota may have come back, or somebody have moved it.
        if has_come and at > now:
            await self.agenda.change(lambda queue: queues.booked(queue, which, at, reason))

    def _ends_at(self, queue: Queue, which: PlannedId) -> Instant:
        """When a session will be done as far as that can be said; 0 if it cannot."""
        planned = queues.found(queue, which)
        started = (run.started for run in self.agenda.runs if run.planned == which and is_open(run))
        begins = planned.scheduled_for or max(started, default=0)
        return begins and begins + round(planned.hours * HOUR)

    # Small matters.

    def _found(self, which: PlannedId) -> Planned:
        return queues.found(self.agenda.queue, which)

    def _rooms(self) -> tuple[Room, ...]:
        return room_now(self._engine.standing(), self._lengths())

    def _lengths(self) -> dict[str, Millis]:
        return dict(lengths_of(self._engine.state.policy))

    def _warning(self, planned: Planned, found: Sequence[Room], at: Instant) -> str | None:
        """What is to be said against a time."""
        count = parts(planned, found)
        if count > 1:
            return (
                f'"{planned.id}" is larger than a whole window: it has a fresh one to itself, and would fill '
                f"{count}; divide it, or expect it to stop at the limit"
            )
        return None if self.working.next(at) == at else "that is outside your working hours"


def _reason(full: Sequence[Room]) -> ScheduleReason:
    """Why a session waits: somebody wished it, or something is used up, or too little is left."""
    if not full:
        return ScheduleReason.USER_SCHEDULED
    used_up = any(room.remaining == 0 for room in full)
    return ScheduleReason.QUOTA_EXCEEDED if used_up else ScheduleReason.LOW_QUOTA
