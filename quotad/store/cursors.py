"""How far each file has been taken in, written in the transaction of what was taken from it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Sequence

from quotad.domain.cursor import Cursor
from quotad.domain.usage import AccountId
from quotad.store.names import account_key

_ADVANCE = """
    INSERT OR REPLACE INTO cursor (account, path, device, inode, head, head_size, offset, tail, size,
                                   mtime_ns, skipping, lines, malformed)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""

_ALL = """
    SELECT path, device, inode, head, head_size, offset, tail, size, mtime_ns, skipping, lines, malformed
      FROM cursor WHERE account = (SELECT id FROM account WHERE name = ?)"""

_FORGET = "DELETE FROM cursor WHERE account = (SELECT id FROM account WHERE name = ?) AND path = ?"


def take_cursors(db: sqlite3.Connection, account: int, cursors: Iterable[Cursor]) -> None:
    """Moves cursors; within a transaction of the caller's."""
    db.executemany(_ADVANCE, ((account, *_columns(cursor)) for cursor in cursors))


def cursors_of(db: sqlite3.Connection, account: AccountId) -> dict[str, Cursor]:
    """The cursors of an account's files, by path."""
    found: dict[str, Cursor] = {}
    for row in db.execute(_ALL, (account_key(account),)):
        path, device, inode, head, head_size, offset, tail, size, mtime_ns, skipping, lines, malformed = row
        name = os.fsdecode(path)
        found[name] = Cursor(
            path=name,
            device=_unsigned(device),
            inode=_unsigned(inode),
            head=head,
            head_size=head_size,
            offset=offset,
            tail=tail,
            size=size,
            mtime_ns=mtime_ns,
            skipping=bool(skipping),
            lines=lines,
            malformed=malformed,
        )
    return found


def forget_cursors(db: sqlite3.Connection, account: AccountId, paths: Sequence[str]) -> None:
    """Drops the cursors of files that are gone; within a transaction of the caller's."""
    db.executemany(_FORGET, ((account_key(account), os.fsencode(path)) for path in paths))


def _columns(cursor: Cursor) -> tuple[int | bytes, ...]:
    return (
        os.fsencode(cursor.path),
        _signed(cursor.device),
        _signed(cursor.inode),
        *(cursor.head, cursor.head_size, cursor.offset, cursor.tail),
        *(cursor.size, cursor.mtime_ns, int(cursor.skipping), cursor.lines, cursor.malformed),
    )


def _signed(number: int) -> int:
    """As SQLite's signed integer: overlay file systems number their inodes with all 64 bits."""
    return number - 2**64 if number >= 2**63 else number


def _unsigned(number: int) -> int:
    return number % 2**64
