"""A queue and its slots in numbers: what a plan may do, and what each place costs.

A session costs its weight for each slot that it waits, and more for each slot that it is late, most if a
booked session needs it; to leave one out costs more than any place. What is booked has its place already.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from quotad.domain.instant import HOUR, Instant, Millis
from quotad.domain.queue import Planned, PlannedId, Priority, Queue, Status
from quotad.domain.rules import Problem
from quotad.domain.slots import Capacity, Held, Slot, share

WEIGHTS: Mapping[Priority, int] = {Priority.HIGH: 9, Priority.MEDIUM: 3, Priority.LOW: 1}

LATE = 3
"""A slot's wait after the deadline costs this many more."""

_NOT_LAID_OUT = frozenset({Status.COMPLETE, Status.IN_PROGRESS})
_LEAST_SIZE = 1e-9


class Terms:
    """Job ``n`` of ``problem`` is ``jobs[n]``.

    ``released[n]``: when what it needs and is in progress or booked has ended. ``wanted[n]``: when a booked
    session begins that needs it, directly or not.
    """

    def __init__(self, queue: Queue, slots: Sequence[Slot], now: Instant, held: Sequence[Held] = ()) -> None:
        self.slots = slots
        ends = {one.reservation.planned.id: one.reservation.ends for one in held}
        self.jobs = tuple(
            planned
            for planned in queue.sessions
            if planned.status not in _NOT_LAID_OUT and planned.id not in ends
        )
        self.longest = max((slot.works for slot in slots), default=0)
        self.released = _released(queue, self.jobs, now, ends)
        self._through = {one.reservation.planned.id: one.reservation.planned.dependencies for one in held}
        wanted = _wanted(queue, held)
        self.wanted = [wanted.get(planned.id) for planned in self.jobs]
        self.problem = self._problem()

    def takes(self, job: int) -> Millis:
        """What it takes of a slot's time; one longer than any slot takes all of the longest."""
        return min(millis(self.jobs[job].hours), self.longest)

    def ready(self, job: int, slot: int) -> Millis:
        """How much of the slot's working time is gone before the job can begin."""
        return self.slots[slot].worked(self.released[job])

    def _problem(self) -> Problem:
        jobs = range(len(self.jobs))
        capacities = list(dict.fromkeys(capacity for slot in self.slots for capacity in slot.capacities))
        times = self._times()
        drawn = {capacity: index for index, capacity in enumerate(capacities)}
        draws = [[drawn[capacity] for capacity in slot.capacities] for slot in self.slots]
        for index, (slot, _) in enumerate(times, start=len(capacities)):
            draws[slot].append(index)
        numbered = {planned.id: job for job, planned in enumerate(self.jobs)}
        return Problem(
            costs=[self._costs(job) for job in jobs],
            draws=[*draws, []],
            needs=[
                [share(self.jobs[job], capacity.limit) for capacity in capacities]
                + [self.takes(job) * (self.ready(job, slot) >= after) for slot, after in times]
                for job in jobs
            ],
            rooms=[capacity.room for capacity in capacities]
            + [self.slots[slot].works - after for slot, after in times],
            before=[
                [numbered[needed] for needed in self._needed(planned) if needed in numbered]
                for planned in self.jobs
            ],
            earliest=[self._earliest(job) for job in jobs],
            weights=[WEIGHTS[planned.priority] for planned in self.jobs],
            sizes=self._sizes(capacities),
            due=[self._due(job) for job in jobs],
        )

    def _needed(self, planned: Planned) -> list[PlannedId]:
        """What it needs, and what the booked sessions among these need."""
        found = list(planned.dependencies)
        for which in found:
            found.extend(more for more in self._through.get(which, ()) if more not in found)
        return found

    def _times(self) -> list[tuple[int, Millis]]:
        """Slots, and moments in them: jobs that are not ready before such a moment share what is left then.

        These are all the moments that matter: what begins as soon as it can, one after the other, ends in
        time exactly if at each of them the time that is left is enough.
        """
        return [
            (slot, after)
            for slot, one in enumerate(self.slots)
            for after in sorted({0, *(one.worked(at) for at in set(self.released))} - {one.works})
        ]

    def _sizes(self, capacities: Sequence[Capacity]) -> list[float]:
        """How much each job takes of all the tokens, or of all the time, whichever is scarcer."""
        rooms: Counter[str] = Counter()
        for capacity in capacities:
            rooms[capacity.name] += capacity.room
        tokens = max(1, min(rooms.values(), default=1))
        time = max(1, sum(slot.works for slot in self.slots))
        limited = bool(rooms)
        return [
            max(limited * planned.tokens / tokens, self.takes(job) / time, _LEAST_SIZE)
            for job, planned in enumerate(self.jobs)
        ]

    def _earliest(self, job: int) -> int:
        return sum(slot.spans[-1].ends <= self.released[job] for slot in self.slots)

    def _due(self, job: int) -> int:
        """The last slot in which it is in time, -1 if there is none."""
        times = [at for at in (self.jobs[job].deadline, self.wanted[job]) if at is not None]
        return min([len(self.slots), *(self._last(job, at) for at in times)])

    def _last(self, job: int, deadline: Instant) -> int:
        return sum(slot.opens + self.takes(job) <= deadline for slot in self.slots) - 1

    def _costs(self, job: int) -> list[int]:
        due, wanted, count = self._due(job), self.wanted[job], len(self.slots)
        weight = WEIGHTS[self.jobs[job].priority]
        costs = [weight * (slot + LATE * max(0, slot - due)) for slot in range(count)]
        if wanted is not None:
            last, dearest = self._last(job, wanted), max(WEIGHTS.values()) * count
            costs = [cost + dearest * (slot > last) for slot, cost in enumerate(costs)]
        return [*costs, max(costs, default=0) + weight * (1 + count)]


def _wanted(queue: Queue, held: Sequence[Held]) -> dict[PlannedId, Instant]:
    """The first booked time that each session is needed for."""
    needs = {planned.id: planned.dependencies for planned in queue.sessions}
    found: dict[PlannedId, Instant] = {}
    for one in held:
        left = list(one.reservation.planned.dependencies)
        while left:
            which = left.pop()
            if which not in found:
                found[which] = one.reservation.begins
                left.extend(needs.get(which, ()))
    return found


def _released(
    queue: Queue, jobs: Sequence[Planned], now: Instant, booked: Mapping[PlannedId, Instant]
) -> list[Instant]:
    """When what each job needs, directly or not, and is in progress or booked has ended."""
    ends = {one.id: now + millis(one.hours) for one in queue.sessions if one.status is Status.IN_PROGRESS}
    ends.update(booked)
    known: dict[PlannedId, Instant] = {}
    while True:
        found = {
            planned.id: max((ends.get(one, known.get(one, now)) for one in planned.dependencies), default=now)
            for planned in jobs
        }
        if found == known:
            return list(found.values())
        known = found


def millis(hours: float) -> Millis:
    """Of an estimate in hours."""
    return round(hours * HOUR)
