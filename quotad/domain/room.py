"""How much a session may still spend now: what is left of every window that binds, less what is promised."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple, Protocol

from msgspec import Struct
from msgspec.structs import replace

from quotad.domain.instant import MINUTE, Instant, Millis
from quotad.domain.level import FULL
from quotad.domain.queue import Planned, PlannedId, Priority, Queue, Run, Status, complete_ids, waits_for
from quotad.domain.usage import AccountId, SessionId
from quotad.domain.working import ALWAYS, WorkingHours

AFTER_RESET: Millis = MINUTE
"""A session is booked this long after a reset: clocks differ, and the provider takes its time."""
FRESH_PART = 10
"""A window is fresh while at most one part in so many is spent: asking what to do is spending a little."""
DUE_PART = 2
"""A session larger than a whole window, when its time comes, is content with one part in so many of it."""

_PRIORITIES = tuple(Priority)


class Room(Struct, frozen=True):
    """One window that binds: what is left of it, and how much of that is promised to planned sessions.

    ``resets`` is None while the window is idle: then all of its limit is there. ``limit`` is None for a
    window known only by readings; it binds only when nothing is left of it.
    """

    name: str
    length: Millis
    resets: Instant | None
    limit: int | None
    remaining: int
    reserved: int

    @property
    def available(self) -> int:
        return max(0, self.remaining - self.reserved)


class QuotaWindow(Protocol):
    """What is asked of a ``WindowStanding`` (a protocol, so that the standing itself may ask for rooms)."""

    @property
    def account(self) -> AccountId: ...
    @property
    def name(self) -> str: ...
    @property
    def length(self) -> Millis: ...
    @property
    def resets_at(self) -> Instant | None: ...
    @property
    def limit(self) -> int | None: ...
    @property
    def percent(self) -> float | None: ...
    @property
    def remaining(self) -> int | None: ...


class Earliest(NamedTuple):
    """When a session can start, and the windows that are too full for it now (none: it could start now)."""

    at: Instant
    full: tuple[Room, ...]


def rooms(
    windows: Sequence[QuotaWindow],
    queue: Queue,
    runs: Sequence[Run],
    spent: Mapping[SessionId, int],
    now: Instant,
) -> tuple[Room, ...]:
    """The windows of the first account (that of ``windows[0]``) that bind, with what is reserved in each.

    Windows of one model bind too: which model a session will use is not known beforehand.

    ``spent``: what each Claude Code session has spent in all.
    """
    running = held_by_runs(queue, runs, spent)
    found = []
    for window in windows:
        if window.account != windows[0].account:
            continue
        empty = Room(
            name=window.name,
            length=window.length,
            resets=window.resets_at,
            limit=window.limit,
            remaining=window.remaining or 0,
            reserved=0,
        )
        if empty.limit is not None or (window.percent is not None and window.percent >= FULL):
            promised = sum(one.tokens for one in _booked(queue) if holds(one, empty, now))
            found.append(replace(empty, reserved=running + promised))
    return tuple(found)


def held_by_runs(queue: Queue, runs: Sequence[Run], spent: Mapping[SessionId, int]) -> int:
    """What sessions in progress have not spent yet of their estimates.

    One whose Claude Code session has ended holds nothing; one that was put in progress by hand, in the file,
    holds its whole estimate.
    """
    latest = {run.planned: run for run in sorted(runs, key=_run_order) if run.outcome is None}
    return sum(
        _held(planned, latest.get(planned.id), runs, spent) for planned in queue.by_status[Status.IN_PROGRESS]
    )


def _run_order(run: Run) -> tuple[Instant, SessionId]:
    return run.started, run.session


def _held(planned: Planned, run: Run | None, runs: Sequence[Run], spent: Mapping[SessionId, int]) -> int:
    if run is None:
        return planned.tokens
    if run.ended is not None:
        return 0
    return max(0, planned.tokens - spent_by(run, runs, spent))


def spent_by(run: Run, runs: Iterable[Run], spent: Mapping[SessionId, int]) -> int:
    """What an open run has spent: from its claim to the next one that its Claude Code session makes, if any.

    One session may take up one planned session after the other without calling the former done.
    """
    later = [one.spent_before for one in runs if one.session == run.session and one.started > run.started]
    return max(0, min([spent.get(run.session, 0), *later]) - run.spent_before)


def _booked(queue: Queue) -> Sequence[Planned]:
    return queue.by_status[Status.SCHEDULED]


def holds(planned: Planned, room: Room, now: Instant) -> bool:
    """Whether a scheduled session holds its estimate in the window that runs now, or would open now.

    An idle window opens with whatever starts.
    """
    at = planned.scheduled_for
    closes = now + room.length if room.resets is None else room.resets
    return planned.status is Status.SCHEDULED and at is not None and at < closes


def is_due(planned: Planned, now: Instant) -> bool:
    """Whether the time that a session was booked for has come."""
    at = planned.scheduled_for
    return planned.status is Status.SCHEDULED and at is not None and at <= now


def least(rooms: Sequence[Room]) -> int | None:
    """What a session may spend now: the least over all windows; None when no window binds."""
    return min((room.available for room in rooms), default=None)


def parts(planned: Planned, rooms: Sequence[Room]) -> int:
    """Into how many windows a session must be divided; more than 1: it is larger than a whole window."""
    return max((-(-planned.tokens // room.limit) for room in rooms if room.limit), default=1)


class Claims(Struct, frozen=True):
    """The rooms as each session sees them.

    When what is left does not suffice for every booking, those whose time has come go before those for later,
    and among them the more important before the others. One that gets nothing holds nothing either: it must
    be moved anyhow.

    ``due``: what each session sees whose time has come. ``now``: what is left after all of these.
    ``common``: what is left after the bookings for later, too, in the window that runs or would open now.
    """

    due: Mapping[PlannedId, tuple[Room, ...]]
    now: tuple[Room, ...]
    common: tuple[Room, ...]

    def rooms_for(self, planned: Planned, now: Instant) -> tuple[Room, ...]:
        """What this session may use: what it has booked itself is its own."""
        if planned.status is not Status.SCHEDULED:
            return self.common
        if planned.id in self.due:
            return self.due[planned.id]
        return tuple(
            _promised(room, -planned.tokens) if holds(planned, room, now) else room for room in self.common
        )

    def full_for(self, planned: Planned, now: Instant) -> tuple[Room, ...]:
        """The windows that do not take the session now; none: it fits."""
        due = planned.id in self.due
        seen = self.rooms_for(planned, now)
        return tuple([room for room in seen if not takes(room, planned.tokens, due=due)])


def claims(rooms: Sequence[Room], queue: Queue, now: Instant) -> Claims:
    """Who may use what. ``rooms`` are those of this very queue."""
    booked = _booked(queue)
    come = sorted((one for one in booked if is_due(one, now)), key=_due_order)
    later = [one for one in booked if not is_due(one, now)]
    promised = [sum(one.tokens for one in later if holds(one, room, now)) for room in rooms]
    all_due = sum(one.tokens for one in come)
    free = tuple(_promised(room, -all_due - more) for room, more in zip(rooms, promised, strict=True))
    complete = complete_ids(queue)
    due = {}
    for planned in come:
        due[planned.id] = free
        if not waits_for(planned, complete) and all(takes(room, planned.tokens, due=True) for room in free):
            free = tuple(_promised(room, planned.tokens) for room in free)
    common = tuple(_promised(room, more) for room, more in zip(free, promised, strict=True))
    return Claims(due, free, common)


def _due_order(planned: Planned) -> tuple[int, Instant, PlannedId]:
    return _PRIORITIES.index(planned.priority), planned.scheduled_for or 0, planned.id


def _promised(room: Room, tokens: int) -> Room:
    """The room with so many tokens more promised, or fewer."""
    return replace(room, reserved=max(0, room.reserved + tokens))


def takes(room: Room, tokens: int, *, due: bool = False) -> bool:
    """Whether so many tokens may be spent of this window from now on.

    What is larger than the whole window wants a fresh one. ``due``: it was booked into a fresh one, and half
    of that will do; else whoever spends a little every morning would put it off for ever.
    """
    if room.limit is None:
        return False
    if tokens <= room.limit:
        return tokens <= room.available
    if due:
        return room.available >= room.limit // DUE_PART
    return room.reserved == 0 and (room.limit - room.remaining) * FRESH_PART <= room.limit


def rooms_for(planned: Planned, rooms: Sequence[Room], queue: Queue, now: Instant) -> tuple[Room, ...]:
    """The rooms as this session sees them, see ``Claims``. ``rooms`` are those of this very queue."""
    return claims(rooms, queue, now).rooms_for(planned, now)


def fits(planned: Planned, rooms: Sequence[Room], queue: Queue, now: Instant) -> bool:
    """Whether the session may start now, by quota alone; what it has booked itself is its own."""
    return not claims(rooms, queue, now).full_for(planned, now)


def earliest(
    planned: Planned, rooms: Sequence[Room], queue: Queue, now: Instant, working: WorkingHours = ALWAYS
) -> Earliest:
    """The first instant inside working hours at which every window has room, other bookings respected.

    That is now if it fits, else a minute after a reset: of a window that runs, or of one that other bookings
    will open. There always is one, for after the last booking every window is fresh.
    """
    claimed = claims(rooms, queue, now)
    full = claimed.full_for(planned, now)
    due = planned.id in claimed.due
    later = sorted(
        (one.scheduled_for, one.tokens)
        for one in _booked(queue)
        if one.id != planned.id and one.scheduled_for is not None and one.scheduled_for > now
    )
    courses = [
        Course.of(seen, before, later, now)
        for seen, before in zip(
            claimed.rooms_for(planned, now), claimed.due.get(planned.id, claimed.now), strict=True
        )
    ]

    def has_room(at: Instant) -> bool:
        return (at == now and not full) or all(
            course.takes(at, planned.tokens, due=due) for course in courses
        )

    instants = {now}.union(*(course.instants() for course in courses))
    return Earliest(next(filter(has_room, map(working.next, sorted(instants)))), full)


class Course(Struct, frozen=True):
    """One kind of window from now on: the one that runs, then those that bookings open one after the other.

    ``times`` are the bookings after the window that runs, ``sums`` of their tokens up to each (one more than
    there are bookings), ``firsts`` the places of those that open a window.
    """

    room: Room
    times: Sequence[Instant]
    sums: Sequence[int]
    firsts: Sequence[int]

    @classmethod
    def of(cls, seen: Room, before: Room, later: Iterable[tuple[Instant, int]], now: Instant) -> Course:
        """``seen`` and ``before``: with and without the bookings for later. ``later``: these, in order.

        What is promised of an idle window opens it now.
        """
        bookings = [(at, tokens) for at, tokens in later if seen.resets is None or at >= seen.resets]
        if seen.resets is None and before.reserved:
            bookings.insert(0, (now, before.reserved))
        times = [at for at, _ in bookings]
        firsts = []
        place = 0
        while place < len(times):
            firsts.append(place)
            place = bisect_left(times, times[place] + seen.length)
        return cls(seen, times, list(accumulate((tokens for _, tokens in bookings), initial=0)), firsts)

    def instants(self) -> Iterator[Instant]:
        """When it may become possible to start: after each reset, and together with what is booked."""
        if self.room.resets is not None:
            yield self.room.resets + AFTER_RESET
        for first in self.firsts:
            yield self.times[first]
            yield self.times[first] + self.room.length + AFTER_RESET

    def takes(self, at: Instant, tokens: int, *, due: bool = False) -> bool:
        """Whether a session can be booked there: with what else is booked it stays within the limit.

        One that opens a window earlier than the next booking would moves all windows behind it; it must not
        overfill them more than they are.
        """
        if self.room.resets is not None and at < self.room.resets + AFTER_RESET:
            return at < self.room.resets and takes(self.room, tokens, due=due)
        if self.room.limit is None:
            return True
        window = bisect_right(self.firsts, at, key=self.times.__getitem__) - 1
        if window >= 0 and at < self.times[self.firsts[window]] + self.room.length:
            return self._is_within(tokens, self._load(self.firsts[window]))
        first = bisect_left(self.times, at)
        behind = bisect_left(self.times, at + self.room.length)
        return self._is_within(tokens, self.sums[behind] - self.sums[first]) and self._stays(first, behind)

    def _is_within(self, tokens: int, others: int) -> bool:
        return others == 0 or tokens + others <= (self.room.limit or 0)

    def _after(self, first: int) -> int:
        return bisect_left(self.times, self.times[first] + self.room.length)

    def _load(self, first: int) -> int:
        """What is booked of the window that this booking opens."""
        return self.sums[self._after(first)] - self.sums[first]

    def _excess(self, first: int) -> int:
        return max(0, self._load(first) - (self.room.limit or 0))

    def _stays(self, first: int, behind: int) -> bool:
        """Whether the windows from ``first`` on overfill no more when they begin anew with ``behind``."""
        opening = frozenset(self.firsts)
        more, place = 0, behind
        while place < len(self.times) and place not in opening:
            more += self._excess(place)
            place = self._after(place)
        return more <= sum(self._excess(one) for one in self.firsts if first <= one < place)
