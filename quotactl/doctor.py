"""``quotactl doctor``: each thing that was looked at, and for each fault what to do about it."""

from __future__ import annotations

from collections.abc import Iterator

import click

from quotactl import text
from quotactl.beside import told_by_quotad
from quotactl.cli import version
from quotactl.console import Console, json_option
from quotactl.failure import NoDaemon, Undone
from quotactl.text import Line, Span, Style, View
from quotactl.up import last_words
from quotad import wire

_NARROW_COLUMNS = 60

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
        raise NoDaemon(failure.reason, _with_reasons(console, failure.message)) from failure
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
    for check in checks:
        yield from _check(check, column, view)
    failed = sum(not check["ok"] for check in checks)
    yield ()
    if failed:
        yield (Span(f"{failed} of {len(checks)} checks failed.", "bad"),)
    else:
        yield (Span("Everything is fine.", "good"),)


def _check(check: wire.CheckReply, column: int, view: View) -> Iterator[Line]:
    """Mark, name, message; in a narrow view the message stands under the name."""
    mark_cells = max(map(len, (view.signs.yes, view.signs.no))) + 1
    mark = Span(text.pad(view.signs.yes if check["ok"] else view.signs.no, mark_cells), _mark_style(check))
    name = Span(text.pad(text.plain(check["name"]), column), "" if check["ok"] else "bold")
    narrow = view.width < _NARROW_COLUMNS
    indent = mark_cells + (0 if narrow else column)
    first, *more = text.paragraph(Span(" " * indent), (Span(check["message"]),), view)
    if narrow:
        yield (mark, name)
        yield first
    else:
        yield (mark, name, *first[1:])
    yield from more
    if check["remedy"]:
        arrow = " " * indent + view.signs.arrow + " "
        yield from text.paragraph(Span(arrow), (Span(check["remedy"], "bold"),), view)


def _mark_style(check: wire.CheckReply) -> Style:
    return "good" if check["ok"] else "bad"


def _with_reasons(console: Console, message: str) -> str:
    """Here of all places it matters why there is no daemon: its last words, and whether it would start."""
    log = console.paths.state / "quotad.log"
    if log.exists():
        message += f"\nIts last words, from {log}:\n{last_words(log)}"
    try:
        verdict = told_by_quotad(console, "--check-config")
    except Undone as failure:
        verdict = failure.message
    told = "\n".join(f"  {text.plain(line)}" for line in verdict.splitlines())
    return f"{message}\nThe settings, by quotad --check-config:\n{told}"
