"""The whole queue laid over the coming windows.

What is booked stays where it is booked, and what speaks against that is said. Around it no session is started
too early, no window is over-committed, and what has no place is said with the reason: first quickly by rules,
then better by a short search. What a plan costs stands in ``terms``.

A window opens when its first session begins, which only a plan can tell. So where the first session of a
window of the plan begins later than the window was thought to open, it is laid out anew with that opening.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct

from quotad.domain.annealing import annealed
from quotad.domain.instant import Instant
from quotad.domain.policy import FIVE_HOUR
from quotad.domain.queue import Planned, PlannedId, Queue, Status
from quotad.domain.room import Room
from quotad.domain.rules import quick
from quotad.domain.sequence import Turn, begins
from quotad.domain.slots import SLOT_COUNT, SLOT_LENGTH, Ahead, Held, Reservation, Slot, ahead
from quotad.domain.terms import Terms, millis
from quotad.domain.working import WorkingHours

MOVES = 12_000
"""How long the search goes on, counted and not timed, so that equal questions have equal answers."""

ROUNDS = 8
"""So often openings are corrected; then what comes after the first wrong one is left to another day."""


class Placement(Struct, frozen=True):
    """A session in ``slots[slot]`` (None: where it is booked), from ``starts`` to ``ends``.

    ``against``: why a booked one cannot hold its time, as the rest of a sentence that begins with its name.
    ``parts``: into how many five-hour windows its tokens would have to be divided; more than 1 says that it
    is larger than a whole window and has a fresh one for itself.
    """

    planned: Planned
    slot: int | None
    starts: Instant
    ends: Instant
    parts: int
    against: str | None = None


class Unplaced(Struct, frozen=True):
    """A session that is in no slot, and the reason: the rest of a sentence that begins with its name."""

    planned: Planned
    why: str


class Layout(Struct, frozen=True):
    """Placements by their start, what has no place in the queue's order, and who ends after the deadline."""

    placements: tuple[Placement, ...]
    unplaced: tuple[Unplaced, ...]
    late: tuple[PlannedId, ...]


class Window(Struct, frozen=True):
    """A five-hour window of the plan, and what lies in it; ``room`` as that of a slot."""

    opens: Instant
    resets: Instant
    room: int | None
    placements: tuple[Placement, ...]


class Plan(Struct, frozen=True):
    """The layout, and its windows: the one that is running, and those in which there is anything."""

    layout: Layout
    windows: tuple[Window, ...]


def in_progress(queue: Queue) -> Queue:
    """Only what holds room whatever the plan: give its rooms to ``slots.coming``."""
    return Queue(tuple(planned for planned in queue.sessions if planned.status is Status.IN_PROGRESS))


def plan_ahead(  # noqa: PLR0913 - the question, and how long to think about it
    queue: Queue,
    rooms: Sequence[Room],
    working: WorkingHours,
    now: Instant,
    *,
    seed: int = 0,
    moves: int = MOVES,
    rounds: int = ROUNDS,
) -> Plan:
    """The plan for a checked queue; ``rooms`` are those of ``in_progress(queue)``.

    Equal arguments give equal plans. Takes up to a second: not for the event loop.
    """
    reserved = [Reservation.of(one, now) for one in queue.sessions if one.status is Status.SCHEDULED]
    begins: set[Instant] = set()
    count = SLOT_COUNT
    while True:
        coming = ahead(rooms, working, now, reserved, begins=begins, count=count)
        layout = lay_out(queue, coming.slots, now, coming.held, moves=0)
        wrong = _wrong_openings(layout, coming)
        if not wrong:
            break
        rounds -= 1
        if rounds > 0:
            begins = begins - {opens for opens, _ in wrong} | {first for _, first in wrong}
        else:
            count = sum(slot.opens < wrong[0][0] for slot in coming.slots)
    better = lay_out(queue, coming.slots, now, coming.held, seed=seed, moves=moves)
    right = next(one for one in (better, layout) if not _wrong_openings(one, coming))
    return Plan(right, _windows(right, coming))


def _wrong_openings(layout: Layout, coming: Ahead) -> list[tuple[Instant, Instant]]:
    """Of windows to come, the supposed opening and the true one, if it is later.

    What follows a correction changes. So of these only the first is given, and those that open with something
    booked.
    """
    wrong = [
        (window.opens, window.placements[0].starts)
        for window in _windows(layout, coming)
        if window.resets != coming.running and window.opens < window.placements[0].starts
    ]
    booked = {one.reservation.begins for one in coming.held}
    return wrong[:1] + [each for each in wrong[1:] if each[1] in booked]


