"""What a decision over 500 planned sessions costs: ``python -m benchmarks.decision``.

Five kinds of queue, because what is quick in one is slow in another: everything ready; long chains of
dependencies; each needing many others; everything booked, for later or long due; and all of it mixed. A
decision waits for nothing, so its processor time is what counts: that is the same on a busy machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random

from benchmarks.table import Row, quantile, rendered
from quotad.domain.decision import decide
from quotad.domain.instant import DAY, HOUR, MINUTE, Instant
from quotad.domain.queue import Planned, PlannedId, Priority, Queue, ScheduleReason, Status, checked
from quotad.domain.room import Room, holds

SESSIONS = 500
QUEUES = 40
DECISION_P99_MS = 20.0
NOW: Instant = 1_793_610_000_000
LIMIT = 200_000

Kind = Callable[[Random, int], tuple[Status, tuple[int, ...], Instant | None]]


def deciding(seed: int = 1) -> list[Row]:
    """A row for each kind of queue; each queue is decided with quota for all, for some, and for none."""
    rows = []
    for name, kind in KINDS.items():
        took = []
        for number in range(QUEUES):
            queue = _queue(Random(seed * QUEUES + number), kind)
            for part in (1.0, 0.1, 0.0):
                rooms = _rooms(queue, part)
                began = time.process_time()
                decide(queue, rooms, (), None, NOW)
                took.append((time.process_time() - began) * 1000)
        p99 = quantile(took, 0.99)
        rows.append(
            Row(
                f"decision over {SESSIONS} sessions, {name}, CPU p99",
                f"{p99:.1f} ms",
                f"<= {DECISION_P99_MS:.0f} ms",
                f"p50 {quantile(took, 0.5):.1f} ms",
                p99 <= DECISION_P99_MS,
            )
        )
    return rows


def _ready(_: Random, __: int) -> tuple[Status, tuple[int, ...], Instant | None]:
    return Status.READY, (), None


def _chained(_: Random, number: int) -> tuple[Status, tuple[int, ...], Instant | None]:
    return Status.READY, (number - 1,) if number % 100 else (), None


def _webbed(chance: Random, number: int) -> tuple[Status, tuple[int, ...], Instant | None]:
    half = min(number, SESSIONS // 2)
    return Status.READY, tuple(chance.sample(range(half), min(20, half))) if number > half else (), None


def _booked(chance: Random, _: int) -> tuple[Status, tuple[int, ...], Instant | None]:
    return Status.SCHEDULED, (), NOW + chance.randrange(-DAY, 60 * DAY, MINUTE)


def _mixed(chance: Random, number: int) -> tuple[Status, tuple[int, ...], Instant | None]:
    status = chance.choice(
        [Status.READY] * 6 + [Status.COMPLETE] * 2 + [Status.SCHEDULED, Status.IN_PROGRESS]
    )
    needs = tuple(chance.sample(range(number), min(number, chance.choice([0, 0, 1, 2]))))
    return status, needs, NOW + chance.randrange(-HOUR, 7 * DAY) if status is Status.SCHEDULED else None


KINDS: dict[str, Kind] = {
    "ready": _ready,
    "in chains": _chained,
    "in a web": _webbed,
    "booked": _booked,
    "mixed": _mixed,
}


def _queue(chance: Random, kind: Kind) -> Queue:
    return checked(_planned(chance, number, kind) for number in range(SESSIONS))


def _planned(chance: Random, number: int, kind: Kind) -> Planned:
    status, needs, at = kind(chance, number)
    return Planned(
        PlannedId(f"session-{number}"),
        round(chance.lognormvariate(10, 0.8)),
        hours=chance.choice([0.5, 1.0, 2.0, 4.0]),
        priority=chance.choice(list(Priority)),
        status=status,
        dependencies=tuple(PlannedId(f"session-{one}") for one in needs),
        scheduled_for=at,
        schedule_reason=None if at is None else ScheduleReason.LOW_QUOTA,
        deadline=chance.choice([None, NOW + chance.randrange(30 * DAY)]),
    )


def _rooms(queue: Queue, part: float) -> list[Room]:
    """A five-hour window and a week, so much of each left."""
    found = []
    for name, hours, limit in (("five_hour", 5, LIMIT), ("seven_day", 168, 10 * LIMIT)):
        room = Room(name, hours * HOUR, NOW + hours * HOUR // 2, limit, round(limit * part), 0)
        reserved = sum(one.tokens for one in queue.sessions if holds(one, room, NOW))
        found.append(Room(name, room.length, room.resets, limit, room.remaining, reserved))
    return found


if __name__ == "__main__":
    print(rendered(deciding()))
