"""``quotactl start``: act on the decision, which means claim a session and run Claude Code, or book it.

Nothing is started that nobody has agreed to: at a terminal you are asked, elsewhere ``--yes`` says so. A
claim is made before Claude Code runs, under the id that its session will bear, and taken back if it cannot.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import click

from quotactl import text
from quotactl.console import Console, json_option
from quotactl.decision_text import (
    OTHERS_MOST,
    booked_lines,
    claimed_lines,
    decision_lines,
    untold_lines,
    what_next_lines,
    when_text,
)
from quotactl.failure import Undone
from quotactl.launch import SESSION_VARIABLES, command_line, directory_of, new_session, run_claude
from quotactl.next import decided
from quotactl.planned_options import hours_of, hours_option
from quotactl.question import ask, can_ask, is_no, is_yes
from quotactl.render import status_text
from quotactl.schedule import booked
from quotactl.text import Line, Span, View
from quotad import wire

if TYPE_CHECKING:
    from quotad.wire import planning

_START_EXAMPLES = """\b
Examples:
  quotactl start                  asks how long you have, and before it acts
  quotactl start api              this one
  quotactl start --hours 2 --yes  whatever is best, without a question
  quotactl start --print          only the command line that would be run
  quotactl start --here           inside Claude Code: this session takes it on
"""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asks for."""

    named: str | None
    hours: float | None


@click.command(epilog=_START_EXAMPLES)
@click.argument("id_", metavar="[ID]", required=False)
@hours_option
@click.option("--yes", "-y", is_flag=True, help="Do what is decided, without asking.")
@click.option(
    "--print", "printing", is_flag=True, help="Print the command line; run, claim and book nothing."
)
@click.option("--here", is_flag=True, help="Claim it for the Claude Code session that runs this.")
@click.option("--session", metavar="UUID", help="With --here: that session, if it is not in the environment.")
@json_option
@click.pass_obj
def start(  # noqa: PLR0913 - one argument an option
    console: Console,
    *,
    id_: str | None,
    hours: float | None,
    yes: bool,
    printing: bool,
    here: bool,
    session: str | None,
    as_json: bool,
) -> None:
    """Start a planned session if the quota is there for it, or book it for when it is.

    Shows where you stand and what is decided, and asks. Then Claude Code runs in the session's directory with
    its agent and objectives, under an id by which what it really spends is booked against the session.
    When it ends you are told what has become of the session; if it fails before it has spent anything, the
    session is ready again.

    Without a terminal nothing is asked: without --yes the decision is shown, and nothing done. --json shows
    the decision as `quotactl next --json` does. --print claims nothing, even with --yes: `start --here` from
    within the session does. With --here a session that fits is claimed, and its objectives are printed for
    Claude; one that does not fit is booked only with --yes.
    """
    if printing and (here or as_json):
        raise click.UsageError(f"--print and --{'here' if here else 'json'} exclude each other.")
    if session is not None and not here:
        raise click.UsageError("--session goes with --here.")
    wish = Wish(id_, hours)
    if printing:
        _print_command(console, wish)
    elif here:
        _start_here(console, wish, session, yes=yes, as_json=as_json)
    elif yes:
        _start_now(console, wish, as_json=as_json)
    elif can_ask(console) and not as_json:
        _start_asking(console, wish)
    else:
        _show(console, decided(console, id_, hours), "--yes", as_json=as_json)


def _show(console: Console, reply: planning.DecisionReply, option: str, *, as_json: bool) -> None:
    """The decision, and what to type to act on it: `start` with this option."""
    if as_json:
        console.say_json(reply)
        return
    view = console.view()
    lines = [*_told_lines(reply, console.now(), view), *what_next_lines(reply, view, option)]
    console.say(text.paint(lines, view))


def _told_lines(
    reply: planning.DecisionReply, now: int, view: View, *, numbered: bool = False
) -> Iterator[Line]:
    """The decision, and whether Claude would know what to do."""
    yield from decision_lines(reply, now, view, numbered=numbered)
    if reply["action"] == "start" and reply["session"] is not None:
        yield from untold_lines(reply["session"], view)


def _print_command(console: Console, wish: Wish) -> None:
    """The command line on standard output and nothing else; why there is none on standard error."""
    reply = decided(console, wish.named, wish.hours)
    planned = reply["session"]
    if reply["action"] != "start" or planned is None:
        click.echo(text.plain(reply["reason"]), err=True)
        return
    command = shlex.join(command_line(planned, new_session()))
    directory = directory_of(planned)
    console.say(f"cd {shlex.quote(directory)} && {command}" if directory else command)


def _claim(
    console: Console, wish: Wish, claude_session: str, *, only_if_it_fits: bool
) -> planning.DecisionReply:
    """What the daemon has done: claimed a session under this id, or booked it, or nothing."""
    params: Mapping[str, object] = {
        "claude_session": claude_session,
        "id": wish.named,
        "hours": wish.hours,
        "only_if_it_fits": only_if_it_fits,
    }
    with console.connect() as client:
        return cast("planning.DecisionReply", client.ask("start", params))


