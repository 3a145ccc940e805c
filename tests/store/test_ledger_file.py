"""Cursors, readings, marks, and writes that fail."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from quotad.domain.cursor import Batch, Cursor
from quotad.domain.instant import HOUR
from quotad.domain.notice import Mark
from quotad.domain.reading import Reading, ReadingSource
from quotad.domain.session import LogEvent, LogKind
from quotad.domain.usage import AccountId, MessageId, RequestId, SessionId, Tokens, UsageEvent
from quotad.store import schema
from quotad.store.ledger_file import LedgerFile
from tests.store.fold import ANA, BEN, T0, Fold, Line, contradictions, fold, stopped_after, stored


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the ledger is."""
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[LedgerFile]:
    """A new ledger."""
    with closing(LedgerFile.open(path, stamp="x")) as opened:
        yield opened


def call(number: int, *, request: str = "r", session: str = "s") -> UsageEvent:
    """A line of a call."""
    message, at = MessageId(f"m{number}"), T0 + number
    return UsageEvent(
        message, RequestId(request), at, SessionId(session), "m", "/p", request == "side", Tokens(1, number)
    )


def cursor(path: str, offset: int = 0, *, inode: int = 7) -> Cursor:
    """A cursor somewhere in a file."""
    return Cursor(path, 2049, inode, b"\0head", 5, offset, b"tail\xff", offset, 10**18, True, 3, 1)


def test_cursors_come_back_as_they_were(path: Path) -> None:
    """Each account's, the latest of each file, over a restart, whatever bytes a path or number is made of."""
    odd = cursor(os.fsdecode(b"/p/\xff.jsonl"), inode=2**64 - 1)
    account = AccountId(os.fsdecode(b"/home/\xfe"))
    with closing(LedgerFile.open(path, stamp="x")) as ledger:
        ledger.append(Batch(account, cursors=[odd, cursor("/p/b", 5)]))
        ledger.append(Batch(account, cursors=[cursor("/p/b", 9)]))
        ledger.append(Batch(BEN, cursors=[cursor("/p/b", 1)]))
    with closing(LedgerFile.open(path, stamp="x")) as ledger:
        assert {odd.path: odd, "/p/b": cursor("/p/b", 9)} == ledger.cursors(account)
        assert {"/p/b": cursor("/p/b", 1)} == ledger.cursors(BEN)
        assert ledger.cursors(ANA) == {}


def test_a_vanished_file_changes_nothing_but_its_cursor(ledger: LedgerFile) -> None:
    """What was read from it stays; an unknown path, or account, is no error."""
    ledger.append(Batch(ANA, usage=[call(1)], cursors=[cursor("/p/a"), cursor("/p/b")]))
    ledger.append(Batch(BEN, cursors=[cursor("/p/a")]))
    ledger.forget(ANA, ["/p/a", "/p/never"])
    ledger.forget(AccountId("/nobody"), ["/p/b"])
    assert ["/p/b"] == list(ledger.cursors(ANA))
    assert ["/p/a"] == list(ledger.cursors(BEN))
    assert ledger.totals(ANA, T0, T0 + HOUR, None).messages == 1


def reading(window: str, percent: float, resets_at: int, received_at: int) -> Reading:
    """A reading of the status line."""
    return Reading(window, percent, resets_at, received_at, ReadingSource.STATUS_LINE)


def test_a_reading_is_kept_once_and_comes_back_in_its_order(ledger: LedgerFile) -> None:
    """All of a window's are there for the chain; recalled are those whose window ends in time."""
    old, first = reading("five_hour", 97.5, T0, T0 - 9), reading("five_hour", 1.0, T0 + HOUR, T0 + 5)
    second, weekly = reading("five_hour", 2.0, T0 + HOUR, T0 + 6), reading("seven_day", 30.0, T0 + HOUR, T0)
    ledger.append(Batch(ANA, readings=[second, old, first, weekly]))
    ledger.append(Batch(ANA, readings=[first, old]))
    ledger.append(Batch(BEN, readings=[reading("five_hour", 5.0, T0 + HOUR, T0)]))
    assert [old, first, second] == ledger.readings(ANA, "five_hour")
    assert [weekly, first, second] == ledger.recall(ANA, T0 + 1).readings
    assert [old, weekly, first, second] == ledger.recall(ANA, T0).readings


