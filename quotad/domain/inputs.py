"""Everything that can happen to the domain: a closed union of facts."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from quotad.domain.instant import Instant
from quotad.domain.notice import Mark
from quotad.domain.policy import Policy
from quotad.domain.queue import PlannedId, Queue, Run
from quotad.domain.reading import Reading
from quotad.domain.session import LogEvent
from quotad.domain.usage import AccountId, SessionId, UsageEvent


class Seen(Struct, frozen=True):
    """Something was read from an account's files."""

    account: AccountId
    usage: tuple[UsageEvent, ...] = ()
    logs: tuple[LogEvent, ...] = ()
    readings: tuple[Reading, ...] = ()


class Recalled(Struct, frozen=True):
    """What the ledger on disk knows from ``since`` on; the answer to ``Recall``."""

    account: AccountId
    since: Instant
    usage: tuple[UsageEvent, ...]
    logs: tuple[LogEvent, ...]
    readings: tuple[Reading, ...]
    measured: frozenset[SessionId]


class Anchored(Struct, frozen=True):
    """Where chains resume, by window name and by session: the answer to ``Anchor``.

    The end of the last window (or five hours of a session) that opened before the horizon, which was
    ``before`` when it was asked for.
    """

    account: AccountId
    before: Instant
    windows: Mapping[str, Instant]
    sessions: Mapping[SessionId, Instant | None]
    """Every session that was asked about."""


class Remembered(Struct, frozen=True):
    """What was announced before this start."""

    marks: tuple[Mark, ...]


class CaughtUp(Struct, frozen=True):
    """Everything that was on disk at the start has been read."""


class FellBehind(Struct, frozen=True):
    """Much is on disk that has not been read: other files, or another ledger."""


class Woke(Struct, frozen=True):
    """Time moved; nothing else did."""


class PolicyChanged(Struct, frozen=True):
    """The user's decisions are these from now on, for these accounts."""

    policy: Policy
    accounts: tuple[AccountId, ...]


class QuietChanged(Struct, frozen=True):
    """Quiet hours began or ended."""

    quiet: bool


class ProblemRaised(Struct, frozen=True):
    """Something is wrong; the same code again replaces the message."""

    code: str
    message: str


class ProblemCleared(Struct, frozen=True):
    """It is well again."""

    code: str


class QueueSeen(Struct, frozen=True):
    """The planned sessions are these now, and these are their runs, over and open."""

    queue: Queue
    runs: tuple[Run, ...]


class Moved(Struct, frozen=True):
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
