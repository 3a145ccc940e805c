"""Claude Code's transcripts, in all the shapes of their lines."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotad.domain.cursor import Batch
from quotad.domain.reading import Reading, ReadingSource
from quotad.domain.usage import (
    TOKEN_COUNT_MAX,
    AccountId,
    MessageId,
    RequestId,
    SessionId,
    Tokens,
    UsageEvent,
    merge,
    merged,
    standing_call,
)
from quotad.sources import transcript
from quotad.sources.lines import Counts
from quotad.sources.timestamp import instant

SAMPLES = Path(__file__).parents[1] / "samples"
SESSION = "5f0c1d2e-0000-4000-8000-00000000a001"
AT = "2026-11-02T09:00:04.000Z"


def assistant(usage: object, *, message: object = None, **fields: object) -> dict[str, Any]:
    """An assistant line as of 2.1.270; ``fields`` replace its own, ``message`` those of its message."""
    inner = {"model": "claude-opus-5", "id": "msg_A", "role": "assistant", "content": [], "usage": usage}
    return {
        "parentUuid": None,
        "isSidechain": False,
        "type": "assistant",
        "uuid": "uuid-1",
        "timestamp": AT,
        "cwd": "/src",
        "sessionId": SESSION,
        "requestId": "req_A",
        "message": inner | (message if isinstance(message, dict) else {}),
    } | fields


def progress(inner: object) -> dict[str, Any]:
    """The wrapping by which versions until early 2026 showed a subagent's lines in its parent's file."""
    outer = {"type": "progress", "sessionId": SESSION, "cwd": "/src", "isSidechain": False, "timestamp": AT}
    return outer | {"uuid": "uuid-2", "data": {"type": "agent_progress", "message": inner}}


def block(*lines: object) -> bytes:
    """The lines as a file holds them."""
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def decoded(data: bytes) -> tuple[Batch, Counts]:
    """A batch of what the block holds, and its counts."""
    batch = Batch(AccountId("/home/ana/.claude"))
    return batch, transcript.decode(data, batch)


GOOD = block(assistant({"input_tokens": 1, "output_tokens": 2}, message={"id": "msg_good"}))


NEXT = GOOD.replace(b"msg_good", b"msg_next")


def malformed_between(line: bytes) -> int:
    """Lines counted as malformed where ``line`` stands between two good ones, which must both be read."""
    batch, counts = decoded(GOOD + line + b"\n" + NEXT)
    first, *_, last = batch.usage
    assert ("msg_good", "msg_next") == (first.message, last.message)
    return counts.malformed


def calls(events: Iterable[UsageEvent]) -> dict[tuple[str, str, str], UsageEvent]:
    """What events come to, by message, request and session."""
    found: dict[tuple[str, str, str], UsageEvent] = {}
    for event in events:
        key = (event.message, event.request, event.session)
        found[key] = merge(found[key], event) if key in found else event
    return found


def test_an_assistant_line_is_a_usage_event() -> None:
    """Every field of the event comes from the line; the larger form of the cache writes counts."""
    usage = {
        "input_tokens": 4,
        "cache_creation_input_tokens": 5200,
        "cache_read_input_tokens": 18000,
        "output_tokens": 310,
        "output_tokens_details": {"thinking_tokens": 90},
        "cache_creation": {"ephemeral_1h_input_tokens": 5200, "ephemeral_5m_input_tokens": 0},
        "iterations": [{"input_tokens": 4, "output_tokens": 310}],
    }
    batch, counts = decoded(block(assistant(usage, isSidechain=True)))
    expected = UsageEvent(
        MessageId("msg_A"),
        RequestId("req_A"),
        instant(AT),
        SessionId(SESSION),
        "claude-opus-5",
        "/src",
        True,
        Tokens(4, 310, 5200, 18000),
    )
    assert [expected] == batch.usage
    assert instant(AT) == batch.latest
    assert Counts(1, 0) == counts


def test_the_samples_give_what_they_are_known_to_hold() -> None:
    """All files of a session with subagents, workflow, placeholder and replay, merged by the rule."""
    rows: dict[MessageId, dict[RequestId, UsageEvent]] = {}
    malformed = 0
    for path in sorted((SAMPLES / "projects").rglob("*.jsonl")):
        data = path.read_bytes()
        batch, counts = decoded(data[: data.rfind(b"\n") + 1])
        malformed += counts.malformed
        for event in batch.usage:
            requests = rows.setdefault(event.message, {})
            requests[event.request] = merge(event, requests.get(event.request, event))
    calls = {message: standing_call(requests.values()).tokens for message, requests in rows.items()}
    expected = json.loads((SAMPLES / "expected_usage.json").read_text())
    assert expected["by_message"] == {message: list(tokens) for message, tokens in calls.items()}
    assert expected["total"] == [sum(column) for column in zip(*calls.values(), strict=True)]
    assert 1 == malformed


def test_old_transcripts_are_read_too() -> None:
    """Lines with a cost, a limit hit without an error field, and a nested subagent line."""
    batch, counts = decoded((SAMPLES / "legacy_transcript.jsonl").read_bytes())
    first, nested = batch.usage
    assert ("msg_L", Tokens(10, 5, 0, 0)) == (first.message, first.tokens)
    assert ("msg_P", "req_P", instant("2026-02-01T06:00:01.000Z"), SESSION, Tokens(20, 2, 0, 0)) == (
        nested.message,
        nested.request,
        nested.at,
        nested.session,
        nested.tokens,
    )
    assert [
        Reading(
            "five_hour",
            100.0,
            1_751_389_200_000,
            instant("2025-07-01T12:00:00.000Z"),
            ReadingSource.LIMIT_HIT,
        )
    ] == batch.readings
    assert Counts(4, 0) == counts


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({}, Tokens(0, 0, 0, 0)),
        ({"input_tokens": None, "output_tokens": 7, "cache_creation": None}, Tokens(0, 7, 0, 0)),
        (
            {"cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4}},
            Tokens(0, 0, 7, 0),
        ),
        (
            {"cache_creation_input_tokens": 9, "cache_creation": {"ephemeral_5m_input_tokens": 3}},
            Tokens(0, 0, 9, 0),
        ),
        ({"cache_creation_input_tokens": 0, "cache_creation": {"ephemeral_5m_input_tokens": None}}, Tokens()),
        ({"input_tokens": TOKEN_COUNT_MAX}, Tokens(TOKEN_COUNT_MAX, 0, 0, 0)),
        (
            {"cache_creation": {"ephemeral_5m_input_tokens": TOKEN_COUNT_MAX}},
            Tokens(0, 0, TOKEN_COUNT_MAX, 0),
        ),
        ({"output_tokens": 1, "something_new": [{"output_tokens": -5}]}, Tokens(0, 1, 0, 0)),
    ],
)
def test_missing_counts_are_zero(usage: object, expected: Tokens) -> None:
    """A call whose counts are all zero or null is still a call."""
    batch, counts = decoded(block(assistant(usage)))
    assert [expected] == [event.tokens for event in batch.usage]
    assert 0 == counts.malformed


@pytest.mark.parametrize(
    "usage",
    [
        {"input_tokens": -1},
        {"input_tokens": TOKEN_COUNT_MAX + 1},
        {"input_tokens": 10**30},
        {"input_tokens": 5.0},
        {"input_tokens": "5"},
        {"input_tokens": True},
        {"cache_creation": {"ephemeral_1h_input_tokens": -1}},
        {"cache_creation": {"ephemeral_1h_input_tokens": TOKEN_COUNT_MAX, "ephemeral_5m_input_tokens": 1}},
        {"cache_creation": []},
        [],
        "much",
    ],
)
def test_impossible_counts_make_the_line_malformed(usage: object) -> None:
    """A count is an integer from 0 to the maximum, or the line is counted as bad and adds nothing."""
    batch, counts = decoded(block(assistant(usage)))
    assert ([], 0) == (batch.usage, batch.latest)
    assert Counts(1, 1) == counts


@pytest.mark.parametrize(
    ("fields", "message", "expected"),
    [
        ({}, {"id": "msg_A"}, ("msg_A", "req_A")),
        ({"requestId": None}, {"id": "msg_A"}, ("msg_A", "")),
        ({}, {"id": None}, ("request:req_A", "req_A")),
        ({}, {"id": ""}, ("request:req_A", "req_A")),
        ({"requestId": None}, {"id": None}, ("uuid:uuid-1", "")),
    ],
)
def test_a_call_without_a_message_id_is_known_by_the_next_best(
    fields: dict[str, object], message: object, expected: tuple[str, str]
) -> None:
    """Request id, then uuid, each with a prefix so that it can never be a message id."""
    batch, _ = decoded(block(assistant({}, message=message, **fields)))
    assert [expected] == [(event.message, event.request) for event in batch.usage]


@pytest.mark.parametrize(
    "line",
    [
        assistant({}, message={"id": None}, requestId=None, uuid=None),
        assistant({}, message={"id": None}, requestId=None, uuid=5),
        assistant({}, timestamp=None),
        assistant({}, timestamp="2026-11-02T09:00:04.000"),
        assistant({}, timestamp="once"),
        assistant({}, timestamp=1_793_610_004),
        assistant({}, isSidechain="no"),
        assistant({}, sessionId=7),
        assistant({}, message={"model": []}),
        assistant({}) | {"message": ["usage"]},
        progress(assistant({}, timestamp=None)),
        progress(["usage"]),
        {"type": "progress", "data": "usage"},
    ],
)
def test_usage_without_identity_or_time_makes_the_line_malformed(line: object) -> None:
    """What cannot be placed is counted as bad, not guessed."""
    batch, counts = decoded(block(line))
    assert [] == batch.usage
    assert Counts(1, 1) == counts


@pytest.mark.parametrize(
    "line",
    [
        {"type": "mode", "mode": "normal"},
        {"type": "a-type-from-the-future", "usage": {"input_tokens": -1}, "assistant": 1},
        {"usage": {}, "role": "assistant"},
        {"type": ["assistant"], "usage": {}},
        {
            "type": "user",
            "timestamp": 5,
            "message": "assistant",
            "toolUseResult": {"usage": {"input_tokens": "x"}},
        },
        {"type": "user", "message": {"usage": [], "role": "assistant"}, "sessionId": {}, "uuid": 1},
        assistant(None),
        assistant({"input_tokens": 1}) | {"message": None},
        assistant({}, message={"model": "<synthetic>"}, timestamp=None, uuid=5),
        progress(None),
        {"type": "progress", "data": None, "usage": {}},
        {"type": "progress", "message": ["assistant"], "data": {"type": "hook_progress", "usage": 1}},
        {"type": "assistant", "message": {"content": [{"type": "text", "text": '{"usage": {}}'}]}},
    ],
)
def test_lines_that_bear_no_usage_are_passed_over(line: object) -> None:
    """Other types, present and future, are neither counted nor malformed, whatever is inside them."""
    batch, counts = decoded(block(line))
    assert ([], [], 0) == (batch.usage, batch.readings, batch.latest)
    assert Counts(1, 0) == counts


@pytest.mark.parametrize(
    "line",
    [b'{"type":"assistant","message":7}', b'{"type":"assistant", torn}', rb'{"assistant":"\"usage\""}{}'],
)
def test_lines_without_the_mark_of_usage_are_not_even_decoded(line: bytes) -> None:
    """Their ends alone say whether they are malformed."""
    batch, counts = decoded(line + b"\n" + line + b"\r\n")
    assert [] == batch.usage
    assert Counts(2, 0) == counts


def test_a_tool_result_s_usage_is_not_counted() -> None:
    """It repeats the subagent's last call, which has lines of its own."""
    line = {"type": "user", "toolUseResult": {"content": ["assistant"], "usage": {"input_tokens": 6}}}
    batch, counts = decoded(block(line | {"timestamp": AT, "message": {"role": "user"}}))
    assert [] == batch.usage
    assert Counts(1, 0) == counts


