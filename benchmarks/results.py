"""What a run found, as text: for the terminal, and between two marks in ``RESULTS.md``, beside its prose."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from benchmarks.recount import Recount
from benchmarks.rivals import Rivals
from benchmarks.stage import MB
from benchmarks.table import Row
from benchmarks.table import rendered as tabled

FILE = Path(__file__).with_name("RESULTS.md")
BEGIN = "<!-- From here to the end mark: `python -m benchmarks --write`. -->"
END = "<!-- The end mark. What follows is written by hand. -->"


class Result(NamedTuple):
    """Everything that was measured in one run."""

    counts: Recount
    rivals: Rivals
    rows: Sequence[Row]
    history: str
    queue: str
    answers: str


def surroundings(rivals: Rivals, load: float, minutes: float) -> str:
    """When and where it was measured, with what, and how busy the machine was otherwise."""
    day = datetime.now(UTC).date().isoformat()
    cores = len(os.sched_getaffinity(0))
    machine = f"{platform.system()} {platform.release()}, {_processor()}, {cores} cores"
    python = (
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, msgspec {version('msgspec')}"
    )
    busy = f"load before the run {load:.1f}, which took {minutes:.1f} minutes"
    return f"{day}, {machine}, {python}; {busy}.\n\nRivals: {rivals.versions()}."


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def rendered(result: Result, where: str) -> str:
    """All tables as Markdown."""
    counts = result.counts
    corpus = (
        f"Corpus: {counts.files:,} files, {counts.size / MB:,.0f} MB, {counts.lines:,} lines, "
        f"{len(counts.calls):,} calls."
    )
    missed = [row for row in result.rows if row.met is False]
    verdict = f"{len(missed)} of {sum(row.met is not None for row in result.rows)} targets missed."
    return "\n\n".join(
        [
            where,
            f"{corpus} {verdict}",
            tabled(result.rows),
            "### Each step against the size of history",
            result.history,
            "### Each step against the length of the queue",
            result.queue,
            "### What the others answer",
            result.answers,
        ]
    )


def write(text: str) -> None:
    """Put the tables in place of the former ones."""
    was = FILE.read_text(encoding="utf-8")
    before, _, rest = was.partition(BEGIN)
    _, _, after = rest.partition(END)
    FILE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")
