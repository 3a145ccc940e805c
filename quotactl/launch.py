"""Claude Code, run for a planned session: its command line, place and environment, and its end."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, cast

import click

from quotactl import foreground, text, words
from quotactl.console import Console
from quotactl.decision_text import prompt_of
from quotactl.failure import Failure, Undone
from quotactl.text import Span

if TYPE_CHECKING:
    from quotad.wire import planning

PROGRAM = "claude"

_EXIT_BY_SIGNAL = 128
"""What a shell adds to the number of the signal that ended a program."""

SESSION_VARIABLES = ("CLAUDE_CODE_SESSION_ID", "CLAUDE_SESSION_ID")
"""Where a Claude Code session says its id to what it runs: the first since 2.1.132."""

NESTING_VARIABLES = ("CLAUDECODE", "CLAUDE_CODE_CHILD_SESSION", *SESSION_VARIABLES)
"""By these Claude Code knows that it was started from within itself, and then it keeps no transcript
(anthropics/claude-code 72347, 80654). A session that somebody starts is not nested, and is to be counted."""


def new_session() -> str:
    """An id for a Claude Code session, of the form that it asks for."""
    return str(uuid.uuid4())


def command_line(planned: planning.PlannedReply, claude_session: str) -> list[str]:
    """How Claude Code is started for it."""
    agent = planned.get("agent", "")
    return [
        *(PROGRAM, "--session-id", claude_session),
        *(("--agent", agent) if agent else ()),
        prompt_of(planned),
    ]


def directory_of(planned: planning.PlannedReply) -> str:
    """Where it runs: where it says, else where we stand; empty when that is gone."""
    return os.path.expanduser(planned.get("cwd", "")) or here()  # noqa: PTH111 - never raises


def here() -> str:
    """Where we stand; empty when that is gone."""
    try:
        return str(Path.cwd())
    except FileNotFoundError:
        return ""


def run_claude(
    console: Console, planned: planning.PlannedReply, claude_session: str, *, quiet: bool = False
) -> NoReturn:
    """Claude Code at this terminal until it ends, then what has become of the session; with its exit code.

    If it cannot run, or fails before it has spent anything, the claim is taken back. ``quiet`` leaves
    standard output to Claude Code.
    """
    directory = directory_of(planned)
    command = command_line(planned, claude_session)
    try:
        program = _found(console.environment)
        _enter(directory)
        if not quiet:
            console.say(f"Claude Code starts in {text.place(text.plain(directory or '.'), console.view())}.")
        sys.stdout.flush()
        code = foreground.run(program, command, _environment(console.environment, directory))
    except (Undone, OSError, ValueError) as error:
        reason = error.message if isinstance(error, Failure) else f"Claude Code cannot be started: {error}."
        raise Undone("not-started", reason + _released(console, planned, claude_session)) from error
    said = _afterwards(console, planned.get("id", ""), claude_session, code)
    view = console.view()
    # The terminal may have gone, and Claude Code with it.
    with suppress(OSError):
        click.echo(text.paint(text.paragraph(Span(""), (Span(said),), view), view), err=quiet or code != 0)
    sys.exit(code if code >= 0 else _EXIT_BY_SIGNAL - code)


def _afterwards(console: Console, named: str, claude_session: str, code: int) -> str:
    """One sentence on what has become of the session; a claim that nothing came of is taken back."""
    try:
        with console.connect() as client:
            shown = cast("planning.QueueShowReply", client.ask("queue.show", {"id": named}))
            run = next((one for one in shown["runs"] if one["claude_session"] == claude_session), None)
            state = shown["session"].get("status", "").replace("_", " ")
            if run is None or run["outcome"] is not None:
                return f"{named} is {state}."
            if code and not run["actual"]:
                client.ask("release", {"id": named, "claude_session": claude_session})
                how = f"with {code}" if code > 0 else f"by {signal.Signals(-code).name}"
                return f"claude ended {how} before it spent anything: {named} is ready again."
    except Failure as failure:
        return f"{named} may still be in progress ({failure.message}): quotactl queue show {named}"
    spent = f"{words.tokens(run['actual'])} of {words.tokens(run['estimate'])} spent"
    return (
        f"{named} is still {state}{console.view().signs.dot}{spent}. "
        f"`quotactl queue done {named}` when it is finished, "
        f"or `quotactl queue edit {named} --ready` to take it back."
    )


def _found(environment: Mapping[str, str]) -> str:
    program = shutil.which(PROGRAM, path=environment.get("PATH"))
    if program is None:
        message = f"Claude Code cannot be started: there is no `{PROGRAM}` on your PATH."
        raise Undone("no-claude", message)
    return os.path.abspath(program)  # noqa: PTH100 - we are about to stand elsewhere; links stay


def _enter(directory: str) -> None:
    if not directory:
        return
    try:
        os.chdir(directory)
    except OSError as error:
        message = f"Claude Code cannot be started in {text.plain(directory)}: {error.strerror}."
        raise Undone("no-directory", message) from error


def _environment(environment: Mapping[str, str], directory: str) -> dict[str, str]:
    """Ours, without what a Claude Code around us has left in it."""
    kept = {name: value for name, value in environment.items() if name not in NESTING_VARIABLES}
    return kept | ({"PWD": directory} if directory else {})


def _released(console: Console, planned: planning.PlannedReply, claude_session: str) -> str:
    """Takes the claim back; what there is to say about that."""
    named = planned.get("id", "")
    try:
        with console.connect() as client:
            client.ask("release", {"id": named, "claude_session": claude_session})
    except Failure as failure:
        return f"\n{named} is still claimed ({failure.message}): quotactl queue edit {named} --ready"
    return f" {named} is ready again."
