"""How others count, as the benchmark has it: a wrong rule would explain a difference that is not one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import rules
from benchmarks.rules import Count, Said

CALL = Said(0, "m1", "r1", False, 1, 10, 5, 0, 100)
LATER = CALL._replace(at_ms=60_000, output=500)
ANONYMOUS = LATER._replace(request="")
REPLAY = CALL._replace(request="r2", sidechain=True, output=900)
LATE_REPLAY = REPLAY._replace(at_ms=60_000)


def outputs(count: Count, *lines: Said) -> list[int]:
    """What the lines that count state as output."""
    return sorted(one.output for one in count(lines, rules.larger))


@pytest.mark.parametrize("count", [rules.largest, rules.by_ids, rules.by_ids_or_line, rules.by_ids_alone])
def test_the_largest_line_of_a_call_counts(count: Count) -> None:
    """Whichever comes first: output grows while it streams."""
    assert [[500], [500]] == [outputs(count, CALL, LATER), outputs(count, LATER, CALL)]


def test_the_first_line_of_a_call_counts_for_some() -> None:
    """They take what a call has said so far for all of it, and a call that states nothing else for none."""
    silent = CALL._replace(message="m2", input=0, output=0)
    assert [10] == outputs(rules.first_said, CALL, LATER, silent)


def test_a_line_without_a_request_is_a_call_of_its_own_for_all_but_us() -> None:
    """Some have one such call a message, some one an instant, some one a line."""
    again = ANONYMOUS._replace(output=400)
    other = ANONYMOUS._replace(at_ms=70_000, output=300)
    lines = (CALL, ANONYMOUS, again, other)
    assert {
        "ours": [500],
        "a message": [10, 500],
        "an instant": [10, 300, 500],
        "a line": [10, 300, 400, 500],
    } == {
        "ours": outputs(rules.largest, *lines),
        "a message": outputs(rules.by_ids, *lines),
        "an instant": outputs(rules.by_ids_or_time, *lines),
        "a line": outputs(rules.by_ids_or_line, *lines),
    }


def test_a_replay_counts_for_some_and_for_some_at_another_time() -> None:
    """Of a call and its copy on a sidechain the call itself counts, where the copy is known as one."""
    assert [[10], [10, 900], [10, 900], [10]] == [
        outputs(rules.by_ids, CALL, LATE_REPLAY),
        outputs(rules.by_ids_alone, CALL, LATE_REPLAY),
        outputs(rules.by_ids_at_once, CALL, LATE_REPLAY),
        outputs(rules.by_ids_at_once, REPLAY, CALL),
    ]


def test_cache_writes_are_read_in_three_ways() -> None:
    """The split may be there and 0, or not be there at all."""
    unsplit = CALL._replace(nested=None)
    split = CALL._replace(flat=0, nested=7)
    writes = (rules.larger, rules.split_first, rules.flat_only)
    assert [[5, 0, 5], [5, 5, 5], [7, 7, 0]] == [
        [write(one) for write in writes] for one in (CALL, unsplit, split)
    ]


def test_blocks_begin_at_the_full_hour() -> None:
    """A call five hours after that, or after the last one, begins another."""
    first = CALL._replace(at_ms=rules.HOUR_MS * 10 + 1_000)
    at_the_end = CALL._replace(at_ms=rules.HOUR_MS * 15)
    assert [222 + 10, 116] == [
        rules.last_block([first, at_the_end], rules.larger, begins)
        for begins in (rules.longer, rules.as_long)
    ]


def test_lines_are_found_that_state_usage(tmp_path: Path) -> None:
    """What an agent said is repeated by its parent in lines of another type, which are left out."""
    usage = {"input_tokens": 1, "output_tokens": 10, "cache_creation_input_tokens": 5}
    usage |= {"cache_read_input_tokens": 100}
    line = {"type": "assistant", "timestamp": "1970-01-01T00:00:00Z", "requestId": "r1"}
    said = line | {"message": {"id": "m1", "usage": usage | {"cache_creation": {"a": 0, "b": 0}}}}
    repeated = {"type": "progress", "data": {"message": said}}
    file = tmp_path / "p" / "s.jsonl"
    file.parent.mkdir()
    file.write_text("".join(json.dumps(one) + "\n" for one in (said, repeated, {"type": "user"})))
    assert [CALL] == rules.said(tmp_path)
    assert {"1970-01-01": 116} == rules.by_day([CALL], rules.larger)
