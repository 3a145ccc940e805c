"""What is remembered of the calendar's events: see ``EventRow``."""

from __future__ import annotations

import sqlite3

from quotad.domain.event import EventRow
from quotad.domain.queue import PlannedId
from quotad.domain.usage import AccountId
from quotad.store.names import account_id, account_key

_KEEP = """
    INSERT OR REPLACE INTO event (account, planned, uid, sequence, fingerprint, status, starts, changed)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""

_EVENTS = """
    SELECT planned, uid, sequence, fingerprint, status, starts, changed FROM event
     WHERE account = (SELECT id FROM account WHERE name = ?) ORDER BY starts, planned"""


def keep_event(db: sqlite3.Connection, account: AccountId, row: EventRow) -> None:
    """Keeps an event in place of what was known of its session's; within a transaction."""
    db.execute(_KEEP, (account_id(db, account), *row))


def events_of(db: sqlite3.Connection, account: AccountId) -> list[EventRow]:
    """All of an account's events, next first, the cancelled ones too."""
    return [
        EventRow(PlannedId(planned), *columns)
        for planned, *columns in db.execute(_EVENTS, (account_key(account),))
    ]
