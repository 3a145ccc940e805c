"""Where events lie in time, against a look at every one of them."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotad.domain.cursor import Batch
from quotad.domain.instant import DAY, HOUR, MINUTE, QUARTER, Instant
from quotad.domain.session import LogEvent, LogKind
from quotad.domain.usage import MessageId, RequestId, SessionId, Tokens, UsageEvent, family
from quotad.store import schema
from quotad.store.ledger_file import LedgerFile
from tests.store.fold import ANA, MOMENTS, T0, Fold, Line, batches, fold, lines

scopes = st.sampled_from([None, "opus", "haiku", "sonnet"])
instants = st.builds(lambda at, by: at + by, st.sampled_from(MOMENTS), st.integers(-2, 2))
lengths = st.sampled_from([1, 2, QUARTER - 1, QUARTER, HOUR, 5 * HOUR, 7 * DAY])


def counting(found: Fold, scope: str | None) -> list[Instant]:
    """The instants that may open a window of this scope."""
    return [
        at for at, model in found.counting if scope is None or (model is not None and family(model) == scope)
    ]


@given(lines, instants, instants, scopes)
def test_next_call_is_the_first_counting_event_of_the_span(
    some: list[Line], at: Instant, until: Instant, scope: str | None
) -> None:
    """Calls without tokens open nothing, estimates only where every model counts."""
    expected = min((each for each in counting(fold(some), scope) if at <= each < until), default=None)
    with tempfile.TemporaryDirectory() as folder, filled(Path(folder), some) as ledger:
        assert expected == ledger.next_call(ANA, at, until, scope)


@given(lines, instants, lengths, scopes)
def test_quiet_before_is_the_latest_event_after_enough_silence(
    some: list[Line], before: Instant, length: int, scope: str | None
) -> None:
    """An event at or before the instant, with none in the length before it; without any, the instant."""
    events = [at for at in counting(fold(some), scope) if at <= before]
    anchors = [at for at in events if not any(at - length <= other < at for other in events)]
    with tempfile.TemporaryDirectory() as folder, filled(Path(folder), some) as ledger:
        assert max(anchors, default=before) == ledger.quiet_before(ANA, before, length, scope)


@given(lines, instants, instants, st.sampled_from(["s1", "s2", "s4", "never"]))
def test_a_session_owns_its_standing_calls_and_log_events(
    some: list[Line], at: Instant, until: Instant, session: str
) -> None:
    """A copied line in another session's file is no event of that session, whatever account asks."""
    owned: list[Instant] = []
    for account in {line.account for line in some}:
        found = fold(some, account)
        owned += [call.at for call in found.calls.values() if call.session == session]
        owned += [log.at for log in found.logs if log.session == session]
    within = [each for each in owned if at <= each < until]
    with tempfile.TemporaryDirectory() as folder, filled(Path(folder), some) as ledger:
        assert min(within, default=None) == ledger.next_session_event(SessionId(session), at, until)
        assert min(owned, default=None) == ledger.first_session_event(SessionId(session))


def filled(folder: Path, some: list[Line]) -> closing[LedgerFile]:
    """A ledger of these lines."""
    ledger = LedgerFile.open(folder / "ledger.db", stamp="x")
    for batch in batches(some):
        ledger.append(batch)
    return closing(ledger)


def call(number: int, at: Instant, model: str = "claude-opus-5", output: int = 1) -> UsageEvent:
    """One call of a session of its own hundred."""
    session = SessionId(f"s{number // 100}")
    return UsageEvent(
        MessageId(f"m{number}"), RequestId("r"), at, session, model, "", False, Tokens(output=output)
    )


def test_silence_of_exactly_the_length_is_none(tmp_path: Path) -> None:
    """The length before an event includes the instant that lies exactly that long before it."""
    calls = [call(0, T0), call(1, T0 + 5 * HOUR)]
    with filled(tmp_path, [Line(ANA, each) for each in calls]) as ledger:
        assert ledger.quiet_before(ANA, T0 + DAY, 5 * HOUR, None) == T0
        assert ledger.quiet_before(ANA, T0 + DAY, 5 * HOUR - 1, None) == T0 + 5 * HOUR


@pytest.fixture
def busy_years() -> sqlite3.Connection:
    """Three years in which every twenty minutes something happens: a rare model once, one silence."""
    db = schema.connect(":memory:")
    schema.migrate(db)
    every = 20 * MINUTE
    usage = [call(number, T0 + number * every) for number in range(3 * 365 * 72)]
    usage += [call(10**6, T0 + 30 * every, model="claude-haiku-4-5")]
    silent = range(40_000, 40_100)
    usage = [each for number, each in enumerate(usage) if number not in silent]
    LedgerFile(db).append(Batch(ANA, usage=usage))
    return db


def test_years_without_silence_are_passed_in_a_few_thousand_steps(busy_years: sqlite3.Connection) -> None:
    """The work grows with the number of windows, not of calls: steps of SQLite's machine are counted."""
    ledger = LedgerFile(busy_years)
    end = T0 + 4 * 365 * DAY
    after_silence = T0 + 40_100 * 20 * MINUTE
    thousands = [0]

    def tick() -> int:
        thousands[0] += 1
        return 0

    busy_years.set_progress_handler(tick, 1000)
    assert ledger.quiet_before(ANA, end, 5 * HOUR, None) == after_silence
    assert ledger.quiet_before(ANA, end, 7 * DAY, None) == T0
    assert ledger.quiet_before(ANA, end, 7 * DAY, "haiku") == T0 + 30 * 20 * MINUTE
    assert ledger.next_call(ANA, T0 + DAY, end, "haiku") is None
    # 78,740 calls: one look at each would be half a million steps.
    assert 0 < thousands[0] < 400
    ledger.close()


def test_calls_without_tokens_are_passed_by_whole_quarter_hours(busy_years: sqlite3.Connection) -> None:
    """A gateway that reports no tokens leaves long stretches in which nothing counts."""
    ledger = LedgerFile(busy_years)
    late = T0 + 4 * 365 * DAY
    empty = [call(2 * 10**6 + number, late + number * 1000, output=0) for number in range(5000)]
    ledger.append(Batch(ANA, usage=[*empty, call(3 * 10**6, late + HOUR * 3)]))
    assert ledger.next_call(ANA, late, late + DAY, None) == late + HOUR * 3
    ledger.close()


def test_estimates_open_windows_but_no_model_familys(tmp_path: Path) -> None:
    """A log alone is enough for the windows that every model counts in."""
    log = LogEvent("k", LogKind.TOOL_RESULT, T0, SessionId("s"), "Edit", "", "", None)
    with filled(tmp_path, [Line(ANA, log)]) as ledger:
        assert ledger.quiet_before(ANA, T0 + HOUR, HOUR, None) == T0
        assert ledger.next_call(ANA, T0, T0 + 1, "opus") is None
        assert ledger.quiet_before(ANA, T0 + HOUR, HOUR, "opus") == T0 + HOUR
