"""Killed again and again while files are written, torn, renamed, truncated: nothing lost, nothing doubled.

Daemons are born of a process that has quotad imported already, so that each lives long enough to be killed at
its work. Mutants of quotad go through the same: the harness is worth something only if it catches them.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from random import Random
from threading import Event
from typing import NamedTuple

import pytest

from benchmarks.recount import recount
from tests.daemon.process import Place, new_place
from tests.daemon.truth import Sums, call, now_ms, sums

SECONDS = 6.0
MUTANT_SECONDS = 3.0
WRITERS = 4
LIFE_SECONDS_MIN = 0.05
LIFE_SECONDS_MAX = 0.3
MUTANT_LIFE_SECONDS_MAX = 0.6
AT_WORK_LEAST = 6
DEEDS = (988, 4, 4, 4)
"""How often a writer writes, renames, truncates, dies. A file of another name is read from its start, which
heals what went wrong before: so that is rare."""
ALL_DEEDS = {"tore", "repeated", "renamed", "truncated", "died"}

PRODUCT = "from quotad.__main__ import main\n"

MUTANTS = {
    # The cursors of each batch are saved at once, its events with the next batch.
    "a cursor is saved without its events": PRODUCT
    + """
from msgspec.structs import replace
from quotad.domain.cursor import Batch
from quotad.store.ledger_file import LedgerFile
append = LedgerFile.append
late = []
def cursors_first(self, batch):
    append(self, Batch(batch.account, cursors=batch.cursors))
    while late:
        append(self, late.pop())
    late.append(replace(batch, cursors=[]))
    return []
LedgerFile.append = cursors_first
""",
    # Whatever was read is taken for whole lines.
    "partial lines are taken for lines": PRODUCT
    + """
from quotad.sources.tail import LineReader
def take(self, wanted):
    self._move_past(self.chunk, len(self.chunk), self.decode(self.chunk + b"\\n", self.batch))
LineReader._take = take
""",
    # No line is a copy of another.
    "nothing is a copy": PRODUCT
    + """
import uuid
from quotad.sources import transcript
from quotad.domain.usage import UsageEvent
transcript.make_event = lambda kind, values: UsageEvent(uuid.uuid4().hex, *values[1:])
""",
}

# What quotad imports only when it needs it is imported here, before it is needed.
NURSERY = """
import os, signal, sys, time
import pydantic, quotad.settings.document
for line in iter(sys.stdin.readline, ""):
    child = os.fork()
    if not child:
        main()
    time.sleep(float(line))
    os.kill(child, signal.SIGKILL)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Nursery:
    """Gives birth to daemons at once, and kills them."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def life(self, seconds: float) -> int:
        """How a daemon ended that was killed after so long: -9, unless it ended by itself."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{seconds}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@contextmanager
def nursery(place: Place, source: str) -> Iterator[Nursery]:
    """A nursery of what ``source`` calls ``main``; its daemons write to the place's ``stderr``."""
    with (
        place.stderr.open("ab") as err,
        subprocess.Popen(
            [sys.executable, "-c", source + NURSERY],
            env=place.environment(),
            cwd=place.root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=err,
            text=True,
        ) as process,
    ):
        yield Nursery(process)


