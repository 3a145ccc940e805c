"""``quotactl schedule`` and ``unschedule``: a session's time, and its event in the calendar."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import click

from quotactl import text
from quotactl.console import Console, json_option
from quotactl.decision_text import booked_lines
from quotactl.planned_options import time_of_day

if TYPE_CHECKING:
    from quotad.wire import planning

_SCHEDULE_EXAMPLES = """\b
Examples:
  quotactl schedule api                         as soon as there is quota
  quotactl schedule api --at 14:30
  quotactl schedule api --at 2026-12-01T09:00   again: moves it
"""

_UNSCHEDULE_EXAMPLES = """\b
Examples:
  quotactl unschedule api
"""


@click.command(epilog=_SCHEDULE_EXAMPLES)
@click.argument("id_", metavar="ID")
@click.option(
    "--at",
    callback=time_of_day,
    metavar="TIME",
    help="An ISO time, 14:30, 'tomorrow 9:00': yours, or with an offset.",
)
@json_option
@click.pass_obj
def schedule(console: Console, *, id_: str, at: str | None, as_json: bool) -> None:
    """Book a planned session, and write its calendar event.

    Without --at it is booked for the earliest window that has room for it. To book it again moves it, and
    its event with it. When the time has come and the quota is there, you are told; nothing starts by itself.
    """
    reply = booked(console, id_, at)
    if as_json:
        console.say_json(reply)
    else:
        view = console.view()
        console.say(text.paint(booked_lines(reply, console.now(), view), view))


def booked(console: Console, named: str, at: str | None) -> planning.ScheduledReply:
    """The booking, made; its event is on disk."""
    with console.connect() as client:
        return cast("planning.ScheduledReply", client.ask("schedule", {"id": named, "at": at}))


@click.command(epilog=_UNSCHEDULE_EXAMPLES)
@click.argument("id_", metavar="ID")
@json_option
@click.pass_obj
def unschedule(console: Console, *, id_: str, as_json: bool) -> None:
    """Take a booking back: the session is ready again, its event is cancelled."""
    with console.connect() as client:
        reply = client.ask("unschedule", {"id": id_})
    if as_json:
        console.say_json(reply)
    else:
        console.say(f"{text.plain(id_)} is no longer booked; its calendar event says CANCELLED.")
