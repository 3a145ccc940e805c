"""The rules of tests/conftest.py bite: each is broken here once, in a run of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]

BROKEN_RULES = """
import asyncio
import gc
import os
from pathlib import Path

import pytest
from hypothesis import given, strategies


async def test_clean():
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(0))


async def test_leaves_a_task():
    loop = asyncio.get_running_loop()
    loop.leaked = loop.create_task(asyncio.Event().wait())


@given(strategies.booleans())
async def test_property_leaves_a_task(_):
    loop = asyncio.get_running_loop()
    loop.leaked = loop.create_task(asyncio.Event().wait())


async def test_lets_a_task_die_unseen():
    async def die():
        raise ZeroDivisionError

    task = asyncio.get_running_loop().create_task(die())
    await asyncio.wait([task])
    ring = [task]
    ring.append(ring)


async def test_breaks_a_callback():
    asyncio.get_running_loop().call_soon(lambda: 1 / 0)
    await asyncio.sleep(0)


@pytest.mark.requires("no-such-program", "its-package")
def test_needs_a_program():
    pass


@pytest.mark.requires("sh", "dash")
def test_has_its_program():
    pass


def test_warns():
    import warnings

    warnings.warn("look here", stacklevel=1)


def test_sees_nothing_of_the_user():
    assert Path.home() != Path(os.environ["REAL_HOME"])
    assert "QUOTAD_STATE_DIR" not in os.environ
"""

RED_ALWAYS = {
    "test_leaves_a_task",
    "test_property_leaves_a_task",
    "test_lets_a_task_die_unseen",
    "test_breaks_a_callback",
    "test_warns",
}


def outcomes(room: Path, ci: str) -> dict[str, str]:
    """Runs the broken tests under the rules of this suite; test name -> PASSED, FAILED, ERROR or SKIPPED."""
    (room / "tests").mkdir()
    shutil.copy(CHECKOUT / "tests" / "conftest.py", room / "tests")
    shutil.copy(CHECKOUT / "pyproject.toml", room)
    (room / "tests" / "test_broken.py").write_text(BROKEN_RULES)
    environment = os.environ | {"CI": ci, "REAL_HOME": str(Path.home()), "QUOTAD_STATE_DIR": str(room)}
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-rA"],
        cwd=room,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    found: dict[str, str] = {}
    for line in run.stdout.splitlines():
        word, _, rest = line.partition(" ")
        if word in {"PASSED", "FAILED", "ERROR"} and "::" in rest:
            name = rest.split("::")[1].split(" ")[0]
            # A rule is checked after the test: it has passed by then, and ends in an error all the same.
            found[name] = "FAILED" if found.get(name) == "FAILED" or word != "PASSED" else "PASSED"
        if word == "SKIPPED":
            found["skip reason"] = line
    found["output"] = run.stdout
    return found


@pytest.fixture(scope="module")
def at_home(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The outcomes on a developer's machine."""
    return outcomes(tmp_path_factory.mktemp("home-run"), ci="")


def test_what_breaks_no_rule_passes(at_home: dict[str, str]) -> None:
    """A clean test, one whose program is there, and one that looks for the user's files, pass."""
    names = {"test_clean", "test_has_its_program", "test_sees_nothing_of_the_user"}
    assert names == {name for name, outcome in at_home.items() if outcome == "PASSED"}


def test_what_breaks_a_rule_fails(at_home: dict[str, str]) -> None:
    """A task left running, a task or callback that died unseen, and a warning, each fail their test."""
    assert {name for name, outcome in at_home.items() if outcome == "FAILED"} == RED_ALWAYS


def test_a_missing_program_skips_and_names_its_package(at_home: dict[str, str]) -> None:
    """Whoever lacks a program is told which Debian package brings it."""
    assert "no-such-program is missing: apt-get install its-package" in at_home["skip reason"]


def test_under_ci_a_skip_is_a_failure(tmp_path: Path) -> None:
    """With ``CI=true`` the skipped test is red, and the package is still named."""
    found = outcomes(tmp_path, ci="true")
    assert found["test_needs_a_program"] == "FAILED"
    assert "apt-get install its-package" in found["output"]
