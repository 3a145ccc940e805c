"""``python held.py FILE``: quotad with every turn of its event loop timed; FILE is written at its end.

A question can only be answered between two turns (callbacks) of the loop, so the longest turn is how long
everybody may have to wait for nothing of their own. It is measured by the clock, in which other programs of
a busy machine count too, and in processor time, in which they do not. Only turns over a millisecond are kept.
"""

from __future__ import annotations

import json
import sys
import time
from asyncio.events import Handle
from pathlib import Path
from typing import NamedTuple

KEPT_S = 0.001


class Turn(NamedTuple):
    """When a turn began, by the clock that ``time.perf_counter`` reads in every process, and what it took."""

    began: float
    wall_s: float
    cpu_s: float


def turns(file: Path) -> list[Turn]:
    """What a daemon that has ended left behind."""
    return [Turn(*turn) for turn in json.loads(file.read_bytes())]


def main() -> None:
    """Time the loop, then be quotad."""
    file = Path(sys.argv.pop(1))
    kept: list[Turn] = []
    plain = Handle._run  # noqa: SLF001 - the one place that all callbacks pass

    def measured(handle: Handle) -> None:
        began, cpu = time.perf_counter(), time.thread_time()
        plain(handle)
        wall_s = time.perf_counter() - began
        if wall_s > KEPT_S:
            kept.append(Turn(began, wall_s, time.thread_time() - cpu))

    Handle._run = measured  # type: ignore[method-assign,assignment] # noqa: SLF001
    from quotad.__main__ import main as quotad  # noqa: PLC0415 - the instrument comes first

    try:
        quotad()
    finally:
        file.write_text(json.dumps(kept))


if __name__ == "__main__":
    main()
