"""The coming windows as a plan sees them: when work can be done, and what may be spent meanwhile.

A five-hour window opens when its first session starts, so the windows of a plan follow one another inside
the working hours: the rest of the current one, then one minute after each reset or when work begins again.
Where a larger window (the week, a model's own) resets in the midst of a five-hour one, there are two slots:
they share the room of the five-hour window, and each spends from its own week.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count as counting
from itertools import islice, repeat, takewhile

from quotad.domain.instant import HOUR, MINUTE, Instant, Millis
from quotad.domain.policy import FIVE_HOUR
from quotad.domain.room import Room
from quotad.domain.working import WorkingHours

SLOT_LENGTH: Millis = 5 * HOUR
SLOT_COUNT = 28
"""A week of four windows a day; without working hours a little less than six days."""

AFTER_RESET: Millis = MINUTE
"""Clocks differ: nothing is planned nearer to a reset."""

SHORTEST_SPAN: Millis = MINUTE
"""Nobody begins anything in less."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """One window (a five-hour one, a week) that slots spend from; equal name and reset are the same window.

    ``room`` is what may be spent of it, ``limit`` what all of it is (they are equal in a fresh one). A
    capacity of unknown ``limit`` is one that is used up: its room is 0.
    """

    name: str
    resets: Instant
    room: int
    limit: int | None


@dataclass(frozen=True, slots=True)
class Span:
    """Working time without a break, half-open."""

    begins: Instant
    ends: Instant


@dataclass(frozen=True, slots=True)
class Slot:
    """One coming five-hour window, or the part of one before or after the reset of a larger window.

    ``resets`` is the reset of the five-hour window. ``spans`` is the working time, in order, never empty; the
    first begins at ``opens``. ``room`` is what may be spent of the five-hour window (null: unknown).
    ``capacities`` are all windows that bind it, the five-hour one (if known) first.
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


def coming(
    rooms: Sequence[Room],
    working: WorkingHours,
    now: Instant,
    length: Millis = SLOT_LENGTH,
    count: int = SLOT_COUNT,
) -> tuple[Slot, ...]:
    """At most ``count`` slots from ``now`` on, in order, none overlapping another.

    ``rooms`` must hold no scheduled sessions, because a plan lays these out itself: give the rooms of
    ``plan.in_progress(queue)`` instead of those of the queue. No slot opens while a larger window is used up;
    the rest of the current five-hour window is there even if nothing is left of it.
    """
    own = next((room for room in rooms if room.name == FIVE_HOUR), None)
    larger = tuple(room for room in rooms if room is not own)
    # More windows than slots: some have no working time, or lie where a larger one is used up.
    windows = repeat(length, 2 * (count + len(rooms)))
    return tuple(islice(_slots(own, larger, working, now, windows), count))


def _slots(
    own: Room | None, larger: Sequence[Room], working: WorkingHours, now: Instant, lengths: Iterable[Millis]
) -> Iterator[Slot]:
    """What five-hour windows of such lengths offer, one after the other."""
    opens = working.next(now)
    weeks = tuple(_Series(room, opens) for room in larger)
    room = None if own is None else own.available
    resets = None if own is None or own.resets is None or own.resets <= now else own.resets
    if resets is not None and resets <= opens:
        resets, room = None, own.limit if own is not None else None
    for length in lengths:
        shut = [week.resets for series in weeks if (week := series.at(opens)) and not week.room]
        if shut and resets is None:
            opens = working.next(max(shut) + AFTER_RESET)
            continue
        until = opens + length if resets is None else resets
        mine = () if own is None or room is None else (Capacity(own.name, until, room, own.limit),)
        for begins, ends in _pieces(opens, until, weeks):
            spans = _spans(working, begins, ends)
            bound = tuple(week for series in weeks if (week := series.at(begins)))
            if spans and all(week.room for week in bound):
                yield Slot(spans[0].begins, until, spans, room, mine + bound)
        opens, resets, room = working.next(until + AFTER_RESET), None, None if own is None else own.limit


class _Series:
    """A larger window and those that will follow it without a gap."""

    def __init__(self, room: Room, opens: Instant) -> None:
        self._room = room
        self._first = opens + room.length if room.resets is None else room.resets

    def at(self, at: Instant) -> Capacity | None:
        """The one that ``at`` lies in; None if it does not bind."""
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


def _pieces(opens: Instant, resets: Instant, weeks: Sequence[_Series]) -> list[tuple[Instant, Instant]]:
    """A five-hour window, cut where larger ones reset."""
    cuts = sorted({cut for week in weeks for cut in week.resets_within(opens, resets)})
    return list(zip([opens, *(cut + AFTER_RESET for cut in cuts)], [*cuts, resets], strict=True))


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
