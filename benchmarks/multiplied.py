"""A ledger of millions of calls: one that the product wrote, many times over.

Copies of all its sessions, calls and sums take their place, evenly over the ten years before, by plain SQL in
whatever tables the product made: what a column means is used of few of them, the rest is copied as it is. The
keys of the copies are random, as those of real calls are. No file stands behind them, as with transcripts
that Claude Code has deleted.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path

DAY_MS = 86_400_000
YEARS_MS = 10 * 365 * DAY_MS
BEFORE_MS = 60 * DAY_MS
"""The latest copy is older than the corpus that will be read, so that no window of it is another."""
QUARTER_MS = 900_000
FAST = (
    "journal_mode = OFF",
    "synchronous = OFF",
    "cache_size = -400000",
    "temp_store = MEMORY",
    "threads = 2",
)

SESSION = {"id": "{table}.id + n * :sessions", "name": "name || '-' || n"}
CALL = {
    "id": "{table}.id + n * :calls",
    "key": "random()",
    "contested": "0",
    "message": "message || '-' || n",
    "at": "at - (n * :quarters + :before) * 900000",
    "session": "session + n * :sessions",
}
ROLLUP = {"bucket": "bucket - n * :quarters - :before", "session": "session + n * :sessions"}
SWITCHED: Mapping[str, Mapping[str, str]] = {"session": SESSION, "call": CALL, "rollup": ROLLUP}


FORMER: Mapping[str, str] = {
    "session": "id <= :sessions",
    "call": "id <= :calls",
    "rollup": "session <= :sessions",
}
"""What was there before the copies."""


def multiply(ledger: Path, account: Path, calls: int) -> int:
    """Fill the ledger up to that many calls, in the name of another directory; how many it has then."""
    db = sqlite3.connect(ledger, isolation_level=None)
    try:
        for pragma in FAST:
            db.execute(f"PRAGMA {pragma}")
        db.execute("BEGIN IMMEDIATE")
        db.execute("UPDATE account SET name = ?", (bytes(account),))
        db.execute("DELETE FROM cursor")
        (has,) = db.execute("SELECT count(*) FROM call").fetchone()
        times = max(1, calls // has)
        bound = {
            "sessions": _highest(db, "session"),
            "calls": _highest(db, "call"),
            "quarters": YEARS_MS // QUARTER_MS // times,
            "before": BEFORE_MS // QUARTER_MS,
            "times": times,
        }
        _copy(db, bound)
        (has,) = db.execute("SELECT count(*) FROM call").fetchone()
        db.execute("COMMIT")
        db.execute("PRAGMA journal_mode = WAL")
        return int(has)
    finally:
        db.close()


def _highest(db: sqlite3.Connection, table: str) -> int:
    (highest,) = db.execute(f"SELECT max(id) FROM {table}").fetchone()  # noqa: S608 - one of three names above
    return int(highest)


def _copy(db: sqlite3.Connection, bound: Mapping[str, int]) -> None:
    """Indexes are made anew at the end: kept up to date row by row they would take ten times as long."""
    indexes = db.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'call' AND sql IS NOT NULL"
    ).fetchall()
    for name, _ in indexes:
        db.execute(f"DROP INDEX {name}")
    for table, switched in SWITCHED.items():
        columns = [str(row[1]) for row in db.execute(f"PRAGMA table_info({table})")]
        values = ", ".join(switched.get(column, column).format(table=table) for column in columns)
        db.execute(
            f"""WITH RECURSIVE times(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM times WHERE n < :times)
                INSERT INTO {table} ({", ".join(columns)}) SELECT {values} FROM times CROSS JOIN {table}""",  # noqa: S608
            bound,
        )
        db.execute(f"DELETE FROM {table} WHERE {FORMER[table]}", bound)  # noqa: S608
    db.execute("DELETE FROM contender")
    for _, statement in indexes:
        db.execute(statement)
