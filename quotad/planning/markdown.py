"""Task lists in Markdown, as people keep them: ``- [ ] Title (30k, 2h, high, after: other-id)``.

The heading above a task is its phase. What is indented under it are its objectives, after its own title; what
is ticked off there is done, and stands in its notes. In brackets at the end stand, in any order, tokens
(``30k``, ``1.5M``, ``30000``), hours (``2h``, ``90m``), ``high``, ``medium`` or ``low``, and ``after:`` (one
id or several), ``agent:``, ``due:``, ``id:`` and ``in:`` (the directory) with what they say. Brackets with
none of these belong to the title, and everything else is prose. A plain list says no tokens: then a task
gets a usual number of them, and whoever imports the list is told which.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Collection, Iterator
from typing import NamedTuple

from msgspec import Struct, field
from msgspec.structs import replace

from quotad.domain.instant import Instant
from quotad.domain.queue import (
    HOURS_MAX,
    ID_TAKEN,
    SESSIONS_MAX,
    TOKENS_MAX,
    Planned,
    PlannedId,
    Priority,
    QueueRefused,
    Status,
    in_any_case,
    is_id,
)
from quotad.planning import moment

FAULTS_SHOWN_MAX = 10
TOKENS_ASSUMED = 30_000
HOURS_ASSUMED = 1.0
"""What a task takes that does not say: what people call a medium one."""

_TAB_COLUMNS = 4
_ID_CHARACTERS_MAX = 64
_UNNAMED = "task"
_ITEM = re.compile(r"( *)(?:[-*+]|\d{1,9}[.)]) +(.*)")
_BOX = re.compile(r"\[([ xX])\](?: +|$)")
_HEADING = re.compile(r" {0,3}#{1,6}(?: +(.*)|$)")
_FENCE = re.compile(r" *(```+|~~~+)")
_TOKENS = re.compile(r"(\d+(?:_\d+)*(?:\.\d+)?) *([km]?)(?: *tokens?)?", re.IGNORECASE)
_HOURS = re.compile(r"(\d+(?:\.\d+)?) *(?:(h|hours?)|m|min|minutes?)", re.IGNORECASE)
_FACTORS = {"": 1, "k": 1_000, "m": 1_000_000}
_MINUTES_AN_HOUR = 60
_NAMES = {"after", "agent", "due", "id", "in"}
_LETTERS = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "\u0131": "i"}
)
"""The small Latin letters that Unicode does not take apart."""
_EXAMPLE = "(30k, 2h, high, after: other-id, agent: name, due: 2026-12-01)"


class _Item(Struct):
    """A line with a bullet, and the lines that go on with it; ``ticked`` is None without a box."""

    ticked: bool | None
    text: str


class _Task(Struct):
    """An item with a box that is in no other task."""

    line: int
    indent: int
    phase: str
    item: _Item
    under: list[_Item] = field(default_factory=list)


class _Said(Struct):
    """What stands in a task's brackets."""

    tokens: int | None = None
    hours: float | None = None
    priority: Priority | None = None
    after: tuple[PlannedId, ...] | None = None
    agent: str | None = None
    due: Instant | None = None
    id: PlannedId | None = None
    cwd: str | None = None


class TaskList(NamedTuple):
    """The tasks in their order, and those of them that say no tokens and are still to be done."""

    sessions: list[Planned]
    assumed: list[PlannedId]


class _Made(Struct):
    """What became of a task; its id is empty until it has one, and ``faults`` are what is wrong with it."""

    line: int
    planned: Planned
    assumed: bool
    faults: list[str]


class _Wrong(Exception):  # noqa: N818 - whoever wrote the list is
    """What is wrong with one word of a task."""


