"""Planned sessions, decisions and plans in the words of the wire."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from quotad import wire
from quotad.domain.decision import Decision
from quotad.domain.event import EventRow
from quotad.domain.plan import Layout
from quotad.domain.queue import Planned, PlannedId, Queue, Run, Status, blocked_by, needed_by
from quotad.domain.slots import Slot
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
    queue: Queue, runs: Iterable[Run], spent: Mapping[SessionId, int], path: Path
) -> planning.QueueListReply:
    """The whole queue; ``spent`` is of the Claude Code sessions of open runs."""
    waiting = ((one.id, blocked_by(queue, one.id)) for one in queue.sessions if _can_wait(one))
    return {
        "path": str(path),
        "sessions": [session(one) for one in queue.sessions],
        "blocked": [{"id": one, "by": list(by)} for one, by in waiting if by],
        "runs": [_run(run, spent) for run in _latest_first(runs)],
    }


def _can_wait(planned: Planned) -> bool:
    return planned.status not in {Status.COMPLETE, Status.IN_PROGRESS}


def queue_show(
    queue: Queue, planned: Planned, runs: Iterable[Run], spent: Mapping[SessionId, int]
) -> planning.QueueShowReply:
    """One session with everything around it."""
    return {
        "session": session(planned),
        "blocked_by": list(blocked_by(queue, planned.id)),
        "needed_by": list(needed_by(queue, planned.id)),
        "runs": [_run(run, spent) for run in _latest_first(runs) if run.planned == planned.id],
    }


def _latest_first(runs: Iterable[Run]) -> list[Run]:
    return sorted(runs, key=lambda run: run.started, reverse=True)


def _run(run: Run, spent: Mapping[SessionId, int]) -> planning.RunReply:
    so_far = max(0, spent.get(run.session, 0) - run.spent_before)
    return {
        "id": run.planned,
        "claude_session": run.session,
        "started_at": wire.iso(run.started),
        "ended_at": None if run.ended is None else wire.iso(run.ended),
        "estimate": run.estimate,
        "actual": so_far if run.actual is None else run.actual,
        "outcome": None if run.outcome is None else run.outcome.value,
    }


def decision(decided: Decision) -> planning.DecisionReply:
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
    }


def plan(layout: Layout, slots: Sequence[Slot], booked: Mapping[PlannedId, int]) -> planning.PlanReply:
    """The plan by windows; ``booked`` are the times that are in the calendar."""
    windows: list[planning.PlanWindowReply] = []
    for number, slot in enumerate(slots):
        placements: list[planning.PlacementReply] = [
            {
                "session": session(placed.planned),
                "at": wire.iso(placed.starts),
                "ends_at": wire.iso(placed.ends),
                "booked": booked.get(placed.planned.id) == placed.starts,
            }
            for placed in layout.placements
            if placed.slot == number
        ]
        windows.append(
            {
                "opens_at": wire.iso(slot.opens),
                "resets_at": wire.iso(slot.resets),
                "room": slot.room,
                "placements": placements,
            }
        )
    return {
        "windows": windows,
        "unplaced": [{"session": session(one.planned), "why": one.why} for one in layout.unplaced],
        "late": list(layout.late),
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
