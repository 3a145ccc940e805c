"""What the ledger on disk answers, and that letting go of the old moves nothing that is kept."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from quotad.domain.cursor import Batch
from quotad.domain.effects import Anchor, Recall
from quotad.domain.instant import DAY, HOUR, MINUTE, QUARTER, Instant
from quotad.domain.policy import FIVE_HOUR, WindowSpec
from quotad.domain.session import LogKind
from quotad.domain.usage import SessionId, Tokens, UsageEvent
from quotad.domain.window import Window, chain
from quotad.intake.recollection import anchored, let_go, quota_windows, recalled
from quotad.store.ledger_file import LedgerFile
from tests.domain.build import ANA, T0, call, log, reading

FIVE = WindowSpec(FIVE_HOUR, 5 * HOUR, 200_000)
DAILY = WindowSpec("daily", DAY, None)
END = T0 + 30 * DAY

moments = st.lists(st.integers(0, 6 * 24 * 12), min_size=1, max_size=60)
"""Five-minute steps over six days."""


@contextmanager
def ledger_of(*events: UsageEvent) -> Iterator[LedgerFile]:
    """A new ledger file that took these in."""
    with tempfile.TemporaryDirectory() as directory:
        ledger = LedgerFile.open(Path(directory) / "ledger.db", stamp="x")
        try:
            ledger.append(Batch(ANA, usage=list(events)))
            yield ledger
        finally:
            ledger.close()


def calls(steps: list[int]) -> list[UsageEvent]:
    """A call at each step."""
    return [call(str(n), T0 + step * 5 * MINUTE) for n, step in enumerate(steps)]


def plain_windows(steps: list[int], spec: WindowSpec) -> list[Window]:
    """The chain over everything at once."""
    instants = sorted(T0 + step * 5 * MINUTE for step in steps)
    return list(chain(lambda at: next((one for one in instants if one >= at), None), spec.length, (), 0))


def last_end(windows: list[Window], before: Instant) -> Instant | None:
    """The end of the last window that opened before an instant."""
    return max((one.resets for one in windows if one.opened < before), default=None)


@given(moments, st.integers(-10, 6 * 24 * 12 + 10))
def test_chains_resume_where_the_last_older_window_ended(steps: list[int], at: int) -> None:
    """The anchor that is found in a few steps is the one of the whole chain, for every length and session."""
    before = T0 + at * 5 * MINUTE
    with ledger_of(*calls(steps)) as ledger:
        answer = anchored(ledger, Anchor(ANA, before, (FIVE, DAILY), (SessionId("s"),)))
    for spec in (FIVE, DAILY):
        assert last_end(plain_windows(steps, spec), before) == answer.windows.get(spec.name)
    assert last_end(plain_windows(steps, FIVE), before) == answer.sessions.get(SessionId("s"))


@given(moments, st.integers(0, 6 * 24 * 12))
def test_what_is_kept_stays_where_it_is(steps: list[int], at: int) -> None:
    """Windows that opened after the cut are the same before and after it, and so is what they held."""
    cut = (T0 + at * 5 * MINUTE) // QUARTER * QUARTER
    with ledger_of(*calls(steps)) as ledger:
        for spec in (FIVE, DAILY):
            expected = [one for one in plain_windows(steps, spec) if one.opened >= cut]
            sums = [ledger.totals(ANA, one.opened, one.resets, None) for one in expected]
            let_go(ledger, ANA, (FIVE, DAILY), cut)
            found = list(quota_windows(ledger, ANA, spec, 0, END))
            assert expected == found
            assert sums == [ledger.totals(ANA, one.opened, one.resets, None) for one in found]


def test_what_was_let_go_stays_away() -> None:
    """Reading an old transcript again brings nothing back; what is new is taken in."""
    old, new = call("old", T0), call("new", T0 + DAY)
    with ledger_of(old, new) as ledger:
        let_go(ledger, ANA, (FIVE,), T0 + HOUR)
        lines = [log(LogKind.TOOL_RESULT, T0, session="t"), log(LogKind.TOOL_RESULT, T0 + DAY, session="t")]
        ledger.append(Batch(ANA, usage=[old, call("newer", T0 + DAY + 1)], logs=lines))
        found = recalled(ledger, Recall(ANA, 0))
    assert {"new", "newer"} == {event.message for event in found.usage}
    assert [T0 + DAY] == [event.at for event in found.logs]


def test_a_later_cut_goes_on_from_an_earlier_one() -> None:
    """Floors only rise, and an earlier cut afterwards changes nothing."""
    steps = list(range(0, 6 * 24 * 12, 7))
    with ledger_of(*calls(steps)) as ledger:
        for days in (1, 3, 2):
            let_go(ledger, ANA, (FIVE,), T0 + days * DAY)
        found = list(quota_windows(ledger, ANA, FIVE, 0, END))
    assert [one for one in plain_windows(steps, FIVE) if one.opened >= T0 + 3 * DAY] == found


def test_a_session_used_something_last_says_the_ledger_on_disk() -> None:
    """After the one instant and up to the other; calls of no tokens and of others are no use."""
    lines = (
        call("1", T0),
        call("2", T0 + 5),
        call("3", T0 + 6, tokens=Tokens()),
        call("4", T0 + 7, session="t"),
    )
    with ledger_of(*lines) as ledger:
        spans = [(T0 - 1, T0), (T0, T0 + 4), (T0, T0 + 5), (T0 - 1, T0 + 8), (T0 + 5, T0 + 8)]
        found = [ledger.last_use(ANA, SessionId("s"), since, until) for since, until in spans]
        unknown = ledger.last_use(ANA, SessionId("u"), 0, T0 + 8)
    assert ([T0, None, T0 + 5, T0 + 5, None], None) == (found, unknown)


def test_history_shows_a_window_that_was_reset_early_as_two() -> None:
    """The first ends with the call before which the reset must have been, and each holds what is its own."""
    told = [
        reading(80, T0 + 4 * HOUR, T0 + 1, session="a"),
        reading(2, T0 + 4 * HOUR, T0 + HOUR + 1, session="b"),
        reading(3, T0 + 4 * HOUR, T0 + 2 * HOUR + 1, session="c"),
    ]
    lines = [
        call("1", T0, session="a", output=1000),
        call("2", T0 + HOUR, session="b", output=20),
        call("3", T0 + 2 * HOUR, session="c", output=3),
    ]
    with ledger_of(*lines) as ledger:
        ledger.append(Batch(ANA, readings=told))
        windows = list(quota_windows(ledger, ANA, FIVE, 0, END))
        sums = [ledger.totals(ANA, one.opened, one.resets, None).messages for one in windows]
    assert [Window(T0 - HOUR, T0 + HOUR), Window(T0 + HOUR, T0 + 4 * HOUR)] == windows
    assert [1, 2] == sums


def test_readings_and_measured_sessions_are_recalled() -> None:
    """A restarted daemon knows what the one before it knew."""
    with ledger_of(call("m")) as ledger:
        told = reading(61, T0 + HOUR, T0)
        ledger.append(
            Batch(ANA, logs=[log(LogKind.TOOL_RESULT), log(LogKind.START, session="t")], readings=[told])
        )
        found = recalled(ledger, Recall(ANA, T0))
    assert ((told,), frozenset({SessionId("s")})) == (found.readings, found.measured)
