"""quotad as a service of this user: a systemd unit or a launchd agent, put into place, shown and taken out.

Two things are kept apart. What the file says is rendered by pure functions from the files that ship in
``systemd/`` and ``launchd/``. What is done with it goes through one runner of commands, which finds them on
the PATH it is given. Only a file that bears our mark is ever replaced or removed.
"""

from __future__ import annotations

import plistlib
import subprocess
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeAlias

import click

from quotactl.beside import quotad_command
from quotactl.console import Console
from quotactl.failure import Undone
from quotactl.mistyped import HintingGroup
from quotad.wire import paths

UNIT = "quotad.service"
LABEL = "dev.quotad"
MARK = "Written by quotactl service install; quotactl service uninstall removes it."

CARRIED = (
    "CLAUDE_CONFIG_DIR",
    "QUOTAD_CONFIG",
    "QUOTAD_SOCKET",
    "QUOTAD_STATE_DIR",
    "XDG_CONFIG_HOME",
    "XDG_STATE_HOME",
)
"""Variables that say where things are. A service manager does not know the shell's, so the service file
carries them: otherwise the daemon and the client would look at different places."""

COMMAND_SECONDS_MAX = 300.0
"""Starting waits for the first scan, which the daemon may extend beyond the unit's 120 s."""

BOOTSTRAP_TRIES_MAX = 60
BOOTSTRAP_PAUSE_SECONDS = 0.25
"""launchd is still removing an agent when ``bootout`` has returned, for up to its ExitTimeOut of 15 s."""

WHY_THE_DAEMON_ENDED = {
    "75": "another quotad is running already. Stop it with `quotactl down`, then",
    "78": "its settings are not valid. `quotactl config check` says why; then",
}
"""By exit code of quotad, for those that the service manager does not try again."""

PlistValue: TypeAlias = "str | int | bool | list[PlistValue] | dict[str, PlistValue]"


class Outcome(NamedTuple):
    """What a command came to; 127 when there is no such program, 124 when it did not end."""

    code: int
    stdout: str
    stderr: str


Run: TypeAlias = Callable[[Sequence[str]], Outcome]


def run_command(environment: Mapping[str, str], command: Sequence[str]) -> Outcome:
    """Runs one command to its end, found on the PATH of ``environment``. Never raises for what it does."""
    try:
        done = subprocess.run(  # noqa: S603 - fixed words and our own paths, no shell
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=COMMAND_SECONDS_MAX,
            check=False,
        )
    except FileNotFoundError:
        return Outcome(127, "", f"{command[0]} is not on the PATH")
    except subprocess.TimeoutExpired:
        return Outcome(124, "", f"no answer within {COMMAND_SECONDS_MAX:.0f} seconds")
    return Outcome(done.returncode, done.stdout, done.stderr.strip())


def carried(environment: Mapping[str, str], platform: str, uid: int) -> Mapping[str, str]:
    """Those of ``CARRIED`` that are set. Raises ``ValueError`` for a path that the daemon could not use."""
    paths(environment, platform, uid)
    return {name: str(Path(environment[name]).expanduser()) for name in CARRIED if environment.get(name)}


def shipped(name: str) -> Path:
    """A service file as it ships: inside the installed package, or at the top of a checkout."""
    package = Path(__file__).resolve().parent
    installed = package / "service_files" / name
    return installed if installed.is_file() else package.parent / name


def unit_text(template: str, command: Sequence[str], environment: Mapping[str, str]) -> str:
    """The shipped unit with the daemon's command, which begins with an absolute path, and the variables.

    Raises ``ValueError`` for what systemd cannot take: it refuses quotes and backslashes in the path of a
    program even when they are escaped (``string_is_safe`` in its ``src/basic/string-util.c``).
    """
    program, *arguments = command
    if any(character in "\"'\\" for character in program):
        message = f"systemd takes no quotes and no backslashes in the path of a program: {program}"
        raise ValueError(message)
    # A dollar begins a variable in the arguments of a command, but not in its path.
    words = [_systemd_word(program), *(_systemd_word(word).replace("$", "$$") for word in arguments)]
    lines = [f"# {MARK}"]
    for line in template.splitlines():
        if line.startswith("ExecStart="):
            lines.append(f"ExecStart={' '.join(words)}")
            lines += [
                f"Environment={_systemd_word(f'{name}={value}')}" for name, value in environment.items()
            ]
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"