def tasks(text: str, known: Collection[PlannedId] = ()) -> TaskList:
    """The tasks, with ids made from their titles. ``known``: what else there is that they may need.

    Raises ``QueueRefused`` (invalid-value) with a line for each fault.
    """
    found = _tasks(text)
    if not found:
        raise QueueRefused(
            "invalid-value", f"there is no task in it: one is a line such as - [ ] Title {_EXAMPLE}"
        )
    if len(found) > SESSIONS_MAX:
        raise QueueRefused(
            "invalid-value", f"there are {len(found)} tasks in it; a queue holds at most {SESSIONS_MAX}"
        )
    made = [_made(task) for task in found]
    _name(made)
    there = {*known, *(one.planned.id for one in made)}
    for one in made:
        one.faults += [
            f'is after "{needed}", which is neither in this list nor in the queue'
            for needed in one.planned.dependencies
            if needed not in there
        ]
    faults = [f"line {one.line}: {fault}" for one in made for fault in one.faults]
    if len(faults) > FAULTS_SHOWN_MAX:
        faults[FAULTS_SHOWN_MAX:] = [f"and {len(faults) - FAULTS_SHOWN_MAX} more"]
    if faults:
        raise QueueRefused("invalid-value", "\n".join(faults))
    return TaskList([one.planned for one in made], [one.planned.id for one in made if one.assumed])


class _Line(NamedTuple):
    number: int
    text: str


def _lines(text: str) -> Iterator[_Line]:
    """The lines that are no code."""
    fence = ""
    for number, raw in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        line = raw.expandtabs(_TAB_COLUMNS).rstrip()
        marks = _FENCE.match(line)
        if fence:
            if marks and marks[1].startswith(fence):
                fence = ""
        elif marks:
            fence = marks[1]
        else:
            yield _Line(number, line)


def _tasks(text: str) -> list[_Task]:
    found: list[_Task] = []
    phase = ""
    task: _Task | None = None
    latest: _Item | None = None
    for number, line in _lines(text):
        heading, bullet = _HEADING.fullmatch(line), _ITEM.fullmatch(line)
        if heading:
            phase, task, latest = (heading[1] or "").rstrip("# "), None, None
        elif bullet:
            indent, latest = len(bullet[1]), _item(bullet[2])
            if task and indent > task.indent:
                task.under.append(latest)
            elif latest.ticked is not None:
                task = _Task(number, indent, phase, latest)
                found.append(task)
            else:
                task = latest = None
        elif latest and line.startswith(" "):
            latest.text += " " + line.strip()
        else:
            latest = None
            if task and line and not line.startswith(" "):
                task = None
    return found


def _item(text: str) -> _Item:
    box = _BOX.match(text)
    return _Item(box[1] != " ", text[box.end() :].strip()) if box else _Item(None, text.strip())


def _made(task: _Task) -> _Made:
    title, words = _apart(task.item.text)
    said, faults = _said(words)
    if not title:
        faults.insert(0, "has no title")
    complete = bool(task.item.ticked)
    under = [each for each in task.under if each.text]
    planned = Planned(
        id=said.id or PlannedId(""),
        tokens=TOKENS_ASSUMED if said.tokens is None else said.tokens,
        hours=HOURS_ASSUMED if said.hours is None else said.hours,
        phase=task.phase,
        priority=said.priority or Priority.MEDIUM,
        agent=said.agent or "",
        objectives=(title, *(each.text for each in under if complete or not each.ticked)),
        status=Status.COMPLETE if complete else Status.READY,
        dependencies=said.after or (),
        deadline=said.due,
        notes="\n".join(f"Done: {each.text}" for each in under if each.ticked and not complete),
        cwd=said.cwd or "",
    )
    return _Made(task.line, planned, said.tokens is None and not complete, faults)


def _apart(text: str) -> tuple[str, list[str]]:
    """The title, and the words in the brackets at its end, if these are about it and no prose."""
    title, bracket, inside = text.removesuffix(")").rpartition("(")
    words = [word for word in (part.strip() for part in inside.split(",")) if word]
    if not bracket or not text.endswith(")") or (words and not any(map(_is_ours, words))):
        return text, []
    return title.strip(), words


def _is_ours(word: str) -> bool:
    name, colon, _ = word.partition(":")
    return (
        _TOKENS.fullmatch(word) is not None
        or _HOURS.fullmatch(word) is not None
        or word.upper() in Priority.__members__
        or (bool(colon) and name.strip().lower() in _NAMES)
    )


