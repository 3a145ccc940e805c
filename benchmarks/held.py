"""``python held.py FILE``: quotad with every turn of its event loop timed; FILE is written at its end.

A question can only be answered between two turns (callbacks) of the loop, so the longest turn is how long
everybody may have to wait for nothing of their own. It is measured by the clock, in which other programs of
a busy machine count too, and in processor time, in which they do not. And what the whole process has spent by
the end of each turn says what lies between a question and its answer, which nobody outside can see.
"""

from __future__ import annotations

import json
import sys
import time
from asyncio.events import Handle
from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class Turn(NamedTuple):
    """When a turn began, by the clock that ``time.perf_counter`` reads in every process, and what it took.

    ``spent_s`` is the processor time of the process, all its threads, up to the end of the turn.
    """

    began: float
    wall_s: float
    cpu_s: float
    spent_s: float


def program(file: Path) -> list[str]:
    """The command line of a daemon that leaves its turns there."""
    # Modules of the benchmark may be named as the daemon's own imports are.
    return [sys.executable, "-P", str(Path(__file__)), str(file)]


def turns(file: Path) -> list[Turn]:
    """What a daemon that has ended left behind."""
    return [Turn(*turn) for turn in json.loads(file.read_bytes())]


def spent_s(seen: Sequence[Turn], began: float, ended: float) -> float:
    """Processor time from the last turn before the one moment to the last turn before the other."""
    before, last = (max(0, bisect_left(seen, (at,)) - 1) for at in (began, ended))
    return seen[last].spent_s - seen[before].spent_s


def main() -> None:
    """Time the loop, then be quotad."""
    file = Path(sys.argv.pop(1))
    kept: list[Turn] = []
    plain = Handle._run  # noqa: SLF001 - the one place that all callbacks pass

    def measured(handle: Handle) -> None:
        began, cpu = time.perf_counter(), time.thread_time()
        plain(handle)
        wall_s, cpu_s = time.perf_counter() - began, time.thread_time() - cpu
        kept.append(Turn(began, wall_s, cpu_s, time.process_time()))

    Handle._run = measured  # type: ignore[method-assign,assignment] # noqa: SLF001
    from quotad.__main__ import main as quotad  # noqa: PLC0415 - the instrument comes first

    try:
        quotad()
    finally:
        file.write_text(json.dumps(kept))


if __name__ == "__main__":
    main()
