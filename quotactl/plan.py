"""``quotactl plan``: the whole queue laid over the coming windows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, cast

import click

from quotactl import text, words
from quotactl.console import Console, json_option
from quotactl.planned_text import hint_lines, hours_text, problem_lines
from quotactl.text import EMPTY, Line, Span, Style, View
from quotad import wire

if TYPE_CHECKING:
    from quotad.wire import planning

_BAR_CELLS_MOST = 24
_BAR_CELLS_LEAST = 8
_SPAN_CELLS = len("Mon 22 Nov, 10:00 - 15:00") + 1
_ID_CELLS_WANTED = 16
_ID_CELLS_LEAST = 6
_PHASE_CELLS_LEAST = 12

_PLAN_EXAMPLES = """\b
Examples:
  quotactl plan
  quotactl plan --json | jq '.windows[0].placements[].session.id'
"""


@click.command(epilog=_PLAN_EXAMPLES)
@json_option
@click.pass_obj
def plan(console: Console, *, as_json: bool) -> None:
    """Lay every planned session over the coming windows.

    What is booked stays where it is booked. Around it, dependencies, deadlines, priorities, working hours
    and the weekly limit are kept. What cannot be placed, or cannot hold its time, is listed with why, what
    ends after its deadline too. Nothing is booked by this: `quotactl schedule ID`.
    """
    with console.connect() as client:
        reply = cast("planning.PlanReply", client.ask("plan", {}))
    if as_json:
        console.say_json(reply)
    else:
        view = console.view()
        console.say(text.paint(plan_lines(reply, console.now(), view), view))


def plan_lines(reply: planning.PlanReply, now: int, view: View) -> Iterator[Line]:
    """Window after window, as far as anything is laid into them; then what is wrong with it."""
    yield from problem_lines(reply["problem"], view)
    windows = [one for one in reply["windows"] if one["placements"]]
    placed = sum(len(one["placements"]) for one in windows)
    if not placed and not reply["unplaced"]:
        yield (Span("Nothing is planned."),)
        yield from hint_lines("Plan something:", "quotactl queue add --id api --tokens 30k", view)
        return
    yield _head(placed, len(windows), view)
    late = set(reply["late"])
    sums = max((text.cells(_sum(window)) for window in windows), default=0)
    ids = max((text.cells(_id(one)) for window in windows for one in window["placements"]), default=0)
    for window in windows:
        yield EMPTY
        yield from _window(window, sums, now, view)
        for placement in window["placements"]:
            yield _placement(placement, ids, now, view, late=_id(placement) in late)
    yield from _unplaced(reply, view)
    if late:
        yield EMPTY
        said = f"After {'its deadline' if len(late) == 1 else 'their deadlines'}: {', '.join(reply['late'])}."
        yield from text.paragraph(Span("! ", "bad"), (Span(said),), view)
    yield from _against(windows, view)


def _against(windows: Sequence[planning.PlanWindowReply], view: View) -> Iterator[Line]:
    """What is booked for a time that it cannot hold."""
    said = [(_id(one), one["against"]) for window in windows for one in window["placements"]]
    wrong = [
        f"{which} {against}: `quotactl schedule {which}` moves it." for which, against in said if against
    ]
    if wrong:
        yield EMPTY
    for line in wrong:
        yield from text.paragraph(Span("! ", "bad"), (Span(line),), view)


def _head(placed: int, windows: int, view: View) -> Line:
    sessions = f"{placed} session{'' if placed == 1 else 's'}"
    sums = f"{sessions} in {windows} window{'' if windows == 1 else 's'}"
    return text.columns((Span("Plan", "bold"),), (Span(sums, "dim"),), view.width)


def _id(placement: planning.PlacementReply) -> str:
    return text.plain(placement["session"].get("id", ""))


def _sum(window: planning.PlanWindowReply) -> str:
    taken = words.tokens(_taken(window))
    return taken if window["room"] is None else f"{taken} of {words.tokens(window['room'])}"


def _taken(window: planning.PlanWindowReply) -> int:
    return sum(one["session"].get("estimatedTokens", 0) for one in window["placements"])


def _window(window: planning.PlanWindowReply, sums: int, now: int, view: View) -> Iterator[Line]:
    """From when to when, and how full it gets; the bars of all stand under each other."""
    opens, resets = wire.instant(window["opens_at"]), wire.instant(window["resets_at"])
    start, end = words.moment(opens, view), words.moment(resets, view)
    day = (
        "Today"
        if start.date() == words.moment(now, view).date()
        else f"{words.weekday(start)} {words.date(start)}"
    )
    span = f"{day}, {start:%H:%M} - {end:%H:%M}"
    # A window that is running opened in the past: what counts is what is left of it.
    if opens <= now:
        span = f"Now, until {end:%H:%M}"
    left = (Span(span, "bold"),)
    tail = Span("  " + text.pad_left(_sum(window), sums))
    taken, room = _taken(window), window["room"]
    cells = min(_BAR_CELLS_MOST, view.width - _SPAN_CELLS - text.length((tail,)))
    bar: Line = ()
    if room is not None and cells >= _BAR_CELLS_LEAST:
        style: Style = "bad" if taken > room else "good"
        bar = text.bar(taken / room if room else 1.0, cells, style, view)
    line = text.columns(left, (*bar, tail), view.width)
    yield line
    if len(line) == len(left):
        yield (Span("  " + _sum(window)),)


def _placement(placement: planning.PlacementReply, ids: int, now: int, view: View, *, late: bool) -> Line:
    session = placement["session"]
    time = f"{words.moment(max(wire.instant(placement['at']), now), view):%H:%M}"
    marks = [Span("  booked", "bad" if placement["against"] else "fair")] if placement["booked"] else []
    if late:
        marks.append(Span("  late", "bad"))
    tokens = f"  {text.pad_left(words.tokens(session.get('estimatedTokens', 0)), 6)}"
    hours = f"  {text.pad_left(hours_text(session.get('estimatedHours', 0.0)), 6)}"
    room = view.width - len("  10:00  ") - text.cells(tokens + hours) - text.length(marks)
    if room < min(ids, _ID_CELLS_WANTED):
        room, hours = room + text.cells(hours), ""
    if room < _ID_CELLS_LEAST:
        room, marks = room + text.length(marks), []
    room = min(ids, room)
    name = text.pad(text.head(_id(placement), room, view), room)
    line = (Span(f"  {time}  ", "dim"), Span(name), Span(tokens + hours), *marks)
    phase = session.get("phase", "")
    left = view.width - text.length(line) - 2
    if phase and phase != session.get("id") and left >= min(_PHASE_CELLS_LEAST, text.cells(phase)):
        return (*line, Span("  " + text.head(text.plain(phase), left, view), "dim"))
    return line


def _unplaced(reply: planning.PlanReply, view: View) -> Iterator[Line]:
    if not reply["unplaced"]:
        return
    yield EMPTY
    yield (Span("Not placed", "bold"),)
    for one in reply["unplaced"]:
        tokens = words.tokens(one["session"].get("estimatedTokens", 0))
        line = (Span(one["session"].get("id", "")), Span(f" ({tokens}): {one['why']}", "dim"))
        yield from text.paragraph(Span("  "), line, view)
