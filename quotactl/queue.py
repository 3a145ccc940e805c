"""``quotactl queue``: the planned sessions; their home is ``session-queue.json``, the daemon writes it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

import click

from quotactl import text, words
from quotactl.console import Console, json_option
from quotactl.failure import Refused, Undone
from quotactl.mistyped import HintingGroup
from quotactl.planned_options import described_options, given
from quotactl.planned_text import (
    facts,
    hint_lines,
    late_lines,
    queue_lines,
    run_facts,
    show_lines,
    warning_lines,
)
from quotactl.question import ask, can_ask, is_yes
from quotactl.text import Line, Span, View
from quotad import wire

if TYPE_CHECKING:
    from quotad.wire import planning

_MARKDOWN_SUFFIXES = {".md", ".markdown", ".mdown", ".txt"}
_ENVELOPE_BYTES = 1024
"""What a request needs beyond the text that it carries."""


_QUEUE_EXAMPLES = """\b
Examples:
  quotactl queue add --id api --tokens 65k --hours 4
  quotactl queue list
"""


@click.group(cls=HintingGroup, epilog=_QUEUE_EXAMPLES)
def queue() -> None:
    """Plan sessions: what is to be done, what it takes, what it needs first.

    The queue is the file session-queue.json in Claude Code's directory. Edits by hand are taken in.
    """


_ADD_EXAMPLES = """\b
Examples:
  quotactl queue add --id api --phase "Implementation" --tokens 65k --hours 4
  quotactl queue add --id docs --tokens 22k --depends-on api --priority low
  quotactl queue add --id polish --tokens 18k --cwd . --deadline 2026-12-01 \\
      --objective "No warnings" --objective "Texts proof-read"
"""


@queue.command(epilog=_ADD_EXAMPLES)
@click.option("--id", "id_", metavar="ID", required=True, help="Its name: letters, digits, '.', '_' and '-'.")
@described_options(new=True)
@json_option
@click.pass_obj
def add(console: Console, /, *, id_: str, as_json: bool, **described: object) -> None:
    """Plan a session.

    Without --hours it takes one hour, without --priority it is medium. It is on disk when this returns.
    """
    _say_planned(
        console,
        _asked(console, "queue.add", {"id": id_} | given(described)),
        id_,
        "planned",
        as_json=as_json,
    )


_EDIT_EXAMPLES = """\b
Examples:
  quotactl queue edit api --tokens 80k --priority high
  quotactl queue edit api --objective "One" --objective "Two"   all anew
  quotactl queue edit api --deadline '' --depends-on ''         none
  quotactl queue edit api --ready                               to do it again
"""


@queue.command(epilog=_EDIT_EXAMPLES)
@click.argument("id_", metavar="ID")
@described_options(new=False)
@click.option("--ready", is_flag=True, help="Back to ready: it was in progress, or complete.")
@json_option
@click.pass_obj
def edit(console: Console, /, *, id_: str, ready: bool, as_json: bool, **described: object) -> None:
    """Change a planned session. What is not named stays; '' empties a text."""
    changes = given(described)
    if not changes and not ready:
        raise click.UsageError("Say what is to change: --tokens, --hours, --priority ...")
    reply = _asked(console, "queue.edit", {"id": id_, "ready": ready} | changes)
    _say_planned(console, reply, id_, "changed", as_json=as_json)


def _asked(console: Console, method: str, params: Mapping[str, object]) -> Mapping[str, object]:
    with console.connect() as client:
        return client.ask(method, params)


def _say_planned(
    console: Console, reply: Mapping[str, object], named: str, done: str, *, as_json: bool
) -> None:
    if as_json:
        console.say_json(reply)
        return
    view = console.view()
    session = cast("planning.PlannedReply", reply)
    state = session.get("status", "")
    said: list[Line] = [(Span(named, "bold"), Span(f" is {done}"))]
    if state == "blocked":
        said.append((Span(f"waits for {', '.join(session.get('dependencies', []))}", "dim"),))
    elif state:
        said.append((Span(state.replace("_", " ")),))
    lines = text.flow([*said, *facts(session, console.now(), view)], view, 0)
    _say(console, [*lines, *_odd(session, console, view)], view)


def _odd(session: planning.PlannedReply, console: Console, view: View) -> Iterator[Line]:
    """What a person may have meant otherwise."""
    directory = session.get("cwd", "")
    if directory and not os.path.isdir(directory):  # noqa: PTH112 - never raises
        place = text.place(directory, view)
        yield from warning_lines(f"{place} is no directory now; `start` needs it to be one.", view)
    if "deadline" in session and session.get("status") != "complete":
        at, now = wire.instant(session["deadline"]), console.now()
        if at <= now:
            yield from warning_lines(f"Its deadline, {words.clock(at, now, view)}, has passed.", view)
        elif "scheduledFor" in session:
            yield from late_lines(session, wire.instant(session["scheduledFor"]), now, view)


def _say(console: Console, lines: Iterable[Line], view: View) -> None:
    console.say(text.paint(lines, view))


_LIST_EXAMPLES = """\b
Examples:
  quotactl queue list
  quotactl queue list --all          with what is complete
  quotactl queue list --json | jq '.sessions[].id'
