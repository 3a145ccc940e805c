"""The queue file's JSON: decoded without losing anything, and where in the text a value stands.

A file that is written again must hold everything that it held. So what a decoder would let pass and drop (a
name that is said twice) or could not write (NaN) is refused on reading.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from json import JSONDecodeError, JSONDecoder
from math import isinf
from typing import NamedTuple, NoReturn, TypeAlias

FILE_BYTES_MAX = 8 * 1024 * 1024
"""Half of what a reply may hold: the whole queue must fit into one."""

Document: TypeAlias = dict[str, object]
"""The decoded file, with everything in it that nobody here knows."""

Key: TypeAlias = tuple[str | int, ...]
"""Where in the document: ``("sessions", 0, "priority")``."""


class Fault(NamedTuple):
    """What is wrong at ``key``; ``shown`` is whether the value there helps to see it."""

    key: Key
    says: str
    shown: bool = True


_BOM = "\ufeff"
_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = JSONDecoder()
_NUMBER = "holds a number"
_DIGITS_SHOWN_MAX = 20


class TextInvalid(Exception):  # noqa: N818 - whoever wrote the text is wrong, not the program
    """The text is no JSON that could be written again; ``line`` is None where no single one is to blame."""

    def __init__(self, says: str, line: int | None = None) -> None:
        super().__init__(says)
        self.says = says
        self.line = line


def decoded(content: bytes) -> tuple[str, object]:
    """The text, and the value that it says. Raises ``TextInvalid``."""
    if len(content) > FILE_BYTES_MAX:
        raise TextInvalid(f"is longer than {FILE_BYTES_MAX} bytes")
    try:
        text = content.decode("utf-8").removeprefix(_BOM)
    except UnicodeDecodeError as fault:
        raise TextInvalid("is not UTF-8", content.count(b"\n", 0, fault.start) + 1) from fault
    if not text.strip():
        raise TextInvalid("is empty; take it away, or let it say an object with sessions")
    return text, _value(text)


def _value(text: str) -> object:
    twice = False

    def members_once(members: list[tuple[str, object]]) -> Document:
        nonlocal twice
        made = dict(members)
        twice = twice or len(made) < len(members)
        return made

    try:
        value: object = json.loads(
            text, object_pairs_hook=members_once, parse_constant=_no_number, parse_float=_finite
        )
        if twice:
            _refuse_twice(text, _skipped(text, 0))
    except JSONDecodeError as fault:
        raise TextInvalid(f"is not JSON: {fault.msg} (column {fault.colno})", fault.lineno) from fault
    except RecursionError as fault:
        raise TextInvalid("is nested too deeply") from fault
    except ValueError as fault:
        # Python reads no whole number of more than 4,300 digits, and does not say where it stands.
        says = str(fault) if str(fault).startswith(_NUMBER) else f"{_NUMBER} of thousands of digits"
        raise TextInvalid(says) from fault
    return value


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{_NUMBER} that JSON does not have: {word}")


def _finite(digits: str) -> float:
    value = float(digits)
    if isinf(value):
        raise ValueError(f"{_NUMBER} that is too large: {digits[:_DIGITS_SHOWN_MAX]}")
    return value


def _refuse_twice(text: str, at: int) -> None:
    """Raises for the first name that an object in the value at ``at`` says twice."""
    seen: set[str | int] = set()
    for name, place in _parts(text, at):
        if name in seen:
            raise TextInvalid(f"says {json.dumps(name)} twice in one object", _line(text, place))
        seen.add(name)
        _refuse_twice(text, place)


def line_of(text: str, key: Key) -> int:
    """The line on which the value at ``key`` begins, or the innermost one around it that is there."""
    at = _skipped(text, 0)
    for part in key:
        inner = next((place for name, place in _parts(text, at) if name == part), None)
        if inner is None:
            break
        at = inner
    return _line(text, at)


def _parts(text: str, at: int) -> Iterator[tuple[str | int, int]]:
    """What the value at ``at`` consists of: each name or number, and where its value begins."""
    if text[at] == "{":
        yield from _members(text, at)
    elif text[at] == "[":
        yield from _items(text, at)


def _members(text: str, at: int) -> Iterator[tuple[str | int, int]]:
    at = _skipped(text, at + 1)
    while text[at] != "}":
        name, at = _DECODER.raw_decode(text, at)
        at = _skipped(text, _skipped(text, at) + 1)
        yield name, at
        at = _next(text, at)


def _items(text: str, at: int) -> Iterator[tuple[str | int, int]]:
    at = _skipped(text, at + 1)
    number = 0
    while text[at] != "]":
        yield number, at
        at = _next(text, at)
        number += 1


def _next(text: str, at: int) -> int:
    """Behind the value at ``at`` and its comma."""
    _, at = _DECODER.raw_decode(text, at)
    at = _skipped(text, at)
    return _skipped(text, at + 1) if text[at] == "," else at


def _skipped(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return at if space is None else space.end()


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def encoded(document: Document) -> bytes:
    """The document for people to read. Half a character, which UTF-8 cannot say, stays an escape."""
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    return text.encode("utf-8", "backslashreplace")


def value_at(document: object, key: Sequence[str | int]) -> object:
    """The value at ``key``, or the innermost one around it that is there."""
    value = document
    for part in key:
        inner: dict[str | int, object] = {}
        if isinstance(value, dict):
            inner = value
        elif isinstance(value, list):
            inner = dict(enumerate(value))
        if part not in inner:
            break
        value = inner[part]
    return value
