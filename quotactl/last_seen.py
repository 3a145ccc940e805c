"""What the last daemon left for others to read, shown with its age while no daemon answers.

The file is ``quota-tracker.json`` of the contract. Anyone can edit it, so nothing in it is relied on: what
does not fit is not shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, cast

from quotactl import text, words
from quotactl.render import window_label
from quotactl.text import EMPTY, Line, Span, View
from quotad import wire

FILE_BYTES_MAX = 4 * 1024 * 1024
FIVE_HOUR = "five_hour"
_PERCENT_MAX = 1000


class Window(NamedTuple):
    """One that was running; the provider's percentage, where it said one, and else what was counted."""

    name: str
    percent: float
    resets_at: int


class LastSeen(NamedTuple):
    """The current window as it stood at ``at``; ``resets_at`` is None when none was running."""

    at: int
    plan: str
    limit: int
    spent: int
    remaining: int
    resets_at: int | None
    windows: tuple[Window, ...]


def last_seen_text(path: Path, now: int, view: View) -> str:
    """The last snapshot as text, empty when there is none that can be read."""
    seen = _read(path)
    return "" if seen is None else text.paint(_lines(seen, now, view), view)


def _read(path: Path) -> LastSeen | None:
    try:
        found = path.stat()
        if found.st_size > FILE_BYTES_MAX:
            return None
        content: object = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return _seen(found.st_mtime_ns // 1_000_000, content)


def _seen(at: int, content: object) -> LastSeen | None:
    match content:
        case {
            "plan": str(plan),
            "limit": int(limit),
            "currentWindow": {"tokensUsed": int(spent), "remaining": int(remaining)},
        }:
            window = cast("Mapping[str, Mapping[str, object]]", content)["currentWindow"]
            return LastSeen(
                at, plan, limit, spent, remaining, _instant(window.get("resetTime")), tuple(_windows(content))
            )
        case _:
            return None


def _windows(content: object) -> Iterator[Window]:
    match content:
        case {"windows": list(windows)}:
            for one in windows:
                match one:
                    case {"name": str(name), "percent": int() | float() as percent, "resetTime": str(reset)}:
                        at = _instant(reset)
                        if at is not None and 0 <= percent <= _PERCENT_MAX:
                            yield Window(name, percent, at)
                    case _:
                        pass
        case _:
            pass


def _instant(value: object) -> int | None:
    if not isinstance(value, str):
        return None
    try:
        return wire.instant(value)
    except ValueError:
        return None


def _lines(seen: LastSeen, now: int, view: View) -> Iterator[Line]:
    yield (Span("Last known", "bold"), Span(f", {words.ago(now - seen.at)}", "fair"))
    yield EMPTY
    longer = [one for one in seen.windows if one.name != FIVE_HOUR]
    names = [window_label(name) for name in (FIVE_HOUR, *(one.name for one in longer))]
    cells = min(max(text.cells(text.plain(name)) for name in names), view.width // 3)
    yield _bar(names[0], cells, _used(seen), view)
    left = (Span(f"{words.tokens(seen.remaining)} left", "bold"), Span(f" of {words.tokens(seen.limit)}"))
    yield from text.flow(
        [left, (Span(f"{words.tokens(seen.spent)} spent"),), _reset(seen, now, view)], view, 2
    )
    for one, name in zip(longer, names[1:], strict=True):
        # What was used of a window that has been reset since tells nothing any more.
        if one.resets_at > now:
            yield _bar(name, cells, one.percent / 100, view)
            yield from text.flow([_resets(one.resets_at, now, view)], view, 2)


def _used(seen: LastSeen) -> float:
    """The share of the five hours that was used; an older file does not say it."""
    said = (one.percent / 100 for one in seen.windows if one.name == FIVE_HOUR)
    counted = max(seen.spent, seen.limit - seen.remaining) / seen.limit if seen.limit > 0 else 0.0
    return next(said, counted)


def _bar(name: str, cells: int, used: float, view: View) -> Line:
    label = Span(text.pad(text.head(text.plain(name), cells, view), cells) + "  ", "bold")
    tail = Span("  " + text.pad_left(words.percent(100 * used), len("100 %")))
    return (label, *text.bar(used, view.width - text.length((label, tail)), "", view), tail)


def _resets(at: int, now: int, view: View) -> Line:
    return (Span(f"resets {words.clock(at, now, view)}, in{text.HARD}{words.duration(at - now)}"),)


def _reset(seen: LastSeen, now: int, view: View) -> Line:
    if seen.resets_at is None:
        return (Span("no window was running"),)
    when = words.clock(seen.resets_at, now, view)
    if seen.resets_at <= now:
        return (Span(f"that window reset at {when}; since then nothing is known"),)
    return _resets(seen.resets_at, now, view)
