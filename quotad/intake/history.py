"""Reading many files in one go, in a thread: it touches nothing but what it is handed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import NamedTuple

from quotad.domain.cursor import Batch, Cursor
from quotad.domain.inputs import Seen
from quotad.domain.state import Account
from quotad.domain.usage import AccountId, UsageEvent
from quotad.sources.scan import Unreadable
from quotad.sources.tail import Decode, finished, read_file
from quotad.sources.tree import Found

BATCH_BYTES = 16 * 1024 * 1024
"""What is read before the loop and the ledger on disk get their share."""


FILE_BYTES = 4 * 1024 * 1024
"""What is read of one file at a time: so much text may hold twenty thousand events."""
BATCH_EVENTS = 20_000
"""A batch that holds more is full, whatever its bytes."""


_MESSAGE, _SESSION = attrgetter("message"), attrgetter("session")
"""Everything that was ever said passes by here on the loop: these cost a third of a comprehension."""


class Order(NamedTuple):
    """One file to be read: from where, and by what it is decoded."""

    found: Found
    cursor: Cursor | None
    decode: Decode
    anew: Callable[[], Decode] | None


class Taken(NamedTuple):
    """What a batch of files held; ``rest`` are files that have more than one batch takes."""

    batch: Batch
    rest: list[Found]
    failed: list[Unreadable]


def read(account: AccountId, orders: Sequence[Order]) -> Taken:
    """Read each file, up to ``FILE_BYTES`` of it, while the batch is not full; blocking."""
    took = Taken(Batch(account), [], [])
    for order in orders:
        if len(took.batch.usage) + len(took.batch.logs) > BATCH_EVENTS:
            took.rest.append(order.found)
            continue
        path = order.found.path
        try:
            cursor = read_file(
                path, order.cursor, order.decode, took.batch, limit_bytes=FILE_BYTES, anew=order.anew
            )
        except OSError as fault:
            took.failed.append(Unreadable(path, fault.strerror or str(fault)))
            continue
        took.batch.cursors.append(cursor)
        if not finished(cursor):
            took.rest.append(order.found)
    return took


def news(batch: Batch, account: Account) -> Seen:
    """What the engine needs to know of a batch: all that lies within the reach of its memory.

    Of older usage that is one event a session, which says that chains may resume elsewhere and that the
    session was measured, and whatever is of a call that is in memory too: a copy. Of older log events one.
    """
    horizon, ledger = account.horizon, account.ledger
    older: Sequence[UsageEvent] = batch.usage
    recent: list[UsageEvent] = []
    # Of years of history next to nothing is recent, and whole batches are not.
    if batch.latest >= horizon:
        recent = [event for event in batch.usage if event.at >= horizon]
        older = [event for event in batch.usage if event.at < horizon]
    old = dict(zip(map(_SESSION, older), older, strict=True))
    messages = ledger.held(map(_MESSAGE, older)).union(map(_MESSAGE, recent))
    copies = [event for event in older if event.message in messages] if messages else []
    logs = [event for event in batch.logs if event.at >= horizon]
    old_logs = [event for event in batch.logs if event.at < horizon][:1]
    return Seen(batch.account, (*old.values(), *recent, *copies), (*old_logs, *logs), tuple(batch.readings))


def corrections(batch: Batch, known: Iterable[UsageEvent], account: Account) -> Seen | None:
    """What the ledger on disk knows better: a call that seemed new may be a copy of one before memory begins.

    ``known``: the rows of those calls of the batch that the ledger had before.
    """
    if batch.latest < account.horizon:
        return None
    recent = {event.message for event in batch.usage if event.at >= account.horizon}
    older = tuple(row for row in known if row.at < account.horizon and row.message in recent)
    return Seen(batch.account, older) if older else None
