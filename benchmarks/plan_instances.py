"""Queues of a given size over the coming windows, made from a seed: what plans are measured on.

Mondays to Fridays, two windows a day, a weekly limit of five windows. A third of the sessions need others, a
third have a deadline. Together they want four fifths of what there is, but not more than a third of a
window on average.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from quotad.domain.instant import DAY, HOUR, MINUTE, Instant, Millis
from quotad.domain.queue import Planned, PlannedId, Priority, Queue
from quotad.domain.room import Room
from quotad.domain.slots import Slot, coming

NOW: Instant = 1_793_610_000_000
"""2026-11-02T09:00:00Z, a Monday."""

LIMIT = 200_000
WEEKLY = 5 * LIMIT
LOAD = 0.8
LONGEST_HOURS = 3.5
SATURDAY = 5


class Weekdays:
    """Mondays to Fridays, nine to six, in UTC."""

    def next(self, at: Instant) -> Instant:
        while not (spans := self._day(at)) or at >= spans[1]:
            at = at - at % DAY + DAY
        return max(at, spans[0])

    def within(self, begin: Instant, end: Instant) -> Millis:
        total = 0
        day = begin - begin % DAY
        while day < end:
            if spans := self._day(day):
                total += max(0, min(end, spans[1]) - max(begin, spans[0]))
            day += DAY
        return total

    @staticmethod
    def _day(at: Instant) -> tuple[Instant, Instant] | None:
        """The epoch began on a Thursday."""
        midnight = at - at % DAY
        return None if (at // DAY + 3) % 7 >= SATURDAY else (midnight + 9 * HOUR, midnight + 18 * HOUR)


class Instance(NamedTuple):
    """A queue and the slots it is to be laid over."""

    queue: Queue
    slots: tuple[Slot, ...]


def instance(size: int, seed: int, *, count: int = 28, load: float = LOAD) -> Instance:
    """The same for the same arguments."""
    chance = Random(f"{size} {seed}")
    rooms = (
        Room("five_hour", 5 * HOUR, NOW + 3 * HOUR, LIMIT, chance.randrange(LIMIT), 0),
        Room("seven_day", 7 * DAY, NOW + 2 * DAY + 5 * HOUR, WEEKLY, chance.randrange(WEEKLY // 2), 0),
    )
    slots = coming(rooms, Weekdays(), NOW, count=count)
    capacities = {capacity for slot in slots for capacity in slot.capacities if capacity.name == "seven_day"}
    tokens = min(load * sum(capacity.room for capacity in capacities) / size, LIMIT / 3)
    hours = min(load * sum(slot.works for slot in slots) / HOUR / size, 2.0)
    sessions = [_session(chance, number, tokens, hours, slots) for number in range(size)]
    return Instance(Queue(tuple(sessions)), slots)


def _session(chance: Random, number: int, tokens: float, hours: float, slots: tuple[Slot, ...]) -> Planned:
    size = chance.lognormvariate(-0.18, 0.6)
    near = range(max(0, number - 12), number)
    needed = chance.sample(near, min(len(near), chance.choice((1, 1, 2)))) if chance.random() < 1 / 3 else []
    end = slots[-1].resets
    return Planned(
        PlannedId(f"s{number}"),
        tokens=min(LIMIT, max(1_000, round(tokens * size))),
        hours=min(LONGEST_HOURS, max(0.1, round(hours * size * chance.uniform(0.6, 1.4), 2))),
        priority=chance.choice((Priority.HIGH, Priority.MEDIUM, Priority.MEDIUM, Priority.LOW)),
        dependencies=tuple(PlannedId(f"s{other}") for other in sorted(needed)),
        deadline=chance.randrange(NOW + 6 * HOUR, end, MINUTE) if chance.random() < 1 / 3 else None,
    )
