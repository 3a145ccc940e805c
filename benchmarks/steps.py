"""Each step that is measured: reading everything, starting, resting, answering, following.

Whatever can be compared runs in turns with what stands beside it, and medians are taken, so that a busy
moment of the machine hits both. Every answer is checked: a fast wrong one is reported as wrong.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks import beside, rivals
from benchmarks.daemon import POLL_S, STATUS, Client, Daemon, Place, Standing, summary
from benchmarks.ground import Ground
from benchmarks.process import Cost, Peak, run, tree_bytes, tree_cpu_s
from benchmarks.table import Row, quantile

GB = 1e9
MB = 1e6
REQUESTS = 2_000
REQUESTS_AT_ONCE = 200
APPENDS = 200
RESTARTS = 5
SETTLE_S = 3.0
RIGHT_S_MAX = 60.0

READING_GB_PER_CPU_S = 0.4
READING_BESIDE_CCUSAGE = 1.09
"""What 0.4 GB/s was on the machine on which the target was set: ccusage took 2.3 s there."""
RIGHT_S = 1.0
RESTART_S = 0.6
RESIDENT_MB = 80.0
IDLE_PERCENT = 0.3
STATUS_P99_MS = 5.0


class Run(NamedTuple):
    """What the steps share."""

    program: list[str]
    ground: Ground
    scratch: Path
    runs: int

    def place(self, name: str, *, fresh: bool) -> Place:
        """A daemon's private directory; its ledger is kept from step to step unless it is to be fresh."""
        private = self.scratch / name
        if fresh:
            shutil.rmtree(private, ignore_errors=True)
        place = Place(self.program, self.ground.claude, private)
        place.prepare()
        return place


def reading(bench: Run) -> list[Row]:
    """``quotad --once`` into a fresh ledger, beside a bare scan, ``rg`` and ccusage."""
    counts = bench.ground.counts
    ours, scans, finds, theirs = [], [], [], []
    ccusage = rivals.ccusage(bench.scratch / "ccusage")
    right = True
    for _ in range(bench.runs):
        place = bench.place("once", fresh=True)
        ours.append(run([*bench.program, "--once"], place.environment()))
        said = summary(ours[-1].output)
        right &= (said["messages"], said["malformed"]) == (len(counts.calls), counts.malformed)
        scans.append(run(beside.scan(bench.ground.projects), {}))
        if (rg := beside.ripgrep(bench.ground.projects)) is not None:
            finds.append(run(rg, {}))
        if ccusage is not None:
            theirs.append(run(ccusage, place.environment()))
    cpu, wall = _medians(ours)
    scan_cpu, scan_wall = _medians(scans)
    rate = counts.size / GB / cpu
    ratio = f"{cpu / scan_cpu:.1f}x a bare scan"
    if finds:
        ratio += f", {cpu / _medians(finds)[0]:.1f}x rg -j1"
    return [
        Row(
            "read all, CPU",
            f"{rate:.2f} GB/s ({cpu:.2f} s)",
            ">= 0.4 GB/s",
            ratio,
            rate >= READING_GB_PER_CPU_S,
        ),
        Row("read all, wall", f"{wall:.2f} s", "", f"{wall / scan_wall:.1f}x a bare scan"),
        _beside_ccusage(cpu, theirs),
        _memory("read all, peak memory", max(cost.peak_bytes for cost in ours)),
        Row("read all, calls and malformed", "as recounted" if right else "WRONG", "as recounted", "", right),
    ]


def _beside_ccusage(cpu_s: float, theirs: Sequence[Cost]) -> Row:
    step, target = "read all, CPU beside ccusage", f"<= {READING_BESIDE_CCUSAGE}x"
    if not theirs:
        return Row(step, "", target, "missing: npm could not fetch it")
    ratio = cpu_s / _medians(theirs)[0]
    return Row(step, f"{ratio:.2f}x", target, "", ratio <= READING_BESIDE_CCUSAGE)


def _medians(costs: Sequence[Cost]) -> tuple[float, float]:
    """Processor and wall time, in seconds."""
    return quantile([cost.cpu_s for cost in costs], 0.5), quantile([cost.wall_s for cost in costs], 0.5)


def _memory(step: str, size_bytes: float) -> Row:
    figure = f"{size_bytes / MB:.0f} MB"
    return Row(step, figure, f"<= {RESIDENT_MB:.0f} MB", "", size_bytes / MB <= RESIDENT_MB)


def starting(bench: Run) -> list[Row]:
    """From nothing to the right window, and on until history is read, asked all the while."""
    right, caught_up, peaks, waits, nothings = [], [], [], [], []
    for _ in range(bench.runs):
        expected = bench.ground.standing()
        with Daemon(bench.place("daemon", fresh=True)) as daemon:
            peak = Peak(daemon.pid)
            client = daemon.connect()
            right.append(_until_right(daemon, client, expected))
            waits += _ask_while_reading(client)
            caught_up.append(daemon.age_s())
            peak.stop()
            peaks.append(peak.bytes)
        nothings.append(run(beside.nothing(), {}).wall_s)
    seconds = quantile(right, 0.5)
    ratio = f"{seconds / quantile(nothings, 0.5):.0f}x python -c pass"
    rows = [
        Row("current window right from nothing", f"{seconds:.2f} s", "<= 1 s", ratio, seconds <= RIGHT_S),
        Row("history read in behind", f"{quantile(caught_up, 0.5):.2f} s"),
        _memory("peak memory, daemon and its workers", max(peaks)),
    ]
    if waits:
        ms = quantile(waits, 0.99) * 1000
        rows.append(Row("status while history is read, p99", f"{ms:.1f} ms"))
    return rows


