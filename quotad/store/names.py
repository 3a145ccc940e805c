"""Names as they are in the tables: each text once, everything else by its integer id.

Nothing is remembered between transactions: a batch holds a few dozen names, and an id that was remembered
from a transaction that failed would be wrong.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from typing import Literal, TypeAlias

from quotad.domain.usage import AccountId, SessionId

NameTable: TypeAlias = Literal["model", "place", "tool"]

_ADD: dict[NameTable, str] = {
    "model": "INSERT OR IGNORE INTO model (name) VALUES (?)",
    "place": "INSERT OR IGNORE INTO place (name) VALUES (?)",
    "tool": "INSERT OR IGNORE INTO tool (name) VALUES (?)",
}
_FIND: dict[NameTable, str] = {
    "model": "SELECT id FROM model WHERE name = ?",
    "place": "SELECT id FROM place WHERE name = ?",
    "tool": "SELECT id FROM tool WHERE name = ?",
}


def ids_of(db: sqlite3.Connection, table: NameTable, names: Iterable[str]) -> dict[str, int]:
    """The id of each name, given now to those that had none."""
    wanted = sorted(set(names))
    db.executemany(_ADD[table], ((name,) for name in wanted))
    return {name: db.execute(_FIND[table], (name,)).fetchone()[0] for name in wanted}


def account_key(account: AccountId) -> bytes:
    """A path as the operating system has it: one that is no text is one of ours all the same."""
    return os.fsencode(account)


def account_id(db: sqlite3.Connection, account: AccountId) -> int:
    """The account's id, given now if it had none."""
    key = account_key(account)
    db.execute("INSERT OR IGNORE INTO account (name) VALUES (?)", (key,))
    row: tuple[int] = db.execute("SELECT id FROM account WHERE name = ?", (key,)).fetchone()
    return row[0]


def known_account(db: sqlite3.Connection, account: AccountId) -> int | None:
    """The account's id, if anything was ever written for it."""
    row: tuple[int] | None = db.execute(
        "SELECT id FROM account WHERE name = ?", (account_key(account),)
    ).fetchone()
    return row[0] if row else None


def session_ids(db: sqlite3.Connection, account: int, names: Iterable[SessionId]) -> dict[SessionId, int]:
    """The id of each of the account's sessions, given now to those that had none."""
    wanted = sorted(set(names))
    db.executemany(
        "INSERT OR IGNORE INTO session (name, account) VALUES (?, ?)", ((name, account) for name in wanted)
    )
    find = "SELECT id FROM session WHERE name = ? AND account = ?"
    return {name: db.execute(find, (name, account)).fetchone()[0] for name in wanted}
