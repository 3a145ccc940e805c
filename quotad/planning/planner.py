"""What is asked about planned sessions and done with them: by request, and by time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from quotad import wire
from quotad.clock import Clock
from quotad.domain import queue as queues
from quotad.domain.decision import Decision, decide, decide_on, in_line
from quotad.domain.due import room_now
from quotad.domain.event import EventRow
from quotad.domain.inputs import Moved
from quotad.domain.instant import HOUR, Instant, Millis
from quotad.domain.plan import Plan, in_progress, plan_ahead
from quotad.domain.queue import Edit, Planned, PlannedId, Queue, QueueRefused, Run, ScheduleReason, Status
from quotad.domain.room import Room, earliest, is_due, parts
from quotad.domain.usage import SessionId
from quotad.domain.working import WorkingHours
from quotad.engine import Engine
from quotad.planning.agenda import CALENDAR_UNWRITABLE, Agenda, is_open, refusal
from quotad.planning.taken_in import TakenIn, unknown

LOOK_SECONDS = 5.0
"""The queue file is looked at this often without any question."""
MOVES_AT_ONCE = 20
"""So many sessions are moved in one change: finding a time for each must not hold up the loop."""
AFTER_DEPENDENCY: Millis = HOUR
"""A session whose dependencies are not done is looked at again after so long at the earliest."""


class Booked(Struct, frozen=True):
    """A booked session, when, the file of its event, and what is to be said against that time."""

    planned: Planned
    at: Instant
    ics: Path
    warning: str | None


class Planner:
    """Acts on one agenda. Whatever changes it raises ``QueueRefused`` and ``wire.Refusal``."""

    def __init__(self, engine: Engine, clock: Clock, agenda: Agenda, working: WorkingHours) -> None:
        self.agenda = agenda
        self.working = working
        self._engine = engine
        self._clock = clock
        self._moves: set[PlannedId] = set()
        self._moved: dict[PlannedId, Instant] = {}
        """Moved from these times, and not told of as long as there are more to be moved."""
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
            return decide_on(queue, found, which, hours, now, self.working)
        return decide(queue, found, self.agenda.runs, hours, now, self.working)

    async def plan(self) -> Plan:
        """The whole queue over the coming windows; computed in a thread."""
        standing = self._engine.standing()
        queue, now = standing.queue, standing.now
        rooms = room_now(standing, in_progress(queue))
        return await asyncio.to_thread(plan_ahead, queue, rooms, self.working, now)

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

    async def take_in(self, sessions: Sequence[Planned]) -> TakenIn:
        """Add those whose ids are new, all or none; what is in the queue already stays as it is."""
        async with self.agenda.changing:
            new: list[Planned] = []

            def change(queue: Queue) -> Queue:
                new[:] = unknown(sessions, queue)
                return queues.joined(queue, new)

            await self.agenda.change(change)
            added = [one.id for one in new]
            return TakenIn(added, [one.id for one in sessions if one.id not in frozenset(added)])

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
        before = account.ledger.totals(account.horizon, queues.counted_from(now), session=session)
        await self.agenda.claim(Run(planned.id, session, now, planned.tokens, before.spent(state.policy)))

    async def release(self, which: PlannedId, session: SessionId) -> Planned:
        """Take a claim back that nothing came of; wrong-state if it is another one's."""
        async with self.agenda.changing:
            await self.agenda.current()
            claims = (run for run in self.agenda.runs if is_open(run) and run.planned == which)
            run = next((run for run in claims if run.session == session), None)
            if run is None:
                raise refusal("wrong-state", f'"{which}" is not claimed by the Claude Code session {session}')
            await self.agenda.unclaim(run)
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
        """Move the next sessions whose time has come without quota; what cannot be now is tried again."""
        asked, self._moves = self._moves, set()
        if not asked:
            return
        tried: set[PlannedId] = set()
        moved: dict[PlannedId, Instant] = {}

        def change(queue: Queue) -> Queue:
            now, standing = self._clock.now(), self._engine.standing()
            come = [one for one in queue.sessions if one.id in asked and is_due(one, now)]
            for planned in in_line(come, queue, now)[:MOVES_AT_ONCE]:
                tried.add(planned.id)
                at, reason = self._later(planned, room_now(standing, queue), queue, now)
                # Meanwhile the quota may have come back.
                if at > now:
                    queue = queues.booked(queue, planned.id, at, reason)
                    # One that waits for another is looked at every hour, which is news only once.
                    if (
                        planned.schedule_reason is not ScheduleReason.DEPENDENCY
                        or reason != ScheduleReason.DEPENDENCY
                    ):
                        moved[planned.id] = planned.scheduled_for or now
            return queue

        try:
            await self.agenda.change(change)
        except (wire.Refusal, QueueRefused):
            # The file is broken or cannot be written: `status` says so.
            self._moves |= asked
            return
        self._moved |= moved
        if len(tried) == MOVES_AT_ONCE:
            self._moves |= asked - tried
            self._news.set()
        if not self._moves and self._moved:
            times, self._moved = self._moved, {}
            self._engine.submit(Moved(times))

    def _later(
        self, planned: Planned, found: Sequence[Room], queue: Queue, now: Instant
    ) -> tuple[Instant, ScheduleReason]:
        """The earliest time for a session whose time has come, and why it is not now."""
        first = earliest(planned, found, queue, now, self.working)
        waiting = queues.blocked_by(queue, planned.id)
        if not waiting:
            return first.at, _reason(first.full)
        later = max(now + AFTER_DEPENDENCY, *(self._ends_at(queue, one) for one in waiting))
        return self.working.next(max(first.at, later)), ScheduleReason.DEPENDENCY

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
        return room_now(self._engine.standing())

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
