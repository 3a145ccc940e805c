"""Sessions: what a session log says of them, and the five hours that each one opens."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

from quotad.domain.instant import HOUR, Instant, Millis
from quotad.domain.notice import Basis
from quotad.domain.usage import AccountId, SessionId

SESSION_LENGTH: Millis = 5 * HOUR


class LogKind(StrEnum):
    """The events a session log may hold; a line of any other kind is foreign and skipped."""

    START = "session_start"
    END = "session_end"
    TOOL_USE = "tool_use"
    TOOL_RESULT = "tool_result"
    MESSAGE = "message"


class LogEvent(NamedTuple):
    """One line of a session log.

    ``key`` is its identity: the tool use id, else session, kind, instant, tool and which of the equal
    lines of its file it is, so that a copied or re-read log adds nothing.
    """

    key: str
    kind: LogKind
    at: Instant
    session: SessionId
    tool: str
    cwd: str
    agent: str
    tokens_used: int | None
    """What ``session_end`` claims the session used: kept as a note, never counted."""


class SessionState(StrEnum):
    """A session is complete when its log says so, expired when its five hours are over."""

    ACTIVE = "active"
    COMPLETE = "complete"
    EXPIRED = "expired"


class SessionStanding(Struct, frozen=True):
    """One session and its latest five hours; ``spent`` counts only those."""

    account: AccountId
    id: SessionId
    state: SessionState
    opened_at: Instant
    ends_at: Instant
    last_active_at: Instant
    ended_at: Instant | None
    cwd: str
    agent: str
    spent: int
    basis: Basis

    def state_at(self, now: Instant) -> SessionState:
        """Its state, if nothing but time has moved."""
        return session_state(self.ended_at, self.ends_at, now)


def session_state(ended: Instant | None, ends: Instant, now: Instant) -> SessionState:
    """Of a session that ended at an instant, or whose five hours end."""
    if ended is not None:
        return SessionState.COMPLETE
    return SessionState.ACTIVE if now < ends else SessionState.EXPIRED
