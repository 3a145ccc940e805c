"""Where we stand now: everything a person asks about, computed from the state and never stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct, field

from quotad.domain.instant import CLOCK_SLACK, MINUTE, Instant, Millis
from quotad.domain.ledger import SessionFacts
from quotad.domain.level import Level, advice_of, level_of
from quotad.domain.notice import Basis
from quotad.domain.policy import Policy, WindowSpec
from quotad.domain.queue import Queue, Run, Status, counted_from
from quotad.domain.reading import Reading
from quotad.domain.room import is_due
from quotad.domain.session import SESSION_LENGTH, SessionStanding, SessionState, session_state
from quotad.domain.state import REACH_SLACK, Account, State
from quotad.domain.sums import Totals
from quotad.domain.usage import NO_TOKENS, AccountId, SessionId, Tokens
from quotad.domain.window import Window

BURN_SPAN: Millis = 30 * MINUTE
"""Burn is what was spent in this span before now, or since the window opened if that is shorter."""
BURN_SPAN_LEAST: Millis = 10 * MINUTE
"""One large call in a window's first minute says little about the pace."""
SLOPE_PERCENT_LEAST = 5.0
"""Percentages come whole: over fewer of them a slope is mostly rounding."""

LIMIT_BASIS_PLAN = "plan"
LIMIT_BASIS_CONFIGURED = "configured"
LIMIT_BASIS_UNKNOWN = "unknown"


class WindowStanding(Struct, frozen=True):
    """One quota window. While it is idle ``opened_at`` and ``resets_at`` are None and ``spent`` is 0."""

    account: AccountId
    name: str
    length: Millis
    opened_at: Instant | None
    resets_at: Instant | None
    limit: int | None
    limit_basis: str
    spent: int
    tokens: Tokens
    messages: int
    estimated_tokens: int
    percent: float | None
    lower_bound: bool
    remaining: int | None
    level: Level | None
    basis: Basis
    as_of: Instant
    burn_per_minute: float
    runs_out_at: Instant | None
    next_threshold: float | None
    reported: Reading | None
    early: bool = False
    """It began by an early reset: what was announced of the window before says nothing of it."""

    @property
    def is_open(self) -> bool:
        return self.opened_at is not None


class Standing(Struct, frozen=True):
    """All accounts' windows (the first is the first root's five_hour) and recent sessions."""

    now: Instant
    plan: str
    caught_up: bool
    windows: tuple[WindowStanding, ...]
    sessions: tuple[SessionStanding, ...]
    advice: tuple[str, ...]
    queue: Queue = field(default_factory=Queue)
    runs: tuple[Run, ...] = ()
    spent: Mapping[SessionId, int] = field(default_factory=dict)
    """What the Claude Code sessions of open runs have spent, on the scale of ``Run.spent_before``."""


def standing(state: State, now: Instant) -> Standing:
    """Everything a person asks about, as of ``now``."""
    windows = tuple(
        window_standing(account, spec, state.policy, now)
        for account in state.accounts.values()
        for spec in account.specs(state.policy)
    )
    sessions = tuple(
        session for account in state.accounts.values() for session in _sessions(account, state.policy, now)
    )
    return Standing(
        now,
        state.policy.plan,
        state.caught_up,
        windows,
        sessions,
        _advice(windows) + _due_advice(state.queue, now),
        state.queue,
        state.runs,
        _spent_by_runs(state, now),
    )


def _spent_by_runs(state: State, now: Instant) -> Mapping[SessionId, int]:
    account = next(iter(state.accounts.values()), None)
    if account is None:
        return {}
    spent = {}
    for run in state.open_runs():
        since = max(counted_from(run.started), account.horizon)
        totals = account.ledger.totals(since, now + CLOCK_SLACK, session=run.session)
        spent[run.session] = run.spent_before + totals.spent(state.policy)
    return spent


def window_standing(account: Account, spec: WindowSpec, policy: Policy, now: Instant) -> WindowStanding:
    """Where one kind of window of one account stands."""
    window = account.current_window(spec, now)
    if window is None:
        return _idle(account, spec, policy, now)
    until = min(window.resets, now + CLOCK_SLACK)
    totals = account.ledger.totals(window.opened, until, scope=spec.scope)
    spent = totals.spent(policy)
    told = next((one for one in reversed(account.reported(spec, now)) if one.window == window), None)
    reported = told.highest(now) if told else None
    burn = _burn(account, spec, policy, window, now)
    if told is None or reported is None:
        percent, lower_bound = (None if spec.limit is None else 100 * spent / spec.limit), False
    else:

        def spent_since(at: Instant) -> int:
            return account.ledger.totals(at + 1, until, scope=spec.scope).spent(policy)

        percent, lower_bound = _fused(told.readings, reported, spent, spent_since)
    remaining = _remaining(spec.limit, spent, percent if reported else None)
    latest = account.ledger.latest(window.opened, until, spec.scope)
    return WindowStanding(
        account=account.id,
        name=spec.name,
        length=spec.length,
        opened_at=window.opened,
        resets_at=window.resets,
        limit=spec.limit,
        limit_basis=_limit_basis(spec, policy),
        spent=spent,
        tokens=totals.tokens,
        messages=totals.messages,
        estimated_tokens=totals.estimated,
        percent=percent,
        lower_bound=lower_bound,
        remaining=remaining,
        level=None if percent is None else level_of(percent),
        basis=Basis.REPORTED if reported else _local_basis(totals),
        as_of=max(latest or window.opened, reported.received_at if reported else 0),
        burn_per_minute=burn,
        runs_out_at=_runs_out_at(now, remaining, burn, window.resets),
        next_threshold=next(
            (one for one in policy.thresholds if percent is not None and one > percent), None
        ),
        reported=reported,
        early=told is not None and told.early,
    )


