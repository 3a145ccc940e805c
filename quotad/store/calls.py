"""Usage events into calls: what stands of each message id, and the sums that follow from it.

Which lines make one row, and which row of a message id stands, is decided by ``merge`` and
``standing_call`` of the domain alone. This module finds what is there, asks them, and writes the difference.
"""

from __future__ import annotations

import json
import sqlite3
import struct
from collections import defaultdict
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Literal, NamedTuple, TypeAlias

from quotad.domain.instant import QUARTER
from quotad.domain.usage import (
    MessageId,
    RequestId,
    SessionId,
    Tokens,
    UsageEvent,
    merge,
    standing_call,
)
from quotad.store.logs import measured_ids
from quotad.store.names import Ids, ids_of
from quotad.store.sums import Row, Sums

Rows: TypeAlias = dict[RequestId, UsageEvent]
"""The rows of one message id."""

_STORED = """
    SELECT call.key, call.contested, call.message, call.request, call.at, session.name, model.name,
           place.name, call.sidechain, call.input, call.output, call.cache_write, call.cache_read
      FROM call JOIN session ON session.id = call.session
                JOIN model ON model.id = call.model
                JOIN place ON place.id = call.cwd
     WHERE call.key IN (SELECT value FROM json_each(?))"""

_CONTENDERS = """
    SELECT call.message, contender.request, contender.at, session.name, model.name,
           place.name, contender.sidechain, contender.input, contender.output,
           contender.cache_write, contender.cache_read
      FROM contender JOIN call ON call.key = contender.key
                     JOIN session ON session.id = contender.session
                     JOIN model ON model.id = contender.model
                     JOIN place ON place.id = contender.cwd
     WHERE contender.key = ?"""

_INSERT_INTO = """
    INSERT OR FAIL INTO call (key, contested, message, request, at, session, model, cwd, sidechain,
                              input, output, cache_write, cache_read)"""

ROWS_AT_ONCE = (64, 32, 16, 8, 4, 2, 1)
"""So many rows make one statement, the most that are left: SQLite's work for each is a third less, and it
lets go of the interpreter once, not 64 times. Their parameters are fewer than any SQLite allows."""


def _insert_of(rows: int) -> str:
    """A statement that stores so many calls of one row each, but those whose keys are known.

    Should one fail, the transaction is undone, all of it: without FAIL, SQLite would copy each page that it
    touches to be able to undo the statement alone.
    """
    row = "(?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    return f"{_INSERT_INTO} VALUES {', '.join([row] * rows)} ON CONFLICT (key) DO NOTHING"


_INSERT_NEW = {rows: _insert_of(rows) for rows in ROWS_AT_ONCE}

_LATEST = "SELECT key FROM call ORDER BY id DESC LIMIT ?"

_INSERT_MERGED = f"{_INSERT_INTO} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

_UPDATE = """
    UPDATE call SET contested = ?, request = ?, at = ?, session = ?, model = ?, cwd = ?, sidechain = ?,
                    input = ?, output = ?, cache_write = ?, cache_read = ?
     WHERE key = ?"""