def _systemd_word(text: str) -> str:
    """One quoted word as systemd.syntax(7) reads it, the specifiers of systemd.unit(5) escaped."""
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        message = f"a service file cannot hold control characters: {text!r}"
        raise ValueError(message)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def agent_text(template: bytes, command: Sequence[str], environment: Mapping[str, str], log: Path) -> str:
    """The shipped launchd agent with absolute paths: launchd expands neither ``~`` nor variables.

    Raises ``ValueError`` for text that a property list cannot hold.
    """
    agent: dict[str, PlistValue] = plistlib.loads(template)
    variables = agent["EnvironmentVariables"]
    assert isinstance(variables, dict), "the shipped agent sets PATH"
    agent["ProgramArguments"] = list(command)
    agent["EnvironmentVariables"] = variables | dict(environment)
    agent["StandardErrorPath"] = agent["StandardOutPath"] = str(log)
    declaration, rest = plistlib.dumps(agent, sort_keys=False).decode().split("\n", 1)
    return f"{declaration}\n<!-- {MARK} -->\n{rest}"


@dataclass(frozen=True, slots=True)
class SystemdUnit:
    """A unit of the user's own systemd. Each step says what it did, a line at a time."""

    file: Path
    run: Run

    def text(self, command: Sequence[str], environment: Mapping[str, str]) -> str:
        """What the unit's file is to say; raises as ``unit_text``."""
        return unit_text(shipped(f"systemd/{UNIT}").read_text(encoding="utf-8"), command, environment)

    def enable(self, *, changed: bool) -> Iterator[str]:
        """Starts it, or starts it again if its file has changed; without systemd says what to run later."""
        reload = self._systemctl("daemon-reload")
        if reload.code != 0:
            yield "Nothing was started, because no systemd of this user answers here:"
            yield f"  {reload.stderr}"
            yield "Where one does, run:"
            yield f"  systemctl --user daemon-reload && systemctl --user enable --now {UNIT}"
            yield "To have one without being logged in: loginctl enable-linger"
            yield "To start quotad without one: quotactl up"
            return
        for words in (("enable",), ("restart",)) if changed else (("enable", "--now"),):
            done = self._systemctl(*words, UNIT)
            if done.code != 0:
                raise Undone("not-started", self._why_not(done))
        yield "quotad is running, and starts whenever you log in."
        yield "To keep it running while you are logged out: loginctl enable-linger"

    def _why_not(self, failed: Outcome) -> str:
        ended = self._systemctl("show", "--property=ExecMainStatus", "--value", UNIT).stdout.strip()
        if ended in WHY_THE_DAEMON_ENDED:
            reason = f"{WHY_THE_DAEMON_ENDED[ended]}:\n  systemctl --user restart {UNIT}"
        else:
            reason = f"{failed.stderr}\nIts last words:\n  journalctl --user --unit {UNIT} --lines 20"
        return f"the unit is in place, but quotad did not start: {reason}"

    def disable(self) -> Iterator[str]:
        """Stops it and removes what ``enable`` and ``install`` made, but no drop-in."""
        stopped = self._systemctl("disable", "--now", UNIT)
        # Without a running systemd nobody else removes the link that `systemctl enable` made.
        (self.file.parent / "default.target.wants" / UNIT).unlink(missing_ok=True)
        self.file.unlink()
        self._systemctl("daemon-reload")
        if stopped.code == 0:
            yield "quotad was stopped, and no longer starts when you log in."
        else:
            yield f"systemd could not stop it: {stopped.stderr}"
            yield "A quotad that still runs ends with `quotactl down`."
        drop_ins = self.file.with_name(f"{UNIT}.d")
        if drop_ins.is_dir():
            yield f"Left in place, because it is yours: {drop_ins}"

    def state(self) -> Iterator[str]:
        """What systemd knows of it now."""
        names = ("UnitFileState", "ActiveState", "SubState", "MainPID", "NRestarts")
        shown = self._systemctl("show", f"--property={','.join(names)}", UNIT)
        if shown.code != 0:
            yield f"No systemd of this user answers here: {shown.stderr}"
            return
        facts = dict(line.split("=", 1) for line in shown.stdout.splitlines() if "=" in line)
        yield f"At login: {facts.get('UnitFileState') or 'not known to systemd'}"
        pid = facts.get("MainPID", "0")
        process = f", process {pid}, {facts.get('NRestarts', '0')} restarts" if pid != "0" else ""
        yield f"Now: {facts.get('ActiveState', 'unknown')} ({facts.get('SubState', 'unknown')}){process}"

    def _systemctl(self, *words: str) -> Outcome:
        return self.run(("systemctl", "--user", *words))


