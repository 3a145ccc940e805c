"""Runs of planned sessions: kept, replaced, and on the disk when it is said."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from quotad.domain.instant import HOUR
from quotad.domain.queue import Outcome, PlannedId, Run
from quotad.domain.usage import AccountId, SessionId
from quotad.store.ledger_file import LedgerFile
from tests.store.fold import ANA, BEN, T0, in_memory

FIRST = Run(PlannedId("parser"), SessionId("5f0c"), T0, 30_000, 120)
AGAIN = Run(PlannedId("parser"), SessionId("9e9e"), T0 + HOUR, 30_000)
OTHER = Run(PlannedId("docs"), SessionId("5f0c"), T0 - HOUR, 8_000, 0, T0, 9_000, Outcome.OVER_RUN)


def test_runs_come_back_as_they_were(tmp_path: Path) -> None:
    """In the order in which they were started, each account's own, over a restart."""
    path = tmp_path / "ledger.db"
    with closing(LedgerFile.open(path, stamp="x")) as ledger:
        for run in (AGAIN, FIRST, OTHER):
            ledger.keep_run(ANA, run)
        ledger.keep_run(BEN, FIRST)
    with closing(LedgerFile.open(path, stamp="x")) as ledger:
        assert [OTHER, FIRST, AGAIN] == ledger.runs(ANA)
        assert [FIRST] == ledger.runs(BEN)
        assert ledger.runs(AccountId("/nobody")) == []


@pytest.mark.parametrize("outcome", list(Outcome))
def test_what_became_of_a_run_takes_its_place(outcome: Outcome) -> None:
    """What is known of a run is replaced; one that was started at another instant is another."""
    ended = replace(FIRST, ended=T0 + HOUR, actual=31_000, outcome=outcome)
    with closing(LedgerFile(in_memory())) as ledger:
        for run in (FIRST, AGAIN, replace(FIRST, ended=T0 + 1), ended):
            ledger.keep_run(ANA, run)
        assert [ended, AGAIN] == ledger.runs(ANA)
        once_more = replace(FIRST, started=T0 + 2 * HOUR)
        ledger.keep_run(ANA, once_more)
        assert [ended, AGAIN, once_more] == ledger.runs(ANA)


def test_a_forgotten_run_never_was() -> None:
    """Only this one, and only of this account; what is not there can be forgotten, too."""
    with closing(LedgerFile(in_memory())) as ledger:
        for run in (FIRST, AGAIN):
            ledger.keep_run(ANA, run)
        ledger.keep_run(BEN, FIRST)
        ledger.forget_run(ANA, FIRST)
        ledger.forget_run(ANA, OTHER)
        ledger.forget_run(AccountId("/nobody"), AGAIN)
        assert ([AGAIN], [FIRST]) == (ledger.runs(ANA), ledger.runs(BEN))


SYNCED = """
import os, sys
from pathlib import Path
from quotad.domain.event import EventRow
from quotad.domain.queue import Run
from quotad.store.ledger_file import LedgerFile

ledger = LedgerFile.open(Path(sys.argv[1]), stamp="x")
os.write(1, b"opened\\n")
ledger.keep_run("/a", Run("parser", "5f0c", 1, 2))
os.write(1, b"run\\n")
ledger.keep_event("/a", EventRow("parser", "u@quotad", 0, b"", "CONFIRMED", 1, 2))
os.write(1, b"event\\n")
"""


@pytest.mark.requires("strace", "strace")
def test_runs_and_events_are_on_the_disk_when_they_are_kept(tmp_path: Path) -> None:
    """The last thing done to the ledger's log is to sync it: nothing else could tell of a run again."""
    trace, ledger = tmp_path / "trace", tmp_path / "ledger.db"
    subprocess.run(
        [
            *("strace", "-f", "-y", "-e", "trace=write,pwrite64,fsync,fdatasync", "-o", trace),
            *(sys.executable, "-c", SYNCED, ledger),
        ],
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        timeout=60,
    )
    latest = ""
    kept = {}
    for line in trace.read_text().splitlines():
        said = re.search(r'write\(1<.*, "(\w+)\\n"', line)
        call = re.search(r"(\w+)\(.*ledger\.db-wal", line)
        if said:
            kept[said[1]] = latest
            latest = ""
        elif call:
            latest = call[1]
    assert {"run", "event"} <= kept.keys()
    assert {kept["run"], kept["event"]} <= {"fsync", "fdatasync"}
