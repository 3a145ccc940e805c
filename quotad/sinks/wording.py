"""Notices in words: what happened, what is left, until when, and what to do about it.

Pure, so that each text can be looked at in a test. Times are shown in the reader's zone; instants stay
instants in what programs get.
"""

from __future__ import annotations

import math
import unicodedata
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Literal, NamedTuple, TypeAlias, TypedDict, assert_never

from quotad import wire
from quotad.domain.instant import MINUTE, Instant, Millis
from quotad.domain.level import ADVICE, Level, advice_of
from quotad.domain.notice import (
    DueNotice,
    MovedNotice,
    Notice,
    ProblemNotice,
    ResetNotice,
    SessionNotice,
    ThresholdNotice,
)
from quotad.domain.policy import quota_words
from quotad.domain.queue import PlannedId, ScheduleReason

TITLE_CHARS_MAX = 60
BODY_CHARS_MAX = 200
WINDOW_CHARS_MAX = 40
DIRECTORY_CHARS_MAX = 32
PHASE_CHARS_MAX = 24

LATE: Millis = 5 * MINUTE
"""A notice that is shown later than this after the fact says when the fact was."""

Kind: TypeAlias = Literal["threshold", "session", "reset", "due", "problem"]


class Urgency(StrEnum):
    """How a desktop should show it; critical notices stay on the screen until they are dismissed."""

    LOW = "low"
    NORMAL = "normal"
    CRITICAL = "critical"


class Words(NamedTuple):
    """A notice as a person sees it: plain text without control characters, a line each."""

    kind: Kind
    title: str
    body: str
    urgency: Urgency


class Payload(TypedDict):
    """A notice as a program gets it (``[notify] command``); null where a thing does not exist."""

    kind: Kind
    window: str | None
    threshold: float | None
    level: str | None
    title: str
    body: str
    at: str


_URGENCY = {
    Level.PLENTY: Urgency.LOW,
    Level.MODERATE: Urgency.NORMAL,
    Level.WARNING: Urgency.NORMAL,
    Level.DANGER: Urgency.NORMAL,
    Level.CRITICAL: Urgency.CRITICAL,
}

_SESSION_ADVICE = (
    (5 * MINUTE, "Save your work now."),
    (30 * MINUTE, "Finish what is open; start nothing new."),
)
_SESSION_ADVICE_OTHERWISE = "Choose what still has to be done in it."


def words_of(notice: Notice, zone: tzinfo | None, now: Instant) -> Words:
    """``notice`` as it reads when it is shown at ``now``, in ``zone`` (None: the machine's own)."""
    match notice:
        case ThresholdNotice():
            return _threshold(notice, _Local(zone, now))
        case SessionNotice():
            return _session(notice, _Local(zone, now))
        case ResetNotice():
            return _reset(notice, _Local(zone, now))
        case DueNotice():
            return _due(notice, _Local(zone, now))
        case MovedNotice():
            return _moved(notice, _Local(zone, now))
        case ProblemNotice():
            return _words("problem", f"quotad: {_spaced(notice.code)}", notice.message, Urgency.NORMAL)
        case _:
            assert_never(notice)


def payload(notice: Notice, words: Words) -> Payload:
    """The object that ``[notify] command`` reads, as CONTRACT words it."""
    window, threshold, level = None, None, None
    match notice:
        case ThresholdNotice():
            window, threshold, level = notice.window, _whole(notice.threshold), notice.level.value
        case ResetNotice():
            window = notice.window
        case SessionNotice() | DueNotice() | MovedNotice() | ProblemNotice():
            pass
        case _:
            assert_never(notice)
    return {
        "kind": words.kind,
        "window": window,
        "threshold": threshold,
        "level": level,
        "title": words.title,
        "body": words.body,
        "at": wire.iso(notice.at),
    }


def window_words(name: str) -> str:
    """As people say it, and cut to leave room for what is said about it."""
    return quota_words(_clipped(name, WINDOW_CHARS_MAX))


class _Local:
    """Instants as a reader at ``now`` in one zone says them."""

    def __init__(self, zone: tzinfo | None, now: Instant) -> None:
        self._zone = zone
        self.now = now
        self._today = self._moment(now).date()

    def time(self, at: Instant) -> str:
        """To the nearest minute, with the day unless that is today: ``at 15:00``."""
        moment = self._moment(at + MINUTE // 2)
        clock = f"at {moment:%H:%M}"
        match (moment.date() - self._today).days:
            case 0:
                return clock
            case 1:
                return f"tomorrow {clock}"
            case -1:
                return f"yesterday {clock}"
            case _:
                return f"on {moment:%a} {moment.day} {moment:%b} {clock}"

    def _moment(self, at: Instant) -> datetime:
        return (datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=at)).astimezone(self._zone)


