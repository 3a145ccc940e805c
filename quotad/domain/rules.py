"""Quick plans: jobs are placed one after another, each in the first slot that takes it, in an order by rule.

Here a plan is numbers: jobs, slots and capacities are counted from 0, and working time is a capacity like any
other. One more slot stands at the end, without capacities: what lies in it has no place. So "a job is in no
earlier slot than what it needs" also says that nothing is placed whose needs are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from heapq import heapify, heappop, heappush

from msgspec import Struct


class Problem(Struct, frozen=True, dict=True):
    """What is to be laid out.

    ``costs[job][slot]``: never falling from slot to slot. ``draws[slot]``: the capacities that its jobs use;
    ``needs[job][capacity]``: how much of each. ``before[job]``: the jobs that it needs. ``earliest[job]``: no
    slot before it is possible.
    """

    costs: Sequence[Sequence[int]]
    draws: Sequence[Sequence[int]]
    needs: Sequence[Sequence[int]]
    rooms: Sequence[int]
    before: Sequence[Sequence[int]]
    earliest: Sequence[int]
    weights: Sequence[int]
    sizes: Sequence[float]
    due: Sequence[int]

    @cached_property
    def after(self) -> tuple[tuple[int, ...], ...]:
        """The jobs that need each job."""
        waiting: list[list[int]] = [[] for _ in self.costs]
        for job, needed in enumerate(self.before):
            for other in needed:
                waiting[other].append(job)
        return tuple(tuple(jobs) for jobs in waiting)

    @cached_property
    def nowhere(self) -> int:
        """The slot of what has no place."""
        return len(self.draws) - 1

    def cost(self, places: Sequence[int]) -> int:
        """Of ``places[job]``, the slot of each job."""
        return sum(costs[slot] for costs, slot in zip(self.costs, places, strict=True))


def placed(problem: Problem, order: Iterable[int]) -> list[int]:
    """The slot of each job when they choose in this order, in which none may precede what it needs."""
    free = list(problem.rooms)
    places = [problem.nowhere] * len(problem.costs)
    for job in order:
        lowest = max((places[other] for other in problem.before[job]), default=0)
        slot = first_slot(problem, free, job, max(lowest, problem.earliest[job]), problem.nowhere)
        assert slot is not None
        needs = problem.needs[job]
        for capacity in problem.draws[slot]:
            free[capacity] -= needs[capacity]
        places[job] = slot
    return places


def first_slot(problem: Problem, free: Sequence[int], job: int, lowest: int, highest: int) -> int | None:
    """The cheapest slot from ``lowest`` to ``highest`` that has room."""
    needs = problem.needs[job]
    for slot in range(lowest, highest + 1):
        for capacity in problem.draws[slot]:
            if free[capacity] < needs[capacity]:
                break
        else:
            return slot
    return None


def quick(problem: Problem) -> list[int]:
    """The cheapest of what the rules make."""
    return min((placed(problem, ordered(problem, keys)) for keys in _rules(problem)), key=problem.cost)


def ordered(problem: Problem, keys: Sequence[tuple[float, ...]]) -> list[int]:
    """All jobs, the least key first, but none before what it needs; equal keys in the order of numbers."""
    waits = [len(needed) for needed in problem.before]
    heap = [(keys[job], job) for job, count in enumerate(waits) if count == 0]
    heapify(heap)
    order = []
    while heap:
        job = heappop(heap)[1]
        order.append(job)
        for other in problem.after[job]:
            waits[other] -= 1
            if waits[other] == 0:
                heappush(heap, (keys[other], other))
    return order


def _rules(problem: Problem) -> list[list[tuple[float, ...]]]:
    """Keys by weight, deadline and worth; each inherits from the jobs that it holds up."""
    jobs = range(len(problem.costs))
    weight, due = list(problem.weights), list(problem.due)
    worth = [0.0] * len(jobs)
    groups: list[tuple[float, float]] = [(0.0, 0.0)] * len(jobs)
    for job in reversed(ordered(problem, [()] * len(jobs))):
        value, size = float(problem.weights[job]), problem.sizes[job]
        for other in sorted(problem.after[job], key=lambda job: -worth[job]):
            weight[job] = max(weight[job], weight[other])
            due[job] = min(due[job], due[other])
            if worth[other] * size > value:
                value, size = value + groups[other][0], size + groups[other][1]
        groups[job], worth[job] = (value, size), value / size
    return [
        [(-weight[job], due[job]) for job in jobs],
        [(due[job], -worth[job]) for job in jobs],
        [(-worth[job], due[job]) for job in jobs],
        [(-weight[job], -worth[job]) for job in jobs],
    ]
