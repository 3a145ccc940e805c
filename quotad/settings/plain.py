"""A settings file in which plainly nothing is wrong, taken in without pydantic: to import it costs 0.1 s.

pydantic is the judge (``document``), and it alone says what is wrong. What is accepted here it would accept
with the same outcome, which a test holds both to; whatever is refused here is for it to look at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, NamedTuple

from msgspec import Meta, Struct, convert

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
)
from quotad.settings.hours import Span, WorkingHours
from quotad.settings.values import Plan

_Tokens = Annotated[int, Meta(ge=1, le=TOKENS_MAX)]
_Weight = Annotated[float, Meta(ge=0, le=WEIGHT_MAX)]
_NotTooMany = Meta(max_length=ENTRIES_MAX)
_Paths = Annotated[tuple[Path, ...], _NotTooMany]


class Kinds(Struct, forbid_unknown_fields=True):
    """``[weights]`` without its tables, or one of them."""

    input: _Weight | None = None
    output: _Weight | None = None
    cache_write: _Weight | None = None
    cache_read: _Weight | None = None


class Window(Struct, forbid_unknown_fields=True):
    """One ``[[windows]]``."""

    name: Annotated[str, Meta(pattern=rf"\A{NAME}\Z", max_length=NAME_CHARACTERS_MAX)]
    hours: Annotated[float, Meta(ge=WINDOW_HOURS_MIN, le=WINDOW_HOURS_MAX)]
    limit: _Tokens | None = None


class Notifying(Struct, forbid_unknown_fields=True):
    """``[notify]``."""

    desktop: bool | None = None
    command: Annotated[tuple[str, ...], _NotTooMany] | None = None
    on_reset: bool | None = None
    quiet: Annotated[tuple[Span, ...], _NotTooMany] | None = None


class Said(Struct, forbid_unknown_fields=True):
    """The whole file but ``[weights]``; None is what it does not say."""

    plan: Plan | None = None
    limit: _Tokens | None = None
    roots: _Paths | None = None
    session_logs: _Paths | None = None
    thresholds: Annotated[tuple[Annotated[float, Meta(gt=0, le=100)], ...], _NotTooMany] | None = None
    estimates: Annotated[dict[str, Annotated[int, Meta(ge=0, le=ESTIMATE_MAX)]], _NotTooMany] | None = None
    windows: Annotated[tuple[Window, ...], _NotTooMany] | None = None
    notify: Notifying | None = None
    working_hours: Annotated[tuple[WorkingHours, ...], _NotTooMany] | None = None
    retention_days: Annotated[int, Meta(ge=1, le=RETENTION_DAYS_MAX)] | None = None


class Plain(NamedTuple):
    """A file without faults, as ``document.Checked`` is."""

    document: Said
    weights: Kinds
    families: Mapping[str, Kinds]


def plainly(raw: Mapping[str, object]) -> Plain | None:
    """What the decoded file says; None if something may be wrong."""
    try:
        return _taken(raw)
    except ValueError:
        return None


def _taken(raw: Mapping[str, object]) -> Plain:
    """Raises ``ValueError``."""
    read = _read(
        raw, {"roots": grammar.path, "session_logs": grammar.path, "working_hours": hours.working_hours}
    )
    weights = _table(read.pop("weights", {}))
    if "notify" in read:
        read["notify"] = _read(_table(read["notify"]), {"quiet": hours.span})
    said = convert(read, Said)
    kinds = {name: value for name, value in weights.items() if not isinstance(value, dict)}
    families = {name: value for name, value in weights.items() if isinstance(value, dict)}
    for given in (said.session_logs, said.working_hours):
        if given is not None:
            grammar.some(given)
    grammar.rising(said.thresholds or ())
    if said.notify is not None:
        grammar.runnable(said.notify.command or ())
    if any(grammar.across(said.windows or (), said.retention_days)):
        raise ValueError
    if not all(grammar.is_family(name, Kinds.__struct_fields__) for name in families):
        raise ValueError
    return Plain(
        said, convert(kinds, Kinds), {name: convert(value, Kinds) for name, value in families.items()}
    )


def _table(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ValueError  # noqa: TRY004 - it is the file that is wrong
    return value


def _read(table: Mapping[str, object], readers: Mapping[str, Callable[[str], object]]) -> dict[str, object]:
    """The table, with what is written as texts read."""
    return {name: _each(value, readers[name]) if name in readers else value for name, value in table.items()}


def _each(value: object, read: Callable[[str], object]) -> list[object]:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise ValueError
    return [read(text) for text in value]