"""


@queue.command("list", epilog=_LIST_EXAMPLES, short_help="Show the planned sessions.")
@click.option("--all", "everything", is_flag=True, help="Show what is complete, too.")
@json_option
@click.pass_obj
def list_(console: Console, *, everything: bool, as_json: bool) -> None:
    """Show the planned sessions, what is nearest to now first."""
    reply = _asked(console, "queue.list", {})
    if as_json:
        console.say_json(reply)
        return
    view = console.view()
    listed = cast("planning.QueueListReply", reply)
    _say(console, queue_lines(listed, console.now(), view, everything=everything), view)


_SHOW_EXAMPLES = """\b
Examples:
  quotactl queue show api
  quotactl queue show api --json | jq .runs
"""


@queue.command(epilog=_SHOW_EXAMPLES, short_help="Show all there is to know of one.")
@click.argument("id_", metavar="ID")
@json_option
@click.pass_obj
def show(console: Console, *, id_: str, as_json: bool) -> None:
    """Show one planned session: objectives, budget, what it waits for, its runs."""
    reply = _asked(console, "queue.show", {"id": id_})
    if as_json:
        console.say_json(reply)
    else:
        view = console.view()
        _say(console, show_lines(cast("planning.QueueShowReply", reply), console.now(), view), view)


_REMOVE_EXAMPLES = """\b
Examples:
  quotactl queue remove api
  quotactl queue remove api --force  even if others need it
"""


@queue.command(epilog=_REMOVE_EXAMPLES, short_help="Take a session out of the queue.")
@click.argument("id_", metavar="ID")
@click.option("--force", is_flag=True, help="Do not ask: others no longer need it then.")
@json_option
@click.pass_obj
def remove(console: Console, *, id_: str, force: bool, as_json: bool) -> None:
    """Take a session out of the queue; if others need it, ask first."""
    try:
        reply = _asked(console, "queue.remove", {"id": id_, "force": force})
    except Refused as refusal:
        if refusal.reason != "needed-by-others" or as_json or not can_ask(console):
            raise
        console.say(text.plain(refusal.message))
        if not is_yes(ask("Remove it, and their need of it? [y/N]"), enter=False):
            console.say("Nothing was changed.")
            return
        reply = _asked(console, "queue.remove", {"id": id_, "force": True})
    if as_json:
        console.say_json(reply)
    else:
        console.say(f"{text.plain(id_)} is no longer planned.")


_DONE_EXAMPLES = """\b
Examples:
  quotactl queue done api
