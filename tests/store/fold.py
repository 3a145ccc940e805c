"""What a ledger should hold, recounted from all its lines at the end, and what a file really holds.

The recount shares no rule with the product: it keeps every line, and looks at all of them at once.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from hypothesis import strategies as st

from quotad.domain.cursor import Batch
from quotad.domain.instant import HOUR, MINUTE, Instant
from quotad.domain.session import LogEvent, LogKind
from quotad.domain.usage import AccountId, MessageId, RequestId, SessionId, Tokens, UsageEvent
from quotad.store import schema
from quotad.store.ledger_file import LedgerFile

ANA = AccountId("/home/ana/.claude")
BEN = AccountId("/home/ben/.claude")
QUARTER_MS = 900_000
T0: Instant = 1_793_610_000_000
"""A quarter hour's beginning."""

MOMENTS = (
    *(T0, T0 + 1, T0 + QUARTER_MS - 1, T0 + QUARTER_MS, T0 + 50 * MINUTE, T0 + 5 * HOUR, T0 + 5 * HOUR + 1),
    *(T0 + 30 * HOUR, -1),
)
"""Edges of quarter hours, the same day and another, and a time before 1970."""


class Line(NamedTuple):
    """A usage line or a line of a session log, and whose it is."""

    account: AccountId
    event: UsageEvent | LogEvent


class Standing(NamedTuple):
    """A call that counts."""

    at: Instant
    session: str
    model: str
    cwd: str
    tokens: tuple[int, ...]


@dataclass
class Fold:
    """What one account's lines come to."""

    calls: dict[str, Standing] = field(default_factory=dict)
    logs: set[LogEvent] = field(default_factory=set)
    measured: set[str] = field(default_factory=set)

    @property
    def estimates(self) -> list[LogEvent]:
        return [log for log in self.logs if log.kind == "tool_result" and log.session not in self.measured]

    @property
    def counting(self) -> list[tuple[Instant, str | None]]:
        """The instants that may open a window, with the call's model (None: an estimate)."""
        calls: list[tuple[Instant, str | None]] = [
            (call.at, call.model) for call in self.calls.values() if any(call.tokens)
        ]
        return sorted([*calls, *((log.at, None) for log in self.estimates)], key=lambda pair: pair[0])


def fold(lines: Iterable[Line], account: AccountId = ANA) -> Fold:
    """Everything at once, from the set of an account's lines."""
    found = Fold()
    usage: dict[str, list[UsageEvent]] = defaultdict(list)
    logs: dict[tuple[str, str], list[LogEvent]] = defaultdict(list)
    for line in lines:
        if line.account != account:
            continue
        if isinstance(line.event, UsageEvent):
            usage[line.event.message].append(line.event)
            found.measured.add(line.event.session)
        else:
            logs[line.event.key, line.event.kind].append(line.event)
    found.calls = {message: _stand(events) for message, events in usage.items()}
    found.logs = {min(events, key=lambda event: event.at) for events in logs.values()}
    return found


def _stand(lines: list[UsageEvent]) -> Standing:
    named = {line.request for line in lines if line.request}

    def order(request: str) -> tuple[bool, int, str]:
        row = [line for line in lines if line.request == request]
        return (not any(not line.sidechain for line in row), min(line.at for line in row), request)

    best = min(named, key=order) if named else ""
    chosen = [line for line in lines if line.request in {best, ""}]
    first = min(chosen, key=lambda line: (line.at, line.session, line.model, line.cwd))
    tokens = tuple(max(line.tokens[kind] for line in chosen) for kind in range(4))
    return Standing(first.at, first.session, first.model, first.cwd, tokens)


def batches(lines: Iterable[Line]) -> list[Batch]:
    """The same lines as a batch an account, in the accounts' order of appearance."""
    made: dict[AccountId, Batch] = {}
    for line in lines:
        batch = made.setdefault(line.account, Batch(line.account))
        if isinstance(line.event, UsageEvent):
            batch.usage.append(line.event)
        else:
            batch.logs.append(line.event)
    return list(made.values())


def in_memory() -> sqlite3.Connection:
    """A new ledger's tables, in memory."""
    db = schema.connect(":memory:")
    schema.migrate(db)
    return db


def filled(lines: Iterable[Line]) -> closing[LedgerFile]:
    """A ledger of these lines, in memory."""
    ledger = LedgerFile(in_memory())
    for batch in batches(lines):
        ledger.append(batch)
    return closing(ledger)


@contextmanager
def stopped_after(db: sqlite3.Connection, steps: int) -> Iterator[None]:
    """Within, SQLite's machine interrupts what it does after so many steps."""
    left = steps

    def tick() -> int:
        nonlocal left
        left -= 1
        return int(left == 0)

    db.set_progress_handler(tick, 1)
    try:
        yield
    finally:
        db.set_progress_handler(None, 0)


# What a file holds, read without the product.

_CALLS = """
    SELECT message, call.at, session.name, model.name, place.name, input, output, cache_write, cache_read
      FROM call JOIN session ON session.id = call.session JOIN model ON model.id = call.model
           JOIN place ON place.id = call.cwd JOIN account ON account.id = session.account
     WHERE account.name = ?"""

_SUMS = """
    SELECT session.name, model.name, bucket, input, output, cache_write, cache_read, messages
      FROM rollup JOIN session ON session.id = rollup.session JOIN model ON model.id = rollup.model
           JOIN account ON account.id = rollup.account AND account.id = session.account
     WHERE account.name = ?"""


class Stored(NamedTuple):
    """An account's calls by message id, and its sums by (session, model, quarter hour)."""

    calls: dict[str, Standing]
    sums: dict[tuple[str, str, int], tuple[int, ...]]


