"""What is known in advance of sums, windows and sessions is what counting everything again would say."""

from __future__ import annotations

from functools import reduce
from typing import TypeAlias

from hypothesis import given
from hypothesis import strategies as st

from quotad.domain.inputs import Anchored, CaughtUp, PolicyChanged, Recalled, Seen
from quotad.domain.instant import DAY, HOUR, MINUTE, Instant
from quotad.domain.ledger import Ledger
from quotad.domain.policy import Policy, WindowSpec
from quotad.domain.reading import Reading
from quotad.domain.session import LogEvent, LogKind
from quotad.domain.standing import Standing, standing
from quotad.domain.state import State
from quotad.domain.step import step
from quotad.domain.sums import Totals
from quotad.domain.usage import SessionId, Tokens, UsageEvent, family, merge
from tests.domain.build import ANA, T0, call, log, reading

Event: TypeAlias = UsageEvent | LogEvent | Reading

PRICES = {"Edit": 1500, "Bash": 300}
MODELS = ["claude-opus-5", "claude-haiku-4-5"]
SESSIONS = ["a", "b", "c"]
minutes = st.integers(0, 12 * 60)

calls = st.builds(
    lambda message, at, session, model, output: call(
        message, T0 + at * MINUTE + output, session=session, model=model, output=output, cwd=""
    ),
    st.sampled_from("klmnopqrst"),
    minutes,
    st.sampled_from(SESSIONS),
    st.sampled_from(MODELS),
    st.integers(0, 9),
)
logs = st.builds(
    lambda kind, at, session, tool: log(kind, T0 + at * MINUTE, session=session, tool=tool),
    st.sampled_from([LogKind.TOOL_RESULT, LogKind.START, LogKind.END]),
    minutes,
    st.sampled_from([*SESSIONS, "logged"]),
    st.sampled_from(sorted(PRICES)),
)
readings = st.builds(
    lambda percent, at, resets, window, session: reading(
        percent, T0 + resets * HOUR, T0 + at * MINUTE, window=window, session=session
    ),
    st.integers(0, 100),
    minutes,
    st.integers(1, 16),
    st.sampled_from(["five_hour", "seven_day"]),
    st.sampled_from([None, *SESSIONS]),
)


def take(ledger: Ledger, event: UsageEvent | LogEvent) -> None:
    """What ``step`` does with one of each."""
    if isinstance(event, UsageEvent):
        ledger.take_usage(event)
    else:
        ledger.take_log(event)


def counted(
    events: list[UsageEvent | LogEvent],
    since: Instant,
    until: Instant,
    scope: str | None,
    session: str | None,
) -> Totals:
    """Event by event."""
    totals = Totals()
    lines: dict[str, list[UsageEvent]] = {}
    results: dict[str, LogEvent] = {}
    for event in events:
        if isinstance(event, UsageEvent):
            lines.setdefault(event.message, []).append(event)
        elif event.kind is LogKind.TOOL_RESULT:
            results[event.key] = event
    for stands in (reduce(merge, each) for each in lines.values()):
        inside = since <= stands.at < until and session in {None, stands.session}
        if inside and scope in {None, family(stands.model)}:
            before = totals.models.get(stands.model, Tokens())
            totals.models[stands.model] = before.plus(stands.tokens)
            totals.messages += 1
    measured = {each.session for same in lines.values() for each in same}
    for result in results.values():
        inside = since <= result.at < until and session in {None, result.session}
        if inside and scope is None and result.session not in measured:
            totals.estimated += PRICES[result.tool]
    return totals


@given(
    st.lists(st.tuples(st.one_of(calls, logs), minutes, minutes), min_size=1, max_size=20),
    st.sampled_from([None, "opus", "haiku"]),
    st.sampled_from([None, *SESSIONS]),
)
def test_sums_are_right_whatever_was_asked_before(
    found: list[tuple[UsageEvent | LogEvent, int, int]], scope: str | None, session: str | None
) -> None:
    """A running sum that was made too early would be told from then on."""
    ledger = Ledger(PRICES.__getitem__)
    seen = []
    for event, since, length in found:
        take(ledger, event)
        seen.append(event)
        span = (T0 + since * MINUTE, T0 + (since + length) * MINUTE)
        whose = None if session is None else SessionId(session)
        actual = ledger.totals(*span, scope=scope, session=whose)
        assert counted(seen, *span, scope, session) == actual


