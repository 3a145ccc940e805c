"""What is worth telling a person, as facts; the words are chosen where they are shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum

from msgspec import Struct

from quotad.domain.instant import Instant, Millis
from quotad.domain.level import Level
from quotad.domain.queue import PlannedId, ScheduleReason
from quotad.domain.usage import AccountId, SessionId


class Basis(StrEnum):
    """What a number stands on, best first."""

    REPORTED = "reported"
    MEASURED = "measured"
    ESTIMATED = "estimated"


class ThresholdNotice(Struct, frozen=True):
    """A window's use crossed ``threshold`` per cent."""

    account: AccountId
    window: str
    threshold: float
    percent: float
    level: Level
    remaining: int | None
    limit: int | None
    resets_at: Instant
    runs_out_at: Instant | None
    basis: Basis
    at: Instant


class SessionNotice(Struct, frozen=True):
    """A session's five hours end in ``left`` (one of the marks 60, 30 and 5 minutes was passed)."""

    account: AccountId
    session: SessionId
    cwd: str
    mark: Millis
    left: Millis
    ends_at: Instant
    at: Instant


class ResetNotice(Struct, frozen=True):
    """A window is over and the quota is back."""

    account: AccountId
    window: str
    at: Instant


class ProblemNotice(Struct, frozen=True):
    """Something keeps quotad from doing its work as it should."""

    code: str
    message: str
    at: Instant


class DueNotice(Struct, frozen=True):
    """A planned session's time has come and the quota is there; ``available`` is None if none is known."""

    session: PlannedId
    phase: str
    tokens: int
    hours: float
    available: int | None
    scheduled_for: Instant
    at: Instant


class MovedNotice(Struct, frozen=True):
    """A planned session's time had come, it could not start, and it is booked for a later time now.

    ``others``: so many more were moved with it.
    """

    session: PlannedId
    phase: str
    tokens: int
    moved_from: Instant
    scheduled_for: Instant
    reason: ScheduleReason
    others: int
    at: Instant


Notice = ThresholdNotice | SessionNotice | ResetNotice | ProblemNotice | DueNotice | MovedNotice


class Mark(Struct, frozen=True):
    """A remembered announcement, so that nothing is announced twice, across restarts too.

    For a threshold: ``subject`` is the window's name, ``value`` the threshold, ``[opened, resets)`` the
    window it was about. For a session: ``subject`` is the session's id, ``value`` the minutes left, and
    its five hours. For a reset: ``value`` is 0. For a planned session that is due: ``subject`` is
    its id, ``value`` 0, and ``opened`` the time that it was booked for.
    """

    account: AccountId
    kind: str
    subject: str
    value: float
    opened: Instant
    resets: Instant


class Marks:
    """Marks, found by what they say: those of months are there, and each line asks for a few."""

    def __init__(self) -> None:
        self._known: dict[tuple[AccountId, str, str, float], list[Mark]] = {}

    def add(self, marks: Iterable[Mark]) -> None:
        for mark in marks:
            self._known.setdefault(_what(mark), []).append(mark)

    def like(self, mark: Mark) -> Sequence[Mark]:
        """Those that say the same, of whatever window."""
        return self._known.get(_what(mark), ())

    def __contains__(self, mark: Mark) -> bool:
        return mark in self.like(mark)

    def __iter__(self) -> Iterator[Mark]:
        for marks in self._known.values():
            yield from marks


def _what(mark: Mark) -> tuple[AccountId, str, str, float]:
    return mark.account, mark.kind, mark.subject, mark.value
