"""Everything that can happen to the domain: a closed union of facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from quotad.domain.instant import Instant
from quotad.domain.notice import Mark
from quotad.domain.policy import Policy
from quotad.domain.queue import PlannedId, Queue, Run
from quotad.domain.reading import Reading
from quotad.domain.session import LogEvent
from quotad.domain.usage import AccountId, SessionId, UsageEvent


@dataclass(frozen=True, slots=True)
class Seen:
    """Something was read from an account's files."""

    account: AccountId
    usage: tuple[UsageEvent, ...] = ()
    logs: tuple[LogEvent, ...] = ()
    readings: tuple[Reading, ...] = ()


@dataclass(frozen=True, slots=True)
class Recalled:
    """What the ledger on disk knows from ``since`` on; the answer to ``Recall``."""

    account: AccountId
    since: Instant
    usage: tuple[UsageEvent, ...]
    logs: tuple[LogEvent, ...]
    readings: tuple[Reading, ...]
    measured: frozenset[SessionId]


@dataclass(frozen=True, slots=True)
class Anchored:
    """Where chains resume, by window name and by session: the answer to ``Anchor``.

    The end of the last window (or five hours of a session) that opened before the horizon, which was
    ``before`` when it was asked for.
    """

    account: AccountId
    before: Instant
    windows: Mapping[str, Instant]
    sessions: Mapping[SessionId, Instant | None]
    """Every session that was asked about."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """What was announced before this start."""

    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """Everything that was on disk at the start has been read."""


@dataclass(frozen=True, slots=True)
class FellBehind:
    """Much is on disk that has not been read: other files, or another ledger."""


@dataclass(frozen=True, slots=True)
class Woke:
    """Time moved; nothing else did."""


@dataclass(frozen=True, slots=True)
class PolicyChanged:
    """The user's decisions are these from now on, for these accounts."""

    policy: Policy
    accounts: tuple[AccountId, ...]


@dataclass(frozen=True, slots=True)
class QuietChanged:
    """Quiet hours began or ended."""

    quiet: bool


@dataclass(frozen=True, slots=True)
class ProblemRaised:
    """Something is wrong; the same code again replaces the message."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class ProblemCleared:
    """It is well again."""

    code: str


@dataclass(frozen=True, slots=True)
class QueueSeen:
    """The planned sessions are these now, and these are their runs, over and open."""

    queue: Queue
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Moved:
    """Sessions were booked for later than the times given here, unasked; ``QueueSeen`` said so before."""

    times: Mapping[PlannedId, Instant]


Input = (
    Seen
    | Recalled
    | Anchored
    | Remembered
    | CaughtUp
    | FellBehind
    | Woke
    | PolicyChanged
    | QuietChanged
    | ProblemRaised
    | ProblemCleared
    | QueueSeen
    | Moved
)
