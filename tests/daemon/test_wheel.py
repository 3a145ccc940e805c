"""The wheel alone, as people install it: from an empty directory, in an environment without a checkout.

The slowest tests of the suite: a wheel is built, an environment is made, the demo plays its day. Nothing is
fetched: the environment sees the libraries that these tests run with, and of quotad only the wheel's.
"""

from __future__ import annotations

import json
import os
import re
import site
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.daemon.process import CHECKOUT, Place, new_place, wait_until
from tests.daemon.work import spend

SECONDS_MAX = 60


@dataclass
class Installed:
    """An environment with nothing but the wheel, and where to find its programs."""

    programs: Path
    empty: Path

    def run(self, place: Place, *command: str) -> subprocess.CompletedProcess[str]:
        """Runs a program of the wheel in the empty directory, as the user whose place it is."""
        return subprocess.run(
            [self.programs / command[0], *command[1:]],
            env=self.environment(place),
            cwd=self.empty,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS_MAX,
        )

    def environment(self, place: Place) -> Mapping[str, str]:
        """Without a word about the checkout."""
        kept = {name: value for name, value in place.environment().items() if name != "PYTHONPATH"}
        return kept | {"PATH": f"{self.programs}{os.pathsep}{os.environ['PATH']}"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel of this checkout, installed."""
    room = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(room / "dist")],
        cwd=CHECKOUT,
        check=True,
        capture_output=True,
    )
    (wheel,) = (room / "dist").iterdir()
    venv.create(room / "venv", with_pip=False, symlinks=True)
    python = room / "venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", str(wheel)], check=True, capture_output=True)
    # Libraries come from where the tests have them; of quotad, what the environment itself has comes first.
    (own,) = (room / "venv").glob("lib/*/site-packages")
    (own / "libraries.pth").write_text("".join(f"{path}\n" for path in site.getsitepackages()))
    (room / "empty").mkdir()
    return Installed(room / "venv" / "bin", room / "empty")


@pytest.fixture
def place() -> Iterator[Place]:
    """A user's place; whatever daemon is left in it is ended."""
    with new_place() as made:
        yield made


def test_it_is_the_wheel_that_runs(installed: Installed, place: Place) -> None:
    """Both packages come from the environment, with everything that is needed at run time."""
    script = "import quotad, quotactl; print(quotad.__file__); print(quotactl.__file__)"
    where = installed.run(place, "python", "-c", script).stdout.splitlines()
    assert [True, True] == [path.startswith(str(installed.programs.parent)) for path in where]
    files = {path.name for path in Path(where[1]).parent.rglob("service_files/*/*")}
    assert {"quotad.service"} < files
    assert any(name.endswith(".plist") for name in files)
    assert "quotad 0.1.0\n" == installed.run(place, "quotad", "--version").stdout


def test_a_newcomers_first_minutes(installed: Installed, place: Place) -> None:
    """Up, status, sync, history, config, down: each does what it says, and leaves no file behind."""
    spend(place, 120_000)
    try:
        up = installed.run(place, "quotactl", "up")
        assert (0, "") == (up.returncode, up.stderr)
        pid = int(re.findall(r"pid (\d+)", up.stdout)[0])
        assert str(installed.programs / "python") in Path(f"/proc/{pid}/cmdline").read_text()
        again = installed.run(place, "quotactl", "up")
        assert (0, f"quotad is running already (pid {pid}).\n") == (again.returncode, again.stdout)
        status = installed.run(place, "quotactl", "status")
        assert (0, "") == (status.returncode, status.stderr)
        assert "60" in status.stdout
        spend(place, 30_000)
        window = json.loads(installed.run(place, "quotactl", "status", "--json").stdout)["windows"][0]
        assert (150_000, 75) == (window["spent"], window["percent"])
        for command in ("sync", "history", "config show"):
            done = installed.run(place, "quotactl", *command.split())
            assert (0, "") == (done.returncode, done.stderr), command
        down = installed.run(place, "quotactl", "down")
        assert (0, "") == (down.returncode, down.stderr)
    finally:
        installed.run(place, "quotactl", "down")
    wait_until(lambda: not Path(f"/proc/{pid}").exists())
    assert not place.socket.exists()
    gone = installed.run(place, "quotactl", "status", "--json")
    assert (69, "") == (gone.returncode, gone.stdout)
    assert "quotactl up" in gone.stderr
    assert [] == list(installed.empty.iterdir())


def test_the_demo_plays_its_day_and_leaves_nothing(installed: Installed, place: Place) -> None:
    """A window fills, every threshold is told once, it resets; afterwards nothing is there that was not."""
    before = everything(place)
    temporary = place.root / "tmp"
    temporary.mkdir()
    demo = subprocess.run(
        [installed.programs / "quotactl", "demo", "--speed", "4"],
        env={**installed.environment(place), "TMPDIR": str(temporary)},
        cwd=installed.empty,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_MAX,
    )
    assert (0, "") == (demo.returncode, demo.stderr)
    told = [int(percent) for percent in re.findall(r"notice: 5-hour quota: (\d+) % used", demo.stdout)]
    assert [50, 75, 90, 95] == [max(mark for mark in (0, 50, 75, 90, 95) if mark <= one) for one in told]
    assert 1 == demo.stdout.count("notice: 5-hour quota is back")
    assert "What you have seen" in demo.stdout
    assert [] == list(temporary.iterdir())
    temporary.rmdir()
    assert before == everything(place)
    assert [] == list(installed.empty.iterdir())


def everything(place: Place) -> set[Path]:
    """Every file and directory of the user's."""
    return set(place.root.rglob("*"))
