"""``python -m benchmarks.plan_quality``: plans beside those of a solver (HiGHS) on the same instances."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import highspy

from benchmarks.plan_instances import NOW, instance
from quotad.domain.annealing import annealed
from quotad.domain.plan import MOVES
from quotad.domain.queue import Queue
from quotad.domain.rules import Problem, quick
from quotad.domain.slots import Slot
from quotad.domain.terms import Terms

SIZES = {20: 1.05, 100: 1.10, 300: 1.25}
"""How many sessions, and how much more than the solver's best a plan may cost."""

SECONDS_MOST = 1.0
RUNS = 3


class Solved(NamedTuple):
    """What the solver found, as slots of the jobs; no plan can cost less than ``bound``."""

    places: list[int]
    bound: float


def solved(problem: Problem, seconds: float) -> Solved:
    """The best plan that the solver finds in so many seconds.

    Each job and slot is a variable, 1 if the job lies there. Of a job and one that it needs, for each slot:
    it lies there or earlier only if the other does. This says it far tighter than comparing slots' numbers.
    """
    highs = highspy.Highs()  # type: ignore[no-untyped-call]
    highs.setOptionValue("output_flag", False)  # noqa: FBT003 - the solver's own interface
    highs.setOptionValue("time_limit", seconds)
    jobs, slots = range(len(problem.costs)), range(len(problem.draws))
    whole = highspy.HighsVarType.kInteger
    lies = [
        [
            highs.addVariable(0, slot >= problem.earliest[job], problem.costs[job][slot], whole)
            for slot in slots
        ]
        for job in jobs
    ]
    for job in jobs:
        highs.addConstr(highs.qsum(lies[job]) == 1)
        for other, slot in product(problem.before[job], slots[:-1]):
            highs.addConstr(highs.qsum(lies[job][: slot + 1]) <= highs.qsum(lies[other][: slot + 1]))
    for capacity, room in enumerate(problem.rooms):
        drawing = [slot for slot in slots if capacity in problem.draws[slot]]
        drawn = [problem.needs[job][capacity] * lies[job][slot] for job in jobs for slot in drawing]
        highs.addConstr(highs.qsum(drawn) <= room)
    highs.run()
    values = highs.getSolution().col_value
    places = [max(slots, key=lambda slot: values[row[slot].index]) for row in lies]
    return Solved(places, highs.getInfo().mip_dual_bound)


class Outcome(NamedTuple):
    """What the two plans of one instance cost, and how long ours took at best, rules and search."""

    ours: int
    theirs: int
    bound: float
    seconds: float

    @property
    def ratio(self) -> float:
        return self.ours / self.theirs


def compared(size: int, seed: int, seconds: float) -> Outcome:
    """Ours and the solver's best in so many seconds."""
    queue, slots = instance(size, seed)
    times = []
    problem, places = _laid(queue, slots)
    for _ in range(RUNS):
        begun = time.perf_counter()
        _laid(queue, slots)
        times.append(time.perf_counter() - begun)
    best = solved(problem, seconds)
    return Outcome(problem.cost(places), problem.cost(best.places), best.bound, min(times))


def _laid(queue: Queue, slots: Sequence[Slot]) -> tuple[Problem, list[int]]:
    problem = Terms(queue, slots, NOW).problem
    return problem, annealed(problem, quick(problem), seed=0, moves=MOVES)


def main() -> int:
    """Print the table; 1 if a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plan_quality", description=__doc__)
    parser.add_argument("--seconds", type=float, default=15, help="what the solver gets for each instance")
    parser.add_argument("--seeds", type=int, default=3, help="how many instances of each size")
    arguments = parser.parse_args()
    print("| sessions | seed | ours | HiGHS | its bound | ours beside it | allowed | our seconds | met |")
    print("|---|---|---|---|---|---|---|---|---|")
    missed = False
    for size, allowed in SIZES.items():
        for seed in range(arguments.seeds):
            one = compared(size, seed, arguments.seconds)
            met = one.ratio <= allowed and one.seconds <= SECONDS_MOST
            missed |= not met
            cells = (size, seed, one.ours, one.theirs, f"{one.bound:.0f}", f"{one.ratio - 1:+.1%}")
            rest = (f"{allowed - 1:+.0%}", f"{one.seconds:.2f}", "yes" if met else "NO")
            print("|", " | ".join(map(str, cells + rest)), "|", flush=True)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
