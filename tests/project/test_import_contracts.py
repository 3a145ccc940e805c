"""The import contracts bite: what the table of rooms forbids is planted into a copy, and found."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]

BELOW_THE_DAEMON = {
    "clock",
    "domain",
    "engine",
    "instance",
    "intake",
    "ipc",
    "logs",
    "places",
    "planning",
    "readiness",
    "settings",
    "sinks",
    "sources",
    "status_line",
    "store",
    "wire",
}

MAY_IMPORT: dict[str, set[str]] = {
    "__main__": {"daemon", *BELOW_THE_DAEMON},
    "daemon": BELOW_THE_DAEMON,
    "engine": {"clock", "domain"},
    "intake": {"clock", "domain", "engine", "sources", "store"},
    "sources": {"clock", "domain"},
    "store": {"clock", "domain"},
    "planning": {"clock", "domain", "engine", "places", "settings", "sinks", "store", "wire"},
    "sinks": {"clock", "domain", "places", "wire"},
    "ipc": {"clock", "domain", "places", "wire"},
    "settings": {"clock", "domain", "places", "wire"},
    "clock": {"domain"},
    "instance": set(),
    "logs": set(),
    "readiness": set(),
    "places": set(),
    "status_line": set(),
    "wire": {"places"},
    "domain": set(),
}
"""The rooms of the daemon and what each may import of the others."""

PLANTS = [
    pytest.param("rooms-inward", "quotad/engine.py", "import quotad.wire", id="engine-wire"),
    pytest.param("rooms-inward", "quotad/stowaway.py", "", id="module-without-a-place"),
    pytest.param("rooms-outward", "quotad/ipc/planted.py", "import quotad.engine", id="ipc-engine"),
    pytest.param("rooms-outward", "quotad/ipc/planted.py", "import quotad.planning", id="ipc-planning"),
    pytest.param("rooms-outward", "quotad/stowaway.py", "", id="module-without-a-place-again"),
    pytest.param("domain-pure", "quotad/domain/planted.py", "import asyncio", id="domain-asyncio"),
    pytest.param("domain-pure", "quotad/domain/planted.py", "from time import time", id="domain-time"),
    pytest.param("domain-pure", "quotad/domain/planted.py", "import os.path", id="domain-os"),
    pytest.param("wire-standard", "quotad/wire/__init__.py", "import pydantic", id="wire-pydantic"),
    pytest.param("daemon-apart", "quotad/daemon/planted.py", "import click", id="daemon-click"),
    pytest.param("daemon-apart", "quotad/daemon/planted.py", "import quotactl", id="daemon-client"),
    pytest.param("client-wire-only", "quotactl/planted.py", "from quotad import domain", id="client-domain"),
    pytest.param("client-small", "quotactl/planted.py", "import asyncio", id="client-asyncio"),
    pytest.param(
        "client-small", "quotad/wire/__init__.py", "import asyncio", id="client-asyncio-through-the-wire"
    ),
]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The two packages as they are, in a place of their own, with an empty module for a missing room."""
    for package in ("quotad", "quotactl"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(CHECKOUT / package, tmp_path / package, ignore=ignored)
    for room in MAY_IMPORT:
        if not (tmp_path / "quotad" / room).is_dir():
            (tmp_path / "quotad" / f"{room}.py").touch()
        else:
            (tmp_path / "quotad" / room / "__init__.py").touch()
    return tmp_path


def plant(copy: Path, module: str, line: str) -> None:
    """Adds a line to a module, which is made where there is none."""
    with (copy / module).open("a") as file:
        file.write(f"\n{line}\n")


def lint_imports(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Checks the contracts of the project on the packages in ``copy``."""
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    options = ["--config", str(CHECKOUT / "pyproject.toml"), "--no-cache", *arguments]
    environment = os.environ | {"PYTHONPATH": str(copy), "COLUMNS": "200"}
    command = [sys.executable, "-c", code, *options]
    return subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)


def test_the_packages_keep_every_contract(copy: Path) -> None:
    """What is checked in, with nothing planted, breaks no contract."""
    found = lint_imports(copy)
    assert 0 == found.returncode, found.stdout + found.stderr


@pytest.mark.parametrize(("contract", "module", "line"), PLANTS)
def test_a_planted_import_breaks_its_contract(copy: Path, contract: str, module: str, line: str) -> None:
    """One import that a contract forbids is enough to break it."""
    plant(copy, module, line)
    found = lint_imports(copy, "--contract", contract)
    assert 1 == found.returncode, found.stdout + found.stderr
    assert "0 kept, 1 broken" in found.stdout


def test_every_contract_has_a_plant() -> None:
    """A contract that nobody has seen broken is not here."""
    settings = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    contracts = {contract["id"] for contract in settings["tool"]["importlinter"]["contracts"]}
    assert contracts == {parameters.values[0] for parameters in PLANTS}


def test_the_two_orders_are_the_table(copy: Path) -> None:
    """Of all imports between rooms exactly those are found that the table does not allow."""
    forbidden = {
        (room, other) for room, allowed in MAY_IMPORT.items() for other in set(MAY_IMPORT) - allowed - {room}
    }
    for room, other in forbidden:
        planted = f"{room}/planted.py" if (copy / "quotad" / room).is_dir() else f"{room}.py"
        plant(copy, f"quotad/{planted}", f"import quotad.{other}")
    output = lint_imports(copy, "--contract", "rooms-inward", "--contract", "rooms-outward").stdout
    found = re.findall(r"^quotad\.(\w+) is not allowed to import quotad\.(\w+):$", output, re.MULTILINE)
    assert forbidden == set(found)
