"""From nothing to the right window, on until history is in, and starting again with a full ledger."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks import beside
from benchmarks.daemon import POLL_S, STATUS, Client, Daemon, Place, Standing
from benchmarks.process import Cost, Peak, run, tree_bytes, tree_cpu_s
from benchmarks.reading import blocks
from benchmarks.stage import Stage, median, memory_row, ratio, right, tell, walls
from benchmarks.table import Row, quantile

BESIDE_CCUSAGE = 0.25
RIGHT_S = 0.5
READY_S = 0.30
READING_P99_MS = 10.0
RIGHT_S_MAX = 60.0
ASK_AGAIN_S = 0.02
RESTARTS = 7
SETTLE_S = 1.0
"""By then whoever helped to read has gone."""


class Beginning(NamedTuple):
    """What one start into a fresh place came to."""

    right_s: float
    right_cpu_s: float
    """Of that, what the daemon's processor took: what remains is waiting, for other programs too."""
    caught_up_s: float
    waits_s: list[float]
    """How long ``status`` took, asked again and again while history was read."""
    peak_bytes: int
    steady_bytes: int


def begun(stage: Stage, place: Place) -> Beginning:
    """Start the daemon, ask until the window is right, then on until history is in."""
    expected = stage.ground.standing()
    with Daemon(place) as daemon:
        peak = Peak(daemon.pid)
        client = daemon.connect()
        right_s = _until_right(daemon, client, expected)
        right_cpu_s = tree_cpu_s(daemon.pid)
        waits_s = _ask_while_reading(client)
        caught_up_s = daemon.age_s()
        time.sleep(SETTLE_S)
        steady = tree_bytes(daemon.pid)
        peak.stop()
        client.close()
    return Beginning(right_s, right_cpu_s, caught_up_s, waits_s, peak.bytes, steady)


def starting(stage: Stage) -> list[Row]:
    """From nothing, in turns with ccusage, which reads everything for the same answer."""
    ours: list[Beginning] = []
    theirs: list[Cost] = []
    for _ in range(stage.runs):
        stage.ground.warm()
        ours.append(begun(stage, stage.place("daemon", fresh=True)))
        stage.ground.warm()
        if (ccusage := stage.rivals.ccusage) is not None:
            theirs.append(run([*ccusage.program, *blocks()], stage.environment()))
    seconds = [one.right_s for one in ours]
    cpu_s = median([one.right_cpu_s for one in ours])
    return [
        _window_beside(seconds, theirs),
        Row.most(
            "current window from nothing",
            median(seconds),
            RIGHT_S,
            "{:.2f} s",
            f"{cpu_s:.2f} s of it CPU, Python's start included",
        ),
        Row("history read in behind it", f"{median([one.caught_up_s for one in ours]):.2f} s"),
        memory_row("reading in behind: peak memory, workers included", max(one.peak_bytes for one in ours)),
        _asked_meanwhile([wait * 1000 for one in ours for wait in one.waits_s]),
    ]


def _asked_meanwhile(waits_ms: Sequence[float]) -> Row:
    step = "status while history is read, p99"
    if not waits_ms:
        return Row.missing(
            step, f"<= {READING_P99_MS:.1f} ms", "history was in before anybody could ask twice"
        )
    note = f"p50 {median(waits_ms):.2f} ms, longest {max(waits_ms):.1f} ms, of {len(waits_ms)}"
    return Row.most(step, quantile(waits_ms, 0.99), READING_P99_MS, "{:.1f} ms", note)


def _window_beside(seconds: Sequence[float], theirs: Sequence[Cost]) -> Row:
    step = "current window from nothing, wall, beside ccusage blocks"
    if not theirs:
        return Row.missing(step, f"<= {BESIDE_CCUSAGE}x", "ccusage could not be fetched")
    value = ratio(seconds, [cost.wall_s for cost in theirs])
    return Row.most(
        step, value, BESIDE_CCUSAGE, "{:.2f}x", f"{median(seconds):.2f} s to {walls(theirs):.2f} s"
    )


def _until_right(daemon: Daemon, client: Client, expected: Standing) -> float:
    """Seconds from the start until the first window is as recounted; RIGHT_S_MAX when it never is."""
    reply = client.ask(STATUS)
    while daemon.age_s() < RIGHT_S_MAX:
        if right(reply, expected):
            return daemon.age_s()
        time.sleep(POLL_S)
        reply = client.ask(STATUS)
    tell(f"the window stayed wrong: {Standing.read(reply)} instead of {expected}")
    return RIGHT_S_MAX


def _ask_while_reading(client: Client) -> list[float]:
    waits: list[float] = []
    while True:
        asked = time.perf_counter()
        reply = client.ask(STATUS)
        waited = time.perf_counter() - asked
        if Standing.read(reply).caught_up:
            return waits
        waits.append(waited)
        time.sleep(ASK_AGAIN_S)


def restarting(place: Place, calls: int) -> Row:
    """With a full ledger, from the start of the process to READY=1, in turns with ``python -c pass``."""
    ready, nothings, cpu = [], [], []
    for _ in range(RESTARTS):
        with Daemon(place) as daemon:
            ready.append(daemon.ready_s())
            cpu.append(tree_cpu_s(daemon.pid))
        nothings.append(run(beside.nothing(), {}).wall_s)
    note = f"{ratio(ready, nothings):.1f}x python -c pass, {median(cpu):.2f} s of it CPU"
    return Row.most(
        f"restart with {calls:,} calls in the ledger, to READY", median(ready), READY_S, "{:.2f} s", note
    )
