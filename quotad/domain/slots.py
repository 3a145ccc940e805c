"""The coming windows as a plan sees them: when work can be done, and what may be spent meanwhile.

A five-hour window opens when its first session starts, so the windows of a plan follow one another inside
the working hours: the rest of the current one, then one minute after each reset or when work begins again.
What is booked stands where it is booked: it holds its room in the window that its time falls into, and
opens one if none runs then. What is left around the booked times, and on either side of the reset of a larger
window (the week, a model's own), are slots; those of one five-hour window share its room.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import accumulate, takewhile
from itertools import count as counting
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from quotad.domain.instant import HOUR, MINUTE, Instant, Millis
from quotad.domain.policy import FIVE_HOUR
from quotad.domain.queue import Planned, Priority
from quotad.domain.room import Room, takes
from quotad.domain.working import WorkingHours

SLOT_LENGTH: Millis = 5 * HOUR
SLOT_COUNT = 28
"""A week of four windows a day; without working hours a little less than six days."""

AFTER_RESET: Millis = MINUTE
"""Clocks differ: nothing is planned nearer to a reset."""

SHORTEST_SPAN: Millis = MINUTE
"""Nobody begins anything in less."""

SHUT_MOST = 60
"""So many larger windows without any room are looked beyond."""

_PRIORITIES = tuple(Priority)


class Capacity(Struct, frozen=True):
    """One window (a five-hour one, a week) that slots spend from; equal name and reset are the same window.

    ``room`` is what may be spent of it, ``limit`` what all of it is (they are equal in a fresh one). A
    capacity of unknown ``limit`` is one that is used up: its room is 0.
    """

    name: str
    resets: Instant
    room: int
    limit: int | None


class Span(Struct, frozen=True):
    """Working time without a break, half-open."""

    begins: Instant
    ends: Instant


class Slot(Struct, frozen=True):
    """Free time of one coming five-hour window.

    ``resets`` is the reset of the five-hour window. ``spans`` is the working time, in order, never empty; the
    first begins at ``opens``. ``room`` is what may be spent of the five-hour window (null: unknown), booked
    sessions included. ``capacities`` are what is left beside these of all windows that bind it, the five-hour
    one (if known) first.
    """

    opens: Instant
    resets: Instant
    spans: tuple[Span, ...]
    room: int | None
    capacities: tuple[Capacity, ...]

    @property
    def works(self) -> Millis:
        """How much working time there is."""
        return sum(span.ends - span.begins for span in self.spans)

    def worked(self, until: Instant) -> Millis:
        """How much of the working time lies before ``until``."""
        return sum(max(0, min(span.ends, until) - span.begins) for span in self.spans)

    def beginning(self, worked: Millis) -> Instant:
        """When work begins that so much working time precedes, at most all but some of it."""
        for span in self.spans[:-1]:
            if worked < span.ends - span.begins:
                return span.begins + worked
            worked -= span.ends - span.begins
        return self.spans[-1].begins + worked

    def ending(self, worked: Millis) -> Instant:
        """When so much working time, at least some, has been used up."""
        for span in self.spans[:-1]:
            if worked <= span.ends - span.begins:
                return span.begins + worked
            worked -= span.ends - span.begins
        return self.spans[-1].begins + worked


class Reservation(Struct, frozen=True):
    """A booked session. It ``begins`` when it is booked, or now if that time has come."""

    planned: Planned
    begins: Instant
    ends: Instant

    @classmethod
    def of(cls, planned: Planned, now: Instant) -> Reservation:
        """What is scheduled always says when."""
        begins = max(planned.scheduled_for or now, now)
        return cls(planned, begins, begins + round(planned.hours * HOUR))


class Held(Struct, frozen=True):
    """A reservation and the five-hour window that it falls into; ``fits``: there is room for it."""

    reservation: Reservation
    resets: Instant
    room: int | None
    limit: int | None
    fits: bool


class Ahead(NamedTuple):
    """The coming slots, none overlapping another, and everything booked; both in order.

    ``running``: the reset of the five-hour window that runs already.
    """

    slots: tuple[Slot, ...]
    held: tuple[Held, ...]
    running: Instant | None


def coming(
    rooms: Sequence[Room], working: WorkingHours, now: Instant, count: int = SLOT_COUNT
) -> tuple[Slot, ...]:
    """The slots when nothing is booked, see ``ahead``."""
    return ahead(rooms, working, now, count=count).slots


def ahead(  # noqa: PLR0913 - all that windows depend on
    rooms: Sequence[Room],
    working: WorkingHours,
    now: Instant,
    reserved: Sequence[Reservation] = (),
    *,
    begins: Collection[Instant] = (),
    count: int = SLOT_COUNT,
) -> Ahead:
    """``count`` slots from ``now`` on, as far as they exist, and windows for all that is booked.

    ``rooms`` must hold no scheduled sessions, because they are in ``reserved``: give the rooms of
    ``plan.in_progress(queue)`` instead of those of the queue. No slot opens while a larger window is used up;
    the rest of the current five-hour window is there even if nothing is left of it. ``begins``: a window that
    could open less than its length before one of these, opens then, because nothing is done earlier.
    """
    return _Walk(rooms, working, now, reserved, begins).ahead(count)


class _Walk:
    """From one five-hour window to the next."""

    def __init__(
        self,
        rooms: Sequence[Room],
        working: WorkingHours,
        now: Instant,
        reserved: Sequence[Reservation],
        begins: Collection[Instant],
    ) -> None:
        self._own = next((room for room in rooms if room.name == FIVE_HOUR), None)
        self._working = working
        self._now = now
        self._line = sorted(reserved, key=_line_order)
        self._times = [one.begins for one in self._line]
        self._begins = begins
        first = min([working.next(now), *self._times[:1]])
        larger = [room for room in rooms if room is not self._own]
        self._weeks = [_Series(room, first, self._line, self._times) for room in larger]
        self._slots: list[Slot] = []
        self._held: list[Held] = []
        self._taken: Counter[Capacity] = Counter()

    def ahead(self, count: int) -> Ahead:
        own, after, running = self._own, self._now, None
        room = None if own is None else own.available
        if own is not None and own.resets is not None and own.resets > self._now:
            running = own.resets
            self._window(self._now, running, room)
            after, room = running + AFTER_RESET, own.limit
        # More windows than slots: of some, nothing is left.
        left = 2 * (count + len(self._weeks) + len(self._line))
        while (opens := self._opening(after, wanted=left > 0 and len(self._slots) < count)) is not None:
            until = opens + SLOT_LENGTH
            self._window(opens, until, room)
            after, room = until + AFTER_RESET, None if own is None else own.limit
            left -= 1
        # What came last may have had several; bookings behind it open windows all the same.
        return Ahead(tuple(self._slots[:count]), tuple(self._held), running)

    def _opening(self, after: Instant, *, wanted: bool) -> Instant | None:
        """When the next window opens: with work, or with what is booked; None if there is neither."""
        booked = self._times[len(self._held)] if len(self._held) < len(self._times) else None
        opens = self._free_from(after) if wanted else None
        if opens is None or (booked is not None and booked <= opens):
            return booked
        later = [at for at in self._begins if opens <= at < opens + SLOT_LENGTH]
        if not later:
            return opens
        return min(later) if booked is None else min(*later, booked)

    def _free_from(self, after: Instant) -> Instant | None:
        """The first working time at which no larger window is used up."""
        at = self._working.next(after)
        for _ in range(SHUT_MOST):
            shut = [week.resets for series in self._weeks if (week := series.at(at)) and not week.room]
            if not shut:
                return at
            at = self._working.next(max(shut) + AFTER_RESET)
        return None

    def _window(self, opens: Instant, until: Instant, room: int | None) -> None:
        """What one five-hour window offers, and what is booked in it."""
        own = self._own
        line = self._line[len(self._held) : bisect_left(self._times, until)]
        whole = [] if own is None or room is None else [Capacity(own.name, until, room, own.limit)]
        for one in line:
            bound = [*whole, *(week for series in self._weeks if (week := series.whole(one.begins)))]
            fits = all(self._takes(capacity, one) for capacity in bound)
            for capacity in bound:
                self._taken[capacity] += fits * share(one.planned, capacity.limit)
            self._held.append(Held(one, until, room, None if own is None else own.limit, fits))
        mine = [_less(capacity, line) for capacity in whole]
        for begins, ends in self._pieces(opens, until):
            spans = _spans(self._working, begins, ends)
            bound = [week for series in self._weeks if (week := series.at(begins))]
            if spans and all(week.room for week in bound):
                self._slots.append(Slot(spans[0].begins, until, spans, room, (*mine, *bound)))

    def _takes(self, capacity: Capacity, one: Reservation) -> bool:
        """Whether there is room beside what is booked for earlier."""
        left = max(0, capacity.room - self._taken[capacity])
        room = Room(capacity.name, SLOT_LENGTH, capacity.resets, capacity.limit, left, 0)
        return takes(room, one.planned.tokens, due=one.begins == self._now)

    def _pieces(self, opens: Instant, resets: Instant) -> list[tuple[Instant, Instant]]:
        """A five-hour window, cut where larger ones reset, without what is booked."""
        cuts = sorted({cut for week in self._weeks for cut in week.resets_within(opens, resets)})
        pieces = list(zip([opens, *(cut + AFTER_RESET for cut in cuts)], [*cuts, resets], strict=True))
        for one in self._line:
            if one.begins < resets and one.ends > opens:
                before = [(begins, min(ends, one.begins)) for begins, ends in pieces]
                behind = [(max(begins, one.ends), ends) for begins, ends in pieces]
                pieces = sorted(piece for piece in before + behind if piece[0] < piece[1])
        return pieces


def _line_order(one: Reservation) -> tuple[Instant, int, str]:
    return one.begins, _PRIORITIES.index(one.planned.priority), one.planned.id


def _less(capacity: Capacity, line: Sequence[Reservation]) -> Capacity:
    """What is left beside what is booked."""
    promised = sum(share(one.planned, capacity.limit) for one in line)
    return replace(capacity, room=max(0, capacity.room - promised))


def share(planned: Planned, limit: int | None) -> int:
    """Of a session larger than a whole window: all of it. So it gets a fresh one, and has it alone."""
    return min(planned.tokens, limit) if limit else planned.tokens


class _Series:
    """A larger window and those that will follow it without a gap."""

    def __init__(
        self, room: Room, opens: Instant, line: Sequence[Reservation], times: Sequence[Instant]
    ) -> None:
        self._room = room
        self._first = opens + room.length if room.resets is None else room.resets
        self._times = times
        self._sums = list(accumulate((share(one.planned, room.limit) for one in line), initial=0))

    def at(self, at: Instant) -> Capacity | None:
        """What is left, beside what is booked, of the one that ``at`` lies in; None if it does not bind."""
        whole = self.whole(at)
        if whole is None:
            return None
        after = whole.resets - self._room.length if at >= self._first else 0
        first, last = (bisect_left(self._times, end) for end in (after, whole.resets))
        return replace(whole, room=max(0, whole.room - self._sums[last] + self._sums[first]))

    def whole(self, at: Instant) -> Capacity | None:
        """The same with what is booked."""
        room, first = self._room, self._first
        if at < first:
            return Capacity(room.name, first, room.available, room.limit)
        if room.limit is None:
            return None
        gone = (at - first) // room.length + 1
        return Capacity(room.name, first + gone * room.length, room.limit, room.limit)

    def resets_within(self, begins: Instant, ends: Instant) -> Iterator[Instant]:
        """The resets in ``(begins, ends)``."""
        gone = max(0, (begins - self._first) // self._room.length + 1)
        return takewhile(
            lambda at: at < ends, counting(self._first + gone * self._room.length, self._room.length)
        )


def _spans(working: WorkingHours, begins: Instant, ends: Instant) -> tuple[Span, ...]:
    spans = []
    at = working.next(begins)
    while at < ends:
        until = _unbroken(working, at, ends)
        if until - at >= SHORTEST_SPAN:
            spans.append(Span(at, until))
        at = working.next(max(until, at + SHORTEST_SPAN))
    return tuple(spans)


def _unbroken(working: WorkingHours, begins: Instant, ends: Instant) -> Instant:
    """How long work that begins can go on without a break: by halving, as only sums can be asked for."""
    if working.within(begins, ends) == ends - begins:
        return ends
    good, bad = begins, ends
    while bad - good > 1:
        middle = (good + bad) // 2
        if working.within(begins, middle) == middle - begins:
            good = middle
        else:
            bad = middle
    return good
