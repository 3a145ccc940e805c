"""What a settings file may say, checked by pydantic; no other module here imports it.

Leaves are strict (no ``"5"`` for 5, no ``true`` for 1) and unknown keys are faults. A fault is the place of a
value and what would be allowed there, in our own words: they name the unit and an example, and stay the same
whichever version of pydantic found the fault.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, ClassVar, NamedTuple, TypeVar

from pydantic import AfterValidator, Field, PlainValidator, Strict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from quotad.settings import grammar, hours
from quotad.settings.grammar import (
    ENTRIES_MAX,
    ESTIMATE_MAX,
    NAME,
    NAME_CHARACTERS_MAX,
    RETENTION_DAYS_MAX,
    TOKENS_MAX,
    WEIGHT_MAX,
    WINDOW_HOURS_MAX,
    WINDOW_HOURS_MIN,
    Fault,
    Key,
)
from quotad.settings.hours import SPAN_ALLOWED, WORKING_HOURS_ALLOWED, Span, WorkingHours
from quotad.settings.values import Plan

_T = TypeVar("_T")


def _span(value: object) -> Span:
    if not isinstance(value, str):
        raise ValueError  # noqa: TRY004 - pydantic takes only this for an answer
    return hours.span(value)


def _working_hours(value: object) -> WorkingHours:
    if not isinstance(value, str):
        raise ValueError  # noqa: TRY004 - see above
    return hours.working_hours(value)


_Flag = Annotated[bool, Strict()]
_Tokens = Annotated[int, Strict(), Field(ge=1, le=TOKENS_MAX)]
_Weight = Annotated[float, Strict(), Field(ge=0, le=WEIGHT_MAX, allow_inf_nan=False)]
_Percent = Annotated[float, Strict(), Field(gt=0, le=100, allow_inf_nan=False)]
_Hours = Annotated[float, Strict(), Field(ge=WINDOW_HOURS_MIN, le=WINDOW_HOURS_MAX, allow_inf_nan=False)]
_Name = Annotated[str, Strict(), Field(pattern=rf"\A{NAME}\z", max_length=NAME_CHARACTERS_MAX)]
_NotTooMany = Field(max_length=ENTRIES_MAX)
_Paths = Annotated[tuple[Annotated[Path, PlainValidator(grammar.path)], ...], _NotTooMany]

_STRICTLY: Mapping[str, str] = {"extra": "forbid"}


@dataclass(frozen=True, slots=True)
class KindWeights:
    """``[weights]`` without its tables, or one of them."""

    __pydantic_config__: ClassVar[Mapping[str, str]] = _STRICTLY
    input: _Weight | None = None
    output: _Weight | None = None
    cache_write: _Weight | None = None
    cache_read: _Weight | None = None


@dataclass(frozen=True, slots=True)
class WindowTable:
    """One ``[[windows]]``."""

    __pydantic_config__: ClassVar[Mapping[str, str]] = _STRICTLY
    name: _Name
    hours: _Hours
    limit: _Tokens | None = None


@dataclass(frozen=True, slots=True)
class NotifyTable:
    """``[notify]``."""

    __pydantic_config__: ClassVar[Mapping[str, str]] = _STRICTLY
    desktop: _Flag | None = None
    command: (
        Annotated[tuple[Annotated[str, Strict()], ...], _NotTooMany, AfterValidator(grammar.runnable)] | None
    ) = None
    on_reset: _Flag | None = None
    quiet: Annotated[tuple[Annotated[Span, PlainValidator(_span)], ...], _NotTooMany] | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """The whole file; None is what it does not say."""

    __pydantic_config__: ClassVar[Mapping[str, str]] = _STRICTLY
    plan: Plan | None = None
    limit: _Tokens | None = None
    roots: _Paths | None = None
    session_logs: Annotated[_Paths, AfterValidator(grammar.some)] | None = None
    thresholds: Annotated[tuple[_Percent, ...], _NotTooMany, AfterValidator(grammar.rising)] | None = None
    weights: dict[str, object] | None = None
    estimates: (
        Annotated[dict[str, Annotated[int, Strict(), Field(ge=0, le=ESTIMATE_MAX)]], _NotTooMany] | None
    ) = None
    windows: Annotated[tuple[WindowTable, ...], _NotTooMany] | None = None
    notify: NotifyTable | None = None
    working_hours: (
        Annotated[
            tuple[Annotated[WorkingHours, PlainValidator(_working_hours)], ...],
            _NotTooMany,
            AfterValidator(grammar.some),
        ]
        | None
    ) = None
    retention_days: Annotated[int, Strict(), Field(ge=1, le=RETENTION_DAYS_MAX)] | None = None


_DOCUMENT = TypeAdapter(Document)
_KIND_WEIGHTS = TypeAdapter(KindWeights)


class Checked(NamedTuple):
    """A file without faults; ``weights`` and ``families`` are what its ``weights`` consists of."""

    document: Document
    weights: KindWeights
    families: Mapping[str, KindWeights]


_PATHS = 'a list of absolute paths, or paths that begin with "~"'
_TOKENS = f"a whole number of tokens, 1 to {TOKENS_MAX}"
_FLAG = "true or false"
KINDS = tuple(known.name for known in fields(KindWeights))
_KINDS = ", ".join(KINDS)

_ALLOWED: Mapping[str, str] = {
    "plan": '"free", "pro" or "team"',
    "limit": _TOKENS,
    "roots": _PATHS,
    "session_logs": f"{_PATHS}; at least one",
    "thresholds": "a list of percentages above 0 and up to 100, each larger than the one before",
    "weights": f"a number from 0 to {WEIGHT_MAX} for {_KINDS}; or a table of these named as a model family",
    "estimates": f"a table of tools, each with a whole number of tokens, 0 to {ESTIMATE_MAX}",
    "windows": "tables [[windows]] with name, hours and, if known, limit",
    "windows.name": "small letters, digits and _, beginning with a letter",
    "windows.hours": f"a number of hours, at least a second (0.0003) and at most {WINDOW_HOURS_MAX}",
    "windows.limit": _TOKENS,
    "notify": "a table [notify] with desktop, command, on_reset, quiet",
    "notify.desktop": _FLAG,
    "notify.command": 'a program and its arguments as a list of strings, such as ["prog", "arg"]',
    "notify.on_reset": _FLAG,
    "notify.quiet": f"a list of {SPAN_ALLOWED}",
    "working_hours": f"a list of {WORKING_HOURS_ALLOWED}; without the key it is always",
    "retention_days": f"a whole number of days, 1 to {RETENTION_DAYS_MAX}; without the key it is for ever",
}
"""In a person's words what the types above say, by dotted key without indices."""

