"""The wire's words about planned sessions: the queue, the decision, the plan, the calendar.

Apart from ``quotad.wire`` only because most clients (the status line, hooks, ``status``) never say them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from quotad.wire.planned_replies import *  # noqa: F403 - every one of them

PriorityWord = Literal["HIGH", "MEDIUM", "LOW"]
StatusWord = Literal["ready", "blocked", "scheduled", "in_progress", "complete"]
ScheduleReason = Literal["quota_exceeded", "low_quota", "user_scheduled", "dependency"]
Action = Literal["start", "schedule", "none"]


class IdParams(NamedTuple):
    """One planned session, by its id."""

    id: str


class AddParams(NamedTuple):
    """A new planned session; ``deadline`` is an ISO 8601 instant or date, ``cwd`` an absolute path."""

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


class EditParams(NamedTuple):
    """What is to change of a planned session: null leaves a field as it is, ``""`` empties a text.

    ``ready`` takes a session that is in progress, or complete, back to ready.
    """

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


class RemoveParams(NamedTuple):
    """``force`` removes a session that others need, and their need of it."""

    id: str
    force: bool = False


class ImportParams(NamedTuple):
    """``text`` is a queue in the file's own shape, or a Markdown task list."""

    text: str
    form: Literal["json", "markdown"]


class NextParams(NamedTuple):
    """``hours``: sessions that take longer are no candidates, nor is the one that ``id`` names.

    ``id``: what would become of this one, as ``start`` with the same id would decide; null is the best.
    """

    hours: float | None = None
    id: str | None = None


class StartParams(NamedTuple):
    """Claim a session, or schedule it if it does not fit; neither if it takes longer than ``hours``.

    ``id``: which (null: the one that ``next`` would name). ``claude_session``: the id that Claude Code's
    session has or will get. ``only_if_it_fits``: refuse (``does-not-fit``) instead of scheduling.
    """

    claude_session: str
    id: str | None = None
    hours: float | None = None
    only_if_it_fits: bool = False


class ReleaseParams(NamedTuple):
    """Take a claim back: Claude Code could not be started. ``claude_session`` must be that of the claim."""

    id: str
    claude_session: str


class ScheduleParams(NamedTuple):
    """``at``: an ISO 8601 instant; null is the earliest window with room."""

    id: str
    at: str | None = None


class CalendarExportParams(NamedTuple):
    """``ids``: the sessions whose files are written again; none means all that are scheduled."""

    ids: tuple[str, ...] = ()
