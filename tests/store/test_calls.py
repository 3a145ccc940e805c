"""The ledger on disk holds what its lines come to, however they come."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Literal, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quotad.domain.cursor import Batch
from quotad.domain.instant import HOUR, QUARTER
from quotad.domain.session import LogEvent, LogKind
from quotad.domain.usage import MessageId, RequestId, SessionId, Tokens, UsageEvent, merge, standing_call
from quotad.store.ledger_file import LedgerFile
from tests.store.fold import (
    ANA,
    BEN,
    T0,
    Line,
    Standing,
    batches,
    contradictions,
    filled,
    fold,
    in_memory,
    lines,
    stored,
    sums_of,
)

After: TypeAlias = Literal["go on", "restart", "crash"]
Delivery: TypeAlias = tuple[list[Line], list[tuple[list[Line], After]]]


def call(
    message: str = "a",
    *,
    request: str = "r",
    at: int = T0,
    session: str = "s",
    output: int = 10,
    sidechain: bool = False,
) -> UsageEvent:
    """A usage line."""
    return UsageEvent(
        MessageId(message),
        RequestId(request),
        at,
        SessionId(session),
        "claude-opus-5",
        "/p",
        sidechain,
        Tokens(output=output),
    )


def result(key: str, session: str = "s", at: int = T0, tool: str = "Edit") -> LogEvent:
    """A tool's result in a session log."""
    return LogEvent(key, LogKind.TOOL_RESULT, at, SessionId(session), tool, "/p", "", None)


@st.composite
def deliveries(draw: st.DrawFn) -> Delivery:
    """Some lines, and a way for them to come: in any order, some twice, cut anywhere, with ends between."""
    some = draw(lines)
    order = draw(st.permutations(some + (draw(st.lists(st.sampled_from(some), max_size=5)) if some else [])))
    cuts = sorted({0, len(order), *draw(st.lists(st.integers(0, len(order)), max_size=4))})
    ends: list[After] = ["go on", "restart", "crash"]
    return some, [(order[one:other], draw(st.sampled_from(ends))) for one, other in pairwise(cuts)]


def deliver(folder: Path, parts: list[tuple[list[Line], After]]) -> Path:
    """Appends the parts, with a restart or a crash after each as told; where the ledger is in the end."""
    path = folder / "ledger.db"
    ledger = LedgerFile.open(path, stamp="x")
    for number, (part, after) in enumerate(parts):
        for batch in batches(part):
            ledger.append(batch)
        if after == "crash":
            crashed = folder / f"after-{number}" / "ledger.db"
            crashed.parent.mkdir()
            for suffix in ("", "-wal"):
                shutil.copy(f"{path}{suffix}", f"{crashed}{suffix}")
            path = crashed
        if after != "go on":
            ledger.close()
            ledger = LedgerFile.open(path, stamp="x")
            assert ledger.set_aside is None
    ledger.close()
    return path


def assert_holds(file: Path | sqlite3.Connection, some: list[Line]) -> None:
    """The file holds what a recount of the lines comes to, and does not contradict itself."""
    for account in (ANA, BEN):
        expected = fold(some, account).calls
        found = stored(file, account)
        assert expected == found.calls
        assert sums_of(expected.values()) == found.sums
    assert contradictions(file) == []


@given(deliveries())
def test_the_ledger_is_a_function_of_the_set_of_lines(delivery: Delivery) -> None:
    """Order, repeats and cuts change no call and no sum, of either account."""
    some, parts = delivery
    db = in_memory()
    with closing(LedgerFile(db)) as ledger:
        for batch in (batch for part, _ in parts for batch in batches(part)):
            ledger.append(batch)
        assert_holds(db, some)


def test_of_a_crowd_those_that_were_known_are_merged() -> None:
    """Whether a call is new is told apart within a crowd of them, and its rows are given if it is not."""
    first = [call(f"m{number}", at=T0 + number) for number in range(200)]
    second = [call(f"m{number}", at=T0 + number, output=11) for number in range(100, 300)]
    second += [call(f"m{number}", request="fork", at=T0 + number + 1) for number in (5, 150, 250)]
    db = in_memory()
    with closing(LedgerFile(db)) as ledger:
        assert [] == ledger.append(Batch(ANA, usage=first))
        known = ledger.append(Batch(ANA, usage=second))
        assert {"m5", *(f"m{number}" for number in range(100, 200))} == {row.message for row in known}
        assert {("m5", 10), ("m150", 11), ("m150", 10)} <= {(row.message, row.tokens.output) for row in known}
        assert_holds(db, [Line(ANA, event) for event in first + second])


