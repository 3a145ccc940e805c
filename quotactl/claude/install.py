"""Putting quotactl into Claude Code and taking it out again: what would change, and the changing of it.

What install found and what it wrote is recorded in the state directory. While the settings are as install
left them, uninstall puts the very bytes back that were there; once somebody has changed them since, only what
is ours is taken out of what is there now.
"""

from __future__ import annotations

import json
import os
import shlex
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from quotactl.claude import settings_text
from quotactl.claude.settings_text import SettingsRefused
from quotactl.statusline import FORMER_FILE

SHIPPED = Path(__file__).parent / "commands"
PLACEHOLDER = "{quotactl}"
BACKUP_SUFFIX = ".before-quotad"


class Change(NamedTuple):
    """One file: its text now and then; None where there is no file."""

    path: Path
    before: str | None
    after: str | None


class Kept(NamedTuple):
    """A file that is left as it is, and why."""

    path: Path
    why: str


@dataclass(frozen=True, slots=True)
class Record:
    """What install found (``before``; None: no file) and wrote.

    ``status_line`` is the JSON of the one that ours took the place of.
    """

    settings: str
    before: str | None
    after: str
    status_line: str | None
    commands: Mapping[str, str]
    """The texts that were written, by name."""


class Places(NamedTuple):
    """Claude Code's directory and quotad's state directory."""

    root: Path
    state: Path

    @property
    def settings(self) -> Path:
        return self.root / "settings.json"

    @property
    def record(self) -> Path:
        """One a root: people keep an account in each."""
        return self.state / f"claude-{sha256(os.fsencode(self.real)).hexdigest()[:12]}.json"

    @property
    def real(self) -> str:
        """The name of the directory, whatever links lead to it."""
        return os.path.realpath(self.root)

    @property
    def former(self) -> Path:
        return self.state / FORMER_FILE


def read(path: Path) -> str | None:
    """The text of a file, None if there is none. Raises ``SettingsRefused`` for what is not UTF-8 text."""
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise SettingsRefused(f"{path} is not UTF-8 text") from None


def recorded(places: Places) -> Record | None:
    """What the last install wrote down; None if there was none, or nobody can read it any more."""
    try:
        return Record(**json.loads(places.record.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def commands(program: str) -> dict[str, str]:
    """The slash commands by file name, running ``program``, an absolute path."""
    quoted = shlex.quote(program)
    return {path.name: path.read_text().replace(PLACEHOLDER, quoted) for path in sorted(SHIPPED.glob("*.md"))}


def installing(places: Places, program: str) -> tuple[list[Change], list[Kept]]:
    """What install would change, and what it must leave. Raises ``SettingsRefused`` naming the file."""
    record = recorded(places)
    changes, kept = [], []
    for name, text in commands(program).items():
        path = places.root / "commands" / name
        present = read(path)
        ours = record.commands.get(name) if record else None
        if present not in {None, text, ours}:
            kept.append(Kept(path, "it is yours: move it away first if you want ours"))
        elif present != text:
            changes.append(Change(path, present, text))
    before = read(places.settings)
    try:
        after = settings_text.with_ours(before if before and before.strip() else "{}\n", program)
    except SettingsRefused as refused:
        raise SettingsRefused(f"{places.settings}: {refused}") from None
    if after != before:
        changes.append(Change(places.settings, before, after))
    return changes, kept


def uninstalling(places: Places) -> tuple[list[Change], list[Kept]]:
    """What uninstall would change, and what it leaves. Raises ``SettingsRefused`` naming the file."""
    record = recorded(places)
    changes: list[Change] = []
    kept: list[Kept] = []
    for name, text in (record.commands if record else {}).items():
        path = places.root / "commands" / name
        present = read(path)
        if present == text:
            changes.append(Change(path, present, None))
        elif present is not None:
            kept.append(Kept(path, "it was changed since: delete it if you do not want it"))
    before = read(places.settings)
    if before is None:
        return changes, kept
    if record is not None and record.after == before:
        after = record.before
    else:
        try:
            after = settings_text.without_ours(before, record.status_line if record else None)
        except SettingsRefused as refused:
            raise SettingsRefused(f"{places.settings}: {refused}") from None
    if after != before:
        changes.append(Change(places.settings, before, after))
    return changes, kept


def install(places: Places, changes: list[Change], program: str) -> None:
    """Carry an install out: the record first, so that whatever happens can be taken back. Raises OSError."""
    known = recorded(places)
    settings = next((one for one in changes if one.path == places.settings), None)
    present = read(places.settings) if settings is None else settings.before
    after = present if settings is None else settings.after
    assert after is not None, "an install leaves settings behind"
    before, status_line = _before(present, known)
    places.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    record = Record(str(places.settings), before, after, status_line, commands(program))
    _write(places.record, json.dumps(asdict(record), ensure_ascii=False, indent=1) + "\n")
    _keep_former(places, _command_of(status_line))
    if before is not None and settings is not None:
        _write(_backup(places), before)
    for change in changes:
        change.path.parent.mkdir(parents=True, exist_ok=True)
        _carry_out(change)


def uninstall(places: Places, changes: list[Change]) -> None:
    """Carry an uninstall out. Raises OSError."""
    record = recorded(places)
    for change in changes:
        _carry_out(change)
    folder = places.root / "commands"
    if folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir()) and record is not None:
        folder.rmdir()
    if record is not None and read(places.settings) == record.before:
        _backup(places).unlink(missing_ok=True)
    _keep_former(places, None)
    places.record.unlink(missing_ok=True)


def _before(present: str | None, known: Record | None) -> tuple[str | None, str | None]:
    """The settings without anything of ours, and the JSON of the status line that ours takes the place of."""
    if present is None or not present.strip():
        return present, None
    if known is not None and known.after == present:
        # Installed again over our own: what was there before is still what it was.
        return known.before, known.status_line
    found = settings_text.found(present)
    if not found.status_line:
        status_line = settings_text.status_line_text(present)
    else:
        status_line = known.status_line if known is not None else None
    if found.hooks or found.status_line:
        return settings_text.without_ours(present, status_line), status_line
    return present, status_line


def _keep_former(places: Places, command: str | None) -> None:
    """Write down which command our status line runs as well, for this root alone; None: no other."""
    known = {name: each for name, each in formers(places).items() if name != places.real}
    if command is not None:
        known[places.real] = command
    if known:
        _write(places.former, json.dumps(known, ensure_ascii=False, indent=1) + "\n")
    else:
        places.former.unlink(missing_ok=True)


def formers(places: Places) -> Mapping[str, object]:
    """The commands that our status line runs as well, by root."""
    try:
        known: object = json.loads(places.former.read_text())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _backup(places: Places) -> Path:
    return places.settings.with_name(places.settings.name + BACKUP_SUFFIX)


def _command_of(status_line: str | None) -> str | None:
    """The command of a status line that can be run beside ours."""
    value = json.loads(status_line) if status_line else None
    command = value.get("command") if isinstance(value, dict) and value.get("type") == "command" else None
    return command if isinstance(command, str) and command.strip() else None


def _carry_out(change: Change) -> None:
    if change.after is None:
        change.path.unlink(missing_ok=True)
    else:
        _write(change.path, change.after)


def _write(path: Path, text: str) -> None:
    """Make this the content of a file, whole at every instant; a link is followed, a mode kept."""
    target = Path(os.path.realpath(path))
    mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o600
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
