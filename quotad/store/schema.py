"""The tables of the ledger, their versions, and how a connection to them is set up.

Integer keys throughout: a clustered random key was measured ten times slower, so a call keeps the order in
which it came and only a narrow index is random. Foreign keys are not enforced: one module writes each
table, ids come from the same transaction, and nothing is ever deleted that another row names.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path

from quotad.domain.usage import family

APPLICATION_ID = 0x71756F74
"""``quot``: tells ``file`` and us that a SQLite file is a ledger."""

CACHE_KIB = 4_000
WAL_PAGES = 4_000
"""Pages of the log before it is moved into the file; at 1,000 bulk reading took a fifth more CPU."""
PAGE_BYTES = 4_096
BUSY_SECONDS = 5.0
"""How long we wait for somebody who looks into the file with another program."""

_CALLS = (
    # Paths come from the operating system and need not be text.
    "CREATE TABLE account (id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE)",
    # `measured`: some usage line, standing or not, has borne this session's id.
    """CREATE TABLE session (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        account INTEGER NOT NULL,
        measured INTEGER NOT NULL DEFAULT 0,
        UNIQUE (name, account)
    )""",
    "CREATE TABLE model (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
    "CREATE TABLE place (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
    "CREATE TABLE tool (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
    # What stands of each message id. An index by time would cost a tenth of all work: see `timed_call`.
    """CREATE TABLE call (
        id INTEGER PRIMARY KEY,
        key INTEGER NOT NULL,
        contested INTEGER NOT NULL,
        message TEXT NOT NULL,
        request TEXT NOT NULL,
        at INTEGER NOT NULL,
        session INTEGER NOT NULL,
        model INTEGER NOT NULL,
        cwd INTEGER NOT NULL,
        sidechain INTEGER NOT NULL,
        input INTEGER NOT NULL,
        output INTEGER NOT NULL,
        cache_write INTEGER NOT NULL,
        cache_read INTEGER NOT NULL
    )""",
    "CREATE UNIQUE INDEX call_by_key ON call (key)",
    "CREATE INDEX call_by_session ON call (session, at)",
    # All rows of the few message ids that came under several request ids, the one that stands too.
    """CREATE TABLE contender (
        key INTEGER NOT NULL,
        request TEXT NOT NULL,
        at INTEGER NOT NULL,
        session INTEGER NOT NULL,
        model INTEGER NOT NULL,
        cwd INTEGER NOT NULL,
        sidechain INTEGER NOT NULL,
        input INTEGER NOT NULL,
        output INTEGER NOT NULL,
        cache_write INTEGER NOT NULL,
        cache_read INTEGER NOT NULL,
        PRIMARY KEY (key, request)
    ) WITHOUT ROWID""",
    # Sums of standing calls; `bucket` is the number of the quarter hour since the epoch. The model before the
    # time: a rare family is found in years of calls by one step a model.
    """CREATE TABLE rollup (
        account INTEGER NOT NULL,
        model INTEGER NOT NULL,
        bucket INTEGER NOT NULL,
        session INTEGER NOT NULL,
        input INTEGER NOT NULL,
        output INTEGER NOT NULL,
        cache_write INTEGER NOT NULL,
        cache_read INTEGER NOT NULL,
        messages INTEGER NOT NULL,
        PRIMARY KEY (account, model, bucket, session)
    ) WITHOUT ROWID""",
    # Calls by account, model and time: the rollup says which sessions had any in a quarter hour, and
    # `call_by_session` where they are. `bucket_total` is 0 where a quarter hour used no token.
    # (900,000 ms are `QUARTER`, which a schema cannot name.)
    """CREATE VIEW timed_call AS
        SELECT rollup.account, rollup.bucket, call.*,
               rollup.input + rollup.output + rollup.cache_write + rollup.cache_read AS bucket_total
          FROM rollup CROSS JOIN call
            ON call.session = rollup.session AND call.model = rollup.model
               AND call.at >= rollup.bucket * 900000 AND call.at < (rollup.bucket + 1) * 900000""",
)

_LOGS = (
    # `counts`: a tool result of a session that is not measured.
    """CREATE TABLE log_event (
        id INTEGER PRIMARY KEY,
        key INTEGER NOT NULL,
        account INTEGER NOT NULL,
        at INTEGER NOT NULL,
        session INTEGER NOT NULL,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        tool INTEGER NOT NULL,
        cwd INTEGER NOT NULL,
        agent TEXT NOT NULL,
        tokens_used INTEGER,
        counts INTEGER NOT NULL
    )""",
    "CREATE UNIQUE INDEX log_event_by_key ON log_event (key)",
    "CREATE INDEX log_event_by_time ON log_event (account, at)",
    "CREATE INDEX log_event_by_session ON log_event (session, at)",
    "CREATE INDEX estimate_by_time ON log_event (account, at, session, tool) WHERE counts = 1",
)

_SMALL = (
    """CREATE TABLE reading (
        account INTEGER NOT NULL,
        window TEXT NOT NULL,
        resets_at INTEGER NOT NULL,
        received_at INTEGER NOT NULL,
        percent REAL NOT NULL,
        source TEXT NOT NULL,
        PRIMARY KEY (account, window, resets_at, received_at, percent, source)
    ) WITHOUT ROWID""",
    """CREATE TABLE cursor (
        account INTEGER NOT NULL,
        path BLOB NOT NULL,
        device INTEGER NOT NULL,
        inode INTEGER NOT NULL,
        head BLOB NOT NULL,
        head_size INTEGER NOT NULL,
        offset INTEGER NOT NULL,
        tail BLOB NOT NULL,
        size INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        skipping INTEGER NOT NULL,
        lines INTEGER NOT NULL,
        malformed INTEGER NOT NULL,
        PRIMARY KEY (account, path)
    ) WITHOUT ROWID""",
    """CREATE TABLE mark (
        account INTEGER NOT NULL,
        kind TEXT NOT NULL,
        subject TEXT NOT NULL,
        value REAL NOT NULL,
        opened INTEGER NOT NULL,
        resets INTEGER NOT NULL,
        PRIMARY KEY (account, kind, subject, value, opened, resets)
    ) WITHOUT ROWID""",
)

_RETENTION = (
    # Older lines stay out: what was let go must not come back when a transcript is read again.
    f"ALTER TABLE account ADD COLUMN kept_since INTEGER NOT NULL DEFAULT {-(2**62)}",
    """CREATE TABLE floor (
        account INTEGER NOT NULL,
        window TEXT NOT NULL,
        resume INTEGER NOT NULL,
        PRIMARY KEY (account, window)
    ) WITHOUT ROWID""",
)

_PLANNING = (
    # Who said it: two sources that agree say more than one that repeats itself.
    "ALTER TABLE reading ADD COLUMN session TEXT NOT NULL DEFAULT ''",
    # `session` is the id that Claude Code gave or was given; it may have used nothing yet.
    """CREATE TABLE run (
        account INTEGER NOT NULL,
        planned TEXT NOT NULL,
        session TEXT NOT NULL,
        started INTEGER NOT NULL,
        estimate INTEGER NOT NULL,
        spent_before INTEGER NOT NULL,
        ended INTEGER,
        actual INTEGER,
        outcome TEXT,
        PRIMARY KEY (account, planned, session, started)
    ) WITHOUT ROWID""",
    """CREATE TABLE event (
        account INTEGER NOT NULL,
        planned TEXT NOT NULL,
        uid TEXT NOT NULL,
        sequence INTEGER NOT NULL,
        fingerprint BLOB NOT NULL,
        status TEXT NOT NULL,
        starts INTEGER NOT NULL,
        changed INTEGER NOT NULL,
        PRIMARY KEY (account, planned)
    ) WITHOUT ROWID""",
)

MIGRATIONS: Mapping[int, tuple[str, ...]] = {
    1: (*_CALLS, *_LOGS, *_SMALL, f"PRAGMA application_id = {APPLICATION_ID}", "PRAGMA user_version = 1"),
    2: (*_RETENTION, "PRAGMA user_version = 2"),
    3: (*_PLANNING, "PRAGMA user_version = 3"),
}
"""Version -> the statements that bring the version before it there; the last of them says so."""

SCHEMA_VERSION = max(MIGRATIONS)


_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",
    # Where it exists (macOS) fsync alone does not reach the disk.
    "PRAGMA fullfsync = ON",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA mmap_size = 0",
    f"PRAGMA cache_size = {-CACHE_KIB}",
    f"PRAGMA wal_autocheckpoint = {WAL_PAGES}",
    f"PRAGMA journal_size_limit = {WAL_PAGES * PAGE_BYTES}",
)


def connect(path: Path | str) -> sqlite3.Connection:
    """A connection for reading and writing; transactions are begun by hand.

    WAL with ``synchronous=NORMAL``: a killed process loses nothing, a power failure at most the latest
    transactions, whose cursors go with them, so that the files are simply read again.
    """
    db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        for pragma in _PRAGMAS:
            db.execute(pragma)
        db.create_function("family", 1, family, deterministic=True)
    except BaseException:
        db.close()
        raise
    return db


def version(db: sqlite3.Connection) -> int:
    """The schema version of the file; 0 of one that holds nothing yet."""
    row: tuple[int] = db.execute("PRAGMA user_version").fetchone()
    return row[0]


def migrate(db: sqlite3.Connection) -> None:
    """Brings the tables to our version, each version in a transaction of its own."""
    for number in range(version(db) + 1, SCHEMA_VERSION + 1):
        with db:
            db.execute("BEGIN IMMEDIATE")
            for statement in MIGRATIONS[number]:
                db.execute(statement)


def shape(db: sqlite3.Connection) -> frozenset[tuple[str, str]]:
    """What is in the file, by name: (table, column), (index, table) and (view, view)."""
    rows: list[tuple[str, str]] = db.execute(
        """SELECT thing.name, part.name FROM sqlite_master AS thing, pragma_table_xinfo(thing.name) AS part
            WHERE thing.type = 'table'
            UNION ALL SELECT name, tbl_name FROM sqlite_master WHERE type IN ('index', 'view')"""
    ).fetchall()
    return frozenset(rows)


def shape_of(number: int) -> frozenset[tuple[str, str]]:
    """What a sound file of this version holds at least."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    try:
        for each in range(1, number + 1):
            for statement in MIGRATIONS[each]:
                db.execute(statement)
        return shape(db)
    finally:
        db.close()