_UNKNOWN = "unexpected_keyword_argument"
_ALIKE = 0.75
"""How alike two names must be for one to be taken for a slip of the other (difflib's measure, up to 1)."""


def check(raw: Mapping[str, object]) -> Checked | list[Fault]:
    """What the decoded file says, or everything that is wrong with it."""
    faults: list[Fault] = []
    document = _checked(_DOCUMENT, raw, (), faults)
    table = raw.get("weights")
    kinds: dict[str, object] = {}
    families: dict[str, KindWeights] = {}
    for name, value in table.items() if isinstance(table, dict) else ():
        if not isinstance(value, dict):
            kinds[name] = value
        elif grammar.is_family(name, KINDS):
            family = _checked(_KIND_WEIGHTS, value, ("weights", name), faults)
            families[name] = family or KindWeights()
        else:
            faults.append(Fault(("weights", name), f"allowed is {_ALLOWED['weights']}"))
    weights = _checked(_KIND_WEIGHTS, kinds, ("weights",), faults)
    if document is not None:
        faults += grammar.across(document.windows or (), document.retention_days)
    return faults if faults or document is None or weights is None else Checked(document, weights, families)


def _checked(shape: TypeAdapter[_T], value: object, at: Key, faults: list[Fault]) -> _T | None:
    try:
        return shape.validate_python(value)
    except ValidationError as error:
        faults += [_fault(at, details) for details in error.errors(include_url=False, include_input=False)]
        return None


def _fault(at: Key, details: ErrorDetails) -> Fault:
    key = at + details["loc"]
    if details["type"] == _UNKNOWN:
        return Fault(key, _unknown(str(key[-1]), tuple(_names(key[:-1]))), shown=False)
    allowed = _allowed(key)
    if details["type"] == "missing":
        return Fault(key, f"is missing; it is {allowed}", shown=False)
    return Fault(key, f"allowed is {allowed}")


def _allowed(key: Key) -> str:
    """What the table says of the key, or of the nearest one around it."""
    names = _names(key)
    while ".".join(names) not in _ALLOWED:
        names.pop()
    return _ALLOWED[".".join(names)]


def _unknown(name: str, around: tuple[str, ...]) -> str:
    """``around`` is the table that has no such key."""
    if around[:1] == ("weights",):
        known = list(KINDS)
    else:
        deep = len(around)
        known = [key.split(".")[deep] for key in _ALLOWED if (*key.split("."),)[:-1] == around]
    near = difflib.get_close_matches(name, known, n=1, cutoff=_ALIKE)
    if near:
        return f"there is no such key; did you mean {near[0]}?"
    families = " and tables such as [weights.opus]" if around == ("weights",) else ""
    return f"there is no such key; there are {', '.join(known)}{families}"


def _names(key: Key) -> list[str]:
    return [part for part in key if isinstance(part, str)]
