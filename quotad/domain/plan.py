"""The whole queue laid over the coming windows.

No session is started too early, no window is over-committed, and what has no place is said with the reason:
first quickly by rules, then better by a short search. What a plan costs stands in ``terms``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from quotad.domain.annealing import annealed
from quotad.domain.instant import Instant
from quotad.domain.policy import FIVE_HOUR
from quotad.domain.queue import Planned, PlannedId, Queue, Status
from quotad.domain.rules import quick
from quotad.domain.sequence import Turn, begins
from quotad.domain.slots import Slot
from quotad.domain.terms import Terms, millis

MOVES = 12_000
"""How long the search goes on, counted and not timed, so that equal questions have equal answers."""


@dataclass(frozen=True, slots=True)
class Placement:
    """A session in ``slots[slot]``, from ``starts`` to ``ends``.

    ``parts``: into how many five-hour windows its tokens would have to be divided; more than 1 says that it
    is larger than a whole window and has a fresh one for itself.
    """

    planned: Planned
    slot: int
    starts: Instant
    ends: Instant
    parts: int


@dataclass(frozen=True, slots=True)
class Unplaced:
    """A session that is in no slot, and the reason: the rest of a sentence that begins with its name."""

    planned: Planned
    why: str


@dataclass(frozen=True, slots=True)
class Layout:
    """Placements by their start, what has no place in the queue's order, and who ends after the deadline."""

    placements: tuple[Placement, ...]
    unplaced: tuple[Unplaced, ...]
    late: tuple[PlannedId, ...]


def in_progress(queue: Queue) -> Queue:
    """Only what holds room whatever the plan: give its rooms to ``slots.coming``."""
    return Queue(tuple(planned for planned in queue.sessions if planned.status is Status.IN_PROGRESS))


def lay_out(  # noqa: PLR0913 - the question, and how long to think about it
    queue: Queue,
    slots: Sequence[Slot],
    now: Instant,
    *,
    seed: int = 0,
    moves: int = MOVES,
    announced: Mapping[PlannedId, Instant] | None = None,
) -> Layout:
    """Every session that is neither complete nor in progress gets a slot, or is said to have none.

    The queue is a checked one: dependencies are known and there are no cycles. ``announced``: times that
    people have been told (usually ``scheduled_for`` of the scheduled ones); to move such a session costs, and
    most if the user chose the time. Sessions in progress are taken to end ``hours`` from now. Equal arguments
    give equal layouts. Takes up to half a second: not for the event loop.
    """
    told = announced or {}
    terms = Terms(queue, slots, now, told)
    places = annealed(terms.problem, quick(terms.problem), seed=seed, moves=moves)
    placements = [
        placement for index in range(len(slots)) for placement in _timed(terms, index, places, told)
    ]
    return Layout(
        placements=tuple(placements),
        unplaced=tuple(
            Unplaced(terms.jobs[job], _why(terms, job, places))
            for job, place in enumerate(places)
            if place == terms.problem.nowhere
        ),
        late=tuple(
            placement.planned.id
            for placement in placements
            if placement.planned.deadline is not None and placement.planned.deadline < placement.ends
        ),
    )


def _timed(
    terms: Terms, index: int, places: Sequence[int], announced: Mapping[PlannedId, Instant]
) -> list[Placement]:
    """The slot's sessions by their start: the important, then the urgent first, where both ways are open."""
    slot, problem = terms.slots[index], terms.problem
    jobs = [job for job, place in enumerate(places) if place == index]
    jobs.sort(key=lambda job: (-problem.weights[job], problem.due[job], job))
    turns = [
        Turn(
            job,
            terms.takes(job),
            ready=terms.ready(job, index),
            needs=frozenset(problem.before[job]),
            announced=(
                min(slot.worked(announced[terms.jobs[job].id]), slot.works - terms.takes(job))
                if terms.chosen[job] == index
                else None
            ),
        )
        for job in jobs
    ]
    starts = begins(turns, slot.works)
    return [_placement(terms, index, job, starts[job]) for job in sorted(starts, key=starts.__getitem__)]


def _placement(terms: Terms, index: int, job: int, begins_after: int) -> Placement:
    slot, planned, takes = terms.slots[index], terms.jobs[job], terms.takes(job)
    limit = next((one.limit for one in slot.capacities if one.name == FIVE_HOUR), None)
    return Placement(
        planned,
        index,
        starts=slot.beginning(begins_after),
        # What is longer than any slot goes on after it.
        ends=slot.ending(begins_after + takes) + millis(planned.hours) - takes,
        parts=-(-planned.tokens // limit) if limit else 1,
    )


def _why(terms: Terms, job: int, places: Sequence[int]) -> str:
    """The nearest reason of several."""
    problem, planned, slots = terms.problem, terms.jobs[job], terms.slots
    missing = next((other for other in problem.before[job] if places[other] == problem.nowhere), None)
    if missing is not None:
        return f"needs {terms.jobs[missing].id}, which has no place either"
    if terms.chosen[job] == len(slots):
        return "is scheduled for later than the windows laid out here"
    if not slots:
        return "waits: no window with room is in sight"
    if problem.earliest[job] == len(slots):
        return "needs a session in progress that ends after the windows laid out here"
    needs = problem.needs[job]
    if all(
        any(needs[capacity] > problem.rooms[capacity] for capacity in draws) for draws in problem.draws[:-1]
    ):
        return f"needs {planned.tokens} tokens, more than any window laid out here has left"
    return "waits: the windows laid out here are full"
