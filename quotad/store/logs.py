"""Log events, each once, and whether they count as estimates.

A tool result is worth an estimate only while no usage line bears its session's id (DESIGN rule 5). That is
written at the event, so that years of logs of measured sessions cost nothing when estimates are looked for.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from hashlib import blake2b

from quotad.domain.session import LogEvent, LogKind
from quotad.store.names import Ids, ids_of, session_ids

_FIND_SESSION = "SELECT id, measured FROM session WHERE name = ? AND account = ?"
_ADD_MEASURED = "INSERT INTO session (name, account, measured) VALUES (?, ?, 1)"
_MEASURE = "UPDATE session SET measured = 1 WHERE id = ?"
_DROP_ESTIMATES = "UPDATE log_event SET counts = 0 WHERE session = ? AND counts = 1"

# Of two lines of one key the earlier stands, so that it does not matter which came first.
_TAKE = """
    INSERT INTO log_event (key, account, at, session, kind, name, tool, cwd, agent, tokens_used, counts)
    VALUES (:key, :account, :at, :session, :kind, :name, :tool, :cwd, :agent, :tokens_used,
            :is_result AND NOT (SELECT measured FROM session WHERE id = :session))
    ON CONFLICT (key) DO UPDATE SET
        at = excluded.at, session = excluded.session, tool = excluded.tool, cwd = excluded.cwd,
        agent = excluded.agent, tokens_used = excluded.tokens_used, counts = excluded.counts
     WHERE excluded.at < log_event.at"""


def measured_ids(db: sqlite3.Connection, account: int) -> Ids:
    """The ids of sessions that usage lines bear: from now on their tool results count nothing."""
    return Ids(lambda name: _measured_id(db, account, name))


def _measured_id(db: sqlite3.Connection, account: int, name: str) -> int:
    row: tuple[int, int] | None = db.execute(_FIND_SESSION, (name, account)).fetchone()
    if row is None:
        added = db.execute(_ADD_MEASURED, (name, account)).lastrowid
        assert added is not None, "a row was just added"
        return added
    session, measured = row
    if not measured:
        db.execute(_MEASURE, (session,))
        db.execute(_DROP_ESTIMATES, (session,))
    return session


def take_logs(db: sqlite3.Connection, account: int, logs: Collection[LogEvent]) -> None:
    """Adds the log events that are not there yet; after usage, in the same transaction."""
    if not logs:
        return
    sessions, tools, places = session_ids(db, account), ids_of(db, "tool"), ids_of(db, "place")
    db.executemany(
        _TAKE,
        (
            {
                "key": log_key(account, event),
                "account": account,
                "at": event.at,
                "session": sessions[event.session],
                "kind": event.kind.value,
                "name": event.key,
                "tool": tools[event.tool],
                "cwd": places[event.cwd],
                "agent": event.agent,
                "tokens_used": event.tokens_used,
                "is_result": event.kind is LogKind.TOOL_RESULT,
            }
            for event in logs
        ),
    )


def log_key(account: int, event: LogEvent) -> int:
    """64 bits for an event's identity; a tool's use and its result share their id and are two events."""
    digest = blake2b(b"%d %b %b" % (account, event.kind.encode(), event.key.encode()), digest_size=8)
    return int.from_bytes(digest.digest(), "big", signed=True)
