"""``quotactl claude``: slash commands, hooks and status line, put into Claude Code and taken out again."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import click

from quotactl import text
from quotactl.claude import settings_text
from quotactl.claude.change_text import change_lines, command_names, gist_lines, row
from quotactl.claude.install import (
    Change,
    Kept,
    Places,
    commands,
    formers,
    install,
    installing,
    read,
    uninstall,
    uninstalling,
)
from quotactl.claude.settings_text import HOOKS, SettingsRefused
from quotactl.console import Console
from quotactl.failure import Undone
from quotactl.mistyped import HintingGroup
from quotactl.question import ask, can_ask, is_yes
from quotactl.text import Line, Span, Style, View

COMMENTS_REMEDY = "Nothing was changed. Mend the file, or take its comments out: they would not survive."

_GROUP_EXAMPLES = """\b
Examples:
  quotactl claude install --dry-run
  quotactl claude install
  quotactl claude status
"""

yes_option = click.option("--yes", is_flag=True, help="Do it without asking.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")


@click.group(epilog=_GROUP_EXAMPLES, cls=HintingGroup)
def claude() -> None:
    """Live inside Claude Code.

    Slash commands (/session-status, /start-next-session, /create-calendar-events), hooks, and a status line
    with the quota under every prompt.
    """


_INSTALL_EXAMPLES = """\b
Examples:
  quotactl claude install --dry-run
  quotactl claude install --yes
"""


@claude.command("install", epilog=_INSTALL_EXAMPLES)
@yes_option
@dry_run_option
@click.pass_obj
def install_command(console: Console, *, yes: bool, dry_run: bool) -> None:
    """Put commands, hooks and status line in.

    What would change is shown first. Everything that is there is kept, a status line too: ours runs it and
    shows both. A copy of your settings is left beside them.
    """
    places, program = _places(console), quotactl_path(console.program)
    try:
        changes, kept = installing(places, program)
        if _agreed(console, places, changes, kept, yes=yes, dry_run=dry_run):
            install(places, changes, program)
            _say(console, f"Done. {_after_install(console, places)}")
    except SettingsRefused as refused:
        _refuse(refused)
    except OSError as error:
        _fail(error)


_UNINSTALL_EXAMPLES = """\b
Examples:
  quotactl claude uninstall --dry-run
  quotactl claude uninstall --yes
"""


@claude.command("uninstall", epilog=_UNINSTALL_EXAMPLES)
@yes_option
@dry_run_option
@click.pass_obj
def uninstall_command(console: Console, *, yes: bool, dry_run: bool) -> None:
    """Take commands, hooks and status line out.

    What is not ours stays as it is, byte for byte; a status line that ours took the place of is put back.
    """
    places = _places(console)
    try:
        changes, kept = uninstalling(places)
        if not changes and not dry_run:
            # Somebody took it out by hand: what install wrote down of it goes, too.
            uninstall(places, changes)
        if _agreed(console, places, changes, kept, yes=yes, dry_run=dry_run):
            uninstall(places, changes)
            _say(console, "Done. Sessions of Claude Code that are running keep the hooks until they end.")
    except SettingsRefused as refused:
        _refuse(refused)
    except OSError as error:
        _fail(error)


_STATUS_EXAMPLES = """\b
Examples:
  quotactl claude status