def test_a_long_line_is_a_user_s_if_its_message_is() -> None:
    """Not for what stands in another field before its type: releases add fields wherever they like."""
    usage = {"output_tokens": 5}
    called = assistant(usage, message={"content": [{"type": "text", "text": "long " * 1_000}]})
    user = {"message": {"role": "user", "content": "long " * 1_000}, "type": "user", "usage": usage}
    written = block({"origin": {"role": "user"}, **called}, user).replace(b'": ', b'":')
    batch, counts = decoded(written)
    assert ([5], Counts(2, 0)) == ([one.tokens.output for one in batch.usage], counts)


def limit_hit(text: object, **fields: object) -> dict[str, Any]:
    """Claude Code's own words in the place of an answer, with ``text`` as their content."""
    line = assistant(
        {"input_tokens": 0, "output_tokens": 0}, message={"model": "<synthetic>", "content": text}, **fields
    )
    return line | {"requestId": None}


TEXT = "You've hit your session limit · resets 11am (UTC)"
READING = Reading("five_hour", 100.0, instant("2026-11-02T11:00:00Z"), instant(AT), ReadingSource.LIMIT_HIT)


@pytest.mark.parametrize(
    "line",
    [
        limit_hit(
            [{"type": "text", "text": TEXT}], isApiErrorMessage=True, error="rate_limit", apiErrorStatus=429
        ),
        limit_hit([{"type": "text", "text": TEXT}], isApiErrorMessage=True, error={"drifted": 1}),
        limit_hit(
            [{"type": "text", "text": "Well."}, {"type": "other"}, {"text": TEXT}], isApiErrorMessage=True
        ),
        limit_hit(TEXT, isApiErrorMessage=True),
        limit_hit(TEXT),
        limit_hit(TEXT + " \ud83d", isApiErrorMessage=True),
    ],
)
def test_a_limit_hit_is_a_reading_of_a_hundred_percent(line: object) -> None:
    """It is received when the line was written, and its zeros are no usage."""
    batch, counts = decoded(block(line))
    assert ([READING], []) == (batch.readings, batch.usage)
    assert instant(AT) == batch.latest
    assert Counts(1, 0) == counts