@dataclass(frozen=True, slots=True)
class LaunchAgent:
    """An agent of the user's graphical session on macOS. Each step says what it did, a line at a time."""

    file: Path
    run: Run
    log: Path
    session: str

    def text(self, command: Sequence[str], environment: Mapping[str, str]) -> str:
        """What the agent's file is to say; raises as ``agent_text``."""
        return agent_text(shipped(f"launchd/{LABEL}.plist").read_bytes(), command, environment, self.log)

    def enable(self, *, changed: bool) -> Iterator[str]:
        """Loads it, or loads it again if its file has changed; without a session says what to run later."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self._launchctl("print", self.session).code != 0:
            yield "Nothing was started, because you have no graphical session here."
            yield "quotad starts when you log in. To start it then without a new login:"
            yield f"  launchctl bootstrap {self.session} '{self.file}'"
            return
        agent = f"{self.session}/{LABEL}"
        loaded = self._launchctl("print", agent).code == 0
        if loaded and changed:
            self._launchctl("bootout", agent)
        if changed or not loaded:
            self._launchctl("enable", agent)
            started = self._bootstrap(tries=BOOTSTRAP_TRIES_MAX if loaded else 1)
            if started.code != 0:
                raise Undone(
                    "not-started", f"the agent is in place, but launchd refused it: {started.stderr}"
                )
        yield "quotad is running, and starts whenever you log in."
        yield f"Its log: {self.log}"

    def _bootstrap(self, *, tries: int) -> Outcome:
        started = self._launchctl("bootstrap", self.session, str(self.file))
        for _ in range(tries - 1):
            if started.code == 0:
                break
            # launchd offers nothing to wait on.
            time.sleep(BOOTSTRAP_PAUSE_SECONDS)
            started = self._launchctl("bootstrap", self.session, str(self.file))
        return started

    def disable(self) -> Iterator[str]:
        """Unloads it, which stops quotad, and removes its file; the log stays."""
        stopped = self._launchctl("bootout", f"{self.session}/{LABEL}")
        self.file.unlink()
        if stopped.code == 0:
            yield "quotad was stopped, and no longer starts when you log in."
        else:
            yield f"launchd could not stop it: {stopped.stderr}"
            yield "A quotad that still runs ends with `quotactl down`."

    def state(self) -> Iterator[str]:
        """What launchd knows of it now."""
        shown = self._launchctl("print", f"{self.session}/{LABEL}")
        facts: dict[str, str] = {}
        for line in shown.stdout.splitlines():
            name, _, value = line.strip().partition(" = ")
            # Deeper lines of the report bear the same names for other things; the agent's own come first.
            facts.setdefault(name, value)
        process = f", process {facts['pid']}" if "pid" in facts else ""
        yield f"Now: {facts.get('state', 'not known to launchd')}{process}"

    def _launchctl(self, *words: str) -> Outcome:
        return self.run(("launchctl", *words))


Service: TypeAlias = SystemdUnit | LaunchAgent


def service_of(environment: Mapping[str, str], platform: str, uid: int) -> Service:
    """Where this user's service has its file, and who keeps it running."""
    home = Path(environment.get("HOME") or Path.home())
    run = partial(run_command, environment)
    if platform == "darwin":
        agents = home / "Library" / "LaunchAgents"
        return LaunchAgent(
            agents / f"{LABEL}.plist", run, home / "Library" / "Logs" / "quotad.log", f"gui/{uid}"
        )
    config = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    return SystemdUnit(config / "systemd" / "user" / UNIT, run)


