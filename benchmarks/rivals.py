"""Other programs for the same question, fetched when the benchmark runs: as fast as they are today.

Each goes into the benchmark's scratch directory and away with it. One that cannot be had is missing, and the
table says so.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

FETCH_SECONDS = 180.0
STACK_BYTES = 512 * 1024 * 1024
"""aiburn overflows the stack of its threads where a line is nested 100,000 deep, as one in the corpus is."""


class Rival(NamedTuple):
    """An installed program: what begins its command line, its version, and what its environment needs."""

    program: Sequence[str]
    version: str
    environment: Mapping[str, str]


class Rivals(NamedTuple):
    """What could be had."""

    ccusage: Rival | None
    aiburn: Rival | None
    claude_monitor: Rival | None
    ripgrep: Rival | None

    @classmethod
    def fetched(cls, folder: Path) -> Rivals:
        """From npm and PyPI, by their ordinary clients; ``rg`` is the machine's own."""
        return cls(
            _ccusage(folder / "ccusage"),
            _from_pypi(folder / "aiburn", "aiburn", ("bin/aiburn",), RUST_MIN_STACK=str(STACK_BYTES)),
            _from_pypi(folder / "claude-monitor", "claude-monitor", (sys.executable, "-m", "claude_monitor")),
            _versioned((shutil.which("rg") or "rg",), {}),
        )

    @classmethod
    def none(cls) -> Rivals:
        """Without a network."""
        return cls(None, None, None, None)

    def versions(self) -> str:
        """``ccusage 20.0.24, ... ; missing: rg``."""
        fields = self._asdict()
        found = [f"{name.replace('_', '-')} {one.version}" for name, one in fields.items() if one]
        lacking = [name.replace("_", "-") for name, one in fields.items() if one is None]
        return ", ".join(found or ["none"]) + (f"; missing: {', '.join(lacking)}" if lacking else "")


def _ccusage(folder: Path) -> Rival | None:
    """The native program, without Node around it."""
    npm = shutil.which("npm")
    machine = {"x86_64": "x64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine())
    if npm is None or machine is None:
        return None
    package = f"@ccusage/ccusage-{platform.system().lower()}-{machine}"
    if not _ran([npm, "install", "--no-save", "--no-audit", "--no-fund", "--prefix", str(folder), package]):
        return None
    program = folder / "node_modules" / package / "bin" / "ccusage"
    program.chmod(0o755)
    return _versioned((str(program),), {})


def _from_pypi(folder: Path, package: str, program: Sequence[str], **variables: str) -> Rival | None:
    """Installed into a folder of its own, apart from everything that this Python has."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if not _ran([*pip, "--target", str(folder), package]):
        return None
    first, *rest = program
    return _versioned((str(folder / first), *rest), {"PYTHONPATH": str(folder), **variables})


def _ran(command: Sequence[str]) -> bool:
    try:
        subprocess.run(command, capture_output=True, check=True, timeout=FETCH_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def _versioned(program: Sequence[str], environment: Mapping[str, str]) -> Rival | None:
    """The program if it runs; its version is the first word with a digit of what it says."""
    try:
        said = subprocess.run(
            [*program, "--version"], capture_output=True, check=True, env=environment, timeout=FETCH_SECONDS
        )
    except (OSError, subprocess.SubprocessError):
        return None
    words = said.stdout.decode(errors="replace").split()
    version = next((word for word in words if any(letter.isdigit() for letter in word)), "?")
    return Rival(program, version, environment)
