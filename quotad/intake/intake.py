"""What is read when: what the current window needs, then history, and before each answer what is new.

A line goes from its file through a decoder to the engine, which knows it at once, and to the ledger on
disk together with the cursor that covers it. Reading twice is harmless, so nothing here has to be exact
about where a reading ended; it only must not leave anything out.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import NamedTuple, assert_never

from quotad.clock import Clock
from quotad.domain.cursor import Batch, Cursor
from quotad.domain.effects import Anchor, Recall
from quotad.domain.inputs import CaughtUp, ProblemCleared, ProblemRaised, Remembered, Seen
from quotad.domain.instant import Instant
from quotad.domain.usage import AccountId
from quotad.engine import Engine
from quotad.intake.files import AccountFiles, Places
from quotad.intake.history import BATCH_BYTES, Order, news, read
from quotad.intake.recollection import anchored, recalled
from quotad.intake.recorder import Recorder
from quotad.sources.tail import follow
from quotad.sources.tree import Found
from quotad.sources.watch import WatchUnavailable, hints
from quotad.store.thread import LedgerThread

LIVE_BYTES_MAX = 4 * 1024 * 1024
"""A file that grew by more is left to the reading thread, so that no answer waits for it."""
LIVE_FILES_MAX = 100
"""More changed files than this at once are left to the reading thread, too."""
PORTION = 500
"""Events the engine takes in before others have their turn: a few milliseconds."""
HOT_SECONDS = 3.0
"""Hot files are looked at this often without any hint."""
LOOKS_PER_SWEEP = 10
"""After so many looks at the hot files all files are looked at."""

LEDGER_TROUBLE = "ledger-unavailable"
UNREADABLE = "unreadable"
WATCH_TROUBLE = "watch-unavailable"


class Waiting(NamedTuple):
    """A file whose reading is left to the thread."""

    files: AccountFiles
    found: Found


@dataclass(slots=True)
class Progress:
    """How much of what was there at the start has been read."""

    files: int = 0
    files_done: int = 0
    bytes: int = 0
    bytes_done: int = 0


class Intake:
    """Keeps engine and ledger at what the files say."""

    def __init__(self, engine: Engine, ledger: LedgerThread, clock: Clock) -> None:
        self._engine = engine
        self._ledger = ledger
        self._clock = clock
        self._recorder = Recorder(ledger, clock, lambda message: self._problem(LEDGER_TROUBLE, message))
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reader")
        self._accounts: list[AccountFiles] = []
        self._asks: asyncio.Queue[Recall | Anchor] = asyncio.Queue()
        self._waiting: deque[Waiting] = deque()
        self._waiting_paths: set[str] = set()
        self._more = asyncio.Event()
        self._idle = asyncio.Event()
        self._looking = asyncio.Lock()
        self._stop_watching = asyncio.Event()
        self.progress = Progress()
        self.current = asyncio.Event()
        """Set once everything has been read that the current window can need."""
        self.caught_up = asyncio.Event()
        """Set once everything has been read that was there at the start."""

    @property
    def accounts(self) -> Sequence[AccountFiles]:
        return self._accounts

    def ask(self, question: Recall | Anchor) -> None:
        """Answer a question of the domain's, by an input, when its turn comes."""
        self._asks.put_nowait(question)

    async def run(self, places: Sequence[Places]) -> None:
        """Read what is there and follow it for ever; the engine knows the accounts already."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._answer())
            tasks.create_task(self._recorder.keep_trying())
            await self._open(places)
            tasks.create_task(self._read_history())
            await self.current.wait()
            tasks.create_task(self._look_again_and_again())
            tasks.create_task(self._follow_hints())
            tasks.create_task(self._catch_up())
            tasks.create_task(self._recover())

    async def refresh(self) -> None:
        """Take in what was appended to hot files: afterwards no answer is older than its question."""
        async with self._looking:
            for files in self._accounts:
                seen = files.tree.glance(self._clock.file_time_ns())
                files.looked(seen, everywhere=False)
                await self._take(files, seen.changed)
        self._tell_unreadable()

    async def sync(self) -> None:
        """Return once everything that is on disk now has been taken in and written down."""
        await self._sweep()
        await self._idle.wait()
        await self._recorder.settled()
        await self._asks.join()

    async def settled(self) -> None:
        """Return once everything that was read has been handed to the ledger on disk."""
        await self._recorder.settled()

    def close(self) -> None:
        """Let go of the reading thread; blocking."""
        self._reader.shutdown()

    # At the start.

    async def _open(self, places: Sequence[Places]) -> None:
        marks = await self._ledger.run(lambda ledger: ledger.marks(0))
        self._engine.submit(Remembered(tuple(marks)))
        for place in places:
            self._accounts.append(AccountFiles(place, await self._known(place.account)))
        await self._asks.join()
        async with self._looking:
            found = [one for files in self._accounts for one in await self._look(files)]
        found.sort(key=lambda one: one.found.stamp.mtime_ns, reverse=True)
        self._leave_to_thread(found)
        self.progress.files = len(found)
        self.progress.bytes = sum(one.found.stamp.size for one in found)

    async def _known(self, account: AccountId) -> dict[str, Cursor]:
        return await self._ledger.run(lambda ledger: ledger.cursors(account))

    async def _look(self, files: AccountFiles) -> list[Waiting]:
        loop = asyncio.get_running_loop()
        scan = await loop.run_in_executor(self._reader, files.tree.scan, self._clock.file_time_ns())
        seen = files.tree.compare(scan)
        vanished = files.looked(seen, everywhere=True)
        if vanished:
            await self._ledger.run(lambda ledger: ledger.forget(files.account, vanished))
        return [Waiting(files, one) for one in seen.changed]

    async def _catch_up(self) -> None:
        await self._idle.wait()
        await self._recorder.settled()
        await self._asks.join()
        self._engine.submit(CaughtUp())
        self.caught_up.set()

    # What is left to the reading thread: history, and whatever grew by much.

    def _leave_to_thread(self, found: Iterable[Waiting]) -> None:
        for one in found:
            if one.found.path not in self._waiting_paths:
                self._waiting_paths.add(one.found.path)
                self._waiting.append(one)
        if self._waiting:
            self._idle.clear()
        self._more.set()

    async def _read_history(self) -> None:
        needed_ns = self._needed_since() * 1_000_000
        while True:
            await self._more.wait()
            self._more.clear()
            while self._waiting:
                if self._waiting[0].found.stamp.mtime_ns < needed_ns:
                    await self._now_current()
                await self._read_some()
            self._idle.set()
            await self._now_current()

    def _needed_since(self) -> Instant:
        """What changed later may hold events of the current window; the rest is history."""
        return min((account.horizon for account in self._engine.state.accounts.values()), default=0)

    async def _now_current(self) -> None:
        if not self.current.is_set():
            await self._recorder.settled()
            await self._asks.join()
            self.current.set()

    async def _read_some(self) -> None:
        """Read the next files of one account, newest first."""
        files = self._waiting[0].files
        orders: list[Order] = []
        size = 0
        while self._waiting and self._waiting[0].files is files and size < BATCH_BYTES:
            found = self._waiting.popleft().found
            cursor = files.cursor(found.path)
            size += found.stamp.size - (cursor.offset if cursor else 0)
            orders.append(Order(found, cursor, files.decoder(found.path), files.decoder_anew(found.path)))
        reading = await asyncio.get_running_loop().run_in_executor(self._reader, read, files.account, orders)
        for path, reason in reading.failed:
            files.failed(path, reason)
        self._waiting.extendleft(Waiting(files, found) for found in reversed(reading.rest))
        self._waiting_paths -= {order.found.path for order in orders} - {found.path for found in reading.rest}
        self.progress.files_done += len(orders) - len(reading.rest)
        written = self._recorder.record(reading.batch)
        await self._hand_over(files, reading.batch)
        await written

    # What happens now.

    async def _take(self, files: AccountFiles, changed: Iterable[Found]) -> None:
        """Read what is new in a few files, at once."""
        batch = Batch(files.account)
        much: list[Waiting] = []
        for found in changed:
            if found.path in self._waiting_paths:
                continue
            cursor = files.cursor(found.path)
            if found.stamp.size - (cursor.offset if cursor else 0) > LIVE_BYTES_MAX:
                much.append(Waiting(files, found))
                continue
            try:
                cursor = await follow(
                    found.path,
                    cursor,
                    files.decoder(found.path),
                    batch,
                    anew=files.decoder_anew(found.path),
                )
            except OSError as fault:
                files.failed(found.path, fault.strerror or str(fault))
            else:
                batch.cursors.append(cursor)
        self._leave_to_thread(much)
        if batch.cursors:
            self._recorder.record(batch)
            await self._hand_over(files, batch)

    async def _hand_over(self, files: AccountFiles, batch: Batch) -> None:
        """Let the engine know, in portions that do not hold the loop."""
        for cursor in batch.cursors:
            files.taken(cursor)
        self.progress.bytes_done += batch.bytes_read
        account = self._engine.state.accounts.get(batch.account)
        if account is not None:
            await self._submit(news(batch, account.horizon))

    async def _submit(self, seen: Seen) -> None:
        for begin in range(0, max(1, len(seen.usage)), PORTION):
            portion = replace(seen, usage=seen.usage[begin : begin + PORTION])
            self._engine.submit(portion)
            seen = replace(seen, logs=(), readings=())
            await self._clock.sleep(0)

    async def _sweep(self) -> None:
        """Look at everything and take in what is new."""
        async with self._looking:
            for files in self._accounts:
                found = await self._look(files)
                if len(found) > LIVE_FILES_MAX:
                    self._leave_to_thread(found)
                else:
                    await self._take(files, [one.found for one in found])
        self._tell_unreadable()

    async def _look_again_and_again(self) -> None:
        while True:
            for look in range(LOOKS_PER_SWEEP):
                await self._clock.sleep(HOT_SECONDS)
                await (self.refresh() if look else self._sweep())

    async def _follow_hints(self) -> None:
        roots = [root for files in self._accounts for root in files.watched]
        async for paths in hints(roots, self._stop_watching, self._clock.sleep):
            if isinstance(paths, WatchUnavailable):
                self._problem(WATCH_TROUBLE, paths.reason)
                continue
            for files in self._accounts:
                files.tree.hint(paths)
            await self.refresh()

    # What the domain and the disk ask for.

    async def _answer(self) -> None:
        while True:
            question = await self._asks.get()
            try:
                await self._answer_one(question)
            except sqlite3.Error as fault:
                self._problem(LEDGER_TROUBLE, f"the ledger cannot be read: {fault}")
            finally:
                self._asks.task_done()

    async def _answer_one(self, question: Recall | Anchor) -> None:
        match question:
            case Recall():
                answer = await self._ledger.run(lambda ledger: recalled(ledger, question))
                self._engine.submit(replace(answer, usage=()))
                await self._submit(Seen(answer.account, answer.usage))
            case Anchor():
                self._engine.submit(await self._ledger.run(lambda ledger: anchored(ledger, question)))
            case _:
                assert_never(question)

    async def _recover(self) -> None:
        """After the disk took nothing for too long: read again from where the ledger on disk is."""
        while True:
            await self._recorder.overflowed.wait()
            self._recorder.overflowed.clear()
            await self._recorder.written.wait()
            for files in self._accounts:
                files.resume(await self._known(files.account))
            await self._sweep()

    def _tell_unreadable(self) -> None:
        unreadable = [one for files in self._accounts for one in files.unreadable]
        if not unreadable:
            self._problem(UNREADABLE, None)
            return
        others = f" (and {len(unreadable) - 1} more)" if len(unreadable) > 1 else ""
        self._problem(
            UNREADABLE,
            f"{unreadable[0].path} cannot be read: {unreadable[0].reason}{others}. "
            "Everything else is counted; this is tried again",
        )

    def _problem(self, code: str, message: str | None) -> None:
        if message is not None:
            self._engine.submit(ProblemRaised(code, message))
        elif code in self._engine.state.problems:
            self._engine.submit(ProblemCleared(code))