def test_marks_are_remembered_once_and_over_a_restart(path: Path) -> None:
    """Those of windows that are over are not asked for any more."""
    half = Mark(ANA, "threshold", "five_hour", 50.0, T0 - HOUR, T0)
    session = Mark(BEN, "session", "5f0c", 60.0, T0, T0 + 5 * HOUR)
    with closing(LedgerFile.open(path, stamp="x")) as ledger:
        ledger.remember([session, half])
        ledger.remember([half])
        ledger.remember([])
    with closing(LedgerFile.open(path, stamp="x")) as ledger:
        assert [half, session] == ledger.marks(T0)
        assert [session] == ledger.marks(T0 + 1)


SYNCED = """
import os, sys
from pathlib import Path
from quotad.domain.cursor import Batch
from quotad.domain.notice import Mark
from quotad.store.ledger_file import LedgerFile

ledger = LedgerFile.open(Path(sys.argv[1]), stamp="x")
os.write(1, b"opened\\n")
ledger.append(Batch("/a"))
os.write(1, b"appended\\n")
ledger.remember([Mark("/a", "threshold", "five_hour", 50.0, 0, 1)])
os.write(1, b"remembered\\n")
ledger.append(Batch("/b"))
os.write(1, b"appended again\\n")
"""


@pytest.mark.requires("strace", "strace")
def test_a_mark_is_on_the_disk_before_remember_returns(path: Path, tmp_path: Path) -> None:
    """The log is synced once a mark is written into it; for a batch, which can be read again, it is not."""
    trace = tmp_path / "trace"
    subprocess.run(
        [
            *("strace", "-f", "-y", "-e", "trace=write,pwrite64,fsync,fdatasync", "-o", trace),
            *(sys.executable, "-c", SYNCED, path),
        ],
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        timeout=60,
    )
    phases: dict[str, list[str]] = {"": []}
    for line in trace.read_text().splitlines():
        said = re.search(r'write\(1<.*, "(\w+( again)?)\\n"', line)
        if said:
            phases[said[1]] = []
        elif "ledger.db-wal" in line:
            name = re.search(r"(\w+)\(", line)
            assert name is not None
            list(phases.values())[-1].append(name[1])
    assert {"pwrite64"} == set(phases["opened"])
    assert "pwrite64" in phases["appended"]
    assert phases["appended"][-1] in {"fsync", "fdatasync"}
    assert {"pwrite64"} == set(phases["remembered"])


# Writes that fail.

BEFORE = [call(1), call(2), call(2, request="side"), call(3)]
LOGGED = LogEvent("k", LogKind.TOOL_RESULT, T0, SessionId("guessed"), "Edit", "/p", "", None)


def news(count: int) -> Batch:
    """A batch that changes something in every table."""
    usage = [call(n, session=f"s{n % 3}") for n in range(2, count)]
    return Batch(
        ANA,
        usage=[*usage, call(1, request="other"), call(2), call(5, session="guessed")],
        logs=[LOGGED._replace(key="k2", session=SessionId("else"))],
        readings=[reading("five_hour", 1.0, T0, T0)],
        cursors=[cursor("/p/a", 10)],
    )


def expected(batch: Batch | None) -> Fold:
    """The recount of what was there before, with a batch that was taken in or not."""
    usage, logs = (batch.usage, batch.logs) if batch else ([], [])
    lines = [Line(ANA, event) for event in (*BEFORE, *usage)]
    return fold([*lines, *(Line(ANA, event) for event in (LOGGED, *logs))])


def assert_holds(path: Path, batch: Batch | None) -> None:
    """The file holds all of the batch, or nothing of it."""
    assert expected(batch).calls == stored(path).calls
    assert contradictions(path) == []
    with closing(LedgerFile.open(path, stamp="x")) as ledger:
        assert expected(batch).logs == set(ledger.recall(ANA, 0).logs)
        assert (1 if batch else 0) == len(ledger.readings(ANA, "five_hour"))
        assert (10 if batch else 0) == ledger.cursors(ANA)["/p/a"].offset


