"""What the steps of a run share: the program, the corpus, the rivals, and where to put things."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.daemon import Place, Standing
from benchmarks.ground import Ground
from benchmarks.process import Cost
from benchmarks.rivals import Rivals
from benchmarks.table import Row, quantile

MB = 1e6
RESIDENT_MB = 64.0


class Stage(NamedTuple):
    """One corpus, and private directories for all that runs on it."""

    program: Sequence[str]
    ground: Ground
    scratch: Path
    rivals: Rivals
    runs: int

    def place(self, name: str, *, fresh: bool, program: Sequence[str] = ()) -> Place:
        """A daemon's private directory; its ledger is kept from step to step unless it is to be fresh."""
        private = self.scratch / name
        if fresh:
            shutil.rmtree(private, ignore_errors=True)
        place = Place(program or self.program, self.ground.claude, private)
        place.prepare()
        return place

    def environment(self) -> Mapping[str, str]:
        """For the rivals: the same corpus, and a home of their own."""
        return self.place("rivals", fresh=False).environment()

    def within(self, ground: Ground, name: str) -> Stage:
        """The same for another corpus."""
        return self._replace(ground=ground, scratch=self.scratch / name)


def tell(what: str) -> None:
    """How far the run is."""
    print(f"... {what}", file=sys.stderr, flush=True)


def median(values: Sequence[float]) -> float:
    """One of the values, with as many above it as below."""
    return quantile(values, 0.5)


def walls(costs: Sequence[Cost]) -> float:
    """The median of the wall times, in seconds."""
    return median([cost.wall_s for cost in costs])


def cpus(costs: Sequence[Cost]) -> float:
    """The median of the processor times, in seconds."""
    return median([cost.cpu_s for cost in costs])


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios of what ran side by side: a busy minute of the machine hits both of a pair."""
    return median([one / other for one, other in zip(ours, theirs, strict=True)])


def timed(action: Callable[[], object], now: Callable[[], float]) -> float:
    """Seconds that it took, by that clock."""
    began = now()
    action()
    return now() - began


def memory_row(step: str, size_bytes: float) -> Row:
    """What is resident, beside what may be."""
    return Row.most(step, size_bytes / MB, RESIDENT_MB, "{:.0f} MB")


def right(reply: bytes, expected: Standing) -> bool:
    """Whether the answer says what was recounted, be all of history in or not."""
    return Standing.read(reply)[:3] == expected[:3]
