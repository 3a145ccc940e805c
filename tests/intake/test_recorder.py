"""Nothing that was read is lost to a disk that takes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from quotad.clock import SystemClock
from quotad.domain.cursor import Batch
from quotad.domain.usage import UsageEvent
from quotad.intake.recorder import WAITING_EVENTS_MAX, Recorder
from quotad.store.ledger_file import LedgerFile
from quotad.store.thread import LedgerThread
from tests.domain.build import ANA, call


class PatientClock(SystemClock):
    """Sleeps until it is told to go on."""

    def __init__(self) -> None:
        self.asleep = asyncio.Event()
        self.go_on = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.asleep.set()
        await self.go_on.wait()


class Desk:
    """A recorder at work on a real ledger, whose disk can be full."""

    def __init__(self, path: Path) -> None:
        self.work: asyncio.Task[None]
        self.clock = PatientClock()
        self.ledger = LedgerThread(LedgerFile.open(path, stamp="x"), path)
        self.troubles: list[str | None] = []
        self.told: list[tuple[Batch, list[UsageEvent]]] = []
        self.recorder = Recorder(
            self.ledger,
            self.clock,
            self.troubles.append,
            lambda batch, known: self.told.append((batch, known)),
        )

    async def room(self, pages: int) -> None:
        """Let the ledger's file have so many pages."""
        await self.ledger.run(lambda ledger: ledger._db.execute(f"PRAGMA max_page_count = {pages}"))  # noqa: SLF001

    async def messages(self) -> list[str]:
        """What the ledger on disk knows."""
        found = await self.ledger.run(lambda ledger: ledger.recall(ANA, 0))
        return sorted(event.message for event in found.usage)


def batch_of(*messages: str) -> Batch:
    """A batch with a call of each message."""
    return Batch(ANA, usage=[call(message) for message in messages])


FULL, ROOMY = 1, 100_000
MANY = [f"{number:06}" for number in range(WAITING_EVENTS_MAX + 1)]


@asynccontextmanager
async def desk_in(directory: Path) -> AsyncIterator[Desk]:
    """A desk whose recorder runs."""
    desk = Desk(directory / "ledger.db")
    running = asyncio.TaskGroup()
    try:
        async with running as tasks:
            desk.work = tasks.create_task(desk.recorder.run())
            yield desk
            desk.work.cancel()
    finally:
        await asyncio.to_thread(desk.ledger.close)


async def test_batches_are_written_in_order_and_told(tmp_path: Path) -> None:
    """With the rows of calls that were known before, as they are now."""
    async with desk_in(tmp_path) as desk:
        first, again = batch_of("m", "n"), Batch(ANA, usage=[call("m", output=500)])
        desk.recorder.record(first)
        desk.recorder.record(again)
        await desk.recorder.settled()
        assert [(first, []), (again, [call("m", output=500)])] == desk.told
        assert ["m", "n"] == await desk.messages()
        assert desk.recorder.complete


async def test_what_a_full_disk_refuses_is_written_when_there_is_room(tmp_path: Path) -> None:
    """Nobody waits for it meanwhile, it is said what is wrong, and what came later stays behind it."""
    async with desk_in(tmp_path) as desk:
        await desk.room(FULL)
        desk.recorder.record(batch_of(*MANY[:2000]))
        await desk.recorder.settled()
        desk.recorder.record(batch_of("later"))
        (trouble,) = desk.troubles
        assert trouble is not None
        assert "full" in trouble
        assert [2000, 1] == [len(batch.usage) for batch in desk.recorder.unwritten(ANA)]
        assert not desk.recorder.complete
        await desk.clock.asleep.wait()
        await desk.room(ROOMY)
        desk.clock.go_on.set()
        await desk.recorder.settled()
        while not desk.recorder.complete:
            await desk.recorder.settled()
        assert 2001 == len(await desk.messages())
        assert desk.troubles[-1] is None


async def test_too_much_for_memory_is_let_go_until_it_is_read_again(tmp_path: Path) -> None:
    """What is recorded in between would leave a gap behind its cursor, so it is not taken."""
    async with desk_in(tmp_path) as desk:
        await desk.room(FULL)
        desk.recorder.record(batch_of(*MANY[:2000]))
        await desk.clock.asleep.wait()
        desk.recorder.record(batch_of(*MANY[2000 : WAITING_EVENTS_MAX + 1]))
        assert desk.recorder.lost.is_set()
        desk.recorder.record(batch_of("in between"))
        assert [] == desk.recorder.unwritten(ANA)
        assert not desk.recorder.complete
        await desk.room(ROOMY)
        desk.recorder.begin_again()
        desk.recorder.record(batch_of("after"))
        desk.clock.go_on.set()
        while not desk.recorder.complete:
            await desk.recorder.settled()
        assert ["after"] == await desk.messages()


async def test_a_large_batch_is_no_reason_to_let_go(tmp_path: Path) -> None:
    """As long as the disk takes it, it is written, whatever its size."""
    async with desk_in(tmp_path) as desk:
        desk.recorder.record(batch_of(*MANY))
        await desk.recorder.settled()
        assert (True, len(MANY)) == (desk.recorder.complete, len(await desk.messages()))


async def test_a_large_batch_is_tried_again_once_it_is_read_again(tmp_path: Path) -> None:
    """However much the same batch holds, the ledger takes it as soon as the disk does."""
    async with desk_in(tmp_path) as desk:
        await desk.room(FULL)
        desk.recorder.record(batch_of(*MANY))
        await desk.clock.asleep.wait()
        desk.recorder.record(batch_of("too much"))
        assert desk.recorder.lost.is_set()
        await desk.room(ROOMY)
        desk.recorder.begin_again()
        desk.recorder.record(batch_of(*MANY))
        assert not desk.recorder.lost.is_set()
        desk.clock.go_on.set()
        while not desk.recorder.complete:
            await desk.recorder.settled()
        assert MANY == await desk.messages()


async def test_the_end_writes_what_waits(tmp_path: Path) -> None:
    """What the disk does not take then is read again at the next start."""
    desk = Desk(tmp_path / "ledger.db")
    desk.recorder.record(batch_of("m"))
    await desk.recorder.finish()
    assert (True, ["m"]) == (desk.recorder.complete, await desk.messages())
    await desk.room(FULL)
    desk.recorder.record(batch_of(*MANY[:2000]))
    await desk.recorder.finish()
    assert not desk.recorder.complete
    await asyncio.to_thread(desk.ledger.close)


async def test_nobody_waits_for_a_recorder_that_was_stopped(tmp_path: Path) -> None:
    """Other directories may be followed instead, while a disk is full or much is to be written."""
    async with asyncio.timeout(10), desk_in(tmp_path) as desk, asyncio.TaskGroup() as tasks:
        await desk.room(FULL)
        desk.recorder.record(batch_of(*MANY[:2000]))
        await desk.clock.asleep.wait()
        desk.recorder.record(batch_of("more"))
        waiting = tasks.create_task(desk.recorder.settled())
        desk.work.cancel()
        await waiting
    assert not desk.recorder.complete
