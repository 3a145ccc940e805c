"""What the domain holds between two inputs, and only what cannot be computed again."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from operator import attrgetter
from typing import NamedTuple

from msgspec import Struct, field

from quotad.domain.instant import CLOCK_SLACK, DAY, HOUR, Instant
from quotad.domain.ledger import NEVER, Ledger, SessionFacts
from quotad.domain.notice import Marks
from quotad.domain.policy import Policy, WindowSpec
from quotad.domain.queue import PlannedId, Queue, Run
from quotad.domain.reading import Reading
from quotad.domain.reported import Reported, reported_windows
from quotad.domain.session import SESSION_LENGTH, SessionStanding
from quotad.domain.usage import AccountId, SessionId
from quotad.domain.window import Window, chain

REACH_SLACK = HOUR
"""How much longer than the longest window the ledger in memory reaches back."""


class Problem(Struct, frozen=True):
    """Something wrong, since when."""

    code: str
    message: str
    since: Instant


_RESETS = attrgetter("resets")


class _Said(NamedTuple):
    """What readings of one window amount to, what that was made from, and when the last was received.

    Uses of tokens after that cannot change it.
    """

    made_from: tuple[WindowSpec, Instant, int, int]
    latest: Instant
    reported: tuple[Reported, ...]
    windows: tuple[Window, ...]


class _Chain(Struct, eq=False):
    """A chain as far as it is known; it can be gone on with behind each of its windows."""

    made_from: tuple[WindowSpec, tuple[Window, ...], Instant]
    windows: list[Window] = field(default_factory=list)

    def forget(self, touched: Instant) -> None:
        """Something came or went at this instant: what ended before stays as it is."""
        while self.windows and self.windows[-1].resets > touched:
            self.windows.pop()


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
    told_of: dict[SessionId, tuple[object, SessionStanding]] = field(default_factory=dict)
    """Where each session was last found to stand, and what that was made from."""
    _latest: dict[str, Instant] = field(default_factory=dict)
    """When the last reading of each window was received."""
    _reported: dict[str, _Said] = field(default_factory=dict)
    _chains: dict[str, _Chain] = field(default_factory=dict)

    def specs(self, policy: Policy) -> tuple[WindowSpec, ...]:
        """The configured windows, and those that only readings speak of: their limit is not known."""
        known = {spec.name for spec in policy.windows}
        reported = sorted(self.readings.keys() - known)
        return policy.windows + tuple(WindowSpec(name, 7 * DAY, None) for name in reported)

    def reach(self, policy: Policy) -> int:
        return max(SESSION_LENGTH, *(spec.length for spec in self.specs(policy))) + REACH_SLACK

    def reported(self, spec: WindowSpec, now: Instant) -> tuple[Reported, ...]:
        """The windows that the provider has laid down by what it has said so far."""
        return self._said(spec, now).reported

    def _said(self, spec: WindowSpec, now: Instant) -> _Said:
        self._forget_what_changed()
        readings: Collection[Reading] = self.readings.get(spec.name, ())
        until = now + CLOCK_SLACK
        heard = len(readings)
        if self._latest.get(spec.name, 0) >= until:
            heard = sum(one.received_at < until for one in readings)
        made_from = (spec, self.horizon, len(readings), heard)
        known = self._reported.get(spec.name)
        if known is None or known.made_from != made_from:
            told = [one for one in readings if one.received_at < until]
            reported = reported_windows(told, spec.length, self.ledger.last_use)
            latest = max((one.received_at for one in told), default=0)
            known = _Said(made_from, latest, reported, tuple(one.window for one in reported))
            self._reported[spec.name] = known
        return known

    def _forget_what_changed(self) -> None:
        """Uses of tokens came or went: what was made from what lies before them holds, and nothing else."""
        touched = self.ledger.touched
        if touched != NEVER:
            self.ledger.touched = NEVER
            self._reported = {name: one for name, one in self._reported.items() if one.latest < touched}
            for known in self._chains.values():
                known.forget(touched)

    def take_reading(self, reading: Reading) -> bool:
        """Take in what the provider said; whether it was not known."""
        name = reading.window
        told = self.readings.setdefault(name, set())
        known = len(told)
        told.add(reading)
        self._latest[name] = max(self._latest.get(name, 0), reading.received_at)
        return len(told) > known

    def next_reading(self, at: Instant) -> Instant | None:
        """When the provider spoke first, at or after ``at``."""
        late = (told for name, told in self.readings.items() if self._latest[name] >= at)
        return min((one.received_at for told in late for one in told if one.received_at >= at), default=None)

    def quota_windows(self, spec: WindowSpec, now: Instant) -> Sequence[Window]:
        """The chain of one kind of window as far as the events in memory reach."""
        until, ledger = now + CLOCK_SLACK, self.ledger
        fixed, start = self._said(spec, now).windows, self.windows.get(spec.name, 0)

        def next_event(at: Instant) -> Instant | None:
            return ledger.next_event(at, until, spec.scope)

        if ledger.next_event(until, NEVER, spec.scope) is not None:
            # It will change without anything coming or going.
            return list(chain(next_event, spec.length, fixed, start))
        known = self._chains.get(spec.name)
        if known is None or known.made_from != (spec, fixed, start):
            known = self._chains[spec.name] = _Chain((spec, fixed, start))
        windows = known.windows
        windows += chain(next_event, spec.length, fixed, windows[-1].resets if windows else start)
        return windows

    def current_window(self, spec: WindowSpec, now: Instant) -> Window | None:
        """The window that is running, if one is."""
        windows = self.quota_windows(spec, now)
        index = bisect_right(windows, now, key=_RESETS)
        return windows[index] if index < len(windows) else None

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
        self.told_of = {one: told for one, told in self.told_of.items() if self.ledger.knows(one)}
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
    marks: Marks = field(default_factory=Marks)
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
    _open_runs: tuple[tuple[Run, ...], tuple[Run, ...]] = ((), ())
    """All runs, and the open ones of them."""

    def open_runs(self) -> tuple[Run, ...]:
        """The few that are not over; those of years are."""
        if self._open_runs[0] is not self.runs:
            self._open_runs = (self.runs, tuple(run for run in self.runs if run.outcome is None))
        return self._open_runs[1]
