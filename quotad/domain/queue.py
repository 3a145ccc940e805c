"""The planned sessions: what each one is, and what may become of it.

The queue file is their home (``<claude>/session-queue.json``); here is its meaning. ``blocked`` follows from
the dependencies and is never trusted: whoever reads the file sees it, nobody decides by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import Literal, NewType, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from quotad.domain.instant import SECOND, Instant
from quotad.domain.usage import SessionId

T = TypeVar("T")

PlannedId = NewType("PlannedId", str)
"""Matches ``[A-Za-z0-9][A-Za-z0-9._-]{0,63}`` and is not ``all``, in whatever case."""


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


class Planned(Struct, frozen=True):
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


class Run(Struct, frozen=True):
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


def counted_from(started: Instant) -> Instant:
    """From when on what its Claude Code session spends is a run's: from the start of its second.

    Whoever writes a transcript may cut its times to whole seconds.
    """
    return started - started % SECOND


class Queue(Struct, frozen=True, dict=True):
    """All planned sessions, in the order of the file; no two ids differ in nothing but case."""

    sessions: tuple[Planned, ...] = ()

    @cached_property
    def by_status(self) -> Mapping[Status, Sequence[Planned]]:
        """The sessions of each status, in order: told apart once, for every answer needs a few of many."""
        found: dict[Status, list[Planned]] = {status: [] for status in Status}
        for planned in self.sessions:
            found[planned.status].append(planned)
        return found


LIFE: Mapping[Status, frozenset[Status]] = MappingProxyType(
    {
        # Between ready and blocked nobody decides: the dependencies do, see ``refreshed``.
        Status.READY: frozenset({Status.BLOCKED, Status.SCHEDULED, Status.IN_PROGRESS, Status.COMPLETE}),
        Status.BLOCKED: frozenset({Status.READY}),
        Status.SCHEDULED: frozenset({Status.READY, Status.IN_PROGRESS, Status.COMPLETE}),
        Status.IN_PROGRESS: frozenset({Status.COMPLETE, Status.READY}),
        Status.COMPLETE: frozenset({Status.READY}),
    }
)
"""From each status, those that may follow it."""

RefusalCode = Literal[
    "no-such-session",
    "duplicate",
    "cycle",
    "unknown-dependency",
    "needed-by-others",
    "wrong-state",
    "invalid-value",
]

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
ID_TAKEN = "all"
"""``calendar/all.ics`` holds every event."""
TOKENS_MAX = 10**12
HOURS_MAX = 1_000.0
SESSIONS_MAX = 5_000


class QueueRefused(Exception):  # noqa: N818 - whoever asked is wrong, not the program
    """A change that cannot be: the message names the session and the remedy.

    ``session`` and ``field`` say where in the queue the fault is (the field by its name in ``Planned``),
    as far as it is in one place.
    """

    def __init__(
        self, code: RefusalCode, message: str, session: PlannedId | None = None, field: str | None = None
    ) -> None:
        super().__init__(message)
        self.code: RefusalCode = code
        self.message = message
        self.session = session
        self.field = field


class Edit(Struct, frozen=True):
    """What is to change of a planned session; None leaves a field as it is.

    ``no_deadline`` takes the deadline away.
    """

    tokens: int | None = None
    hours: float | None = None
    phase: str | None = None
    priority: Priority | None = None
    agent: str | None = None
    objectives: tuple[str, ...] | None = None
    dependencies: tuple[PlannedId, ...] | None = None
    deadline: Instant | None = None
    notes: str | None = None
    cwd: str | None = None
    no_deadline: bool = False


_REMEDIES = {
    Status.READY: "there is nothing to take back",
    Status.IN_PROGRESS: "`quotactl queue done {id}` ends it, `quotactl queue edit {id} --ready` undoes it",
    Status.COMPLETE: "`quotactl queue edit {id} --ready` takes it back",
}
"""What to do instead. A blocked one is told what it waits for, and a scheduled one may become anything."""


def is_id(text: str) -> bool:
    """Whether a planned session may be called so."""
    return ID.fullmatch(text) is not None and in_any_case(text) != ID_TAKEN


def in_any_case(text: str) -> str:
    """The same for all names that are one name where case does not matter, as on a Mac's disk.

    Each session has a file in the calendar, named by its id.
    """
    return text.casefold()


def checked(sessions: Iterable[Planned]) -> Queue:
    """A queue of these sessions, in this order, ready and blocked as the dependencies say.

    Raises QueueRefused: invalid-value, duplicate, unknown-dependency, cycle.
    """
    queue = Queue(tuple(sessions))
    if len(queue.sessions) > SESSIONS_MAX:
        raise QueueRefused(
            "invalid-value", f"a queue holds at most {SESSIONS_MAX} sessions; remove some first"
        )
    known: dict[str, PlannedId] = {}
    for planned in queue.sessions:
        _check_values(planned)
        name = in_any_case(planned.id)
        if name in known:
            raise QueueRefused(
                "duplicate",
                f'there is a session "{known[name]}" already; choose another id, or edit that one',
                planned.id,
                "id",
            )
        known[name] = planned.id
    ids = frozenset(known.values())
    for planned in queue.sessions:
        for needed in planned.dependencies:
            if needed not in ids:
                raise QueueRefused(
                    "unknown-dependency",
                    f'"{planned.id}" depends on "{needed}", which is not in the queue; add that first, '
                    "or leave it out",
                    planned.id,
                    "dependencies",
                )
    in_sequence(queue)
    return refreshed(queue)


def in_sequence(queue: Queue) -> tuple[PlannedId, ...]:
    """Every id after all that it depends on. Raises QueueRefused: cycle, naming the whole circle."""
    behind: dict[PlannedId, list[PlannedId]] = {planned.id: [] for planned in queue.sessions}
    needs = {one.id: behind.keys() & frozenset(one.dependencies) for one in queue.sessions}
    for which, needed in needs.items():
        for one in needed:
            behind[one].append(which)
    left = {which: len(needed) for which, needed in needs.items()}
    sequence = [which for which, count in left.items() if not count]
    for which in sequence:
        for waiting in behind[which]:
            left[waiting] -= 1
            if not left[waiting]:
                sequence.append(waiting)
    stuck = {which for which, count in left.items() if count}
    if stuck:
        raise _circle({which: min(needs[which] & stuck) for which in stuck})
    return tuple(sequence)


def _circle(needs: Mapping[PlannedId, PlannedId]) -> QueueRefused:
    """``needs``: of each that can never start one other such; whoever follows these comes round."""
    walked: dict[PlannedId, int] = {}
    which = min(needs)
    while which not in walked:
        walked[which] = len(walked)
        which = needs[which]
    circle = [*list(walked)[walked[which] :], which]
    told = " depends on ".join(f'"{one}"' for one in circle)
    return QueueRefused(
        "cycle",
        f"{told}: a circle, in which nothing could ever start; leave one of these dependencies out",
        which,
        "dependencies",
    )


def _check_values(planned: Planned) -> None:
    if not is_id(planned.id):
        raise QueueRefused(
            "invalid-value",
            f'"{planned.id}" is no id: it begins with a letter or digit, has at most 64 letters, digits, '
            f'dots, hyphens and underscores, and is not "{ID_TAKEN}"',
            planned.id,
            "id",
        )
    if not 1 <= planned.tokens <= TOKENS_MAX:
        raise _invalid(planned, "tokens", f"{planned.tokens} tokens", f"1 to {TOKENS_MAX}")
    if not 0 < planned.hours <= HOURS_MAX:
        raise _invalid(planned, "hours", f"{planned.hours:g} hours", f"more than 0 and at most {HOURS_MAX:g}")
    if planned.status is Status.SCHEDULED and planned.scheduled_for is None:
        raise _invalid(
            planned, "scheduled_for", "no time although it is scheduled", "a time, or another status"
        )


def _invalid(planned: Planned, field: str, has: str, allowed: str) -> QueueRefused:
    return QueueRefused("invalid-value", f'"{planned.id}" has {has}; allowed is {allowed}', planned.id, field)


def refreshed(queue: Queue) -> Queue:
    """The queue with ready and blocked as the dependencies say; everything else as it is."""
    complete = complete_ids(queue)
    return Queue(tuple(_refreshed(planned, complete) for planned in queue.sessions))


def _refreshed(planned: Planned, complete: frozenset[PlannedId]) -> Planned:
    if planned.status not in {Status.READY, Status.BLOCKED}:
        return planned
    status = Status.READY if complete.issuperset(planned.dependencies) else Status.BLOCKED
    return planned if planned.status is status else replace(planned, status=status)


def complete_ids(queue: Queue) -> frozenset[PlannedId]:
    """What is complete, and so holds nobody up."""
    return frozenset(planned.id for planned in queue.sessions if planned.status is Status.COMPLETE)


def found(queue: Queue, which: PlannedId) -> Planned:
    """The session of this id. Raises QueueRefused: no-such-session."""
    for planned in queue.sessions:
        if planned.id == which:
            return planned
    raise QueueRefused(
        "no-such-session", f'there is no session "{which}" in the queue; quotactl queue list shows all', which
    )


def blocked_by(queue: Queue, which: PlannedId) -> tuple[PlannedId, ...]:
    """What the session waits for: dependencies that are not complete; none once it is in progress.

    Raises QueueRefused: no-such-session.
    """
    return waits_for(found(queue, which), complete_ids(queue))


def waits_for(planned: Planned, complete: frozenset[PlannedId]) -> tuple[PlannedId, ...]:
    """The dependencies that are not among the complete, each once, while the session has not begun."""
    if planned.status in {Status.IN_PROGRESS, Status.COMPLETE}:
        return ()
    return tuple(dict.fromkeys(needed for needed in planned.dependencies if needed not in complete))


def needed_by(queue: Queue, which: PlannedId) -> tuple[PlannedId, ...]:
    """The sessions that depend on this one and are not complete, in the file's order."""
    return tuple(
        planned.id
        for planned in queue.sessions
        if which in planned.dependencies and planned.status is not Status.COMPLETE
    )