@pytest.mark.parametrize(
    "line",
    [
        limit_hit("No response requested.", isApiErrorMessage=False),
        limit_hit(TEXT, isApiErrorMessage=False),
        limit_hit("You've hit your org's monthly spend limit", isApiErrorMessage=True),
        limit_hit(TEXT, isApiErrorMessage=True, timestamp=None),
        limit_hit({"text": TEXT}, isApiErrorMessage=True),
        limit_hit([TEXT], isApiErrorMessage=True),
        limit_hit(None, isApiErrorMessage=True),
        progress(limit_hit(TEXT, isApiErrorMessage=True)),
    ],
)
def test_other_words_of_claude_code_s_own_are_no_reading(line: object) -> None:
    """Nor are they malformed: a line's words have no fixed shape."""
    batch, counts = decoded(block(line))
    assert ([], []) == (batch.readings, batch.usage)
    assert Counts(1, 0) == counts


def test_an_answer_that_speaks_of_limits_is_no_reading() -> None:
    """Only Claude Code's own words tell of a limit, not what a model says."""
    batch, _ = decoded(block(assistant({}, message={"content": [{"type": "text", "text": TEXT}]})))
    assert [] == batch.readings
    assert 1 == len(batch.usage)


@pytest.mark.parametrize(
    ("line", "malformed"),
    [
        (b'{"type":"assistant","message":{"usage":', 1),
        (b'"usage":{}}', 1),
        (b"\0\0\0\0" + GOOD.strip(), 1),
        (GOOD.strip() + b"\0\0", 1),
        (GOOD.strip()[:90] + GOOD.strip(), 1),
        (GOOD.strip().replace(b'"/src"', b'"\xff"'), 1),
        (GOOD.strip().replace(b'"content": []', b'"content": "\xff"'), 1),
        (GOOD.strip().replace(b'"output_tokens": 2', b'"output_tokens": ' + b"9" * 5000), 1),
        (GOOD.strip().replace(b'"output_tokens": 2', b'"output_tokens": 1e400'), 1),
        (GOOD.strip().replace(b'"output_tokens": 2', b'"output_tokens": NaN'), 1),
        (GOOD.strip().replace(b'"content": []', b'"content": ' + b"[" * 100_000 + b"]" * 100_000), 1),
        (GOOD.strip().replace(b'"content": []', b'"content": ' + b"9" * 5000), 0),
        (GOOD.strip().replace(b'"output_tokens": 2', b'"output_tokens": 9, "output_tokens": 2'), 0),
        (GOOD.strip().replace(b'"content": []', rb'"content": "cut \ud83d"'), 0),
        (GOOD.strip().replace(b'"content": []', '"content": "\u2028é😀"'.encode()), 0),
        (GOOD.strip().replace(b'"content": []', rb'"content": "\u0000"'), 0),
        (GOOD.strip() + b"\r", 0),
        (b"\xef\xbb\xbf" + GOOD.strip(), 0),
        (b"\xef\xbb\xbf" + GOOD.strip() + b"\r", 0),
    ],
    ids=range(19),
)
def test_damage_is_counted_once_and_the_next_line_is_right(line: bytes, malformed: int) -> None:
    """Torn, glued, hollow, deep and endless lines; a harmless oddity does not lose the line's tokens."""
    batch, counts = decoded(NEXT + line + b"\n" + NEXT.replace(b"msg_next", b"msg_last"))
    assert Counts(3, malformed) == counts
    assert [Tokens(1, 2, 0, 0)] * (3 - malformed) == [event.tokens for event in batch.usage]


