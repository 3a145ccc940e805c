"""Reading all of history once, beside every program that reads it too."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks import beside
from benchmarks.daemon import summary
from benchmarks.ground import Ground
from benchmarks.process import Cost, attempt, run
from benchmarks.rivals import Rival
from benchmarks.stage import MB, Stage, cpus, median, memory_row, ratio
from benchmarks.table import Row

BESIDE_CCUSAGE = 0.75
GB_A_CPU_SECOND = 0.4
CCUSAGE_S_A_GB = 2.3
"""What ccusage took of a processor's time where that was asked for: it tells how fast another machine is."""
GB = 1e9


def reading(stage: Stage) -> list[Row]:
    """``quotad --once`` into a fresh ledger, in turns with a bare scan, ``rg`` and ccusage."""
    ours: list[Cost] = []
    scans: list[Cost] = []
    finds: list[Cost] = []
    theirs: list[Cost] = []
    wrong: set[str] = set()
    for _ in range(stage.runs):
        ours.append(once(stage, wrong))
        stage.ground.warm()
        scans.append(run(beside.scan(stage.ground.projects), {}))
        if (rg := stage.rivals.ripgrep) is not None:
            stage.ground.warm()
            finds.append(run(_find(rg, stage.ground), {}))
        if (ccusage := stage.rivals.ccusage) is not None:
            stage.ground.warm()
            theirs.append(run([*ccusage.program, *blocks()], stage.environment()))
    notes = [f"{cpus(ours) / cpus(scans):.1f}x a bare scan ({cpus(scans):.2f} s)"]
    notes += [f"{cpus(ours) / cpus(finds):.1f}x rg -j1 ({cpus(finds):.2f} s)"] if finds else ["no rg"]
    return [
        *_beside_ccusage(ours, theirs),
        _alone(stage.ground, ours, notes),
        *_rate_elsewhere(ours, theirs),
        *_slow_ones(stage, cpus(ours)),
        memory_row("all of history once, peak memory", once(stage, wrong, watched=True).peak_bytes),
        _checked(wrong),
    ]


def blocks() -> list[str]:
    """What ccusage is asked: its five-hour blocks of everything there is, without a look at the network."""
    return ["blocks", "--offline", "--json"]


def monitored(ground: Ground) -> list[str]:
    """What claude-monitor is asked: one look at the current block."""
    return ["--once", "--output", "json", "--timezone", "UTC", "--data-paths", str(ground.projects)]


def by_day() -> list[str]:
    """What aiburn is asked."""
    return ["daily", "--json", "--claude"]


def _find(ripgrep: Rival, ground: Ground) -> list[str]:
    """The lines with ``"usage"``, found in one thread."""
    return [*ripgrep.program, "--no-config", "-uuu", "-j1", "--count", '"usage"', str(ground.projects)]


def once(stage: Stage, wrong: set[str], *, watched: bool = False) -> Cost:
    """One whole reading; what it wrote is held against the recount."""
    place = stage.place("once", fresh=True)
    stage.ground.warm()
    cost = run([*stage.program, "--once"], place.environment(), watched=watched)
    said = summary(cost.output)
    counts = stage.ground.counts
    expected: Mapping[str, float] = {"messages": len(counts.calls), "malformed": counts.malformed}
    wrong.update(f"{name}: {said[name]:.0f}" for name, value in expected.items() if said[name] != value)
    wrong.update(_ledger_faults(place.private / "state" / "ledger.db", stage.ground))
    return cost


def _ledger_faults(ledger: Path, ground: Ground) -> list[str]:
    """What of calls, rollups and cursors is not on the disk as it should be."""
    sums = "coalesce(sum(input), 0), coalesce(sum(output), 0), sum(cache_write), sum(cache_read)"
    calls = len(ground.counts.calls)
    tokens = ground.counts.tokens()
    asked: dict[str, tuple[str, tuple[int, ...]]] = {
        "calls": (f"SELECT count(*), {sums} FROM call", (calls, *tokens)),  # noqa: S608 - our own words
        "rollups": (f"SELECT sum(messages), {sums} FROM rollup", (calls, *tokens)),  # noqa: S608 - our own words
        "cursors": ("SELECT count(*) FROM cursor", (ground.counts.files,)),
    }
    db = sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)
    try:
        found = {name: db.execute(query).fetchone() for name, (query, _) in asked.items()}
    finally:
        db.close()
    return [f"{name}: {found[name]}" for name, (_, expected) in asked.items() if found[name] != expected]


