"""The calendar's events as the ledger remembers them."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from quotad.domain.event import EventRow
from quotad.domain.instant import HOUR
from quotad.domain.queue import PlannedId
from quotad.domain.usage import AccountId
from quotad.store.ledger_file import LedgerFile
from tests.store.fold import ANA, BEN, T0, in_memory

PARSER = EventRow(PlannedId("parser"), "1b4e@quotad", 0, b"\0\xff", "CONFIRMED", T0 + HOUR, T0)
DOCS = EventRow(PlannedId("docs"), "77aa@quotad", 3, b"", "CANCELLED", T0, T0 - HOUR)


def test_events_come_back_as_they_were(tmp_path: Path) -> None:
    """Next first, the cancelled ones too, each account's own, over a restart."""
    path = tmp_path / "ledger.db"
    with closing(LedgerFile.open(path, stamp="x")) as ledger:
        ledger.keep_event(ANA, PARSER)
        ledger.keep_event(ANA, DOCS)
        ledger.keep_event(BEN, DOCS)
    with closing(LedgerFile.open(path, stamp="x")) as ledger:
        assert [DOCS, PARSER] == ledger.events(ANA)
        assert [DOCS] == ledger.events(BEN)
        assert ledger.events(AccountId("/nobody")) == []


def test_an_event_that_moved_takes_its_own_place() -> None:
    """There is one a planned session."""
    moved = PARSER._replace(sequence=1, fingerprint=b"2", starts=T0 + 6 * HOUR, changed=T0 + 1)
    cancelled = moved._replace(sequence=2, status="CANCELLED")
    with closing(LedgerFile(in_memory())) as ledger:
        for row in (PARSER, moved, cancelled):
            ledger.keep_event(ANA, row)
        assert [cancelled] == ledger.events(ANA)
