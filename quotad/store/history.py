"""Sums over any span of time, exact to the millisecond, over years in a fraction of a second.

Whole quarter hours come from the rollup; only what a span cuts off at its two ends is added up from calls.
Tokens are given by model and tool results by tool: what they weigh is the caller's to say.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from itertools import chain
from typing import Literal, NamedTuple, TypeAlias, assert_never

from quotad.domain.instant import QUARTER, Instant
from quotad.domain.usage import NO_TOKENS, AccountId, Tokens
from quotad.store.chain import EARLIEST, LATEST
from quotad.store.names import known_account

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

By: TypeAlias = Literal["day", "model", "project", "session"]


class Sum(NamedTuple):
    """Tokens of some calls, and how many calls they were."""

    tokens: Tokens
    messages: int

    def plus(self, other: Sum) -> Sum:
        return Sum(self.tokens.plus(other.tokens), self.messages + other.messages)


class Group(NamedTuple):
    """What was used under one name: a day, a model, a project, a session.

    ``tools`` counts the tool results, by tool, that are worth an estimate. ``first`` and ``last`` are given
    for sessions: their first and last event within the span.
    """

    name: str
    models: dict[str, Sum]
    tools: dict[str, int]
    first: Instant | None = None
    last: Instant | None = None

    @property
    def tokens(self) -> Tokens:
        total = NO_TOKENS
        for each in self.models.values():
            total = total.plus(each.tokens)
        return total

    @property
    def messages(self) -> int:
        return sum(each.messages for each in self.models.values())


class _Part(NamedTuple):
    """Calls of one model, or uses of one tool, at the grain that a grouping asks for.

    ``bucket`` is a quarter hour's number; it or ``session``, an id, is 0 where nobody asks. ``tool`` is None
    for calls; uses of a tool are of no model.
    """

    bucket: int
    session: int
    model: str
    tool: str | None
    counts: tuple[int, ...]
    """The four kinds and the number of calls; for a tool how often it was used."""


class _Span(NamedTuple):
    """``[since, until)`` as the quarter hours that lie in it whole, and the ends that it cuts off."""

    since: Instant
    until: Instant
    buckets: tuple[int, int]
    ends: tuple[tuple[Instant, Instant], ...]


_MODELS = """
    SELECT 0, 0, model.name, sum(input), sum(output), sum(cache_write), sum(cache_read), sum(messages)
      FROM model CROSS JOIN rollup
     WHERE (:scope IS NULL OR family(model.name) = :scope)
       AND account = :account AND model = model.id AND bucket >= :first AND bucket < :last
     GROUP BY model.id"""

_BUCKETS = """
    SELECT bucket, 0, model.name, sum(input), sum(output), sum(cache_write), sum(cache_read), sum(messages)
      FROM model CROSS JOIN rollup
     WHERE account = :account AND model = model.id AND bucket >= :first AND bucket < :last
     GROUP BY model.id, bucket"""

_SESSIONS = """
    SELECT 0, session, model.name, sum(input), sum(output), sum(cache_write), sum(cache_read), sum(messages)
      FROM model CROSS JOIN rollup
     WHERE account = :account AND model = model.id AND bucket >= :first AND bucket < :last
     GROUP BY model.id, session"""

_CALLS = """
    SELECT call.bucket, call.session, model.name,
           call.input, call.output, call.cache_write, call.cache_read, 1
      FROM model CROSS JOIN timed_call AS call
     WHERE (:scope IS NULL OR family(model.name) = :scope)
       AND call.account = :account AND call.model = model.id
       AND call.bucket = :bucket AND call.at >= :since AND call.at < :until"""

# SQLite divides towards zero, a quarter hour's number is rounded down.
_TOOLS = """
    SELECT (at - (at % :quarter + :quarter) % :quarter) / :quarter AS bucket, session, tool.name, count(*)
      FROM log_event INDEXED BY estimate_by_time JOIN tool ON tool.id = log_event.tool
     WHERE account = :account AND counts = 1 AND at >= :since AND at < :until
     GROUP BY bucket, session, log_event.tool"""

_PROJECT = """
    SELECT name FROM (
        SELECT at, name FROM (
            SELECT call.at, place.name FROM call JOIN place ON place.id = call.cwd
             WHERE call.session = :session AND place.name <> '' ORDER BY call.at, place.name LIMIT 1)
        UNION ALL
        SELECT at, name FROM (
            SELECT log_event.at, place.name FROM log_event JOIN place ON place.id = log_event.cwd
             WHERE log_event.session = :session AND place.name <> ''
             ORDER BY log_event.at, place.name LIMIT 1))
     ORDER BY at, name LIMIT 1"""

_REACH = """
    SELECT min(first), max(last) FROM (
        SELECT (SELECT min(at) FROM call WHERE session = each.id AND at >= :since AND at < :until) AS first,
               (SELECT max(at) FROM call WHERE session = each.id AND at >= :since AND at < :until) AS last
          FROM session AS each WHERE name = :name AND (:account IS NULL OR account = :account)
        UNION ALL
        SELECT (SELECT min(at) FROM log_event WHERE session = each.id AND at >= :since AND at < :until),
               (SELECT max(at) FROM log_event WHERE session = each.id AND at >= :since AND at < :until)
          FROM session AS each WHERE name = :name AND (:account IS NULL OR account = :account))"""


def totals(
    db: sqlite3.Connection, account: AccountId, since: Instant, until: Instant, scope: str | None
) -> Group:
    """What was used in ``[since, until)``; with a ``scope``, by calls of that model family alone."""
    known = known_account(db, account)
    if known is None:
        return Group("", {}, {})
    groups = _grouped(_parts(db, known, _MODELS, _cut(since, until), scope), lambda _: "")
    return groups[0] if groups else Group("", {}, {})


def history(  # noqa: PLR0913, PLR0917 - a question has that many sides
    db: sqlite3.Connection,
    account: AccountId | None,
    by: By,
    since: Instant | None,
    until: Instant | None,
    zone: tzinfo | None,
) -> list[Group]:
    """What was used in ``[since, until)``, of one account or all, by name; sessions by their first event.

    A day is ``YYYY-MM-DD`` in ``zone`` (None: where this machine is). A project is the directory that the
    earliest line of a session names, whatever it was asked to do later and wherever. Estimates are of no
    model: by model they stand under an empty name, as does a session without a directory by project.
    """
    span = _cut(EARLIEST if since is None else since, LATEST if until is None else until)
    known = None if account is None else known_account(db, account)
    if account is not None and known is None:
        return []
    every: list[tuple[int]] = db.execute("SELECT id FROM account").fetchall()
    query, name_of = _grouping(db, by, zone)
    parts = (_parts(db, each, query, span, None) for (each,) in ([(known,)] if known else every))
    groups = _grouped(chain.from_iterable(parts), name_of)
    if by != "session":
        return groups
    reaching = (_reaching(db, known, group, span) for group in groups)
    return sorted(reaching, key=lambda group: (group.first, group.name))


def _cut(since: Instant, until: Instant) -> _Span:
    first, last = -(-since // QUARTER), until // QUARTER
    if first > last:
        return _Span(since, until, (0, 0), ((since, until),))
    ends = ((since, first * QUARTER), (last * QUARTER, until))
    return _Span(since, until, (first, last), tuple(end for end in ends if end[0] < end[1]))


def _grouping(db: sqlite3.Connection, by: By, zone: tzinfo | None) -> tuple[str, Callable[[_Part], str]]:
    """The query with just the grain that ``by`` needs, and what each part of its answer is called."""

    @cache
    def project(session: int) -> str:
        row: tuple[str] | None = db.execute(_PROJECT, {"session": session}).fetchone()
        return row[0] if row else ""

    @cache
    def session_name(session: int) -> str:
        row: tuple[str] = db.execute("SELECT name FROM session WHERE id = ?", (session,)).fetchone()
        return row[0]

    match by:
        case "day":
            return _BUCKETS, lambda part: day_of(part.bucket * QUARTER, zone)
        case "model":
            return _MODELS, lambda part: part.model
        case "project":
            return _SESSIONS, lambda part: project(part.session)
        case "session":
            return _SESSIONS, lambda part: session_name(part.session)
        case never:
            assert_never(never)


def day_of(at: Instant, zone: tzinfo | None) -> str:
    """``YYYY-MM-DD`` of an instant in a zone (None: where this machine is)."""
    moment = _EPOCH + timedelta(milliseconds=at)
    try:
        return moment.astimezone(zone).date().isoformat()
    except OverflowError:  # in the first or the last hours of the calendar
        return moment.date().isoformat()


def _parts(
    db: sqlite3.Connection, account: int, whole: str, span: _Span, scope: str | None
) -> Iterator[_Part]:
    """All that was used in the span; ``whole`` is the query for its whole quarter hours."""
    first, last = span.buckets
    asked = {"account": account, "scope": scope, "first": first, "last": last}
    for bucket, session, model, *counts in db.execute(whole, asked):
        yield _Part(bucket, session, model, None, tuple(counts))
    for since, until in span.ends:
        asked = {**asked, "bucket": since // QUARTER, "since": since, "until": until}
        for bucket, session, model, *counts in db.execute(_CALLS, asked):
            yield _Part(bucket, session, model, None, tuple(counts))
    if scope is not None:
        return
    asked = {"account": account, "quarter": QUARTER, "since": span.since, "until": span.until}
    for bucket, session, tool, times in db.execute(_TOOLS, asked):
        yield _Part(bucket, session, "", tool, (times,))


def _grouped(parts: Iterable[_Part], name_of: Callable[[_Part], str]) -> list[Group]:
    models: dict[str, dict[str, list[int]]] = {}
    tools: dict[str, dict[str, int]] = {}
    for part in parts:
        name = name_of(part)
        uses = tools.setdefault(name, {})
        sums = models.setdefault(name, {})
        if part.tool is not None:
            uses[part.tool] = uses.get(part.tool, 0) + part.counts[0]
        else:
            total = sums.setdefault(part.model, [0, 0, 0, 0, 0])
            for column, count in enumerate(part.counts):
                total[column] += count
    return [
        Group(name, {model: Sum(Tokens(*total[:4]), total[4]) for model, total in sums.items()}, tools[name])
        for name, sums in sorted(models.items())
    ]


def _reaching(db: sqlite3.Connection, account: int | None, group: Group, span: _Span) -> Group:
    asked = {"account": account, "name": group.name, "since": span.since, "until": span.until}
    row: tuple[Instant, Instant] = db.execute(_REACH, asked).fetchone()
    return group._replace(first=row[0], last=row[1])
