"""The page about the protocol says what the wire says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

from quotad import wire
from quotad.ipc.protocol_doc import RESULTS, page
from quotad.wire import replies
from quotad.wire.methods import METHODS

PAGE = Path(__file__).parents[2] / "docs" / "protocol.md"


def test_the_page_is_current() -> None:
    """``python -m quotad.ipc.protocol_doc`` would write the same."""
    assert page() == PAGE.read_text(encoding="utf-8")


def test_every_method_is_on_the_page() -> None:
    """Each method of the wire has a heading and a result."""
    assert set(METHODS) == set(RESULTS)
    for name in METHODS:
        assert f"### `{name}`\n" in page()


def test_every_refusal_is_on_the_page() -> None:
    """The closed list of reasons is complete."""
    for code in get_args(wire.RefusalCode):
        assert f"- `{code}`\n" in page()


def test_the_example_is_a_conversation() -> None:
    """The example is one request line and one reply line under the same id."""
    request, reply = (json.loads(line) for line in page().split("```\n")[1].splitlines())
    assert ("hello", request["id"]) == (request["method"], reply["id"])
    assert set(replies.Hello.__annotations__) == set(reply["result"])