def added(queue: Queue, planned: Planned) -> Queue:
    """The queue with one session more, at its end. Raises QueueRefused as ``checked`` does."""
    return joined(queue, (planned,))


def joined(queue: Queue, sessions: Iterable[Planned]) -> Queue:
    """The queue with these at its end; they may depend on each other in any order. All or none are added."""
    return checked((*queue.sessions, *sessions))


def edited(queue: Queue, which: PlannedId, edit: Edit) -> Queue:
    """The queue with fields of one session changed.

    Raises QueueRefused: no-such-session, or as ``checked`` does.
    """
    planned = found(queue, which)
    changed = replace(
        planned,
        tokens=_either(edit.tokens, planned.tokens),
        hours=_either(edit.hours, planned.hours),
        phase=_either(edit.phase, planned.phase),
        priority=_either(edit.priority, planned.priority),
        agent=_either(edit.agent, planned.agent),
        objectives=_either(edit.objectives, planned.objectives),
        dependencies=_either(edit.dependencies, planned.dependencies),
        deadline=None if edit.no_deadline else _either(edit.deadline, planned.deadline),
        notes=_either(edit.notes, planned.notes),
        cwd=_either(edit.cwd, planned.cwd),
    )
    return checked(_with(queue, changed).sessions)


def _either(new: T | None, old: T) -> T:
    return old if new is None else new


