"""From the state to the words of the wire: the only place that knows both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Literal

from msgspec import Struct

from quotad import wire
from quotad.domain.due import room_now
from quotad.domain.instant import Instant
from quotad.domain.queue import Queue, Status
from quotad.domain.reading import Reading
from quotad.domain.room import is_due
from quotad.domain.session import SessionStanding
from quotad.domain.standing import Standing, WindowStanding
from quotad.domain.state import Problem
from quotad.domain.usage import Tokens

INSTANTS_KEPT_MAX = 512
"""So many instants are kept as text: nearly all that a reply tells were in the one before."""

SESSIONS_KEPT_MAX = 512

_text = lru_cache(INSTANTS_KEPT_MAX)(wire.iso)


class DaemonFacts(Struct, frozen=True):
    """What the daemon knows of itself."""

    version: str
    pid: int
    started_at: Instant
    malformed_lines: int
    progress: wire.ProgressReply | None
    notifier: wire.NotifierReply


def status(standing: Standing, daemon: DaemonFacts, problems: Iterable[Problem]) -> wire.StatusReply:
    """The reply to ``status``, as CONTRACT words it."""
    available = _available(standing)
    return {
        "schema": wire.STATUS_SCHEMA,
        "now": wire.iso(standing.now),
        "daemon": {
            "version": daemon.version,
            "pid": daemon.pid,
            "started_at": _text(daemon.started_at),
            "caught_up": standing.caught_up,
            "malformed_lines": daemon.malformed_lines,
            "progress": daemon.progress,
            "notifier": daemon.notifier,
            "problems": [
                {"code": problem.code, "message": problem.message, "since": _text(problem.since)}
                for problem in problems
            ],
        },
        "plan": standing.plan,
        "windows": [
            _window(window, standing.now, available.get((window.account, window.name), window.remaining))
            for window in standing.windows
        ],
        "sessions": [_session(session) for session in standing.sessions],
        "queue": _queue(standing.queue, standing.now),
        "advice": list(standing.advice),
    }


def _available(standing: Standing) -> Mapping[tuple[str, str], int]:
    """What is left of each window and not promised, where something is promised."""
    if not standing.queue.sessions:
        return {}
    account = standing.windows[0].account
    return {(account, room.name): room.available for room in room_now(standing) if room.limit is not None}


def _queue(queue: Queue, now: Instant) -> wire.QueueReply:
    sessions = queue.by_status
    booked = sessions[Status.SCHEDULED]
    times = (one.scheduled_for for one in booked)
    coming = min((at for at in times if at is not None and at > now), default=None)
    return {
        "ready": len(sessions[Status.READY]),
        "blocked": len(sessions[Status.BLOCKED]),
        "scheduled": [one.id for one in booked],
        "in_progress": [one.id for one in sessions[Status.IN_PROGRESS]],
        "complete": len(sessions[Status.COMPLETE]),
        "due": [one.id for one in booked if is_due(one, now)],
        "next_at": _iso(coming),
    }


def tokens(counts: Tokens) -> wire.TokensReply:
    """Counts by kind."""
    return {
        "input": counts.input,
        "output": counts.output,
        "cache_write": counts.cache_write,
        "cache_read": counts.cache_read,
    }


def _window(window: WindowStanding, now: Instant, available: int | None) -> wire.WindowReply:
    state: Literal["open", "idle"] = "open" if window.is_open else "idle"
    return {
        "name": window.name,
        "account": window.account,
        "state": state,
        "opened_at": _iso(window.opened_at),
        "resets_at": _iso(window.resets_at),
        "limit": window.limit,
        "limit_basis": window.limit_basis,
        "spent": window.spent,
        "remaining": window.remaining,
        "available": available,
        "percent": None if window.percent is None else round(window.percent, 1),
        "level": window.level,
        "basis": window.basis,
        "as_of": _text(window.as_of),
        "tokens": tokens(window.tokens),
        "messages": window.messages,
        "estimated_tokens": window.estimated_tokens,
        "lower_bound": window.lower_bound,
        "burn_per_minute": round(window.burn_per_minute, 1),
        "runs_out_at": _iso(window.runs_out_at),
        "next_threshold": window.next_threshold,
        "reported": None if window.reported is None else _reported(window.reported, now),
    }


def _reported(reading: Reading, now: Instant) -> wire.ReportedReply:
    return {
        "percent": reading.percent,
        "resets_at": _text(reading.resets_at),
        "received_at": _text(reading.received_at),
        "age_seconds": max(0, now - reading.received_at) / 1000,
        "source": reading.source,
    }


@lru_cache(SESSIONS_KEPT_MAX)
def _session(session: SessionStanding) -> wire.SessionReply:
    """Most sessions stand where they stood in the reply before; nobody changes what is given."""
    return {
        "id": session.id,
        "account": session.account,
        "state": session.state.value,
        "started_at": _text(session.opened_at),
        "ends_at": _text(session.ends_at),
        "ended_at": _iso(session.ended_at),
        "last_active_at": _text(session.last_active_at),
        "cwd": session.cwd,
        "agent": session.agent or None,
        "spent": session.spent,
        "basis": session.basis,
    }


def _iso(instant: Instant | None) -> str | None:
    return None if instant is None else _text(instant)