"""


@queue.command(epilog=_DONE_EXAMPLES)
@click.argument("id_", metavar="ID")
@json_option
@click.pass_obj
def done(console: Console, *, id_: str, as_json: bool) -> None:
    """Call a session complete. What it really spent is kept beside what was planned."""
    with console.connect() as client:
        reply = client.ask("queue.done", {"id": id_})
        shown = None if as_json else cast("planning.QueueShowReply", client.ask("queue.show", {"id": id_}))
    if shown is None:
        console.say_json(reply)
        return
    view = console.view()
    said: list[Line] = [(Span(id_, "bold"), Span(" is complete"))]
    if shown["runs"]:
        # The time it began says nothing any more, and how it ended stands first.
        said += list(run_facts(shown["runs"][0], console.now(), view))[2:]
    if shown["needed_by"]:
        said.append((Span(f"{', '.join(shown['needed_by'])} waited for it"),))
    _say(console, text.flow(said, view, 0), view)


_IMPORT_EXAMPLES = """\b
Examples:
  quotactl queue import tasks.md
  quotactl queue import session-queue.json
  echo "- [ ] Write the docs (22k, 2h, low)" | quotactl queue import -
"""


@queue.command("import", epilog=_IMPORT_EXAMPLES, short_help="Plan what is in a file, or a task list.")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--form",
    type=click.Choice(["json", "markdown"]),
    help="What it is, if its name and beginning do not tell.",
)
@json_option
@click.pass_obj
def import_(console: Console, *, file: IO[bytes], form: str | None, as_json: bool) -> None:
    """Plan all the sessions of a file: in the queue's own shape, or a Markdown task list.

    A task is `- [ ] Title (30k, 2h, high, after: other-id, agent: x, due: 2026-12-01)`; items below it are
    its objectives. Without brackets it gets 30k tokens and an hour, and the answer says so.

    What is in the queue already stays as it is: import a list again when it has grown. All that is
    new is planned, or, if anything is wrong, nothing. FILE may be - for standard input.
    """
    content = _content(file)
    form = form or _form(getattr(file, "name", ""), content)
    reply = cast("planning.ImportReply", _asked(console, "queue.import", {"text": content, "form": form}))
    if as_json:
        console.say_json(reply)
        return
    view = console.view()
    _say(console, _import_lines(reply, view), view)


def _import_lines(reply: planning.ImportReply, view: View) -> Iterator[Line]:
    added, kept, assumed = reply["added"], reply["kept"], reply["assumed"]
    count = f"{len(added)} session{'' if len(added) == 1 else 's'}"
    line = (Span(f"{count} planned: "), Span(", ".join(added), "bold"), Span("."))
    yield from text.paragraph(Span(""), line if added else (Span("There is no new session in it."),), view)
    if kept:
        said = f"In the queue already, and left as it is there: {', '.join(kept)}."
        yield from text.paragraph(Span(""), (Span(said, "dim"),), view)
    if assumed:
        said = f"Without a number of tokens, so 30k are assumed: {', '.join(assumed)}."
        yield from text.paragraph(Span(""), (Span(said, "fair"),), view)
        yield from hint_lines("Say it better:", f"quotactl queue edit {assumed[0]} --tokens 60k", view)


def _content(file: IO[bytes]) -> str:
    """The whole text; raises ``Undone`` where it is none, or more than a request can carry."""
    most = wire.REQUEST_BYTES_MAX - _ENVELOPE_BYTES
    raw = file.read(most + 1)
    name = getattr(file, "name", "-")
    try:
        content = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Undone("not-text", f"{name} is no text in UTF-8 (byte {error.start + 1}).") from error
    if len(wire.request("queue.import", {"text": content, "form": "markdown"}, 1)) > most:
        raise Undone(
            "too-large", f"{name} is larger than 1 MiB, which is the most that can be taken in at once."
        )
    return content


def _form(name: object, content: str) -> str:
    if isinstance(name, str) and Path(name).suffix.lower() in _MARKDOWN_SUFFIXES:
        return "markdown"
    return "json" if content.lstrip().startswith("{") else "markdown"


_EXPORT_EXAMPLES = """\b
Examples:
  quotactl queue export > queue.json
  quotactl queue export --json | jq -r .text
"""


@queue.command(epilog=_EXPORT_EXAMPLES, short_help="Print the queue's file.")
@json_option
@click.pass_obj
def export(console: Console, *, as_json: bool) -> None:
    """Print the queue's file as it is, ready for `quotactl queue import`."""
    reply = cast("wire.Exported", _asked(console, "queue.export", {}))
    if as_json:
        console.say_json(reply)
    else:
        console.say(reply["text"].removesuffix("\n"))