def removed(queue: Queue, which: PlannedId, *, force: bool = False) -> Queue:
    """The queue without the session, and without anybody's need of it.

    Raises QueueRefused: no-such-session; needed-by-others when sessions wait for it, unless forced.
    """
    waiting = () if found(queue, which).status is Status.COMPLETE else needed_by(queue, which)
    if waiting and not force:
        raise QueueRefused(
            "needed-by-others",
            f'"{which}" is needed by {_named(waiting)}; --force removes it, and their need of it',
            which,
        )
    rest = (planned for planned in queue.sessions if planned.id != which)
    return refreshed(Queue(tuple(_without_need(planned, which) for planned in rest)))


def _without_need(planned: Planned, which: PlannedId) -> Planned:
    if which not in planned.dependencies:
        return planned
    return replace(planned, dependencies=tuple(one for one in planned.dependencies if one != which))


def done(queue: Queue, which: PlannedId) -> Queue:
    """The session is complete. Raises QueueRefused: no-such-session, wrong-state."""
    return _moved(queue, found(queue, which), Status.COMPLETE)


def readied(queue: Queue, which: PlannedId) -> Queue:
    """The session is to be done (again): from scheduled, in progress or complete.

    It is blocked when a dependency is not complete. Raises QueueRefused: no-such-session, wrong-state.
    """
    return _moved(queue, found(queue, which), Status.READY)