def _checked(wrong: set[str]) -> Row:
    figure = "as recounted" if not wrong else f"WRONG: {'; '.join(sorted(wrong))}"
    step = "all of history once: calls, malformed lines, and what ledger, rollups and cursors hold"
    return Row(step, figure, "as recounted", "", not wrong)


def _beside_ccusage(ours: list[Cost], theirs: list[Cost]) -> list[Row]:
    rows = []
    of: dict[str, Callable[[Cost], float]] = {
        "CPU": lambda cost: cost.cpu_s,
        "wall": lambda cost: cost.wall_s,
    }
    for name, part in of.items():
        step = f"all of history once, {name}, beside ccusage blocks"
        if not theirs:
            rows.append(Row.missing(step, f"<= {BESIDE_CCUSAGE}x", "ccusage could not be fetched"))
            continue
        mine, other = [part(cost) for cost in ours], [part(cost) for cost in theirs]
        figures = f"{median(mine):.2f} s to {median(other):.2f} s"
        rows.append(Row.most(step, ratio(mine, other), BESIDE_CCUSAGE, "{:.2f}x", figures))
    return rows


def _alone(ground: Ground, ours: list[Cost], notes: list[str]) -> Row:
    """The rate of the fastest run: the work is the same in each, and what is more was done by others.

    (A processor that is shared with other machines runs the same loop in 68 or in 100 microseconds.)
    """
    all_s = sorted(cost.cpu_s for cost in ours)
    figures = f"{', '.join(f'{cpu_s:.2f}' for cpu_s in all_s)} s: {', '.join(notes)}"
    return _rate("all of history once, CPU alone, fastest run", ground.counts.size / GB / all_s[0], figures)


def _rate(step: str, rate: float, beside: str) -> Row:
    """Of gigabytes per second of CPU."""
    least = f">= {GB_A_CPU_SECOND:.2f} GB/s"
    return Row(step, f"{rate:.2f} GB/s", least, beside, rate >= GB_A_CPU_SECOND)


def _rate_elsewhere(ours: list[Cost], theirs: list[Cost]) -> list[Row]:
    """The rate on a machine on which ccusage takes as long as where the rate was asked for."""
    if not theirs:
        return []
    times = ratio([cost.cpu_s for cost in ours], [cost.cpu_s for cost in theirs])
    step = f"all of history once, where ccusage takes {CCUSAGE_S_A_GB} s for a gigabyte"
    return [_rate(step, 1 / (times * CCUSAGE_S_A_GB), f"{cpus(theirs):.2f} s here")]


def _slow_ones(stage: Stage, cpu_s: float) -> list[Row]:
    """One run each of those that take their time."""
    rivals = stage.rivals
    asked = {
        "aiburn": (rivals.aiburn, by_day()),
        "claude-monitor": (rivals.claude_monitor, monitored(stage.ground)),
    }
    rows = []
    for name, (rival, words) in asked.items():
        step = f"all of history once, CPU, beside {name}"
        if rival is None:
            rows.append(Row.missing(step, "", f"{name} could not be fetched"))
            continue
        cost = attempt([*rival.program, *words], {**stage.environment(), **rival.environment}, watched=True)
        figures = f"{cost.cpu_s:.2f} s CPU, {cost.wall_s:.2f} s wall, {cost.peak_bytes / MB:.0f} MB"
        if cost.status:
            # claude-monitor reckons with a count of 2**53 tokens, which is a flaw of the corpus.
            figures += f"; it failed at its end: {cost.complaint.decode(errors='replace').splitlines()[-1]}"
        rows.append(Row(step, f"{cpu_s / cost.cpu_s:.2f}x", "", figures))
    return rows
