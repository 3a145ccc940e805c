"""Reading many files in one go, blocking: in a thread, or in a process beside the daemon."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from quotad.domain.cursor import Batch, Cursor
from quotad.domain.usage import AccountId, merged
from quotad.sources import transcript
from quotad.sources.scan import Unreadable
from quotad.sources.tail import Decode, finished, read_file

BATCH_BYTES = 32 * 1024 * 1024
"""What is read before the loop and the ledger on disk get their share."""
FILE_BYTES = 4 * 1024 * 1024
"""What is read of one file at a time: so much text may hold twenty thousand events."""
BATCH_EVENTS = 10_000
"""A batch that holds more is full, whatever its bytes."""


class Order(NamedTuple):
    """One file to be read: from where, and by what it is decoded if it is no transcript."""

    path: str
    cursor: Cursor | None
    decode: Decode = transcript.decode
    anew: Callable[[], Decode] | None = None

    @property
    def is_plain(self) -> bool:
        """Whether path and cursor say it all, in a message too."""
        return self.decode is transcript.decode and self.anew is None and _is_text(self.path)


class Taken(NamedTuple):
    """What a batch of files held; ``rest`` are the paths of those that have more than one batch takes."""

    batch: Batch
    rest: list[str]
    failed: list[Unreadable]


def read(account: AccountId, orders: Iterable[Order]) -> Taken:
    """Read each file, up to ``FILE_BYTES`` of it, while the batch is not full."""
    batch = Batch(account)
    took = Taken(batch, [], [])
    for path, cursor, decode, anew in orders:
        if len(batch.usage) + len(batch.logs) > BATCH_EVENTS:
            took.rest.append(path)
            continue
        try:
            reached = read_file(path, cursor, decode, batch, limit_bytes=FILE_BYTES, anew=anew)
        except OSError as fault:
            took.failed.append(Unreadable(path, fault.strerror or str(fault)))
            continue
        batch.cursors.append(reached)
        if not finished(reached):
            took.rest.append(path)
    batch.usage = merged(batch.usage)
    return took


def _is_text(path: str) -> bool:
    """Paths come from the operating system and need not be."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
