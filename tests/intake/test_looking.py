"""What the intake looks at when it is asked for everything."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from quotad.clock import SystemClock
from quotad.domain.effects import Anchor, Effect, Recall
from quotad.domain.inputs import PolicyChanged
from quotad.domain.policy import Policy
from quotad.domain.state import State
from quotad.engine import Engine
from quotad.intake.files import AccountFiles, Places
from quotad.intake.intake import AT_ONCE_BYTES_MAX, Intake
from quotad.sources.scan import OLD_NS, SETTLED_NS
from quotad.sources.tree import COMPARED_AT_ONCE
from quotad.store.ledger_file import LedgerFile
from quotad.store.thread import LedgerThread
from tests.domain.build import ANA


class LateClock(SystemClock):
    """Directories that were made just now have been what they are for some time."""

    def file_time_ns(self) -> int:
        return time.time_ns() + SETTLED_NS


def grow(path: Path) -> int:
    """Append a line to an old transcript that stays old; its size."""
    with path.open("a") as file:
        file.write("{}\n")
    at_ns = time.time_ns() - 2 * OLD_NS
    os.utime(path, ns=(at_ns, at_ns))
    return path.stat().st_size


@asynccontextmanager
async def beginning(root: Path, ledger_path: Path) -> AsyncIterator[Intake]:
    """An intake that is to read what is under ``root``, and that nobody tells of changes."""
    ledger = LedgerThread(LedgerFile.open(ledger_path, stamp="x"), ledger_path)

    def carry(effect: Effect) -> None:
        if isinstance(effect, Recall | Anchor):
            intake.ask(effect)

    clock = LateClock()
    engine = Engine(State(Policy()), clock, carry)
    intake = Intake(engine, ledger, clock)
    engine.submit(PolicyChanged(engine.state.policy, (ANA,)))
    try:
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            running = tasks.create_task(intake.read([Places(ANA, (root,), ())]))
            yield intake
            running.cancel()
    finally:
        await asyncio.to_thread(intake.close)
        await asyncio.to_thread(ledger.close)


@asynccontextmanager
async def looking(root: Path, ledger_path: Path) -> AsyncIterator[tuple[Intake, AccountFiles]]:
    """An intake that has read what is under ``root``, and that nobody tells of changes."""
    async with beginning(root, ledger_path) as intake:
        await intake.caught_up.wait()
        (files,) = intake.accounts
        yield intake, files


async def test_who_asks_at_the_start_reads_nothing_of_what_is_being_laid_out(tmp_path: Path) -> None:
    """However much changed lately, it is read in its order in the background, and he does not wait for it."""
    root = tmp_path / "projects"
    root.mkdir()
    for number in range(2 * COMPARED_AT_ONCE):
        (root / f"{number}.jsonl").write_text("{}\n")
    async with beginning(root, tmp_path / "ledger.db") as intake:
        while not intake.progress.files:
            await intake.refresh()
            assert 0 == sum(files.known for files in intake.accounts)
            await LateClock().sleep(0)
        await intake.caught_up.wait()
        assert [2 * COMPARED_AT_ONCE] == [files.known for files in intake.accounts]


async def test_sync_takes_in_what_nobody_told_of_in_an_old_file(tmp_path: Path) -> None:
    """No watcher runs, and the sweep before was a moment ago: other sweeps would pass it over."""
    root = tmp_path / "projects"
    root.mkdir()
    grow(root / "old.jsonl")
    async with looking(root, tmp_path / "ledger.db") as (intake, files):
        for _ in range(3):
            size = grow(root / "old.jsonl")
            await intake.sync()
            assert size == files.bytes
            await intake.sync()


async def test_a_look_takes_in_all_that_was_appended_however_much(tmp_path: Path) -> None:
    """What is read on the loop and what is left to other threads is one reading."""
    root = tmp_path / "projects"
    root.mkdir()
    path = root / "live.jsonl"
    path.write_text("{}\n")
    async with looking(root, tmp_path / "ledger.db") as (intake, files):
        for size in (1, AT_ONCE_BYTES_MAX // 3, AT_ONCE_BYTES_MAX, 10 * AT_ONCE_BYTES_MAX):
            with path.open("a") as file:
                file.write("{}\n" * (size // 3 + 1))
            await intake.refresh()
            assert path.stat().st_size == files.bytes
        assert (files.bytes // 3, 0) == (files.lines, files.malformed)


async def test_a_look_takes_in_many_files_that_grew_a_little(tmp_path: Path) -> None:
    """Each is read at once; together they are more than is read without a pause."""
    root = tmp_path / "projects"
    root.mkdir()
    paths = [root / f"{number}.jsonl" for number in range(20)]
    for path in paths:
        path.write_text("{}\n")
    async with looking(root, tmp_path / "ledger.db") as (intake, files):
        for path in paths:
            with path.open("a") as file:
                file.write("{}\n" * (AT_ONCE_BYTES_MAX // 9))
        await intake.refresh()
        assert sum(path.stat().st_size for path in paths) == files.bytes