def stored(file: Path | sqlite3.Connection, account: AccountId = ANA) -> Stored:
    """What the file holds of an account."""
    with reading(file) as db:
        calls = {
            message: Standing(at, session, model, cwd, tuple(tokens))
            for message, at, session, model, cwd, *tokens in db.execute(_CALLS, (account.encode(),))
        }
        sums = {row[:3]: row[3:] for row in db.execute(_SUMS, (account.encode(),))}
    return Stored(calls, sums)


@contextmanager
def reading(file: Path | sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """A connection to a file, or the one to a ledger in memory."""
    if isinstance(file, sqlite3.Connection):
        yield file
    else:
        with closing(sqlite3.connect(file)) as db:
            yield db


def sums_of(calls: Iterable[Standing]) -> dict[tuple[str, str, int], tuple[int, ...]]:
    """The sums by quarter hour that these calls come to."""
    sums: dict[tuple[str, str, int], list[int]] = defaultdict(lambda: [0] * 5)
    for call in calls:
        place = sums[call.session, call.model, call.at // QUARTER_MS]
        for column, count in enumerate((*call.tokens, 1)):
            place[column] += count
    return {place: tuple(total) for place, total in sums.items()}


def contradictions(file: Path | sqlite3.Connection) -> list[str]:
    """What in the file contradicts itself: nothing, if every transaction was whole."""
    queries = {
        "a sum that is not that of its calls": """
            SELECT session, model, bucket, sum(input), sum(output), sum(cache_write), sum(cache_read), sum(n)
              FROM (SELECT session, model, (at - (at % 900000 + 900000) % 900000) / 900000 AS bucket,
                           input, output, cache_write, cache_read, 1 AS n FROM call
                    UNION ALL
                    SELECT session, model, bucket, -input, -output, -cache_write, -cache_read, -messages
                      FROM rollup)
             GROUP BY session, model, bucket
            HAVING sum(input) <> 0 OR sum(output) <> 0 OR sum(cache_write) <> 0 OR sum(cache_read) <> 0
                OR sum(n) <> 0""",
        "an empty sum": "SELECT * FROM rollup WHERE messages < 1",
        "a call whose rows are not there": """
            SELECT key FROM call
             WHERE contested <> ((SELECT count(*) FROM contender WHERE contender.key = call.key) > 1)""",
        "rows of no call": "SELECT key FROM contender WHERE key NOT IN (SELECT key FROM call)",
        "a call of a session that is not measured": """
            SELECT call.key FROM call JOIN session ON session.id = call.session WHERE NOT measured""",
        "an estimate that should not count, or one that should": """
            SELECT log_event.key FROM log_event JOIN session ON session.id = log_event.session
             WHERE counts <> (kind = 'tool_result' AND NOT measured)""",
        "a name of nothing": """
            SELECT session FROM call WHERE session NOT IN (SELECT id FROM session)
             UNION ALL SELECT model FROM call WHERE model NOT IN (SELECT id FROM model)
             UNION ALL SELECT cwd FROM call WHERE cwd NOT IN (SELECT id FROM place)
             UNION ALL SELECT tool FROM log_event WHERE tool NOT IN (SELECT id FROM tool)""",
    }
    with reading(file) as db:
        found = [f"{what}: {row}" for what, query in queries.items() for row in db.execute(query)]
        return found + [row[0] for row in db.execute("PRAGMA integrity_check") if row[0] != "ok"]


# What hypothesis makes lines of: few values, so that they meet.

instants = st.builds(lambda at, by: at + by, st.sampled_from(MOMENTS), st.sampled_from([0, -1, 1]))
_pairs = st.tuples(instants, instants)
_short = st.builds(
    lambda at, length: (at, at + length), instants, st.sampled_from([1, 2, QUARTER_MS - 1, QUARTER_MS, HOUR])
)
spans = _pairs.map(lambda pair: (min(pair), max(pair))) | _short | _short | _pairs

_usage = st.builds(
    UsageEvent,
    st.sampled_from([MessageId(name) for name in "aaab"]),
    st.sampled_from([RequestId(name) for name in ("r1", "r2", "", "r3")]),
    st.sampled_from(MOMENTS),
    st.sampled_from([SessionId(name) for name in ("s1", "s2", "s3")]),
    st.sampled_from(["claude-opus-5", "claude-3-5-haiku-20241022", "claude-haiku-4-5"]),
    st.sampled_from(["/p", "/q", ""]),
    st.booleans(),
    st.builds(Tokens, *[st.integers(0, 3)] * 4),
)
_calls = st.builds(
    UsageEvent,
    st.sampled_from([MessageId(name) for name in "cdefghij"]),
    st.just(RequestId("r")),
    *(st.sampled_from(MOMENTS), st.sampled_from([SessionId(name) for name in ("s1", "s2", "s3")])),
    *(st.sampled_from(["claude-opus-5", "claude-haiku-4-5"]), st.just("/p"), st.just(value=False)),
    st.just(Tokens(output=1)),
)


@st.composite
def _logs(draw: st.DrawFn) -> LogEvent:
    """Lines of one key differ in their time at most."""
    number = draw(st.integers(0, 5))
    session = SessionId(f"s{1 + number % 4}")
    kind = draw(st.sampled_from([LogKind.TOOL_RESULT, LogKind.TOOL_USE, LogKind.START]))
    tool, cwd = ("", "Edit", "Bash")[number % 3], ("", "/logged")[number % 2]
    return LogEvent(f"key{number}", kind, draw(st.sampled_from(MOMENTS)), session, tool, cwd, "", None)


_line = st.builds(Line, st.sampled_from([ANA, ANA, ANA, BEN]), _usage | _calls | _logs())
lines = st.lists(_line, max_size=4) | st.lists(_line, min_size=8, max_size=24)
