"""The wire's words about planned sessions: the queue, the decision, the plan, the calendar.

Apart from ``quotad.wire`` only because most clients (the status line, hooks, ``status``) never say them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, TypedDict

_FORBID = {"extra": "forbid"}

PriorityWord = Literal["HIGH", "MEDIUM", "LOW"]
StatusWord = Literal["ready", "blocked", "scheduled", "in_progress", "complete"]
ScheduleReason = Literal["quota_exceeded", "low_quota", "user_scheduled", "dependency"]
Action = Literal["start", "schedule", "none"]


@dataclass(frozen=True, slots=True)
class IdParams:
    """One planned session, by its id."""

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID
    id: str


@dataclass(frozen=True, slots=True)
class AddParams:
    """A new planned session; ``deadline`` is an ISO 8601 instant or date, ``cwd`` an absolute path."""

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID
    id: str
    tokens: int
    phase: str = ""
    hours: float = 1.0
    priority: PriorityWord = "MEDIUM"
    agent: str = ""
    objectives: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    deadline: str | None = None
    notes: str = ""
    cwd: str = ""


@dataclass(frozen=True, slots=True)
class EditParams:
    """What is to change of a planned session: null leaves a field as it is, ``""`` empties a text.

    ``ready`` takes a session that is in progress, or complete, back to ready.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID
    id: str
    tokens: int | None = None
    phase: str | None = None
    hours: float | None = None
    priority: PriorityWord | None = None
    agent: str | None = None
    objectives: tuple[str, ...] | None = None
    depends_on: tuple[str, ...] | None = None
    deadline: str | None = None
    notes: str | None = None
    cwd: str | None = None
    ready: bool = False


@dataclass(frozen=True, slots=True)
class RemoveParams:
    """``force`` removes a session that others need, and their need of it."""

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID
    id: str
    force: bool = False


@dataclass(frozen=True, slots=True)
class ImportParams:
    """``text`` is a queue in the file's own shape, or a Markdown task list."""

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID
    text: str
    form: Literal["json", "markdown"]


@dataclass(frozen=True, slots=True)
class NextParams:
    """``hours``: sessions that take longer are no candidates, nor is the one that ``id`` names.

    ``id``: what would become of this one, as ``start`` with the same id would decide; null is the best.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID
    hours: float | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class StartParams:
    """Claim a session, or schedule it if it does not fit; neither if it takes longer than ``hours``.

    ``id``: which (null: the one that ``next`` would name). ``claude_session``: the id that Claude Code's
    session has or will get. ``here``: that session is running already. ``directory``: where it runs if the
    planned session names no place of its own. ``only_if_it_fits``: refuse (``does-not-fit``) instead of
    scheduling.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID
    claude_session: str
    id: str | None = None
    hours: float | None = None
    here: bool = False
    directory: str = ""
    only_if_it_fits: bool = False


@dataclass(frozen=True, slots=True)
class ReleaseParams:
    """Take a claim back: Claude Code could not be started. ``claude_session`` must be that of the claim."""

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID
    id: str
    claude_session: str


@dataclass(frozen=True, slots=True)
class ScheduleParams:
    """``at``: an ISO 8601 instant; null is the earliest window with room."""

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID
    id: str
    at: str | None = None


@dataclass(frozen=True, slots=True)
class CalendarExportParams:
    """``ids``: the sessions whose files are written again; none means all that are scheduled."""

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID
    ids: tuple[str, ...] = ()


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
