"""The table of ``quotactl history``: pure, as wide as the view, dropping the least wanted columns first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date as Date  # noqa: N812 - `words.date` is a word
from typing import NamedTuple

from quotactl import text, words
from quotactl.render import window_label
from quotactl.text import EMPTY, Line, Span, View
from quotad import wire

_GAP = 2
_BAR_CELLS_LEAST = 8
_BAR_CELLS_MOST = 30
_KEY_CELLS_LEAST = 14
_KEY_CELLS_WANTED = 40
"""Further columns of numbers are left out before a key is cut below this."""
_HEADS = {"day": "Day", "window": "Window", "model": "Model", "project": "Project", "session": "Session"}


class _Column(NamedTuple):
    """A column of numbers: its heading, its cells with the total last, and the width of the widest."""

    head: str
    cells: Sequence[str]
    width: int


def history_lines(rows: Sequence[wire.HistoryRow], by: wire.GroupBy, view: View) -> Iterator[Line]:
    """Head, rows, rule and total."""
    if not rows:
        yield (Span("Nothing was spent in this time."),)
        return
    several = len({row.get("account", "") for row in rows}) > 1
    keys = [_key(row, by, view, several=several) for row in rows]
    numbers = _columns(rows)
    widest = max(map(text.cells, (*keys, _HEADS[by])))
    shown, key_cells, bar_cells = _layout(widest, numbers, view.width)
    yield _line(_HEADS[by], [column.head for column in shown], shown, key_cells, bar_cells, "dim")
    most = max(row["spent"] for row in rows) or 1
    for index, (row, key) in enumerate(zip(rows, keys, strict=True)):
        bar = text.bar(row["spent"] / most, bar_cells, "", view)[:1]
        cells = [column.cells[index] for column in shown]
        short = text.middle(key, key_cells, view) if by == "project" else text.head(key, key_cells, view)
        yield _line(short, cells, shown, key_cells, bar_cells, "", bar)
    # Windows of several kinds lie over each other: their sum would count everything twice.
    if len(rows) > 1 and len({row.get("window") for row in rows}) == 1:
        width = key_cells + sum(_GAP + column.width for column in shown) + (bar_cells and bar_cells + _GAP)
        yield (Span(view.signs.rule * width, "dim"),)
        cells = [column.cells[-1] for column in shown]
        yield _line(f"{len(rows)} {by}s", cells, shown, key_cells, bar_cells, "bold")
    if any(row.get("estimated_tokens") for row in rows):
        yield EMPTY
        yield (Span("~ with estimates from tool use", "dim"),)


def _columns(rows: Sequence[wire.HistoryRow]) -> list[_Column]:
    """Most wanted first."""
    spent = [_about(row.get("estimated_tokens", 0)) + words.tokens(row["spent"]) for row in rows]
    estimated = sum(row.get("estimated_tokens", 0) for row in rows)
    total = _about(estimated) + words.tokens(sum(row["spent"] for row in rows))
    calls = [row["messages"] for row in rows]
    tokens = [row["tokens"] for row in rows]
    return [
        _column("Spent", [*spent, total]),
        _column("Calls", [*map(str, calls), str(sum(calls))]),
        _counts("Output", [one["output"] for one in tokens]),
        _counts("Input", [one["input"] for one in tokens]),
        _counts("Cache w", [one["cache_write"] for one in tokens]),
        _counts("Cache r", [one["cache_read"] for one in tokens]),
    ]


def _about(estimated: int) -> str:
    return "~" if estimated else ""


def _counts(head: str, counts: Sequence[int]) -> _Column:
    return _column(head, [words.tokens(count) for count in [*counts, sum(counts)]])


def _column(head: str, cells: Sequence[str]) -> _Column:
    return _Column(head, cells, max(map(text.cells, (head, *cells))))


def _layout(widest: int, numbers: Sequence[_Column], width: int) -> tuple[list[_Column], int, int]:
    """The columns that fit, how wide the key is, and how wide the bar (0 for none)."""
    least = min(widest, _KEY_CELLS_LEAST)
    for count in range(len(numbers), 0, -1):
        shown = list(numbers[:count])
        left = width - sum(_GAP + column.width for column in shown)
        if left >= min(widest, _KEY_CELLS_WANTED) + _GAP + _BAR_CELLS_LEAST:
            bar = min(_BAR_CELLS_MOST, max(_BAR_CELLS_LEAST, left - widest - _GAP))
            return shown, min(widest, left - bar - _GAP), bar
    shown = list(numbers[:2])
    left = width - sum(_GAP + column.width for column in shown)
    return (shown, min(widest, left), 0) if left >= least else (shown[:1], min(widest, left), 0)


def _line(  # noqa: PLR0913, PLR0917 - a row is its parts
    key: str,
    cells: Sequence[str],
    shown: Sequence[_Column],
    key_cells: int,
    bar_cells: int,
    style: text.Style,
    bar: Line = (),
) -> Line:
    """Key, what was spent, the bar beside it, then the other numbers."""
    spans = [Span(text.pad(text.fit(key, key_cells), key_cells), style)]
    for index, (cell, column) in enumerate(zip(cells, shown, strict=True)):
        spans.append(Span(" " * _GAP + text.pad_left(cell, column.width), style))
        if index == 0 and bar_cells:
            spans += [Span(" " * _GAP), *bar, Span(" " * (bar_cells - text.length(bar)))]
    return spans


def _key(row: wire.HistoryRow, by: wire.GroupBy, view: View, *, several: bool) -> str:
    key = _key_of(row, by, view)
    account = row.get("account", "")
    if several and account:
        key += f" {text.place(account, view)}"
    return text.plain(key).replace(text.HARD, " ") or "(unknown)"


def _key_of(row: wire.HistoryRow, by: wire.GroupBy, view: View) -> str:
    match by:
        case "day":
            return f"{words.weekday(Date.fromisoformat(row['day']))} {row['day']}"
        case "window":
            return _window(row, view)
        case "model":
            return row["model"]
        case "project":
            return text.place(row["project"], view)
        case "session":
            started = row.get("started_at")
            return f"{_time(started, view)}  {row['session'][:8]}" if started else row["session"][:8]


def _window(row: wire.HistoryRow, view: View) -> str:
    opened, resets = row.get("opened_at"), row.get("resets_at")
    name = window_label(row["window"])
    if not opened or not resets:
        return name
    start, end = _time(opened, view), _time(resets, view)
    # Of the same day the second date says nothing.
    return f"{name}, {start} - {end[-5:] if end[:6] == start[:6] else end}"


def _time(instant: str, view: View) -> str:
    """``22 Nov 09:40``; always with its date, because a table is read by columns."""
    local = words.moment(wire.instant(instant), view)
    return f"{local.day:2} {words.month(local)} {local:%H:%M}"
