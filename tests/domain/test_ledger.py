"""Sums in memory are exact, and depend on the set of events alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from quotad.domain.instant import DAY, HOUR, MINUTE, QUARTER, Instant
from quotad.domain.ledger import Ledger
from quotad.domain.policy import Policy, Weights
from quotad.domain.session import LogEvent, LogKind
from quotad.domain.usage import MessageId, SessionId, Tokens, UsageEvent
from tests.domain.build import T0, call, log

POLICY = Policy()


def ledger_of(*rows: UsageEvent | LogEvent) -> Ledger:
    """A ledger that took these in, in order."""
    ledger = Ledger(POLICY.estimate)
    for row in rows:
        if isinstance(row, LogEvent):
            ledger.take_log(row)
        else:
            ledger.take_usage(row)
    return ledger


def spent(ledger: Ledger, since: Instant = T0 - DAY, until: Instant = T0 + DAY) -> int:
    """The weighted sum over a span."""
    return ledger.totals(since, until).spent(POLICY)


def test_a_repeated_line_changes_nothing() -> None:
    """A line that is known says so, and sums stay."""
    ledger = ledger_of(call("m"))
    assert not ledger.take_usage(call("m"))
    assert 100 == spent(ledger)


def test_a_replay_counts_nothing() -> None:
    """A sidechain copy under another request id leaves the call as it stands."""
    ledger = ledger_of(call("m", request="a"), call("m", T0 + MINUTE, request="b", sidechain=True))
    totals = ledger.totals(T0 - DAY, T0 + DAY)
    assert (1, Tokens(output=100)) == (totals.messages, totals.tokens)


def test_a_call_that_leaves_a_quarter_hour_leaves_the_sums_beside_it() -> None:
    """Another model of the same session stays; and of two estimates one goes before the other."""
    rows = (call("m", T0 + HOUR, model="claude-haiku-4-5"), call("n", T0 + HOUR, output=7))
    ledger = ledger_of(*rows, call("m", T0, model="claude-haiku-4-5"))
    assert {"claude-opus-5": Tokens(output=7)} == ledger.totals(T0 + HOUR, T0 + 2 * HOUR).models
    results = (log(LogKind.TOOL_RESULT, T0 + minute, tool="Read", session="e") for minute in (1, 2))
    ledger = ledger_of(*results)
    assert 1600 == ledger.totals(T0, T0 + HOUR).estimated
    assert ledger.measure(SessionId("e"))
    assert 0 == ledger.totals(T0, T0 + HOUR).estimated


def test_it_tells_which_messages_it_holds() -> None:
    """Those whose call is here, of any that are asked about."""
    ledger = ledger_of(call("m"), call("n"))
    assert {MessageId("m")} == ledger.held([MessageId("m"), MessageId("x"), MessageId("m")])
    assert set() == ledger.held([])


def test_a_better_claim_moves_a_call() -> None:
    """When an earlier main-chain line comes, the call goes to its time, session and model."""
    ledger = ledger_of(
        call("m", T0 + HOUR, request="b", session="fork", model="claude-haiku-4-5", sidechain=True),
        call("m", T0, request="a", session="main", output=70),
        call("m", T0, request="a", session="main", output=90),
    )
    assert {"claude-opus-5": Tokens(output=90)} == ledger.totals(T0, T0 + MINUTE).models
    assert [SessionId("main")] == [session for session, _ in ledger.sessions()]
    assert T0 == ledger.latest(T0 - DAY, T0 + DAY)


def test_a_call_that_moves_leaves_the_others_where_they_are() -> None:
    """Only its own tokens go."""
    ledger = ledger_of(call("m", T0 + HOUR), call("n", T0 + HOUR, output=5), call("m", T0))
    assert 5 == spent(ledger, T0 + HOUR)


def test_spans_cut_estimates_too() -> None:
    """An estimate counts in the span it lies in, and to its session."""
    ledger = ledger_of(
        log(LogKind.TOOL_RESULT, T0 + 1, tool="Edit"),
        log(LogKind.TOOL_RESULT, T0 + 3, tool="Read", session="t"),
    )
    assert (0, 1500) == (spent(ledger, T0, T0 + 1), spent(ledger, T0 + 1, T0 + 3))
    assert 800 == ledger.totals(T0 + 2, T0 + 4, session=SessionId("t")).estimated
    assert 0 == ledger.totals(T0 + 2, T0 + 4, session=SessionId("s")).estimated


def test_spans_are_half_open_within_a_quarter_hour() -> None:
    """Edges are exact to the millisecond, though sums are kept by quarter hours."""
    ledger = ledger_of(call("m", T0 + 1), call("n", T0 + 2 * QUARTER))
    assert 100 == spent(ledger, T0 + 1, T0 + 2)
    assert 0 == spent(ledger, T0 + 2, T0 + 2 * QUARTER)
    assert 200 == spent(ledger, T0, T0 + 2 * QUARTER + 1)
    assert 0 == spent(ledger, T0 + HOUR, T0)


def test_a_scope_counts_only_its_family() -> None:
    """A model-scoped window is about one family of models."""
    ledger = ledger_of(call("m"), call("n", model="claude-sonnet-5"))
    assert {"claude-sonnet-5": Tokens(output=100)} == ledger.totals(T0, T0 + 1, scope="sonnet").models
    assert T0 == ledger.next_event(T0, T0 + DAY, "sonnet")
    assert ledger.next_event(T0, T0 + DAY, "haiku") is None


def test_a_call_of_no_tokens_counts_but_opens_nothing() -> None:
    """It is a call, but the first event with a token opens the window."""
    ledger = ledger_of(call("m", tokens=Tokens()))
    assert ledger.next_event(0, T0 + DAY, None) is None
    assert 1 == ledger.totals(T0, T0 + 1).messages


def test_the_future_is_asked_for_explicitly() -> None:
    """``until`` keeps events aside whose time has not come."""
    ledger = ledger_of(call("m", T0 + HOUR))
    assert ledger.next_event(T0, T0 + HOUR, None) is None
    assert T0 + HOUR == ledger.next_event(T0, T0 + HOUR + 1, None)


def test_tool_results_are_estimated() -> None:
    """The table of estimates prices known tools, and 500 tokens any other."""
    tools = ["Edit", "Write", "Read", "Task", "WebFetch", "Grep", "Glob", "Bash", "NotebookEdit"]
    ledger = ledger_of(*(log(LogKind.TOOL_RESULT, tool=tool) for tool in tools))
    assert 1500 + 1200 + 800 + 2000 + 1000 + 500 + 400 + 300 + 500 == spent(ledger)
    assert 7700 + 500 == spent(ledger, T0, T0 + QUARTER)


def test_only_tool_results_cost() -> None:
    """Uses, messages, starts and ends of a session cost nothing."""
    kinds = [LogKind.START, LogKind.TOOL_USE, LogKind.MESSAGE, LogKind.END]
    assert 0 == spent(ledger_of(*(log(kind, tool="Edit") for kind in kinds)))


def test_a_repeated_log_line_is_not_new() -> None:
    """A log that is read again adds nothing."""
    ledger = ledger_of(log(LogKind.TOOL_RESULT, tool="Edit"))
    assert not ledger.take_log(log(LogKind.TOOL_RESULT, tool="Edit"))
    assert 1500 == spent(ledger)


def test_one_tool_use_in_two_sessions_is_one() -> None:
    """Of one key the earliest line stands, whichever came first, and measuring either is safe."""
    early = log(LogKind.TOOL_RESULT, T0, session="a", tool="Edit", key="k")
    late = log(LogKind.TOOL_RESULT, T0 + 1, session="b", tool="Read", key="k")
    start = log(LogKind.START, T0 + 2, session="b", key="start")
    for order in ([early, late, start], [late, start, early], [start, late, early]):
        ledger = ledger_of(*order)
        assert 1500 == spent(ledger)
        assert {"a", "b"} == {session for session, _ in ledger.sessions()}
        assert not ledger.measure(SessionId("b"))
        assert ledger.measure(SessionId("a"))
        assert 0 == spent(ledger)
    assert not ledger_of(start, log(LogKind.START, T0, session="b", key="start")).take_log(start)


def test_estimates_give_way_to_measurement() -> None:
    """The first usage line that bears the session's id drops its estimates, whichever came first."""
    result, use = log(LogKind.TOOL_RESULT, tool="Edit"), log(LogKind.TOOL_USE, tool="Edit")
    assert 100 == spent(ledger_of(result, use, call("m")))
    assert 100 == spent(ledger_of(call("m"), result, use))
    assert ledger_of(call("m", T0 + 1), result).next_event(0, T0 + 1, None) is None


