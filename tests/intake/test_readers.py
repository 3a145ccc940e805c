"""Reading in a process beside the daemon: it is what reading in a thread is, and survives it."""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from quotad.domain.usage import AccountId
from quotad.intake.reader import NICENESS, receive, send
from quotad.intake.readers import PROCESS_BYTES, Readers
from quotad.intake.reading import FILE_BYTES, Order, Taken, read
from quotad.sources.session_log import SessionLogDecoder
from quotad.sources.tail import UNFINISHED

SAMPLES = Path(__file__).parents[1] / "samples" / "projects"
NICENESS_MAX = 19
"""Nobody can be nicer."""
ANA = AccountId("/home/ana/.claude")


def orders() -> list[Order]:
    """Every sample, from its start."""
    return [Order(str(path), None) for path in sorted(SAMPLES.rglob("*.jsonl"))]


def children() -> list[int]:
    """The processes that this one has started and that live."""
    listed = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    )
    rows = [line.split(maxsplit=2) for line in listed.stdout.splitlines()]
    return [int(pid) for pid, parent, what in rows if int(parent) == os.getpid() and "quotad" in what]


@asynccontextmanager
async def reading_apart() -> AsyncIterator[Readers]:
    """Readers that have much to read, of which nothing stays."""
    readers = Readers(processors=2)
    try:
        readers.prepare([PROCESS_BYTES - 1, 1])
        yield readers
    finally:
        await asyncio.to_thread(readers.close)
    assert [] == children()


async def test_a_process_reads_what_a_thread_reads() -> None:
    """Events, readings, cursors and counts of every sample are the same on both ways."""
    async with reading_apart() as readers:
        apart = await readers.read(ANA, orders())
        assert 1 == len(children())
    here = read(ANA, orders())
    assert here.batch.usage
    assert here.batch.readings
    assert here == apart


async def test_a_process_that_reads_lets_others_go_first() -> None:
    """It is nicer than the daemon, whose loop would wait for a processor otherwise."""
    async with reading_apart() as readers:
        await readers.read(ANA, orders())
        (pid,) = children()
        assert min(os.nice(0) + NICENESS, NICENESS_MAX) == os.getpriority(os.PRIO_PROCESS, pid)


async def test_a_process_reads_on_where_a_file_was_left(tmp_path: Path) -> None:
    """A cursor goes there and back: what was read is not read again, what is too much comes later."""
    path = tmp_path / "long.jsonl"
    path.write_bytes(b"{}\n" * (FILE_BYTES // 3 + 10))
    async with reading_apart() as readers:
        first = await readers.read(ANA, [Order(str(path), None)])
        assert [str(path)] == first.rest
        (cursor,) = first.batch.cursors
        assert UNFINISHED == cursor.mtime_ns
        second = await readers.read(ANA, [Order(str(path), cursor)])
    assert [] == second.rest
    assert path.stat().st_size == first.batch.bytes_read + second.batch.bytes_read


async def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    """One that is gone is told, and the others are read."""
    gone = str(tmp_path / "gone.jsonl")
    async with reading_apart() as readers:
        taken = await readers.read(ANA, [Order(gone, None), *orders()])
    assert [gone] == [one.path for one in taken.failed]
    assert len(orders()) == len(taken.batch.cursors)


async def test_orders_that_come_together_are_read_one_after_the_other() -> None:
    """By one process, each with what it asked for."""
    whole = read(ANA, orders())
    async with reading_apart() as readers:
        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(readers.read(ANA, [order])) for order in orders()]
        assert 1 == len(children())
    assert whole.batch.cursors == [cursor for one in asked for cursor in one.result().batch.cursors]


async def test_a_process_that_is_killed_loses_nothing() -> None:
    """What it was to read is read here, by this order and by the next ones."""
    whole = read(ANA, orders())
    async with reading_apart() as readers:
        assert whole == await readers.read(ANA, orders())
        (pid,) = children()
        os.kill(pid, signal.SIGKILL)
        assert whole == await readers.read(ANA, orders())
        assert [] == children()
        assert whole == await readers.read(ANA, orders())
        assert [] == children()


async def test_an_order_that_waits_while_the_process_dies_is_read_here_too() -> None:
    """What killed one would kill the next, whether or not the order was there already."""
    whole = read(ANA, orders())
    async with reading_apart() as readers:
        await readers.read(ANA, orders())
        (pid,) = children()
        os.kill(pid, signal.SIGKILL)
        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(readers.read(ANA, orders())) for _ in range(2)]
        assert [] == children()
    assert [whole, whole] == [one.result() for one in asked]


async def test_session_logs_and_paths_that_are_no_text_are_read_here(tmp_path: Path) -> None:
    """A log's decoder numbers its lines, and a message holds text: neither goes to another process."""
    odd = tmp_path / os.fsdecode(b"odd-\xff.jsonl")
    shutil.copy(next(iter(SAMPLES.rglob("*.jsonl"))), odd)
    log = tmp_path / "sessions.jsonl"
    log.write_text('{"type":"session_start","timestamp":"2026-11-02T09:00:00Z","session_id":"s"}\n')
    async with reading_apart() as readers:
        for order in (Order(str(odd), None), Order(str(log), None, SessionLogDecoder().decode)):
            taken: Taken = await readers.read(ANA, [order])
            assert [order.path] == [cursor.path for cursor in taken.batch.cursors]
            assert [] == children()


async def test_a_little_is_read_without_another_process() -> None:
    """One that starts would take longer than the reading; and when all is read none stays."""
    async with reading_apart() as readers:
        await readers.read(ANA, orders())
        await readers.rest()
        assert [] == children()
        readers.prepare([PROCESS_BYTES - 2, 1])
        await readers.read(ANA, orders())
        assert [] == children()


async def test_on_one_processor_nothing_is_read_apart() -> None:
    """Two processes would only take turns."""
    readers = Readers(processors=1)
    readers.prepare([PROCESS_BYTES])
    await readers.read(ANA, orders())
    assert [] == children()
    await asyncio.to_thread(readers.close)


def test_a_stream_that_ends_inside_a_message_is_told_from_one_that_ends() -> None:
    """Only between messages an end is an end."""
    stream = io.BytesIO()
    send(stream, b"message")
    whole = stream.getvalue()
    assert b"message" == receive(io.BytesIO(whole))
    assert None is receive(io.BytesIO(b""))
    for size in range(1, len(whole)):
        with pytest.raises(EOFError):
            receive(io.BytesIO(whole[:size]))