def _threshold(notice: ThresholdNotice, local: _Local) -> Words:
    used = math.floor(notice.percent + 1e-6)
    sentences = [
        advice_of(notice.percent),
        f"{_left(notice, used)} left ({notice.basis}).",
        _end(notice, local),
        *_lateness(notice.at, local),
    ]
    title = f"{_capital(window_words(notice.window))}: {used} % used"
    return _words("threshold", title, " ".join(sentences), _URGENCY[notice.level])


def _left(notice: ThresholdNotice, used: int) -> str:
    if notice.remaining is None or notice.limit is None:
        return f"{max(0, 100 - used)} %"
    return f"{_tokens(notice.remaining)} of {_tokens(notice.limit)} tokens"


def _end(notice: ThresholdNotice, local: _Local) -> str:
    resets = local.time(notice.resets_at)
    runs_out = notice.runs_out_at
    if runs_out is None or not local.now < runs_out < notice.resets_at:
        return f"Resets {resets}."
    return f"At this pace it runs out {local.time(runs_out)}, before the reset {resets}."


def _session(notice: SessionNotice, local: _Local) -> Words:
    left = notice.ends_at - local.now
    advice = next((text for most, text in _SESSION_ADVICE if left <= most), _SESSION_ADVICE_OTHERWISE)
    directory = _clipped(_plain(PurePosixPath(notice.cwd).name), DIRECTORY_CHARS_MAX)
    place = f" in {directory}" if directory else ""
    minutes = max(1, math.ceil(left / MINUTE))
    return _words(
        "session",
        f"Session{place} ends in {minutes} min",
        f"Its five hours end {local.time(notice.ends_at)}. {advice}",
        Urgency.NORMAL,
    )


def _reset(notice: ResetNotice, local: _Local) -> Words:
    sentences = [
        f"The window is over and all of it is yours again. {ADVICE[Level.PLENTY]}",
        *_lateness(notice.at, local),
    ]
    title = f"{_capital(window_words(notice.window))} is back"
    return _words("reset", title, " ".join(sentences), Urgency.LOW)


def _due(notice: DueNotice, local: _Local) -> Words:
    left = "" if notice.available is None else f", and {_tokens(notice.available)} are left"
    sentences = [
        f"It is planned with {_tokens(notice.tokens)} tokens and {notice.hours:g} h{left}.",
        f"`quotactl start {notice.session}` starts it.",
        *_lateness(notice.scheduled_for, local),
    ]
    return _words(
        "due", f"Time for {_named(notice.session, notice.phase)}", " ".join(sentences), Urgency.NORMAL
    )


_MOVED_BECAUSE = {
    ScheduleReason.QUOTA_EXCEEDED: "the quota is used up",
    ScheduleReason.LOW_QUOTA: "too little of the quota is left",
    ScheduleReason.DEPENDENCY: "what it comes after is not done",
    ScheduleReason.USER_SCHEDULED: "it could not start",
}


def _moved(notice: MovedNotice, local: _Local) -> Words:
    because = f"{_MOVED_BECAUSE[notice.reason]} ({_tokens(notice.tokens)} tokens are planned)"
    sentences = [
        f"Its time came {local.time(notice.moved_from)}, but {because}.",
        f"It is booked {local.time(notice.scheduled_for)} now.",
        *([f"{notice.others} more had to be moved, too."] if notice.others else ()),
    ]
    title = f"Moved: {_named(notice.session, notice.phase)}"
    return _words("due", title, " ".join(sentences), Urgency.NORMAL)


def _named(session: PlannedId, phase: str) -> str:
    return f"{session} ({_clipped(_plain(phase), PHASE_CHARS_MAX)})" if phase else session


def _lateness(at: Instant, local: _Local) -> list[str]:
    return [f"That was {local.time(at)}."] if local.now - at > LATE else []


def _words(kind: Kind, title: str, body: str, urgency: Urgency) -> Words:
    return Words(
        kind, _clipped(_plain(title), TITLE_CHARS_MAX), _clipped(_plain(body), BODY_CHARS_MAX), urgency
    )


def _plain(text: str) -> str:
    """One line of text that every server takes: a NUL is refused by D-Bus, a lone surrogate by UTF-8."""
    kept = (" " if unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} else char for char in text)
    return " ".join("".join(kept).split())


def _clipped(text: str, chars_max: int) -> str:
    return text if len(text) <= chars_max else text[: chars_max - 1].rstrip() + "…"


def _spaced(name: str) -> str:
    return _plain(name.replace("_", " ").replace("-", " "))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _whole(number: float) -> float:
    """50 rather than 50.0: settings say 50."""
    return int(number) if number == int(number) else number


def _tokens(count: int) -> str:
    """Rounded down, since what is left must not look like more: 950, 9.5k, 48k, 1.2M."""
    for unit, size in (("M", 1_000_000), ("k", 1_000)):
        if count >= size:
            tenths = count * 10 // size
            return f"{tenths / 10:g}{unit}" if tenths < 100 else f"{count // size}{unit}"  # noqa: PLR2004 - ten units
    return str(count)
