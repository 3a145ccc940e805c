"""The one door: an input comes in, the state moves, and what is to be done about it comes out."""

from __future__ import annotations

from typing import assert_never

from quotad.domain.alert import announcements, next_announcement
from quotad.domain.due import announcements_of, due, ended_runs, moves_to_tell, next_due, to_rebook
from quotad.domain.effects import Anchor, Announce, Changed, Effect, KeepRuns, Rebook, Recall, WakeAt
from quotad.domain.inputs import (
    Anchored,
    CaughtUp,
    FellBehind,
    Input,
    Moved,
    PolicyChanged,
    ProblemCleared,
    ProblemRaised,
    QueueSeen,
    QuietChanged,
    Recalled,
    Remembered,
    Seen,
    Woke,
)
from quotad.domain.instant import CLOCK_SLACK, DAY, HOUR, Instant, Millis
from quotad.domain.ledger import Ledger
from quotad.domain.notice import ProblemNotice
from quotad.domain.policy import Policy
from quotad.domain.queue import PlannedId, Run
from quotad.domain.standing import Standing, standing
from quotad.domain.state import Account, Problem, State
from quotad.domain.usage import SessionId

TRIM_EVERY: Millis = HOUR
"""The ledger in memory is cut back to its reach when it is this much longer."""
MARKS_KEPT: Millis = 60 * DAY
"""Marks of windows that ended longer ago can no longer matter."""


def step(state: State, incoming: Input, now: Instant) -> list[Effect]:
    """Take one input in; the effects are to be carried out in order."""
    effects: list[Effect] = []
    changed = _take(state, incoming, now, effects)
    for account in state.accounts.values():
        effects += _upkeep(account, state.policy, now)
    if not changed:
        return effects
    state.version += 1
    effects.append(Changed())
    effects += _end_runs(state, now)
    stands = standing(state, now)
    for announce in announcements(state, stands, now):
        _remember(state, announce)
        effects.append(announce)
    effects += _see_to_due(state, stands)
    times = (next_announcement(stands, now), next_due(state, stands))
    effects += _wake(state, now, min((at for at in times if at is not None), default=None))
    return effects


def _end_runs(state: State, now: Instant) -> list[Effect]:
    ended = {_key(run): run for run in ended_runs(state, now)}
    if not ended:
        return []
    state.runs = tuple(ended.get(_key(run), run) for run in state.runs)
    return [KeepRuns(tuple(ended.values()))]


def _key(run: Run) -> tuple[PlannedId, SessionId, Instant]:
    return run.planned, run.session, run.started


def _see_to_due(state: State, stands: Standing) -> list[Effect]:
    """Planned sessions whose time has come are announced, or moved."""
    if not stands.queue.sessions or not stands.windows:
        return []
    found = due(stands)
    effects: list[Effect] = []
    if state.caught_up and not state.quiet:
        for announce in announcements_of(found, state, stands):
            _remember(state, announce)
            effects.append(announce)
        effects += moves_to_tell(state, stands)
    ids = to_rebook(found, state, stands)
    return [*effects, Rebook(ids)] if ids else effects


def _take(  # noqa: C901, PLR0911, PLR0912 - one arm for each input
    state: State, incoming: Input, now: Instant, effects: list[Effect]
) -> bool:
    """Move the state; whether an answer may be another one now."""
    match incoming:
        case Seen():
            return _see(state, incoming)
        case Recalled():
            return _recall(state, incoming)
        case Anchored():
            return _anchor(state, incoming)
        case Remembered(marks):
            state.marks.add(
                mark for mark in marks if mark not in state.marks and mark.resets > now - MARKS_KEPT
            )
            return False
        case CaughtUp():
            state.caught_up = True
        case FellBehind():
            state.caught_up = False
        case Woke():
            state.wake_at = None
        case PolicyChanged():
            _adopt(state, incoming, now, effects)
        case QuietChanged(quiet):
            state.quiet = quiet
        case ProblemRaised(code, message):
            return _raise(state, code, message, now)
        case ProblemCleared(code):
            state.announced_problems.discard(code)
            return state.problems.pop(code, None) is not None
        case QueueSeen(queue, runs):
            if (queue, runs) == (state.queue, state.runs):
                return False
            state.queue, state.runs = queue, runs
        case Moved(times):
            state.moved.update(times)
        case _:
            assert_never(incoming)
    return True


