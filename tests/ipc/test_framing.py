"""Lines come out of bytes, however the stream was cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotad import wire
from quotad.ipc.framing import Lines, TooLong


def _taken(lines: Lines) -> list[bytes]:
    taken = []
    while (line := lines.take()) is not None:
        taken.append(line)
    return taken


@given(
    st.lists(st.sampled_from([b"\n", b"\r", b"a", b"bc"]), max_size=30).map(b"".join),
    st.lists(st.integers(0, 60)),
)
def test_any_cut_gives_the_same_lines(stream: bytes, cuts: list[int]) -> None:
    """The lines are those of the whole stream, wherever it was cut; what follows the last newline waits."""
    lines, taken = Lines(), []
    for begin, end in pairwise([0, *sorted(cuts), len(stream)]):
        lines.feed(stream[begin:end])
        taken += _taken(lines)
    *complete, rest = stream.split(b"\n")
    assert (complete, len(rest)) == (taken, lines.pending)


def test_the_longest_line_passes() -> None:
    """A line of exactly the limit is taken."""
    lines = Lines()
    lines.feed(b"x" * wire.REQUEST_BYTES_MAX)
    assert lines.take() is None
    lines.feed(b"\n")
    assert b"x" * wire.REQUEST_BYTES_MAX == lines.take()


@pytest.mark.parametrize("newline", [b"", b"\n"])
def test_one_byte_more_is_too_long(newline: bytes) -> None:
    """A line over the limit is refused, whether or not its end has come."""
    lines = Lines()
    lines.feed(b"x" * (wire.REQUEST_BYTES_MAX + 1) + newline)
    with pytest.raises(TooLong):
        lines.take()


def test_lines_before_one_that_is_too_long_are_taken() -> None:
    """The limit is a line's, not the buffer's."""
    lines = Lines(longest=3)
    lines.feed(b"abc\nabcd\n")
    assert lines.overfull
    assert b"abc" == lines.take()
    with pytest.raises(TooLong):
        lines.take()
