"""What a settings file may say beyond the types of its values; pure, and without pydantic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, Protocol, TypeAlias, TypeVar

TOKENS_MAX = 2**53
"""Beyond it not every reader of JSON keeps whole numbers whole."""
WEIGHT_MAX = 1000
ESTIMATE_MAX = 10_000_000
WINDOW_HOURS_MIN = 1 / 3600
WINDOW_HOURS_MAX = 366 * 24
RETENTION_DAYS_MAX = 36_500
ENTRIES_MAX = 100
"""Of any list or table."""
NAME_CHARACTERS_MAX = 64
NAME = r"[a-z][a-z0-9_]*"
"""A window's, as a regular expression."""

BUILT_IN_WINDOW = "five_hour"

Key: TypeAlias = tuple[str | int, ...]
"""Where in the document: ``("windows", 0, "hours")``."""

T = TypeVar("T")


class Fault(NamedTuple):
    """What is wrong at ``key``; ``shown`` is whether the value there helps to see it."""

    key: Key
    says: str
    shown: bool = True


def path(value: object) -> Path:
    """An absolute path, or one below somebody's home. Raises ``ValueError``, as the others do."""
    if not isinstance(value, str) or "\0" in value or not value.startswith(("/", "~")):
        raise ValueError
    try:
        return Path(value).expanduser()
    except RuntimeError:
        raise ValueError from None


def some(values: tuple[T, ...]) -> tuple[T, ...]:
    """At least one."""
    if not values:
        raise ValueError
    return values


def rising(thresholds: tuple[float, ...]) -> tuple[float, ...]:
    """Each larger than the one before."""
    if any(one >= other for one, other in pairwise(thresholds)):
        raise ValueError
    return thresholds


def runnable(command: tuple[str, ...]) -> tuple[str, ...]:
    """Words that can be a program and its arguments; none: there is no command."""
    if command[:1] == ("",) or any("\0" in word for word in command):
        raise ValueError
    return command


class SomeWindow(Protocol):
    """As much of a window's table as is compared with others."""

    @property
    def name(self) -> str: ...
    @property
    def hours(self) -> float: ...


def across(windows: Sequence[SomeWindow], retention_days: int | None) -> Iterator[Fault]:
    """What is allowed in itself but not together."""
    names: set[str] = set()
    for number, window in enumerate(windows):
        if window.name == BUILT_IN_WINDOW:
            yield Fault(("windows", number, "name"), "is built in; the key limit sets its limit")
        if window.name in names:
            yield Fault(("windows", number, "name"), "another window has this name already")
        names.add(window.name)
        if retention_days is not None and window.hours > retention_days * 24:
            yield Fault(("windows", number, "hours"), "longer than events are kept (retention_days)")


def is_family(name: str, kinds: Sequence[str]) -> bool:
    """Families are compared in small letters, so another name would never be met."""
    known = name in kinds
    return not known and name.isprintable() and name == name.lower() and 0 < len(name) <= NAME_CHARACTERS_MAX
