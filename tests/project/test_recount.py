"""The recount is the oracle of the sums: what it says about each rule is fixed here by hand."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import timedelta, timezone
from pathlib import Path

from benchmarks.recount import FIVE_HOURS_MS, Recount, Tokens, recount

SAMPLES = Path(__file__).parents[1] / "samples"
NINE = 1_793_610_000_000  # 2026-11-02T09:00:00Z


def line(
    message: str | None = "msg_1",
    *,
    at: str = "2026-11-02T09:00:00.000Z",
    request: str | None = "req_1",
    tokens: Tokens = (1, 2, 3, 4),
    session: str = "one",
    sidechain: bool = False,
    model: str = "claude-opus-5",
) -> bytes:
    """An assistant line as Claude Code writes it, with what the rules look at."""
    usage = {
        "input_tokens": tokens[0],
        "output_tokens": tokens[1],
        "cache_creation_input_tokens": tokens[2],
        "cache_read_input_tokens": tokens[3],
    }
    called = {"model": model, "usage": usage} | ({"id": message} if message is not None else {})
    body = {
        "type": "assistant",
        "timestamp": at,
        "sessionId": session,
        "cwd": f"/{session}",
        "uuid": f"uuid of {message}",
        "isSidechain": sidechain,
        "message": called,
    } | ({"requestId": request} if request else {})
    return json.dumps(body).encode() + b"\n"


def counted(tmp_path: Path, *files: Iterable[bytes]) -> Recount:
    """The recount of these files, each given as its lines."""
    for number, lines in enumerate(files):
        (tmp_path / f"{number}.jsonl").write_bytes(b"".join(lines))
    return recount(tmp_path)


def test_samples_are_counted_as_expected() -> None:
    """The samples hold exactly the calls that stand beside them, and one malformed line."""
    expected = json.loads((SAMPLES / "expected_usage.json").read_text())
    actual = recount(SAMPLES / "projects")
    assert expected["by_message"] == {
        message: list(tokens) for message, tokens in actual.by_message().items()
    }
    assert expected["total"] == list(actual.tokens())
    assert 1 == actual.malformed


def test_legacy_progress_lines_are_calls(tmp_path: Path) -> None:
    """A nested message counts with its own time and the outer line's session; synthetic ones do not."""
    actual = counted(tmp_path, [(SAMPLES / "legacy_transcript.jsonl").read_bytes()])
    assert {"msg_L": (10, 5, 0, 0), "msg_P": (20, 2, 0, 0)} == actual.by_message()
    assert 1_769_925_601_000 == actual.calls[-1].at_ms
    assert "5f0c1d2e-0000-4000-8000-00000000a001" == actual.calls[-1].session


def test_lines_of_a_row_merge_by_the_largest_of_each_kind(tmp_path: Path) -> None:
    """Neither order nor repetition matters, and the earliest line gives time and session."""
    later = line(at="2026-11-02T09:00:05Z", tokens=(1, 159, 0, 0), session="two")
    first = line(tokens=(1, 9, 7, 4))
    assert counted(tmp_path, [later], [first, first]).calls == counted(tmp_path, [first, later], []).calls
    assert [(NINE, "msg_1", "one", "claude-opus-5", "/one", (1, 159, 7, 4))] == recount(tmp_path).calls


def test_the_main_chain_stands_before_an_earlier_sidechain(tmp_path: Path) -> None:
    """A side question's copy counts nothing, although it is earlier and larger."""
    copy = line(at="2026-11-02T08:00:00Z", request="req_0", tokens=(9, 9, 9, 9), sidechain=True)
    assert [(1, 2, 3, 4)] == [call.tokens for call in counted(tmp_path, [copy, line()]).calls]


def test_one_line_off_the_sidechain_takes_the_row_off_it(tmp_path: Path) -> None:
    """A row is a sidechain only if all its lines are."""
    mixed = [line(sidechain=True), line(at="2026-11-02T09:00:09Z", tokens=(1, 5, 3, 4))]
    other = line(at="2026-11-02T09:00:01Z", request="req_2", tokens=(8, 8, 8, 8))
    assert [(1, 5, 3, 4)] == [call.tokens for call in counted(tmp_path, [*mixed, other]).calls]


def test_of_two_requests_the_earlier_stands_then_the_smaller(tmp_path: Path) -> None:
    """At the same instant the smaller requestId decides."""
    late = line(at="2026-11-02T09:00:01Z", request="req_0", tokens=(8, 8, 8, 8))
    equal = line(request="req_2", tokens=(9, 9, 9, 9))
    assert [(1, 2, 3, 4)] == [call.tokens for call in counted(tmp_path, [late, equal, line()]).calls]


def test_a_line_without_request_joins_the_row_that_stands(tmp_path: Path) -> None:
    """It gives its tokens, its earlier time and its session, but does not decide which row stands."""
    joining = line(at="2026-11-02T08:00:00Z", request=None, tokens=(0, 7, 0, 0), session="two")
    copy = line(at="2026-11-02T08:30:00Z", request="req_0", tokens=(9, 9, 9, 9), sidechain=True)
    call = counted(tmp_path, [copy, line(), joining]).calls[0]
    assert ((1, 7, 3, 4), NINE - 3_600_000, "two") == (call.tokens, call.at_ms, call.session)


