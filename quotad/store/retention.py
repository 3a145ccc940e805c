"""Letting go of what the user does not want kept, without moving anything that is kept.

Where a window begins depends on everything before it. So for each kind of window the instant is kept at which
its chain resumes (``floor``), and lines that are older than what is kept stay out for good.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from quotad.domain.instant import QUARTER, Instant
from quotad.domain.usage import AccountId
from quotad.store.names import account_id, account_key

_FORGET = (
    """DELETE FROM contender WHERE key IN (
        SELECT key FROM call
         WHERE at < :before AND session IN (SELECT id FROM session WHERE account = :account))""",
    """DELETE FROM call
        WHERE at < :before AND session IN (SELECT id FROM session WHERE account = :account)""",
    "DELETE FROM rollup WHERE account = :account AND bucket < :bucket",
    "DELETE FROM log_event WHERE account = :account AND at < :before",
    "DELETE FROM reading WHERE account = :account AND resets_at < :before",
    "DELETE FROM mark WHERE account = :account AND resets < :before",
    """DELETE FROM run
        WHERE account = :account AND outcome IS NOT NULL AND coalesce(ended, started) < :before""",
    "DELETE FROM event WHERE account = :account AND starts < :before AND changed < :before",
    "UPDATE account SET kept_since = max(kept_since, :before) WHERE id = :account",
)

_SET_FLOOR = """
    INSERT INTO floor (account, window, resume) VALUES (?, ?, ?)
    ON CONFLICT (account, window) DO UPDATE SET resume = max(resume, excluded.resume)"""

_FLOOR = """
    SELECT resume FROM floor WHERE account = (SELECT id FROM account WHERE name = ?) AND window = ?"""


def forget_before(
    db: sqlite3.Connection, account: AccountId, before: Instant, floors: Mapping[str, Instant]
) -> None:
    """Drops everything before an instant, rounded down to a quarter hour; within a transaction.

    ``floors``: for each kind of window, where its chain resumes for the first event that is kept.
    """
    bucket = before // QUARTER
    number = account_id(db, account)
    for statement in _FORGET:
        db.execute(statement, {"account": number, "before": bucket * QUARTER, "bucket": bucket})
    db.executemany(_SET_FLOOR, ((number, window, resume) for window, resume in floors.items()))


def kept_since(db: sqlite3.Connection, account: int) -> Instant:
    """Nothing older than this is taken in."""
    row: tuple[Instant] = db.execute("SELECT kept_since FROM account WHERE id = ?", (account,)).fetchone()
    return row[0]


def floor(db: sqlite3.Connection, account: AccountId, window: str) -> Instant | None:
    """Where the chain of a kind of window resumes, if what came before was let go."""
    row: tuple[Instant] | None = db.execute(_FLOOR, (account_key(account), window)).fetchone()
    return None if row is None else row[0]
