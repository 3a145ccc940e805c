"""``status`` on the socket: on one connection, on one a question, and from two hundred at once."""

from __future__ import annotations

import selectors
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from benchmarks import beside, held
from benchmarks.daemon import READ_BYTES, START_S_MAX, STATUS, Client, Daemon, Standing
from benchmarks.stage import Stage, median, right, timed
from benchmarks.table import Row, quantile

P50_MS = 0.5
P99_MS = 3.0
CROWD_P99_MS = 100.0
HELD_MS = 20.0
REQUESTS = 2_000
REQUESTS_AT_ONCE = 100
CROWD = 200
CROWDS = 10
CROWD_S_MAX = 30.0


def answering(stage: Stage) -> list[Row]:
    """An idle daemon, in turns with a server that only echoes as many bytes."""
    with Daemon(stage.place("daemon", fresh=False)) as daemon:
        client = daemon.connect()
        daemon.caught_up_s(client)
        one, echo_one = in_turns(stage, daemon, client)
        each, echo_each = in_turns(stage, daemon, None)
        client.close()
    return [
        *_latency("status on one connection", one, echo_one),
        *_latency("status with a connection each", each, echo_each),
    ]


def in_turns(stage: Stage, daemon: Daemon, client: Client | None) -> tuple[list[float], list[float]]:
    """Seconds of each answer and of each echo; without a client each question makes its own connection."""
    ours: list[float] = []
    echoes: list[float] = []
    with _echo(stage.scratch / "echo", daemon) as path:
        for _ in range(REQUESTS // REQUESTS_AT_ONCE):
            if client is None:
                ours += _asked_anew(daemon.place.socket)
                echoes += _asked_anew(path)
                continue
            ours += asked(client)
            other = Client(path)
            echoes += asked(other)
            other.close()
    return ours, echoes


@contextmanager
def _echo(path: Path, daemon: Daemon) -> Iterator[Path]:
    """A server whose every answer has as many bytes as the daemon's has now."""
    client = daemon.connect()
    reply_bytes = len(client.ask(STATUS))
    client.close()
    path.unlink(missing_ok=True)
    with subprocess.Popen(beside.echo(path, reply_bytes), stdout=subprocess.PIPE) as echo:
        assert echo.stdout is not None
        echo.stdout.readline()
        try:
            yield path
        finally:
            echo.terminate()


def asked(client: Client, times: int = REQUESTS_AT_ONCE) -> list[float]:
    """So many questions one after the other; seconds of each."""
    return [timed(partial(client.ask, STATUS), time.perf_counter) for _ in range(times)]


def _asked_anew(path: Path) -> list[float]:
    def once() -> None:
        client = Client(path)
        client.ask(STATUS)
        client.close()

    return [timed(once, time.perf_counter) for _ in range(REQUESTS_AT_ONCE)]


def _latency(step: str, ours: list[float], theirs: list[float]) -> list[Row]:
    rows = []
    for name, part, most in (("p50", 0.5, P50_MS), ("p99", 0.99, P99_MS)):
        ms, other = quantile(ours, part) * 1000, quantile(theirs, part) * 1000
        note = f"{ms / other:.1f}x an echo ({other:.2f} ms)"
        rows.append(Row.most(f"{step}, idle, {name}", ms, most, "{:.2f} ms", note))
    return rows


class Crowd(NamedTuple):
    """Two hundred questions at once: seconds of each answer, when it began and ended, and right answers."""

    waits_s: list[float]
    began: float
    ended: float
    right: int


def crowding(stage: Stage) -> list[Row]:
    """While history is read and then idle, on a daemon that times every turn of its loop."""
    turns = stage.scratch / "turns.json"
    expected = stage.ground.standing()
    with Daemon(stage.place("held", fresh=True, program=held.program(turns))) as daemon:
        client = daemon.connect()
        reading = (time.perf_counter(), daemon.caught_up_s(client) + daemon.started)
        crowds = [crowd(daemon.place.socket, expected) for _ in range(CROWDS)]
        client.close()
    seen = held.turns(turns)
    waits = [wait for one in crowds for wait in one.waits_s]
    answered = sum(one.right for one in crowds)
    asked_times = CROWD * CROWDS
    step = f"{CROWD} clients at once"
    figure = f"{answered} of {asked_times} right" if answered < asked_times else "all"
    ms = quantile(waits, 0.99) * 1000 if waits else CROWD_S_MAX * 1000
    return [
        Row(f"{step}, answered", figure, "all", f"{CROWDS} times", answered == asked_times),
        Row.most(
            f"{step}, p99",
            ms,
            CROWD_P99_MS,
            "{:.0f} ms",
            f"p50 {median(waits) * 1000:.0f} ms" if waits else "",
        ),
        _held(f"{step}, loop held at most", seen, [(one.began, one.ended) for one in crowds]),
        _held("history is read, loop held at most", seen, [reading]),
    ]


def _held(step: str, seen: Sequence[held.Turn], spans: Sequence[tuple[float, float]]) -> Row:
    within = [turn for turn in seen if any(began <= turn.began < ended for began, ended in spans)]
    longest = max((turn.wall_s for turn in within), default=0.0) * 1000
    cpu = max((turn.cpu_s for turn in within), default=0.0) * 1000
    return Row.most(step, longest, HELD_MS, "{:.1f} ms", f"longest turn of the loop in CPU: {cpu:.1f} ms")


def crowd(path: Path, expected: Standing) -> Crowd:
    """All connect and ask before the first answer is read."""
    began = time.perf_counter()
    waits: list[float] = []
    correct = 0
    with selectors.DefaultSelector() as selector:
        for _ in range(CROWD):
            one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            one.settimeout(START_S_MAX)
            asked_at = time.perf_counter()
            one.connect(str(path))
            one.sendall(STATUS)
            selector.register(one, selectors.EVENT_READ, (asked_at, bytearray()))
        deadline = time.perf_counter() + CROWD_S_MAX
        while selector.get_map() and time.perf_counter() < deadline:
            for key, _ in selector.select(1.0):
                assert isinstance(key.fileobj, socket.socket)
                asked_at, said = key.data
                piece = key.fileobj.recv(READ_BYTES)
                said += piece
                if said.endswith(b"\n"):
                    waits.append(time.perf_counter() - asked_at)
                    correct += right(bytes(said), expected)
                if said.endswith(b"\n") or not piece:
                    selector.unregister(key.fileobj)
                    key.fileobj.close()
        for key in list(selector.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
    return Crowd(waits, began, time.perf_counter(), correct)
