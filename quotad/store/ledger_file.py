"""The ledger's file: opened, written a batch at a time, asked, closed.

Everything here blocks and belongs to one thread at a time; errors of SQLite pass through to the edge that can
name them, and a write that failed has left everything as it was.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, tzinfo
from pathlib import Path

from msgspec.structs import astuple

from quotad.domain.cursor import Batch, Cursor
from quotad.domain.event import EventRow
from quotad.domain.instant import Instant, Millis
from quotad.domain.notice import Mark
from quotad.domain.queue import Run
from quotad.domain.reading import Reading
from quotad.domain.usage import AccountId, SessionId, UsageEvent
from quotad.store import chain, history, recall, retention
from quotad.store.calls import take_usage
from quotad.store.cursors import cursors_of, forget_cursors, take_cursors
from quotad.store.damage import create, is_damage, is_damaged, put_aside
from quotad.store.events import events_of, keep_event
from quotad.store.logs import take_logs
from quotad.store.names import account_id
from quotad.store.retention import kept_since
from quotad.store.runs import forget_run, keep_run, runs_of
from quotad.store.schema import connect, migrate

_READ = """
    INSERT OR IGNORE INTO reading (account, window, resets_at, received_at, percent, source, session)
    VALUES (?, ?, ?, ?, ?, ?, ?)"""

_REMEMBER = """
    INSERT OR IGNORE INTO mark (account, kind, subject, value, opened, resets) VALUES (?, ?, ?, ?, ?, ?)"""

_MARKS = """
    SELECT account.name, kind, subject, value, opened, resets
      FROM mark JOIN account ON account.id = mark.account WHERE resets >= ? ORDER BY resets"""


class LedgerFile:
    """The ledger on disk. Made by ``open``; ``set_aside`` names a damaged file that was found instead."""

    def __init__(self, db: sqlite3.Connection, set_aside: Path | None = None) -> None:
        self._db = db
        self.set_aside = set_aside

    @classmethod
    def open(cls, path: Path, *, stamp: str) -> LedgerFile:
        """Opens the ledger, made now (mode 0600) if there is none, and brings it to our version.

        A damaged file is set aside as ``<name>.damaged-<stamp>`` and a new one begun. Raises NewerLedger
        for the file of a later release, OSError when the place cannot be used, and sqlite3.OperationalError
        when SQLite cannot (disk full, locked).
        """
        if is_damaged(path):
            return cls.renew(path, stamp=stamp)
        try:
            return cls._begun(path, None)
        except sqlite3.DatabaseError as error:
            # Of a large file not every page was looked at.
            if is_damage(error):
                return cls.renew(path, stamp=stamp)
            raise

    @classmethod
    def renew(cls, path: Path, *, stamp: str) -> LedgerFile:
        """Sets the file aside unseen and begins a new one, for damage that showed at work (``is_damage``)."""
        return cls._begun(path, put_aside(path, stamp))

    @classmethod
    def _begun(cls, path: Path, set_aside: Path | None) -> LedgerFile:
        create(path)
        db = connect(path)
        try:
            migrate(db)
        except BaseException:
            db.close()
            raise
        return cls(db, set_aside)

    def append(self, batch: Batch) -> list[UsageEvent]:
        """Takes a batch in, all of it or, when this raises, nothing.

        Gives the rows, as they are now, of those of its calls that were known before.
        """
        db = self._db
        with db:
            db.execute("BEGIN IMMEDIATE")
            account = account_id(db, batch.account)
            since = kept_since(db, account)
            usage = [event for event in batch.usage if event.at >= since]
            known = take_usage(db, account, usage) if usage else []
            take_logs(db, account, [event for event in batch.logs if event.at >= since])
            db.executemany(
                _READ,
                (
                    (
                        account,
                        each.window,
                        each.resets_at,
                        each.received_at,
                        each.percent,
                        each.source.value,
                        each.session,
                    )
                    for each in batch.readings
                ),
            )
            take_cursors(db, account, batch.cursors)
        return known

    def cursors(self, account: AccountId) -> dict[str, Cursor]:
        """How far each file has been taken in, by path."""
        return cursors_of(self._db, account)

    def forget(self, account: AccountId, paths: Sequence[str]) -> None:
        """Drops the cursors of files that are gone. What was read from them stays."""
        db = self._db
        with db:
            db.execute("BEGIN IMMEDIATE")
            forget_cursors(db, account, paths)

    def forget_before(self, account: AccountId, before: Instant, floors: Mapping[str, Instant]) -> None:
        """Drops everything before an instant for good; see ``retention.forget_before``."""
        db = self._db
        with db:
            db.execute("BEGIN IMMEDIATE")
            retention.forget_before(db, account, before, floors)

    def floor(self, account: AccountId, window: str) -> Instant | None:
        """See ``retention.floor``."""
        return retention.floor(self._db, account, window)

    def recall(self, account: AccountId, since: Instant) -> recall.Recollection:
        """The recent past; see ``Recollection``."""
        return recall.recall(self._db, account, since)

    def readings(self, account: AccountId, window: str) -> list[Reading]:
        """All readings there ever were of a window, as they were received."""
        return recall.readings_of(self._db, account, window)

    def marks(self, since: Instant) -> list[Mark]:
        """What was announced, of all accounts, about windows that end at or after ``since``."""
        return [
            Mark(AccountId(os.fsdecode(account)), *columns)
            for account, *columns in self._db.execute(_MARKS, (since,))
        ]

    def remember(self, marks: Sequence[Mark]) -> None:
        """Keeps marks for good: they are on the disk, and not only on their way there, when this returns."""
        with self._for_good() as db:
            for mark in marks:
                account, *columns = astuple(mark)
                db.execute(_REMEMBER, (account_id(db, account), *columns))

    def runs(self, account: AccountId) -> list[Run]:
        """All runs of planned sessions there ever were, in the order in which they were started."""
        return runs_of(self._db, account)

    def keep_run(self, account: AccountId, run: Run) -> None:
        """Keeps a run, or what has become of it, for good as ``remember`` does."""
        with self._for_good() as db:
            keep_run(db, account, run)

    def forget_run(self, account: AccountId, run: Run) -> None:
        """Forgets a run for good: nothing came of it."""
        with self._for_good() as db:
            forget_run(db, account, run)

    def events(self, account: AccountId) -> list[EventRow]:
        """The calendar's events, next first, the cancelled ones too."""
        return events_of(self._db, account)

    def keep_event(self, account: AccountId, row: EventRow) -> None:
        """Keeps the latest state of a planned session's event, for good as ``remember`` does."""
        with self._for_good() as db:
            keep_event(db, account, row)

    @contextmanager
    def _for_good(self) -> Iterator[sqlite3.Connection]:
        """A transaction that is on the disk itself when it ends: what it holds can be read nowhere else."""
        db = self._db
        db.execute("PRAGMA synchronous = FULL")
        try:
            with db:
                db.execute("BEGIN IMMEDIATE")
                yield db
        finally:
            db.execute("PRAGMA synchronous = NORMAL")

    def next_call(self, account: AccountId, at: Instant, until: Instant, scope: str | None) -> Instant | None:
        """See ``chain.next_call``."""
        return chain.next_call(self._db, account, at, until, scope)

    def quiet_before(self, account: AccountId, before: Instant, length: Millis, scope: str | None) -> Instant:
        """See ``chain.quiet_before``."""
        return chain.quiet_before(self._db, account, before, length, scope)

    def next_session_event(
        self, account: AccountId, session: SessionId, at: Instant, until: Instant
    ) -> Instant | None:
        """See ``chain.next_session_event``."""
        return chain.next_session_event(self._db, account, session, at, until)

    def last_use(
        self, account: AccountId, session: SessionId, since: Instant, until: Instant
    ) -> Instant | None:
        """See ``chain.last_use``."""
        return chain.last_use(self._db, account, session, since, until)

    def totals(self, account: AccountId, since: Instant, until: Instant, scope: str | None) -> history.Group:
        """See ``history.totals``."""
        return history.totals(self._db, account, since, until, scope)

    def history(
        self,
        account: AccountId | None,
        by: history.By,
        since: Instant | None = None,
        until: Instant | None = None,
        zone: tzinfo | None = UTC,
    ) -> list[history.Group]:
        """See ``history.history``."""
        return history.history(self._db, account, by, since, until, zone)

    def close(self) -> None:
        """Ends; SQLite moves its log into the file, so that the ledger is one file until the next time."""
        self._db.close()