"""


@claude.command("status", epilog=_STATUS_EXAMPLES)
@click.pass_obj
def status_command(console: Console) -> None:
    """What of ours is in Claude Code now."""
    places, program = _places(console), quotactl_path(console.program)
    try:
        lines = list(_standing(places, program, console.view()))
    except SettingsRefused as refused:
        _refuse(refused)
    except OSError as error:
        raise Undone("unreadable", f"{error.filename} cannot be read: {error.strerror}.") from error
    console.say(text.paint(lines, console.view()))


def quotactl_path(program: str) -> str:
    """The absolute path of this quotactl: Claude Code has a PATH of its own."""
    path = Path(program).absolute()
    if path.name != settings_text.PROGRAM or not os.access(path, os.X_OK):
        path = Path(sys.executable).parent / settings_text.PROGRAM
    return str(path)


def _places(console: Console) -> Places:
    paths = console.paths
    return Places(paths.root, paths.state)


def _agreed(  # noqa: PLR0913 - two of them are what was typed
    console: Console,
    places: Places,
    changes: Sequence[Change],
    kept: Sequence[Kept],
    *,
    yes: bool,
    dry_run: bool,
) -> bool:
    """Show what would change; whether to do it."""
    view = console.view()
    for one in kept:
        console.say(
            text.paint(text.paragraph(Span(""), (Span(f"{one.path} stays: {one.why}."),), view), view)
        )
    if not changes:
        _say(console, "Nothing has to change.")
        return False
    lines = [*change_lines(changes, view), text.EMPTY, *gist_lines(places, changes, view)]
    console.say(text.paint(lines, view))
    if dry_run:
        _say(console, "Nothing was changed.")
        return False
    if yes:
        return True
    if not can_ask(console):
        raise click.UsageError("There is no terminal to ask on: add --yes to do it, or --dry-run to look.")
    if is_yes(ask("Do this? [Y/n]"), enter=True):
        return True
    _say(console, "Nothing was changed.")
    return False


def _standing(places: Places, program: str, view: View) -> Iterator[Line]:
    """A line for the commands, the hooks and the status line each.

    Raises ``SettingsRefused``, ``OSError``.
    """
    wanted = commands(program)
    present = {name: read(places.root / "commands" / name) for name in wanted}
    there = [name for name in wanted if present[name] is not None]
    changed = [name for name in there if present[name] != wanted[name]]
    yield from _row(
        "commands", command_names(there) or "none", view, well=wanted.keys() == {*there} - {*changed}
    )
    for name in changed:
        yield from _row("", f"{name} is not as this version writes it", view, well=False)
    try:
        yield from _settings_standing(places, program, view)
    except SettingsRefused as refused:
        raise SettingsRefused(f"{places.settings}: {refused}") from None
    changes, _ = installing(places, program)
    if changes:
        yield (Span("`quotactl claude install` puts it right."),)


def _settings_standing(places: Places, program: str, view: View) -> Iterator[Line]:
    settings = read(places.settings) or ""
    shown = settings if settings.strip() else "{}"
    found = settings_text.found(shown)
    missing = [event for event in HOOKS if event not in found.hooks]
    hooks = f"{len(found.hooks)} of {len(HOOKS)}" + (f"; missing: {', '.join(missing)}" if missing else "")
    yield from _row("hooks", hooks, view, well=not missing)
    former = places.real in formers(places)
    if found.status_line:
        yield from _row(
            "status line", f"ours{', with the one that was there before' * former}", view, well=True
        )
    else:
        other = found.other_status_line
        yield from _row("status line", f"another: {other}" if other else "none", view, well=False)
    if (
        (found.hooks or found.status_line)
        and not missing
        and shown != settings_text.with_ours(shown, program)
    ):
        yield from _row("", f"not all of it runs {program}", view, well=False)
    if settings_text.hooks_are_off(shown):
        told = '"disableAllHooks" is set: Claude Code runs no hook and no status line'
        yield from _row("", told, view, well=False)


def _row(name: str, said: str, view: View, *, well: bool) -> Iterator[Line]:
    style: Style = "good" if well else "bad"
    yield from row(name, said, style, view)


def _after_install(console: Console, places: Places) -> str:
    has_former = places.real in formers(places)
    former = " The status line that was there is shown below ours." if has_former else ""
    running = "" if console.paths.socket.exists() else " Start the daemon with `quotactl up`."
    return f"New sessions of Claude Code have it; try /session-status.{former}{running}"


def _say(console: Console, sentence: str) -> None:
    view = console.view()
    console.say(text.paint(text.paragraph(Span(""), (Span(sentence),), view), view))


def _refuse(refused: SettingsRefused) -> NoReturn:
    raise Undone("settings-invalid", f"{refused}. {COMMENTS_REMEDY}") from None


def _fail(error: OSError) -> NoReturn:
    place = error.filename or "the settings"
    raise Undone("not-written", f"{place} cannot be written: {error.strerror}.") from error
