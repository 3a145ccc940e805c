"""Each step against the size of history, all sizes side by side, and against the length of the queue."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from benchmarks import held
from benchmarks.asking import asked
from benchmarks.daemon import STATUS, Client, Daemon, Place
from benchmarks.following import Followed, Follower, line_cpu_us
from benchmarks.multiplied import multiply
from benchmarks.process import run
from benchmarks.stage import MB, Stage, median, memory_row
from benchmarks.starting import Beginning, begun, restarting
from benchmarks.table import Row

MILLIONS = 5_000_000
LINE_US = 200.0
STATUS_RATIO = 1.1
ALIKE_BYTES = 100 * MB
"""From here on a ``status`` is to take as long at any size."""
ROUNDS = 40
QUESTIONS = 40
STARTS = 3
SPREAD_FLAT = 1.25
"""What does not differ by more than this between the sizes is flat: so much differs from run to run."""


class Site(NamedTuple):
    """A size of history: its corpus, where its daemon lives, and what was found there so far."""

    name: str
    stage: Stage
    place: Place
    calls: int
    start: Beginning
    once_cpu_s: float | None


def site(name: str, stage: Stage) -> Site:
    """Read all of history once, and then again by a daemon that starts from nothing."""
    stage.ground.warm()
    once = run([*stage.program, "--once"], stage.place("once", fresh=True).environment())
    place = stage.place("daemon", fresh=True)
    start = begun(stage, place)
    return Site(name, stage, place, len(stage.ground.counts.calls), start, once.cpu_s)


def millions(source: Place, stage: Stage, calls: int = MILLIONS) -> Site:
    """A ledger of that many calls of former years, into which the corpus is read as new."""
    stage = stage.within(stage.ground.linked(stage.scratch / "linked"), "linked")
    place = stage.place("daemon", fresh=True)
    ledger = place.private / "state" / "ledger.db"
    shutil.copy(source.private / "state" / "ledger.db", ledger)
    has = multiply(ledger, stage.ground.claude, calls) + len(stage.ground.counts.calls)
    start = begun(stage, place)
    return Site(
        f"{stage.ground.counts.size / MB:,.0f} MB, {has / 1e6:.1f} M calls", stage, place, has, start, None
    )


class Measured(NamedTuple):
    """What daemons that run side by side said: seconds of each question, each append, bytes of an answer."""

    status_s: list[float]
    followed: list[Followed]
    line_us: float
    reply_bytes: int


def side_by_side(sites: Sequence[Site]) -> list[Measured]:
    """All sites' daemons at once, asked in turns: a busy moment of the machine touches all alike."""
    with ExitStack() as stack:
        daemons = [stack.enter_context(Daemon(_timed(one))) for one in sites]
        clients = [daemon.connect() for daemon in daemons]
        for daemon, client in zip(daemons, clients, strict=True):
            daemon.caught_up_s(client)
        status_s = _asked_in_turns(clients)
        replies = [len(client.ask(STATUS)) for client in clients]
        followers = [Follower(daemon, one.stage.ground) for daemon, one in zip(daemons, sites, strict=True)]
        followed: list[list[Followed]] = [[] for _ in sites]
        for _ in range(ROUNDS):
            for follower, so_far in zip(followers, followed, strict=True):
                so_far.append(follower.once())
            # What the lines leave behind (ledger, snapshot, the watcher's hint) is not to meet the next ones.
            time.sleep(0.1)
        for follower, client in zip(followers, clients, strict=True):
            follower.close()
            client.close()
    turns = [held.turns(_turns(one)) for one in sites]
    line_us = [line_cpu_us(each, seen) for each, seen in zip(followed, turns, strict=True)]
    return [Measured(*each) for each in zip(status_s, followed, line_us, replies, strict=True)]


def _timed(one: Site) -> Place:
    """The site's daemon with its loop timed."""
    return one.place._replace(program=held.program(_turns(one)))


def _turns(one: Site) -> Path:
    return one.place.private / "turns.json"


def _asked_in_turns(clients: Sequence[Client]) -> list[list[float]]:
    took: list[list[float]] = [[] for _ in clients]
    for _ in range(ROUNDS):
        for client, so_far in zip(clients, took, strict=True):
            so_far.extend(asked(client, QUESTIONS))
    return took


def rows(sites: Sequence[Site], measured: Sequence[Measured]) -> list[Row]:
    """What was asked for at any size: one line more, ``status`` alike, READY; and memory with millions."""
    large = [number for number, one in enumerate(sites) if one.stage.ground.counts.size > ALIKE_BYTES * 0.9]
    last = sites[-1]
    return [
        *(_line(one, seen) for one, seen in zip(sites, measured, strict=True)),
        _next_answer(measured),
        _alike([sites[number] for number in large], [measured[number] for number in large]),
        *(restarting(sites[number].place, sites[number].calls) for number in large),
        memory_row(f"{last.name}: peak memory, workers included", last.start.peak_bytes),
        memory_row(f"{last.name}: steady memory", last.start.steady_bytes),
    ]


def _line(one: Site, seen: Measured) -> Row:
    answers_ms = [each.answer_s * 1000 for each in seen.followed]
    note = f"answered in {median(answers_ms):.2f} ms, p50; the question's own CPU is taken off"
    step = f"one more line, CPU to standing p50, {one.name}"
    return Row.most(step, seen.line_us, LINE_US, "{:.0f} us", note)


def _next_answer(measured: Sequence[Measured]) -> Row:
    asked_times = sum(len(seen.followed) for seen in measured)
    missed = sum(not each.seen for seen in measured for each in seen.followed)
    figure = f"missing in {missed}" if missed else "in all"
    return Row("one more line, in the very next answer", figure, f"in all of {asked_times}", "", not missed)


def _alike(sites: Sequence[Site], measured: Sequence[Measured]) -> Row:
    p50 = [median(seen.status_s) * 1000 for seen in measured]
    figures = ", ".join(f"{one.name}: {ms:.2f} ms" for one, ms in zip(sites, p50, strict=True))
    value = max(p50) / min(p50) if p50 else 1.0
    return Row.most("status p50, largest to smallest of the sizes", value, STATUS_RATIO, "{:.2f}x", figures)
