"""What to do now: start, schedule, or nothing and why. A plan is never refused.

Whoever is ready stands in line: by priority, what was booked for now, deadline, how much work it unlocks,
size, id. The first in line that fits is started. If none fits, the first one gets the earliest time that has
room.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import compress
from math import inf
from typing import Literal, NamedTuple, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from quotad.domain.instant import DAY, HOUR, MINUTE, SECOND, Instant, Millis
from quotad.domain.policy import quota_words
from quotad.domain.queue import (
    Planned,
    PlannedId,
    Priority,
    Queue,
    Run,
    ScheduleReason,
    Status,
    check_move,
    complete_ids,
    found,
    in_sequence,
    waits_for,
)
from quotad.domain.room import Claims, Room, claims, earliest, is_due, least, parts, rooms_for
from quotad.domain.working import ALWAYS, WorkingHours

Action = Literal["start", "schedule", "none"]
Rank: TypeAlias = tuple[int, bool, float, int, int, tuple[tuple[int, int, str], ...], str]

_PRIORITIES = {priority: place for place, priority in enumerate(Priority)}
_BITS = bytes.maketrans(b"01", b"\x00\x01")
_NAMED_MOST = 3
"""A sentence names so many sessions of each kind; the reply lists all."""


class Alternative(NamedTuple):
    """A candidate that was not chosen, and whether it fits now."""

    session: Planned
    fits: bool


class Blocked(NamedTuple):
    """A session, and what it waits for."""

    id: PlannedId
    by: tuple[PlannedId, ...]


class Decision(Struct, frozen=True):
    """The answer for now.

    ``available``: what the chosen session may spend now (its own booking counted in); None when no window
    binds. ``instead_of``: the better one that does not fit. ``schedule_for`` and ``schedule_reason`` are set
    exactly when the action is schedule. ``exceeds_window``: the session is larger than a whole window, and
    would take ``parts`` of them.
    """

    action: Action
    reason: str
    available: int | None
    session: Planned | None = None
    instead_of: Planned | None = None
    schedule_for: Instant | None = None
    schedule_reason: ScheduleReason | None = None
    alternatives: tuple[Alternative, ...] = ()
    blocked: tuple[Blocked, ...] = ()
    exceeds_window: bool = False
    parts: int = 1


def decide(  # noqa: PLR0913, PLR0917 - all that the answer depends on
    queue: Queue,
    rooms: Sequence[Room],
    runs: Sequence[Run],
    hours: float | None,
    now: Instant,
    working: WorkingHours = ALWAYS,
) -> Decision:
    """What to do now, over the whole queue. ``rooms`` are those of this very queue.

    Candidates are ready, or booked for now or earlier, and wait for nothing. ``hours``: sessions that take
    longer are no candidates. ``runs`` only tell more about why there is nothing to do.
    """
    waiting = blocked(queue)
    ready = _ready(queue, waiting, now)
    line = in_line(_within(ready, hours), queue, now)
    if not line:
        nothing = (
            _too_long(ready, hours) if hours is not None and ready else _nothing(queue, runs, waiting, now)
        )
        return Decision("none", nothing, least(rooms), blocked=waiting)
    claimed = claims(rooms, queue, now)
    chosen = next((one for one in line if not claimed.full_for(one, now)), None)
    if chosen is None:
        decision = _schedule(line[0], rooms, queue, now, working)
    else:
        decision = _start(chosen, claimed.rooms_for(chosen, now), None if chosen is line[0] else line[0])
    return replace(decision, alternatives=_others(chosen or line[0], line, claimed, now), blocked=waiting)


def decide_on(  # noqa: PLR0913, PLR0917 - all that the answer depends on
    queue: Queue,
    rooms: Sequence[Room],
    which: PlannedId,
    hours: float | None,
    now: Instant,
    working: WorkingHours = ALWAYS,
) -> Decision:
    """Start or schedule for one session that the user named; nothing if it takes longer than ``hours``.

    One that is booked for later may start now. The alternatives are those that ``decide`` would choose from.
    Raises QueueRefused: no-such-session; wrong-state when it waits for another, is in progress or complete.
    """
    check_move(queue, which, Status.IN_PROGRESS)
    planned = found(queue, which)
    claimed = claims(rooms, queue, now)
    if hours is not None and planned.hours > hours:
        too_long = f"{planned.id} takes {planned.hours:g} h, and there are {hours:g} h."
        decision = Decision("none", too_long, least(rooms))
    elif claimed.full_for(planned, now):
        decision = _schedule(planned, rooms, queue, now, working)
    else:
        decision = _start(planned, claimed.rooms_for(planned, now), None)
    waiting = blocked(queue)
    line = in_line(_within(_ready(queue, waiting, now), hours), queue, now)
    return replace(decision, alternatives=_others(planned, line, claimed, now), blocked=waiting)


def _others(
    chosen: Planned, line: Iterable[Planned], claimed: Claims, now: Instant
) -> tuple[Alternative, ...]:
    return tuple(Alternative(one, not claimed.full_for(one, now)) for one in line if one.id != chosen.id)


def blocked(queue: Queue) -> tuple[Blocked, ...]:
    """Everything that waits for something, in the file's order."""
    complete = complete_ids(queue)
    waiting = (Blocked(one.id, waits_for(one, complete)) for one in queue.sessions)
    return tuple(one for one in waiting if one.by)


