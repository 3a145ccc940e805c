"""Reading many files in one go, in a thread: it touches nothing but what it is handed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from quotad.domain.cursor import Batch, Cursor
from quotad.domain.inputs import Seen
from quotad.domain.instant import Instant
from quotad.domain.usage import AccountId, SessionId, UsageEvent
from quotad.sources.scan import Unreadable
from quotad.sources.tail import Decode, finished, read_file
from quotad.sources.tree import Found

BATCH_BYTES = 16 * 1024 * 1024
"""What is read before the loop and the ledger on disk get their share."""


class Order(NamedTuple):
    """One file to be read: from where, and by what it is decoded."""

    found: Found
    cursor: Cursor | None
    decode: Decode
    anew: Callable[[], Decode] | None


class Reading(NamedTuple):
    """What a batch of files held; ``rest`` are files that have more than one batch takes."""

    batch: Batch
    rest: list[Found]
    failed: list[Unreadable]


def read(account: AccountId, orders: Sequence[Order]) -> Reading:
    """Read each file, up to ``BATCH_BYTES`` of it; blocking."""
    reading = Reading(Batch(account), [], [])
    for order in orders:
        path = order.found.path
        try:
            cursor = read_file(
                path, order.cursor, order.decode, reading.batch, limit_bytes=BATCH_BYTES, anew=order.anew
            )
        except OSError as fault:
            reading.failed.append(Unreadable(path, fault.strerror or str(fault)))
            continue
        reading.batch.cursors.append(cursor)
        if not finished(cursor):
            reading.rest.append(order.found)
    return reading


def news(batch: Batch, horizon: Instant) -> Seen:
    """What the engine needs to know of a batch: all that lies within the reach of its memory.

    Of older usage one event a session is enough: it says that chains may resume elsewhere, and that the
    session was measured.
    """
    recent: list[UsageEvent] = []
    old: dict[SessionId, UsageEvent] = {}
    for event in batch.usage:
        if event.at >= horizon:
            recent.append(event)
        else:
            old[event.session] = event
    return Seen(batch.account, (*old.values(), *recent), tuple(batch.logs), tuple(batch.readings))
