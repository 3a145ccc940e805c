"""Plans beside those of a solver that proves its own to be the best."""

from __future__ import annotations

import pytest

from benchmarks.plan_instances import NOW, instance
from benchmarks.plan_quality import solved
from quotad.domain.annealing import annealed
from quotad.domain.plan import MOVES
from quotad.domain.rules import Problem, quick
from quotad.domain.terms import Terms

SESSIONS = 20
SOLVER_SECONDS = 60.0
NEAR = 1.05


def over(count: int, seed: int) -> Problem:
    """Twenty sessions over so many slots."""
    queue, slots = instance(SESSIONS, seed, count=count)
    return Terms(queue, slots, NOW).problem


@pytest.mark.parametrize(("count", "seed"), [(28, 0), (12, 1), (12, 2), (6, 3), (6, 4)])
def test_a_plan_of_twenty_sessions_is_near_the_best(count: int, seed: int) -> None:
    """Within a twentieth of what no plan can undercut, also where not all have a place."""
    problem = over(count, seed)
    best = solved(problem, SOLVER_SECONDS)
    cost = problem.cost(annealed(problem, quick(problem), seed=0, moves=MOVES))
    assert problem.cost(best.places) == round(best.bound)
    assert best.bound - 0.5 <= cost <= NEAR * best.bound
