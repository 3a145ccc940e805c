"""Changes to a JSON text that leave every other byte of it alone.

People arrange their settings by hand. So the text is read into a tree that knows where each value stands,
and a change is made at that place: what is put in goes behind the last member, and taking it out again takes
exactly those bytes. Comments are not JSON, and a file that has them is refused before it is touched.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_SPACE = re.compile(r"[ \t\n\r]*")
_SCALAR = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null")
_FIRST_INDENT = re.compile(r"[{\[]\r?\n([ \t]+)")
_DECODER = json.JSONDecoder()
DEPTH_MAX = 100
INDENT = "  "


class NotJson(Exception):  # noqa: N818 - what the text is
    """The text is not JSON as Claude Code reads it; the message says where and what."""


@dataclass(frozen=True, slots=True)
class Node:
    """A value: its bytes are ``text[begin:end]``. Members and elements are in the order of the text."""

    begin: int
    end: int
    value: object
    members: Mapping[str, Node] = field(default_factory=dict)
    elements: tuple[Node, ...] = ()
    keys: Mapping[str, int] = field(default_factory=dict)
    """Where the name of each member begins."""


def parsed(text: str) -> Node:
    """The tree of a text that is one JSON value. Raises ``NotJson``."""
    # Some editors put a mark before everything: it stays.
    node = _value(text, _after_space(text, 1 if text.startswith("\ufeff") else 0), 0)
    rest = _after_space(text, node.end)
    if rest != len(text):
        raise _wrong(text, rest, "there is something behind the end")
    return node


def with_member(text: str, node: Node, name: str, value: object) -> str:
    """The text with a member more, behind the last one of the object ``node``."""
    return _with_last(text, node, f"{json.dumps(name)}: ", value, tuple(node.members.values()))


def with_element(text: str, node: Node, value: object) -> str:
    """The text with an element more, behind the last one of the array ``node``."""
    return _with_last(text, node, "", value, node.elements)


def with_value(text: str, node: Node, value: object) -> str:
    """The text with another value in the place of ``node``."""
    return text[: node.begin] + _written(text, value, _indent_at(text, node.begin)) + text[node.end :]


def without_member(text: str, node: Node, name: str) -> str:
    """The text without a member of the object ``node``."""
    spans = [(node.keys[each], node.members[each].end) for each in node.members]
    return _without(text, node, spans, list(node.members).index(name))


def without_element(text: str, node: Node, index: int) -> str:
    """The text without an element of the array ``node``."""
    return _without(text, node, [(one.begin, one.end) for one in node.elements], index)


def _with_last(text: str, node: Node, prefix: str, value: object, others: tuple[Node, ...]) -> str:
    outer = _indent_at(text, node.begin)
    inner = outer + _unit(text)
    newline = "\r\n" if "\r\n" in text else "\n"
    added = newline + inner + prefix + _written(text, value, inner)
    if others:
        return text[: others[-1].end] + "," + added + text[others[-1].end :]
    return text[: node.begin + 1] + added + newline + outer + text[node.end - 1 :]


def _without(text: str, node: Node, spans: list[tuple[int, int]], index: int) -> str:
    if len(spans) == 1:
        return text[: node.begin + 1] + text[node.end - 1 :]
    if index:
        return text[: spans[index - 1][1]] + text[spans[index][1] :]
    return text[: spans[0][0]] + text[spans[1][0] :]


def _written(text: str, value: object, indent: str) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = json.dumps(value, ensure_ascii=False, indent=_unit(text)).split("\n")
    return (newline + indent).join(lines)


def _unit(text: str) -> str:
    found = _FIRST_INDENT.search(text)
    return found[1] if found else INDENT


def _indent_at(text: str, position: int) -> str:
    """The white space at the beginning of the line that ``position`` is in."""
    start = text.rfind("\n", 0, position) + 1
    return text[start : start + len(text[start:position]) - len(text[start:position].lstrip(" \t"))]


def _after_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _value(text: str, position: int, depth: int) -> Node:
    if depth > DEPTH_MAX:
        raise _wrong(text, position, "it is nested too deeply")
    character = text[position : position + 1]
    if character == "{":
        return _object(text, position, depth)
    if character == "[":
        return _array(text, position, depth)
    if character == '"':
        value, end = _string(text, position)
        return Node(position, end, value)
    scalar = _SCALAR.match(text, position)
    if scalar is None:
        raise _wrong(text, position, "a value is expected")
    return Node(position, scalar.end(), json.loads(scalar[0]))


def _object(text: str, begin: int, depth: int) -> Node:
    members: dict[str, Node] = {}
    keys: dict[str, int] = {}
    position = _after_space(text, begin + 1)
    while text[position : position + 1] != "}":
        if members:
            position = _past(text, position, ",")
        if text[position : position + 1] != '"':
            raise _wrong(text, position, "a name in double quotes is expected")
        key = position
        name, position = _string(text, position)
        if name in members:
            raise _wrong(text, key, f"{json.dumps(name)} is there twice")
        position = _past(text, _after_space(text, position), ":")
        node = _value(text, position, depth + 1)
        members[name], keys[name] = node, key
        position = _after_space(text, node.end)
    value = {name: node.value for name, node in members.items()}
    return Node(begin, position + 1, value, members=members, keys=keys)


def _array(text: str, begin: int, depth: int) -> Node:
    elements: list[Node] = []
    position = _after_space(text, begin + 1)
    while text[position : position + 1] != "]":
        if elements:
            position = _past(text, position, ",")
        node = _value(text, position, depth + 1)
        elements.append(node)
        position = _after_space(text, node.end)
    return Node(begin, position + 1, [node.value for node in elements], elements=tuple(elements))


def _string(text: str, position: int) -> tuple[str, int]:
    value: object
    try:
        value, end = _DECODER.raw_decode(text, position)
    except ValueError:
        raise _wrong(text, position, "a text does not end, or holds what no text may") from None
    assert isinstance(value, str), "what begins with a double quote is a text"
    return value, end


def _past(text: str, position: int, character: str) -> int:
    if text[position : position + 1] != character:
        raise _wrong(text, position, f"{character!r} is expected")
    return _after_space(text, position + 1)


def _wrong(text: str, position: int, what: str) -> NotJson:
    line = text.count("\n", 0, position) + 1
    column = position - (text.rfind("\n", 0, position) + 1) + 1
    if text.startswith(("//", "/*", "#"), position):
        what = "there is a comment, which a change would not leave as it is"
    return NotJson(f"line {line}, column {column}: {what}")
