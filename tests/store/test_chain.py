"""Where events lie in time, against a look at every one of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotad.domain.cursor import Batch
from quotad.domain.instant import DAY, HOUR, MINUTE, QUARTER, Instant
from quotad.domain.session import LogEvent, LogKind
from quotad.domain.usage import MessageId, RequestId, SessionId, Tokens, UsageEvent, family
from quotad.store.ledger_file import LedgerFile
from tests.store.fold import ANA, T0, Fold, Line, filled, fold, in_memory, instants, lines, spans

scopes = st.sampled_from([None, None, "opus", "haiku", "sonnet"])
lengths = st.sampled_from([1, 2, QUARTER - 1, QUARTER, HOUR, 5 * HOUR, 7 * DAY])


def counting(found: Fold, scope: str | None) -> list[Instant]:
    """The instants that may open a window of this scope."""
    return [
        at for at, model in found.counting if scope is None or (model is not None and family(model) == scope)
    ]


@given(lines, spans, scopes)
def test_next_call_is_the_first_counting_event_of_the_span(
    some: list[Line], span: tuple[Instant, Instant], scope: str | None
) -> None:
    """Calls without tokens open nothing, estimates only where every model counts."""
    at, until = span
    expected = min((each for each in counting(fold(some), scope) if at <= each < until), default=None)
    with filled(some) as ledger:
        assert expected == ledger.next_call(ANA, at, until, scope)


@given(lines, instants, lengths, scopes)
def test_quiet_before_is_the_latest_event_after_enough_silence(
    some: list[Line], before: Instant, length: int, scope: str | None
) -> None:
    """An event at or before the instant, with none in the length before it; without any, the instant."""
    events = [at for at in counting(fold(some), scope) if at <= before]
    anchors = [at for at in events if not any(at - length <= other < at for other in events)]
    with filled(some) as ledger:
        assert max(anchors, default=before) == ledger.quiet_before(ANA, before, length, scope)


@given(lines, spans, st.sampled_from(["s1", "s2", "s4", "never"]))
def test_a_session_owns_its_standing_calls_and_log_events(
    some: list[Line], span: tuple[Instant, Instant], session: str
) -> None:
    """A copied line in another session's file is no event of that session, nor is another account's."""
    at, until = span
    with filled(some) as ledger:
        for account in {line.account for line in some}:
            found = fold(some, account)
            owned = [call.at for call in found.calls.values() if call.session == session]
            owned += [log.at for log in found.logs if log.session == session]
            expected = min((each for each in owned if at <= each < until), default=None)
            assert expected == ledger.next_session_event(account, SessionId(session), at, until)


def call(number: int, at: Instant, model: str = "claude-opus-5", output: int = 1) -> UsageEvent:
    """One call of a session of its own hundred."""
    session = SessionId(f"s{number // 100}")
    return UsageEvent(
        MessageId(f"m{number}"), RequestId("r"), at, session, model, "", False, Tokens(output=output)
    )


def test_silence_of_exactly_the_length_is_none() -> None:
    """The length before an event includes the instant that lies exactly that long before it."""
    calls = [call(0, T0), call(1, T0 + 5 * HOUR)]
    with filled([Line(ANA, each) for each in calls]) as ledger:
        assert ledger.quiet_before(ANA, T0 + DAY, 5 * HOUR, None) == T0
        assert ledger.quiet_before(ANA, T0 + DAY, 5 * HOUR - 1, None) == T0 + 5 * HOUR


WEEKS_BEFORE, WEEKS_AFTER = T0 + 14 * DAY, T0 + 35 * DAY


@pytest.fixture
def busy_weeks() -> Iterator[sqlite3.Connection]:
    """A call every three minutes for five weeks, six silent hours in the third; a rare model at the start."""
    every = 3 * MINUTE
    usage = [call(number, T0 + number * every) for number in range(35 * 24 * 20)]
    usage = [each for each in usage if not WEEKS_BEFORE < each.at < WEEKS_BEFORE + 6 * HOUR]
    db = in_memory()
    ledger = LedgerFile(db)
    ledger.append(Batch(ANA, usage=[*usage, call(10**6, T0 + HOUR, model="claude-haiku-4-5")]))
    with closing(ledger):
        yield db


@contextmanager
def steps_of(db: sqlite3.Connection) -> Iterator[list[int]]:
    """Counts the steps of SQLite's machine, in hundreds."""
    hundreds = [0]

    def tick() -> int:
        hundreds[0] += 1
        return 0

    db.set_progress_handler(tick, 100)
    yield hundreds
    db.set_progress_handler(None, 0)


def test_weeks_without_silence_are_passed_in_few_steps(busy_weeks: sqlite3.Connection) -> None:
    """The work grows with the number of windows, not of calls."""
    ledger = LedgerFile(busy_weeks)
    with steps_of(busy_weeks) as hundreds:
        assert ledger.quiet_before(ANA, WEEKS_AFTER, 5 * HOUR, None) == WEEKS_BEFORE + 6 * HOUR
        assert ledger.quiet_before(ANA, WEEKS_AFTER, 7 * DAY, None) == T0
        assert ledger.quiet_before(ANA, WEEKS_AFTER, 7 * DAY, "haiku") == T0 + HOUR
        assert ledger.next_call(ANA, T0 + DAY, WEEKS_AFTER, "haiku") is None
    # 16,680 calls: one look at each takes ten steps.
    assert 0 < hundreds[0] < 350


def test_calls_without_tokens_are_passed_by_whole_quarter_hours(busy_weeks: sqlite3.Connection) -> None:
    """A gateway that reports no tokens leaves long stretches in which nothing counts."""
    ledger = LedgerFile(busy_weeks)
    empty = [call(2 * 10**6 + number, WEEKS_AFTER + number * 1000, output=0) for number in range(5000)]
    ledger.append(Batch(ANA, usage=[*empty, call(3 * 10**6, WEEKS_AFTER + HOUR * 3)]))
    with steps_of(busy_weeks) as hundreds:
        assert ledger.next_call(ANA, WEEKS_AFTER, WEEKS_AFTER + DAY, None) == WEEKS_AFTER + HOUR * 3
        assert ledger.quiet_before(ANA, WEEKS_AFTER + 2 * HOUR, 7 * DAY, None) == T0
    assert hundreds[0] < 350


def test_estimates_open_windows_but_no_model_familys() -> None:
    """A log alone is enough for the windows that every model counts in."""
    log = LogEvent("k", LogKind.TOOL_RESULT, T0, SessionId("s"), "Edit", "", "", None)
    with filled([Line(ANA, log)]) as ledger:
        assert ledger.quiet_before(ANA, T0 + HOUR, HOUR, None) == T0
        assert ledger.next_call(ANA, T0, T0 + 1, "opus") is None
        assert ledger.quiet_before(ANA, T0 + HOUR, HOUR, "opus") == T0 + HOUR
