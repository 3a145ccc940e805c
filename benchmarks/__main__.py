"""``python -m benchmarks``: what quotad costs on a corpus of a given size, beside what any program costs."""

from __future__ import annotations

import argparse
import os
import platform
import re
import sys
import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from benchmarks import steps
from benchmarks.daemon import installed
from benchmarks.ground import Ground, OtherCorpusError
from benchmarks.table import Row, rendered

WATCHED_FILES = 2_000
WATCHED_BYTES = 10_000_000
UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9}


def size(text: str) -> int:
    """``100MB``, ``1GB``, ``4GB``: powers of ten."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]B)", text, re.IGNORECASE)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no size such as 100MB or 1GB")
    return int(float(match[1]) * UNITS[match[2].upper()])


def main() -> int:
    """Run the steps and print the table; 1: an answer was wrong or a target missed, 2: a wrong --keep."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="quotad-bench-") as scratch:
        try:
            rows = _measured(arguments, Path(scratch))
        except OtherCorpusError as error:
            _tell(f"{error}. Name another directory, or ask for the same --size and --seed.")
            return 2
    print(_surroundings())
    print(rendered(rows))
    return int(any(row.met is False for row in rows))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--size", type=size, default=size("1GB"), help="of the corpus: 100MB, 1GB, 4GB")
    parser.add_argument("--seed", type=int, default=1, help="another seed is another corpus")
    parser.add_argument("--keep", type=Path, help="a directory to keep the corpus in and use it again")
    parser.add_argument("--runs", type=int, default=3, help="of each step; medians are taken")
    parser.add_argument("--idle-seconds", type=float, default=30)
    parser.add_argument("--quotad", help="the program to measure; else the one beside this Python")
    return parser.parse_args()


def _measured(arguments: argparse.Namespace, scratch: Path) -> list[Row]:
    program = installed(arguments.quotad)
    _tell(f"making or finding a corpus of {arguments.size / 1e6:.0f} MB, and counting it")
    folder = (arguments.keep or scratch / "corpus").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    ground = Ground(folder, seed=arguments.seed, size_bytes=arguments.size)
    counts = ground.counts
    _tell(
        f"{counts.files} files, {counts.size / 1e6:.0f} MB, {counts.lines} lines, {len(counts.calls)} calls"
    )
    bench = steps.Run(program, ground, scratch, arguments.runs)
    plan: list[Callable[[steps.Run], list[Row]]] = [
        steps.reading,
        steps.starting,
        steps.restarting,
        steps.answering,
    ]
    rows = []
    for step in plan:
        _tell(step.__name__)
        rows += step(bench)
    _tell(f"resting {arguments.idle_seconds:.0f} s")
    watched = scratch / "watched"
    watched.mkdir()
    many = Ground(watched, seed=arguments.seed, size_bytes=WATCHED_BYTES, files=WATCHED_FILES)
    return rows + steps.resting(bench._replace(ground=many), arguments.idle_seconds)


def _surroundings() -> str:
    day = datetime.now().astimezone().date().isoformat()
    cpus = len(os.sched_getaffinity(0))
    return (
        f"{day}, {platform.system()} {platform.release()}, {cpus} cores, Python {platform.python_version()}\n"
    )


def _tell(what: str) -> None:
    print(f"... {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