def _ready(queue: Queue, waiting: Iterable[Blocked], now: Instant) -> list[Planned]:
    """Whether ready or blocked is written does not matter: what a session waits for decides."""
    held_up = {one.id for one in waiting}
    return [
        one
        for one in queue.sessions
        if one.id not in held_up and (one.status in {Status.READY, Status.BLOCKED} or is_due(one, now))
    ]


def _within(ready: Iterable[Planned], hours: float | None) -> list[Planned]:
    """Those that take no longer."""
    return [one for one in ready if hours is None or one.hours <= hours]


def in_line(ready: Iterable[Planned], queue: Queue, now: Instant) -> list[Planned]:
    """These sessions, the one to be started first at the head."""
    unlocks = unlocked_by(queue)

    def rank(planned: Planned) -> Rank:
        return (
            _PRIORITIES[planned.priority],
            not is_due(planned, now),
            inf if planned.deadline is None else planned.deadline,
            -unlocks(planned.id),
            -planned.tokens,
            _as_read(planned.id),
            planned.id,
        )

    return sorted(ready, key=rank)


def _as_read(which: PlannedId) -> tuple[tuple[int, int, str], ...]:
    """Numbers in an id count as numbers: ``step-9`` comes before ``step-10``."""
    pieces = re.findall(r"[0-9]+|[^0-9]+", which)
    return tuple((0, int(one), "") if one.isdigit() else (1, 0, one) for one in pieces)


def unlocked_by(queue: Queue) -> Callable[[PlannedId], int]:
    """How many tokens of work wait for a session, directly or through others, each session once."""
    waiting = [one for one in queue.sessions if one.dependencies and one.status is not Status.COMPLETE]
    bits = {one.id: 1 << place for place, one in enumerate(waiting)}
    needs = {one.id: one.dependencies for one in waiting}
    tokens = [one.tokens for one in reversed(waiting)]
    behind = {one.id: 0 for one in queue.sessions}
    for which in reversed(in_sequence(queue)):
        chain = behind[which] | bits.get(which, 0)
        for needed in needs.get(which, ()):
            behind[needed] |= chain

    def unlocked(which: PlannedId) -> int:
        if not behind[which]:
            return 0
        # Bits as text, highest first: that sums faster than any walk over the sessions.
        text = format(behind[which], f"0{len(tokens)}b").encode()
        return sum(compress(tokens, text.translate(_BITS)))

    return unlocked


def _start(planned: Planned, seen: Sequence[Room], instead_of: Planned | None) -> Decision:
    available = least(seen)
    count = parts(planned, seen)
    need = f"{planned.tokens:,} tokens"
    if available is None:
        reason = f"{planned.id} can start: no limit of any quota window is known."
    elif count > 1:
        reason = f"{planned.id} needs {need}, {count} windows' worth, and may begin in this one."
    else:
        reason = f"{planned.id} fits: it needs {need} and {available:,} are available."
    if instead_of is not None:
        reason = f"{reason[:-1]}; {instead_of.id} needs {instead_of.tokens:,}, which do not fit."
    return Decision("start", reason, available, planned, instead_of, exceeds_window=count > 1, parts=count)


