"""Planned sessions whose time has come: announced when the quota is really there, moved when it is not.

And the runs of those that were started: whether their Claude Code sessions still hold what they were given.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from quotad.domain.effects import Announce
from quotad.domain.instant import CLOCK_SLACK, MINUTE, Instant
from quotad.domain.notice import DueNotice, Mark, MovedNotice
from quotad.domain.queue import (
    Planned,
    PlannedId,
    Queue,
    Run,
    ScheduleReason,
    Status,
    complete_ids,
    waits_for,
)
from quotad.domain.room import Claims, Room, claims, is_due, least, rooms
from quotad.domain.session import SESSION_LENGTH
from quotad.domain.standing import Standing
from quotad.domain.state import Account, State

DUE = "due"


class Due(Struct, frozen=True):
    """Sessions whose time has come: those that can start, and those that the quota is not there for."""

    ready: tuple[Planned, ...]
    short: tuple[Planned, ...]
    claims: Claims | None


def room_now(standing: Standing, queue: Queue | None = None) -> tuple[Room, ...]:
    """What is left of the first root's windows, and how much of it is promised to this queue's sessions."""
    whose = standing.queue if queue is None else queue
    return rooms(standing.windows, whose, standing.runs, standing.spent, standing.now)


def due(standing: Standing) -> Due:
    """Every booked session whose time has come."""
    queue, now = standing.queue, standing.now
    come = [one for one in queue.by_status[Status.SCHEDULED] if is_due(one, now)]
    if not come:
        return Due((), (), None)
    claimed = claims(room_now(standing), queue, now)
    complete = complete_ids(queue)
    ready: list[Planned] = []
    short: list[Planned] = []
    for one in come:
        there = not waits_for(one, complete) and not claimed.full_for(one, now)
        (ready if there else short).append(one)
    return Due(tuple(ready), tuple(short), claimed)


def announcements_of(found: Due, state: State, standing: Standing) -> Iterator[Announce]:
    """Those that can start, each said once for each time that it was booked for."""
    account = standing.windows[0].account
    if state.accounts[account].recalling:
        return
    for planned in found.ready:
        assert planned.scheduled_for is not None
        mark = Mark(account, DUE, planned.id, 0, planned.scheduled_for, planned.scheduled_for + MINUTE)
        if mark in state.marks:
            continue
        own = () if found.claims is None else found.claims.rooms_for(planned, standing.now)
        notice = DueNotice(
            session=planned.id,
            phase=planned.phase,
            tokens=planned.tokens,
            hours=planned.hours,
            available=least(own),
            scheduled_for=planned.scheduled_for,
            at=standing.now,
        )
        yield Announce(notice, (mark,))


def moves_to_tell(state: State, standing: Standing) -> list[Announce]:
    """What was moved and still waits for its new time, in one notice: many may be moved at once."""
    moved, state.moved = state.moved, {}
    waiting = [
        (one, one.scheduled_for)
        for one in standing.queue.sessions
        if one.id in moved and one.status is Status.SCHEDULED and one.scheduled_for is not None
    ]
    told = sorted(((at, one) for one, at in waiting if at > standing.now), key=lambda each: each[0])
    if not told:
        return []
    at, first = told[0]
    notice = MovedNotice(
        session=first.id,
        phase=first.phase,
        tokens=first.tokens,
        moved_from=moved[first.id],
        scheduled_for=at,
        reason=first.schedule_reason or ScheduleReason.USER_SCHEDULED,
        others=len(told) - 1,
        at=standing.now,
    )
    return [Announce(notice, ())]


def to_rebook(found: Due, state: State, standing: Standing) -> tuple[PlannedId, ...]:
    """Those that must be moved and were not asked to be yet; the asking is kept in the state."""
    if not state.caught_up or state.accounts[standing.windows[0].account].recalling:
        return ()
    short = {one.id: one.scheduled_for or 0 for one in found.short}
    news = tuple(one for one, at in short.items() if state.rebooking.get(one) != at)
    state.rebooking = short
    return news


def ended_runs(state: State, now: Instant) -> tuple[Run, ...]:
    """Runs that are over or not over now, other than they were thought to be."""
    account = next(iter(state.accounts.values()), None)
    if account is None:
        return ()
    known = state.open_runs()
    found = (replace(run, ended=_ended(account, run, now)) for run in known)
    return tuple(run for run in found if run not in known)


def _ended(account: Account, run: Run, now: Instant) -> Instant | None:
    """When the Claude Code session ended: by its own word, or because its five hours are over.

    Whoever is killed says no word; what has not been heard of for so long holds nothing any more.
    """
    facts = account.ledger.facts(run.session)
    last = None if facts is None else facts.last_moment(now + CLOCK_SLACK)
    if facts is None or last is None or last < run.started:
        over = run.started + SESSION_LENGTH
        return run.ended or (over if over <= now else None)
    if facts.ended_at(last):
        return last
    window = account.session_window(run.session, facts, now)
    over = last + SESSION_LENGTH if window is None else max(window.resets, run.started + SESSION_LENGTH)
    return over if over <= now else None


def next_due(state: State, standing: Standing) -> Instant | None:
    """When time alone will make a session due or a run be over."""
    now = standing.now
    times = [one.scheduled_for for one in standing.queue.by_status[Status.SCHEDULED]]
    times += [run.started + SESSION_LENGTH for run in state.open_runs()]
    return min((at for at in times if at is not None and at > now), default=None)
