"""Planned sessions, decisions and plans in the words of the wire."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from quotad import wire
from quotad.domain.decision import Decision, blocked
from quotad.domain.event import EventRow
from quotad.domain.plan import Placement, Plan
from quotad.domain.queue import Planned, Queue, Run, blocked_by, needed_by
from quotad.domain.room import spent_by
from quotad.domain.usage import SessionId
from quotad.wire import planning


def session(planned: Planned) -> planning.PlannedReply:
    """A planned session as the queue file writes it."""
    reply: planning.PlannedReply = {
        "id": planned.id,
        "phase": planned.phase,
        "priority": planned.priority.value,
        "estimatedHours": planned.hours,
        "estimatedTokens": planned.tokens,
        "agent": planned.agent,
        "objectives": list(planned.objectives),
        "status": planned.status.value,
        "dependencies": list(planned.dependencies),
    }
    if planned.scheduled_for is not None:
        reply["scheduledFor"] = wire.iso(planned.scheduled_for)
    if planned.schedule_reason is not None:
        reply["scheduleReason"] = planned.schedule_reason.value
    if planned.deadline is not None:
        reply["deadline"] = wire.iso(planned.deadline)
    if planned.notes:
        reply["notes"] = planned.notes
    if planned.cwd:
        reply["cwd"] = planned.cwd
    return reply


def queue_list(
    queue: Queue, runs: Sequence[Run], spent: Mapping[SessionId, int], path: Path, problem: str | None
) -> planning.QueueListReply:
    """The whole queue; ``spent`` is of the Claude Code sessions of open runs."""
    return {
        "path": str(path),
        "sessions": [session(one) for one in queue.sessions],
        "blocked": [{"id": one, "by": list(by)} for one, by in blocked(queue)],
        "runs": [_run(run, runs, spent) for run in _latest_first(runs)],
        "problem": problem,
    }


def queue_show(
    queue: Queue, planned: Planned, runs: Sequence[Run], spent: Mapping[SessionId, int], problem: str | None
) -> planning.QueueShowReply:
    """One session with everything around it."""
    return {
        "session": session(planned),
        "blocked_by": list(blocked_by(queue, planned.id)),
        "needed_by": list(needed_by(queue, planned.id)),
        "runs": [_run(run, runs, spent) for run in _latest_first(runs) if run.planned == planned.id],
        "problem": problem,
    }


def _latest_first(runs: Iterable[Run]) -> list[Run]:
    return sorted(runs, key=lambda run: run.started, reverse=True)


def _run(run: Run, runs: Sequence[Run], spent: Mapping[SessionId, int]) -> planning.RunReply:
    return {
        "id": run.planned,
        "claude_session": run.session,
        "started_at": wire.iso(run.started),
        "ended_at": None if run.ended is None else wire.iso(run.ended),
        "estimate": run.estimate,
        "actual": spent_by(run, runs, spent) if run.actual is None else run.actual,
        "outcome": None if run.outcome is None else run.outcome.value,
    }


def decision(decided: Decision, problem: str | None) -> planning.DecisionReply:
    """What to do now."""
    return {
        "action": decided.action,
        "session": None if decided.session is None else session(decided.session),
        "instead_of": None if decided.instead_of is None else session(decided.instead_of),
        "schedule_for": None if decided.schedule_for is None else wire.iso(decided.schedule_for),
        "reason": decided.reason,
        "available": decided.available,
        "fit_probability": None,
        "alternatives": [{"session": session(one), "fits": fits} for one, fits in decided.alternatives],
        "blocked": [{"id": one, "by": list(by)} for one, by in decided.blocked],
        "exceeds_window": decided.exceeds_window,
        "parts": decided.parts,
        "problem": problem,
    }


def plan(made: Plan, problem: str | None) -> planning.PlanReply:
    """The plan by windows."""
    return {
        "windows": [
            {
                "opens_at": wire.iso(window.opens),
                "resets_at": wire.iso(window.resets),
                "room": window.room,
                "placements": [_placement(one) for one in window.placements],
            }
            for window in made.windows
        ],
        "unplaced": [{"session": session(one.planned), "why": one.why} for one in made.layout.unplaced],
        "late": list(made.layout.late),
        "problem": problem,
    }


def _placement(placed: Placement) -> planning.PlacementReply:
    return {
        "session": session(placed.planned),
        "at": wire.iso(placed.starts),
        "ends_at": wire.iso(placed.ends),
        "booked": placed.slot is None,
        "against": placed.against,
    }


def event(row: EventRow, ics: Path) -> planning.EventReply:
    """One event of the calendar and its file."""
    return {
        "id": row.planned,
        "uid": row.uid,
        "sequence": row.sequence,
        "status": row.status,
        "starts_at": wire.iso(row.starts),
        "ics": str(ics),
    }
