"""What an install or uninstall changes, as people read it: each file's lines, and what it comes to.

The lines come first and may be many; what it comes to stands last, where the question is asked.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path

from quotactl import text
from quotactl.claude import settings_text
from quotactl.claude.install import Change, Places
from quotactl.claude.settings_text import Found
from quotactl.text import Line, Span, Style, View

ROW_CELLS = 13
_TAB_CELLS = 4
_MARGIN = "  "
_STYLES: dict[str, Style] = {"+": "good", "-": "bad", " ": ""}


def row(name: str, said: str, style: Style, view: View) -> Iterator[Line]:
    """One line of a table of two columns, with as many more as ``said`` needs."""
    yield from text.paragraph(Span(f"{name:<{ROW_CELLS}}"), (Span(said, style),), view)


def change_lines(changes: Sequence[Change], view: View) -> Iterator[Line]:
    """Each file, and of settings that are changed every line that is, as people know it from versions."""
    for change in changes:
        what = "new" if change.before is None else "deleted" if change.after is None else "changed"
        place = text.place(str(change.path), view)
        yield from text.paragraph(Span(f"{what}: ", "bold"), (Span(place, "bold"),), view)
        if change.after is not None and (change.before is not None or change.path.suffix != ".md"):
            yield from _differences(change.before or "", change.after, view)


def gist_lines(places: Places, changes: Sequence[Change], view: View) -> Iterator[Line]:
    """What all of it comes to."""
    settings = next((one for one in changes if one.path == places.settings), None)
    commands = [one for one in changes if one is not settings]
    if commands:
        way = "out" if all(one.after is None for one in commands) else "in"
        yield from row("commands", f"{way}: {command_names([one.path.name for one in commands])}", "", view)
    if settings is None:
        return
    before, after = _found(settings.before), _found(settings.after)
    yield from row("hooks", _hooks(before, after), "", view)
    yield from row("status line", _status_line(before, after), "", view)
    if settings.before is not None and settings.after is not None:
        yield from row(
            "", f"Everything else in {settings.path.name} stays as it is, byte for byte.", "", view
        )


def _found(settings: str | None) -> Found:
    return settings_text.found(settings if settings and settings.strip() else "{}")


def _hooks(before: Found, after: Found) -> str:
    come = [event for event in after.hooks if event not in before.hooks]
    gone = [event for event in before.hooks if event not in after.hooks]
    told = [f"{word}: {', '.join(events)}" for word, events in (("in", come), ("out", gone)) if events]
    return "; ".join(told) or "the same events"


def _status_line(before: Found, after: Found) -> str:
    if after.status_line:
        other = before.other_status_line
        return f"ours, and below it what yours says: {other}" if other else "ours"
    return f"yours again: {after.other_status_line}" if after.other_status_line else "none"


def _differences(before: str, after: str, view: View) -> Iterator[Line]:
    lines = difflib.unified_diff(_lines(before), _lines(after), n=1, lineterm="")
    for line in list(lines)[2:]:
        if line.startswith("@@"):
            yield (Span(f"{_MARGIN}{_place(line)}", "dim"),)
        else:
            yield from _folded(line[:1], line[1:], view)


def _lines(settings: str) -> list[str]:
    """Broken where JSON breaks lines, and nowhere else; the last one ends whether it says so or not."""
    return [line.removesuffix("\r") for line in settings.removesuffix("\n").split("\n")] if settings else []


def _place(header: str) -> str:
    """``@@ -2,4 +2,100 @@`` -> ``line 2``."""
    return f"line {header.split()[2].removeprefix('+').partition(',')[0]}"


def _folded(sign: str, line: str, view: View) -> Iterator[Line]:
    """A line whole, however long: what does not fit goes on below, further in."""
    shown = text.plain(line.expandtabs(_TAB_CELLS).rstrip(" "))
    indent = len(shown) - len(shown.lstrip(" "))
    if indent > view.width // 2:
        shown, indent = shown.lstrip(" "), 0
    margin = f"{_MARGIN}{sign} "
    while True:
        piece = text.fit(shown, view.width - len(margin))
        broken = piece.rfind(" ") + 1
        if len(piece) < len(shown) and broken > len(piece) // 2:
            piece = piece[:broken]
        yield (Span(f"{margin}{piece}", _STYLES[sign]),)
        shown = shown[len(piece) :]
        if not shown:
            return
        margin = f"{_MARGIN}  {' ' * (indent + len(_MARGIN))}"


def command_names(names: Sequence[str]) -> str:
    """``session-status.md`` -> ``/session-status``."""
    return ", ".join(f"/{Path(name).stem}" for name in names)
