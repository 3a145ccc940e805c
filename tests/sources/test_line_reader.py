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
    taken_bytes: int


def stat_of(data: bytes) -> os.stat_result:
    """Of a file that holds this."""
    return os.stat_result((stat.S_IFREG, 1, 1, 1, 0, 0, len(data), 0, 0, 0), {"st_mtime_ns": 7})


def read(
    data: bytes,
    chunk_bytes: int,
    *,
    longest: int = ENDLESS,
    cursor: Cursor | None = None,
    limit_bytes: int = ENDLESS,
    brought: int = ENDLESS,
    appended: bytes = b"",
) -> Read:
    """Read a file that held this when it was looked at; one read brings at most ``brought`` bytes."""
    lines: list[bytes] = []

    def decode(block: bytes, _: Batch) -> Counts:
        lines.extend(block.split(b"\n")[:-1])
        return Counts(0, 0)

    batch = Batch(AccountId("a"))
    reader = LineReader("/a", stat_of(data), decode, batch, chunk_bytes, line_bytes_max=longest)
    asked_bytes = 0
    for span in reader.spans(cursor, limit_bytes, None):
        asked_bytes += span.size
        reader.chunk = (data + appended)[span.offset : span.offset + min(span.size, brought)]
    counts = Counts(batch.lines, batch.malformed)
    return Read(lines, counts, reader.cursor(), asked_bytes, batch.bytes_read)


@given(any_bytes, st.integers(1, 12))
def test_the_lines_do_not_depend_on_the_chunks(data: bytes, chunk_bytes: int) -> None:
    """Whatever one read brings, the lines are those between the newlines, and the rest is left."""
    came = read(data, chunk_bytes)
    *lines, rest = data.split(b"\n")
    assert lines == came.lines
    assert Counts(0, 0) == came.counts
    assert len(data) - len(rest) == came.cursor.offset == came.taken_bytes
    assert finished(came.cursor)


@given(any_bytes, st.integers(1, 12), any_bytes)
def test_what_was_appended_since_the_file_was_looked_at_is_left(
    data: bytes, chunk_bytes: int, appended: bytes
) -> None:
    """It changes size or time against the cursor, and so is found by the next look."""
    assert read(data, chunk_bytes) == read(data, chunk_bytes, appended=appended)


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
    """A long line that is not had in one read is tried again after the next look."""
    came = read(data, chunk_bytes, brought=brought)
    lines = data.split(b"\n")[:-1]
    assert lines[: len(came.lines)] == came.lines
    if finished(came.cursor):
        assert lines == came.lines
    else:
        assert len(lines[len(came.lines)]) >= brought


@given(st.integers(1, 9), st.integers(1, 40), st.integers(1, 20))
def test_a_reading_stops_behind_the_line_that_reaches_its_limit(
    line_bytes: int, limit_bytes: int, chunk_bytes: int
) -> None:
    """Exactly there; a long line that would go past it is begun only if nothing was taken before it."""
    line = b"x" * (line_bytes - 1) + b"\n"
    came = read(line * 60, chunk_bytes, limit_bytes=limit_bytes)
    whole = -(-limit_bytes // line_bytes) * line_bytes
    last = whole - line_bytes
    looked_through = (line_bytes - 1) // chunk_bytes * chunk_bytes
    assert came.cursor.offset == (last if last and last + looked_through >= limit_bytes else whole)
    assert not finished(came.cursor)


def test_a_line_over_the_limit_is_not_passed_over_before_it_was_read() -> None:
    """Truncated between two reads, to where it began, the file goes on behind the line before."""
    data = b"ab\n" + b"x" * 20
    came = LineReader(
        "/a", stat_of(data), lambda *_: Counts(0, 0), Batch(AccountId("a")), 4, line_bytes_max=6
    )
    at_its_start = 0
    for span in came.spans(None, ENDLESS, None):
        at_its_start += span.offset == 3
        # The second time it has been found too long.
        held = data if at_its_start < 2 else data[:3]
        came.chunk = held[span.offset : span.offset + span.size]
    assert 2 == at_its_start
    assert (3, False) == (came.cursor().offset, came.cursor().skipping)


@given(st.integers(0, 3_000), st.integers(16, 64))
def test_a_long_line_is_looked_through_once_and_read_once(line_bytes: int, chunk_bytes: int) -> None:
    """Whatever is behind it: nothing of that is held."""
    line, more = b"x" * line_bytes + b"\n", b"y" * 10_000
    came = read(line + more, chunk_bytes)
    assert [line[:-1]] == came.lines
    assert came.asked_bytes <= 2 * (len(line) + chunk_bytes) + len(more)
