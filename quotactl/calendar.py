"""``quotactl calendar``: the files that bring booked sessions into the user's own calendar."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, cast

import click

from quotactl import text, words
from quotactl.console import Console, json_option
from quotactl.mistyped import HintingGroup
from quotactl.text import Line, Span, View
from quotad import wire

if TYPE_CHECKING:
    from quotad.wire.planning import CalendarReply, EventReply

_INDENT = "  "

_CALENDAR_EXAMPLES = """\b
Examples:
  quotactl calendar export
  quotactl calendar list
"""


@click.group(epilog=_CALENDAR_EXAMPLES, cls=HintingGroup)
def calendar() -> None:
    """Bring booked sessions into your calendar.

    The files are kept up to date by themselves: whatever books, moves or cancels a session writes them.
    """


_EXPORT_EXAMPLES = """\b
Examples:
  quotactl calendar export
  quotactl calendar export auth-api
  quotactl calendar export --json
"""


@calendar.command(epilog=_EXPORT_EXAMPLES)
@click.argument("ids", nargs=-1, metavar="[ID]...")
@json_option
@click.pass_obj
def export(console: Console, *, ids: tuple[str, ...], as_json: bool) -> None:
    """Write the calendar files anew, and say how to import them.

    Without an ID: those of every booked session.
    """
    with console.connect() as client:
        exported = cast("CalendarReply", client.ask("calendar.export", {"ids": list(ids)}))
        listed = exported if as_json else cast("CalendarReply", client.ask("calendar.list", {}))
    if as_json:
        console.say_json(exported)
        return
    view, now = console.view(), console.now()
    parts = [export_text(exported, now, view), next_text(listed["events"], now, view)]
    console.say("\n\n".join(part for part in parts if part))


_LIST_EXAMPLES = """\b
Examples:
  quotactl calendar list
  quotactl calendar list --json
"""


@calendar.command("list", epilog=_LIST_EXAMPLES)
@json_option
@click.pass_obj
def list_(console: Console, *, as_json: bool) -> None:
    """Show the calendar's events and the file of each."""
    with console.connect() as client:
        reply = cast("CalendarReply", client.ask("calendar.list", {}))
    if as_json:
        console.say_json(reply)
        return
    view, now = console.view(), console.now()
    if not reply["events"]:
        console.say(text.paint(_nothing(view), view))
        return
    parts = [
        events_text(reply["events"], now, view),
        _file_text("All of them", reply["all"], view),
        next_text(reply["events"], now, view),
    ]
    console.say("\n\n".join(part for part in parts if part))


def export_text(reply: CalendarReply, now: int, view: View) -> str:
    """What was written, and how it gets into a calendar."""
    if not reply["events"]:
        return text.paint(_nothing(view), view)
    return "\n\n".join(
        [
            events_text(reply["events"], now, view),
            _file_text("All of them", reply["all"], view),
            text.paint([(Span("How to import them", "bold"),), *_ways(view)], view),
        ]
    )


def events_text(events: Sequence[EventReply], now: int, view: View) -> str:
    """Two lines an event: which and when, and its file."""
    column = max(text.cells(text.plain(event["id"])) for event in events) + len(_INDENT)
    return "\n".join(_event_text(event, column, now, view) for event in events)


def _event_text(event: EventReply, column: int, now: int, view: View) -> str:
    off = event["status"] == "CANCELLED"
    name = Span(text.pad(text.plain(event["id"]), column), "dim" if off else "bold")
    when = Span(words.clock(wire.instant(event["starts_at"]), now, view), "dim" if off else "")
    state = (Span(view.signs.dot + "cancelled", "dim"),) if off else ()
    return "\n".join([text.paint([(name, when, *state)], view), _path(event["ics"])])


def next_text(events: Iterable[EventReply], now: int, view: View) -> str:
    """The next session that takes place; empty if none is to come."""
    coming = [
        (wire.instant(event["starts_at"]), event["id"])
        for event in events
        if event["status"] == "CONFIRMED" and wire.instant(event["starts_at"]) >= now
    ]
    if not coming:
        return ""
    starts, planned = min(coming)
    facts = f", {words.clock(starts, now, view)} (in {words.duration(starts - now)})"
    return text.paint(text.paragraph(Span("Next: "), (Span(planned, "bold"), Span(facts)), view), view)


def _nothing(view: View) -> Iterator[Line]:
    yield from text.paragraph(Span(""), (Span("Nothing is booked, so the calendar is empty."),), view)
    yield from text.paragraph(Span(""), (Span("`quotactl schedule ID` books a planned session."),), view)


def _file_text(title: str, path: str, view: View) -> str:
    return "\n".join([text.paint([(Span(title),)], view), _path(path)])


def _path(path: str) -> str:
    """A path on a line of its own and whole, however long: it is there to be copied."""
    return _INDENT + text.plain(path)


def _ways(view: View) -> Iterator[Line]:
    """How each calendar takes a file in, and what it makes of the same event a second time."""
    arrow = f" {view.signs.arrow} "
    ways = {
        "macOS Calendar": arrow.join(["File", "Import"]),
        "Google Calendar": "on calendar.google.com, " + arrow.join(["Settings", "Import & export"]),
        "Outlook on the web": arrow.join(["Add calendar", "Upload from file"]),
        "Outlook on a computer": arrow.join(["File", "Open & Export", "Import/Export"]),
    }
    for name, how in ways.items():
        yield from text.paragraph(Span(_INDENT), (Span(f"{name}: {how}"),), view)
    yield text.EMPTY
    again = (
        "A session that is moved or cancelled stays the same event: import its file again, and a calendar "
        "that goes by the event's UID updates it. Outlook on a computer adds another one instead: delete the "
        "old one there, or let it subscribe to all.ics from a place on the web."
    )
    yield from text.paragraph(Span(_INDENT), (Span(again),), view)