@given(st.lists(st.one_of(calls, logs), min_size=1, max_size=20), minutes, minutes)
def test_sums_of_what_is_left_stay_when_the_rest_is_forgotten(
    events: list[UsageEvent | LogEvent], edge: int, length: int
) -> None:
    """Also when everything was asked about before."""
    ledger = Ledger(PRICES.__getitem__)
    for event in events:
        take(ledger, event)
    begin = T0 + edge // 15 * 15 * MINUTE
    spans = [(begin, begin + length * MINUTE), (begin + 7 * MINUTE, T0 + DAY)]
    asked = [ledger.totals(*span, session=whose) for span in spans for whose in (None, SessionId("a"))]
    ledger.trim(begin)
    assert asked == [
        ledger.totals(*span, session=whose) for span in spans for whose in (None, SessionId("a"))
    ]
    assert Totals() == ledger.totals(T0, begin)


POLICY = Policy(
    windows=(
        WindowSpec("five_hour", 5 * HOUR, 2_000),
        WindowSpec("seven_day", 7 * DAY, 9_000),
        # It keeps memory from being cut back: a clock that is set back would not bring back what was lost.
        WindowSpec("quarter", 90 * DAY, None),
    )
)


def seen(events: list[Event]) -> Seen:
    """One input of all of them."""
    return Seen(
        ANA,
        tuple(one for one in events if isinstance(one, UsageEvent)),
        tuple(one for one in events if isinstance(one, LogEvent)),
        tuple(one for one in events if isinstance(one, Reading)),
    )


def begun(now: Instant) -> State:
    """A state that knows nothing, and has been told that the ledger on disk knows nothing either."""
    state = State(POLICY)
    step(state, PolicyChanged(POLICY, (ANA,)), now)
    horizon = state.accounts[ANA].horizon
    step(state, Recalled(ANA, horizon, (), (), (), frozenset()), now)
    step(state, Anchored(ANA, horizon, {}, {}), now)
    step(state, CaughtUp(), now)
    return state


def stands_anew(events: list[Event], now: Instant) -> Standing:
    """Where somebody stands who has just been told of everything."""
    state = begun(now)
    step(state, seen(events), now)
    return standing(state, now)


@given(
    st.lists(
        st.tuples(st.lists(st.one_of(calls, calls, logs, readings), max_size=4), st.integers(-30, 14 * 60)),
        min_size=1,
        max_size=8,
    )
)
def test_where_we_stand_is_a_function_of_what_was_seen_and_of_now(
    found: list[tuple[list[Event], int]],
) -> None:
    """Not of what was known, asked or thought before, though much of it is kept; nor of a clock's jumps."""
    state = begun(T0)
    events: list[Event] = []
    for news, minute in found:
        now = T0 + minute * MINUTE
        events += news
        step(state, seen(news), now)
        assert stands_anew(events, now) == standing(state, now)


def test_a_use_at_the_very_instant_of_a_reading_makes_it_news() -> None:
    """What the readings amount to was known before the use was."""
    state = begun(T0)
    resets, later = T0 + 4 * HOUR, T0 + 10 * MINUTE
    told = [reading(50, resets, at, session="a") for at in (T0, later)]
    step(state, Seen(ANA, readings=tuple(told)), later)
    assert told[0] == standing(state, later).windows[0].reported
    step(state, Seen(ANA, (call("m", later, session="a"),)), later)
    assert told[1] == standing(state, later).windows[0].reported


def test_a_window_goes_with_what_opened_it() -> None:
    """A session that turns out to be measured was only estimated before: nothing was used then."""
    state = begun(T0)
    later = T0 + 7 * HOUR
    step(state, Seen(ANA, logs=(log(LogKind.TOOL_RESULT, T0, session="a", tool="Edit"),)), later)
    account, spec = state.accounts[ANA], POLICY.windows[0]
    assert [(T0, T0 + 5 * HOUR)] == list(account.quota_windows(spec, later))
    step(state, Seen(ANA, (call("m", T0 + 6 * HOUR, session="a"),)), later)
    assert [(T0 + 6 * HOUR, T0 + 11 * HOUR)] == list(account.quota_windows(spec, later))


def test_where_a_span_cuts_a_session_nothing_of_others_is_counted() -> None:
    """All of it lies in one quarter hour."""
    ledger = Ledger(PRICES.__getitem__)
    for minute, session in enumerate("aba"):
        ledger.take_log(log(LogKind.TOOL_RESULT, T0 + minute * MINUTE, session=session, tool="Edit"))
    ledger.take_usage(call("m", T0 + MINUTE, session="c"))
    assert Totals(estimated=1500) == ledger.totals(T0 + MINUTE, T0 + DAY, session=SessionId("a"))
