"""Notices as they come: Sunday 22 November 2026 at 10:00 in UTC."""

from __future__ import annotations

from msgspec.structs import replace

from quotad.domain.instant import HOUR, MINUTE, Instant
from quotad.domain.level import level_of
from quotad.domain.notice import (
    Basis,
    DueNotice,
    MovedNotice,
    ProblemNotice,
    ResetNotice,
    SessionNotice,
    ThresholdNotice,
)
from quotad.domain.queue import PlannedId, ScheduleReason
from quotad.domain.usage import AccountId, SessionId
from quotad.sinks.wording import Payload, Urgency, Words
from quotad.wire import instant

NOW: Instant = instant("2026-11-22T10:00:00.000Z")
ACCOUNT = AccountId("/home/ana/.claude")
SESSION = SessionId("5f0c1d2e-0000-4000-8000-00000000a001")

_THRESHOLD = ThresholdNotice(
    account=ACCOUNT,
    window="five_hour",
    threshold=75.0,
    percent=76.0,
    level=level_of(76),
    remaining=48_000,
    limit=200_000,
    resets_at=NOW + 3 * HOUR,
    runs_out_at=None,
    basis=Basis.MEASURED,
    at=NOW,
)


def threshold(percent: float = 76.0, **changes: object) -> ThresholdNotice:
    """The notice that ``percent`` of the five-hour quota, or what ``changes`` say, is used."""
    return replace(_THRESHOLD, percent=percent, level=level_of(percent), **changes)


def session_end(minutes: int = 30, *, cwd: str = "/home/ana/src/shop_api") -> SessionNotice:
    """The notice that a session's five hours end in ``minutes``."""
    left = minutes * MINUTE
    return SessionNotice(ACCOUNT, SESSION, cwd, mark=left, left=left, ends_at=NOW + left, at=NOW)


def reset(window: str = "five_hour") -> ResetNotice:
    """The notice that a window is over."""
    return ResetNotice(ACCOUNT, window, NOW)


def problem(code: str = "settings-invalid", message: str = "config.toml: plan: 'max'") -> ProblemNotice:
    """The notice that something is wrong."""
    return ProblemNotice(code, message, NOW)


WORDS = Words("threshold", "5-hour quota: 75 % used", "Take small tasks & save <often>.", Urgency.NORMAL)
"""A notice in words, with characters that mean something in markup."""
PAYLOAD: Payload = {
    "kind": "threshold",
    "window": "five_hour",
    "threshold": 75,
    "level": "warning",
    "title": WORDS.title,
    "body": WORDS.body,
    "at": "2026-11-22T10:00:00.000Z",
}
"""The same notice for programs."""


def due(phase: str = "", available: int | None = 48_000) -> DueNotice:
    """A planned session's time has come."""
    return DueNotice(PlannedId("docs"), phase, 30_000, 1.5, available, NOW, NOW)


def moved(
    phase: str = "", *, others: int = 0, reason: ScheduleReason = ScheduleReason.QUOTA_EXCEEDED
) -> MovedNotice:
    """A planned session's time had come in vain."""
    at = NOW + 5 * HOUR + MINUTE
    return MovedNotice(PlannedId("docs"), phase, 30_000, NOW, at, reason, others, NOW)
