"""Names as they are in the tables: each text once, everything else by its integer id.

Nothing is remembered between transactions: a batch holds a few dozen names, and an id that was remembered
from a transaction that failed would be wrong.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from typing import Literal, TypeAlias

from quotad.domain.usage import AccountId

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


class Ids(dict[str, int]):
    """Ids by name, each looked up, or given, when it is asked for first; for one transaction."""

    def __init__(self, id_of: Callable[[str], int]) -> None:
        super().__init__()
        self._id_of = id_of

    def __missing__(self, name: str) -> int:
        self.meet(name)
        return self[name]

    def meet(self, name: str) -> None:
        """Looks the name up though nobody needs its id."""
        if name not in self:
            self[name] = self._id_of(name)


def ids_of(db: sqlite3.Connection, table: NameTable) -> Ids:
    """The ids of a table's names."""
    find, add = _FIND[table], _ADD[table]
    return Ids(lambda name: _id(db, find, add, (name,)))


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


def session_ids(db: sqlite3.Connection, account: int) -> Ids:
    """The ids of the account's sessions."""
    return Ids(lambda name: _id(db, _FIND_SESSION, _ADD_SESSION, (name, account)))
