"""What the queue file says of a session, and a file in which plainly nothing is wrong.

Such a file is taken in without pydantic, which costs 0.1 s to import. It is the judge (``queue_document``),
and it alone says what is wrong: what is accepted here it would accept with the same outcome, which a test
holds both to; whatever is refused here is for it to look at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated

from msgspec import Meta, Struct, convert

from quotad.domain.instant import Instant
from quotad.domain.queue import (
    HOURS_MAX,
    TOKENS_MAX,
    Planned,
    PlannedId,
    Priority,
    ScheduleReason,
    Status,
    is_id,
)
from quotad.planning import moment

_NAMES = {
    "tokens": "estimatedTokens",
    "hours": "estimatedHours",
    "scheduled_for": "scheduledFor",
    "schedule_reason": "scheduleReason",
}
_TIMES: Mapping[str, Callable[[str], Instant]] = {"scheduledFor": moment.instant, "deadline": moment.deadline}


class Entry(Struct, rename=_NAMES):
    """One of ``sessions``; None is what it does not say."""

    id: str
    tokens: Annotated[int, Meta(ge=1, le=TOKENS_MAX)]
    hours: Annotated[float, Meta(gt=0, le=HOURS_MAX)] | None = None
    phase: str | int | None = None
    priority: Priority | None = None
    agent: str | None = None
    objectives: tuple[str, ...] | None = None
    status: Status | None = None
    dependencies: tuple[str, ...] | None = None
    scheduled_for: Instant | None = None
    schedule_reason: ScheduleReason | None = None
    deadline: Instant | None = None
    notes: str | None = None
    cwd: str | None = None


def planned(entry: Entry) -> Planned:
    """The session that is meant."""
    return Planned(
        id=PlannedId(entry.id),
        tokens=entry.tokens,
        hours=1.0 if entry.hours is None else entry.hours,
        phase="" if entry.phase is None else str(entry.phase),
        priority=entry.priority or Priority.MEDIUM,
        agent=entry.agent or "",
        objectives=entry.objectives or (),
        status=entry.status or Status.READY,
        dependencies=tuple(PlannedId(each) for each in entry.dependencies or ()),
        scheduled_for=entry.scheduled_for,
        schedule_reason=entry.schedule_reason,
        deadline=entry.deadline,
        notes=entry.notes or "",
        cwd=entry.cwd or "",
    )


def plainly(raw: object) -> tuple[Planned, ...] | None:
    """The sessions that a decoded document says, each sound in itself; None if something may be wrong."""
    sessions = raw.get("sessions") if isinstance(raw, dict) else None
    if not isinstance(sessions, list):
        return None
    try:
        return tuple(planned(_entry(said)) for said in sessions)
    except ValueError:
        return None


def _entry(said: object) -> Entry:
    """Raises ``ValueError``."""
    if not isinstance(said, dict):
        raise ValueError  # noqa: TRY004 - it is the file that is wrong
    entry = convert({name: _read(name, value) for name, value in said.items()}, Entry)
    if not all(map(is_id, (entry.id, *(entry.dependencies or ())))):
        raise ValueError
    return entry


def _read(name: str, value: object) -> object:
    """The value, with times read."""
    if name not in _TIMES or value is None:
        return value
    if not isinstance(value, str):
        raise ValueError  # noqa: TRY004 - see above
    return _TIMES[name](value)
