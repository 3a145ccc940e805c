"""``quotactl doctor``: each thing that was looked at, and for each fault what to do about it."""

from __future__ import annotations

from collections.abc import Iterator

import click

from quotactl import text
from quotactl.cli import version
from quotactl.console import Console, json_option
from quotactl.failure import NoDaemon, Undone
from quotactl.text import Line, Span, View
from quotactl.up import last_words
from quotad import wire

_DOCTOR_EXAMPLES = """\b
Examples:
  quotactl doctor
  quotactl doctor --json | jq '.checks[] | select(.ok | not)'
"""


@click.command(epilog=_DOCTOR_EXAMPLES)
@json_option
@click.pass_obj
def doctor(console: Console, *, as_json: bool) -> None:
    """Look for what is wrong, and say what to do about it.

    The exit code is 1 when a check fails.
    """
    try:
        with console.connect() as client:
            running, reply = client.hello["version"], client.doctor()
    except NoDaemon as failure:
        raise NoDaemon(failure.reason, _with_last_words(console, failure.message)) from failure
    if as_json:
        console.say_json(reply)
    else:
        view = console.view()
        console.say(text.paint(doctor_lines(reply, view), view))
        if running != version():
            console.say(f"\nNote: quotad {running} runs, quotactl is {version()}; a restart makes them one.")
    if not reply["ok"]:
        raise Undone("check-failed", "")


def doctor_lines(reply: wire.DoctorReply, view: View) -> Iterator[Line]:
    """The checks in the daemon's order, and what they come to."""
    checks = reply["checks"]
    column = max((text.cells(check["name"]) for check in checks), default=0) + 2
    mark_cells = max(map(len, (view.signs.yes, view.signs.no))) + 1
    for check in checks:
        yield from _check(check, column, mark_cells, view)
    failed = sum(not check["ok"] for check in checks)
    yield ()
    if failed:
        yield (Span(f"{failed} of {len(checks)} checks failed.", "bad"),)
    else:
        yield (Span(f"All {len(checks)} checks are fine.", "good"),)


def _check(check: wire.CheckReply, column: int, mark_cells: int, view: View) -> Iterator[Line]:
    mark, style = (view.signs.yes, "good") if check["ok"] else (view.signs.no, "bad")
    head = Span(text.pad(mark, mark_cells), "good" if style == "good" else "bad")
    name = text.pad(text.plain(check["name"]), column)
    indent = mark_cells + column
    first, *more = text.paragraph(Span(" " * indent), (Span(check["message"]),), view)
    yield (head, Span(name, "" if check["ok"] else "bold"), *first[1:])
    yield from more
    if check["remedy"]:
        arrow = " " * indent + view.signs.arrow + " "
        yield from text.paragraph(Span(arrow), (Span(check["remedy"], "bold"),), view)


def _with_last_words(console: Console, message: str) -> str:
    """Here of all places it matters why there is no daemon."""
    log = console.paths.state / "quotad.log"
    return f"{message}\nIts last words, from {log}:\n{last_words(log)}" if log.exists() else message