def _start_here(console: Console, wish: Wish, session: str | None, *, yes: bool, as_json: bool) -> None:
    environment = console.environment
    known = session or next((environment[name] for name in SESSION_VARIABLES if environment.get(name)), None)
    if known is None:
        # No wrong usage: a slash command must be able to show it.
        message = (
            "Which Claude Code session this is cannot be told: CLAUDE_CODE_SESSION_ID is not set (within a "
            "session Claude Code sets it, since 2.1.132). Say it with --session UUID."
        )
        raise Undone("no-claude-session", message)
    reply = decided(console, wish.named, wish.hours)
    planned = reply["session"]
    if planned is not None and reply["action"] == "start":
        wish = Wish(planned.get("id"), wish.hours)
    elif not yes:
        _show(console, reply, "--here", as_json=as_json)
        return
    reply = _claim(console, wish, known, only_if_it_fits=not yes)
    if as_json:
        console.say_json(reply)
    elif reply["action"] == "start":
        view = console.view()
        console.say(text.paint(claimed_lines(reply, view), view))
    else:
        _say_outcome(console, reply)


def _start_now(console: Console, wish: Wish, *, as_json: bool) -> None:
    """Without a question; the daemon decides and acts in one."""
    claude_session = new_session()
    reply = _claim(console, wish, claude_session, only_if_it_fits=False)
    if as_json:
        console.say_json(reply)
    elif reply["action"] != "start":
        _say_outcome(console, reply)
    else:
        view = console.view()
        alone: planning.DecisionReply = reply | {"alternatives": [], "blocked": []}
        console.say(text.paint(_told_lines(alone, console.now(), view), view))
    if reply["action"] == "start" and reply["session"] is not None:
        run_claude(console, reply["session"], claude_session, quiet=as_json)


def _say_outcome(console: Console, reply: planning.DecisionReply) -> None:
    """What the daemon did when there was nothing to start: it has booked the session, or there is none."""
    view, now = console.view(), console.now()
    planned, at = reply["session"], reply["schedule_for"]
    if reply["action"] == "schedule" and planned is not None and at is not None:
        when = when_text(wire.instant(at), now, view)
        line = (Span(planned.get("id", ""), "bold"), Span(" is booked for "), Span(when, "bold"), Span("."))
        console.say(text.paint(text.paragraph(Span(""), line, view), view))
        console.say(text.paint(text.paragraph(Span(""), (Span(reply["reason"]),), view), view))
    else:
        console.say(text.paint(decision_lines(reply, now, view), view))


def _start_asking(console: Console, wish: Wish) -> None:
    """Status, hours, decision, question; round again for each other session that is chosen."""
    with console.connect() as client:
        status = client.status()
    console.say(status_text(status, console.view()) + "\n")
    reply = decided(console, wish.named, wish.hours)
    # How long one has matters only where there is something to choose from.
    if wish.hours is None and wish.named is None and reply["action"] != "none":
        wish = Wish(None, _asked_hours(console))
        console.say("")
        reply = decided(console, wish.named, wish.hours)
    while True:
        view = console.view()
        lines = _told_lines(reply, console.now(), view, numbered=True)
        console.say(text.paint(lines, view) + "\n")
        planned = reply["session"]
        if reply["action"] == "none" or planned is None:
            return
        match _answer(console, reply):
            case True:
                _act(console, reply, planned, wish)
                return
            case False:
                console.say("Nothing was started or booked.")
                return
            case other:
                wish = Wish(other, wish.hours)
                reply = decided(console, wish.named, wish.hours)
                console.say("")


def _asked_hours(console: Console) -> float | None:
    """None for as long as it takes."""
    while True:
        answer = ask("How many hours do you have? (4, 1.5, 90m; Enter: any)")
        if not answer or is_no(answer):
            return None
        try:
            return hours_of(answer)
        except ValueError:
            console.say("Say 4, 1.5 or 90m.")


def _answer(console: Console, reply: planning.DecisionReply) -> bool | str:
    """Whether to do it, or the id of another session."""
    others = [one["session"].get("id", "") for one in reply["alternatives"]][:OTHERS_MOST]
    if reply["action"] == "start":
        doing = "Start it now?"
    elif reply["schedule_for"] is not None:
        at = when_text(wire.instant(reply["schedule_for"]), console.now(), console.view())
        doing = f"Book it for {at.replace(text.HARD, ' ')}?"
    else:
        doing = "Book it?"
    choice = " or a number" if others else ""
    while True:
        answer = ask(f"{doing} [Y/n{choice}]").lower()
        if is_yes(answer, enter=True):
            return True
        if is_no(answer):
            return False
        if answer.isdecimal() and 1 <= int(answer) <= len(others):
            return others[int(answer) - 1]
        console.say(f"Say y, n{choice and ' or the number of another session'}.")


def _act(console: Console, reply: planning.DecisionReply, planned: planning.PlannedReply, wish: Wish) -> None:
    """What was agreed to, and nothing else: what no longer fits is refused."""
    named = planned.get("id", "")
    if reply["action"] == "schedule":
        view = console.view()
        console.say(text.paint(booked_lines(booked(console, named, None), console.now(), view), view))
        return
    claude_session = new_session()
    claimed = _claim(console, Wish(named, wish.hours), claude_session, only_if_it_fits=True)
    if claimed["action"] != "start" or claimed["session"] is None:
        # While the question stood, somebody else has started it, or it was taken out.
        _say_outcome(console, claimed)
    else:
        run_claude(console, claimed["session"], claude_session)
