"""``python -m benchmarks``: what quotad costs, beside every program that answers the same questions."""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import (
    asking,
    following,
    growth,
    growth_table,
    inside,
    queue_growth,
    reading,
    results,
    starting,
)
from benchmarks.answers import Judge
from benchmarks.daemon import installed
from benchmarks.ground import Ground, OtherCorpusError
from benchmarks.results import Result
from benchmarks.rivals import Rivals
from benchmarks.stage import MB, Stage, tell
from benchmarks.table import Row

WATCHED_FILES = 2_000
WATCHED_BYTES = 10_000_000
QUEUE_BYTES = 5_000_000
UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9}


def size(text: str) -> int:
    """``100MB``, ``1GB``, ``4GB``: powers of ten."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]B)", text, re.IGNORECASE)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no size such as 100MB or 1GB")
    return int(float(match[1]) * UNITS[match[2].upper()])


def sizes(text: str) -> list[int]:
    """``20MB,100MB``."""
    return sorted(size(one) for one in text.split(",") if one)


def main() -> int:
    """Run all steps and print the tables; 1: an answer was wrong or a target missed, 2: a wrong --keep."""
    arguments = _arguments()
    # So that daemons and directories go, whoever ends it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    began = time.monotonic()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="quotad-bench-") as scratch:
        try:
            result = _measured(arguments, Path(scratch))
        except OtherCorpusError as error:
            tell(f"{error}. Name another directory, or ask for the same --size and --seed.")
            return 2
    minutes = (time.monotonic() - began) / 60
    text = results.rendered(result, results.surroundings(result.rivals, load, minutes))
    print(text)
    if arguments.write:
        results.write(text)
    return int(any(row.met is False for row in result.rows))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--size", type=size, default=size("1GB"), help="of the corpus: 100MB, 1GB, 4GB")
    parser.add_argument(
        "--beside", type=sizes, default=sizes("20MB,100MB"), help="sizes for the growth: 20MB,4GB"
    )
    parser.add_argument("--calls", type=int, default=growth.MILLIONS, help="in the large ledger")
    parser.add_argument("--seed", type=int, default=1, help="another seed is another corpus")
    parser.add_argument("--keep", type=Path, help="a directory to keep the corpora in and use them again")
    parser.add_argument("--runs", type=int, default=5, help="of the slow steps")
    parser.add_argument("--idle-seconds", type=float, default=30)
    parser.add_argument("--quotad", help="the program to measure; else the one beside this Python")
    parser.add_argument("--offline", action="store_true", help="fetch no rivals")
    parser.add_argument("--write", action="store_true", help="put the tables into benchmarks/RESULTS.md")
    return parser.parse_args()


def _measured(arguments: argparse.Namespace, scratch: Path) -> Result:
    tell("fetching ccusage, aiburn and claude-monitor")
    rivals = Rivals.none() if arguments.offline else Rivals.fetched(scratch / "rivals")
    tell(f"found {rivals.versions()}")
    program = installed(arguments.quotad)
    folder = (arguments.keep or scratch / "corpora").resolve()
    stage = Stage(program, _ground(folder, arguments.seed, arguments.size), scratch, rivals, arguments.runs)
    rows: list[Row] = []
    for step in (reading.reading, starting.starting, asking.answering, asking.crowding, inside.inside):
        tell(step.__name__)
        rows += step(stage)
    grown, history = _growth(arguments, stage, folder)
    rows += grown
    tell(f"idle for {arguments.idle_seconds:.0f} s with {WATCHED_FILES:,} files, and telling a subscriber")
    watched = scratch / "watched"
    many = Ground(_made(watched), seed=arguments.seed, size_bytes=WATCHED_BYTES, files=WATCHED_FILES)
    rows += following.resting(stage.within(many, "watched"), arguments.idle_seconds)
    tell("queues of 10, 100 and 500 sessions")
    small = _ground(scratch / "queues", arguments.seed, QUEUE_BYTES)
    queue = queue_growth.of_queue(stage.within(small, "queues"))
    tell("rivals' answers")
    answers, explained = Judge(scratch / "answers").table(rivals)
    rows.append(
        Row(
            "rivals' answers, differences explained to the token",
            "all" if explained else "NOT all",
            "all",
            "",
            explained,
        )
    )
    return Result(stage.ground.counts, rivals, rows, history, queue, answers)


def _growth(arguments: argparse.Namespace, stage: Stage, folder: Path) -> tuple[list[Row], str]:
    """The rows that hold at any size of history, and the table of how each step grows."""
    sites = []
    for each in sorted({*arguments.beside, arguments.size}):
        # Another seed: the smallest becomes the former years of the large ledger, so its calls are others.
        ground = stage.ground if each == arguments.size else _ground(folder, arguments.seed + 1, each)
        name = f"{each / MB:,.0f} MB"
        tell(f"growth: {name}")
        sites.append(growth.site(name, stage.within(ground, f"site-{each}")))
    tell(f"growth: a ledger of {arguments.calls:,} calls")
    sites.append(growth.millions(sites[0].place, stage, arguments.calls))
    tell("growth: all sizes side by side")
    measured = growth.side_by_side(sites)
    return growth.rows(sites, measured), growth_table.of_history(sites, measured)


def _ground(folder: Path, seed: int, size_bytes: int) -> Ground:
    tell(f"making or finding a corpus of {size_bytes / MB:,.0f} MB, and counting it")
    ground = Ground(_made(folder / f"{size_bytes / MB:.0f}MB-{seed}"), seed=seed, size_bytes=size_bytes)
    counts = ground.counts
    tell(f"{counts.files:,} files, {counts.size / MB:,.0f} MB, {len(counts.calls):,} calls")
    return ground


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


if __name__ == "__main__":
    sys.exit(main())
