"""``quotactl service``: what its files say, and what it asks of the (fake) service managers."""

from __future__ import annotations

import os
import plistlib
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from quotactl.console import Console
from quotactl.failure import Undone
from quotactl.service import MARK, carried, service, shipped, unit_text

SOCKET = "/run/quotad.sock"
"""Given where the home of a test would make the default path longer than a socket's may be."""

FAKE_MANAGER = """\
#!/bin/sh
# Writes down what it is asked; answers and fails as the files beside it say.
here=${0%/*}
echo "${0##*/} $*" >> "$here/asked"
for word in "$@"; do
    if [ -f "$here/$word.fails" ]; then /bin/cat "$here/$word.fails" >&2; exit 1; fi
    if [ -f "$here/$word.fails-once" ]; then /bin/rm "$here/$word.fails-once"; exit 37; fi
    if [ -f "$here/$word.says" ]; then /bin/cat "$here/$word.says"; fi
done
exit 0
"""


@dataclass
class Machine:
    """A home, a quotad beside quotactl, and nothing on the PATH but the fake service managers."""

    home: Path
    platform: str = "linux"
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def bin(self) -> Path:
        return self.home / "fakes"

    @property
    def quotad(self) -> Path:
        return self.home / "environment" / "bin" / "quotad"

    @property
    def unit(self) -> Path:
        return self.home / ".config" / "systemd" / "user" / "quotad.service"

    @property
    def agent(self) -> Path:
        return self.home / "Library" / "LaunchAgents" / "dev.quotad.plist"

    def run(self, *arguments: str) -> Result:
        """Runs ``quotactl service ...`` as this machine's user."""
        environment = {"HOME": str(self.home), "PATH": str(self.bin)} | self.variables
        program = str(self.quotad.with_name("quotactl"))
        console = Console(environment, self.platform, uid=501, program=program, now=lambda: 0)
        return CliRunner().invoke(service, arguments, obj=console)

    def done(self, *arguments: str) -> str:
        """What a command says that succeeds."""
        result = self.run(*arguments)
        assert result.exception is None, result.exception
        return result.stdout

    def undone(self, *arguments: str) -> Undone:
        """Why a command fails."""
        result = self.run(*arguments)
        assert isinstance(result.exception, Undone), result.output
        return result.exception

    def asked(self) -> list[str]:
        """The commands run since last asked."""
        log = self.bin / "asked"
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return lines

    def answer(self, name: str, text: str = "") -> None:
        """``<word>.fails``, ``<word>.fails-once`` or ``<word>.says``: how the fake takes that word."""
        (self.bin / name).write_text(text)


@pytest.fixture
def linux(tmp_path: Path) -> Machine:
    """A machine with systemd."""
    return furnished(Machine(tmp_path))


@pytest.fixture
def mac(tmp_path: Path) -> Machine:
    """A machine with launchd, on which nothing is loaded yet."""
    machine = furnished(Machine(tmp_path, "darwin", {"QUOTAD_SOCKET": SOCKET}))
    machine.answer("gui/501/dev.quotad.fails-once")
    return machine


def furnished(machine: Machine) -> Machine:
    """The machine with its fakes and its quotad in place."""
    machine.bin.mkdir()
    for name in ("systemctl", "launchctl"):
        (machine.bin / name).write_text(FAKE_MANAGER)
        (machine.bin / name).chmod(0o755)
    (machine.bin / "gui").mkdir()
    (machine.bin / "gui" / "501").mkdir()
    machine.quotad.parent.mkdir(parents=True)
    machine.quotad.write_text("#!/bin/sh\n")
    machine.quotad.chmod(0o755)
    return machine


def test_install_writes_the_unit_and_starts_it(linux: Machine) -> None:
    """The unit runs the quotad beside quotactl, and systemd is told of it, enables it and starts it."""
    said = linux.done("install")
    assert f'ExecStart="{linux.quotad}"' in linux.unit.read_text().splitlines()
    assert f"# {MARK}" == linux.unit.read_text().splitlines()[0]
    assert [
        "systemctl --user daemon-reload",
        "systemctl --user enable quotad.service",
        "systemctl --user restart quotad.service",
    ] == linux.asked()
    assert f"Wrote {linux.unit}\nquotad is running, and starts whenever you log in." in said


