"""The planned sessions: what each one is, and what may become of it.

The queue file is their home (``<claude>/session-queue.json``); here is its meaning. ``blocked`` follows from
the dependencies and is never trusted: whoever reads the file sees it, nobody decides by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from quotad.domain.instant import Instant
from quotad.domain.usage import SessionId

PlannedId = NewType("PlannedId", str)
"""Matches ``[A-Za-z0-9][A-Za-z0-9._-]{0,63}`` and is not ``all``."""


class Priority(StrEnum):
    """As the queue file writes it."""

    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    LOW = "LOW"


class Status(StrEnum):
    """Where a planned session is in its life."""

    READY = "ready"
    BLOCKED = "blocked"
    SCHEDULED = "scheduled"
    IN_PROGRESS = "in_progress"
    COMPLETE = "complete"


class ScheduleReason(StrEnum):
    """Why a session waits for its time."""

    QUOTA_EXCEEDED = "quota_exceeded"
    LOW_QUOTA = "low_quota"
    USER_SCHEDULED = "user_scheduled"
    DEPENDENCY = "dependency"


@dataclass(frozen=True, slots=True)
class Planned:
    """One planned session. ``hours`` and ``tokens`` are estimates; empty text is "not said"."""

    id: PlannedId
    tokens: int
    hours: float = 1.0
    phase: str = ""
    priority: Priority = Priority.MEDIUM
    agent: str = ""
    objectives: tuple[str, ...] = ()
    status: Status = Status.READY
    dependencies: tuple[PlannedId, ...] = ()
    scheduled_for: Instant | None = None
    schedule_reason: ScheduleReason | None = None
    deadline: Instant | None = None
    notes: str = ""
    cwd: str = ""


class Outcome(StrEnum):
    """How a run ended: as planned, with more spent than planned, or given up."""

    COMPLETE = "complete"
    OVER_RUN = "over_run"
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True)
class Run:
    """One time that a planned session was worked on, by one Claude Code session.

    ``ended``: when the Claude Code session ended; the planned one stays in progress until it is called done.
    ``spent_before``: what the Claude Code session had spent when it was claimed (it may have been running).
    ``actual`` and ``outcome`` are set when the run is over.
    """

    planned: PlannedId
    session: SessionId
    started: Instant
    estimate: int
    spent_before: int = 0
    ended: Instant | None = None
    actual: int | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Queue:
    """All planned sessions, in the order of the file; ids are unique."""

    sessions: tuple[Planned, ...] = ()
