"""Every usage event within the reach of the longest window, held so that sums and windows are cheap.

The long-term record is on disk; this is the part that today's answers need. Whatever is asked costs the
same however much is here: sums are differences (``sums``), only the quarter hours that a span cuts are gone
through call by call, and instants are looked up in lists that are kept in order.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from typing import TypeVar

from msgspec import Struct, field

from quotad.domain.instant import QUARTER, Instant
from quotad.domain.session import LogEvent, LogKind
from quotad.domain.sums import ESTIMATED, Sums, Totals
from quotad.domain.usage import (
    NO_TOKENS,
    MessageId,
    RequestId,
    SessionId,
    UsageEvent,
    family,
    merge,
    standing_call,
)

_AT = attrgetter("at")

NEVER: Instant = 2**62
"""Later than everything."""


class _Quarter(Struct, eq=False):
    """What lies in one quarter hour; ``sums``, to the millisecond, are made when a span cuts it."""

    calls: set[MessageId] = field(default_factory=set)
    estimates: set[str] = field(default_factory=set)
    sums: Sums | None = None


class SessionFacts(Struct, eq=False):
    """What is known of a session; each field but ``version`` is a function of the set of its events."""

    moments: list[Instant] = field(default_factory=list)
    uses: list[Instant] = field(default_factory=list)
    """When its calls used any tokens."""
    sums: Sums = field(default_factory=lambda: Sums(QUARTER))
    version: int = 0
    """Another one whenever anything here has changed; no two sessions ever have the same."""
    named_at: tuple[Instant, str] | None = None
    placed_at: tuple[Instant, str] | None = None
    logs: dict[str, LogEvent] = field(default_factory=dict)

    def next_moment(self, at: Instant, until: Instant) -> Instant | None:
        """The session's first event in ``[at, until)``."""
        index = bisect_left(self.moments, at)
        return self.moments[index] if index < len(self.moments) and self.moments[index] < until else None

    def count(self, until: Instant) -> int:
        """How many events the session has before ``until``."""
        return bisect_left(self.moments, until)

    def last_moment(self, until: Instant) -> Instant | None:
        """The session's last event before ``until``."""
        index = bisect_left(self.moments, until)
        return self.moments[index - 1] if index else None

    def is_cut(self, index: int, since: Instant, until: Instant) -> bool:
        """Whether something of a quarter hour, in which a span begins or ends, lies outside of it."""
        begin, end = index * QUARTER, (index + 1) * QUARTER
        before = since > begin and self.next_moment(begin, since) is not None
        return before or (until < end and self.next_moment(until, end) is not None)

    def ended_at(self, at: Instant) -> bool:
        """Whether its log says that it ended then; it may have gone on since."""
        return any(event.kind is LogKind.END and event.at == at for event in self.logs.values())

    @property
    def agent(self) -> str:
        return self.named_at[1] if self.named_at else ""

    @property
    def cwd(self) -> str:
        return self.placed_at[1] if self.placed_at else ""


def _earlier(known: tuple[Instant, str] | None, at: Instant, text: str) -> tuple[Instant, str] | None:
    if not text:
        return known
    return min(known, (at, text)) if known else (at, text)


