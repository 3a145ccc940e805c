"""Lines as people read them: pure, measured in terminal cells, cut to the width.

Everything that is shown passes through ``Span``, and every span through ``plain``: a directory or a message
from a log can hold control characters, and must not reach the terminal's command language.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from datetime import tzinfo
from itertools import groupby
from typing import Literal, NamedTuple, TypeAlias

Style = Literal["", "bold", "dim", "good", "fair", "bad", "worst"]

_SGR: dict[Style, str] = {"bold": "1", "dim": "2", "good": "32", "fair": "33", "bad": "31", "worst": "1;31"}
"""The terminal's own eight colours: its theme has made them readable, on light and on dark."""

HARD = "\u00a0"
"""A space that no line is broken at, shown as an ordinary one: between a number and its unit."""

_HANG = 2
"""How much further in a fact goes on that is too long for its line."""


class Signs(NamedTuple):
    """The signs that not every terminal has."""

    full: str
    empty: str
    dot: str
    ellipsis: str
    least: str
    arrow: str
    rule: str
    yes: str
    no: str


UNICODE = Signs("█", "░", " · ", "…", "≥ ", "→", "─", "✓", "✗")
ASCII = Signs("#", ".", " - ", "...", ">= ", "->", "-", "ok", "no")


class View(NamedTuple):
    """How to write: the width in cells, colours or none, the signs there are, the zone of times.

    ``live`` is a view that is drawn again each second: its clocks show seconds.
    """

    width: int = 80
    colour: bool = False
    unicode: bool = True
    zone: tzinfo | None = None
    home: str = ""
    live: bool = False

    @property
    def signs(self) -> Signs:
        return UNICODE if self.unicode else ASCII


class Span(NamedTuple):
    """A piece of a line in one style."""

    text: str
    style: Style = ""


Line: TypeAlias = Sequence[Span]

EMPTY: Line = ()