@settings(max_examples=50)
@given(deliveries())
def test_a_crowd_changes_nothing(delivery: Delivery) -> None:
    """The same holds of lines that come with hundreds of others, of which some were there before."""
    some, parts = delivery
    crowd = [Line(ANA, call(f"crowd-{number}", at=T0 + number)) for number in range(300)]
    db = in_memory()
    with closing(LedgerFile(db)) as ledger:
        for number, (part, _) in enumerate(parts):
            for batch in batches(part + crowd[number * 40 : number * 40 + 140]):
                ledger.append(batch)
        assert_holds(db, some + crowd[: len(parts) * 40 + 100 if parts else 0])


# Each example waits a few dozen times for the disk.
@settings(max_examples=25)
@given(deliveries())
def test_restarts_and_crashes_change_nothing(delivery: Delivery) -> None:
    """What was appended is there, after an orderly end and from the files as a killed process leaves them."""
    some, parts = delivery
    with tempfile.TemporaryDirectory() as folder:
        assert_holds(deliver(Path(folder), parts), some)


@given(lines, lines, st.sampled_from([T0 - 1, T0, T0 + 1, T0 + QUARTER, -QUARTER, -(10**12)]))
def test_what_is_recalled_merges_on_as_if_nothing_had_been_forgotten(
    before: list[Line], after: list[Line], since: int
) -> None:
    """Recalled rows, merged with later lines by the domain's own rule, come to the recount of all lines."""
    with filled(before) as ledger:
        recalled = ledger.recall(ANA, since)
    was = fold(before)
    recent = {message for message, standing in was.calls.items() if standing.at >= since}
    assert recent == {event.message for event in recalled.usage}

    later = [line for line in after if isinstance(line.event, UsageEvent) and line.event.message in recent]
    whole = fold([line for line in before if line.event[0] in recent] + later)
    for message in recent:
        rows = [event for event in recalled.usage if event.message == message]
        rows += [
            line.event
            for line in later
            if line.account == ANA and isinstance(line.event, UsageEvent) and line.event.message == message
        ]
        expected = whole.calls[message]
        one = standing_call(merged(rows))
        assert expected == Standing(one.at, one.session, one.model, one.cwd, tuple(one.tokens))

    logs = {log for log in was.logs if log.at >= since}
    assert logs == set(recalled.logs)
    assert {log.session for log in logs} & was.measured == recalled.measured


def merged(events: list[UsageEvent]) -> list[UsageEvent]:
    """Lines as rows, by the domain's rule."""
    rows: dict[str, UsageEvent] = {}
    for event in events:
        rows[event.request] = merge(rows[event.request], event) if event.request in rows else event
    return list(rows.values())


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[LedgerFile]:
    """A new ledger."""
    with closing(LedgerFile.open(tmp_path / "ledger.db", stamp="x")) as opened:
        yield opened


def test_a_replay_that_comes_first_gives_way_to_the_call(ledger: LedgerFile, tmp_path: Path) -> None:
    """A side question's copy stands until the main chain's line comes, from another session and hour."""
    ledger.append(Batch(ANA, usage=[call(request="side", sidechain=True, session="s2", output=99)]))
    assert stored(tmp_path / "ledger.db").calls["a"].tokens == (0, 99, 0, 0)
    ledger.append(Batch(ANA, usage=[call(request="main", at=T0 + HOUR, output=7)]))
    found = stored(tmp_path / "ledger.db")
    assert found.calls["a"] == Standing(T0 + HOUR, "s", "claude-opus-5", "/p", (0, 7, 0, 0))
    assert list(found.sums.values()) == [(0, 7, 0, 0, 1)]
    assert {"side", "main"} == {event.request for event in ledger.recall(ANA, T0 + HOUR).usage}


def test_the_rows_that_do_not_stand_are_kept(ledger: LedgerFile, tmp_path: Path) -> None:
    """Three requests claim a call, each in a batch of its own; a line of the first one decides it."""
    for line in (
        call(request="r1", at=T0 + 20, output=1, sidechain=True),
        call(request="r2", at=T0 + 10, output=2),
        call(request="r3", at=T0 + 15, output=3),
        call(request="", at=T0 + 30, output=4),
        call(request="r1", at=T0 + 5, output=0),
    ):
        ledger.append(Batch(ANA, usage=[line]))
    assert stored(tmp_path / "ledger.db").calls["a"][0] == T0 + 5
    ledger.append(Batch(ANA, usage=[call(request="r3", at=T0 + 1, output=0)]))
    found = stored(tmp_path / "ledger.db").calls["a"]
    assert (T0 + 1, (0, 4, 0, 0)) == (found.at, found.tokens)