def test_the_unit_is_the_shipped_one_otherwise(linux: Machine) -> None:
    """The installer adds its mark and changes the program, and leaves every other line as it ships."""
    linux.done("install")
    ships = [
        line for line in shipped("systemd/quotad.service").read_text().splitlines() if "ExecStart" not in line
    ]
    assert ships == [line for line in linux.unit.read_text().splitlines()[1:] if "ExecStart" not in line]


def test_install_twice_is_install_once(linux: Machine) -> None:
    """The second time no file is written and nothing is restarted; what was stopped is started."""
    linux.done("install")
    before = linux.unit.stat()
    linux.asked()
    said = linux.done("install")
    assert (before.st_ino, before.st_mtime_ns) == (linux.unit.stat().st_ino, linux.unit.stat().st_mtime_ns)
    assert [
        "systemctl --user daemon-reload",
        "systemctl --user enable --now quotad.service",
    ] == linux.asked()
    assert f"Already as it should be: {linux.unit}" in said


def test_the_service_looks_where_the_shell_looks(linux: Machine) -> None:
    """Variables that say where things are go into the unit; others, and empty ones, do not."""
    linux.variables |= {
        "CLAUDE_CONFIG_DIR": '/srv/50% \\ "x"/.claude',
        "QUOTAD_STATE_DIR": "/srv/state",
        "QUOTAD_CONFIG": "",
        "QUOTAD_NONSENSE": "/srv/nonsense",
    }
    linux.done("install")
    found = [line for line in linux.unit.read_text().splitlines() if line.startswith("Environment=")]
    assert [
        'Environment="CLAUDE_CONFIG_DIR=/srv/50%% \\\\ \\"x\\"/.claude"',
        'Environment="QUOTAD_STATE_DIR=/srv/state"',
    ] == found


def test_a_changed_environment_renews_the_unit(linux: Machine) -> None:
    """Installing with another directory rewrites the unit, and restarts the service."""
    linux.done("install")
    linux.asked()
    linux.variables["QUOTAD_STATE_DIR"] = "/srv/state"
    linux.done("install")
    assert 'Environment="QUOTAD_STATE_DIR=/srv/state"' in linux.unit.read_text()
    assert "systemctl --user restart quotad.service" in linux.asked()


def test_xdg_config_home_is_where_units_are(linux: Machine) -> None:
    """With another configuration directory the unit stands there, and the daemon is told of it."""
    linux.variables["XDG_CONFIG_HOME"] = str(linux.home / "cfg")
    linux.done("install")
    text = (linux.home / "cfg" / "systemd" / "user" / "quotad.service").read_text()
    assert f'Environment="XDG_CONFIG_HOME={linux.home}/cfg"' in text


def test_a_relative_path_is_wrong_usage(linux: Machine) -> None:
    """A directory that the daemon could not use is refused before anything is written."""
    linux.variables["QUOTAD_STATE_DIR"] = "state"
    result = linux.run("install")
    assert 2 == result.exit_code
    assert "QUOTAD_STATE_DIR" in result.stderr
    assert not linux.unit.exists()


@pytest.mark.parametrize("command", ["install", "uninstall", "status"])
def test_a_unit_of_somebody_else_is_left_alone(linux: Machine, command: str) -> None:
    """A unit without our mark is named and not touched, and systemd is not asked for anything."""
    linux.unit.parent.mkdir(parents=True)
    linux.unit.write_text("[Service]\nExecStart=/bin/true\n")
    assert str(linux.unit) in linux.undone(command).message
    assert "[Service]\nExecStart=/bin/true\n" == linux.unit.read_text()
    assert [] == linux.asked()


@pytest.mark.parametrize("target", ["/dev/null", "/nowhere/at/all"])
def test_a_masked_unit_is_left_alone(linux: Machine, target: str) -> None:
    """A link that the user put in the unit's place, as ``systemctl mask`` does, stays."""
    linux.unit.parent.mkdir(parents=True)
    linux.unit.symlink_to(target)
    assert "not-ours" == linux.undone("install").reason
    assert Path(target) == linux.unit.readlink()


def test_without_a_user_manager_the_unit_waits_for_one(linux: Machine) -> None:
    """The file is written, and the user is told what to run once a systemd of theirs is running."""
    linux.answer("daemon-reload.fails", "Failed to connect to bus: No medium found\n")
    said = linux.done("install")
    assert linux.unit.exists()
    assert ["systemctl --user daemon-reload"] == linux.asked()
    assert "  Failed to connect to bus: No medium found\n" in said
    assert "  systemctl --user daemon-reload && systemctl --user enable --now quotad.service\n" in said
    assert "loginctl enable-linger" in said


