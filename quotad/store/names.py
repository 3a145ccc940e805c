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
    "model": "INSERT INTO model (name) VALUES (?)",
    "place": "INSERT INTO place (name) VALUES (?)",
    "tool": "INSERT INTO tool (name) VALUES (?)",
}
_FIND: dict[NameTable, str] = {
    "model": "SELECT id FROM model WHERE name = ?",
    "place": "SELECT id FROM place WHERE name = ?",
    "tool": "SELECT id FROM tool WHERE name = ?",
}
_ADD_ACCOUNT = "INSERT INTO account (name) VALUES (?)"
_FIND_ACCOUNT = "SELECT id FROM account WHERE name = ?"
_ADD_SESSION = "INSERT INTO session (name, account) VALUES (?, ?)"
_FIND_SESSION = "SELECT id FROM session WHERE name = ? AND account = ?"


def ids_of(db: sqlite3.Connection, table: NameTable, names: Iterable[str]) -> dict[str, int]:
    """The id of each name, given now to those that had none."""
    find, add = _FIND[table], _ADD[table]
    return {name: _id(db, find, add, (name,)) for name in sorted(set(names))}


def _id(db: sqlite3.Connection, find: str, add: str, name: tuple[str | bytes | int, ...]) -> int:
    """Nearly every name is known: adding it before looking for it would be a write for nothing."""
    row: tuple[int] | None = db.execute(find, name).fetchone()
    if row is not None:
        return row[0]
    added = db.execute(add, name).lastrowid
    assert added is not None, "a row was just added"
    return added


def account_key(account: AccountId) -> bytes:
    """A path as the operating system has it: one that is no text is one of ours all the same."""
    return os.fsencode(account)


def account_id(db: sqlite3.Connection, account: AccountId) -> int:
    """The account's id, given now if it had none."""
    return _id(db, _FIND_ACCOUNT, _ADD_ACCOUNT, (account_key(account),))


def known_account(db: sqlite3.Connection, account: AccountId) -> int | None:
    """The account's id, if anything was ever written for it."""
    row: tuple[int] | None = db.execute(_FIND_ACCOUNT, (account_key(account),)).fetchone()
    return row[0] if row else None


def session_ids(db: sqlite3.Connection, account: int, names: Iterable[SessionId]) -> dict[SessionId, int]:
    """The id of each of the account's sessions, given now to those that had none."""
    return {name: _id(db, _FIND_SESSION, _ADD_SESSION, (name, account)) for name in sorted(set(names))}
