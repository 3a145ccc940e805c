"""``quotactl claude``: slash commands, hooks and status line, put into Claude Code and taken out again."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import click

from quotactl import text
from quotactl.claude import settings_text
from quotactl.claude.install import (
    Change,
    Kept,
    Places,
    commands,
    install,
    installing,
    read,
    recorded,
    uninstall,
    uninstalling,
)
from quotactl.claude.settings_text import HOOKS, SettingsRefused
from quotactl.console import Console
from quotactl.failure import Undone
from quotactl.mistyped import HintingGroup
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
        if _agreed(console, changes, kept, yes=yes, dry_run=dry_run):
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
        if _agreed(console, changes, kept, yes=yes, dry_run=dry_run):
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


def _agreed(
    console: Console, changes: Sequence[Change], kept: Sequence[Kept], *, yes: bool, dry_run: bool
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
    console.say(text.paint(list(_shown(changes)), view))
    if dry_run:
        _say(console, "Nothing was changed.")
        return False
    if yes:
        return True
    if not (console.terminal and sys.stdin.isatty()):
        raise click.UsageError("There is no terminal to ask on: add --yes to do it, or --dry-run to look.")
    return click.confirm("Do this?", default=True)


def _shown(changes: Sequence[Change]) -> Iterator[Line]:
    """Each change as people know it from version control."""
    for change in changes:
        if change.before is None:
            yield (Span(f"new: {change.path}", "bold"),)
        elif change.after is None:
            yield (Span(f"deleted: {change.path}", "bold"),)
            continue
        else:
            yield (Span(f"changed: {change.path}", "bold"),)
        if change.before is None and change.path.suffix == ".md":
            continue
        before, after = (change.before or "").splitlines(), (change.after or "").splitlines()
        for line in list(difflib.unified_diff(before, after, n=1, lineterm=""))[2:]:
            style: Style = "good" if line.startswith("+") else "bad" if line.startswith("-") else ""
            yield (Span(f"  {text.plain(line)}", style),)


def _standing(places: Places, program: str, view: View) -> Iterator[Line]:
    """A line for the commands, the hooks and the status line each."""
    wanted = commands(program)
    present = {name: read(places.root / "commands" / name) for name in wanted}
    there = [name for name in wanted if present[name] is not None]
    changed = [name for name in there if present[name] != wanted[name]]
    names = ", ".join(f"/{Path(name).stem}" for name in there)
    yield from _row("commands", names or "none", len(there) == len(wanted) and not changed, view)
    for name in changed:
        yield from _row("", f"{name} is not as this version writes it", well=False, view=view)
    settings = read(places.settings)
    found = settings_text.found(settings if settings and settings.strip() else "{}")
    missing = [event for event in HOOKS if event not in found.hooks]
    hooks = f"{len(found.hooks)} of {len(HOOKS)}" + (f"; missing: {', '.join(missing)}" if missing else "")
    yield from _row("hooks", hooks, not missing, view)
    record = recorded(places)
    if found.status_line:
        beside = ", with the one that was there before" if record and record.status_line else ""
        yield from _row("status line", f"ours{beside}", well=True, view=view)
    else:
        other = found.other_status_line
        yield from _row("status line", f"another: {other}" if other else "none", well=False, view=view)
    if settings is not None and record is not None and settings != settings_text.with_ours(settings, program):
        yield from _row("", f"not all of it runs {program}", well=False, view=view)
    if missing or changed or not found.status_line or len(there) < len(wanted):
        yield (Span("`quotactl claude install` puts it right."),)


def _row(name: str, said: str, well: bool, view: View) -> Iterator[Line]:  # noqa: FBT001 - one of a table's cells
    style: Style = "good" if well else "bad"
    yield from text.paragraph(Span(f"{name:<13}"), (Span(text.plain(said), style),), view)


def _after_install(console: Console, places: Places) -> str:
    former = " The status line that was there is shown behind ours." if places.former.exists() else ""
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
