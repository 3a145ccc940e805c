"""Session logs: our own hooks' lines and the older tool's, between lines of other programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotad.domain.cursor import Batch
from quotad.domain.session import LogEvent, LogKind
from quotad.domain.usage import AccountId, SessionId
from quotad.sources.lines import Counts
from quotad.sources.session_log import REPEATED_KEYS_MAX, SessionLogDecoder
from quotad.sources.timestamp import instant

SAMPLES = Path(__file__).parents[1] / "samples"
SESSION = SessionId("5f0c1d2e-0000-4000-8000-00000000a001")
AT = "2026-11-02T09:00:05.000Z"
RESULT = {"type": "tool_result", "timestamp": AT, "session_id": "s", "tool": "Read"}


def block(*lines: object) -> bytes:
    """The lines as a file holds them."""
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def decoded(*blocks: bytes) -> tuple[Batch, Counts, int]:
    """What one file holds that comes in these blocks: the batch, the counts, the foreign lines."""
    batch = Batch(AccountId("/home/ana/.claude"))
    decoder = SessionLogDecoder()
    counts = [decoder.decode(data, batch) for data in blocks]
    total = Counts(sum(each.lines for each in counts), sum(each.malformed for each in counts))
    return batch, total, decoder.foreign


def keys(*blocks: bytes) -> list[str]:
    """The identities of the events in these blocks of one file."""
    return [event.key for event in decoded(*blocks)[0].logs]


def test_the_older_tool_s_log_is_read_wholly() -> None:
    """Start, tool use, tool result and end, each with what it says; the claimed tokens are a note."""
    batch, counts, foreign = decoded((SAMPLES / "seed_sessions.jsonl").read_bytes())
    start, use, result, end = (instant(f"2026-11-02T09:{at}Z") for at in ("00:00", "00:04", "00:05", "30:00"))
    cwd, agent = "/home/ana/src/shop_api", "planning-agent.md"
    assert [
        LogEvent(f"{SESSION}|session_start|{start}||0", LogKind.START, start, SESSION, "", cwd, agent, None),
        LogEvent(f"{SESSION}|tool_use|{use}|Read|0", LogKind.TOOL_USE, use, SESSION, "Read", "", "", None),
        LogEvent(
            f"{SESSION}|tool_result|{result}|Read|0",
            LogKind.TOOL_RESULT,
            result,
            SESSION,
            "Read",
            "",
            "",
            None,
        ),
        LogEvent(f"{SESSION}|session_end|{end}||0", LogKind.END, end, SESSION, "", "", "", 24000),
    ] == batch.logs
    assert end == batch.latest
    assert (Counts(4, 0), 0) == (counts, foreign)


def test_other_programs_lines_are_foreign() -> None:
    """Three tools write their own shapes under the same name; none of them is at fault."""
    batch, counts, foreign = decoded((SAMPLES / "foreign_sessions.jsonl").read_bytes())
    assert ([], 0) == (batch.logs, batch.latest)
    assert (Counts(3, 0), 3) == (counts, foreign)


@pytest.mark.parametrize("kind", LogKind)
def test_every_kind_may_come_under_either_set_of_names(kind: LogKind) -> None:
    """``type`` or ``event``, ``timestamp`` or ``ts``, ``session_id`` or ``sessionId``."""
    batch, _, _ = decoded(
        block(
            {"type": kind, "timestamp": AT, "session_id": "s"},
            {"event": kind, "ts": AT, "sessionId": "s"},
            {"type": "log", "event": kind, "timestamp": None, "ts": AT, "session_id": "", "sessionId": "s"},
        )
    )
    assert [(kind, instant(AT), "s")] * 3 == [(event.kind, event.at, event.session) for event in batch.logs]


@pytest.mark.parametrize(
    "line",
    [
        {},
        RESULT | {"type": "tool_progress"},
        RESULT | {"type": ["tool_result"]},
        RESULT | {"session_id": None},
        RESULT | {"session_id": 7},
        RESULT | {"timestamp": None},
        RESULT | {"timestamp": "2026-11-02T09:00:05"},
        RESULT | {"timestamp": "now"},
        RESULT | {"timestamp": 1_793_610_005},
        RESULT | {"tool": {"name": "Read"}},
    ],
)
def test_a_line_of_any_other_shape_is_foreign(line: object) -> None:
    """No kind of ours, no session, or no certain time: skipped, and not called malformed."""
    batch, counts, foreign = decoded(block(line))
    assert ([], 0) == (batch.logs, batch.latest)
    assert (Counts(1, 0), 1) == (counts, foreign)


@pytest.mark.parametrize(
    "line",
    [
        b"torn",
        b'{"type":"tool_result"',
        b'{"type":}',
        b'{"a": "\xff"}',
        b'{"a": NaN}',
        b"\0\0{}",
        b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
    ids=range(7),
)
def test_damage_is_counted_once_and_the_next_line_is_right(line: bytes) -> None:
    """What is no JSON is malformed, not foreign."""
    batch, counts, foreign = decoded(line + b"\n" + block(RESULT))
    assert 1 == len(batch.logs)
    assert (Counts(2, 1), 0) == (counts, foreign)


@pytest.mark.parametrize(
    "data",
    [b"\xef\xbb\xbf" + block(RESULT), block(RESULT).replace(b"\n", b"\r\n"), b"\n\r\n" + block(RESULT)],
    ids=["mark", "crlf", "empty"],
)
def test_marks_carriage_returns_and_empty_lines_do_no_harm(data: bytes) -> None:
    """They are not part of any line."""
    batch, counts, foreign = decoded(data)
    assert 1 == len(batch.logs)
    assert (Counts(1, 0), 0) == (counts, foreign)


def test_half_a_character_does_not_lose_the_line() -> None:
    """Python writes undecodable bytes of a path as lone surrogates; they become replacement characters."""
    batch, counts, _ = decoded(block(RESULT | {"cwd": "/src/\udcff", "result": "cut \ud83d"}))
    assert ["/src/\ufffd"] == [event.cwd for event in batch.logs]
    assert 0 == counts.malformed


@pytest.mark.parametrize("claim", [-1, 2**53 + 1, 1.5, True, "many", [], None])
def test_a_claim_that_makes_no_sense_is_no_note(claim: object) -> None:
    """The session ended all the same."""
    batch, _, _ = decoded(
        block({"type": "session_end", "timestamp": AT, "session_id": "s", "tokens_used": claim})
    )
    assert [None] == [event.tokens_used for event in batch.logs]


def test_a_tool_use_id_is_the_identity() -> None:
    """The same use in two logs is one event, whatever session copied it; its use and its result are two."""
    result = RESULT | {"tool_use_id": "toolu_1"}
    assert ["tool:toolu_1|tool_result"] * 2 == keys(block(result, result | {"session_id": "fork"}))
    assert ["tool:toolu_1|tool_use"] == keys(block(result | {"type": "tool_use"}))


def test_equal_lines_of_one_file_are_different_events() -> None:
    """Two tools of a kind in one millisecond are told apart by their order, over blocks as within one."""
    one, two, three = keys(block(RESULT, RESULT), block(RESULT))
    at = instant(AT)
    assert [f"s|tool_result|{at}|Read|{n}" for n in range(3)] == [one, two, three]


def test_a_copied_or_re_read_log_adds_nothing() -> None:
    """Another decoder gives the same events the same identities."""
    data = block(RESULT, RESULT, RESULT | {"tool": "Edit"})
    assert keys(data) == keys(data)


@pytest.mark.parametrize(("others", "number"), [(REPEATED_KEYS_MAX - 1, 1), (REPEATED_KEYS_MAX, 0)])
def test_only_so_many_keys_are_remembered(others: int, number: int) -> None:
    """A line is known as a repeat while fewer than the limit of other lines stand between."""
    between = block(*(RESULT | {"tool": f"tool-{n}"} for n in range(others)))
    assert [number] == [
        int(key.rsplit("|", 1)[1]) for key in keys(block(RESULT), between, block(RESULT))[-1:]
    ]


def test_a_line_that_repeats_is_remembered_longer() -> None:
    """Being seen again makes a key new."""
    one, other = (
        block(*(RESULT | {"tool": f"tool-{half}-{n}"} for n in range(REPEATED_KEYS_MAX - 1)))
        for half in (1, 2)
    )
    last = keys(block(RESULT), one, block(RESULT), other, block(RESULT))[-1]
    assert f"s|tool_result|{instant(AT)}|Read|2" == last


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(categories=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = [*RESULT, "event", "ts", "sessionId", "tool_use_id", "cwd", "agent", "tokens_used"]


@given(JSON | st.dictionaries(st.sampled_from(FIELDS), JSON).map(lambda fields: RESULT | fields))
def test_any_json_is_a_value_and_the_next_line_is_right(value: object) -> None:
    """One event, foreign or malformed: never an exception, and never two of them."""
    batch, counts, foreign = decoded(block(value) + block(RESULT | {"session_id": "next"}))
    assert "next" == batch.logs[-1].session
    assert 2 == len(batch.logs) + counts.malformed + foreign


@given(st.binary().map(lambda data: data.replace(b"\n", b"")))
def test_any_bytes_are_a_value_and_the_next_line_is_right(junk: bytes) -> None:
    """So are any bytes."""
    batch, counts, foreign = decoded(junk + b"\n" + block(RESULT))
    assert instant(AT) == batch.logs[-1].at
    assert counts.lines == len(batch.logs) + counts.malformed + foreign
