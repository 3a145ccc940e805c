"""Short ways to say what happened, shared by the domain's tests."""

from __future__ import annotations

from collections.abc import Iterable

from quotad.domain.effects import Announce, Effect
from quotad.domain.inputs import Anchored, CaughtUp, Input, PolicyChanged, Recalled
from quotad.domain.instant import HOUR, MINUTE, Instant
from quotad.domain.policy import Policy
from quotad.domain.reading import Reading, ReadingSource
from quotad.domain.session import LogEvent, LogKind
from quotad.domain.state import State
from quotad.domain.step import step
from quotad.domain.usage import AccountId, MessageId, RequestId, SessionId, Tokens, UsageEvent

T0: Instant = 1_793_610_000_000
"""2026-11-02T09:00:00Z, a quarter hour's beginning."""

ANA = AccountId("/home/ana/.claude")


def call(
    message: str,
    at: Instant = T0,
    *,
    output: int = 100,
    request: str = "r",
    session: str = "s",
    model: str = "claude-opus-5",
    sidechain: bool = False,
    tokens: Tokens | None = None,
    cwd: str = "/src",
) -> UsageEvent:
    """One line of one call; ``tokens`` replaces ``output``."""
    return UsageEvent(
        MessageId(message),
        RequestId(request),
        at,
        SessionId(session),
        model,
        cwd,
        sidechain,
        tokens or Tokens(output=output),
    )


def log(
    kind: LogKind,
    at: Instant = T0,
    *,
    session: str = "s",
    tool: str = "",
    key: str | None = None,
    cwd: str = "",
    agent: str = "",
) -> LogEvent:
    """One line of a session log."""
    return LogEvent(
        key or f"{session}|{kind}|{at}|{tool}", kind, at, SessionId(session), tool, cwd, agent, None
    )


def reading(
    percent: float,
    resets_at: Instant,
    received_at: Instant,
    *,
    window: str = "five_hour",
    session: str | None = None,
) -> Reading:
    """What the provider said, in the status line of a session if one is named."""
    source = ReadingSource.LIMIT_HIT if session is None else ReadingSource.STATUS_LINE
    return Reading(window, percent, resets_at, received_at, source, SessionId(session or ""))


def started(policy: Policy | None = None, now: Instant = T0, *, caught_up: bool = True) -> State:
    """A state of one account whose ledger on disk was empty."""
    state = State(policy or Policy())
    step(state, PolicyChanged(state.policy, (ANA,)), now)
    horizon = state.accounts[ANA].horizon
    step(state, Recalled(ANA, horizon, (), (), (), frozenset()), now)
    step(state, Anchored(ANA, horizon, {}, {}), now)
    if caught_up:
        step(state, CaughtUp(), now)
    return state


def play(state: State, *moments: tuple[Input, Instant]) -> list[Effect]:
    """Submit inputs at their instants; all effects in order."""
    return [effect for incoming, now in moments for effect in step(state, incoming, now)]


def announced(effects: Iterable[Effect]) -> list[Announce]:
    """The announcements among effects."""
    return [effect for effect in effects if isinstance(effect, Announce)]


__all__ = ["ANA", "HOUR", "MINUTE", "T0", "announced", "call", "log", "play", "reading", "started"]
