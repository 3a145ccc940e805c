"""What the intake looks at when it is asked for everything."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from quotad.clock import SystemClock
from quotad.domain.effects import Anchor, Effect, Recall
from quotad.domain.inputs import PolicyChanged
from quotad.domain.policy import Policy
from quotad.domain.state import State
from quotad.engine import Engine
from quotad.intake.files import Places
from quotad.intake.intake import Intake
from quotad.sources.scan import OLD_NS, SETTLED_NS
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


async def test_sync_takes_in_what_nobody_told_of_in_an_old_file(tmp_path: Path) -> None:
    """No watcher runs, and the sweep before was a moment ago: other sweeps would pass it over."""
    root, path = tmp_path / "projects", tmp_path / "ledger.db"
    root.mkdir()
    grow(root / "old.jsonl")
    ledger = LedgerThread(LedgerFile.open(path, stamp="x"), path)

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
            await intake.caught_up.wait()
            (files,) = intake.accounts
            for _ in range(3):
                size = grow(root / "old.jsonl")
                await intake.sync()
                assert size == files.bytes
                await intake.sync()
            running.cancel()
    finally:
        await asyncio.to_thread(intake.close)
        await asyncio.to_thread(ledger.close)