def test_without_systemd_the_user_is_told_of_up(linux: Machine) -> None:
    """Where there is no systemctl at all, the other way of starting quotad is named."""
    (linux.bin / "systemctl").unlink()
    said = linux.done("install")
    assert "systemctl is not on the PATH" in said
    assert "quotactl up" in said


@pytest.mark.parametrize(
    ("ended", "advice"),
    [
        ("75", "`quotactl down`"),
        ("78", "`quotactl config check`"),
        ("1", "journalctl --user --unit quotad.service"),
    ],
)
def test_a_daemon_that_does_not_start_is_explained(linux: Machine, ended: str, advice: str) -> None:
    """The exit code of quotad becomes advice; an unknown one leads to its log."""
    linux.answer("restart.fails", "Job for quotad.service failed.\n")
    linux.answer("show.says", f"{ended}\n")
    failure = linux.undone("install")
    assert 1 == failure.exit_code
    assert advice in failure.message
    assert linux.unit.exists()


def test_a_directory_that_cannot_be_written_is_named(linux: Machine) -> None:
    """What the file system refuses is said with the path, and without a traceback."""
    (linux.home / ".config").write_text("a file where a directory should be")
    assert str(linux.home / ".config") in linux.undone("install").message


def test_uninstall_undoes_install(linux: Machine) -> None:
    """The service is stopped and disabled, its files are gone, and systemd is told."""
    linux.done("install")
    wants = linux.unit.parent / "default.target.wants"
    wants.mkdir()
    (wants / "quotad.service").symlink_to(linux.unit)
    linux.asked()
    said = linux.done("uninstall")
    assert [
        "systemctl --user disable --now quotad.service",
        "systemctl --user daemon-reload",
    ] == linux.asked()
    assert ([], [wants]) == (list(wants.iterdir()), list(linux.unit.parent.iterdir()))
    assert f"Removed {linux.unit}" in said


def test_uninstall_twice_is_uninstall_once(linux: Machine) -> None:
    """With nothing installed there is nothing to do, which is no failure."""
    assert "Nothing to do" in linux.done("uninstall")
    assert [] == linux.asked()


def test_uninstall_needs_no_quotad(linux: Machine) -> None:
    """A service whose daemon has been removed already can still be taken out."""
    linux.done("install")
    linux.quotad.unlink()
    linux.done("uninstall")
    assert not linux.unit.exists()


def test_uninstall_without_a_manager_still_removes(linux: Machine) -> None:
    """The file goes, and the user is told how a daemon that still runs is stopped."""
    linux.done("install")
    linux.answer("--user.fails", "Failed to connect to bus\n")
    assert "`quotactl down`" in linux.done("uninstall")
    assert not linux.unit.exists()


def test_uninstall_leaves_drop_ins(linux: Machine) -> None:
    """What the user added to the unit is theirs, and named."""
    linux.done("install")
    drop_ins = linux.unit.with_name("quotad.service.d")
    drop_ins.mkdir()
    assert f"Left in place, because it is yours: {drop_ins}" in linux.done("uninstall")
    assert drop_ins.is_dir()


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_a_dry_run_changes_nothing(tmp_path: Path, platform: str) -> None:
    """It shows what would be written and where; no file is made and no command is run."""
    machine = furnished(Machine(tmp_path, platform, {"QUOTAD_SOCKET": SOCKET}))
    before = sorted(tmp_path.rglob("*"))
    said = machine.done("install", "--dry-run")
    assert f"Would write {machine.unit if platform == 'linux' else machine.agent}" in said
    assert str(machine.quotad) in said
    assert "Nothing to do." in machine.done("uninstall", "--dry-run")
    assert (before, []) == (sorted(tmp_path.rglob("*")), machine.asked())


def test_a_dry_run_of_uninstall_names_the_file(linux: Machine) -> None:
    """It says what would go, and lets it be."""
    linux.done("install")
    linux.asked()
    assert f"Would stop quotad and remove {linux.unit}\n" == linux.done("uninstall", "--dry-run")
    assert (True, []) == (linux.unit.exists(), linux.asked())


