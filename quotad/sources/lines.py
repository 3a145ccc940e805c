"""What a line is, before anything is decoded; the same for every format.

A line begins with ``{`` and ends with ``}``, or it is malformed: after a crash or a truncation in place that
is how torn lines, glued lines and holes of NULs look. One carriage return behind it and a byte-order mark
before it are not part of it (a mark may stand before any line, where files were concatenated).
"""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec

OPEN, CLOSE = b"{}"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

UNDECODABLE = (msgspec.DecodeError, ValueError, RecursionError)
"""Everything that decoding a line can raise: its text, its types, its encoding, its depth."""

_ESCAPE = re.compile(
    rb"\\(?:"
    rb"u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a pair: one character
    rb"|(?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})"
    rb"|.)"
)


class Counts(NamedTuple):
    """Complete, non-empty lines of a block, and how many of them could not be read."""

    lines: int
    malformed: int


def stripped(line: bytes) -> bytes:
    """The line itself; empty when there is none."""
    return line.removesuffix(b"\r").removeprefix(_BYTE_ORDER_MARK)


def is_object(line: bytes) -> bool:
    """Whether a stripped line has the two ends of a JSON object."""
    return line[:1] == b"{" and line[-1:] == b"}"


def require_utf8(line: bytes) -> None:
    """Raise UnicodeDecodeError if the line is not UTF-8: msgspec does not look into strings it skips."""
    if not line.isascii():
        line.decode()


def mended(line: bytes) -> bytes:
    r"""The line with each lone surrogate escape made U+FFFD.

    Text cut after so many UTF-16 units ends in half a character, which JavaScript and Python write as
    ``\ud83d`` and msgspec refuses, even in what it skips. The tokens of such a line are right.
    """
    return _ESCAPE.sub(lambda escape: rb"\ufffd" if escape["lone"] else escape[0], line)
