"""What is read when: what the current window needs, then history, and before each answer what is new.

A line goes from its file through a decoder to the engine, which knows it at once, and to the ledger on
disk together with the cursor that covers it. Reading twice is harmless, so nothing here has to be exact
about where a reading ended; it only must not leave anything out.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

from quotad.clock import Clock
from quotad.domain.cursor import Batch, Cursor
from quotad.domain.effects import Anchor, Recall
from quotad.domain.inputs import CaughtUp, ProblemCleared, ProblemRaised, Remembered, Seen
from quotad.domain.instant import Instant
from quotad.domain.policy import WindowSpec
from quotad.domain.reading import Reading
from quotad.domain.usage import AccountId, UsageEvent
from quotad.engine import Engine
from quotad.intake.backlog import Backlog, Progress, Waiting
from quotad.intake.files import AccountFiles, Places
from quotad.intake.history import corrections, news
from quotad.intake.portions import completed, submit
from quotad.intake.questions import Questions
from quotad.intake.recollection import let_go
from quotad.intake.recorder import RETRY_SECONDS, Recorder
from quotad.sources.scan import Scan
from quotad.sources.tail import finished, follow, read_file
from quotad.sources.tree import Care, Found
from quotad.sources.watch import WatchUnavailable, hints
from quotad.store.thread import LedgerThread

LIVE_BYTES_MAX = 4 * 1024 * 1024
"""A file that grew by more is left to the reading thread, so that no answer waits for it."""
AT_ONCE_BYTES_MAX = 64 * 1024
"""So much of live files is read on the loop before others have their turn: a millisecond at most."""
LIVE_FILES_MAX = 100
"""More changed files than this at once are left to the reading thread, too."""
HOT_SECONDS = 5.0
"""Hot files are looked at this often without any hint."""
LOOKS_PER_SWEEP = 6
"""Every so many looks are at all files."""

LEDGER_TROUBLE = "ledger-unavailable"
SET_ASIDE = "ledger-set-aside"
UNREADABLE = "unreadable"
WATCH_TROUBLE = "watch-unavailable"


def stamp(now: Instant) -> str:
    """An instant as a part of a file's name."""
    return datetime.fromtimestamp(now / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")


class Intake:
    """Keeps engine and ledger at what the files say."""

    def __init__(
        self, engine: Engine, ledger: LedgerThread, clock: Clock, hurried: Callable[[], bool] = lambda: True
    ) -> None:
        """``hurried``: whether somebody waits to be told of changes; it is called from another thread."""
        self._hurried = hurried
        self._engine = engine
        self._ledger = ledger
        self._clock = clock
        self._recorder = Recorder(
            ledger, clock, lambda message: self._problem(LEDGER_TROUBLE, message), self._correct
        )
        self._backlog = Backlog(self._recorder, self._hand_over)
        self._scanner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="scanner")
        self._accounts: list[AccountFiles] = []
        self._questions = Questions(engine, ledger, self._recorder, clock, self._problem)
        self._looking = asyncio.Lock()
        self._asked = self._served = 0
        self._watching = False
        self.current = asyncio.Event()
        """Set once everything has been read that the current window can need."""
        self.caught_up = asyncio.Event()
        """Set once everything has been read that was there at the start."""

    @property
    def progress(self) -> Progress:
        return self._backlog.progress

    @property
    def accounts(self) -> Sequence[AccountFiles]:
        return self._accounts

    def ask(self, question: Recall | Anchor) -> None:
        """Answer a question of the domain's, by an input, when its turn comes."""
        self._questions.ask(question)

    async def run(self, places: Sequence[Places]) -> None:
        """Read what is there and follow it for ever; the engine knows the accounts already."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.read(places))
            await self.current.wait()
            tasks.create_task(self._look_again_and_again())
            tasks.create_task(self._follow_hints())

    async def read(self, places: Sequence[Places]) -> None:
        """Read what is there, without following it; goes on until it is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._questions.run())
            tasks.create_task(self._recorder.run())
            await self._open(places)
            tasks.create_task(self._recover())
            tasks.create_task(self._read_history())
            await self.current.wait()
            tasks.create_task(self._catch_up())

    async def refresh(self) -> None:
        """Take in what was appended to hot files: afterwards no answer is older than its question.

        One look serves everybody who asked before it began.
        """
        self._asked += 1
        mine = self._asked
        async with self._looking:
            if self._served >= mine:
                return
            serving = self._asked
            await self._look(only_hinted=False)
            self._served = serving
        self._tell_unreadable()

    async def sync(self) -> None:
        """Return once everything that is on disk now has been taken in and written down."""
        await self._sweep(Care.EVERYTHING)
        await self._backlog.idle.wait()
        await self._recorder.settled()
        await self._questions.answered()
        if not self._recorder.lost.is_set():
            # What was there at the start is taken in, too; whoever says so may have his turn after this.
            await self.caught_up.wait()

    def heard(self, account: AccountId, readings: Iterable[Reading]) -> None:
        """Take in what somebody was told by the provider: a status line, a hook, a person.

        Of an account that is not followed nothing is known. What a session only repeats is left out.
        """
        files = next((one for one in self._accounts if one.account == account), None)
        known = self._engine.state.accounts.get(account)
        if files is None or known is None:
            return
        news = files.hearsay.news(readings, known.ledger.last_use)
        if news:
            latest = max(one.received_at for one in news)
            self._recorder.record(Batch(account, readings=news, latest=latest))
            self._engine.submit(Seen(account, readings=tuple(news)))

    async def let_go(self, before: Instant) -> None:
        """Drop what the ledger on disk holds from before an instant; once everything has been read."""
        policy = self._engine.state.policy
        for account in self._engine.state.accounts.values():
            identity, specs = account.id, account.specs(policy)
            await self._forget(identity, specs, before)

    async def _forget(self, account: AccountId, specs: Sequence[WindowSpec], before: Instant) -> None:
        try:
            await self._ledger.run(lambda ledger: let_go(ledger, account, specs, before))
        except sqlite3.Error as fault:
            self._problem(LEDGER_TROUBLE, f"old records could not be dropped from the ledger: {fault}")

    async def settled(self) -> None:
        """Return once the ledger on disk has everything that was read."""
        await self._recorder.settled()

    async def finish(self) -> bool:
        """Write down what was read; nothing runs any more. Whether the ledger on disk has all of it."""
        await self._recorder.finish()
        return self._recorder.complete

    def close(self) -> None:
        """Let go of the threads; blocking."""
        self._backlog.close()
        self._scanner.shutdown()

    # At the start.

    async def _open(self, places: Sequence[Places]) -> None:
        marks = await self._ledger.run(lambda ledger: ledger.marks(0))
        self._engine.submit(Remembered(tuple(marks)))
        for place in places:
            self._accounts.append(AccountFiles(place, await self._known(place.account)))
        await self._questions.answered()
        await self._look_at_caches()
        scans = [(files, await self._scan(files, Care.EVERYTHING)) for files in self._accounts]
        found: list[Waiting] = []
        gone: list[tuple[AccountFiles, Sequence[str]]] = []
        # After a change of settings others ask already; what they found unread they would read at once.
        async with self._looking:
            for files, scan in scans:
                changed, vanished = await self._compare(files, scan)
                found += changed
                gone.append((files, vanished))
            found.sort(key=lambda one: one.found.stamp.mtime_ns, reverse=True)
            await self._clock.sleep(0)
            self._backlog.add(found)
            self.progress.files = len(found)
            self.progress.bytes = sum(one.found.stamp.size for one in found)
        for files, vanished in gone:
            await self._drop_cursors(files, vanished)

    async def _known(self, account: AccountId) -> dict[str, Cursor]:
        return await self._ledger.run(lambda ledger: ledger.cursors(account))

    async def _scan(self, files: AccountFiles, care: Care) -> Scan:
        look = partial(files.tree.scan, self._clock.file_time_ns(), care)
        return await asyncio.get_running_loop().run_in_executor(self._scanner, look)

    async def _compare(self, files: AccountFiles, scan: Scan) -> tuple[list[Waiting], Sequence[str]]:
        """What changed, and what vanished of what was taken in."""
        seen = await completed(files.tree.compare(scan), self._clock)
        vanished = files.looked(seen, everywhere=True)
        await self._clock.sleep(0)
        return [Waiting(files, one) for one in seen.changed], vanished

    async def _drop_cursors(self, files: AccountFiles, vanished: Sequence[str]) -> None:
        """Drop the cursors of files that are gone; what the disk does not take the next daemon drops."""
        if vanished:
            with suppress(sqlite3.Error):
                await self._ledger.run(lambda ledger: ledger.forget(files.account, vanished))

    async def _catch_up(self) -> None:
        while True:
            await self._backlog.idle.wait()
            await self._recorder.settled()
            await self._questions.answered()
            if self._recorder.lost.is_set():
                await self._clock.sleep(RETRY_SECONDS)
            elif self._backlog.idle.is_set():
                break
        self._engine.submit(CaughtUp())
        self.caught_up.set()

    # What is read in the background.

    async def _read_history(self) -> None:
        await self._backlog.run(self._needed_since() * 1_000_000, self._now_current)

    def _needed_since(self) -> Instant:
        """What changed later may hold events of the current window; the rest is history."""
        return min((account.horizon for account in self._engine.state.accounts.values()), default=0)

    async def _now_current(self) -> None:
        if not self.current.is_set():
            await self._recorder.settled()
            await self._questions.answered()
            self.current.set()

    # What happens now.

    async def _take(self, files: AccountFiles, changed: Iterable[Found]) -> None:
        """Read what is new in a few files, at once."""
        batch = Batch(files.account)
        much: list[Waiting] = []
        rested = 0
        for found in changed:
            if found.path in self._backlog:
                continue
            if batch.bytes_read - rested > AT_ONCE_BYTES_MAX:
                rested = batch.bytes_read
                await self._clock.sleep(0)
            cursor = files.cursor(found.path)
            if found.stamp.size - (cursor.offset if cursor else 0) > LIVE_BYTES_MAX:
                much.append(Waiting(files, found))
                continue
            try:
                cursor = await self._read_live(files, found.path, cursor, batch)
            except OSError as fault:
                files.failed(found.path, fault.strerror or str(fault))
            else:
                batch.cursors.append(cursor)
        if much:
            self._backlog.add(much)
        if batch.cursors:
            self._recorder.record(batch)
            await self._hand_over(files, batch)

    @staticmethod
    async def _read_live(files: AccountFiles, path: str, cursor: Cursor | None, batch: Batch) -> Cursor:
        """A few lines cost less to read than a thread to ask: the look that found them blocked as long."""
        decode, anew = files.decoder(path), files.decoder_anew(path)
        cursor = read_file(path, cursor, decode, batch, limit_bytes=AT_ONCE_BYTES_MAX, anew=anew)
        if finished(cursor):
            return cursor
        return await follow(path, cursor, files.decoder(path), batch, anew=anew)

    async def _hand_over(self, files: AccountFiles, batch: Batch) -> None:
        """Let the engine know, in portions that do not hold the loop."""
        for cursor in batch.cursors:
            files.taken(cursor)
        self.progress.bytes_done += batch.bytes_read
        account = self._engine.state.accounts.get(batch.account)
        if account is not None:
            await submit(self._engine, news(batch, account), self._clock)

    async def _look(self, *, only_hinted: bool) -> None:
        for files in self._accounts:
            now_ns = self._clock.file_time_ns()
            seen = files.tree.look_at_hinted(now_ns) if only_hinted else files.tree.glance(now_ns)
            files.looked(seen, everywhere=False)
            if seen.changed:
                await self._take(files, seen.changed)

    async def _sweep(self, care: Care) -> None:
        """Look everywhere and take in what is new."""
        await self._look_at_caches()
        for files in self._accounts:
            scan = await self._scan(files, care)
            async with self._looking:
                changed, vanished = await self._compare(files, scan)
                if len(changed) > LIVE_FILES_MAX:
                    self._backlog.add(changed)
                else:
                    await self._take(files, [one.found for one in changed])
            # Not while everybody who asks waits for the look: the ledger may be at something else.
            await self._drop_cursors(files, vanished)
        self._tell_unreadable()

    async def _look_at_caches(self) -> None:
        for files in self._accounts:
            look = partial(files.caches.look, self._clock.now())
            said = await asyncio.get_running_loop().run_in_executor(self._scanner, look)
            self.heard(files.account, said)

    async def _look_again_and_again(self) -> None:
        while True:
            for _ in range(LOOKS_PER_SWEEP - 1):
                await self._clock.sleep(HOT_SECONDS)
                await self.refresh()
            await self._clock.sleep(HOT_SECONDS)
            # Where nobody watches, the scans are all there is.
            await self._sweep(Care.SPARING if self._watching else Care.EVERYTHING)

    async def _follow_hints(self) -> None:
        roots = [root for files in self._accounts for root in files.places.transcripts]
        logs = [path for files in self._accounts for path in files.places.session_logs]
        async for paths in hints(roots, logs, self._clock.sleep, hurried=self._hurried):
            self._watching = not isinstance(paths, WatchUnavailable)
            if isinstance(paths, WatchUnavailable):
                self._problem(WATCH_TROUBLE, paths.reason)
                continue
            self._problem(WATCH_TROUBLE, None)
            for files in self._accounts:
                files.tree.hint(paths)
            if paths.isdisjoint(roots):
                async with self._looking:
                    await self._look(only_hinted=True)
                self._tell_unreadable()
            else:
                # What was written while nobody watched; a name that came has changed its directory.
                await self._sweep(Care.EVERY_FILE)

    async def _recover(self) -> None:
        """After batches were let go: read again from where the ledger on disk is, renewed if it is broken."""
        while True:
            await self._recorder.lost.wait()
            if self._recorder.damaged:
                place = await self._ledger.renew(stamp(self._clock.now()))
                self._problem(SET_ASIDE, f"the ledger was damaged and lies in {place} now; all is read anew")
            else:
                await self._clock.sleep(RETRY_SECONDS)
            async with self._looking:
                self._backlog.clear()
                for files in self._accounts:
                    files.resume(await self._known(files.account))
                self._recorder.begin_again()
            await self._sweep(Care.EVERYTHING)

    def _correct(self, batch: Batch, known: list[UsageEvent]) -> None:
        account = self._engine.state.accounts.get(batch.account)
        better = None if account is None else corrections(batch, known, account)
        if better is not None:
            self._engine.submit(better)

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