def test_another_sessions_estimates_stay() -> None:
    """Measurement of one session says nothing of another."""
    assert 1600 == spent(ledger_of(log(LogKind.TOOL_RESULT, tool="Edit", session="t"), call("m")))


def test_a_copy_in_a_fork_measures_the_fork_too() -> None:
    """A line bears its file's session id, though the call belongs to the other one."""
    ledger = ledger_of(call("m", session="a"), call("m", session="b"))
    ledger.take_log(log(LogKind.TOOL_RESULT, tool="Edit", session="b"))
    assert 100 == spent(ledger)


def test_session_facts_come_from_the_earliest_that_knows() -> None:
    """The log's start names agent and directory; every end is known."""
    ledger = ledger_of(
        call("m", T0 + 5, cwd="/later"),
        log(LogKind.START, T0, cwd="/first", agent="planner"),
        log(LogKind.START, T0 + 9, cwd="/third", agent="other"),
        log(LogKind.END, T0 + 20),
        log(LogKind.END, T0 + 10),
    )
    facts = dict(ledger.sessions())[SessionId("s")]
    assert ("/first", "planner", True) == (facts.cwd, facts.agent, facts.ended_at(T0 + 10))
    assert T0 + 5 == facts.next_moment(T0 + 1, T0 + 100)
    assert facts.next_moment(T0 + 21, T0 + 100) is None
    assert facts.next_moment(T0 + 20, T0 + 20) is None
    assert T0 + 20 == facts.last_moment(T0 + 21)
    assert facts.last_moment(T0) is None


