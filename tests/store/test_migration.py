"""A ledger of an earlier version keeps everything that it held."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from quotad.domain.event import EventRow
from quotad.domain.queue import PlannedId, Run
from quotad.domain.reading import Reading, ReadingSource
from quotad.domain.usage import SessionId
from quotad.store import schema
from quotad.store.ledger_file import LedgerFile
from tests.store.fold import ANA, T0


def made(path: Path, version: int) -> None:
    """A ledger as the release with this schema would have left it, with a reading, a mark and a call."""
    with closing(schema.connect(path)) as db:
        for number in range(1, version + 1):
            for statement in schema.MIGRATIONS[number]:
                db.execute(statement)
        db.execute("INSERT INTO account (id, name) VALUES (1, ?)", (ANA.encode(),))
        db.execute("INSERT INTO reading VALUES (1, 'five_hour', ?, ?, 97.5, 'limit_hit')", (T0 + 9, T0))
        db.execute("INSERT INTO mark VALUES (1, 'threshold', 'five_hour', 50.0, ?, ?)", (T0, T0 + 9))
        db.execute("INSERT INTO floor VALUES (1, 'five_hour', ?)", (T0,))


def test_a_ledger_of_version_2_keeps_what_it_holds(tmp_path: Path) -> None:
    """Its readings came from nobody in particular; runs and events begin empty and can be kept."""
    path = tmp_path / "ledger.db"
    made(path, 2)
    run = Run(PlannedId("parser"), SessionId("5f0c"), T0, 30_000)
    event = EventRow(PlannedId("parser"), "1b4e@quotad", 0, b"", "CONFIRMED", T0, T0)
    with closing(LedgerFile.open(path, stamp="x")) as ledger:
        assert ledger.set_aside is None
        assert [Reading("five_hour", 97.5, T0 + 9, T0, ReadingSource.LIMIT_HIT)] == ledger.readings(
            ANA, "five_hour"
        )
        assert len(ledger.marks(T0)) == 1
        assert ledger.floor(ANA, "five_hour") == T0
        assert ([], []) == (ledger.runs(ANA), ledger.events(ANA))
        ledger.keep_run(ANA, run)
        ledger.keep_event(ANA, event)
    with closing(LedgerFile.open(path, stamp="x")) as ledger:
        assert ([run], [event]) == (ledger.runs(ANA), ledger.events(ANA))
    with closing(schema.connect(path)) as db:
        assert schema.SCHEMA_VERSION == schema.version(db)


def test_a_reading_from_two_sessions_is_one_reading() -> None:
    """Who said it is no part of what tells readings apart: the first that said it is kept."""
    with closing(schema.connect(":memory:")) as db:
        schema.migrate(db)
        keys = [row[1] for row in db.execute("PRAGMA table_info(reading)") if row[5]]
        assert ["account", "window", "resets_at", "received_at", "percent", "source"] == keys