def test_half_a_character_in_a_name_becomes_a_replacement_character() -> None:
    """What is kept can be encoded again, whatever the line said."""
    batch, _ = decoded(GOOD.replace(b'"/src"', rb'"/src/\udcff"'))
    assert ["/src/\ufffd"] == [event.cwd for event in batch.usage]


@pytest.mark.parametrize("data", [b"", b"\n", b"\n\r\n\n", b"\xef\xbb\xbf\n"])
def test_empty_lines_are_not_counted(data: bytes) -> None:
    """Neither as lines nor as malformed."""
    assert Counts(0, 0) == decoded(data)[1]
    assert Counts(1, 0) == decoded(data + GOOD)[1]


def test_blank_lines_are_malformed() -> None:
    """A line of spaces is no object."""
    assert Counts(3, 2) == decoded(b"  \n" + GOOD + b"\0\n")[1]


def test_repeated_names_are_kept_once() -> None:
    """Sessions, models and directories repeat by the thousand."""
    batch, _ = decoded(GOOD + NEXT)
    one, other = batch.usage
    assert one.session is other.session
    assert one.model is other.model
    assert one.cwd is other.cwd


def test_a_block_is_not_kept_alive() -> None:
    """What is taken from a block is copied, so that a batch is small."""
    data = GOOD + NEXT
    before = sys.getrefcount(data)
    batch, _ = decoded(data)
    assert 2 == len(batch.usage)
    assert before == sys.getrefcount(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(categories=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
SHAPED = st.one_of(
    st.builds(
        lambda usage, message, fields: assistant(usage, message=message, **fields),
        JSON,
        JSON,
        st.fixed_dictionaries(
            {},
            optional={
                "type": JSON,
                "timestamp": JSON,
                "uuid": JSON,
                "isApiErrorMessage": JSON,
                "requestId": JSON,
            },
        ),
    ),
    st.builds(lambda inner: assistant({}, message={"model": "<synthetic>", "content": inner}), JSON),
    st.builds(lambda inner: assistant(inner, type="user"), JSON),
    st.builds(lambda inner, usage: progress(inner) | {"usage": usage}, JSON, JSON),
    st.builds(lambda inner: progress(assistant({}, message={"usage": inner})), JSON),
)


@given(st.lists(SHAPED | JSON, max_size=4))
def test_any_json_is_a_value_and_the_lines_around_it_are_right(values: Iterable[object]) -> None:
    """Any JSON in any place gives at most one malformed count a line, and never an exception."""
    for value in values:
        line = json.dumps(value).encode()
        assert malformed_between(line) <= 1


@given(st.binary().map(lambda data: data.replace(b"\n", b"")), st.integers(0, 500), st.integers(0, 500))
def test_any_bytes_are_a_value_and_the_lines_around_them_are_right(junk: bytes, start: int, end: int) -> None:
    """So are any bytes, alone or in place of a piece of a line that was right."""
    assert malformed_between(junk) <= 1
    whole = GOOD.strip()
    assert malformed_between(whole[:start] + junk + whole[max(start, end) :]) <= 1


@given(
    st.lists(
        st.sampled_from(
            [GOOD, NEXT, b"\n", b"\r\n", b"torn\n", b"\xef\xbb\xbf" + GOOD, block({"type": "mode"})]
        )
    )
)
def test_how_lines_are_cut_into_blocks_changes_nothing(lines: list[bytes]) -> None:
    """One block or a block a line: the same events and counts."""
    batch, counts = decoded(b"".join(lines))
    pieces = [decoded(line) for line in lines]
    assert calls(batch.usage) == calls(event for piece, _ in pieces for event in piece.usage)
    assert batch.latest == max((piece.latest for piece, _ in pieces), default=0)
    assert counts == Counts(sum(each.lines for _, each in pieces), sum(each.malformed for _, each in pieces))


def test_the_blocks_of_one_call_make_one_event() -> None:
    """Lines that follow one another and differ only in their content and time are one event: the earliest."""
    lines = [
        assistant({"output_tokens": 5}, timestamp=f"2026-11-02T09:00:0{second}.000Z", content=[second])
        for second in (1, 2, 3)
    ]
    batch, counts = decoded(block(*lines))
    assert ([instant("2026-11-02T09:00:01.000Z")], Counts(3, 0)) == ([one.at for one in batch.usage], counts)
    assert instant("2026-11-02T09:00:01.000Z") == batch.latest


@pytest.mark.parametrize(
    "fields",
    [
        {"timestamp": "2026-11-02T08:00:00.000Z"},
        {"requestId": "another"},
        {"sessionId": "another"},
        {"cwd": "/another"},
        {"isSidechain": True},
        {"message": {"model": "claude-haiku-4-5"}},
        {"message": {"id": "another"}},
        {"timestamp": "2026-11-02T09:00:01.000+00:00"},
    ],
    ids="-".join,
)
def test_what_differs_in_anything_that_counts_is_an_event_of_its_own(fields: dict[str, object]) -> None:
    """Earlier or of a time in another form, of another request, session, place or model."""
    usage = {"output_tokens": 5}
    batch, _ = decoded(block(assistant(usage), assistant(usage, **fields)))
    assert 2 == len(batch.usage)


REPEATS: list[dict[str, object]] = [
    {},
    {"usage": {"output_tokens": 7}},
    {"usage": {"output_tokens": 3, "input_tokens": 9}},
    {"usage": None},
    {"usage": {"output_tokens": -1}},
    {"requestId": "another"},
    {"requestId": None},
    {"sessionId": "another"},
    {"cwd": "/another"},
    {"isSidechain": True},
    {"message": {"id": "another"}},
    {"message": {"id": None}},
    {"message": {"id": None}, "requestId": None},
    {"message": {"model": "claude-haiku-4-5"}},
    {"isApiErrorMessage": True, "message": {"content": TEXT}},
    {"message": {"model": "<synthetic>", "content": TEXT}, "usage": {"output_tokens": 7}},
    {"type": None, "usage": {"output_tokens": 7}},
    {"type": "progress"},
    {"type": "progress", "data": {"message": assistant({"output_tokens": 3}, message={"id": "inner"})}},
    {"timestamp": "2026-11-02T09:00:00.500Z"},
    {"timestamp": "2026-11-02T10:00:02.000+01:00"},
    {"timestamp": "20261102T090003Z"},
    {"timestamp": "9999-12-31T23:59:59-23:00"},
    {"timestamp": None},
]
"""In what a line may differ from the one before."""


def a_second_later(differs: dict[str, object], second: int, *, wrapped: bool) -> bytes:
    """A line of a call, so many seconds after its first; each has a uuid of its own."""
    fields = {"timestamp": f"2026-11-02T09:00:0{second}.000Z", "uuid": f"uuid-{second}"} | differs
    said = assistant(fields.pop("usage", {"output_tokens": 5}), **fields)
    return block(progress(said) if wrapped else said)


@pytest.mark.parametrize("first", REPEATS, ids=str)
def test_lines_of_one_call_say_in_one_block_what_they_say_alone(first: dict[str, object]) -> None:
    """Any two of them, and a usual one behind: the same calls, readings and counts."""
    for second, wrapped in product(REPEATS, (False, True)):
        lines = [
            a_second_later(first, 1, wrapped=False),
            a_second_later(second, 2, wrapped=wrapped),
            a_second_later({"usage": {"output_tokens": 6}}, 3, wrapped=False),
        ]
        batch, counts = decoded(b"".join(lines))
        pieces = [decoded(line) for line in lines]
        events = [event for piece, _ in pieces for event in piece.usage]
        assert set(merged(events)) == set(merged(batch.usage))
        # A session that any line bears is measured.
        assert {event.session for event in events} == {event.session for event in batch.usage}
        assert [reading for piece, _ in pieces for reading in piece.readings] == batch.readings
        assert counts == Counts(
            sum(each.lines for _, each in pieces), sum(each.malformed for _, each in pieces)
        )


def test_a_limit_hit_is_read_though_its_call_had_a_line_before() -> None:
    """Its event adds nothing to that of the line before, and its words do."""
    hit = {"message": {"content": TEXT}, "isApiErrorMessage": True}
    usage = {"output_tokens": 5}
    before = assistant(usage, timestamp="2026-11-02T09:00:03.000Z")
    batch, _ = decoded(block(before, assistant(usage, **hit)))
    assert [READING] == batch.readings


def test_a_limit_hit_without_a_time_says_nothing() -> None:
    """There is no knowing which window it was."""
    hit = assistant(None, message={"model": "<synthetic>", "content": TEXT}, timestamp=None)
    assert [] == decoded(block(hit | {"usage": {}}))[0].readings


def test_lines_known_by_their_uuid_alone_are_never_one() -> None:
    """Without message and request id each line is a call of its own."""
    nameless = assistant({"output_tokens": 5}, message={"id": None}, requestId=None)
    later = nameless | {"uuid": "another", "timestamp": "2026-11-02T09:00:05.000Z"}
    batch, _ = decoded(block(nameless, later))
    assert 2 == len(batch.usage)


def test_an_odd_field_elsewhere_takes_nothing_from_what_a_line_says() -> None:
    """It is decoded in parts then, and says the same."""
    plain = assistant({"output_tokens": 5}, isSidechain=True, requestId=None)
    expected = decoded(block(plain))[0].usage
    assert 1 == len(expected)
    assert expected == decoded(block(plain | {"data": 5}))[0].usage
    assert expected == decoded(block(plain | {"data": {"message": {"timestamp": 5}}}))[0].usage


def test_a_time_finer_than_a_millisecond_is_rounded_down() -> None:
    """In any form of it."""
    forms = ("04.123999Z", "04.1239+00:00", "04.123Z")
    lines = [assistant({}, timestamp=f"2026-11-02T09:00:{form}") for form in forms]
    assert {instant("2026-11-02T09:00:04.123Z")} == {event.at for event in decoded(block(*lines))[0].usage}


def test_a_later_line_of_a_call_adds_the_tokens_that_it_has_more() -> None:
    """The event stays that of the first line; of each kind of token it has the most."""
    lines = [
        assistant({"output_tokens": output, "input_tokens": tokens}, timestamp=f"2026-11-02T09:00:0{at}.000Z")
        for at, (output, tokens) in enumerate([(1, 7), (9, 7), (4, 8)])
    ]
    batch, counts = decoded(block(*lines))
    assert [(instant("2026-11-02T09:00:00.000Z"), Tokens(8, 9))] == [
        (one.at, one.tokens) for one in batch.usage
    ]
    assert Counts(3, 0) == counts


@pytest.mark.parametrize(
    "fields",
    [{"timestamp": "2026-11-99T09:00:01.000Z"}, {"message": {"usage": {"output_tokens": -1}}}],
    ids=str,
)
def test_a_later_line_that_makes_no_sense_adds_nothing(fields: dict[str, object]) -> None:
    """It is counted as malformed, and the call is what the line before said."""
    first = assistant({"output_tokens": 5})
    later = assistant({"output_tokens": 6}, **({"timestamp": "2026-11-02T09:00:05.000Z"} | fields))
    batch, counts = decoded(block(first, later))
    assert ([5], Counts(2, 1)) == ([one.tokens.output for one in batch.usage], counts)


def test_a_line_says_what_it_says_alone_whatever_stands_beside_it() -> None:
    """In one block, too, it is taken or refused as if it stood alone."""
    usual = assistant({"output_tokens": 5}, message={"id": "msg_B"}, requestId="req_B")
    torn = b'{"type":"assistant","message":{"usage":{"output_tokens":1}\n'
    glued = block(usual).strip() + block(usual)
    across = b'{"usage":{"a":1}\n{"usage":{"a":1}}}\n'
    half = block(assistant({}, content="\ud83d"))
    foreign = b'{"type":"assistant","message":{"usage":5}}\n'
    progressing = block(progress(assistant({"output_tokens": 7}, message={"id": "msg_C"})))
    odd = [torn, glued, across, half, foreign, b'{"usage":"\xff"}\n', progressing, b"\n", block(usual)]
    for one in odd:
        for other in odd:
            whole, counts = decoded(one + other)
            first, second = decoded(one), decoded(other)
            assert set(first[0].usage + second[0].usage) == set(whole.usage), (one, other)
            assert first[1].lines + second[1].lines == counts.lines, (one, other)
            assert first[1].malformed + second[1].malformed == counts.malformed, (one, other)


@pytest.mark.parametrize("size", [10, 5_000])
@pytest.mark.parametrize(
    ("head", "counts"),
    [
        ({"type": "user"}, False),
        ({"type": "assistant", "note": '"type":"user"'}, True),
        ({"origin": {"type": "user"}, "type": "assistant"}, True),
        ({"filler": "x" * 400, "type": "user"}, False),
        ({"filler": ["type", "user"], "type": "assistant"}, True),
    ],
)
def test_a_users_line_counts_nothing_however_long(size: int, head: dict[str, object], counts: bool) -> None:
    """Only the line's own type says whose it is, and long lines are told by their heads."""
    line = head | {key: value for key, value in assistant({"output_tokens": 5}).items() if key != "type"}
    message = assistant({"output_tokens": 5})["message"] | {"content": "x" * size}
    batch, found = decoded(block(line | {"message": message}))
    assert ([5] if counts else []) == [event.tokens.output for event in batch.usage]
    assert Counts(1, 0) == found
