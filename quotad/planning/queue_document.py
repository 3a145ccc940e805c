"""What the queue file may say of a session, checked by pydantic; no other module here imports it.

Leaves are strict (no ``"40000"`` for 40000), but names that we do not know are somebody else's and let
through. A fault is the place of a value and what would be allowed there, in our own words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field, PlainValidator, Strict, TypeAdapter, ValidationError

from quotad.domain.instant import Instant
from quotad.domain.queue import (
    HOURS_MAX,
    ID_TAKEN,
    TOKENS_MAX,
    Planned,
    Priority,
    ScheduleReason,
    Status,
    is_id,
)
from quotad.planning import moment
from quotad.planning.queue_plain import Entry, planned
from quotad.planning.queue_text import Fault, Key


def _id(text: str) -> str:
    if not is_id(text):
        raise ValueError
    return text


def _instant(value: object) -> Instant:
    if not isinstance(value, str):
        raise ValueError  # noqa: TRY004 - pydantic takes only this for an answer
    return moment.instant(value)


def _deadline(value: object) -> Instant:
    if not isinstance(value, str):
        raise ValueError  # noqa: TRY004 - see above
    return moment.deadline(value)


_Id = Annotated[str, Strict(), AfterValidator(_id)]
_Text = Annotated[str, Strict()]


@dataclass(frozen=True, slots=True)
class SessionEntry:
    """One of ``sessions``; None is what it does not say."""

    __pydantic_config__: ClassVar[Mapping[str, str]] = {"extra": "ignore"}
    id: _Id
    tokens: Annotated[int, Strict(), Field(alias="estimatedTokens", ge=1, le=TOKENS_MAX)]
    hours: Annotated[
        Annotated[float, Strict(), Field(gt=0, le=HOURS_MAX)] | None, Field(alias="estimatedHours")
    ] = None
    phase: _Text | Annotated[int, Strict()] | None = None
    priority: Priority | None = None
    agent: _Text | None = None
    objectives: tuple[_Text, ...] | None = None
    status: Status | None = None
    dependencies: tuple[_Id, ...] | None = None
    scheduled_for: Annotated[
        Annotated[Instant, PlainValidator(_instant)] | None, Field(alias="scheduledFor")
    ] = None
    schedule_reason: Annotated[ScheduleReason | None, Field(alias="scheduleReason")] = None
    deadline: Annotated[Instant, PlainValidator(_deadline)] | None = None
    notes: _Text | None = None
    cwd: _Text | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """The whole file, as far as we must know it."""

    __pydantic_config__: ClassVar[Mapping[str, str]] = {"extra": "ignore"}
    sessions: tuple[SessionEntry, ...]


_DOCUMENT = TypeAdapter(Document)

_ID_ALLOWED = (
    "at most 64 letters, digits, dots, hyphens and underscores, a letter or digit first, "
    f'and not "{ID_TAKEN}"'
)
_LIST = "a list of texts"


def _one_of(words: Iterable[str]) -> str:
    return "one of " + ", ".join(f'"{word}"' for word in words)


_ALLOWED: Mapping[str, str] = {
    "": "an object with sessions",
    "sessions": "a list of objects, each with at least id and estimatedTokens",
    "sessions.id": _ID_ALLOWED,
    "sessions.estimatedTokens": f"a whole number of tokens, 1 to {TOKENS_MAX}",
    "sessions.estimatedHours": f"a number of hours above 0, at most {HOURS_MAX:g}",
    "sessions.phase": "a text",
    "sessions.priority": _one_of(Priority),
    "sessions.agent": "a text",
    "sessions.objectives": _LIST,
    "sessions.status": _one_of(Status),
    "sessions.dependencies": f"a list of ids: {_ID_ALLOWED}",
    "sessions.scheduledFor": moment.INSTANT_ALLOWED,
    "sessions.scheduleReason": _one_of(ScheduleReason),
    "sessions.deadline": moment.DEADLINE_ALLOWED,
    "sessions.notes": "a text",
    "sessions.cwd": "a text: an absolute path",
}
"""In a person's words what the types above say, by dotted key without numbers."""


def sessions_of(raw: object) -> tuple[Planned, ...] | list[Fault]:
    """The sessions that a decoded document says, each sound in itself, or everything that is wrong."""
    try:
        document = _DOCUMENT.validate_python(_known(raw))
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False, include_context=False)
        # A union says once for each of its types what is wrong.
        faults = (_fault(each["loc"], missing=each["type"] == "missing") for each in details)
        return list(dict.fromkeys(faults))
    return tuple(planned(Entry(**asdict(entry))) for entry in document.sessions)


def _known(raw: object) -> object:
    """Without the names that we do not know: pydantic stumbles over half a character in any of them."""
    if not isinstance(raw, dict) or "sessions" not in raw:
        return {} if isinstance(raw, dict) else raw
    sessions = raw["sessions"]
    known = [_known_of(entry) for entry in sessions] if isinstance(sessions, list) else sessions
    return {"sessions": known}


def _known_of(entry: object) -> object:
    if not isinstance(entry, dict):
        return entry
    return {name: value for name, value in entry.items() if f"sessions.{name}" in _ALLOWED}


def _fault(loc: tuple[str | int, ...], *, missing: bool) -> Fault:
    """``loc`` ends, for a union, in the name of the type that did not fit either."""
    key: Key = ()
    for part in loc:
        if ".".join(_names((*key, part))) not in _ALLOWED:
            break
        key = (*key, part)
    allowed = _ALLOWED[".".join(_names(key))]
    return (
        Fault(key, f"is missing; it is {allowed}", shown=False)
        if missing
        else Fault(key, f"allowed is {allowed}")
    )


def _names(key: Key) -> list[str]:
    return [part for part in key if isinstance(part, str)]