def _until_right(daemon: Daemon, client: Client, expected: Standing) -> float:
    """Seconds from the start until the first window is as recounted; RIGHT_S_MAX when it never is."""
    actual = Standing.read(client.ask(STATUS))
    while daemon.age_s() < RIGHT_S_MAX:
        if actual[:3] == expected[:3]:
            return daemon.age_s()
        time.sleep(POLL_S)
        actual = Standing.read(client.ask(STATUS))
    print(f"the window stayed wrong: {actual} instead of {expected}")
    return RIGHT_S_MAX


def _ask_while_reading(client: Client) -> list[float]:
    waits: list[float] = []
    while True:
        asked = time.perf_counter()
        reply = client.ask(STATUS)
        if Standing.read(reply).caught_up:
            return waits
        waits.append(time.perf_counter() - asked)
        time.sleep(0.02)


def restarting(bench: Run) -> list[Row]:
    """With the full ledger, from start to READY=1, beside ``python -c pass``."""
    ready, nothings = [], []
    for _ in range(RESTARTS):
        with Daemon(bench.place("daemon", fresh=False)) as daemon:
            ready.append(daemon.ready_s())
        nothings.append(run(beside.nothing(), {}).wall_s)
    seconds = quantile(ready, 0.5)
    ratio = f"{seconds / quantile(nothings, 0.5):.1f}x python -c pass"
    return [
        Row(
            "restart with a full ledger to READY", f"{seconds:.2f} s", "<= 0.6 s", ratio, seconds <= RESTART_S
        )
    ]


def answering(bench: Run) -> list[Row]:
    """``status`` on one connection and with a connection each, beside a server that echoes as many bytes."""
    with Daemon(bench.place("daemon", fresh=False)) as daemon:
        client = daemon.connect()
        daemon.caught_up_s(client)
        path = bench.scratch / "echo"
        path.unlink(missing_ok=True)
        command = beside.echo(path, len(client.ask(STATUS)))
        with subprocess.Popen(command, stdout=subprocess.PIPE) as echo:
            assert echo.stdout is not None
            echo.stdout.readline()
            one, each, echo_one, echo_each = [], [], [], []
            for _ in range(REQUESTS // REQUESTS_AT_ONCE):
                one += _timed(client)
                each += _timed_each(daemon.place.socket)
                other = Client(path)
                echo_one += _timed(other)
                other.close()
                echo_each += _timed_each(path)
            echo.terminate()
        steady = tree_bytes(daemon.pid)
        rows = [
            *_latency("status on one connection", one, echo_one),
            *_latency("status with a connection each", each, echo_each),
            _memory("steady memory", steady),
        ]
        return rows + _following(bench, daemon, client)


def _timed(client: Client) -> list[float]:
    return [_lasted(lambda: client.ask(STATUS)) for _ in range(REQUESTS_AT_ONCE)]


def _timed_each(path: Path) -> list[float]:
    def once() -> None:
        client = Client(path)
        client.ask(STATUS)
        client.close()

    return [_lasted(once) for _ in range(REQUESTS_AT_ONCE)]


def _lasted(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def _latency(step: str, ours: list[float], theirs: list[float]) -> list[Row]:
    rows = []
    for name, part in (("p50", 0.5), ("p99", 0.99)):
        ms = quantile(ours, part) * 1000
        ratio = f"{ms / (quantile(theirs, part) * 1000):.1f}x an echo"
        met = ms <= STATUS_P99_MS if name == "p99" else None
        rows.append(Row(f"{step}, {name}", f"{ms:.2f} ms", "<= 5 ms" if name == "p99" else "", ratio, met))
    return rows


def _following(bench: Run, daemon: Daemon, client: Client) -> list[Row]:
    """A line is appended and the very next answer must have it."""
    standing = bench.ground.standing()
    waits = []
    missed = 0
    before = tree_cpu_s(daemon.pid)
    for _ in range(APPENDS):
        bench.ground.append()
        standing = bench.ground.standing_after(standing)
        asked = time.perf_counter()
        reply = client.ask(STATUS)
        waits.append(time.perf_counter() - asked)
        missed += Standing.read(reply)[:3] != standing[:3]
    cpu_us = (tree_cpu_s(daemon.pid) - before) / APPENDS * 1e6
    figure = "in the next answer" if not missed else f"missed by {missed} of {APPENDS} answers"
    return [
        Row("one line more", figure, "in the next answer", "", not missed),
        Row("one line more, answered p50", f"{quantile(waits, 0.5) * 1000:.2f} ms"),
        Row("one line more, answered p99", f"{quantile(waits, 0.99) * 1000:.2f} ms"),
        Row("one line more, CPU with its answer", f"{cpu_us:.0f} us"),
    ]


def resting(bench: Run, seconds: float) -> list[Row]:
    """Nothing happens, and watching costs what it costs."""
    with Daemon(bench.place("idle", fresh=True)) as daemon:
        client = daemon.connect()
        daemon.caught_up_s(client)
        time.sleep(SETTLE_S)
        before = tree_cpu_s(daemon.pid)
        time.sleep(seconds)
        percent = (tree_cpu_s(daemon.pid) - before) / seconds * 100
        files = bench.ground.counts.files
    figure = f"{percent:.2f} % of a core"
    return [
        Row(f"idle, {files} files watched, {seconds:.0f} s", figure, "<= 0.3 %", "", percent <= IDLE_PERCENT)
    ]