def _schedule(
    planned: Planned, rooms: Sequence[Room], queue: Queue, now: Instant, working: WorkingHours
) -> Decision:
    first = earliest(planned, rooms, queue, now, working)
    seen = rooms_for(planned, rooms, queue, now)
    alone = _alone(planned, rooms, first.at, queue, now, working)
    places = [place for place, room in enumerate(seen) if room in first.full]
    slowest = max(places, key=lambda place: (alone[place], not seen[place].remaining))
    cause = seen[slowest]
    count = parts(planned, rooms)
    if cause.limit is not None and planned.tokens > cause.limit:
        because = f", {count} windows' worth, and gets a fresh window"
    elif not cause.remaining:
        because = f" and the {quota_words(cause.name)} is used up"
    else:
        because = f" and {cause.available:,} of the {quota_words(cause.name)} are available"
    beside = ": " if alone[slowest] == first.at else "; beside what else is booked, "
    exceeded = any(not room.remaining for room in first.full)
    return Decision(
        "schedule",
        f"{planned.id} needs {planned.tokens:,} tokens{because}{beside}"
        f"the first time with room for it is in {span(first.at - now)}.",
        least(seen) or 0,
        planned,
        schedule_for=first.at,
        schedule_reason=ScheduleReason.QUOTA_EXCEEDED if exceeded else ScheduleReason.LOW_QUOTA,
        exceeds_window=count > 1,
        parts=count,
    )


def _alone(  # noqa: PLR0913, PLR0917 - as ``earliest``, and what that found
    planned: Planned,
    rooms: Sequence[Room],
    first: Instant,
    queue: Queue,
    now: Instant,
    working: WorkingHours,
) -> list[Instant]:
    """When each window would have room if there were no other: the last one decides the time.

    It may be before ``first`` for each of them, when bookings fill one window while another has room.
    """
    if len(rooms) == 1:
        return [first]
    return [earliest(planned, (room,), queue, now, working).at for room in rooms]


def _too_long(ready: Sequence[Planned], hours: float) -> str:
    shortest = min(ready, key=lambda one: (one.hours, one.id))
    return f"Nothing ready fits into {hours:g} h: the shortest, {shortest.id}, takes {shortest.hours:g} h."


def _nothing(queue: Queue, runs: Sequence[Run], waiting: Sequence[Blocked], now: Instant) -> str:
    """Why nobody stands in line."""
    if not queue.sessions:
        return "The queue is empty: quotactl queue add plans a session."
    held_up = {one.id for one in waiting}
    ended = {run.planned for run in runs if run.ended is not None and run.outcome is None}
    begun = [one.id for one in queue.sessions if one.status is Status.IN_PROGRESS]
    later = sorted(
        (one.scheduled_for, one.id)
        for one in queue.sessions
        if one.status is Status.SCHEDULED and one.id not in held_up and one.scheduled_for is not None
    )
    said = [
        _listed([f"{one} is in progress" for one in begun if one not in ended]),
        _listed([f"{one} has ended but is not called done" for one in begun if one in ended]),
        _listed([f"{which} is booked in {span(at - now)}" for at, which in later]),
        _listed([f"{one.id} waits for {_listed(one.by)}" for one in waiting]),
    ]
    told = "; ".join(filter(None, said))
    return f"Nothing is ready: {told}." if told else "Every session in the queue is complete."


def _listed(words: Sequence[str]) -> str:
    more = len(words) - _NAMED_MOST
    return ", ".join(words[:_NAMED_MOST]) + (f" and {more} more" if more > 0 else "")


def span(length: Millis) -> str:
    """``3 d 4 h``, ``1 h 20 min``, ``2 min``, ``45 s``: rounded down, as the client does beside it."""
    if length < MINUTE:
        return f"{length // SECOND} s"
    if length < HOUR:
        return f"{length // MINUTE} min"
    if length < DAY:
        return _two(length // HOUR, "h", length % HOUR // MINUTE, "min")
    return _two(length // DAY, "d", length % DAY // HOUR, "h")


def _two(large: int, unit: str, small: int, lesser: str) -> str:
    return f"{large} {unit} {small} {lesser}" if small else f"{large} {unit}"
