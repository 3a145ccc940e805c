"""What is done with a file that is no ledger, a broken one, one of the future, and one of the past."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from quotad.domain.cursor import Batch, Cursor
from quotad.domain.instant import HOUR, MINUTE
from quotad.domain.notice import Mark
from quotad.domain.reading import Reading, ReadingSource
from quotad.domain.session import LogEvent, LogKind
from quotad.domain.usage import MessageId, RequestId, SessionId, Tokens, UsageEvent
from quotad.store import schema
from quotad.store.damage import NewerLedger, is_damage, is_damaged
from quotad.store.ledger_file import LedgerFile
from tests.store.fold import ANA, T0, contradictions, stopped_after

PAGE = 4096


def calls(count: int) -> list[UsageEvent]:
    """Calls of one token each."""
    return [
        UsageEvent(
            MessageId(f"m{n}"), RequestId("r"), T0 + n, SessionId("s"), "m", "/p", False, Tokens(output=1)
        )
        for n in range(count)
    ]


def damage_by(statement: str) -> Callable[[Path], None]:
    """Damage of the kind that SQL can do."""

    def damage(path: Path) -> None:
        with closing(sqlite3.connect(path)) as db:
            db.execute(statement)
            db.commit()

    return damage


def overwrite(path: Path, first_page: int) -> None:
    """Noise over everything from a page on."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(first_page * PAGE)
        file.write(random.Random(1).randbytes(size - first_page * PAGE))


