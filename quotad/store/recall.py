"""What a restarted daemon needs back: the recent past, as the same values that were once taken in."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from quotad.domain.instant import QUARTER, Instant
from quotad.domain.reading import Reading, ReadingSource
from quotad.domain.session import LogEvent, LogKind
from quotad.domain.usage import AccountId, SessionId, UsageEvent
from quotad.store.calls import contenders, usage_event
from quotad.store.names import account_key

_CALLS = """
    SELECT call.key, call.contested, call.message, call.request, call.at, session.name, model.name,
           place.name, call.sidechain, call.input, call.output, call.cache_write, call.cache_read
      FROM model CROSS JOIN timed_call AS call
                 JOIN session ON session.id = call.session
                 JOIN place ON place.id = call.cwd
     WHERE call.account = (SELECT id FROM account WHERE name = :account) AND call.model = model.id
       AND call.bucket >= :bucket AND call.at >= :since"""

_LOGS = """
    SELECT log_event.name, log_event.kind, log_event.at, session.name, tool.name, place.name,
           log_event.agent, log_event.tokens_used, session.measured
      FROM log_event JOIN session ON session.id = log_event.session
                     JOIN tool ON tool.id = log_event.tool
                     JOIN place ON place.id = log_event.cwd
     WHERE log_event.account = (SELECT id FROM account WHERE name = :account) AND log_event.at >= :since"""

_READINGS = """
    SELECT window, percent, resets_at, received_at, source, session FROM reading
     WHERE account = (SELECT id FROM account WHERE name = :account) AND resets_at >= :since
     ORDER BY received_at"""

_READINGS_OF = """
    SELECT window, percent, resets_at, received_at, source, session FROM reading
     WHERE account = (SELECT id FROM account WHERE name = ?) AND window = ?
     ORDER BY received_at"""


class Recollection(NamedTuple):
    """The recent past of an account, in no particular order (readings: as they were received).

    ``usage`` holds every row of each call that stands at or after the asked instant, so that a later line
    merges as if nothing had been forgotten. ``measured`` are those sessions of ``logs`` whose id some usage
    line has ever borne.
    """

    usage: list[UsageEvent]
    logs: list[LogEvent]
    readings: list[Reading]
    measured: set[SessionId]


def recall(db: sqlite3.Connection, account: AccountId, since: Instant) -> Recollection:
    """Everything at or after ``since``; readings whose window ends at or after it."""
    wanted = {"account": account_key(account), "since": since, "bucket": since // QUARTER}
    usage: list[UsageEvent] = []
    for key, contested, *columns in db.execute(_CALLS, wanted):
        if contested:
            usage += contenders(db, key)
        else:
            usage.append(usage_event(*columns))
    logs: list[LogEvent] = []
    measured_sessions: set[SessionId] = set()
    for name, kind, at, session, tool, cwd, agent, tokens_used, measured in db.execute(_LOGS, wanted):
        logs.append(LogEvent(name, LogKind(kind), at, SessionId(session), tool, cwd, agent, tokens_used))
        if measured:
            measured_sessions.add(SessionId(session))
    readings = [_reading(*row) for row in db.execute(_READINGS, wanted)]
    return Recollection(usage, logs, readings, measured_sessions)


def readings_of(db: sqlite3.Connection, account: AccountId, window: str) -> list[Reading]:
    """All readings there ever were of a window, as they were received."""
    return [_reading(*row) for row in db.execute(_READINGS_OF, (account_key(account), window))]


def _reading(  # noqa: PLR0913, PLR0917 - a row's columns
    window: str, percent: float, resets_at: int, received_at: int, source: str, session: str
) -> Reading:
    return Reading(window, percent, resets_at, received_at, ReadingSource(source), SessionId(session))