def _idle(account: Account, spec: WindowSpec, policy: Policy, now: Instant) -> WindowStanding:
    percent = None if spec.limit is None else 0.0
    return WindowStanding(
        account=account.id,
        name=spec.name,
        length=spec.length,
        opened_at=None,
        resets_at=None,
        limit=spec.limit,
        limit_basis=_limit_basis(spec, policy),
        spent=0,
        tokens=NO_TOKENS,
        messages=0,
        estimated_tokens=0,
        percent=percent,
        lower_bound=False,
        remaining=spec.limit,
        level=None if percent is None else level_of(percent),
        basis=Basis.MEASURED,
        as_of=now,
        burn_per_minute=0.0,
        runs_out_at=None,
        next_threshold=policy.thresholds[0] if policy.thresholds and percent is not None else None,
        reported=None,
    )


def _limit_basis(spec: WindowSpec, policy: Policy) -> str:
    if spec.limit is None:
        return LIMIT_BASIS_UNKNOWN
    return LIMIT_BASIS_PLAN if spec == policy.plan_window else LIMIT_BASIS_CONFIGURED


def _local_basis(totals: Totals) -> Basis:
    return Basis.ESTIMATED if totals.estimated else Basis.MEASURED


def _fused(
    readings: tuple[Reading, ...], reported: Reading, spent: int, spent_since: Callable[[Instant], int]
) -> tuple[float, bool]:
    """A reading plus what was spent here since, and whether that is only a lower bound.

    What was spent since counts at the slope (per cent per token spent) of this window, if it has one: over
    the whole window, or since an earlier reading if that is less. Use that no local log shows (phones, other
    machines) makes either too steep, and never too flat.
    """
    since = spent_since(reported.received_at)
    before = spent - since
    if not since:
        return reported.percent, False
    if not before or not reported.percent:
        return reported.percent, True
    slope = reported.percent / before
    first = readings[0]
    between = spent_since(first.received_at) - since
    if first.percent <= reported.percent - SLOPE_PERCENT_LEAST and between > 0:
        slope = min(slope, (reported.percent - first.percent) / between)
    return reported.percent + since * slope, False


def _remaining(limit: int | None, spent: int, reported_percent: float | None) -> int | None:
    if limit is None:
        return None
    if reported_percent is None:
        return max(0, limit - spent)
    return max(0, round(limit * (100 - reported_percent) / 100))


def _burn(account: Account, spec: WindowSpec, policy: Policy, window: Window, now: Instant) -> float:
    """Tokens a minute over the last half hour of this window."""
    since = max(window.opened, now - BURN_SPAN)
    spent = account.ledger.totals(since, now + CLOCK_SLACK, scope=spec.scope).spent(policy)
    return spent / (max(now - since, BURN_SPAN_LEAST) / MINUTE)


def _runs_out_at(now: Instant, remaining: int | None, burn: float, resets: Instant) -> Instant | None:
    """When the quota is used up at this pace, if that is before it resets."""
    if remaining is None or not burn:
        return None
    at = now + round(remaining / burn * MINUTE)
    return at if at < resets else None


def _sessions(account: Account, policy: Policy, now: Instant) -> list[SessionStanding]:
    """Sessions whose latest five hours are not long over, active and lately active ones first."""
    found = []
    for session, facts in account.ledger.sessions_since(now - SESSION_LENGTH - REACH_SLACK + 1):
        until = now + CLOCK_SLACK
        made_from = (facts.version, facts.count(until), account.sessions.get(session), policy)
        known = account.told_of.get(session)
        if known is None or known[0] != made_from or known[1].state is not known[1].state_at(now):
            stands = _session_standing(account, session, facts, policy, now)
            if stands is None:
                continue
            known = account.told_of[session] = (made_from, stands)
        stands = known[1]
        if stands.ends_at + REACH_SLACK > now:
            found.append(stands)
    found.sort(key=lambda one: (one.state is not SessionState.ACTIVE, -one.last_active_at, one.id))
    return found


def _session_standing(
    account: Account, session: SessionId, facts: SessionFacts, policy: Policy, now: Instant
) -> SessionStanding | None:
    """Where a session stands; None before its first event."""
    last = facts.last_moment(now + CLOCK_SLACK)
    window = account.session_window(session, facts, now)
    if last is None or window is None:
        return None
    totals = account.ledger.totals(window.opened, min(window.resets, now + CLOCK_SLACK), session=session)
    ended = last if facts.ended_at(last) else None
    return SessionStanding(
        account=account.id,
        id=session,
        state=session_state(ended, window.resets, now),
        opened_at=window.opened,
        ends_at=window.resets,
        last_active_at=last,
        ended_at=ended,
        cwd=facts.cwd,
        agent=facts.agent,
        spent=totals.spent(policy),
        basis=_local_basis(totals),
    )


def _advice(windows: tuple[WindowStanding, ...]) -> tuple[str, ...]:
    """What to do next, by the window that is used most."""
    return (advice_of(max((window.percent or 0.0 for window in windows if window.is_open), default=0.0)),)


def _due_advice(queue: Queue, now: Instant) -> tuple[str, ...]:
    """Whose time has come."""
    return tuple(
        f"The planned session {one.id} is due: `quotactl start {one.id}`."
        for one in queue.by_status[Status.SCHEDULED]
        if is_due(one, now)
    )