def empty_beside_its_log(path: Path) -> None:
    """A killed process's log, and a file that somebody emptied."""
    killed = path.with_name("killed.db")
    with closing(LedgerFile.open(killed, stamp="x")) as ledger:
        ledger.append(Batch(ANA, usage=calls(3)))
        shutil.copy(f"{killed}-wal", f"{path}-wal")
    path.write_bytes(b"")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "noise": lambda path: path.write_bytes(random.Random(1).randbytes(path.stat().st_size)),
    "a text": lambda path: path.write_text("this is no ledger\n" * 100),
    "half of it": lambda path: os.truncate(path, path.stat().st_size // PAGE // 2 * PAGE),
    "its last page is short": lambda path: os.truncate(path, path.stat().st_size - 100),
    "only its header": lambda path: os.truncate(path, 100),
    "noise behind the first page": lambda path: overwrite(path, 1),
    "noise in the last pages": lambda path: overwrite(path, path.stat().st_size // PAGE - 3),
    "a table is gone": damage_by("DROP TABLE cursor"),
    "a column is gone": damage_by("ALTER TABLE mark RENAME COLUMN subject TO object"),
    "an index is gone": damage_by("DROP INDEX call_by_key"),
    "the view is gone": damage_by("DROP VIEW timed_call"),
    "another program's": damage_by("PRAGMA application_id = 7"),
    "no version": damage_by("PRAGMA user_version = 0"),
    "a version below all": damage_by("PRAGMA user_version = -1"),
    "emptied beside its log": empty_beside_its_log,
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A sound ledger of a thousand calls, closed."""
    path = tmp_path / "ledger.db"
    with closing(LedgerFile.open(path, stamp="x")) as ledger:
        ledger.append(Batch(ANA, usage=calls(1000)))
    return path


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_set_aside_and_a_new_one_begun(path: Path, damage: str) -> None:
    """It is kept as it was found, under a name that says when; the new ledger takes everything in again."""
    DAMAGES[damage](path)
    content = path.read_bytes()
    with closing(LedgerFile.open(path, stamp="20261122T100000Z")) as ledger:
        aside = path.with_name("ledger.db.damaged-20261122T100000Z")
        assert ledger.set_aside == aside
        assert aside.read_bytes() == content
        assert ledger.recall(ANA, 0).usage == []
        ledger.append(Batch(ANA, usage=calls(5)))
    with closing(LedgerFile.open(path, stamp="later")) as ledger:
        assert ledger.set_aside is None
        assert ledger.totals(ANA, 0, T0 + HOUR, None).messages == 5
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_log_goes_aside_with_its_file(path: Path) -> None:
    """What a killed process had not yet moved into a damaged file is kept beside it."""
    empty_beside_its_log(path)
    log = Path(f"{path}-wal").read_bytes()
    with closing(LedgerFile.open(path, stamp="now")) as ledger:
        assert ledger.set_aside is not None
        assert Path(f"{ledger.set_aside}-wal").read_bytes() == log


def test_what_was_set_aside_is_never_overwritten(path: Path) -> None:
    """Two damaged files in one second get two names."""
    for name in ("ledger.db.damaged-now", "ledger.db.damaged-now-2"):
        path.write_text(name)
        with closing(LedgerFile.open(path, stamp="now")) as ledger:
            assert ledger.set_aside == path.with_name(name)
    assert path.with_name("ledger.db.damaged-now").read_text() == "ledger.db.damaged-now"


def test_damage_that_shows_at_work_is_met_by_a_renewal(path: Path) -> None:
    """A file too large to be read through at start says so when it is touched; then a new one is begun."""
    overwrite(path, path.stat().st_size // PAGE - 8)
    size = path.stat().st_size
    assert is_damaged(path, checked_bytes_max=size)
    assert not is_damaged(path, checked_bytes_max=size - 1)
    with closing(LedgerFile(schema.connect(path))) as ledger:
        with pytest.raises(sqlite3.DatabaseError) as caught:
            ledger.append(Batch(ANA, usage=calls(1000)))
        assert is_damage(caught.value)
    with closing(LedgerFile.renew(path, stamp="now")) as ledger:
        assert ledger.set_aside == path.with_name("ledger.db.damaged-now")
        ledger.append(Batch(ANA, usage=calls(5)))
    assert contradictions(path) == []


def test_a_full_disk_and_a_lock_are_no_damage() -> None:
    """Only what SQLite calls corrupt, or no database, is a reason to give a file up."""
    with closing(schema.connect(":memory:")) as db:
        db.execute("PRAGMA max_page_count = 2")
        with pytest.raises(sqlite3.OperationalError, match="full") as caught:
            schema.migrate(db)
    assert not is_damage(caught.value)
    assert not is_damage(sqlite3.ProgrammingError("an error of Python's own"))


NEWER = schema.SCHEMA_VERSION + 1


@pytest.mark.parametrize("logged", [False, True])
def test_a_newer_ledger_is_refused_untouched(path: Path, logged: bool) -> None:
    """Neither the file of a later release nor its log changes by a byte, be the version only in the log."""
    if logged:
        writer = sqlite3.connect(path, isolation_level=None)
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute(f"PRAGMA user_version = {NEWER}")
        newer = path.with_name("newer.db")
        for suffix in ("", "-wal"):
            shutil.copy(f"{path}{suffix}", f"{newer}{suffix}")
        writer.close()
        assert Path(f"{newer}-wal").stat().st_size > 0
        path = newer
    else:
        damage_by(f"PRAGMA user_version = {NEWER}")(path)
    before = files(path)
    with pytest.raises(NewerLedger, match=rf"version {NEWER}, .* up to {NEWER - 1}") as caught:
        LedgerFile.open(path, stamp="x")
    assert (path, NEWER, NEWER - 1) == (caught.value.path, caught.value.found, caught.value.supported)
    assert before == files(path)


def files(path: Path) -> dict[str, bytes]:
    """The file and its log, and whatever else bears its name but the index of the log."""
    return {
        each.name: each.read_bytes() for each in path.parent.glob(f"{path.name}*") if "-shm" not in each.name
    }


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("/dev/null")])
def test_what_is_no_regular_file_is_an_error_that_names_it(
    tmp_path: Path, make: Callable[[Path], object]
) -> None:
    """A directory, a pipe or a device at the ledger's place is left alone."""
    path = tmp_path / "ledger.db"
    make(path)
    with pytest.raises(OSError, match="no regular file") as caught:
        LedgerFile.open(path, stamp="x")
    assert str(path) in str(caught.value)
    assert [path] == list(tmp_path.iterdir())


def test_a_missing_directory_is_an_error_that_names_it(tmp_path: Path) -> None:
    """The ledger makes its file, not the state directory."""
    with pytest.raises(FileNotFoundError, match="absent"):
        LedgerFile.open(tmp_path / "absent" / "ledger.db", stamp="x")


@pytest.fixture(params=[0o000, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """The most and the least careful that a login gives."""
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_the_ledger_is_for_its_user_alone(tmp_path: Path) -> None:
    """The file, its log and the log's index are 0600, whatever the umask."""
    with closing(LedgerFile.open(tmp_path / "ledger.db", stamp="x")) as ledger:
        ledger.append(Batch(ANA, usage=calls(1)))
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()}
    assert modes == dict.fromkeys(["ledger.db", "ledger.db-wal", "ledger.db-shm"], 0o600)


def test_making_a_ledger_may_be_stopped_anywhere(tmp_path: Path) -> None:
    """An empty file, and one with a header and no table yet, become a ledger; nothing is set aside."""
    empty, header = tmp_path / "empty.db", tmp_path / "header.db"
    empty.touch()
    schema.connect(header).close()
    assert header.stat().st_size > 0
    for path in (empty, header):
        with closing(LedgerFile.open(path, stamp="x")) as ledger:
            assert ledger.set_aside is None
            ledger.append(Batch(ANA, usage=calls(1)))


def test_a_migration_is_whole_or_not_at_all(tmp_path: Path) -> None:
    """Stopped at any step, it has changed nothing, and can be done again."""
    with closing(schema.connect(tmp_path / "ledger.db")) as db:
        stops = 0
        while True:
            with contextlib.suppress(sqlite3.OperationalError), stopped_after(db, 1 + stops * 37):
                schema.migrate(db)
                break
            stops += 1
            assert schema.version(db) < schema.SCHEMA_VERSION
            assert schema.shape_of(schema.version(db)) == schema.shape(db)
        assert stops > 20
        assert schema.version(db) == schema.SCHEMA_VERSION
        assert schema.shape_of(schema.SCHEMA_VERSION) == schema.shape(db)


@pytest.fixture
def version_1(tmp_path: Path) -> Path:
    """The checked-in ledger of schema version 1, with a table and a column that nobody knows."""
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(Path(__file__).with_name("ledger_v1.sql").read_text())
    return path


def test_a_ledger_of_version_1_opens(version_1: Path) -> None:
    """All that it holds is there, lines that come later merge into it, and what nobody knows stays."""
    opus = {"message": "msg_01B", "cwd": "/home/ana/src", "model": "claude-opus-5"}
    later = UsageEvent(
        MessageId(opus["message"]),
        RequestId("req_01B"),
        T0 + MINUTE,
        SessionId("5f0c"),
        opus["model"],
        opus["cwd"],
        False,
        Tokens(2, 800, 800, 23_200),
    )
    with closing(LedgerFile.open(version_1, stamp="x")) as ledger:
        assert ledger.set_aside is None
        found = ledger.recall(ANA, T0)
        assert {("msg_01A", ""), ("msg_01B", ""), ("msg_01B", "S"), ("msg_01C", "")} == {
            (event.message, "S" if event.sidechain else "") for event in found.usage
        }
        assert {
            LogEvent(
                "tool_result:toolu_1",
                LogKind.TOOL_RESULT,
                T0 + 5,
                SessionId("9e9e"),
                "Edit",
                "/home/ana/notes",
                "",
                None,
            ),
            LogEvent(
                "9e9e|session_end",
                LogKind.END,
                T0 + 9,
                SessionId("9e9e"),
                "",
                "/home/ana/notes",
                "reviewer",
                4200,
            ),
        } == set(found.logs)
        reading = Reading("five_hour", 42.0, T0 + 5 * HOUR, T0 + 2 * MINUTE, ReadingSource.STATUS_LINE)
        assert [reading] == found.readings
        assert [Mark(ANA, "threshold", "five_hour", 50.0, T0, T0 + 5 * HOUR)] == ledger.marks(T0)
        path = f"{ANA}/projects/p/5f0c.jsonl"
        cursor = Cursor(
            path, 2049, 131_072, bytes(range(8)), 1024, 4096, b"tail", 4096, T0 * 10**6, False, 12, 1
        )
        assert {path: cursor} == ledger.cursors(ANA)
        ledger.append(Batch(ANA, usage=[later]))
        assert Tokens(18, 1150, 6000, 41_200) == ledger.totals(ANA, T0, T0 + 2 * HOUR, None).tokens
    with closing(sqlite3.connect(version_1)) as db:
        assert [(1, "kept")] == db.execute("SELECT * FROM later").fetchall()
    assert contradictions(version_1) == []
