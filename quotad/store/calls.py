"""Usage events into calls: what stands of each message id, and the sums that follow from it.

Which lines make one row, and which row of a message id stands, is decided by ``merge`` and
``standing_call`` of the domain alone. This module finds what is there, asks them, and writes the difference.
"""

from __future__ import annotations

import json
import sqlite3
import struct
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Literal, NamedTuple, TypeAlias

from quotad.domain.instant import QUARTER, Instant
from quotad.domain.usage import (
    MessageId,
    RequestId,
    SessionId,
    Tokens,
    UsageEvent,
    merge,
    standing_call,
)
from quotad.store.names import ids_of, session_ids

Rows: TypeAlias = dict[RequestId, UsageEvent]
"""The rows of one message id."""

_Columns: TypeAlias = tuple[str, Instant, int, int, int, int, int, int, int, int]
"""From ``request`` to ``cache_read``, as in the tables ``call`` and ``contender``."""

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

_INSERT = """
    INSERT INTO call (key, contested, message, request, at, session, model, cwd, sidechain,
                      input, output, cache_write, cache_read)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""

_UPDATE = """
    UPDATE call SET contested = ?, request = ?, at = ?, session = ?, model = ?, cwd = ?, sidechain = ?,
                    input = ?, output = ?, cache_write = ?, cache_read = ?
     WHERE key = ?"""

_CONTEND = """
    INSERT OR REPLACE INTO contender (key, request, at, session, model, cwd, sidechain,
                                      input, output, cache_write, cache_read)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""

_MOVE_SUM = """
    INSERT INTO rollup (account, model, bucket, session, input, output, cache_write, cache_read, messages)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (account, model, bucket, session) DO UPDATE SET
        input = input + excluded.input, output = output + excluded.output,
        cache_write = cache_write + excluded.cache_write, cache_read = cache_read + excluded.cache_read,
        messages = messages + excluded.messages"""

_DROP_EMPTY_SUM = """
    DELETE FROM rollup WHERE account = ? AND model = ? AND bucket = ? AND session = ? AND messages = 0"""


class _Ids(NamedTuple):
    """The ids of every name that a batch's usage events bear."""

    sessions: Mapping[SessionId, int]
    models: Mapping[str, int]
    places: Mapping[str, int]

    def columns(self, event: UsageEvent) -> _Columns:
        _, request, at, session, model, cwd, sidechain, (one, two, three, four) = event
        session_id, model_id, place_id = self.sessions[session], self.models[model], self.places[cwd]
        # sqlite3 asks for an adapter for each bool, which costs as much as the rest of the row.
        return (request, at, session_id, model_id, place_id, 1 if sidechain else 0, one, two, three, four)


