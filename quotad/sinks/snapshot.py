"""``quota-tracker.json`` and ``session-tracker.json``: where other programs already look.

Derived from the standing and never read back. CONTRACT gives the shapes; what it leaves open is said at each.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NotRequired, TypeAlias, TypedDict

from msgspec.structs import replace

from quotad import wire
from quotad.domain.instant import HOUR, SECOND, Instant, Millis
from quotad.domain.queue import Planned, ScheduleReason, Status
from quotad.domain.session import SESSION_LENGTH, SessionStanding
from quotad.domain.standing import Standing, WindowStanding
from quotad.sinks import durable
from quotad.sinks.clock import Clock, pause

QUOTA_TRACKER = "quota-tracker.json"
SESSION_TRACKER = "session-tracker.json"

INTERVAL: Millis = SECOND
"""Written at most once in this time."""
RETRY_INTERVAL: Millis = 5 * SECOND
"""How long to wait where the directory does not exist yet or a file could not be written."""

UNWRITABLE = "snapshot-unwritable"
"""The problem's code."""

OnTrouble: TypeAlias = Callable[[str, str | None], None]
"""Told a problem's code and its message, or None when it is over; only when that changes."""


class CurrentWindow(TypedDict):
    """The five-hour window. While none is running the times are null and everything is left.

    ``remaining`` is null when no limit is known.
    """

    startTime: str | None
    resetTime: str | None
    tokensUsed: int
    remaining: int | None


class SpendingSession(TypedDict):
    """What one session spent in its latest five hours; ``endTime`` once it has ended by itself."""

    id: str
    tokensUsed: int
    startTime: str
    endTime: NotRequired[str]


class ScheduledSession(TypedDict):
    """A planned session that is booked."""

    id: str
    scheduledFor: str
    estimatedTokens: int
    reason: str


class TrackedWindow(TypedDict):
    """Any quota window; ``percent`` and ``remaining`` are null where nothing tells."""

    name: str
    resetTime: str | None
    tokensUsed: int
    limit: int | None
    remaining: int | None
    percent: float | None


class QuotaTracker(TypedDict):
    """The content of ``quota-tracker.json``."""

    plan: str
    limit: int | None
    windowHours: int
    currentWindow: CurrentWindow
    sessions: list[SpendingSession]
    scheduledSessions: list[ScheduledSession]
    windows: list[TrackedWindow]


class TrackedSession(TypedDict):
    """A session and its five hours: ``endTime`` is when they are over, also if it has ended before."""

    id: str
    startTime: str
    endTime: str
    cwd: str
    agent: NotRequired[str]
    tokensUsed: int
    status: str


class SessionTracker(TypedDict):
    """The content of ``session-tracker.json``."""

    sessions: list[TrackedSession]
    lastUpdated: str


def quota_tracker(standing: Standing) -> bytes:
    """The content of ``quota-tracker.json``: the first root's ``five_hour``, sessions and all windows."""
    window = standing.windows[0]
    content: QuotaTracker = {
        "plan": standing.plan,
        "limit": window.limit,
        "windowHours": SESSION_LENGTH // HOUR,
        "currentWindow": _current_window(window),
        "sessions": [_spending(session) for session in _first_roots(standing)],
        "scheduledSessions": [
            _scheduled(planned, planned.scheduled_for)
            for planned in standing.queue.by_status[Status.SCHEDULED]
            if planned.scheduled_for is not None
        ],
        "windows": [_window(one) for one in standing.windows if one.account == window.account],
    }
    return _encoded(content)


def session_tracker(standing: Standing) -> bytes:
    """The content of ``session-tracker.json``: the first root's sessions, as of ``standing.now``."""
    content: SessionTracker = {
        "sessions": [_tracked(session) for session in _first_roots(standing)],
        "lastUpdated": wire.iso(standing.now),
    }
    return _encoded(content)