class Writer:
    """One session at work: it tears lines, repeats, renames, truncates what it has copied, dies at times."""

    def __init__(self, projects: Path, name: str, seed: int) -> None:
        self._chance = Random(seed)
        self._directory = projects / f"-{name}"
        self._directory.mkdir()
        self._path = self._directory / "a.jsonl"
        self._file: FileIO
        self._session = name
        self._number = 0
        self.did: set[str] = set()

    def work(self, stop: Event) -> None:
        """Write until told to stop; the last line is whole."""
        chance = self._chance
        deeds = (self._write, self._rename, self._truncate, self._die)
        self._open()
        try:
            while not stop.wait(chance.uniform(0, 0.006)):
                chance.choices(deeds, DEEDS)[0](stop)
        finally:
            self._file.close()

    def _open(self) -> None:
        self._file = FileIO(self._path, "ab")

    def _write(self, stop: Event) -> None:
        line = self._line()
        if self._chance.random() < 0.4:
            cut = self._chance.randrange(1, len(line))
            self._file.write(line[:cut])
            stop.wait(self._chance.uniform(0, 0.02))
            line = line[cut:]
            self.did.add("tore")
        self._file.write(line)

    def _line(self) -> bytes:
        """A new call; or one of the last again, with as many tokens or with more."""
        number = self._number = self._number + 1
        if number > 10 and self._chance.random() < 0.3:
            number -= self._chance.randrange(1, 10)
            self.did.add("repeated")
        return call(
            f"msg {self._session} {number}",
            at_ms=now_ms(),
            session=self._session,
            tokens=(number, self._chance.randrange(1000), 7, 100_000),
            text=self._chance.choice(("ö", "日本語", "🙂")) * self._chance.choice((1, 10, 1_000)),
        )

    def _rename(self, _: Event) -> None:
        """Go on in the same file under its new name, or in a new one under the old name."""
        other = self._path.with_name(f"{self._chance.getrandbits(64):x}.jsonl")
        self._path.rename(other)
        if self._chance.random() < 0.5:
            self._path = other
        else:
            self._file.close()
            self._open()
        self.did.add("renamed")

    def _truncate(self, _: Event) -> None:
        shutil.copy(self._path, self._path.with_name(f"{self._chance.getrandbits(64):x}.jsonl"))
        os.truncate(self._path, 0)
        self.did.add("truncated")

    def _die(self, _: Event) -> None:
        """In the middle of a line, which the next one is glued to."""
        line = self._line()
        self._file.write(line[: len(line) // 2])
        self._file.write(self._line())
        self.did.add("died")


@dataclass(frozen=True)
class Counted:
    """What a count says: sums by session, and how many lines were bad."""

    sessions: Sums
    malformed: int

    @property
    def total(self) -> tuple[int, int]:
        """(calls, tokens) of all sessions."""
        return (
            sum(calls for calls, _ in self.sessions.values()),
            sum(sum(tokens) for _, tokens in self.sessions.values()),
        )


class Tortured(NamedTuple):
    """What had been written in the end, what the last daemon said of it, and what had happened."""

    expected: Counted
    actual: Counted
    ends: list[int]
    taken: list[int]
    did: set[str]
    stderr: str


def torture(
    source: str, seconds: float, *, seed: int, longest: float = LIFE_SECONDS_MAX, at_work: int = 0
) -> Tortured:
    """Let writers write while daemons are killed; then let one live, and ask it.

    With ``at_work`` it goes on until so many daemons have got further than the one before, and everything has
    happened: longer than ``seconds`` if need be, with longer lives where the machine is slow.
    """
    chance = Random(seed)
    with new_place() as place, ThreadPoolExecutor(WRITERS) as pool:
        writers = [Writer(place.projects, f"writer-{number}", seed + number) for number in range(WRITERS)]
        stop = Event()

        def did() -> set[str]:
            return set().union(*(writer.did for writer in writers))

        def enough() -> bool:
            return len(set(taken)) > at_work and did() == ALL_DEEDS

        with nursery(place, source) as daemons:
            ends, taken = [daemons.life(LIFE_SECONDS_MIN)], [0]
            working = [pool.submit(writer.work, stop) for writer in writers]
            over = time.monotonic() + seconds
            try:
                while time.monotonic() < over or (at_work and not enough()):
                    ends.append(daemons.life(chance.uniform(LIFE_SECONDS_MIN, longest)))
                    taken.append(calls_in_ledger(place))
                    if at_work and taken[-1] == taken[-2]:
                        longest *= 1.05
            finally:
                stop.set()
        for one in working:
            one.result()
        counts = recount(place.projects)
        expected = Counted(counts.by(lambda one: one.session), counts.malformed)
        with place.running(program=[sys.executable, "-c", f"{source}main()"]) as quotad:
            quotad.sync()
            rows = quotad.history("session")
            actual = Counted(sums(rows, "session"), quotad.status()["daemon"]["malformed_lines"])
        return Tortured(expected, actual, ends, taken, did(), place.stderr.read_text())


def calls_in_ledger(place: Place) -> int:
    """How many calls the ledger on disk holds when nobody writes to it; 0 if it is not there yet."""
    ledger = place.state / "ledger.db"
    try:
        with closing(sqlite3.connect(f"{ledger.as_uri()}?mode=ro", uri=True)) as db:
            count: int = db.execute("SELECT count(*) FROM call").fetchone()[0]
            return count
    except sqlite3.OperationalError:
        return 0


def test_nothing_is_lost_or_doubled_by_being_killed() -> None:
    """Dozens of SIGKILLs at any moment, and the sums are those of a recount of the files from scratch."""
    outcome = torture(PRODUCT, SECONDS, seed=1, at_work=AT_WORK_LEAST)
    assert outcome.expected == outcome.actual
    assert {-signal.SIGKILL} == set(outcome.ends)
    # They were killed at their work: some had taken in more than the last, none everything.
    assert len(set(outcome.taken)) > AT_WORK_LEAST
    assert outcome.taken[-1] < outcome.expected.total[0]
    assert ALL_DEEDS == outcome.did
    assert "Traceback" not in outcome.stderr


@pytest.fixture(scope="module")
def mutants() -> dict[str, Tortured]:
    """What became of each mutant; they are tortured side by side."""
    with ThreadPoolExecutor() as pool:
        outcomes = {
            name: pool.submit(torture, source, MUTANT_SECONDS, seed=2, longest=MUTANT_LIFE_SECONDS_MAX)
            for name, source in MUTANTS.items()
        }
        return {name: outcome.result() for name, outcome in outcomes.items()}


def test_a_cursor_without_its_events_is_caught(mutants: dict[str, Tortured]) -> None:
    """Calls are missing where a cursor is saved before what it covers."""
    outcome = mutants["a cursor is saved without its events"]
    assert outcome.actual.total < outcome.expected.total


def test_taking_partial_lines_for_lines_is_caught(mutants: dict[str, Tortured]) -> None:
    """Calls are missing where a torn line is not waited for."""
    outcome = mutants["partial lines are taken for lines"]
    assert outcome.actual.total < outcome.expected.total
    assert outcome.actual.malformed > outcome.expected.malformed


def test_counting_copies_is_caught(mutants: dict[str, Tortured]) -> None:
    """There are too many calls where each line is one."""
    outcome = mutants["nothing is a copy"]
    assert outcome.actual.total > outcome.expected.total
