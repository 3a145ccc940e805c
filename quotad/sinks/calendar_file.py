"""The calendar's directory: a file for each event, and ``all.ics`` with all of them.

Derived from the queue and the ledger's rows and never read back, but for whether it is up to date: each file
bears a digest of the rows it was made of, so that a start finds out without writing anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from quotad.domain.event import EventRow
from quotad.domain.instant import Instant
from quotad.domain.queue import Planned, PlannedId, Queue
from quotad.sinks import durable
from quotad.sinks.calendar import event_text, feed_of, file_of, is_made_of

DIRECTORY_MODE = 0o700


class _Text(NamedTuple):
    """An event as it was written for a row."""

    row: EventRow
    text: bytes


class Calendar:
    """``<claude>/calendar``; whoever calls takes care that only one call runs at a time."""

    def __init__(self, directory: Path) -> None:
        """``directory`` is made when there is something to write."""
        self._directory = directory
        self._texts: dict[PlannedId, _Text] = {}

    @property
    def all(self) -> Path:
        """The file with all events."""
        return self._directory / "all.ics"

    def path(self, planned: PlannedId) -> Path:
        """The file with that session's event."""
        return self._directory / f"{planned}.ics"

    async def write(self, rows: Iterable[EventRow], queue: Queue, now: Instant) -> None:
        """Make every file say what the rows say; those that do are not touched.

        ``rows`` are those of ``calendar.reconciled`` for this queue, kept before. A file of an event that
        was cancelled more than a week ago is left as it is. Raises ``OSError``, with everything written
        that can be.
        """
        await self._write(rows, queue, now, frozenset())

    async def export(
        self, rows: Iterable[EventRow], queue: Queue, now: Instant, ids: Collection[PlannedId]
    ) -> None:
        """The same, and these sessions' files and ``all.ics`` are made anew whatever is in them."""
        await self._write(rows, queue, now, {*map(self.path, ids), self.all})

    async def _write(
        self, rows: Iterable[EventRow], queue: Queue, now: Instant, anew: Collection[Path]
    ) -> None:
        current = sorted((row for row in rows if row.is_current(now)), key=_order)
        # Files are read and events are put into words there: neither may hold up the loop.
        outdated = await asyncio.to_thread(self._outdated, current, queue, anew)
        faults = [fault for path, content in outdated if (fault := await _replaced(path, content))]
        if faults:
            raise faults[0]

    def _outdated(
        self, rows: Sequence[EventRow], queue: Queue, anew: Collection[Path]
    ) -> list[tuple[Path, bytes]]:
        """The files whose content is to be another one, with that content."""
        planned = {one.id: one for one in queue.sessions}
        found: list[tuple[Path, bytes]] = []
        for row in rows:
            path = self.path(row.planned)
            if path in anew or not is_made_of(_content(path), [row]):
                found.append((path, file_of(row, self._text(row, planned.get(row.planned)))))
        # Without any event there is a file only if there was one, or if it is asked for.
        feed = _content(self.all)
        if self.all in anew or ((rows or feed) and not is_made_of(feed, rows)):
            texts = [self._text(row, planned.get(row.planned)) for row in rows]
            found.append((self.all, feed_of(rows, texts)))
        self._texts = {row.planned: text for row in rows if (text := self._texts.get(row.planned))}
        return [(path, content) for path, content in found if _content(path) != content]

    def _text(self, row: EventRow, planned: Planned | None) -> bytes:
        """The event in words, put into them once as long as its row is the same."""
        known = self._texts.get(row.planned)
        if known is None or known.row != row:
            known = self._texts[row.planned] = _Text(row, event_text(row, planned))
        return known.text


def _order(row: EventRow) -> tuple[Instant, PlannedId]:
    return row.starts, row.planned


def _content(path: Path) -> bytes:
    """What is in a file; nothing if it cannot be read: writing it then says why."""
    try:
        # A pipe of that name would never end.
        return path.read_bytes() if path.is_file() else b""
    except OSError:
        return b""


async def _replaced(path: Path, content: bytes) -> OSError | None:
    """What went wrong, if anything did. What a loss of power undoes, the next start finds and does again."""
    try:
        await asyncio.to_thread(path.parent.mkdir, DIRECTORY_MODE, parents=True, exist_ok=True)
        await durable.replace(path, content, sync=False)
    except OSError as fault:
        return fault
    return None