def _ours(file: Path) -> str | None:
    """What our service file says now, None if there is none; refuses one that somebody else wrote."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        if not file.is_symlink():
            return None
        text = ""
    if MARK not in text:
        raise Undone("not-ours", f"{file} was not written by `quotactl service install`: move it away first")
    return text


def install(service: Service, text: str) -> Iterator[str]:
    """Writes the service file if it says anything but ``text``, and starts the service."""
    changed = _ours(service.file) != text
    if changed:
        service.file.parent.mkdir(parents=True, exist_ok=True)
        beside = service.file.with_name(f".{service.file.name}.new")
        beside.write_text(text, encoding="utf-8")
        beside.replace(service.file)
        yield f"Wrote {service.file}"
    else:
        yield f"Already as it should be: {service.file}"
    yield from service.enable(changed=changed)


def uninstall(service: Service) -> Iterator[str]:
    """Stops the service and removes its file; the ledger and the settings stay."""
    if _ours(service.file) is None:
        yield f"Nothing to do: there is no {service.file}"
        return
    yield from service.disable()
    yield f"Removed {service.file}"


def status(service: Service, text: str) -> Iterator[str]:
    """Whether the file is there and says ``text``, and what the service manager knows."""
    found = _ours(service.file)
    if found is None:
        yield "Not installed: `quotactl service install` does it."
        return
    yield f"Installed: {service.file}"
    if found != text:
        yield "It is not what would be written now: `quotactl service install` renews it."
    yield from service.state()


def _text(service: Service, console: Console) -> str:
    try:
        environment = carried(console.environment, console.platform, console.uid)
        return service.text(quotad_command(console.program), environment)
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def _here(console: Console) -> Service:
    return service_of(console.environment, console.platform, console.uid)


def _say(console: Console, lines: Iterator[str]) -> None:
    try:
        for line in lines:
            console.say(line)
    except OSError as error:
        raise Undone("not-written", f"{error.filename}: {error.strerror}") from error


@click.group("service", cls=HintingGroup)
def service() -> None:
    """Let quotad start when you log in (systemd, launchd)."""


@service.command("install")
@click.option("--dry-run", is_flag=True, help="Print what would be written, and change nothing.")
@click.pass_obj
def install_command(console: Console, *, dry_run: bool) -> None:
    """Start quotad now, and at every login.

    It writes the service file and hands it to systemd or launchd. The service runs the quotad beside
    this quotactl, with the directories that are set in the environment now. Run it again after moving
    or upgrading.
    """
    here = _here(console)
    text = _text(here, console)
    if dry_run:
        _ours(here.file)
        console.say(f"Would write {here.file}:\n\n{text.rstrip()}")
    else:
        _say(console, install(here, text))


@service.command("uninstall")
@click.option("--dry-run", is_flag=True, help="Print what would be removed, and change nothing.")
@click.pass_obj
def uninstall_command(console: Console, *, dry_run: bool) -> None:
    """Stop quotad, and let it start no more by itself. The ledger and the settings stay."""
    here = _here(console)
    if dry_run:
        there = _ours(here.file) is not None
        console.say(f"Would stop quotad and remove {here.file}" if there else "Nothing to do.")
    else:
        _say(console, uninstall(here))


@service.command("status")
@click.pass_obj
def status_command(console: Console) -> None:
    """Show whether the service is installed, and how it is."""
    here = _here(console)
    _say(console, status(here, _text(here, console)))