class Ledger:
    """One account's usage events and log events from a horizon on."""

    def __init__(self, price: Callable[[str], int]) -> None:
        """``price``: tokens that one use of a tool is taken to cost."""
        self._price = price
        self.touched: Instant = NEVER
        """The earliest instant at which a use of tokens came, changed or went since this was last set."""
        self._calls: dict[MessageId, UsageEvent] = {}
        self._contested: dict[MessageId, dict[RequestId, UsageEvent]] = {}
        self._quarters: dict[int, _Quarter] = {}
        self._openers: dict[str, list[Instant]] = {}
        self._sums = Sums(QUARTER)
        self._sessions: dict[SessionId, SessionFacts] = {}
        self._versions = 0
        self._recent: list[tuple[Instant, SessionId]] = []
        """Every session by its last event."""
        self._logs: dict[str, LogEvent] = {}
        self._measured: set[SessionId] = set()
        """Never trimmed: what is measured once stays so, and ids are small."""

    # What comes in.

    def take_usage(self, row: UsageEvent) -> bool:
        """Merge one line or row in; whether anything changed."""
        changed = self.measure(row.session)
        before = self._calls.get(row.message)
        stands = self._stand(before, row)
        if stands == before:
            return changed
        if before is not None:
            self._leave(before)
        self._enter(stands)
        return True

    def take_log(self, event: LogEvent) -> bool:
        """Take one line of a session log in; whether it is news. Of one key the earliest stands."""
        before = self._logs.get(event.key)
        if before is not None:
            if before.at <= event.at:
                return False
            self._leave_log(before)
        self._enter_log(event)
        return True

    def knows(self, session: SessionId) -> bool:
        """Whether anything of the session is here."""
        return session in self._sessions

    def holds(self, message: MessageId) -> bool:
        """Whether the call of this message is here."""
        return message in self._calls

    def held(self, messages: Iterable[MessageId]) -> set[MessageId]:
        """Those of the messages whose calls are here."""
        return self._calls.keys() & messages

    def measure(self, session: SessionId) -> bool:
        """A usage line bears the session's id: its estimates are dropped, for good; whether it had any."""
        if session in self._measured:
            return False
        facts = self._sessions.get(session)
        estimates = [event for event in facts.logs.values() if self._counts(event)] if facts else []
        for event in estimates:
            self._leave_estimate(event)
        self._measured.add(session)
        return bool(estimates)

    def reprice(self, price: Callable[[str], int]) -> None:
        """From now on, and for what is here already, the use of a tool is taken to cost this."""
        counted = [event for event in self._logs.values() if self._counts(event)]
        for event in counted:
            self._leave_estimate(event)
        self._price = price
        for event in counted:
            self._enter_estimate(event)

    def trim(self, before: Instant) -> None:
        """Forget whole quarter hours before an instant."""
        edge = before // QUARTER * QUARTER
        for quarter in [index for index in self._quarters if index * QUARTER < edge]:
            for message in self._quarters.pop(quarter).calls:
                del self._calls[message]
                self._contested.pop(message, None)
        for kept in self._quarters.values():
            kept.sums = None
        self._sums.trim(edge)
        self._logs = {key: event for key, event in self._logs.items() if event.at >= edge}
        for openers in self._openers.values():
            _trim(openers, edge)
        for session, facts in list(self._sessions.items()):
            if facts.moments[0] < edge:
                self._trim_session(session, facts, edge)

    def _trim_session(self, session: SessionId, facts: SessionFacts, edge: Instant) -> None:
        last = facts.moments[-1]
        _trim(facts.moments, edge)
        _trim(facts.uses, edge)
        facts.sums.trim(edge)
        facts.logs = {key: event for key, event in facts.logs.items() if event.at >= edge}
        self._changed(session, facts, last)

    # What is asked.

    def next_event(self, at: Instant, until: Instant, scope: str | None) -> Instant | None:
        """The first instant in ``[at, until)`` that opens a window (of the model family ``scope``)."""
        families: Iterable[str] = self._openers if scope is None else (scope,)
        first: Instant | None = None
        for name in families:
            openers = self._openers.get(name, [])
            index = bisect_left(openers, at)
            if index < len(openers) and (first is None or openers[index] < first):
                first = openers[index]
        return first if first is not None and first < until else None

    def totals(
        self, since: Instant, until: Instant, *, scope: str | None = None, session: SessionId | None = None
    ) -> Totals:
        """Sums over ``[since, until)``, of one model family or of one session if asked so."""
        totals = Totals()
        if until <= since:
            return totals
        first, last = since // QUARTER, (until - 1) // QUARTER
        cut, sums = {first, last}, self._sums
        if session is not None:
            facts = self._sessions.get(session)
            if facts is None:
                return totals
            cut, sums = {index for index in cut if facts.is_cut(index, since, until)}, facts.sums
        sums.add_to(totals, (first + (first in cut)) * QUARTER, (last + (last not in cut)) * QUARTER, scope)
        for index in cut:
            self._exactly(index, session).add_to(totals, since, until, scope)
        return totals

    def latest(self, since: Instant, until: Instant, scope: str | None = None) -> Instant | None:
        """The last instant in ``[since, until)`` at which something was spent (by the family ``scope``)."""
        last: Instant | None = None
        for name in self._openers if scope is None else (scope,):
            openers = self._openers.get(name, [])
            index = bisect_left(openers, until)
            if index and openers[index - 1] >= since and (last is None or openers[index - 1] > last):
                last = openers[index - 1]
        return last

    def last_use(self, session: SessionId, since: Instant, until: Instant) -> Instant | None:
        """When a call of the session used tokens last, after ``since`` and up to ``until``."""
        facts = self._sessions.get(session)
        index = 0 if facts is None else bisect_right(facts.uses, until)
        return facts.uses[index - 1] if facts and index and facts.uses[index - 1] > since else None

    def facts(self, session: SessionId) -> SessionFacts | None:
        """What is known of one session, if it is here."""
        return self._sessions.get(session)

    def sessions(self) -> Iterable[tuple[SessionId, SessionFacts]]:
        return self._sessions.items()

    def sessions_since(self, at: Instant) -> Iterator[tuple[SessionId, SessionFacts]]:
        """Those that have an event at ``at`` or later."""
        for _, session in self._recent[bisect_left(self._recent, (at,)) :]:
            yield session, self._sessions[session]

    # How it is held.

    def _stand(self, before: UsageEvent | None, row: UsageEvent) -> UsageEvent:
        if before is None:
            return row
        rows = self._contested.get(row.message)
        if rows is None:
            if before.request == row.request:
                return merge(before, row)
            rows = self._contested[row.message] = {before.request: before}
        known = rows.get(row.request)
        rows[row.request] = row if known is None else merge(known, row)
        return standing_call(rows.values())

    def _exactly(self, index: int, session: SessionId | None) -> Sums:
        """The sums of a quarter hour to the millisecond, of one session if asked so; kept if of all."""
        quarter = self._quarters.get(index)
        sums = Sums(1)
        if quarter is None:
            return sums
        if quarter.sums is not None and session is None:
            return quarter.sums
        for call in sorted((self._calls[message] for message in quarter.calls), key=_AT):
            if session in {None, call.session}:
                sums.enter(call)
        for event in (self._logs[key] for key in quarter.estimates):
            if session in {None, event.session}:
                sums.estimate(event.at, self._price(event.tool))
        if session is None:
            quarter.sums = sums
        return sums

    def _quarter_for(self, at: Instant) -> _Quarter:
        """The quarter hour that something at this instant enters."""
        quarter = self._quarters.get(at // QUARTER)
        if quarter is None:
            quarter = self._quarters[at // QUARTER] = _Quarter()
        return quarter

    def _facts_for(self, session: SessionId) -> SessionFacts:
        """The session that something enters."""
        facts = self._sessions.get(session)
        if facts is None:
            facts = self._sessions[session] = SessionFacts()
        return facts

    def _enter(self, call: UsageEvent) -> None:
        self._calls[call.message] = call
        quarter = self._quarter_for(call.at)
        quarter.calls.add(call.message)
        if quarter.sums is not None:
            quarter.sums.enter(call)
        self._sums.enter(call)
        facts = self._facts_for(call.session)
        facts.sums.enter(call)
        if call.tokens != NO_TOKENS:
            self._open(family(call.model), call.at)
            insort(facts.uses, call.at)
        facts.placed_at = _earlier(facts.placed_at, call.at, call.cwd)
        self._enter_moment(call.session, facts, call.at)

    def _leave(self, call: UsageEvent) -> None:
        quarter = self._quarters[call.at // QUARTER]
        quarter.calls.remove(call.message)
        if quarter.sums is not None:
            quarter.sums.leave(call)
        self._sums.leave(call)
        facts = self._sessions[call.session]
        facts.sums.leave(call)
        if call.tokens != NO_TOKENS:
            self._close(family(call.model), call.at)
            _take_out(facts.uses, call.at)
        self._leave_moment(call.session, facts, call.at)

    def _open(self, name: str, at: Instant) -> None:
        """Note that something of this family was used."""
        insort(self._openers.setdefault(name, []), at)
        self.touched = min(self.touched, at)

    def _close(self, name: str, at: Instant) -> None:
        """Note that it was not."""
        _take_out(self._openers[name], at)
        self.touched = min(self.touched, at)

    def _enter_moment(self, session: SessionId, facts: SessionFacts, at: Instant) -> None:
        last = facts.moments[-1] if facts.moments else None
        insort(facts.moments, at)
        self._changed(session, facts, last)

    def _leave_moment(self, session: SessionId, facts: SessionFacts, at: Instant) -> None:
        last = facts.moments[-1]
        _take_out(facts.moments, at)
        self._changed(session, facts, last)

    def _changed(self, session: SessionId, facts: SessionFacts, before: Instant | None) -> None:
        """Note what has become of a session whose last event was at ``before``."""
        self._versions += 1
        facts.version = self._versions
        last = facts.moments[-1] if facts.moments else None
        if last == before:
            return
        if before is not None:
            _take_out(self._recent, (before, session))
        if last is None:
            del self._sessions[session]
        else:
            insort(self._recent, (last, session))

    def _enter_log(self, event: LogEvent) -> None:
        self._logs[event.key] = event
        facts = self._facts_for(event.session)
        facts.logs[event.key] = event
        facts.placed_at = _earlier(facts.placed_at, event.at, event.cwd)
        if event.kind is LogKind.START:
            facts.named_at = _earlier(facts.named_at, event.at, event.agent)
        self._enter_moment(event.session, facts, event.at)
        if self._counts(event):
            self._enter_estimate(event)

    def _leave_log(self, event: LogEvent) -> None:
        if self._counts(event):
            self._leave_estimate(event)
        facts = self._sessions[event.session]
        del facts.logs[event.key]
        self._leave_moment(event.session, facts, event.at)

    def _counts(self, event: LogEvent) -> bool:
        """Whether it is worth an estimate."""
        return event.kind is LogKind.TOOL_RESULT and event.session not in self._measured

    def _enter_estimate(self, event: LogEvent) -> None:
        self._quarter_for(event.at).estimates.add(event.key)
        self._open(ESTIMATED, event.at)
        self._move_estimate(event, self._price(event.tool))

    def _leave_estimate(self, event: LogEvent) -> None:
        self._quarter_for(event.at).estimates.remove(event.key)
        self._close(ESTIMATED, event.at)
        self._move_estimate(event, -self._price(event.tool))

    def _move_estimate(self, event: LogEvent, tokens: int) -> None:
        facts = self._sessions[event.session]
        self._quarter_for(event.at).sums = None
        self._sums.estimate(event.at, tokens)
        facts.sums.estimate(event.at, tokens)
        self._changed(event.session, facts, facts.moments[-1])


T = TypeVar("T", Instant, tuple[Instant, SessionId])


def _take_out(ordered: list[T], one: T) -> None:
    del ordered[bisect_left(ordered, one)]


def _trim(instants: list[Instant], edge: Instant) -> None:
    del instants[: bisect_left(instants, edge)]