@pytest.fixture
def begun(path: Path) -> Path:
    """A closed ledger with something in it."""
    with closing(LedgerFile.open(path, stamp="x")) as ledger:
        ledger.append(Batch(ANA, usage=BEFORE, logs=[LOGGED], cursors=[cursor("/p/a")]))
    return path


def test_a_write_stopped_at_any_step_has_changed_nothing(begun: Path) -> None:
    """SQLite is interrupted ever later in the same append, until it gets through."""
    batch, stops = news(12), 0
    db = schema.connect(begun)
    ledger = LedgerFile(db)
    while True:
        with suppress(sqlite3.OperationalError), stopped_after(db, 1 + stops * 61):
            ledger.append(batch)
            break
        stops += 1
        if stops % 8 == 1:
            assert expected(None).calls == stored(begun).calls
            assert contradictions(begun) == []
    ledger.close()
    assert stops > 20
    assert_holds(begun, batch)


def test_a_full_database_takes_nothing_and_later_everything(begun: Path) -> None:
    """The error says what is wrong; when there is room again the same batch goes in."""
    batch = news(3000)
    db = schema.connect(begun)
    ledger = LedgerFile(db)
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    for more in (0, 1, 5, 20, 40):
        db.execute(f"PRAGMA max_page_count = {pages + more}")
        with pytest.raises(sqlite3.OperationalError, match="database or disk is full"):
            ledger.append(batch)
        assert expected(None).calls == stored(begun).calls
        assert contradictions(begun) == []
    db.execute("PRAGMA max_page_count = 1000000")
    ledger.append(batch)
    ledger.close()
    assert_holds(begun, batch)


@contextmanager
def file_size_max(size: int) -> Iterator[None]:
    """No file of this process grows beyond that."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)


def test_a_disk_that_fails_in_the_middle_of_a_commit_loses_nothing(begun: Path) -> None:
    """The log can be written only in part: that part does not count, now or after a crash."""
    batch, failed = news(3000), 0
    ledger = LedgerFile.open(begun, stamp="x")
    ledger.append(Batch(ANA))
    for size in range(40_000, 240_000, 40_000):
        with file_size_max(size), pytest.raises(sqlite3.OperationalError, match=r"full|I/O"):
            ledger.append(batch)
        failed += 1
        assert expected(None).calls == stored(begun).calls
        crashed = begun.with_name(f"crashed-{size}.db")
        for suffix in ("", "-wal"):
            shutil.copy(f"{begun}{suffix}", f"{crashed}{suffix}")
        assert_holds(crashed, None)
    assert failed == 5
    ledger.append(batch)
    ledger.close()
    assert_holds(begun, batch)


def test_a_mark_that_could_not_be_written_is_not_remembered(begun: Path) -> None:
    """And the ledger works on as before."""
    db = schema.connect(begun)
    ledger = LedgerFile(db)
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    db.execute(f"PRAGMA max_page_count = {pages}")
    marks = [Mark(ANA, "session", f"s{n}", 60.0, T0, T0 + HOUR) for n in range(500)]
    with pytest.raises(sqlite3.OperationalError, match="full"):
        ledger.remember(marks)
    assert ledger.marks(0) == []
    assert db.execute("PRAGMA synchronous").fetchone() == (1,)
    db.execute("PRAGMA max_page_count = 1000000")
    ledger.remember(marks)
    assert len(ledger.marks(0)) == 500
    ledger.close()


def test_a_ledger_opened_in_one_thread_works_in_another(ledger: LedgerFile) -> None:
    """The daemon opens it at start and hands it to the thread that all further work is done in."""
    worker = threading.Thread(target=ledger.append, args=(Batch(ANA, usage=[call(1)]),))
    worker.start()
    worker.join()
    assert ledger.totals(ANA, T0, T0 + HOUR, None).messages == 1


def test_a_closed_ledger_is_one_file(path: Path) -> None:
    """Its log has been moved into it, so that a copy of the file is a copy of the ledger."""
    with closing(LedgerFile.open(path, stamp="x")) as ledger:
        ledger.append(Batch(ANA, usage=BEFORE))
    assert [path] == list(path.parent.iterdir())
    assert len(stored(path).calls) == 3
