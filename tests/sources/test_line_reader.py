"""What is read of a file next, and which lines come of it: no I/O here."""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from quotad.domain.cursor import Batch, Cursor
from quotad.domain.usage import AccountId
from quotad.sources.lines import Counts
from quotad.sources.tail import LineReader, finished

ENDLESS = 1 << 40

any_bytes = st.lists(
    st.sampled_from([b"\n", b"\n\n", b"\r\n", b"a", b"{}", b"\0", "é\u2028".encode(), b"\xff"])
).map(b"".join)
few_bytes = st.integers(1, 6)


class Read(NamedTuple):
    """What came of a reading."""

    lines: list[bytes]
    counts: Counts
    cursor: Cursor
    asked_bytes: int


def read(
    data: bytes,
    chunk_bytes: int,
    *,
    longest: int = ENDLESS,
    cursor: Cursor | None = None,
    limit_bytes: int = ENDLESS,
    brought: int = ENDLESS,
) -> Read:
    """Read a file that holds this and of which one read brings at most ``brought`` bytes."""
    lines: list[bytes] = []

    def decode(block: bytes, _: Batch) -> Counts:
        lines.extend(block.split(b"\n")[:-1])
        return Counts(0, 0)

    file = os.stat_result((stat.S_IFREG, 1, 1, 1, 0, 0, len(data), 0, 0, 0), {"st_mtime_ns": 7})
    batch = Batch(AccountId("a"))
    reader = LineReader("/a", file, decode, batch, chunk_bytes, line_bytes_max=longest)
    asked_bytes = 0
    for span in reader.spans(cursor, limit_bytes, None):
        asked_bytes += span.size
        reader.chunk = data[span.offset : span.offset + min(span.size, brought)]
    return Read(lines, Counts(batch.lines, batch.malformed), reader.cursor(), asked_bytes)


@given(any_bytes, st.integers(1, 12))
def test_the_lines_do_not_depend_on_the_chunks(data: bytes, chunk_bytes: int) -> None:
    """Whatever one read brings, the lines are those between the newlines, and the rest is left."""
    came = read(data, chunk_bytes)
    *lines, rest = data.split(b"\n")
    assert lines == came.lines
    assert Counts(0, 0) == came.counts
    assert len(data) - len(rest) == came.cursor.offset
    assert finished(came.cursor)


@given(any_bytes, few_bytes, st.integers(0, 5))
def test_a_line_over_the_limit_is_dropped_and_counted_whatever_the_chunks(
    data: bytes, chunk_bytes: int, more: int
) -> None:
    """Every line of at most the limit comes out, every longer one counts once, the torn one too."""
    longest = chunk_bytes + more
    came = read(data, chunk_bytes, longest=longest)
    *lines, rest = data.split(b"\n")
    overlong = sum(len(line) > longest for line in (*lines, rest))
    assert [line for line in lines if len(line) <= longest] == came.lines
    assert Counts(overlong, overlong) == came.counts
    assert (len(rest) > longest) == came.cursor.skipping
    assert (0 if came.cursor.skipping else len(rest)) == len(data) - came.cursor.offset


@given(any_bytes, few_bytes, st.integers(1, 20), st.integers(min_value=0))
def test_a_reading_goes_on_where_the_one_before_stopped(
    data: bytes, chunk_bytes: int, limit_bytes: int, grown: int
) -> None:
    """Between two of them only the cursor is kept; nothing is lost, nothing counts twice."""
    in_one_go = read(data, chunk_bytes, longest=6)
    came = read(data[: grown % (len(data) + 1)], chunk_bytes, longest=6, limit_bytes=limit_bytes)
    lines, counted = came.lines, came.counts
    for _ in range(len(data) + 1):
        came = read(data, chunk_bytes, longest=6, cursor=came.cursor, limit_bytes=limit_bytes)
        lines += came.lines
        counted = Counts(counted.lines + came.counts.lines, counted.malformed + came.counts.malformed)
    assert in_one_go.lines == lines
    assert in_one_go.counts == counted
    assert in_one_go.cursor == came.cursor


@given(any_bytes, st.integers(1, 12), few_bytes)
def test_a_read_that_brings_less_than_was_asked_loses_nothing(
    data: bytes, chunk_bytes: int, brought: int
) -> None:
    """It ends where a long line is not had in one read, as if the file ended there."""
    came = read(data, chunk_bytes, brought=brought)
    lines = data.split(b"\n")[:-1]
    assert lines[: len(came.lines)] == came.lines
    assert len(came.lines) == len(lines) or len(lines[len(came.lines)]) >= brought


@given(st.integers(0, 3_000), st.integers(16, 64))
def test_a_long_line_is_looked_through_once_and_read_once(line_bytes: int, chunk_bytes: int) -> None:
    """Whatever is behind it: nothing of that is held."""
    line, more = b"x" * line_bytes + b"\n", b"y" * 10_000
    came = read(line + more, chunk_bytes)
    assert [line[:-1]] == came.lines
    assert came.asked_bytes <= 2 * (len(line) + chunk_bytes) + len(more)