def plain(text: str) -> str:
    """The text without anything that a terminal would obey: controls and changes of direction."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_plain_sign(sign) for sign in text)


def _plain_sign(sign: str) -> str:
    match unicodedata.category(sign):
        case "Cc" | "Cs" | "Zl" | "Zp":
            return "?"
        case "Cf":
            return ""
        case _:
            return sign


def cells(text: str) -> int:
    """How many terminal cells the text takes."""
    if text.isascii():
        return len(text)
    return sum(_sign_cells(sign) for sign in text)


def _sign_cells(sign: str) -> int:
    if unicodedata.combining(sign):
        return 0
    return 2 if unicodedata.east_asian_width(sign) in {"W", "F"} else 1


def length(line: Line) -> int:
    """How many cells the line takes."""
    return sum(cells(span.text) for span in line)


def fit(text: str, width: int) -> str:
    """As much of the beginning as fits into ``width`` cells."""
    if cells(text) <= width:
        return text
    taken, left = [], width
    for sign in text:
        left -= _sign_cells(sign)
        if left < 0:
            break
        taken.append(sign)
    return "".join(taken)


def middle(path: str, width: int, view: View) -> str:
    """The path shortened in its middle, between directories if that leaves enough: both ends tell most."""
    path = plain(path)
    if cells(path) <= width:
        return path
    mark = view.signs.ellipsis
    parts = path.split("/")
    for first in (2, 1):
        for last in range(len(parts) - first - 1, 0, -1):
            shorter = "/".join([*parts[:first], mark, *parts[-last:]])
            if cells(shorter) <= width:
                return shorter
    room = width - cells(mark)
    if room <= 0:
        return fit(path, width)
    begin = fit(path, room // 3)
    return begin + mark + fit(path[::-1], room - cells(begin))[::-1]


def head(text: str, width: int, view: View) -> str:
    """The text with its end left out visibly where it is too long."""
    if cells(text) <= width:
        return text
    return fit(fit(text, width - cells(view.signs.ellipsis)) + view.signs.ellipsis, width)


def place(path: str, view: View) -> str:
    """A directory with the home directory as ``~``."""
    home = view.home.rstrip("/")
    if home and path == home:
        return "~"
    if home and path.startswith(home + "/"):
        return "~" + path[len(home) :]
    return path


def pad(text: str, width: int) -> str:
    """The text with spaces behind it."""
    return text + " " * (width - cells(text))


def pad_left(text: str, width: int) -> str:
    """The text with spaces before it."""
    return " " * (width - cells(text)) + text


def cut(line: Line, view: View) -> Line:
    """The line, its end left out visibly where it is too long."""
    if length(line) <= view.width:
        return line
    left = view.width - cells(view.signs.ellipsis)
    kept: list[Span] = []
    for words, style in line:
        kept.append(Span(fit(plain(words), left), style))
        left -= cells(kept[-1].text)
    return (*kept, Span(view.signs.ellipsis))


def columns(left: Line, right: Line, width: int) -> Line:
    """Two ends of one line; without room for both only the left one."""
    gap = width - length(left) - length(right)
    return (*left, Span(" " * gap), *right) if gap > 0 else left


def flow(facts: Iterable[Line], view: View, indent: int) -> Iterator[Line]:
    """Facts side by side as far as they fit, then on the next line; one that is too long alone is wrapped."""
    room = view.width - indent
    margin = Span(" " * indent)
    current: list[Span] = []
    for fact in facts:
        joined = [*current, Span(view.signs.dot, "dim"), *fact] if current else list(fact)
        if length(joined) <= room:
            current = joined
            continue
        if current:
            yield (margin, *current)
        current = []
        if length(fact) <= room:
            current = list(fact)
        else:
            first, *more = _wrapped(fact, room, room - _HANG)
            yield (margin, *first)
            for line in more:
                yield (margin, Span(" " * _HANG), *line)
    if current:
        yield (margin, *current)


def paragraph(mark: Span, line: Line, view: View) -> Iterator[Line]:
    """Running text behind a mark, broken between words; further lines stand under the first."""
    indent = cells(mark.text)
    first, *more = _wrapped(line, view.width - indent, view.width - indent)
    yield (mark, *first)
    for one in more:
        yield (Span(" " * indent), *one)


def paragraphs(mark: Span, text: str, view: View) -> Iterator[Line]:
    """The same for text of several lines, each of which keeps its beginning."""
    for one in text.splitlines():
        yield from paragraph(mark, (Span(one),), view)
        mark = Span(" " * cells(mark.text))


def _wrapped(line: Line, first: int, room: int) -> list[list[Span]]:
    """Broken between words, and inside one only if it is longer than a line."""
    lines: list[list[Span]] = [[]]
    left = first
    for word, style, spaced in _words(line):
        gap = " " if spaced and lines[-1] else ""
        if cells(gap) + cells(word) > left and lines[-1]:
            lines.append([])
            left, gap = room, ""
        rest = word
        while cells(rest) > left:
            piece = fit(rest, left)
            # Of a path whole directories stay together.
            piece = piece[: piece.rfind("/") + 1] or piece or rest[:1]
            lines[-1].append(Span(piece, style))
            rest = rest[len(piece) :]
            lines.append([])
            left = room
        lines[-1].append(Span(gap + rest, style))
        left -= cells(gap) + cells(rest)
    return lines


def _words(line: Line) -> Iterator[tuple[str, Style, bool]]:
    spaced = False
    for text, style in line:
        for index, word in enumerate(plain(text).split(" ")):
            spaced = spaced or index > 0
            if word:
                yield word, style, spaced
                spaced = False


def paint(lines: Iterable[Line], view: View) -> str:
    """The lines as text: none is longer than the width, none ends in spaces."""
    return "\n".join(_painted(line, view) for line in lines)


def _painted(line: Line, view: View) -> str:
    left = view.width
    parts: list[str] = []
    for style, spans in groupby(_trimmed(line), key=lambda span: span.style):
        shown = fit(plain("".join(span.text for span in spans)), left).replace(HARD, " ")
        left -= cells(shown)
        code = _SGR.get(style) if view.colour and shown.strip() else None
        parts.append(f"\x1b[{code}m{shown}\x1b[0m" if code else shown)
    return "".join(parts)


def _trimmed(line: Line) -> list[Span]:
    spans = list(line)
    while spans and not spans[-1].text.strip(" "):
        spans.pop()
    if spans:
        spans[-1] = Span(spans[-1].text.rstrip(" "), spans[-1].style)
    return spans


def bar(fraction: float, width: int, style: Style, view: View) -> Line:
    """A bar of ``width`` cells; not empty once anything is used, and full only when all is."""
    full = min(width, max(0, int(fraction * width)))
    if fraction > 0:
        full = max(full, 1)
    return (Span(view.signs.full * full, style), Span(view.signs.empty * (width - full), "dim"))
