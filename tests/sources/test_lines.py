"""What counts as a line, for every format."""

from __future__ import annotations

import json
import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotad.sources.lines import is_object, mended, require_utf8, stripped

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@pytest.mark.parametrize("line", [b'{"a":1}', b'{"a":1}\r', BYTE_ORDER_MARK + b"{}\r"])
def test_a_carriage_return_and_a_byte_order_mark_are_not_part_of_the_line(line: bytes) -> None:
    """Files that went through other systems read the same."""
    assert is_object(stripped(line))


@pytest.mark.parametrize("line", [b"{", b"}", b'{"a":', b'"a":1}', b"\0\0{}", b"[]", b" {}", b"{}\r"])
def test_a_line_without_both_ends_of_an_object_is_none(line: bytes) -> None:
    """Torn, glued and hollow lines show at their ends."""
    assert not is_object(line)


def test_bytes_that_are_no_text_are_refused() -> None:
    """UTF-8 is checked in the whole line, also where nothing is decoded."""
    require_utf8('{"a": "é"}'.encode())
    with pytest.raises(UnicodeDecodeError):
        require_utf8(b'{"a": "\xff"}')


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (rb'"\ud83d"', rb'"\ufffd"'),
        (rb'"\uDE00x"', rb'"\ufffdx"'),
        (rb'"\ud83d\ud83d\ude00"', rb'"\ufffd\ud83d\ude00"'),
        (rb'"\\ud83d"', rb'"\\ud83d"'),
        (rb'"\\\ud83d\n"', rb'"\\\ufffd\n"'),
        (rb'"\u00e9\\"', rb'"\u00e9\\"'),
    ],
)
def test_half_characters_are_replaced_and_nothing_else(line: bytes, expected: bytes) -> None:
    """Pairs, escaped backslashes and other escapes stay as they are."""
    assert expected == mended(line)


@given(st.text(st.characters(max_codepoint=0x1FFFF, categories=None)))
def test_mended_text_is_text_that_everybody_reads(text: str) -> None:
    """Each lone surrogate becomes one replacement character, whatever stands around it."""
    paired = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    expected = re.sub("[\ud800-\udfff]", "\ufffd", paired)
    assert expected == msgspec.json.decode(mended(json.dumps(text).encode()))
