"""``python -m benchmarks.smoke``: under a minute on 20 MB, so that a tenfold loss cannot land unseen.

No network, and ratios to what runs beside it alone: a bare scan, ``python -c pass``, a server that echoes.
Each may be several times what it was when the line was drawn, as the machine may be busy. 1: one is not met.
"""

from __future__ import annotations

import signal
import sys
import tempfile
from pathlib import Path

from benchmarks import asking, beside, following, held, inside
from benchmarks.daemon import Daemon, installed
from benchmarks.following import Follower, line_cpu_us
from benchmarks.ground import Ground
from benchmarks.process import Cost, run
from benchmarks.reading import once
from benchmarks.rivals import Rivals
from benchmarks.stage import MB, Stage, median, ratio, tell
from benchmarks.starting import Beginning, begun
from benchmarks.table import Row, rendered

SIZE_BYTES = 20_000_000
RUNS = 3
LINES = 40
INSIDE_ROUNDS = 10
IDLE_S = 5.0
HEARD = 25

SCANS = 50.0
RIGHT_STARTS = 80.0
READY_STARTS = 70.0
ECHOES = 90.0
LINE_STARTS = 0.1
STATUS_LINE_STARTS = 4.0
STATUS_STARTS = 12.0
CROWD_STARTS = 40.0
HEARD_STARTS = 4.0
IDLE_PERCENT = 0.5
RESIDENT_MB = 120.0


def main() -> int:
    """Make a corpus, measure, print the table."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="quotad-smoke-") as scratch:
        folder = Path(scratch, "corpus")
        folder.mkdir()
        ground = Ground(folder, seed=1, size_bytes=SIZE_BYTES)
        stage = Stage(installed(None), ground, Path(scratch), Rivals.none(), RUNS)
        rows: list[Row] = []
        for step in (_reading, _starting, _asking, _inside, _resting):
            tell(step.__name__.removeprefix("_"))
            rows += step(stage)
    print(rendered(rows))
    return int(any(row.met is False for row in rows))


def _reading(stage: Stage) -> list[Row]:
    ours: list[Cost] = []
    scans: list[Cost] = []
    wrong: set[str] = set()
    for _ in range(RUNS):
        ours.append(once(stage, wrong))
        scans.append(run(beside.scan(stage.ground.projects), {}))
    times = ratio([cost.cpu_s for cost in ours], [cost.cpu_s for cost in scans])
    said = "as recounted" if not wrong else f"WRONG: {'; '.join(sorted(wrong))}"
    return [
        Row.most("all of history once, CPU, to a bare scan", times, SCANS, "{:.1f}x"),
        Row("calls, malformed lines, ledger, rollups, cursors", said, "as recounted", "", not wrong),
    ]


def _starting(stage: Stage) -> list[Row]:
    ours: list[Beginning] = []
    ready = []
    nothings = []
    for _ in range(RUNS):
        ours.append(begun(stage, stage.place("daemon", fresh=True)))
        nothings.append(run(beside.nothing(), {}).wall_s)
        with Daemon(stage.place("daemon", fresh=False)) as daemon:
            ready.append(daemon.ready_s())
    nothing_s = median(nothings)
    right_s = median([one.right_s for one in ours])
    peak = max(one.peak_bytes for one in ours) / MB
    return [
        _starts("current window from nothing", right_s, nothing_s, RIGHT_STARTS),
        _starts("restart to READY", median(ready), nothing_s, READY_STARTS),
        Row.most("peak memory", peak, RESIDENT_MB, "{:.0f} MB"),
    ]


def _asking(stage: Stage) -> list[Row]:
    nothing_s = median([run(beside.nothing(), {}).wall_s for _ in range(RUNS)])
    file = stage.scratch / "turns.json"
    with Daemon(stage.place("daemon", fresh=False, program=held.program(file))) as daemon:
        client = daemon.connect()
        daemon.caught_up_s(client)
        ours, echoes = asking.in_turns(stage, daemon, client)
        follower = Follower(daemon, stage.ground)
        followed = [follower.once() for _ in range(LINES)]
        expected = stage.ground.standing()
        crowd = asking.crowd(daemon.place.socket, expected)
        client.close()
        follower.close()
    missed = sum(not one.seen for one in followed)
    all_right = crowd.right == asking.CROWD
    return [
        Row.most("status p50, to an echo", median(ours) / median(echoes), ECHOES, "{:.1f}x"),
        Row("one more line, in the next answer", f"missed by {missed} of {LINES}", "0", "", not missed),
        _starts("one more line, CPU", line_cpu_us(followed, held.turns(file)) / 1e6, nothing_s, LINE_STARTS),
        Row("200 clients at once, answered", f"{crowd.right} right", f"{asking.CROWD} right", "", all_right),
        _starts("200 clients at once, the last", max(crowd.waits_s, default=60.0), nothing_s, CROWD_STARTS),
    ]


def _inside(stage: Stage) -> list[Row]:
    line = inside.told(stage.scratch)[0]._replace(times_most=STATUS_LINE_STARTS)
    status = line._replace(name="quotactl status", command=[line.command[0], "status"], stdin=b"")
    place = stage.place("daemon", fresh=False)
    with Daemon(place) as daemon:
        daemon.connect().close()
        steps = [line, status._replace(times_most=STATUS_STARTS)]
        return inside.compared(steps, place.environment(), INSIDE_ROUNDS)


def _resting(stage: Stage) -> list[Row]:
    rest = following.rested(stage, IDLE_S, HEARD)
    nothing_s = median([run(beside.nothing(), {}).wall_s for _ in range(RUNS)])
    return [
        Row.most("idle", rest.percent, IDLE_PERCENT, "{:.2f} % of a core"),
        _starts("append seen by a subscriber, p50", median(rest.heard_s), nothing_s, HEARD_STARTS),
    ]


def _starts(step: str, seconds: float, nothing_s: float, most: float) -> Row:
    """So many times what Python takes to start."""
    return Row.most(
        f"{step}, to python -c pass", seconds / nothing_s, most, "{:.2f}x", f"{seconds * 1000:.1f} ms"
    )


if __name__ == "__main__":
    sys.exit(main())