def _see(state: State, seen: Seen) -> bool:
    account = state.accounts.get(seen.account)
    if account is None:
        return False
    changed = False
    ledger = account.ledger
    for event in seen.usage:
        if event.at < account.horizon:
            account.anchor_stale = True
            changed |= ledger.measure(event.session)
            # A call that is here may turn out to be a copy of one that lies further back.
            if ledger.holds(event.message):
                changed |= ledger.take_usage(event)
        else:
            changed |= ledger.take_usage(event)
    for log in seen.logs:
        if log.at < account.horizon:
            account.anchor_stale = True
        else:
            changed |= ledger.take_log(log)
    for reading in seen.readings:
        if reading.resets_at < account.horizon:
            account.anchor_stale = True
        else:
            changed |= account.take_reading(reading)
    return changed


def _recall(state: State, recalled: Recalled) -> bool:
    account = state.accounts.get(recalled.account)
    if account is None:
        return False
    account.horizon = min(account.horizon, recalled.since)
    dropped = [account.ledger.measure(session) for session in recalled.measured]
    seen = Seen(recalled.account, recalled.usage, recalled.logs, recalled.readings)
    return _see(state, seen) or any(dropped)


def _anchor(state: State, anchored: Anchored) -> bool:
    account = state.accounts.get(anchored.account)
    if account is None:
        return False
    account.anchor_asked = False
    if anchored.before != account.horizon:
        # Memory has moved on since the question: the answer is about another horizon.
        account.anchor_stale = True
        return False
    known = (account.windows, account.sessions, account.recalling)
    account.windows = dict(anchored.windows)
    account.sessions = {session: end for session, end in anchored.sessions.items() if end is not None}
    # What came meanwhile is asked about next; until all is answered nothing is announced.
    account.anchor_stale |= any(session not in anchored.sessions for session, _ in account.ledger.sessions())
    account.recalling &= account.anchor_stale
    return known != (account.windows, account.sessions, account.recalling)


def _adopt(state: State, change: PolicyChanged, now: Instant, effects: list[Effect]) -> None:
    """A new policy: known accounts stay as they are, new ones begin with what the ledger on disk knows."""
    known, state.accounts, state.policy = state.accounts, {}, change.policy
    if set(change.accounts) != known.keys():
        state.caught_up = False
    for identity in change.accounts:
        account = known.get(identity)
        if account is None:
            account = Account(identity, Ledger(change.policy.estimate), horizon=now)
            account.horizon = now - account.reach(change.policy)
            account.recalling = True
            effects.append(Recall(identity, account.horizon))
        account.ledger.reprice(change.policy.estimate)
        account.anchor_stale = True
        state.accounts[identity] = account


def _raise(state: State, code: str, message: str, now: Instant) -> bool:
    known = state.problems.get(code)
    if known is not None and known.message == message:
        return False
    state.problems[code] = Problem(code, message, known.since if known else now)
    return True


def _upkeep(account: Account, policy: Policy, now: Instant) -> list[Effect]:
    """Keep the ledger in memory at its reach, and its anchors true."""
    effects: list[Effect] = []
    horizon = now - account.reach(policy)
    if horizon < account.horizon - TRIM_EVERY:
        account.horizon = horizon
        account.anchor_stale = account.recalling = True
        effects.append(Recall(account.id, horizon))
    elif horizon > account.horizon + TRIM_EVERY:
        account.trim(policy, horizon, now)
    if account.anchor_stale and not account.anchor_asked:
        account.anchor_stale = False
        account.anchor_asked = True
        effects.append(
            Anchor(
                account.id,
                account.horizon,
                account.specs(policy),
                tuple(session for session, _ in account.ledger.sessions()),
            )
        )
    return effects


def _remember(state: State, announce: Announce) -> None:
    state.marks.add(announce.marks)
    if isinstance(announce.notice, ProblemNotice):
        state.announced_problems.add(announce.notice.code)


def _wake(state: State, now: Instant, due: Instant | None) -> list[Effect]:
    """Ask to be woken when time alone changes an answer: a due notice, or a future event's time."""
    waiting = [due] if due is not None else []
    for account in state.accounts.values():
        ahead = now + CLOCK_SLACK
        futures = (account.ledger.next_event(ahead, now + DAY, None), account.next_reading(ahead))
        waiting += [future - CLOCK_SLACK + 1 for future in futures if future is not None]
    at = min(waiting, default=None)
    if at is None or at == state.wake_at:
        return []
    state.wake_at = at
    return [WakeAt(at)]