def test_a_batch_may_hold_twenty_thousand_events(ledger: LedgerFile, tmp_path: Path) -> None:
    """A whole batch of the largest size is one transaction, found again line by line when it is repeated."""
    usage = [call(f"m{number}", at=T0 + number * 1000) for number in range(20_000)]
    for _ in range(2):
        ledger.append(Batch(ANA, usage=usage))
        assert ledger.totals(ANA, 0, T0 + 365 * 24 * HOUR, None).messages == 20_000
    assert contradictions(tmp_path / "ledger.db") == []


def test_an_estimate_counts_until_usage_of_its_session_comes(ledger: LedgerFile) -> None:
    """A tool's result is worth an estimate only while no usage line bears its session's id."""
    end = T0 + HOUR
    ledger.append(Batch(ANA, logs=[result("k1"), result("k2", tool="Bash"), result("k3", session="other")]))
    assert ledger.totals(ANA, T0, end, None).tools == {"Edit": 2, "Bash": 1}
    assert ledger.next_call(ANA, 0, end, None) == T0
    ledger.append(Batch(ANA, usage=[call(at=T0 + 5)]))
    assert ledger.totals(ANA, T0, end, None).tools == {"Edit": 1}
    ledger.append(Batch(ANA, logs=[result("k4")], usage=[call(session="other", at=T0 + 6, message="b")]))
    assert ledger.totals(ANA, T0, end, None).tools == {}
    assert ledger.next_call(ANA, 0, end, None) == T0 + 5


def test_a_line_that_does_not_stand_measures_its_session(ledger: LedgerFile) -> None:
    """A fork's copied line owns no call, but it bears the fork's session id."""
    ledger.append(Batch(ANA, usage=[call()], logs=[result("k1", session="fork")]))
    assert ledger.totals(ANA, T0, T0 + HOUR, None).tools == {"Edit": 1}
    ledger.append(Batch(ANA, usage=[call(session="fork", at=T0 + 1)]))
    assert ledger.totals(ANA, T0, T0 + HOUR, None).tools == {}
    assert ledger.recall(ANA, T0).measured == {"fork"}


def test_a_session_of_another_account_measures_nothing(ledger: LedgerFile) -> None:
    """Accounts that share a session's id (a copied directory) are counted apart."""
    ledger.append(Batch(ANA, logs=[result("k1")]))
    ledger.append(Batch(BEN, usage=[call()]))
    assert ledger.totals(ANA, T0, T0 + HOUR, None).tools == {"Edit": 1}


def test_a_copied_log_adds_nothing_and_the_earlier_line_stands(ledger: LedgerFile) -> None:
    """Of two lines of one key the earlier stands, whichever comes first; a use and its result are two."""
    use = LogEvent("k", LogKind.TOOL_USE, T0, SessionId("s"), "Edit", "/p", "", None)
    ledger.append(Batch(ANA, logs=[result("k", at=T0 + 9), use]))
    ledger.append(Batch(ANA, logs=[result("k", at=T0 + 3)]))
    ledger.append(Batch(ANA, logs=[result("k", at=T0 + 5), use]))
    assert set(ledger.recall(ANA, T0).logs) == {use, result("k", at=T0 + 3)}


def test_a_log_event_comes_back_as_it_was(ledger: LedgerFile) -> None:
    """Every field of a log event is kept, the session's own claim too."""
    ended = LogEvent("e", LogKind.END, T0, SessionId("s"), "", "/p", "reviewer", 12_345)
    ledger.append(Batch(ANA, logs=[ended]))
    assert ledger.recall(ANA, T0) == ([], [ended], [], set())


def test_odd_texts_come_back_as_they_were(ledger: LedgerFile) -> None:
    """Ids and directories may hold any text: a NUL, quotes, other scripts."""
    odd = call("a\0b'\"")._replace(cwd="/tmp/\U0001f980", session=SessionId("\0"), model="modèle")
    ledger.append(Batch(ANA, usage=[odd]))
    assert ledger.recall(ANA, T0).usage == [odd]