def test_at_the_same_instant_the_smaller_session_owns_the_call(tmp_path: Path) -> None:
    """A fork keeps times and ids and rewrites the session."""
    assert ["one"] == [call.session for call in counted(tmp_path, [line(session="two"), line()]).calls]


def test_identity_falls_back_to_request_then_uuid(tmp_path: Path) -> None:
    """Without a message id the requestId is the call, without both the uuid."""
    actual = counted(tmp_path, [line(""), line(None), line(None, request=None)])
    assert ["req_1", "uuid of None"] == sorted(actual.by_message())


def test_cache_writes_are_the_larger_of_flat_and_nested(tmp_path: Path) -> None:
    """Either has been 0 while the other was right; null is 0."""
    nested = b'"cache_creation": {"ephemeral_5m_input_tokens": 30, "ephemeral_1h_input_tokens": 12}, '
    lines = [
        line().replace(b'"input_tokens": 1', nested + b'"input_tokens": 1'),
        line("msg_2").replace(b'_tokens": 4', b'_tokens": null'),
    ]
    assert {"msg_1": (1, 2, 42, 4), "msg_2": (1, 2, 3, 0)} == counted(tmp_path, lines).by_message()


def test_malformed_lines_are_counted_and_nothing_else(tmp_path: Path) -> None:
    """Empty lines, future types and torn tails are no malformed lines; the line after one is right."""
    sound = [
        b"\xef\xbb\xbf" + line("after a mark"),
        b'{"type":"future","usage":[]}\n',
        b'{"type":"user","torn":"usage}\n',
        line()[:-1] + b"\r\n",
    ]
    broken = [
        b" \n",
        line("bad").replace(b'"input_tokens": 1', b'"input_tokens": -1'),
        line("bad").replace(b'"input_tokens": 1', b'"input_tokens": 9007199254740993'),
        line("bad").replace(b'"input_tokens": 1', b'"input_tokens": true'),
        line("bad").replace(b'"one"', b'"\xff"'),
        line("bad").replace(b'"type"', b'"score": NaN, "type"'),
        line("bad", at="2026-11-02T09:00:00"),
        line("bad", at="soon"),
        line("bad")[:-2] + b"\n",
    ]
    actual = counted(tmp_path, [*broken, b"\n", b"\r\n", *sound, line("torn tail")[:-1]])
    assert len(broken) == actual.malformed
    assert len(broken) + len(sound) == actual.lines
    assert ["after a mark", "msg_1"] == list(actual.by_message())


def test_counts_up_to_two_to_the_53_are_believed(tmp_path: Path) -> None:
    """The edge itself is still a count."""
    assert (2**53, 2, 3, 4) == counted(tmp_path, [line(tokens=(2**53, 2, 3, 4))]).tokens()


def test_a_window_is_half_open_and_opened_by_tokens(tmp_path: Path) -> None:
    """A call without tokens opens none; one at the very end of a window opens the next."""
    lines = [
        line("a", at="2026-11-02T08:00:00Z", tokens=(0, 0, 0, 0)),
        line("b", at="2026-11-02T09:00:00Z"),
        line("c", at="2026-11-02T13:59:59.999Z", tokens=(0, 0, 0, 0)),
        line("d", at="2026-11-02T14:00:00Z"),
    ]
    expected = [
        (NINE, NINE + FIVE_HOURS_MS, 2, (1, 2, 3, 4)),
        (NINE + FIVE_HOURS_MS, NINE + 2 * FIVE_HOURS_MS, 1, (1, 2, 3, 4)),
    ]
    assert expected == counted(tmp_path, lines).windows()


def test_a_stated_reset_fixes_its_window_and_cuts_the_one_before(tmp_path: Path) -> None:
    """The chain resumes at the first call at or after the reset; resets two minutes apart are one."""
    hour = 3_600_000
    lines = [line(hours, at=f"2026-11-02T{hours}:00:00Z") for hours in ("09", "11", "15")]
    reset = NINE + 6 * hour
    expected = [(NINE, NINE + hour), (NINE + hour, reset), (reset, reset + FIVE_HOURS_MS)]
    actual = counted(tmp_path, lines).windows([reset, reset + 120_000])
    assert expected == [(window.opened_ms, window.resets_ms) for window in actual]


def test_days_are_those_of_the_zone(tmp_path: Path) -> None:
    """The same call is yesterday's in one zone and today's in another."""
    actual = counted(tmp_path, [line(at="2026-11-02T23:30:00Z")])
    assert ["2026-11-02"] == list(actual.by_day())
    assert ["2026-11-03"] == list(actual.by_day(timezone(timedelta(hours=1))))


def test_calls_far_ahead_of_now_are_kept_aside(tmp_path: Path) -> None:
    """Five minutes of difference between clocks are forgiven, more is not."""
    counted(
        tmp_path, [line("in time", at="2026-11-02T09:05:00Z"), line("ahead", at="2026-11-02T09:05:00.001Z")]
    )
    assert ["in time"] == list(recount(tmp_path, now_ms=NINE).by_message())


def test_journals_and_set_aside_files_are_not_read(tmp_path: Path) -> None:
    """A workflow's journal bears no usage, and replaced files would only repeat."""
    for name in ("journal.jsonl", "a.orphaned.jsonl", "b.superseded-1.jsonl", "c.json"):
        (tmp_path / name).write_bytes(line())
    assert 0 == recount(tmp_path).files