def _said(words: list[str]) -> tuple[_Said, list[str]]:
    """What the words say, and what is wrong with them."""
    said = _Said()
    faults = []
    for word in words:
        try:
            name, value = _read(word)
            if getattr(said, name) is not None:
                raise _Wrong(f'says "{word}" after it has said its {name} already')  # noqa: TRY301 - one kind
        except _Wrong as wrong:
            faults.append(str(wrong))
        else:
            setattr(said, name, value)
    return said, faults


def _read(word: str) -> tuple[str, object]:
    """The field of ``_Said`` that a word is about, and its value."""
    tokens, hours = _TOKENS.fullmatch(word), _HOURS.fullmatch(word)
    # 30m would be both: nobody plans thirty million tokens, and nobody writes them so small.
    if hours and not word.endswith("M"):
        return "hours", _hours(word, float(hours[1]) / (1 if hours[2] else _MINUTES_AN_HOUR))
    if tokens:
        return "tokens", _tokens(word, float(tokens[1]) * _FACTORS[tokens[2].lower()])
    if word.upper() in Priority.__members__:
        return "priority", Priority(word.upper())
    name, colon, value = (part.strip() for part in word.partition(":"))
    if not colon or not value:
        raise _Wrong(f'says "{word}", which is not understood; allowed is {_EXAMPLE}, and id: and in:')
    return _read_named(name.lower(), value)


def _hours(word: str, count: float) -> float:
    if not 0 < count <= HOURS_MAX:
        raise _Wrong(f'says "{word}"; allowed is more than 0 and at most {HOURS_MAX:g} hours')
    return count


def _tokens(word: str, count: float) -> int:
    if not 1 <= count <= TOKENS_MAX:
        raise _Wrong(f'says "{word}"; allowed is 1 to {TOKENS_MAX} tokens')
    return round(count)


def _read_named(name: str, value: str) -> tuple[str, object]:
    match name:
        case "after":
            return "after", tuple(dict.fromkeys(map(_id, value.split())))
        case "agent":
            return "agent", value
        case "due":
            try:
                return "due", moment.deadline(value)
            except ValueError:
                raise _Wrong(f'is due "{value}"; allowed is {moment.DEADLINE_ALLOWED}') from None
        case "id":
            return "id", _id(value)
        case "in":
            return "cwd", value
        case _:
            raise _Wrong(f'says "{name}:"; there are after:, agent:, due:, id: and in:')


def _id(text: str) -> PlannedId:
    if not is_id(text):
        raise _Wrong(
            f'"{text}" is no id: it begins with a letter or digit, has at most {_ID_CHARACTERS_MAX} letters, '
            f'digits, dots, hyphens and underscores, and is not "{ID_TAKEN}"'
        )
    return PlannedId(text)


def _name(made: list[_Made]) -> None:
    """Gives an id to each that says none, so that no two have the same."""
    taken = {ID_TAKEN}
    for one in made:
        if in_any_case(one.planned.id) in taken:
            one.faults.append(f'the id "{one.planned.id}" is another task\'s')
        elif one.planned.id:
            taken.add(in_any_case(one.planned.id))
    latest: Counter[str] = Counter()
    for one in made:
        if one.planned.id:
            continue
        slug = which = _slug(one.planned.objectives[0])
        while which in taken:
            latest[slug] += 1
            end = f"-{latest[slug] + 1}"
            which = slug[: _ID_CHARACTERS_MAX - len(end)] + end
        taken.add(which)
        one.planned = replace(one.planned, id=PlannedId(which))


def _slug(title: str) -> str:
    """The title in small ASCII letters; for those that have none stands a number, always the same."""
    plain = unicodedata.normalize("NFKD", title.lower().translate(_LETTERS)).lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain.encode("ascii", "ignore").decode("ascii")).strip("-")
    is_lost = any(not sign.isascii() and sign.isalnum() for sign in plain)
    end = f"-{zlib.crc32(title.encode('utf-8', 'surrogatepass')):08x}" if is_lost else ""
    return (slug[: _ID_CHARACTERS_MAX - len(end)].rstrip("-") or _UNNAMED) + end