class _Sums:
    """By how much the sums of the quarter hours move in one transaction."""

    def __init__(self) -> None:
        self._moves: dict[tuple[int, int, int], list[int]] = {}

    def move(self, call: _Columns, sign: Literal[1, -1]) -> None:
        """Adds a call to the sums, or takes it away."""
        _, at, session, model, _, _, one, two, three, four = call
        place = (model, at // QUARTER, session)
        moves = self._moves.get(place)
        if moves is None:
            moves = self._moves[place] = [0, 0, 0, 0, 0]
        moves[0] += sign * one
        moves[1] += sign * two
        moves[2] += sign * three
        moves[3] += sign * four
        moves[4] += sign

    def write(self, db: sqlite3.Connection, account: int) -> None:
        moves = [(account, *place, *move) for place, move in sorted(self._moves.items()) if any(move)]
        db.executemany(_MOVE_SUM, moves)
        # Only where calls went away can nothing be left.
        db.executemany(_DROP_EMPTY_SUM, [move[:4] for move in moves if move[-1] < 0])


class _Known(NamedTuple):
    """What is stored of one message id: all its rows, and the one that stands."""

    rows: Rows
    call: UsageEvent


def take_usage(db: sqlite3.Connection, account: int, usage: Sequence[UsageEvent]) -> list[UsageEvent]:
    """Merges usage lines into what is stored; within a transaction of the caller's.

    Gives the rows, as they are now, of the calls that were stored before.
    """
    heard, several = _heard(account, usage)
    keys = sorted(heard)
    known = _known(db, keys)
    ids = _ids(db, account, [*usage, *(row for was in known.values() for row in was.rows.values())])
    sums = _Sums()
    met: list[UsageEvent] = []
    fresh: list[tuple[int | str, ...]] = []
    changed: list[tuple[int | str, ...]] = []
    contending: list[tuple[int | str, ...]] = []
    for key in keys:
        call = heard[key]
        was = known.get(key)
        contested = 0
        # Nearly all messages are new and have one row: all else is for the few others.
        if was is not None or key in several:
            rows = several.get(key) or {call.request: call}
            if was is not None:
                rows = _joined(was.rows, rows)
                met += rows.values()
                if rows == was.rows:
                    continue
            call = standing_call(rows.values())
            if len(rows) > 1:
                contested = 1
                contending += ((key, *ids.columns(row)) for row in rows.values())
        columns = ids.columns(call)
        sums.move(columns, 1)
        if was is None:
            fresh.append((key, contested, call.message, *columns))
        else:
            sums.move(ids.columns(was.call), -1)
            changed.append((contested, *columns, key))
    db.executemany(_INSERT, fresh)
    db.executemany(_UPDATE, changed)
    db.executemany(_CONTEND, contending)
    sums.write(db, account)
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


def _keys(account: int, messages: Iterable[MessageId]) -> tuple[int, ...]:
    """64 bits for each of an account's message ids, as SQLite's signed integers.

    That any two of five million ids share a key has a probability of one in a million; they would be one
    call.
    """
    owner = b"%d " % account
    digests = [blake2b(owner + message.encode(), digest_size=8).digest() for message in messages]
    return struct.unpack(f">{len(digests)}q", b"".join(digests))


def _heard(account: int, usage: Iterable[UsageEvent]) -> tuple[dict[int, UsageEvent], dict[int, Rows]]:
    """By key, the first row of each message id, and all rows of the few that have several."""
    first: dict[MessageId, UsageEvent] = {}
    several: dict[MessageId, Rows] = {}
    for event in usage:
        message, request = event[:2]
        row = first.setdefault(message, event)
        if row is event:
            continue
        if message not in several and row.request == request:
            first[message] = merge(row, event)
            continue
        rows = several.setdefault(message, {row.request: row})
        rows[request] = merge(rows[request], event) if request in rows else event
    keys = dict(zip(first, _keys(account, first), strict=True))
    heard = dict(zip(keys.values(), first.values(), strict=True))
    return heard, {keys[message]: rows for message, rows in several.items()}


def _joined(one: Rows, other: Rows) -> Rows:
    joined = dict(one)
    for request, row in other.items():
        seen = joined.get(request)
        joined[request] = row if seen is None else merge(seen, row)
    return joined


def _known(db: sqlite3.Connection, keys: list[int]) -> dict[int, _Known]:
    known: dict[int, _Known] = {}
    for key, contested, *columns in db.execute(_STORED, (json.dumps(keys),)).fetchall():
        call = usage_event(*columns)
        rows = contenders(db, key) if contested else [call]
        known[key] = _Known({row.request: row for row in rows}, call)
    return known


def contenders(db: sqlite3.Connection, key: int) -> list[UsageEvent]:
    """All rows of a message id that came under several request ids."""
    return [usage_event(*columns) for columns in db.execute(_CONTENDERS, (key,))]


def _ids(db: sqlite3.Connection, account: int, events: list[UsageEvent]) -> _Ids:
    return _Ids(
        session_ids(db, account, {event.session for event in events}),
        ids_of(db, "model", {event.model for event in events}),
        ids_of(db, "place", {event.cwd for event in events}),
    )
