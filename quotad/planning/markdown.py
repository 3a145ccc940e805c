"""Task lists in Markdown, as people keep them: ``- [ ] Title (30k, 2h, high, after: other-id)``.

The heading above a task is its phase. What is indented under it are its objectives, after its own title; what
is ticked off there is left out. In brackets at the end stand, in any order, tokens (``30k``, ``1.5M``,
``30000``), hours (``2h``, ``90m``), ``high``, ``medium`` or ``low``, and ``after:`` (one id or several),
``agent:``, ``due:``, ``id:`` and ``in:`` (the directory) with what they say. Everything else is prose.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from quotad.domain.instant import Instant
from quotad.domain.queue import ID, ID_TAKEN, Planned, PlannedId, Priority, QueueRefused, Status
from quotad.planning import moment

FAULTS_SHOWN_MAX = 10

_TAB_COLUMNS = 4
_ID_CHARACTERS_MAX = 64
_UNNAMED = "task"
_ITEM = re.compile(r"( *)(?:[-*+]|\d{1,9}[.)]) +(.*)")
_BOX = re.compile(r"\[([ xX])\](?: +|$)")
_HEADING = re.compile(r" {0,3}#{1,6}(?: +(.*)|$)")
_FENCE = re.compile(r" *(```+|~~~+)")
_TOKENS = re.compile(r"(\d[\d_]*(?:\.\d+)?) *([km]?)(?: *tokens?)?", re.IGNORECASE)
_HOURS = re.compile(r"(\d+(?:\.\d+)?) *(?:(h|hours?)|m|min|minutes?)", re.IGNORECASE)
_FACTORS = {"": 1, "k": 1_000, "m": 1_000_000}
_MINUTES_AN_HOUR = 60
_EXAMPLE = "(30k, 2h, high, after: other-id, agent: name, due: 2026-12-01)"


@dataclass(slots=True)
class _Item:
    """A line with a bullet, and the lines that go on with it; ``ticked`` is None without a box."""

    ticked: bool | None
    text: str


@dataclass(slots=True)
class _Task:
    """An item with a box that is in no other task."""

    line: int
    indent: int
    phase: str
    item: _Item
    under: list[_Item] = field(default_factory=list)


@dataclass(slots=True)
class _Said:
    """What stands in a task's brackets."""

    tokens: int | None = None
    hours: float | None = None
    priority: Priority | None = None
    after: tuple[PlannedId, ...] | None = None
    agent: str | None = None
    due: Instant | None = None
    id: PlannedId | None = None
    cwd: str | None = None


class _Wrong(Exception):  # noqa: N818 - whoever wrote the list is
    """What is wrong with one task."""


def tasks(text: str) -> list[Planned]:
    """The tasks in their order, with ids made from their titles; what they need may be elsewhere.

    Raises ``QueueRefused`` (invalid-value) with a line for each fault.
    """
    made: list[Planned] = []
    faults: list[str] = []
    given: set[str] = {ID_TAKEN}
    for task in _tasks(text):
        try:
            planned = _planned(task)
            if planned.id and planned.id in given:
                raise _Wrong(f'the id "{planned.id}" is another task\'s')  # noqa: TRY301 - one kind of fault
        except _Wrong as wrong:
            faults.append(f"line {task.line}: {wrong}")
        else:
            given.add(planned.id)
            made.append(planned)
    if not made and not faults:
        faults.append(f"there is no task in it: one is a line such as - [ ] Title {_EXAMPLE}")
    if len(faults) > FAULTS_SHOWN_MAX:
        faults[FAULTS_SHOWN_MAX:] = [f"and {len(faults) - FAULTS_SHOWN_MAX} more"]
    if faults:
        raise QueueRefused("invalid-value", "\n".join(faults))
    return _named(made, given)


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


def _planned(task: _Task) -> Planned:
    """The task; its id is empty unless it says one."""
    title, bracket, said_text = task.item.text.removesuffix(")").rpartition("(")
    if not bracket or not task.item.text.endswith(")"):
        raise _Wrong(f"says no tokens: end it with brackets such as {_EXAMPLE}")
    title = title.strip()
    if not title:
        raise _Wrong("has no title")
    said = _said(said_text)
    if said.tokens is None:
        raise _Wrong(f"says no tokens: write them into its brackets, as in {_EXAMPLE}")
    complete = bool(task.item.ticked)
    objectives = (each.text for each in task.under if each.text and (complete or not each.ticked))
    return Planned(
        id=said.id or PlannedId(""),
        tokens=said.tokens,
        hours=1.0 if said.hours is None else said.hours,
        phase=task.phase,
        priority=said.priority or Priority.MEDIUM,
        agent=said.agent or "",
        objectives=(title, *objectives),
        status=Status.COMPLETE if complete else Status.READY,
        dependencies=said.after or (),
        deadline=said.due,
        cwd=said.cwd or "",
    )


def _said(text: str) -> _Said:
    said = _Said()
    for word in filter(None, (part.strip() for part in text.split(","))):
        name, value = _read(word)
        if getattr(said, name) is not None:
            raise _Wrong(f'says "{word}" after it has said its {name} already')
        setattr(said, name, value)
    return said


def _read(word: str) -> tuple[str, object]:
    """The field of ``_Said`` that a word is about, and its value."""
    tokens, hours = _TOKENS.fullmatch(word), _HOURS.fullmatch(word)
    # 30m would be both: nobody plans thirty million tokens, and nobody writes them so small.
    if hours and not word.endswith("M"):
        count = float(hours[1])
        return "hours", count if hours[2] else count / _MINUTES_AN_HOUR
    if tokens:
        return "tokens", round(float(tokens[1]) * _FACTORS[tokens[2].lower()])
    if word.upper() in Priority.__members__:
        return "priority", Priority(word.upper())
    name, colon, value = (part.strip() for part in word.partition(":"))
    if not colon or not value:
        raise _Wrong(f'says "{word}", which is not understood; allowed is {_EXAMPLE}, and id: and in:')
    return _read_named(name.lower(), value)


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
    if ID.fullmatch(text) is None or text == ID_TAKEN:
        raise _Wrong(
            f'"{text}" is no id: it begins with a letter or digit, has at most {_ID_CHARACTERS_MAX} letters, '
            f'digits, dots, hyphens and underscores, and is not "{ID_TAKEN}"'
        )
    return PlannedId(text)


def _named(made: list[Planned], taken: set[str]) -> list[Planned]:
    """The same with an id each, so that no two have the same."""
    named = []
    for planned in made:
        which: str = planned.id
        if not which:
            slug = _slug(planned.objectives[0])
            which, number = slug, 1
            while which in taken:
                number += 1
                end = f"-{number}"
                which = slug[: _ID_CHARACTERS_MAX - len(end)] + end
            taken.add(which)
        named.append(replace(planned, id=PlannedId(which)))
    return named


def _slug(title: str) -> str:
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode("ascii").lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    return slug[:_ID_CHARACTERS_MAX].rstrip("-") or _UNNAMED
