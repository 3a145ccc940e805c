"""One notice on its way to people: where it has been, what it is about, and until when it is true."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import assert_never

from quotad.domain.instant import HOUR, Instant, Millis
from quotad.domain.notice import (
    DueNotice,
    MovedNotice,
    Notice,
    ProblemNotice,
    ResetNotice,
    SessionNotice,
    ThresholdNotice,
)
from quotad.sinks.channel import Channel

NEWS_SPAN: Millis = HOUR
"""For how long a notice that has no end of its own is worth showing."""


class Errand:
    """One notice on its way: where it has been, and whether it is worth another attempt."""

    def __init__(self, notice: Notice) -> None:
        self.notice = notice
        self.subject = _subject_of(notice)
        self.fresh_until = _fresh_until(notice)
        self.reached: set[str] = set()
        self.tried = False
        self.waits = False
        self.over = False
        self.wake = asyncio.Event()

    def finish(self) -> None:
        """No attempt after the one under way."""
        self.over = True
        self.wake.set()

    def is_open(self, channels: Sequence[Channel]) -> bool:
        """Whether it may still go to channels that stand in for one another: none may have shown it."""
        names = {channel.name for channel in channels}
        return bool(names) and not names & self.reached


def _subject_of(notice: Notice) -> tuple[str, ...]:
    """What a notice is about: a newer one of the same subject makes an older one pointless."""
    match notice:
        case ThresholdNotice() | ResetNotice():
            return ("window", notice.account, notice.window)
        case SessionNotice():
            return ("session", notice.account, notice.session)
        case DueNotice() | MovedNotice():
            return ("due", notice.session)
        case ProblemNotice():
            return ("problem", notice.code)
        case _:
            assert_never(notice)


def _fresh_until(notice: Notice) -> Instant:
    """When a notice is stale: what it says is no longer so, or no news."""
    match notice:
        case ThresholdNotice():
            return notice.resets_at
        case SessionNotice():
            return notice.ends_at
        case MovedNotice():
            return notice.scheduled_for
        case ResetNotice() | DueNotice() | ProblemNotice():
            return notice.at + NEWS_SPAN
        case _:
            assert_never(notice)