_CONTEND = """
    INSERT OR REPLACE INTO contender (key, request, at, session, model, cwd, sidechain,
                                      input, output, cache_write, cache_read)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""


class _Names(NamedTuple):
    """The ids of every name that usage events bear."""

    sessions: Ids
    models: Ids
    places: Ids

    def rows(self, calls: Iterable[tuple[int, UsageEvent]], contested: Literal[0, 1] = 0) -> list[Row]:
        """What is written of calls, each with its key."""
        sessions, models, places = self
        # sqlite3 asks for an adapter for each bool, which costs as much as the rest of the row.
        return [
            (
                key,
                contested,
                message,
                request,
                at,
                sessions[session],
                models[model],
                places[cwd],
                1 if sidechain else 0,
                one,
                two,
                three,
                four,
            )
            for key, (message, request, at, session, model, cwd, sidechain, (one, two, three, four)) in calls
        ]


class _Known(NamedTuple):
    """What is stored of one message id: all its rows, and the one that stands."""

    rows: Rows
    call: UsageEvent


def take_usage(db: sqlite3.Connection, account: int, usage: Sequence[UsageEvent]) -> list[UsageEvent]:
    """Merges usage lines into what is stored; within a transaction of the caller's.

    Gives the rows, as they are now, of the calls that were stored before.
    """
    keys = _keys(account, usage)
    alone = dict(zip(keys, usage, strict=True))
    others = [(key, event) for key, event in zip(keys, usage, strict=True) if alone[key] is not event]
    others += [(key, alone.pop(key)) for key in {key for key, _ in others}]
    names = _Names(measured_ids(db, account), ids_of(db, "model"), ids_of(db, "place"))
    sums = Sums()
    # Nearly all messages are new and have one row: nothing is asked about them, the index finds out anyway.
    others += _insert(db, list(alone.items()), names, sums)
    met = _merge(db, others, names, sums)
    sums.write(db, account)
    return met


def _insert(
    db: sqlite3.Connection, calls: Sequence[tuple[int, UsageEvent]], names: _Names, sums: Sums
) -> list[tuple[int, UsageEvent]]:
    """Stores those calls whose keys are not known, and gives the others."""
    known: list[tuple[int, UsageEvent]] = []
    (sessions, models, places), come = names, sums.come
    begin = 0
    for size in ROWS_AT_ONCE:
        while len(calls) - begin >= size:
            some = calls[begin : begin + size]
            begin += size
            values: list[int | str] = []
            for key, (message, request, at, session, model, cwd, sidechain, tokens) in some:
                one, two, three, four = tokens
                who, what, where = sessions[session], models[model], places[cwd]
                side = 1 if sidechain else 0  # no bool, as in ``rows``
                values += (key, message, request, at, who, what, where, side, one, two, three, four)
                come[what, at // QUARTER, who].append(tokens)
            added = db.execute(_INSERT_NEW[size], values).rowcount
            if added < size:
                stored = {key for (key,) in db.execute(_LATEST, (added,))}
                met = [(key, event) for key, event in some if key not in stored]
                for row in names.rows(met):
                    sums.take(row)
                known += met
    return known


def _merge(
    db: sqlite3.Connection, usage: Iterable[tuple[int, UsageEvent]], names: _Names, sums: Sums
) -> list[UsageEvent]:
    """Merges events, each with its key, into what is stored, and gives the rows of the calls that were."""
    heard: defaultdict[int, Rows] = defaultdict(dict)
    for key, event in usage:
        _join(heard[key], event)
        names.sessions.meet(event.session)  # whatever becomes of the line
    known = _known(db, heard)
    met: list[UsageEvent] = []
    fresh: list[Row] = []
    changed: list[Row] = []
    contending: list[Row] = []
    for key, rows in heard.items():
        was = known.get(key)
        if was is not None:
            for row in was.rows.values():
                _join(rows, row)
            met += rows.values()
            if rows == was.rows:
                continue
            sums.take(*names.rows([(key, was.call)]))
        contested: Literal[0, 1] = 1 if len(rows) > 1 else 0
        if contested:
            contending += names.rows([(key, row) for row in rows.values()], contested)
        (fresh if was is None else changed).extend(
            names.rows([(key, standing_call(rows.values()))], contested)
        )
    db.executemany(_INSERT_MERGED, fresh)
    db.executemany(_UPDATE, [(contested, *columns, key) for key, contested, _, *columns in changed])
    db.executemany(_CONTEND, [(key, *columns) for key, _, _, *columns in contending])
    sums.add(fresh)
    sums.add(changed)
    return met


def usage_event(  # noqa: PLR0913, PLR0917 - one parameter a column
    message: str,
    request: str,
    at: int,
    session: str,
    model: str,
    cwd: str,
    sidechain: int,
    *tokens: int,
) -> UsageEvent:
    """A usage event from columns in the order of the queries here and in ``recall``."""
    return UsageEvent(
        MessageId(message),
        RequestId(request),
        at,
        SessionId(session),
        model,
        cwd,
        bool(sidechain),
        Tokens(*tokens),
    )


def _keys(account: int, usage: Iterable[UsageEvent]) -> tuple[int, ...]:
    """64 bits for each event's message id and its account, as SQLite's signed integers.

    That any two of five million ids share a key has a probability of one in a million; they would be one
    call.
    """
    owner = blake2b(b"%d " % account, digest_size=8)
    digests: list[bytes] = []
    for event in usage:
        digest = owner.copy()  # a third cheaper than a new one
        digest.update(event.message.encode())
        digests.append(digest.digest())
    return struct.unpack(f">{len(digests)}q", b"".join(digests))


def _join(rows: Rows, row: UsageEvent) -> None:
    """Adds a row to those of its message id."""
    seen = rows.get(row.request)
    rows[row.request] = row if seen is None else merge(seen, row)


def _known(db: sqlite3.Connection, keys: Iterable[int]) -> dict[int, _Known]:
    known: dict[int, _Known] = {}
    for key, contested, *columns in db.execute(_STORED, (json.dumps(list(keys)),)).fetchall():
        call = usage_event(*columns)
        rows = contenders(db, key) if contested else [call]
        known[key] = _Known({row.request: row for row in rows}, call)
    return known


def contenders(db: sqlite3.Connection, key: int) -> list[UsageEvent]:
    """All rows of a message id that came under several request ids."""
    return [usage_event(*columns) for columns in db.execute(_CONTENDERS, (key,))]