def _windows(layout: Layout, coming: Ahead) -> tuple[Window, ...]:
    """By reset: the slots of one five-hour window are one, and so is what is booked in it."""
    where = {one.reservation.planned.id: one.resets for one in coming.held}
    room = {one.resets: one.room for one in coming.held} | {slot.resets: slot.room for slot in coming.slots}
    inside: dict[Instant, list[Placement]] = {resets: [] for resets in room if resets == coming.running}
    for one in layout.placements:
        resets = where[one.planned.id] if one.slot is None else coming.slots[one.slot].resets
        inside.setdefault(resets, []).append(one)
    return tuple(
        Window(resets - SLOT_LENGTH, resets, room[resets], tuple(inside[resets])) for resets in sorted(inside)
    )


def lay_out(  # noqa: PLR0913 - as above
    queue: Queue,
    slots: Sequence[Slot],
    now: Instant,
    held: Sequence[Held] = (),
    *,
    seed: int = 0,
    moves: int = MOVES,
) -> Layout:
    """Every session that is neither held, complete nor in progress gets a slot, or is said to have none.

    The queue is a checked one: dependencies are known and there are no cycles. Sessions in progress are taken
    to end ``hours`` from now. Equal arguments give equal layouts.
    """
    terms = Terms(queue, slots, now, held)
    places = annealed(terms.problem, quick(terms.problem), seed=seed, moves=moves)
    laid = [placement for index in range(len(slots)) for placement in _timed(terms, index, places)]
    ends = {one.id: now + millis(one.hours) for one in queue.sessions if one.status is Status.IN_PROGRESS}
    ends |= {one.reservation.planned.id: one.reservation.ends for one in held}
    ends |= {one.planned.id: one.ends for one in laid}
    nowhere = {terms.jobs[job].id for job, place in enumerate(places) if place == terms.problem.nowhere}
    placements = sorted(
        [*laid, *(_booked(one, _against(one, ends, nowhere)) for one in held)],
        key=lambda placement: placement.starts,
    )
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


def _booked(one: Held, against: str | None) -> Placement:
    """Where it is booked, even if that time has come."""
    reservation = one.reservation
    return Placement(
        reservation.planned,
        None,
        starts=reservation.planned.scheduled_for or reservation.begins,
        ends=reservation.ends,
        parts=_parts(reservation.planned, one.limit),
        against=against,
    )


def _against(one: Held, ends: Mapping[PlannedId, Instant], nowhere: Collection[PlannedId]) -> str | None:
    """Why it cannot hold its time."""
    for needed in one.reservation.planned.dependencies:
        if needed in nowhere:
            return f"needs {needed}, which has no place"
        if ends.get(needed, one.reservation.begins) > one.reservation.begins:
            return f"needs {needed}, which ends later"
    return None if one.fits else "has no room then"


def _timed(terms: Terms, index: int, places: Sequence[int]) -> list[Placement]:
    """The slot's sessions by their start: the important, then the urgent first, where both ways are open."""
    problem = terms.problem
    jobs = [job for job, place in enumerate(places) if place == index]
    jobs.sort(key=lambda job: (-problem.weights[job], problem.due[job], job))
    turns = [
        Turn(
            job,
            terms.takes(job),
            ready=terms.ready(job, index),
            needs=frozenset(problem.before[job]),
        )
        for job in jobs
    ]
    starts = begins(turns)
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
        parts=_parts(planned, limit),
    )


def _parts(planned: Planned, limit: int | None) -> int:
    return -(-planned.tokens // limit) if limit else 1


def _why(terms: Terms, job: int, places: Sequence[int]) -> str:
    """The nearest reason of several."""
    problem, planned, slots = terms.problem, terms.jobs[job], terms.slots
    missing = next((other for other in problem.before[job] if places[other] == problem.nowhere), None)
    if missing is not None:
        return f"needs {terms.jobs[missing].id}, which has no place either"
    if not slots:
        return "waits: no window with room is in sight"
    if problem.earliest[job] == len(slots):
        return "needs a session in progress or booked that ends after the windows laid out here"
    needs = problem.needs[job]
    if all(
        any(needs[capacity] > problem.rooms[capacity] for capacity in draws) for draws in problem.draws[:-1]
    ):
        return f"needs {planned.tokens} tokens, more than any window laid out here has left"
    return "waits: the windows laid out here are full"
