"""Sessions: what a session log says of them, and the five hours that each one opens."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from quotad.domain.instant import HOUR, Instant, Millis
from quotad.domain.usage import SessionId

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
