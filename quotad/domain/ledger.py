"""Every usage event within the reach of the longest window, held so that sums and windows are cheap.

The long-term record is on disk; this is the part that today's answers need. Counts are kept per quarter
hour, session and model as integers: a sum touches a few hundred cells at most, is exact, and does not
depend on the order in which events came.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from msgspec import Struct, field

from quotad.domain.instant import QUARTER, Instant
from quotad.domain.policy import Policy
from quotad.domain.session import LogEvent, LogKind
from quotad.domain.usage import (
    NO_TOKENS,
    MessageId,
    RequestId,
    SessionId,
    Tokens,
    UsageEvent,
    family,
    merge,
    standing_call,
)

ESTIMATED = ""
"""The model, and the family, of what was only estimated: no model is named so."""


class Totals(Struct):
    """What was used in a span: tokens by model, calls, and tokens that were only estimated."""

    models: dict[str, Tokens] = field(default_factory=dict)
    messages: int = 0
    estimated: int = 0

    def add(self, model: str, tokens: Tokens, messages: int, estimated: int) -> None:
        if model != ESTIMATED:
            self.models[model] = self.models.get(model, NO_TOKENS).plus(tokens)
        self.messages += messages
        self.estimated += estimated

    @property
    def tokens(self) -> Tokens:
        return Tokens(*map(sum, zip(NO_TOKENS, *self.models.values(), strict=True)))

    def spent(self, policy: Policy) -> int:
        """The weighted sum; rounded once, over models in a fixed order, so that it is always the same."""
        weighted = sum(policy.weights_of(model).spent(self.models[model]) for model in sorted(self.models))
        return round(weighted) + self.estimated


_Part: TypeAlias = tuple[str, Tokens, int, int]
"""Model, tokens, calls, estimated tokens."""


class _Cell(Struct):
    """The sum of one session and model in one quarter hour."""

    tokens: Tokens = NO_TOKENS
    messages: int = 0
    estimated: int = 0


class _Quarter(Struct):
    """One quarter hour: its sums, and its events for spans that cut it; all lie in ``[first, last]``."""

    first: Instant
    last: Instant
    sessions: dict[SessionId, dict[str, _Cell]] = field(default_factory=dict)
    """Sums by session and model."""
    calls: dict[MessageId, UsageEvent] = field(default_factory=dict)
    estimates: dict[str, LogEvent] = field(default_factory=dict)

    def cell(self, session: SessionId, model: str) -> _Cell:
        """The sum of one session and model, begun if need be."""
        return self.sessions.setdefault(session, {}).setdefault(model, _Cell())

    def drop(self, session: SessionId, model: str) -> None:
        """Take away a sum that nothing is left of."""
        models = self.sessions[session]
        del models[model]
        if not models:
            del self.sessions[session]

    def sums(self, session: SessionId | None) -> Iterator[_Part]:
        """All sums, or those of one session."""
        chosen = self.sessions.values() if session is None else (self.sessions.get(session, {}),)
        for models in chosen:
            for model, cell in models.items():
                yield model, cell.tokens, cell.messages, cell.estimated


class SessionFacts(Struct):
    """What is known of a session; each field is a function of the set of its events."""

    moments: list[Instant] = field(default_factory=list)
    named_at: tuple[Instant, str] | None = None
    placed_at: tuple[Instant, str] | None = None
    logs: dict[str, LogEvent] = field(default_factory=dict)

    def next_moment(self, at: Instant, until: Instant) -> Instant | None:
        """The session's first event in ``[at, until)``."""
        index = bisect_left(self.moments, at)
        return self.moments[index] if index < len(self.moments) and self.moments[index] < until else None

    def last_moment(self, until: Instant) -> Instant | None:
        """The session's last event before ``until``."""
        index = bisect_left(self.moments, until)
        return self.moments[index - 1] if index else None

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
        self.changes = 0
        """Rises whenever calls come in or change."""
        self._calls: dict[MessageId, UsageEvent] = {}
        self._contested: dict[MessageId, dict[RequestId, UsageEvent]] = {}
        self._quarters: dict[int, _Quarter] = {}
        self._openers: dict[str, list[Instant]] = {}
        self._sessions: dict[SessionId, SessionFacts] = {}
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
        self.changes += 1
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
        self._measured.add(session)
        facts = self._sessions.get(session)
        estimates = [event for event in facts.logs.values() if _is_estimate(event)] if facts else []
        for event in estimates:
            self._leave_estimate(event)
        return bool(estimates)

    def reprice(self, price: Callable[[str], int]) -> None:
        """From now on, and for what is here already, the use of a tool is taken to cost this."""
        self._price = price
        for quarter in self._quarters.values():
            sums: dict[SessionId, int] = {}
            for event in quarter.estimates.values():
                sums[event.session] = sums.get(event.session, 0) + price(event.tool)
            for session, estimated in sums.items():
                quarter.cell(session, ESTIMATED).estimated = estimated

    def trim(self, before: Instant) -> None:
        """Forget whole quarter hours before an instant."""
        for quarter in [index for index in self._quarters if (index + 1) * QUARTER <= before]:
            for call in self._quarters.pop(quarter).calls.values():
                del self._calls[call.message]
                self._contested.pop(call.message, None)
        edge = before // QUARTER * QUARTER
        self._logs = {key: event for key, event in self._logs.items() if event.at >= edge}
        for openers in self._openers.values():
            del openers[: bisect_left(openers, edge)]
        for session, facts in list(self._sessions.items()):
            del facts.moments[: bisect_left(facts.moments, edge)]
            facts.logs = {key: event for key, event in facts.logs.items() if event.at >= edge}
            if not facts.moments:
                del self._sessions[session]

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
        for index in range(since // QUARTER, (until - 1) // QUARTER + 1):
            quarter = self._quarters.get(index)
            if quarter is None:
                continue
            whole = since <= quarter.first and quarter.last < until
            parts = quarter.sums(session) if whole else self._between(quarter, since, until, session)
            for model, tokens, messages, estimated in parts:
                if scope is None or family(model) == scope:
                    totals.add(model, tokens, messages, estimated)
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
        for index in range(until // QUARTER, since // QUARTER - 1, -1):
            quarter = self._quarters.get(index)
            if quarter is None or session not in quarter.sessions:
                continue
            used = (
                call.at
                for call in quarter.calls.values()
                if call.session == session and since < call.at <= until and call.tokens != NO_TOKENS
            )
            if (last := max(used, default=None)) is not None:
                return last
        return None

    def facts(self, session: SessionId) -> SessionFacts | None:
        """What is known of one session, if it is here."""
        return self._sessions.get(session)

    def sessions(self) -> Iterable[tuple[SessionId, SessionFacts]]:
        return self._sessions.items()

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

    def _quarter(self, at: Instant) -> _Quarter:
        return self._quarters[at // QUARTER]

    def _quarter_for(self, at: Instant) -> _Quarter:
        """The quarter hour that something at this instant enters."""
        quarter = self._quarters.setdefault(at // QUARTER, _Quarter(at, at))
        quarter.first, quarter.last = min(quarter.first, at), max(quarter.last, at)
        return quarter

    def _enter(self, call: UsageEvent) -> None:
        self._calls[call.message] = call
        quarter = self._quarter_for(call.at)
        quarter.calls[call.message] = call
        cell = quarter.cell(call.session, call.model)
        cell.tokens = cell.tokens.plus(call.tokens)
        cell.messages += 1
        if call.tokens != NO_TOKENS:
            insort(self._openers.setdefault(family(call.model), []), call.at)
        facts = self._sessions.setdefault(call.session, SessionFacts())
        insort(facts.moments, call.at)
        facts.placed_at = _earlier(facts.placed_at, call.at, call.cwd)

    def _leave(self, call: UsageEvent) -> None:
        quarter = self._quarter(call.at)
        del quarter.calls[call.message]
        cell = quarter.cell(call.session, call.model)
        cell.tokens = cell.tokens.minus(call.tokens)
        cell.messages -= 1
        if not cell.messages:
            quarter.drop(call.session, call.model)
        if call.tokens != NO_TOKENS:
            _take_out(self._openers[family(call.model)], call.at)
        self._leave_moment(call.session, call.at)

    def _leave_moment(self, session: SessionId, at: Instant) -> None:
        facts = self._sessions[session]
        _take_out(facts.moments, at)
        if not facts.moments:
            del self._sessions[session]

    def _enter_log(self, event: LogEvent) -> None:
        self._logs[event.key] = event
        facts = self._sessions.setdefault(event.session, SessionFacts())
        facts.logs[event.key] = event
        insort(facts.moments, event.at)
        facts.placed_at = _earlier(facts.placed_at, event.at, event.cwd)
        if event.kind is LogKind.START:
            facts.named_at = _earlier(facts.named_at, event.at, event.agent)
        if _is_estimate(event) and event.session not in self._measured:
            self._enter_estimate(event)

    def _leave_log(self, event: LogEvent) -> None:
        if _is_estimate(event) and event.session not in self._measured:
            self._leave_estimate(event)
        del self._sessions[event.session].logs[event.key]
        self._leave_moment(event.session, event.at)

    def _enter_estimate(self, event: LogEvent) -> None:
        quarter = self._quarter_for(event.at)
        quarter.estimates[event.key] = event
        quarter.cell(event.session, ESTIMATED).estimated += self._price(event.tool)
        insort(self._openers.setdefault(ESTIMATED, []), event.at)

    def _leave_estimate(self, event: LogEvent) -> None:
        quarter = self._quarter(event.at)
        del quarter.estimates[event.key]
        cell = quarter.cell(event.session, ESTIMATED)
        cell.estimated -= self._price(event.tool)
        if not any(one.session == event.session for one in quarter.estimates.values()):
            quarter.drop(event.session, ESTIMATED)
        _take_out(self._openers[ESTIMATED], event.at)

    def _between(
        self, quarter: _Quarter, since: Instant, until: Instant, session: SessionId | None
    ) -> Iterator[_Part]:
        """The events of a quarter hour that lie in ``[since, until)``, one by one."""
        for call in quarter.calls.values():
            if since <= call.at < until and session in (None, call.session):
                yield call.model, call.tokens, 1, 0
        for event in quarter.estimates.values():
            if since <= event.at < until and session in (None, event.session):
                yield ESTIMATED, NO_TOKENS, 0, self._price(event.tool)


def _is_estimate(event: LogEvent) -> bool:
    return event.kind is LogKind.TOOL_RESULT


def _take_out(instants: list[Instant], at: Instant) -> None:
    del instants[bisect_left(instants, at)]
