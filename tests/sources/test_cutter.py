"""Cutting bytes into lines."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotad.sources.cutter import LINE_BYTES_MAX, LineCutter
from quotad.sources.lines import Counts

CHUNK = 256 * 1024

any_bytes = st.lists(
    st.sampled_from([b"\n", b"\n\n", b"\r\n", b"a", b"{}", b"\0", "é\u2028".encode(), b"\xff"])
).map(b"".join)


class Fed(NamedTuple):
    lines: list[bytes]
    passed: bytes
    counts: Counts


def feed(cutter: LineCutter, chunks: Iterable[bytes]) -> Fed:
    """All that comes out of the chunks."""
    blocks, passed, lines, malformed = [], b"", 0, 0
    for chunk in chunks:
        cut = cutter.feed(chunk, len(chunk))
        assert not cut.block or cut.block.endswith(b"\n")
        blocks.append(cut.block)
        passed += cut.dropped + cut.block
        lines += cut.counts.lines
        malformed += cut.counts.malformed
    return Fed(b"".join(blocks).split(b"\n")[:-1], passed, Counts(lines, malformed))


def cut_at(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    """The data in pieces."""
    at = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[begin:end] for begin, end in pairwise(at)]


cuts = st.lists(st.integers(min_value=0))


@given(any_bytes, cuts)
def test_the_lines_do_not_depend_on_the_cuts(data: bytes, cuts: list[int]) -> None:
    """Whatever the chunks, the lines are those between the newlines, and the rest is held."""
    cutter = LineCutter()
    fed = feed(cutter, cut_at(data, cuts))
    *lines, rest = data.split(b"\n")
    assert lines == fed.lines
    assert len(rest) == cutter.held
    assert Counts(0, 0) == fed.counts
    assert data[: len(data) - len(rest)] == fed.passed


@given(any_bytes, cuts, st.integers(1, 6))
def test_a_line_over_the_limit_is_dropped_and_counted_whatever_the_cuts(
    data: bytes, cuts: list[int], limit: int
) -> None:
    """Every line of at most the limit comes out, every longer one counts once, the torn one too."""
    cutter = LineCutter(line_bytes_max=limit)
    chunks = [chunk[at : at + limit] for chunk in cut_at(data, cuts) for at in range(0, len(chunk), limit)]
    fed = feed(cutter, chunks)
    *lines, rest = data.split(b"\n")
    overlong = sum(len(line) > limit for line in (*lines, rest))
    assert [line for line in lines if len(line) <= limit] == fed.lines
    assert Counts(overlong, overlong) == fed.counts
    assert (len(rest) > limit) == cutter.skipping
    assert data[: len(data) - cutter.held] == fed.passed


@given(any_bytes, cuts, st.integers(1, 6), st.integers(min_value=0))
def test_a_new_cutter_goes_on_where_the_old_one_stopped(
    data: bytes, cuts: list[int], limit: int, stop: int
) -> None:
    """Between two runs only ``skipping`` and the offset are kept; nothing is lost, nothing counts twice."""
    pieces = [chunk[at : at + limit] for chunk in cut_at(data, cuts) for at in range(0, len(chunk), limit)]
    in_one_go = feed(LineCutter(line_bytes_max=limit), pieces)
    first = LineCutter(line_bytes_max=limit)
    before = feed(first, pieces[: stop % (len(pieces) + 1)])
    second = LineCutter(skipping=first.skipping, line_bytes_max=limit)
    rest = data[len(before.passed) :]
    after = feed(second, [rest[at : at + limit] for at in range(0, len(rest), limit)])
    assert in_one_go.lines == before.lines + after.lines
    assert in_one_go.counts == Counts(
        before.counts.lines + after.counts.lines, before.counts.malformed + after.counts.malformed
    )


def test_the_limit_is_the_longest_line() -> None:
    """A line of the limit is a line, one byte more is none."""
    at_limit, over = b"x" * LINE_BYTES_MAX, b"x" * (LINE_BYTES_MAX + 1)
    for line, expected in ((at_limit, Counts(0, 0)), (over, Counts(1, 1))):
        data = line + b"\n{}\n"
        fed = feed(LineCutter(), (data[at : at + CHUNK] for at in range(0, len(data), CHUNK)))
        assert expected == fed.counts
        assert b"{}" == fed.lines[-1]
        assert (line == at_limit) == (line in fed.lines)


def test_the_buffer_may_be_used_again() -> None:
    """What was given out and what is held do not change with the buffer they were read into."""
    buffer = bytearray(b"one\ntw")
    cutter = LineCutter()
    block = cutter.feed(buffer, len(buffer)).block
    buffer[:] = b"o\n"
    assert b"one\n" == block
    assert b"two\n" == cutter.feed(buffer, 2).block


@pytest.mark.parametrize(
    ("line_bytes", "allowed"), [(20 << 20, 1.3 * (20 << 20)), (64 << 20, 1.3 * LINE_BYTES_MAX)]
)
def test_a_long_line_takes_its_size_once_and_never_more_than_the_limit(
    line_bytes: int, allowed: float
) -> None:
    """A line that comes in many chunks is put together once; one over the limit is let go at the limit."""
    chunk, newline = b"x" * CHUNK, b"\n"
    cutter = LineCutter()
    given_out = 0
    tracemalloc.start()
    for _ in range(line_bytes // CHUNK):
        given_out += len(cutter.feed(chunk, CHUNK).block)
    given_out += len(cutter.feed(newline, 1).block)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (line_bytes + 1 if line_bytes <= LINE_BYTES_MAX else 0) == given_out
    assert peak < allowed
