"""One line more: what it costs until the standing has it, and when a subscriber hears of it."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from benchmarks import held
from benchmarks.daemon import REQUEST, STATUS, Client, Daemon, Standing
from benchmarks.ground import Ground
from benchmarks.process import tree_cpu_s
from benchmarks.stage import Stage, median, right
from benchmarks.table import Row, quantile

SUBSCRIBE = REQUEST % b"subscribe"
HEARD_P99_MS = 110.0
IDLE_PERCENT = 0.1
HEARD = 150
PAUSE_S = (0.03, 0.13)
"""Between two lines, by chance: a watcher that looks in steps is met at every point of its step."""
SETTLE_S = 3.0


class Followed(NamedTuple):
    """One append: when ``status`` was asked and answered before it, and with it; and whether it was there."""

    plain: tuple[float, float]
    with_line: tuple[float, float]
    seen: bool

    @property
    def answer_s(self) -> float:
        asked, answered = self.with_line
        return answered - asked


class Follower:
    """A daemon that is asked after each append, and what its window must say."""

    def __init__(self, daemon: Daemon, ground: Ground) -> None:
        self._client = daemon.connect()
        self._ground = ground
        self._expected = ground.standing()

    def once(self) -> Followed:
        """Append, and ask at once; the same question just before says what asking alone costs.

        Asked twice, since the first one meets caches of the processor that somebody else has filled.
        """
        self._asked()
        _, plain = self._asked()
        self._ground.append()
        self._expected = self._ground.standing_after(self._expected)
        reply, with_line = self._asked()
        return Followed(plain, with_line, right(reply, self._expected))

    def _asked(self) -> tuple[bytes, tuple[float, float]]:
        asked = time.perf_counter()
        return self._client.ask(STATUS), (asked, time.perf_counter())

    def close(self) -> None:
        self._client.close()


def line_cpu_us(followed: Sequence[Followed], seen: Sequence[held.Turn]) -> float:
    """The median of what the line alone cost, in microseconds of the daemon's processor, all its threads."""
    costs = [held.spent_s(seen, *one.with_line) - held.spent_s(seen, *one.plain) for one in followed]
    return median(costs) * 1e6


class Rest(NamedTuple):
    """Percent of a core while nothing happens; then seconds from each append to the news, and its CPU."""

    percent: float
    heard_s: list[float]
    told_us: float


def rested(stage: Stage, seconds: float, lines: int) -> Rest:
    """Nothing happens for a while; then there is a subscriber, and lines come at any moment."""
    with Daemon(stage.place("idle", fresh=True)) as daemon:
        waiting = daemon.connect()
        daemon.caught_up_s(waiting)
        waiting.close()
        time.sleep(SETTLE_S)
        before = tree_cpu_s(daemon.pid)
        time.sleep(seconds)
        percent = (tree_cpu_s(daemon.pid) - before) / seconds * 100
        # A connection on which nothing is said for a minute is closed.
        client = daemon.connect()
        before = tree_cpu_s(daemon.pid)
        heard_s = _heard(client, stage.ground, lines)
        # What a line leaves behind is its own: ledger, snapshot, the watcher's hint.
        time.sleep(SETTLE_S)
        told_us = (tree_cpu_s(daemon.pid) - before) / lines * 1e6
        client.close()
    return Rest(percent, heard_s, told_us)


def resting(stage: Stage, seconds: float) -> list[Row]:
    """With the many files of a heavy user."""
    rest = rested(stage, seconds, HEARD)
    files = f"{stage.ground.counts.files:,} files"
    waits_ms = [wait * 1000 for wait in rest.heard_s]
    note = f"p50 {median(waits_ms):.1f} ms, longest {max(waits_ms):.1f} ms, of {len(waits_ms)}"
    told = "append told to a subscriber, CPU with ledger and snapshot"
    return [
        Row.most(
            f"append seen by a subscriber, {files}, p99",
            quantile(waits_ms, 0.99),
            HEARD_P99_MS,
            "{:.1f} ms",
            note,
        ),
        Row(told, f"{rest.told_us:.0f} us", "", "mean, whole daemon"),
        Row.most(f"idle, {files}, {seconds:.0f} s", rest.percent, IDLE_PERCENT, "{:.3f} % of a core"),
    ]


def _heard(client: Client, ground: Ground, lines: int) -> list[float]:
    """Seconds from each append to the news of it."""
    chance = Random(1)
    expected = ground.standing()
    client.ask(SUBSCRIBE)
    waits = []
    for _ in range(lines):
        time.sleep(chance.uniform(*PAUSE_S))
        ground.append()
        appended = time.perf_counter()
        expected = ground.standing_after(expected)
        while _news(client.hear()).tokens != expected.tokens:
            pass
        waits.append(time.perf_counter() - appended)
    return waits


def _news(line: bytes) -> Standing:
    """The state in a notification, which stands where a reply has its result."""
    said = json.loads(line)
    return Standing.read(json.dumps({"result": said["params"]["status"]}).encode())
