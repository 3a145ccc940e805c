"""Short ways to say what is planned and what is left, shared by the tests of room and decision."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hypothesis import strategies as st

from quotad.domain.instant import DAY, HOUR, MINUTE, Instant, Millis
from quotad.domain.policy import FIVE_HOUR, SEVEN_DAY
from quotad.domain.queue import Planned, PlannedId, Priority, Queue, ScheduleReason, Status, checked
from quotad.domain.room import Room, holds
from tests.domain.build import T0

FIVE = 5 * HOUR
WEEK = 7 * DAY
LIMIT = 200


def ready(which: str, tokens: int = 50, *needs: str, **more: object) -> Planned:
    """A session that waits for nothing but what it needs."""
    return Planned(PlannedId(which), tokens, dependencies=tuple(map(PlannedId, needs)), **more)  # type: ignore[arg-type]


def booked(which: str, at: Instant, tokens: int = 50, *needs: str, **more: object) -> Planned:
    """A session that is scheduled."""
    why = ScheduleReason.LOW_QUOTA
    return ready(
        which, tokens, *needs, status=Status.SCHEDULED, scheduled_for=at, schedule_reason=why, **more
    )


def five_hour(
    remaining: int = LIMIT,
    *,
    resets: Instant | None = T0 + HOUR,
    limit: int | None = LIMIT,
    reserved: int = 0,
) -> Room:
    """The five-hour window, with an hour to go."""
    return Room(FIVE_HOUR, FIVE, resets, limit, remaining, reserved)


IDLE = five_hour(resets=None)


def seven_day(remaining: int, *, limit: int | None = 1000, resets: Instant | None = T0 + 2 * DAY) -> Room:
    """The weekly window, with two days to go."""
    return Room(SEVEN_DAY, WEEK, resets, limit, remaining, 0)


def promised(room: Room, queue: Queue, running: int = 0) -> Room:
    """The room with what the queue has booked of it, counted by hand."""
    tokens = sum(one.tokens for one in queue.sessions if holds(one, room, T0))
    return Room(room.name, room.length, room.resets, room.limit, room.remaining, tokens + running)


class Office:
    """Working hours from 9:00 to 17:00 UTC, every day. T0 is 9:00."""

    def next(self, at: Instant) -> Instant:
        inside = (at - T0) % DAY
        return at if inside < 8 * HOUR else at - inside + DAY

    def within(self, begin: Instant, end: Instant) -> Millis:
        return sum(MINUTE for at in range(begin, end, MINUTE) if self.next(at) == at)


def windows(bookings: Iterable[tuple[Instant, int]], length: Millis) -> list[tuple[Instant, int, int]]:
    """Each window that bookings open one after the other: when, what is booked, by how many."""
    found: list[tuple[Instant, int, int]] = []
    for at, tokens in sorted(bookings):
        if found and at < found[-1][0] + length:
            opened, load, count = found[-1]
            found[-1] = (opened, load + tokens, count + 1)
        else:
            found.append((at, tokens, 1))
    return found


INSTANTS = st.integers(-2, 60).map(lambda half: T0 + half * HOUR // 2)


@st.composite
def queues(draw: st.DrawFn, most: int = 12) -> Queue:
    """Any queue of sessions in any status, dependencies only on earlier ones (in another order)."""
    sessions: list[Planned] = []
    for number in range(draw(st.integers(0, most))):
        status = draw(st.sampled_from(Status))
        sessions.append(
            Planned(
                PlannedId(f"s{number}"),
                draw(st.integers(1, LIMIT * 2)),
                hours=draw(st.sampled_from([0.5, 1.0, 4.0])),
                priority=draw(st.sampled_from(Priority)),
                status=status,
                dependencies=tuple(
                    draw(st.frozensets(st.sampled_from([one.id for one in sessions]), max_size=2))
                )
                if sessions
                else (),
                scheduled_for=draw(INSTANTS) if status is Status.SCHEDULED else None,
                deadline=draw(st.none() | INSTANTS),
            )
        )
    return checked(draw(st.permutations(sessions)))


@st.composite
def room_sets(draw: st.DrawFn, queue: Queue) -> Sequence[Room]:
    """Up to three windows, with what this queue and perhaps a run have of them."""
    running = draw(st.sampled_from([0, 0, 30]))
    found = []
    for name, length, limit in draw(
        st.lists(
            st.sampled_from(
                [(FIVE_HOUR, FIVE, LIMIT), (SEVEN_DAY, WEEK, 700), ("seven_day_opus", WEEK, None)]
            ),
            unique=True,
        )
    ):
        resets = draw(st.integers(1, length // HOUR * 2)) * HOUR // 2 + T0
        if limit is None:
            room = Room(name, length, resets, None, 0, 0)
        elif draw(st.booleans()):
            room = Room(name, length, None, limit, limit, 0)
        else:
            room = Room(name, length, resets, limit, draw(st.integers(0, limit)), 0)
        found.append(promised(room, queue, running))
    return found
