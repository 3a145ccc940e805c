"""What the daemon replies about planned sessions; see ``replies``."""

from __future__ import annotations

from typing import Literal, TypedDict

from quotad.wire.planning import Action, PriorityWord, ScheduleReason, StatusWord


class PlannedReply(TypedDict, total=False):
    """A planned session, with the queue file's own field names; absent where the file has none."""

    id: str
    phase: str
    priority: PriorityWord
    estimatedHours: float
    estimatedTokens: int
    agent: str
    objectives: list[str]
    status: StatusWord
    dependencies: list[str]
    scheduledFor: str
    scheduleReason: ScheduleReason
    deadline: str
    notes: str
    cwd: str


class RunReply(TypedDict):
    """One time that a planned session was worked on; ``outcome`` is null while it is."""

    id: str
    claude_session: str
    started_at: str
    ended_at: str | None
    estimate: int
    actual: int
    outcome: Literal["complete", "over_run", "abandoned"] | None


class QueueListReply(TypedDict):
    """The whole queue in the file's order, with what each session waits for.

    ``problem``, here and below: why this is not what the queue's file says now; null if it is.
    """

    path: str
    sessions: list[PlannedReply]
    blocked: list[BlockedReply]
    runs: list[RunReply]
    problem: str | None


class BlockedReply(TypedDict):
    """A session, and the ids that it waits for."""

    id: str
    by: list[str]


class QueueShowReply(TypedDict):
    """One planned session, what it waits for, what waits for it, and its runs, latest first."""

    session: PlannedReply
    blocked_by: list[str]
    needed_by: list[str]
    runs: list[RunReply]
    problem: str | None


class ImportReply(TypedDict):
    """What an import added, and what was in the queue already and stays as it is, in order.

    ``assumed``: those of the added that say no tokens, and got what is usual.
    """

    added: list[str]
    kept: list[str]
    assumed: list[str]


class AlternativeReply(TypedDict):
    """A candidate that was not chosen, and whether it fits now."""

    session: PlannedReply
    fits: bool


class DecisionReply(TypedDict):
    """What to do now. ``parts``: into how many windows a session larger than one must be divided."""

    action: Action
    session: PlannedReply | None
    instead_of: PlannedReply | None
    schedule_for: str | None
    reason: str
    available: int | None
    fit_probability: float | None
    alternatives: list[AlternativeReply]
    blocked: list[BlockedReply]
    exceeds_window: bool
    parts: int
    problem: str | None


class ScheduledReply(TypedDict):
    """A booked session and its event."""

    session: PlannedReply
    scheduled_for: str
    ics: str
    warning: str | None


class PlacementReply(TypedDict):
    """One session in the plan; ``booked``: it is in the calendar at that time.

    ``against``: why a booked session cannot hold its time, as the rest of a sentence that begins with its id.
    """

    session: PlannedReply
    at: str
    ends_at: str
    booked: bool
    against: str | None


class PlanWindowReply(TypedDict):
    """A five-hour window, running or opened by its first session: its room, and what is laid into it."""

    opens_at: str
    resets_at: str
    room: int | None
    placements: list[PlacementReply]


class UnplacedReply(TypedDict):
    """A session that is in no window, and why."""

    session: PlannedReply
    why: str


class PlanReply(TypedDict):
    """Every planned session over the coming windows."""

    windows: list[PlanWindowReply]
    unplaced: list[UnplacedReply]
    late: list[str]
    problem: str | None


class EventReply(TypedDict):
    """One event of the calendar; ``status`` as in RFC 5545."""

    id: str
    uid: str
    sequence: int
    status: Literal["CONFIRMED", "CANCELLED"]
    starts_at: str
    ics: str


class CalendarReply(TypedDict):
    """The events, next first, and the file that holds all of them."""

    events: list[EventReply]
    all: str