def test_status_tells_what_systemd_knows(linux: Machine) -> None:
    """File, start at login, state, process and restarts are told in plain words."""
    linux.done("install")
    linux.answer(
        "show.says", "UnitFileState=enabled\nActiveState=active\nSubState=running\nMainPID=42\nNRestarts=3\n"
    )
    assert [
        f"Installed: {linux.unit}",
        "At login: enabled",
        "Now: active (running), process 42, 3 restarts",
    ] == linux.done("status").splitlines()


def test_status_of_nothing_says_how_to_install(linux: Machine) -> None:
    """Without a unit the command that makes one is named, and systemd is not asked."""
    assert "Not installed: `quotactl service install` does it.\n" == linux.done("status")
    assert [] == linux.asked()


def test_status_tells_of_an_outdated_unit(linux: Machine) -> None:
    """A unit of ours that says something else than it would now is told apart."""
    linux.done("install")
    linux.variables["QUOTAD_STATE_DIR"] = "/srv/state"
    assert "`quotactl service install` renews it" in linux.done("status")


def test_status_without_a_manager_says_so(linux: Machine) -> None:
    """The file is there and nobody to ask about it: both are said."""
    linux.done("install")
    linux.answer("show.fails", "Failed to connect to bus\n")
    assert "No systemd of this user answers here: Failed to connect to bus" in linux.done("status")


@pytest.mark.requires("systemd-analyze", "systemd")
@pytest.mark.parametrize("name", ["with space", "50% off", "do$HOME lar", "semi;colon", "ümläut", "#hash"])
def test_systemd_reads_the_path_as_it_is(tmp_path: Path, name: str) -> None:
    """systemd finds the program at a path with its own special characters, and misses it when it is gone."""
    quotad = tmp_path / name / "quotad"
    quotad.parent.mkdir()
    quotad.write_text("#!/bin/sh\n")
    quotad.chmod(0o755)
    assert (0, "") == verified(tmp_path, quotad, name)
    quotad.unlink()
    code, said = verified(tmp_path, quotad, name)
    assert 1 == code
    assert f"Command {quotad} is not executable" in said


def test_a_dollar_is_no_variable_in_an_argument() -> None:
    """systemd would put a variable in its place in arguments, and only there."""
    text = unit_text("ExecStart=\n", ["/opt/$a/quotad", "$b"], {"QUOTAD_CONFIG": "/srv/$c"})
    assert ['ExecStart="/opt/$a/quotad" "$$b"', 'Environment="QUOTAD_CONFIG=/srv/$c"'] == text.splitlines()[
        1:
    ]


