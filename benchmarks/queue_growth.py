"""Each step against the length of the queue: ten, a hundred and five hundred planned sessions."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from random import Random

from benchmarks import held
from benchmarks.daemon import REQUEST, STATUS, Client, Daemon, Place
from benchmarks.following import Followed, Follower, line_cpu_us
from benchmarks.ground import Ground
from benchmarks.growth_table import Line
from benchmarks.stage import Stage, median, timed
from benchmarks.table import tabled

LENGTHS = (10, 100, 500)
ROUNDS = 25
PLANS = 3
NEXT = REQUEST % b"next"
PLAN = REQUEST % b"plan"
LIST = REQUEST % b"queue.list"
CHANGE = b'{"jsonrpc":"2.0","id":1,"method":"queue.edit","params":{"id":"session-0","tokens":%d}}\n'

WHY = {
    "restart to READY": "the queue file is read, checked and planned",
    "status p50": "scheduled and running sessions are in the answer",
    "one more line, CPU p50": "what is left decides which sessions fit",
    "next": "each ready session is held against what is left",
    "plan": "each session is placed, and places are exchanged until a set number of moves is made",
    "queue.list": "the answer is the queue",
    "change of one session": "the file is written as a whole, and fsynced, before the answer",
}


def of_queue(stage: Stage) -> str:
    """Daemons with queues of each length, side by side and asked in turns."""
    with ExitStack() as stack:
        grounds, daemons, places, files = [], [], [], []
        for length in LENGTHS:
            part = stage.within(stage.ground.linked(stage.scratch / f"queue-{length}"), f"queue-{length}")
            queue = part.ground.claude / "session-queue.json"
            queue.write_text(json.dumps(_queue(length)))
            files.append(part.scratch / "turns.json")
            places.append(part.place("daemon", fresh=True, program=held.program(files[-1])))
            grounds.append(part.ground)
            daemons.append(stack.enter_context(Daemon(places[-1])))
        clients = [daemon.connect() for daemon in daemons]
        for daemon, client in zip(daemons, clients, strict=True):
            daemon.caught_up_s(client)
        took = _asked(clients)
        followed = _followed(daemons, grounds)
        for client in clients:
            client.close()
    line_us = [line_cpu_us(each, held.turns(file)) for each, file in zip(followed, files, strict=True)]
    lines = [
        Line("restart to READY", _ready_s(places), "{:.2f} s", WHY["restart to READY"]),
        Line("one more line, CPU p50", line_us, "{:.0f} us", WHY["one more line, CPU p50"]),
        *(Line(step, [one * 1000 for one in each], "{:.2f} ms", WHY[step]) for step, each in took.items()),
    ]
    heads = ("step", *(f"{length} sessions" for length in LENGTHS), "grows", "because")
    return tabled([heads, *(line.cells(LENGTHS) for line in lines)])


def _asked(clients: Sequence[Client]) -> dict[str, list[float]]:
    """Seconds of each question at each length, as medians."""
    tokens = iter(range(10_000, 100_000))
    questions = {
        "status p50": (STATUS, ROUNDS * 10),
        "next": (NEXT, ROUNDS),
        "plan": (PLAN, PLANS),
        "queue.list": (LIST, ROUNDS),
        "change of one session": (CHANGE, ROUNDS),
    }
    found = {}
    for name, (question, rounds) in questions.items():
        took: list[list[float]] = [[] for _ in clients]
        for _ in range(rounds):
            for client, so_far in zip(clients, took, strict=True):
                request = question % next(tokens) if b"%d" in question else question
                so_far.append(timed(partial(_granted, client, request), time.perf_counter))
        found[name] = [median(each) for each in took]
    return found


def _granted(client: Client, request: bytes) -> None:
    reply = client.ask(request)
    if not reply.startswith(b'{"jsonrpc":"2.0","id":1,"result"'):
        raise ValueError(f"{request.decode()} was answered {reply[:500].decode()}")


def _followed(daemons: Sequence[Daemon], grounds: Sequence[Ground]) -> list[list[Followed]]:
    followers = [Follower(daemon, ground) for daemon, ground in zip(daemons, grounds, strict=True)]
    followed: list[list[Followed]] = [[] for _ in followers]
    for _ in range(ROUNDS):
        for follower, so_far in zip(followers, followed, strict=True):
            so_far.append(follower.once())
        time.sleep(0.1)
    for follower in followers:
        follower.close()
    return followed


def _ready_s(places: Sequence[Place]) -> list[float]:
    took: list[list[float]] = [[] for _ in places]
    for _ in range(PLANS):
        for place, so_far in zip(places, took, strict=True):
            with Daemon(place) as daemon:
                so_far.append(daemon.ready_s())
    return [median(each) for each in took]


def _queue(length: int) -> dict[str, object]:
    """A queue file such as an analysis of a project leaves behind: most are ready, some need others."""
    chance = Random(length)
    sessions: list[dict[str, object]] = [
        {
            "id": f"session-{number}",
            "phase": f"phase {number // 10}",
            "priority": chance.choice(["HIGH", "MEDIUM", "LOW"]),
            "estimatedHours": chance.choice([0.5, 1.0, 2.0, 4.0]),
            "estimatedTokens": round(chance.lognormvariate(10, 0.8)),
            "agent": "general-purpose",
            "objectives": ["make it work", "make it right"],
            "status": "ready",
            "dependencies": [
                f"session-{one}"
                for one in chance.sample(range(number), min(number, chance.choice([0, 0, 1, 2])))
            ],
        }
        for number in range(length)
    ]
    return {
        "projectPath": "/home/ana/src/live",
        "projectName": "live",
        "analyzedAt": "2026-11-22T10:00:00.000Z",
        "totalEstimate": sum(int(str(one["estimatedTokens"])) for one in sessions),
        "sessions": sessions,
    }
