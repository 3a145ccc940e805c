"""A plan made better: some jobs are taken out and laid in again in another order, again and again.

Worse plans are taken too, ever more seldom (simulated annealing), and the cheapest one seen is the answer.
Chance comes from a generator of our own, so that a seed means the same plan everywhere and for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log

from quotad.domain.rules import Problem, first_slot

WARMEST = 10.0
COLDEST = 0.5
"""A plan dearer by that is taken once in e times: a heavy session's slot first, half a light one's last."""

LEAST_OUT = 2
MOST_OUT = 8
"""How many jobs are taken out at once, if so many are there."""

ONE_IN_FIRST = 3
"""So often the job that the move is about goes in before the others, whatever it is worth."""

NOISE = 64
_WORD = 1 << 32
_MASK = (1 << 64) - 1


class Chance:
    """A linear congruential generator (Knuth's MMIX), of which only the upper bits are used."""

    def __init__(self, seed: int) -> None:
        self._state = (2 * seed + 1) * 0x9E3779B97F4A7C15 & _MASK

    def below(self, end: int) -> int:
        """A number in ``[0, end)``; ``end`` is at most 2 ** 32."""
        self._state = (self._state * 6364136223846793005 + 1442695040888963407) & _MASK
        return (self._state >> 32) * end >> 32


def annealed(problem: Problem, places: Sequence[int], *, seed: int, moves: int) -> list[int]:
    """The slot of each job, in a plan that costs at most what ``places`` costs."""
    best = list(places)
    if not best:
        return best
    search = _Search(problem, best, Chance(seed))
    cost = least = problem.cost(best)
    warmth, cooling = WARMEST, (COLDEST / WARMEST) ** (1 / max(1, moves))
    perfect = sum(min(costs) for costs in problem.costs)
    for _ in range(moves):
        if least == perfect:
            break
        warmth *= cooling
        cost += search.move(warmth)
        if cost < least:
            best, least = list(search.places), cost
    return best


class _Search:
    """A plan that changes move by move; ``places[job]`` is -1 only while a move is being made."""

    def __init__(self, problem: Problem, places: Sequence[int], chance: Chance) -> None:
        self.places = list(places)
        self._problem = problem
        self._below = chance.below
        self._free = list(problem.rooms)
        self._members: list[list[int]] = [[] for _ in problem.draws]
        self._worth = [weight / size for weight, size in zip(problem.weights, problem.sizes, strict=True)]
        for job, slot in enumerate(places):
            self._members[slot].append(job)
            self._draw(job, slot)

    def move(self, warmth: float) -> int:
        """Take some jobs out and lay them in again; what the plan costs more, 0 if it stays as it was."""
        out = self._chosen()
        old = [self.places[job] for job in out]
        for job, slot in zip(out, old, strict=True):
            self._give_back(job, slot)
            self.places[job] = -1
        laid = all(self._laid(job) for job in self._order(out))
        if laid:
            costs = self._problem.costs
            dearer = sum(
                costs[job][self.places[job]] - costs[job][slot] for job, slot in zip(out, old, strict=True)
            )
            if dearer <= 0 or dearer < -warmth * log((self._below(_WORD) + 1) / _WORD):
                self._keep(out, old)
                return dearer
        for job in out:
            if self.places[job] >= 0:
                self._give_back(job, self.places[job])
        for job, slot in zip(out, old, strict=True):
            self._draw(job, slot)
            self.places[job] = slot
        return 0

    def _chosen(self) -> list[int]:
        """The dearer one of two jobs, and some from its slot and from one before it."""
        job, other = (self._below(len(self.places)) for _ in range(2))
        if self._cost(other) > self._cost(job):
            job = other
        out, here = [job], self.places[job]
        there = self._below(here + 1) if here else self._below(len(self._members))
        pool = [one for one in self._members[here] if one != job]
        if there != here:
            pool += self._members[there]
        for _ in range(min(len(pool), LEAST_OUT - 1 + self._below(MOST_OUT - LEAST_OUT + 1))):
            index = self._below(len(pool))
            out.append(pool[index])
            pool[index] = pool[-1]
            pool.pop()
        return out

    def _order(self, out: Sequence[int]) -> list[int]:
        """By worth, much disturbed; the first of ``out`` now and then before all others."""
        order = sorted(out, key=lambda job: -self._worth[job] * (1 + self._below(NOISE)))
        if not self._below(ONE_IN_FIRST):
            order.remove(out[0])
            order.insert(0, out[0])
        return order

    def _cost(self, job: int) -> int:
        return self._problem.costs[job][self.places[job]]

    def _laid(self, job: int) -> bool:
        """Whether there is a slot between those of what the job needs and of what needs it."""
        problem, places = self._problem, self.places
        lowest, highest = problem.earliest[job], problem.nowhere
        for other in problem.before[job]:
            lowest = max(lowest, places[other])
        for other in problem.after[job]:
            if 0 <= places[other] < highest:
                highest = places[other]
        slot = first_slot(problem, self._free, job, lowest, highest)
        if slot is None:
            return False
        self._draw(job, slot)
        places[job] = slot
        return True

    def _keep(self, out: Sequence[int], old: Sequence[int]) -> None:
        for job, slot in zip(out, old, strict=True):
            if self.places[job] != slot:
                self._members[slot].remove(job)
                self._members[self.places[job]].append(job)

    def _draw(self, job: int, slot: int) -> None:
        needs = self._problem.needs[job]
        for capacity in self._problem.draws[slot]:
            self._free[capacity] -= needs[capacity]

    def _give_back(self, job: int, slot: int) -> None:
        needs = self._problem.needs[job]
        for capacity in self._problem.draws[slot]:
            self._free[capacity] += needs[capacity]