def test_a_session_without_name_or_place_says_so() -> None:
    """Nothing known is an empty text."""
    facts = dict(ledger_of(call("m", cwd="")).sessions())[SessionId("s")]
    assert ("", "", False) == (facts.cwd, facts.agent, facts.ended_at(T0))


def test_trimming_forgets_whole_quarters_before_an_instant() -> None:
    """What remains still adds up; sessions without events are gone, but what was measured stays so."""
    ledger = ledger_of(
        call("old", T0, session="old"),
        call("old", T0, session="old", request="x"),
        log(LogKind.TOOL_RESULT, T0, session="log", tool="Edit"),
        log(LogKind.TOOL_RESULT, T0 + HOUR, session="log", tool="Read"),
        call("new", T0 + HOUR),
    )
    ledger.trim(T0 + HOUR)
    assert 900 == spent(ledger)
    assert {"log", "s"} == {session for session, _ in ledger.sessions()}
    assert T0 + HOUR == ledger.next_event(0, T0 + DAY, None)
    assert not ledger.knows(SessionId("old"))
    ledger.take_usage(call("more", T0 + HOUR, session="log"))
    assert 200 == spent(ledger)


def test_weights_are_per_kind_and_family() -> None:
    """The weighted sum is rounded once."""
    policy = Policy(weights=Weights(cache_read=0.1), family_weights={"haiku": Weights(0.5, 0.5, 0.5, 0.0)})
    ledger = ledger_of(
        call("m", tokens=Tokens(1, 2, 3, 14)), call("n", model="claude-haiku-4-5", tokens=Tokens(1, 1, 1, 99))
    )
    assert round(6 + 1.4 + 1.5) == ledger.totals(T0, T0 + 1).spent(policy)


rows = st.one_of(
    st.builds(
        lambda message, at, request, session, model, sidechain, output: call(
            message,
            T0 + at * 7 * MINUTE,
            request=request,
            session=session,
            model=model,
            sidechain=sidechain,
            output=output,
        ),
        st.sampled_from(["m", "n", "o"]),
        st.integers(0, 20),
        st.sampled_from(["", "r1", "r2"]),
        st.sampled_from(["a", "b"]),
        st.sampled_from(["claude-opus-5", "claude-haiku-4-5"]),
        st.booleans(),
        st.integers(0, 9),
    ),
    st.builds(
        lambda at, session, tool: log(LogKind.TOOL_RESULT, T0 + at * 7 * MINUTE, session=session, tool=tool),
        st.integers(0, 20),
        st.sampled_from(["a", "c"]),
        st.sampled_from(["Edit", "Bash"]),
    ),
)


@given(st.lists(rows, max_size=15), st.randoms(), st.integers(0, 150), st.integers(0, 150))
def test_sums_do_not_depend_on_order_or_repeats(
    found: list[UsageEvent | LogEvent], shuffle: object, since: int, minutes: int
) -> None:
    """Any order with any repeats gives the same sums over any span, and the same openers."""
    expected = ledger_of(*found)
    mixed = [*found, *found[:3]]
    shuffle.shuffle(mixed)  # type: ignore[attr-defined]
    ledger = ledger_of(*mixed)
    span = (T0 + since * MINUTE, T0 + (since + minutes) * MINUTE)
    assert expected.totals(*span) == ledger.totals(*span)
    assert expected.next_event(span[0], T0 + DAY, None) == ledger.next_event(span[0], T0 + DAY, None)
    assert expected.latest(*span) == ledger.latest(*span)
