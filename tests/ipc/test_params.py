"""What parameters are taken in without pydantic, and that it would say the same."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from typing import NamedTuple, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotad.ipc.params import Validation
from quotad.wire.methods import METHODS

KINDS = sorted(set(METHODS.values()), key=lambda kind: kind.__name__)

TEXTS = st.text(st.characters(codec=None), max_size=3)
NUMBERS = st.integers() | st.floats() | st.sampled_from([2**53 + 1, 2**63, 2**64, -(2**64), 10**400])
ODD = st.none() | st.booleans() | NUMBERS | TEXTS | st.lists(TEXTS, max_size=2)


def nearly_right(kind: type[NamedTuple]) -> st.SearchStrategy[dict[str, object]]:
    """Parameters that may be right, and often are."""
    said = {name: st.from_type(type_) | ODD for name, type_ in get_type_hints(kind).items()}
    required = {name: said.pop(name) for name in kind._fields if name not in kind._field_defaults}
    return st.fixed_dictionaries(required, optional={**said, "x": ODD})


def right_value(type_: type[object]) -> st.SearchStrategy[object]:
    """What a parameter of this type takes; JSON has no other numbers than finite ones."""
    return st.from_type(type_).filter(lambda value: not isinstance(value, float) or math.isfinite(value))


@pytest.mark.parametrize("kind", KINDS)
@given(st.data())
def test_what_is_taken_in_unjudged_would_be_judged_right(kind: type[NamedTuple], data: st.DataObject) -> None:
    """What passes without pydantic passes pydantic, and is the same."""
    validation = Validation(kind)
    said = json.dumps(data.draw(nearly_right(kind)), ensure_ascii=data.draw(st.booleans()))
    raw = said.encode(errors="surrogatepass")
    taken = validation.plainly(raw)
    if taken is not None:
        assert repr(validation.judged(raw)) == repr(taken)


@pytest.mark.parametrize("kind", KINDS)
@given(st.data())
def test_what_is_right_is_right_plainly(kind: type[NamedTuple], data: st.DataObject) -> None:
    """Right parameters of every method are taken in without pydantic."""
    right = {name: data.draw(right_value(type_)) for name, type_ in get_type_hints(kind).items()}
    assert kind._make(right.values()) == Validation(kind).plainly(json.dumps(right).encode())


def test_pydantic_comes_with_what_may_be_wrong() -> None:
    """A daemon of which nothing wrong is asked never imports it."""
    program = """
import sys
from quotad import wire
from quotad.ipc.params import Validation
validation = Validation(wire.SyncParams)
print(validation.plainly(b'{"timeout":5}').timeout, "pydantic" in sys.modules)
print(validation.plainly(b'{"timeout":"5"}'), "pydantic" in sys.modules)
"""
    said = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert "5.0 False\nNone False\n" == said