def booked(queue: Queue, which: PlannedId, at: Instant, reason: ScheduleReason) -> Queue:
    """The session is scheduled for ``at``; one that is scheduled already is moved.

    Raises QueueRefused: no-such-session, wrong-state.
    """
    planned = found(queue, which)
    if planned.status is not Status.SCHEDULED:
        check_move(queue, planned.id, Status.SCHEDULED)
    changed = replace(planned, status=Status.SCHEDULED, scheduled_for=at, schedule_reason=reason)
    return refreshed(_with(queue, changed))


def unbooked(queue: Queue, which: PlannedId) -> Queue:
    """A scheduled session is ready (or blocked) again. Raises QueueRefused: no-such-session, wrong-state."""
    planned = found(queue, which)
    if planned.status is not Status.SCHEDULED:
        raise _wrong_state(
            planned, f"is {_words(planned.status)}", "only what is scheduled can be unscheduled"
        )
    return _moved(queue, planned, Status.READY)


def claimed(queue: Queue, which: PlannedId) -> Queue:
    """The session is in progress. Raises QueueRefused: no-such-session, wrong-state (also: blocked)."""
    return _moved(queue, found(queue, which), Status.IN_PROGRESS)


def _moved(queue: Queue, planned: Planned, status: Status) -> Queue:
    check_move(queue, planned.id, status)
    changed = replace(planned, status=status, scheduled_for=None, schedule_reason=None)
    return refreshed(_with(queue, changed))


def check_move(queue: Queue, which: PlannedId, status: Status) -> None:
    """Raises QueueRefused, no-such-session or wrong-state, unless the session may become this.

    The dependencies decide, not what is written: the file may call blocked what is ready.
    """
    planned = found(queue, which)
    complete = complete_ids(queue)
    waiting = waits_for(planned, complete)
    now = _refreshed(planned, complete).status
    if waiting and (now is Status.BLOCKED or status is Status.IN_PROGRESS):
        raise _wrong_state(
            planned, f"waits for {_named(waiting)}", "finish that first, or change --depends-on"
        )
    if status not in LIFE[now]:
        raise _wrong_state(planned, f"is {_words(now)}", _REMEDIES[now].format(id=planned.id))


def _wrong_state(planned: Planned, how: str, remedy: str) -> QueueRefused:
    return QueueRefused("wrong-state", f'"{planned.id}" {how}; {remedy}', planned.id, "status")


def _with(queue: Queue, changed: Planned) -> Queue:
    return Queue(tuple(changed if planned.id == changed.id else planned for planned in queue.sessions))


def _named(ids: Iterable[PlannedId]) -> str:
    return ", ".join(f'"{one}"' for one in ids)


def _words(status: Status) -> str:
    return status.value.replace("_", " ")
