"""The service files as they ship: what systemd and launchd themselves would say of them."""

from __future__ import annotations

import os
import plistlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
UNIT = CHECKOUT / "systemd" / "quotad.service"
HARDENING = CHECKOUT / "systemd" / "hardening.conf"
AGENT = CHECKOUT / "launchd" / "dev.quotad.plist"

AGENT_KEYS: dict[str, type] = {
    "Label": str,
    "ProgramArguments": list,
    "RunAtLoad": bool,
    "KeepAlive": dict,
    "ThrottleInterval": int,
    "ProcessType": str,
    "LimitLoadToSessionType": str,
    "ExitTimeOut": int,
    "Umask": int,
    "SoftResourceLimits": dict,
    "EnvironmentVariables": dict,
}
"""Keys of launchd.plist(5) that the agent uses, with their types: launchd ignores a wrong one silently."""


def analyze(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs systemd-analyze offline: it sees an empty home with a quotad in it, and no running manager."""
    quotad = tmp_path / ".local" / "bin" / "quotad"
    quotad.parent.mkdir(parents=True, exist_ok=True)
    quotad.write_text("#!/bin/sh\n")
    quotad.chmod(0o755)
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    command = ["systemd-analyze", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def laid_out(tmp_path: Path, unit: str, drop_in: str) -> str:
    """The unit, and its drop-in if there is one, as they stand when installed; the unit's path."""
    path = tmp_path / "units" / "quotad.service"
    path.parent.mkdir()
    path.write_text(unit)
    if drop_in:
        (tmp_path / "units" / "quotad.service.d").mkdir()
        (tmp_path / "units" / "quotad.service.d" / "hardening.conf").write_text(drop_in)
    return str(path)


def settings(unit: str) -> list[tuple[str, str]]:
    """The assignments of a unit file, in order."""
    lines = [line for line in unit.splitlines() if "=" in line and not line.startswith("#")]
    return [(name, value) for name, _, value in (line.partition("=") for line in lines)]


@pytest.mark.requires("systemd-analyze", "systemd")
@pytest.mark.parametrize("drop_in", [pytest.param("", id="alone"), pytest.param("hardening", id="hardened")])
def test_systemd_finds_nothing_to_say(tmp_path: Path, drop_in: str) -> None:
    """systemd-analyze verifies the unit with success and silence, alone and with its drop-in."""
    unit = laid_out(tmp_path, UNIT.read_text(), HARDENING.read_text() if drop_in else "")
    found = analyze(tmp_path, "--user", "verify", "--man=no", unit)
    assert (0, "", "") == (found.returncode, found.stdout, found.stderr)


@pytest.mark.requires("systemd-analyze", "systemd")
@pytest.mark.parametrize("wrong", ["Type=notify-later", "NoSuchKey=1"])
@pytest.mark.parametrize("place", ["unit", "drop-in"])
def test_silence_means_something(tmp_path: Path, wrong: str, place: str) -> None:
    """A word that systemd does not know breaks the silence, though not the exit code."""
    unit = UNIT.read_text() + f"\n[Service]\n{wrong}\n" * (place == "unit")
    drop_in = f"[Service]\n{wrong}\n" * (place == "drop-in")
    found = analyze(tmp_path, "--user", "verify", "--man=no", laid_out(tmp_path, unit, drop_in))
    assert wrong.partition("=")[0] in found.stderr or "Failed to parse service type" in found.stderr


@pytest.mark.requires("systemd-analyze", "systemd")
@pytest.mark.parametrize(("drop_in", "threshold"), [("", 70), ("hardening", 25)])
def test_exposure_is_bounded(tmp_path: Path, drop_in: str, threshold: int) -> None:
    """systemd's own score stays under 7.0, and under 2.5 with the drop-in."""
    unit = laid_out(tmp_path, UNIT.read_text(), HARDENING.read_text() if drop_in else "")
    found = analyze(tmp_path, "security", "--offline=true", f"--threshold={threshold}", unit)
    assert 0 == found.returncode, found.stdout


def test_the_unit_keeps_the_promises_of_the_daemon() -> None:
    """It runs plain quotad, waits for READY, watches its health, and takes exits 75 and 78 for final."""
    found = dict(settings(UNIT.read_text()))
    expected = {
        "ExecStart": "%h/.local/bin/quotad",
        "Type": "notify",
        "NotifyAccess": "main",
        "Restart": "on-failure",
        "RestartPreventExitStatus": "75 78",
        "WatchdogSec": "60",
        "RuntimeDirectoryPreserve": "yes",
        "MemoryMax": "512M",
        "WantedBy": "default.target",
    }
    assert expected == {name: found.get(name) for name in expected}


def test_the_unit_says_nothing_twice() -> None:
    """No setting stands twice in the unit, where the second would silently win or add."""
    names = [name for name, _ in settings(UNIT.read_text())]
    assert sorted(set(names)) == sorted(names)


def test_the_agent_uses_known_keys_of_the_right_type() -> None:
    """Each key of the agent is one of launchd's, and has launchd's type."""
    agent: dict[str, object] = plistlib.loads(AGENT.read_bytes())
    assert AGENT_KEYS == {name: type(value) for name, value in agent.items()}


def test_the_agent_can_be_found_and_started() -> None:
    """Its label is its file's name, and what it runs is an absolute path: launchd knows no ``~``."""
    agent = plistlib.loads(AGENT.read_bytes())
    assert AGENT.stem == agent["Label"]
    assert ["/usr/local/bin/quotad"] == agent["ProgramArguments"]
    assert all(entry.startswith("/") for entry in agent["EnvironmentVariables"]["PATH"].split(":"))


def test_the_agent_keeps_the_promises_of_the_daemon() -> None:
    """It starts at login, again only after a failure and at most once a minute, and keeps files private."""
    agent = plistlib.loads(AGENT.read_bytes())
    assert (True, {"SuccessfulExit": False}, 60) == (
        agent["RunAtLoad"],
        agent["KeepAlive"],
        agent["ThrottleInterval"],
    )
    assert (0o077, 15, "Aqua") == (agent["Umask"], agent["ExitTimeOut"], agent["LimitLoadToSessionType"])


@pytest.mark.requires("plistutil", "libplist-utils")
def test_a_second_reader_accepts_the_agent(tmp_path: Path) -> None:
    """libplist reads the same agent out of the file as Python does."""
    binary = tmp_path / "agent.bin"
    subprocess.run(["plistutil", "-i", str(AGENT), "-o", str(binary), "-f", "bin"], check=True)
    assert plistlib.loads(AGENT.read_bytes()) == plistlib.loads(binary.read_bytes())


def test_the_wheel_carries_what_is_needed_at_run_time(tmp_path: Path) -> None:
    """The service files and the type markers are in the wheel; tests and benchmarks are not."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("quotad-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        carried = {
            "quotactl/service_files/systemd/quotad.service": UNIT,
            "quotactl/service_files/systemd/hardening.conf": HARDENING,
            "quotactl/service_files/launchd/dev.quotad.plist": AGENT,
        }
        assert {name: path.read_bytes() for name, path in carried.items()} == {
            name: archive.read(name) for name in carried
        }
    assert {"quotad/py.typed", "quotactl/py.typed"} <= set(names)
    tops = {name.split("/")[0] for name in names if not name.split("/")[0].endswith(".dist-info")}
    assert {"quotad", "quotactl"} == tops
