"""Many lines become one call, whatever their order."""

from __future__ import annotations

import functools
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotad.domain.usage import RequestId, SessionId, Tokens, UsageEvent, family, merge, merged, standing_call
from tests.domain.build import T0, call

lines = st.builds(
    lambda at, session, request, sidechain, output, cwd: call(
        "m", T0 + at, session=session, request=request, sidechain=sidechain, output=output, cwd=cwd
    ),
    st.integers(0, 3),
    st.sampled_from(["a", "b"]),
    st.sampled_from(["", "r1", "r2"]),
    st.booleans(),
    st.integers(0, 5),
    st.sampled_from(["/x", "/y"]),
)


def fold(found: list[UsageEvent]) -> UsageEvent:
    """The call that lines make in this order."""
    rows: dict[RequestId, UsageEvent] = {}
    for line in found:
        known = rows.get(line.request)
        rows[line.request] = line if known is None else merge(known, line)
    return standing_call(rows.values())


def test_placeholder_lines_are_replaced_by_the_largest_count() -> None:
    """Streaming placeholders (9, 9, 159) are one call of 159 output tokens."""
    merged = functools.reduce(merge, [call("m", output=9), call("m", output=9), call("m", output=159)])
    assert Tokens(output=159) == merged.tokens


def test_the_earliest_line_places_the_call() -> None:
    """A merged row keeps the earliest timestamp and that line's session, model and directory."""
    early = call("m", T0, session="b", model="claude-haiku-4-5", cwd="/early")
    late = call("m", T0 + 1, session="a", model="claude-opus-5", cwd="/late")
    assert early.origin == merge(late, early).origin


def test_copies_at_the_same_instant_belong_to_the_smallest_session() -> None:
    """A fork's copy keeps the timestamp; the smallest session id owns the call."""
    assert SessionId("a") == merge(call("m", session="b"), call("m", session="a")).session


def test_a_row_is_a_sidechain_only_if_all_its_lines_are() -> None:
    """One line of the main chain makes the row one of the main chain."""
    assert not merge(call("m", sidechain=True), call("m", sidechain=False)).sidechain


@pytest.mark.parametrize(
    ("stands", "replay"),
    [
        (call("m", T0 + 9, request="z"), call("m", T0, request="a", sidechain=True)),
        (call("m", T0, request="z"), call("m", T0 + 9, request="a")),
        (call("m", T0, request="a"), call("m", T0, request="z")),
    ],
    ids=["main chain first", "then earliest", "then smallest request"],
)
def test_of_two_requests_one_stands(stands: UsageEvent, replay: UsageEvent) -> None:
    """Side questions replay the parent's lines under a new request id, which counts nothing."""
    assert stands == standing_call([replay, stands])


def test_a_line_without_request_joins_the_row_that_stands() -> None:
    """It adds its tokens and its earlier time, and is no call of its own."""
    anonymous = call("m", T0, request="", output=7)
    expected = call("m", T0, request="r", output=7)
    assert expected == standing_call([call("m", T0 + 5, request="r", output=3), anonymous])


def test_a_call_known_only_without_request_stands_by_itself() -> None:
    """Gateways send no request ids (ccusage#985)."""
    assert call("m", request="") == standing_call([call("m", request="")])


@given(st.lists(lines, min_size=1, max_size=6))
def test_order_and_repeats_never_matter(found: list[UsageEvent]) -> None:
    """Any permutation with any repeats gives the same call."""
    expected = fold(found)
    for order in itertools.islice(itertools.permutations([*found, found[0]]), 50):
        assert expected == fold(list(order))


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("claude-opus-5", "opus"),
        ("claude-3-5-haiku-20241022", "haiku"),
        ("claude-sonnet-4-20250514", "sonnet"),
        ("claude-fable-5-2", "fable"),
        ("gpt-7", "gpt"),
        ("claude-3", "claude-3"),
    ],
)
def test_a_family_is_the_first_word_that_names_one(model: str, expected: str) -> None:
    """Ids have come with the number before and behind the name."""
    assert expected == family(model)


def test_sums_go_up_and_down_again() -> None:
    """Adding and taking away the same tokens leaves what was there."""
    one, other = Tokens(1, 2, 3, 4), Tokens(5, 6, 7, 8)
    assert one == one.plus(other).minus(other)


def test_lines_of_one_request_are_one_event_where_the_first_of_them_stood() -> None:
    """Another request of the same message stays apart: which of them counts is decided later."""
    lines = [
        call("m", T0 + 1, output=1),
        call("n"),
        call("m", request="q"),
        call("m", T0, output=9),
        call("n"),
    ]
    assert [call("m", T0, output=9), call("n"), call("m", request="q")] == merged(lines)
