"""By how much the sums of the quarter hours move in one transaction."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from operator import sub
from typing import TypeAlias

from quotad.domain.instant import QUARTER, Instant
from quotad.domain.usage import MessageId, RequestId

Row: TypeAlias = tuple[int, int, MessageId, RequestId, Instant, int, int, int, int, int, int, int, int]
"""A call from ``key`` to ``cache_read``, as in the table ``call``."""

_Place: TypeAlias = tuple[int, int, int]
"""Model, quarter hour and session of a sum."""

_Calls: TypeAlias = defaultdict[_Place, list[tuple[int, ...]]]
"""The tokens of calls, by the sum to which they belong."""

_NOTHING = (0, 0, 0, 0, 0)

_MOVE_SUM = """
    INSERT INTO rollup (account, model, bucket, session, input, output, cache_write, cache_read, messages)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (account, model, bucket, session) DO UPDATE SET
        input = input + excluded.input, output = output + excluded.output,
        cache_write = cache_write + excluded.cache_write, cache_read = cache_read + excluded.cache_read,
        messages = messages + excluded.messages"""

_DROP_EMPTY_SUM = """
    DELETE FROM rollup WHERE account = ? AND model = ? AND bucket = ? AND session = ? AND messages = 0"""


class Sums:
    """Calls that come and go."""

    def __init__(self) -> None:
        self.come: _Calls = defaultdict(list)
        """To be added to where so many calls come that one function each is felt."""
        self._gone: _Calls = defaultdict(list)

    def add(self, rows: Iterable[Row]) -> None:
        """These calls are counted from now on."""
        for row in rows:
            self.come[row[6], row[4] // QUARTER, row[5]].append(row[9:])

    def take(self, row: Row) -> None:
        """This call is not counted any more."""
        self._gone[row[6], row[4] // QUARTER, row[5]].append(row[9:])

    def write(self, db: sqlite3.Connection, account: int) -> None:
        """Moves the account's sums."""
        moves = {place: _total(calls) for place, calls in self.come.items()}
        for place, calls in self._gone.items():
            moves[place] = tuple(map(sub, moves.get(place, _NOTHING), _total(calls)))
        rows = [(account, *place, *move) for place, move in sorted(moves.items()) if any(move)]
        db.executemany(_MOVE_SUM, rows)
        # Only where calls went away can nothing be left.
        db.executemany(_DROP_EMPTY_SUM, [row[:4] for row in rows if row[-1] < 0])


def _total(calls: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """Tokens of some calls by kind, and how many calls these are."""
    return (*map(sum, zip(*calls, strict=True)), len(calls))
