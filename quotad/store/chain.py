"""Where events lie in time: what the chain of windows, and of a session's five hours, is built from.

Every question is a few steps into an index, however many years the ledger holds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from quotad.domain.instant import QUARTER, Instant, Millis
from quotad.domain.usage import AccountId, SessionId
from quotad.store.names import account_key

EARLIEST: Instant = -(2**62)
LATEST: Instant = 2**62
"""Before and after every instant that can be written down, with room to add to it in 64 bits."""

# One step into the rollup for each model, and from there to its first call.
_FIRST_CALL = """
    SELECT min(first) FROM (
        SELECT (SELECT at FROM timed_call
                 WHERE account = (SELECT id FROM account WHERE name = :account)
                   AND model = each.id AND bucket >= :first AND bucket <= :last AND bucket_total > 0
                   AND at >= :at AND at < :until AND input + output + cache_write + cache_read > 0
                 ORDER BY bucket, at LIMIT 1) AS first
          FROM model AS each WHERE :scope IS NULL OR family(each.name) = :scope)"""

_LAST_CALL = """
    SELECT max(last) FROM (
        SELECT (SELECT at FROM timed_call
                 WHERE account = (SELECT id FROM account WHERE name = :account)
                   AND model = each.id AND bucket <= :last AND bucket_total > 0
                   AND at <= :at AND input + output + cache_write + cache_read > 0
                 ORDER BY bucket DESC, at DESC LIMIT 1) AS last
          FROM model AS each WHERE :scope IS NULL OR family(each.name) = :scope)"""

# An estimate is of no model, so that it is in no model family's window.
_FIRST_ESTIMATE = """
    SELECT min(at) FROM log_event
     WHERE account = (SELECT id FROM account WHERE name = :account) AND counts = 1
       AND at >= :at AND at < :until AND :scope IS NULL"""

_LAST_ESTIMATE = """
    SELECT max(at) FROM log_event
     WHERE account = (SELECT id FROM account WHERE name = :account) AND counts = 1
       AND at <= :at AND :scope IS NULL"""

_FIRST_OF_SESSION = """
    SELECT min(first) FROM (
        SELECT (SELECT min(at) FROM call WHERE call.session = session.id AND at >= :at AND at < :until)
               AS first FROM session
         WHERE name = :session AND account = (SELECT id FROM account WHERE name = :account)
        UNION ALL
        SELECT (SELECT min(at) FROM log_event
                 WHERE log_event.session = session.id AND at >= :at AND at < :until)
          FROM session
         WHERE name = :session AND account = (SELECT id FROM account WHERE name = :account))"""


_LAST_OF_SESSION = """
    SELECT max(at) FROM call
     WHERE session = (SELECT id FROM session WHERE name = :session
                       AND account = (SELECT id FROM account WHERE name = :account))
       AND at > :since AND at <= :until AND input + output + cache_write + cache_read > 0"""


def next_call(
    db: sqlite3.Connection, account: AccountId, at: Instant, until: Instant, scope: str | None
) -> Instant | None:
    """The first instant in ``[at, until)`` of a call with any tokens, or of an estimate that counts.

    With a ``scope``, only calls of that model family.
    """
    asked = {
        "account": account_key(account),
        "scope": scope,
        "at": at,
        "until": until,
        "first": at // QUARTER,
        "last": until // QUARTER,
    }
    return min(_found(db, (_FIRST_CALL, _FIRST_ESTIMATE), asked), default=None)


def quiet_before(
    db: sqlite3.Connection, account: AccountId, before: Instant, length: Millis, scope: str | None
) -> Instant:
    """The latest event at or before ``before`` with no other in the ``length`` before it.

    That is a safe place to begin a chain of windows of that length. The very first event is one; when there
    is none at all, the answer is ``before``.

    The earliest event within ``length`` before a candidate lies within ``length`` before every later event up
    to the candidate, so that none of those can be the answer: it is itself the next candidate, and two
    steps go back by more than ``length``.
    """
    asked = {"account": account_key(account), "scope": scope, "at": before, "last": before // QUARTER}
    anchor = max(_found(db, (_LAST_CALL, _LAST_ESTIMATE), asked), default=None)
    if anchor is None:
        return before
    while (earlier := next_call(db, account, anchor - length, anchor, scope)) is not None:
        anchor = earlier
    return anchor


def next_session_event(
    db: sqlite3.Connection, account: AccountId, session: SessionId, at: Instant, until: Instant
) -> Instant | None:
    """The first instant in ``[at, until)`` of a call that the session owns, or of one of its log events."""
    asked = {"account": account_key(account), "session": session, "at": at, "until": until}
    return min(_found(db, (_FIRST_OF_SESSION,), asked), default=None)


def last_use(
    db: sqlite3.Connection, account: AccountId, session: SessionId, since: Instant, until: Instant
) -> Instant | None:
    """When a call of the session used tokens last, after ``since`` and up to ``until``."""
    asked = {"account": account_key(account), "session": session, "since": since, "until": until}
    return next(iter(_found(db, (_LAST_OF_SESSION,), asked)), None)


def _found(db: sqlite3.Connection, queries: tuple[str, ...], asked: Mapping[str, object]) -> list[Instant]:
    answers = (db.execute(query, asked).fetchone()[0] for query in queries)
    return [answer for answer in answers if answer is not None]
