"""Answers to what the domain asks of the ledger on disk: what it knows, and where its chains resume."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from quotad.domain.effects import Anchor, Recall
from quotad.domain.inputs import Anchored, Recalled
from quotad.domain.instant import QUARTER, Instant
from quotad.domain.policy import WindowSpec
from quotad.domain.reading import Reading
from quotad.domain.reported import fixed_windows
from quotad.domain.session import SESSION_LENGTH
from quotad.domain.usage import AccountId, SessionId
from quotad.domain.window import Window, chain
from quotad.store.ledger_file import LedgerFile


def recalled(ledger: LedgerFile, ask: Recall) -> Recalled:
    """Everything from ``ask.since`` on."""
    found = ledger.recall(ask.account, ask.since)
    return Recalled(
        ask.account,
        ask.since,
        tuple(found.usage),
        tuple(found.logs),
        tuple(found.readings),
        frozenset(found.measured),
    )


def anchored(ledger: LedgerFile, ask: Anchor) -> Anchored:
    """The end of the last window of each kind, and of each session's last five hours, before the horizon.

    A window that has none is left out, a session gets None: its chain begins with the first event in memory.
    """
    windows: dict[str, Instant] = {}
    for spec in ask.windows:
        end = _window_end(ledger, ask.account, spec, ask.before)
        if end is not None:
            windows[spec.name] = end
    sessions = {
        session: _last_end(_session_windows(ledger, ask.account, session, ask.before), ask.before)
        for session in ask.sessions
    }
    return Anchored(ask.account, ask.before, windows, sessions)


def let_go(ledger: LedgerFile, account: AccountId, specs: Iterable[WindowSpec], before: Instant) -> None:
    """Drop what lies before an instant, from the ledger on disk; no window that is kept moves."""
    before = before // QUARTER * QUARTER
    ends = {spec.name: _window_end(ledger, account, spec, before) for spec in specs}
    ledger.forget_before(account, before, {name: end for name, end in ends.items() if end is not None})


def _window_end(ledger: LedgerFile, account: AccountId, spec: WindowSpec, before: Instant) -> Instant | None:
    """The end of the last window that opened before an instant."""
    start = ledger.quiet_before(account, before - 1, spec.length, spec.scope)
    # What a window is may be told long after it opened.
    told = ledger.readings(account, spec.name)
    return _last_end(_windows(ledger, account, spec, start, before, told), before)


def quota_windows(
    ledger: LedgerFile, account: AccountId, spec: WindowSpec, start: Instant, until: Instant
) -> Iterator[Window]:
    """The chain of one kind of window through history, as far as what was before ``until`` opens any."""
    told = [one for one in ledger.readings(account, spec.name) if one.received_at < until]
    return _windows(ledger, account, spec, start, until, told)


def _windows(  # noqa: PLR0913, PLR0917 - a chain, and all that it depends on
    ledger: LedgerFile,
    account: AccountId,
    spec: WindowSpec,
    start: Instant,
    until: Instant,
    told: Iterable[Reading],
) -> Iterator[Window]:
    floor = ledger.floor(account, spec.name)
    start = start if floor is None else max(start, floor)
    fixed = fixed_windows(told, spec.length, partial(ledger.last_use, account))
    return chain(lambda at: ledger.next_call(account, at, until, spec.scope), spec.length, fixed, start)


def _session_windows(
    ledger: LedgerFile, account: AccountId, session: SessionId, until: Instant
) -> Iterator[Window]:
    return chain(lambda at: ledger.next_session_event(account, session, at, until), SESSION_LENGTH, (), 0)


def _last_end(windows: Iterator[Window], before: Instant) -> Instant | None:
    end = None
    for window in windows:
        if window.opened >= before:
            break
        end = window.resets
    return end