class Snapshots:
    """Keeps both files as the standing is: at most once a second, and only if changed."""

    def __init__(
        self, directory: Path, standing: Callable[[], Standing], clock: Clock, on_trouble: OnTrouble
    ) -> None:
        """``directory`` is waited for and never made: without it nobody looks there."""
        self._directory = directory
        self._standing = standing
        self._clock = clock
        self._on_trouble = on_trouble
        self._trouble: str | None = None
        self._changed = asyncio.Event()
        self._written: dict[str, bytes] = {}

    def changed(self) -> None:
        """The standing is another one; returns at once."""
        self._changed.set()

    async def run(self) -> None:
        """Write after each change, for ever."""
        never = asyncio.Event()
        while True:
            await self._changed.wait()
            self._changed.clear()
            if await self._write():
                await pause(self._clock, INTERVAL, never)
            else:
                self._changed.set()
                await pause(self._clock, RETRY_INTERVAL, never)

    async def flush(self) -> None:
        """Write what has changed, once ``run`` has ended: the end of the daemon waits for no second."""
        await self._write()

    async def _write(self) -> bool:
        """Whether both files are as the standing is."""
        there = await asyncio.to_thread(self._directory.is_dir)
        if not there:
            self._written.clear()
        trouble = await self._write_files() if there else None
        if trouble != self._trouble:
            self._trouble = trouble
            self._on_trouble(UNWRITABLE, trouble)
        return there and trouble is None

    async def _write_files(self) -> str | None:
        standing = self._standing()
        timeless = replace(standing, now=_NO_TIME)
        faults = [
            await self._write_file(QUOTA_TRACKER, quota_tracker(standing), quota_tracker(timeless)),
            await self._write_file(SESSION_TRACKER, session_tracker(standing), session_tracker(timeless)),
        ]
        return next((fault for fault in faults if fault is not None), None)

    async def _write_file(self, name: str, content: bytes, timeless: bytes) -> str | None:
        """Write one file unless it says the same but for the time; what went wrong, if anything did."""
        if self._written.get(name) == timeless:
            return None
        path = self._directory / name
        try:
            await durable.replace(path, content, sync=False)
        except OSError as fault:
            return f"{path} cannot be written: {fault.strerror}; it shows an older state until it can"
        self._written[name] = timeless
        return None


_NO_TIME: Instant = 0


def _first_roots(standing: Standing) -> list[SessionStanding]:
    account = standing.windows[0].account
    return [session for session in standing.sessions if session.account == account]


def _current_window(window: WindowStanding) -> CurrentWindow:
    return {
        "startTime": None if window.opened_at is None else wire.iso(window.opened_at),
        "resetTime": None if window.resets_at is None else wire.iso(window.resets_at),
        "tokensUsed": window.spent,
        "remaining": window.remaining if window.is_open else window.limit,
    }


def _window(window: WindowStanding) -> TrackedWindow:
    return {
        "name": window.name,
        "resetTime": None if window.resets_at is None else wire.iso(window.resets_at),
        "tokensUsed": window.spent,
        "limit": window.limit,
        "remaining": window.remaining if window.is_open else window.limit,
        "percent": None if window.percent is None else round(window.percent, 1),
    }


def _spending(session: SessionStanding) -> SpendingSession:
    content: SpendingSession = {
        "id": session.id,
        "tokensUsed": session.spent,
        "startTime": wire.iso(session.opened_at),
    }
    if session.ended_at is not None:
        content["endTime"] = wire.iso(session.ended_at)
    return content


def _scheduled(planned: Planned, at: Instant) -> ScheduledSession:
    return {
        "id": planned.id,
        "scheduledFor": wire.iso(at),
        "estimatedTokens": planned.tokens,
        "reason": planned.schedule_reason or ScheduleReason.USER_SCHEDULED,
    }


def _tracked(session: SessionStanding) -> TrackedSession:
    content: TrackedSession = {
        "id": session.id,
        "startTime": wire.iso(session.opened_at),
        "endTime": wire.iso(session.ends_at),
        "cwd": session.cwd,
        "tokensUsed": session.spent,
        "status": session.state.value,
    }
    if session.agent:
        content["agent"] = session.agent
    return content


def _encoded(content: Mapping[str, object]) -> bytes:
    """A lone surrogate, which a path may hold, becomes a question mark: the file is UTF-8."""
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode(errors="replace")