def verified(tmp_path: Path, quotad: Path, name: str) -> tuple[int, str]:
    """What systemd says of the unit for this path, with the same name in arguments and environment."""
    unit = tmp_path / "quotad.service"
    template = shipped("systemd/quotad.service").read_text()
    unit.write_text(unit_text(template, [str(quotad), f"$x{name}"], {"CLAUDE_CONFIG_DIR": f'{name}\\"%n'}))
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    command = ["systemd-analyze", "--user", "verify", "--man=no", str(unit)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return run.returncode, run.stdout + run.stderr


@pytest.mark.parametrize("name", ["apos'trophe", 'quo"te', "back\\slash", "new\nline", "\x7f", "\udcff"])
def test_a_path_that_systemd_refuses_is_refused_first(linux: Machine, name: str) -> None:
    """What no escaping makes acceptable to systemd is said before anything is written."""
    template = shipped("systemd/quotad.service").read_text()
    with pytest.raises(ValueError, match=r"systemd takes no|cannot hold"):
        unit_text(template, [str(linux.home / name / "quotad")], {})


def test_install_loads_the_agent(mac: Machine) -> None:
    """On macOS the agent has absolute paths and a log, and is loaded into the graphical session."""
    mac.variables["QUOTAD_STATE_DIR"] = "/srv/state"
    said = mac.done("install")
    agent = plistlib.loads(mac.agent.read_bytes())
    log = str(mac.home / "Library" / "Logs" / "quotad.log")
    assert ([str(mac.quotad)], log, log) == (
        agent["ProgramArguments"],
        agent["StandardOutPath"],
        agent["StandardErrorPath"],
    )
    assert "/srv/state" == agent["EnvironmentVariables"]["QUOTAD_STATE_DIR"]
    assert Path(log).parent.is_dir()
    assert [
        "launchctl print gui/501",
        "launchctl print gui/501/dev.quotad",
        "launchctl enable gui/501/dev.quotad",
        f"launchctl bootstrap gui/501 {mac.agent}",
    ] == mac.asked()
    assert f"Its log: {log}" in said


def test_the_agent_is_the_shipped_one_otherwise(mac: Machine) -> None:
    """The installer changes the program, adds the log, and leaves every other key as it ships."""
    mac.done("install")
    found: Mapping[str, object] = plistlib.loads(mac.agent.read_bytes())
    ships: Mapping[str, object] = plistlib.loads(shipped("launchd/dev.quotad.plist").read_bytes())
    changed = {"EnvironmentVariables", "ProgramArguments", "StandardOutPath", "StandardErrorPath"}
    assert {name: value for name, value in ships.items() if name not in changed} == {
        name: value for name, value in found.items() if name not in changed
    }


def test_a_loaded_agent_is_loaded_once(mac: Machine) -> None:
    """Installing again leaves a loaded agent alone."""
    mac.done("install")
    mac.asked()
    mac.done("install")
    assert ["launchctl print gui/501", "launchctl print gui/501/dev.quotad"] == mac.asked()


def test_a_changed_agent_is_loaded_again(mac: Machine) -> None:
    """launchd is still busy removing the old one when asked to take the new one: it is asked again."""
    mac.done("install")
    mac.asked()
    mac.variables["QUOTAD_STATE_DIR"] = "/srv/state"
    mac.answer("bootstrap.fails-once")
    mac.done("install")
    assert [
        "launchctl bootout gui/501/dev.quotad",
        "launchctl enable gui/501/dev.quotad",
        f"launchctl bootstrap gui/501 {mac.agent}",
        f"launchctl bootstrap gui/501 {mac.agent}",
    ] == mac.asked()[2:]


def test_an_agent_that_launchd_refuses_is_a_failure(mac: Machine) -> None:
    """launchd's own words are passed on, once."""
    mac.answer("bootstrap.fails", "Bootstrap failed: 5: Input/output error\n")
    assert "Bootstrap failed: 5" in mac.undone("install").message
    assert 1 == sum("bootstrap" in line for line in mac.asked())


def test_without_a_graphical_session_the_agent_waits_for_one(mac: Machine) -> None:
    """Over ssh the file is written, and the user is told what to run later."""
    mac.answer("gui/501.fails", "Domain does not support specified action\n")
    said = mac.done("install")
    assert mac.agent.exists()
    assert f"  launchctl bootstrap gui/501 '{mac.agent}'\n" in said


def test_uninstall_unloads_the_agent(mac: Machine) -> None:
    """The agent is stopped and its file is gone."""
    mac.done("install")
    mac.asked()
    said = mac.done("uninstall")
    assert ["launchctl bootout gui/501/dev.quotad"] == mac.asked()
    assert not mac.agent.exists()
    assert "quotad was stopped" in said


def test_uninstall_of_an_unloaded_agent_removes_it(mac: Machine) -> None:
    """Where launchd has nothing to stop, its words are passed on and the file goes."""
    mac.done("install")
    mac.answer("bootout.fails", "Boot-out failed: 3: No such process\n")
    assert "No such process" in mac.done("uninstall")
    assert not mac.agent.exists()


def test_status_tells_what_launchd_knows(mac: Machine) -> None:
    """State and process are the agent's own, not those of the deeper parts of launchd's report."""
    mac.done("install")
    mac.answer(
        "print.says",
        "gui/501/dev.quotad = {\n\tstate = running\n\n\tpid = 77\n\tjob = {\n\t\tstate = idle\n\t}\n}\n",
    )
    assert [f"Installed: {mac.agent}", "Now: running, process 77"] == mac.done("status").splitlines()


def test_status_of_an_unloaded_agent_says_so(mac: Machine) -> None:
    """A file that launchd has not loaded is told apart from a running agent."""
    mac.done("install")
    mac.answer("print.fails", "Could not find service\n")
    assert "Now: not known to launchd" in mac.done("status")


def test_a_tilde_is_expanded_for_the_service() -> None:
    """Service managers know no ``~``, so the home directory is written out."""
    found = carried({"HOME": "/home/ana", "QUOTAD_STATE_DIR": "~/state"}, "linux", 501)
    assert {"QUOTAD_STATE_DIR": str(Path("~/state").expanduser())} == found
