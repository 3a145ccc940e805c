"""The effective settings as text: TOML that could be the file itself, or JSON; each value with its source.

Strings are the user's, so everything that a terminal would act on is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import fields

from quotad.domain.policy import Weights
from quotad.settings.values import Notify, Settings

BRIEF_CHARACTERS_MAX = 60

_DEPTH_MAX = 4
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SHORT_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_TOML_INTEGER_MAX = 2**63


class _Line(NamedTuple):
    """One key of one table and its value; None is what is not set, and ``otherwise`` what holds then."""

    table: tuple[str, ...]
    name: str
    value: object
    otherwise: str = ""

    @property
    def dotted(self) -> str:
        return ".".join((*self.table, self.name))


def as_toml(settings: Settings) -> str:
    """A settings file that says what holds now; reading it gives the same settings."""
    lines = [f"# What holds now. The file is {_text(str(settings.file))}."]
    table: tuple[str, ...] = ()
    for line in _lines(settings):
        if line.table != table:
            table = line.table
            lines += ["", f"[{'.'.join(map(_key, table))}]"]
        source = settings.source(line.dotted)
        if line.value is None:
            lines.append(f"# {line.name} is not set: {line.otherwise}")
        else:
            lines.append(f"{_key(line.name)} = {toml(line.value)}  # {source}")
    for window in settings.windows:
        lines += ["", "[[windows]]  # file", f"name = {toml(window.name)}", f"hours = {toml(window.hours)}"]
        lines += [] if window.limit is None else [f"limit = {window.limit}"]
    return "\n".join(lines) + "\n"


def as_json(settings: Settings) -> dict[str, object]:
    """``{"file": ..., "settings": {"notify.desktop": {"value": true, "source": "default"}, ...}}``."""
    windows = [{"name": extra.name, "hours": extra.hours, "limit": extra.limit} for extra in settings.windows]
    values = {line.dotted: line.value for line in _lines(settings)} | {"windows": windows}
    return {
        "file": str(settings.file),
        "settings": {
            dotted: {"value": value, "source": settings.source(dotted)} for dotted, value in values.items()
        },
    }


def _lines(settings: Settings) -> Iterator[_Line]:
    yield _Line((), "plan", settings.plan)
    yield _Line((), "limit", settings.limit, "the plan's label holds")
    yield _Line((), "roots", [str(root) for root in settings.roots])
    yield _Line((), "session_logs", [str(log) for log in settings.session_logs])
    yield _Line((), "thresholds", list(settings.thresholds))
    working = [hours.text for hours in settings.working_hours]
    yield _Line((), "working_hours", working or None, "it is always")
    yield _Line((), "retention_days", settings.retention_days, "it is for ever")
    yield from _weights(("weights",), settings.weights)
    for family, weights in settings.family_weights.items():
        yield from _weights(("weights", family), weights)
    for tool, tokens in settings.estimates.items():
        yield _Line(("estimates",), tool, tokens)
    yield from _notify(settings.notify)


def _weights(table: tuple[str, ...], weights: Weights) -> Iterator[_Line]:
    for known in fields(weights):
        value: float = getattr(weights, known.name)
        yield _Line(table, known.name, value)


def _notify(notify: Notify) -> Iterator[_Line]:
    yield _Line(("notify",), "desktop", notify.desktop)
    yield _Line(("notify",), "command", list(notify.command) or None, "there is none")
    yield _Line(("notify",), "on_reset", notify.on_reset)
    yield _Line(
        ("notify",), "quiet", [str(span) for span in notify.quiet] or None, "there are no quiet hours"
    )


def toml(value: object, depth: int = 0) -> str:  # noqa: PLR0911 - one for each type
    """A decoded value as TOML on one line; what is nested too deeply or is no TOML is only hinted at."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _text(value)
        case int():
            return str(value) if abs(value) < _TOML_INTEGER_MAX else "an enormous number"
        case float():
            return str(value).removesuffix(".0")
        case Mapping() | Sequence() if depth >= _DEPTH_MAX:
            return "..."
        case Mapping():
            pairs = (f"{_key(str(key))} = {toml(inner, depth + 1)}" for key, inner in value.items())
            return f"{{{', '.join(pairs)}}}"
        case Sequence():
            return f"[{', '.join(toml(inner, depth + 1) for inner in value)}]"
        case _:
            return str(value)


def brief(value: object) -> str:
    """A value for one line of a message."""
    text = toml(value)
    return text if len(text) <= BRIEF_CHARACTERS_MAX else text[: BRIEF_CHARACTERS_MAX - 3] + "..."


def plain(text: str) -> str:
    """Somebody else's words for one line of a message."""
    return "".join(character if character.isprintable() else _escape(character) for character in text)


def key_text(key: Sequence[str | int]) -> str:
    """``windows[0].hours``."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{_brief_key(part)}" for part in key]
    return "".join(parts).removeprefix(".")


def _brief_key(name: str) -> str:
    text = _key(name)
    return text if len(text) <= BRIEF_CHARACTERS_MAX else text[: BRIEF_CHARACTERS_MAX - 3] + "..."


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _text(name)


def _text(text: str) -> str:
    return f'"{"".join(_SHORT_ESCAPES.get(character) or plain(character) for character in text)}"'


def _escape(character: str) -> str:
    return f"\\U{ord(character):08X}"
