"""What each request about planned sessions does: from the wire's words to the planner's work and back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple, TypeVar

from msgspec import Struct

from quotad import wire
from quotad.domain.instant import Instant
from quotad.domain.queue import Edit, Planned, PlannedId, Priority, QueueRefused, found
from quotad.domain.usage import SessionId
from quotad.intake.intake import Intake
from quotad.ipc import planned as replies
from quotad.ipc.requests import Answer, Method, Methods
from quotad.planning import markdown, moment
from quotad.planning.agenda import QUEUE_INVALID
from quotad.planning.planner import Planner
from quotad.planning.queue_file import sessions_in
from quotad.wire import planning

P = TypeVar("P", bound=NamedTuple)

SESSION_CHARACTERS_MAX = 128
"""Claude Code's ids are UUIDs of 36."""


class PlannedAnswers(Struct):
    """The methods of the queue, the decision, the plan and the calendar; a reload replaces ``intake``."""

    intake: Intake
    planner: Planner

    def methods(self) -> Methods:
        """Every method that ``wire.planning`` has words for."""
        return {
            "queue.list": self._method(wire.NoParams, self._list),
            "queue.show": self._method(planning.IdParams, self._show),
            "queue.add": self._method(planning.AddParams, self._add),
            "queue.edit": self._method(planning.EditParams, self._edit),
            "queue.remove": self._method(planning.RemoveParams, self._remove),
            "queue.done": self._method(planning.IdParams, self._done),
            "queue.import": self._method(planning.ImportParams, self._import),
            "queue.export": self._method(wire.NoParams, self._export),
            "next": self._method(planning.NextParams, self._next),
            "start": self._method(planning.StartParams, self._start),
            "release": self._method(planning.ReleaseParams, self._release),
            "schedule": self._method(planning.ScheduleParams, self._schedule),
            "unschedule": self._method(planning.IdParams, self._unschedule),
            "plan": self._method(wire.NoParams, self._plan),
            "calendar.export": self._method(planning.CalendarExportParams, self._calendar_export),
            "calendar.list": self._method(wire.NoParams, self._calendar_list),
        }

    def _method(self, params: type[P], answer: Callable[[P], Awaitable[Answer]]) -> Method:
        """Never older than the question, and refused in the wire's words."""

        async def answered(given: P) -> Answer:
            await self.refresh()
            try:
                return await answer(given)
            except QueueRefused as refused:
                raise wire.Refusal(wire.REFUSED, refused.message, refused.code) from refused

        return Method(params, answered)

    async def refresh(self) -> None:
        """Take in what was written before the question: usage, and changes of the queue by hand."""
        await self.intake.refresh()
        await self.planner.agenda.look()

    def _problem(self) -> str | None:
        return self.planner.agenda.trouble(QUEUE_INVALID)

    async def _list(self, _: wire.NoParams) -> planning.QueueListReply:
        agenda = self.planner.agenda
        spent = await agenda.spent()
        return replies.queue_list(agenda.queue, agenda.runs, spent, agenda.file.path, self._problem())

    async def _show(self, params: planning.IdParams) -> planning.QueueShowReply:
        agenda = self.planner.agenda
        spent = await agenda.spent()
        planned = found(agenda.queue, PlannedId(params.id))
        return replies.queue_show(agenda.queue, planned, agenda.runs, spent, self._problem())

    async def _add(self, params: planning.AddParams) -> planning.PlannedReply:
        planned = Planned(
            id=PlannedId(params.id),
            tokens=params.tokens,
            hours=params.hours,
            phase=params.phase,
            priority=Priority(params.priority),
            agent=params.agent,
            objectives=params.objectives,
            dependencies=tuple(map(PlannedId, params.depends_on)),
            deadline=None if params.deadline is None else _deadline(params.deadline),
            notes=params.notes,
            cwd=_directory(params.cwd),
        )
        return replies.session((await self.planner.add([planned]))[0])

    async def _edit(self, params: planning.EditParams) -> planning.PlannedReply:
        edit = Edit(
            tokens=params.tokens,
            hours=params.hours,
            phase=params.phase,
            priority=None if params.priority is None else Priority(params.priority),
            agent=params.agent,
            objectives=params.objectives,
            dependencies=None if params.depends_on is None else tuple(map(PlannedId, params.depends_on)),
            deadline=_deadline(params.deadline) if params.deadline else None,
            notes=params.notes,
            cwd=None if params.cwd is None else _directory(params.cwd),
            no_deadline=params.deadline == "",
        )
        return replies.session(await self.planner.edit(PlannedId(params.id), edit, ready=params.ready))

    async def _remove(self, params: planning.RemoveParams) -> planning.PlannedReply:
        return replies.session(await self.planner.remove(PlannedId(params.id), force=params.force))

    async def _done(self, params: planning.IdParams) -> planning.PlannedReply:
        return replies.session(await self.planner.done(PlannedId(params.id)))

    async def _import(self, params: planning.ImportParams) -> planning.ImportReply:
        assumed: list[PlannedId] = []
        if params.form == "json":
            sessions: Sequence[Planned] = sessions_in(params.text)
        else:
            known = {one.id for one in self.planner.agenda.queue.sessions}
            sessions, assumed = markdown.tasks(params.text, known)
        taken = await self.planner.take_in(sessions)
        added = frozenset(taken.added)
        return {
            "added": [*taken.added],
            "kept": [*taken.kept],
            "assumed": [one for one in assumed if one in added],
        }

    async def _export(self, _: wire.NoParams) -> wire.Exported:
        return {"text": await self.planner.text()}

    async def _next(self, params: planning.NextParams) -> planning.DecisionReply:
        which = None if params.id is None else PlannedId(params.id)
        return replies.decision(self.planner.next(_hours(params.hours), which), self._problem())

    async def _start(self, params: planning.StartParams) -> planning.DecisionReply:
        which = None if params.id is None else PlannedId(params.id)
        return replies.decision(
            await self.planner.start(
                _session(params.claude_session),
                which,
                _hours(params.hours),
                only_if_it_fits=params.only_if_it_fits,
            ),
            self._problem(),
        )

    async def _release(self, params: planning.ReleaseParams) -> planning.PlannedReply:
        released = await self.planner.release(PlannedId(params.id), _session(params.claude_session))
        return replies.session(released)

    async def _schedule(self, params: planning.ScheduleParams) -> planning.ScheduledReply:
        at = None if params.at is None else _instant("at", params.at)
        booked = await self.planner.schedule(PlannedId(params.id), at)
        return {
            "session": replies.session(booked.planned),
            "scheduled_for": wire.iso(booked.at),
            "ics": str(booked.ics),
            "warning": booked.warning,
        }

    async def _unschedule(self, params: planning.IdParams) -> planning.PlannedReply:
        return replies.session(await self.planner.unschedule(PlannedId(params.id)))

    async def _plan(self, _: wire.NoParams) -> planning.PlanReply:
        return replies.plan(await self.planner.plan(), self._problem())

    async def _calendar_export(self, params: planning.CalendarExportParams) -> planning.CalendarReply:
        rows = await self.planner.export(tuple(map(PlannedId, params.ids)))
        files = self.planner.agenda.calendar
        return {
            "events": [replies.event(row, files.path(row.planned)) for row in rows],
            "all": str(files.all),
        }

    async def _calendar_list(self, _: wire.NoParams) -> planning.CalendarReply:
        files = self.planner.agenda.calendar
        return {
            "events": [
                replies.event(row, files.path(row.planned)) for row in self.planner.agenda.current_events
            ],
            "all": str(files.all),
        }


def _hours(hours: float | None) -> float | None:
    if hours is not None and hours <= 0:
        raise wire.Refusal(wire.INVALID_PARAMS, "hours: must be more than 0")
    return hours


def _session(text: str) -> SessionId:
    if not 0 < len(text) <= SESSION_CHARACTERS_MAX or not text.isprintable():
        message = (
            f"claude_session: must be a session's id, 1 to {SESSION_CHARACTERS_MAX} printable characters"
        )
        raise wire.Refusal(wire.INVALID_PARAMS, message)
    return SessionId(text)


def _directory(text: str) -> str:
    if text and not PurePosixPath(text).is_absolute():
        raise wire.Refusal(wire.INVALID_PARAMS, "cwd: must be an absolute path")
    return text


def _instant(name: str, text: str) -> Instant:
    try:
        return moment.instant(text)
    except ValueError:
        raise wire.Refusal(wire.INVALID_PARAMS, f"{name}: must be {moment.INSTANT_ALLOWED}") from None


def _deadline(text: str) -> Instant:
    try:
        return moment.deadline(text)
    except ValueError:
        raise wire.Refusal(wire.INVALID_PARAMS, f"deadline: must be {moment.DEADLINE_ALLOWED}") from None
