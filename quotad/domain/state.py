"""What the domain holds between two inputs, and only what cannot be computed again."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, field

from quotad.domain.instant import CLOCK_SLACK, DAY, HOUR, Instant
from quotad.domain.ledger import Ledger, SessionFacts
from quotad.domain.notice import Mark
from quotad.domain.policy import Policy, WindowSpec
from quotad.domain.queue import PlannedId, Queue, Run
from quotad.domain.reading import Reading
from quotad.domain.reported import Reported, reported_windows
from quotad.domain.session import SESSION_LENGTH
from quotad.domain.usage import AccountId, SessionId
from quotad.domain.window import Window, chain

REACH_SLACK = HOUR
"""How much longer than the longest window the ledger in memory reaches back."""


class Problem(Struct, frozen=True):
    """Something wrong, since when."""

    code: str
    message: str
    since: Instant


class Account(Struct, eq=False):
    """One account: its events from ``horizon`` on, its readings, and where its chains resume.

    ``windows`` and ``sessions`` hold the end of the last window (and five hours) that opened before the
    horizon: the one thing that older events still decide.
    """

    id: AccountId
    ledger: Ledger
    horizon: Instant
    readings: dict[str, set[Reading]] = field(default_factory=dict)
    windows: dict[str, Instant] = field(default_factory=dict)
    sessions: dict[SessionId, Instant] = field(default_factory=dict)
    anchor_stale: bool = True
    anchor_asked: bool = False
    recalling: bool = False
    """The ledger on disk was asked for what is within reach; nothing is announced until it has said all."""
    _reported: dict[str, tuple[object, tuple[Reported, ...]]] = field(default_factory=dict)
    """What readings amount to, of each window, with what it was made from: a standing asks several times."""

    def specs(self, policy: Policy) -> tuple[WindowSpec, ...]:
        """The configured windows, and those that only readings speak of: their limit is not known."""
        known = {spec.name for spec in policy.windows}
        reported = sorted(self.readings.keys() - known)
        return policy.windows + tuple(WindowSpec(name, 7 * DAY, None) for name in reported)

    def reach(self, policy: Policy) -> int:
        return max(SESSION_LENGTH, *(spec.length for spec in self.specs(policy))) + REACH_SLACK

    def reported(self, spec: WindowSpec, now: Instant) -> tuple[Reported, ...]:
        """The windows that the provider has laid down by what it has said so far."""
        until = now + CLOCK_SLACK
        told = [one for one in self.readings.get(spec.name, ()) if one.received_at < until]
        state = (spec, self.horizon, len(told), self.ledger.changes)
        if self._reported.get(spec.name, ((), ()))[0] != state:
            self._reported[spec.name] = (state, reported_windows(told, spec.length, self.ledger.last_use))
        return self._reported[spec.name][1]

    def take_reading(self, reading: Reading) -> bool:
        """Take in what the provider said; whether it was not known."""
        told = self.readings.setdefault(reading.window, set())
        known = len(told)
        told.add(reading)
        return len(told) > known

    def next_reading(self, at: Instant) -> Instant | None:
        """When the provider spoke first, at or after ``at``."""
        received = (one.received_at for told in self.readings.values() for one in told)
        return min((each for each in received if each >= at), default=None)

    def quota_windows(self, spec: WindowSpec, now: Instant) -> Iterator[Window]:
        """The chain of one kind of window as far as the events in memory reach."""
        until = now + CLOCK_SLACK
        return chain(
            lambda at: self.ledger.next_event(at, until, spec.scope),
            spec.length,
            [one.window for one in self.reported(spec, now)],
            self.windows.get(spec.name, 0),
        )

    def trim(self, policy: Policy, horizon: Instant, now: Instant) -> None:
        """Forget what lies before ``horizon``, after moving every anchor past what is forgotten."""
        for spec in self.specs(policy):
            for window in self.quota_windows(spec, now):
                if window.opened < horizon:
                    self.windows[spec.name] = window.resets
        for session, facts in self.ledger.sessions():
            for window in self._session_windows(session, facts, now):
                if window.opened < horizon:
                    self.sessions[session] = window.resets
        self.horizon = horizon
        self.ledger.trim(horizon)
        self.sessions = {one: end for one, end in self.sessions.items() if self.ledger.knows(one)}
        kept = {
            name: {one for one in told if one.resets_at >= horizon} for name, told in self.readings.items()
        }
        self.readings = {name: told for name, told in kept.items() if told}

    def session_window(self, session: SessionId, facts: SessionFacts, now: Instant) -> Window | None:
        """The latest of the five-hour spans that one session's events open."""
        return next(reversed(list(self._session_windows(session, facts, now))), None)

    def _session_windows(self, session: SessionId, facts: SessionFacts, now: Instant) -> Iterator[Window]:
        until = now + CLOCK_SLACK
        return chain(
            lambda at: facts.next_moment(at, until), SESSION_LENGTH, (), self.sessions.get(session, 0)
        )


class State(Struct, eq=False):
    """Everything that is known, with one owner. ``version`` rises whenever an answer may differ."""

    policy: Policy
    accounts: dict[AccountId, Account] = field(default_factory=dict)
    marks: list[Mark] = field(default_factory=list)
    problems: dict[str, Problem] = field(default_factory=dict)
    announced_problems: set[str] = field(default_factory=set)
    caught_up: bool = False
    quiet: bool = False
    queue: Queue = field(default_factory=Queue)
    runs: tuple[Run, ...] = ()
    rebooking: dict[PlannedId, Instant] = field(default_factory=dict)
    """Sessions whose move was asked for, with the time that they are to be moved from."""
    moved: dict[PlannedId, Instant] = field(default_factory=dict)
    """Sessions that were moved and whose user was not told yet, with the time that they were moved from."""
    version: int = 0
    wake_at: Instant | None = None
