"""The surroundings of a command: a short directory for a socket, a console, a way to run it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from quotactl.cli import cli
from quotactl.console import Console
from quotad import wire
from tests.quotactl.replies import BERLIN, NOW

CHECKOUT = Path(__file__).parents[2]


class Surroundings:
    """A user's machine: where the daemon would be, and quotactl in the same process or in one of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.socket = root / "quotad.sock"
        self.program = root / "bin" / "quotactl"
        self.environment = {
            "HOME": "/home/ana",
            "CLAUDE_CONFIG_DIR": str(root / "claude"),
            "QUOTAD_SOCKET": str(self.socket),
            "QUOTAD_STATE_DIR": str(root / "state"),
            "QUOTAD_CONFIG": str(root / "config.toml"),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(CHECKOUT),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def console(self) -> Console:
        return Console(
            environment=self.environment,
            platform=sys.platform,
            uid=os.getuid(),
            program=str(self.program),
            now=lambda: wire.instant(NOW),
            zone=BERLIN,
        )

    def run(self, *arguments: str) -> Result:
        """Runs quotactl in this process; what it does to the terminal cannot be seen here."""
        return CliRunner().invoke(cli, arguments, obj=self.console(), prog_name="quotactl")

    def command(self, *arguments: str) -> Sequence[str]:
        """The installed program if there is one."""
        if self.program.exists():
            return [str(self.program), *arguments]
        return [sys.executable, "-m", "quotactl", *arguments]

    def install(self, name: str, source: str) -> None:
        """A program of ours, in Python, beside the others."""
        program = self.program.with_name(name)
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!{sys.executable}\n{source}\n")
        program.chmod(0o755)

    def process(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs quotactl as a process of its own, its output in pipes."""
        return subprocess.run(
            self.command(*arguments),
            env=self.environment | environment,
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )


@pytest.fixture
def here() -> Iterator[Surroundings]:
    """A machine on which nothing runs yet."""
    # A socket's path has room for 103 bytes, which pytest's own directories exceed on some machines.
    root = Path(tempfile.mkdtemp(prefix="qctl-", dir="/tmp"))
    yield Surroundings(root)
    shutil.rmtree(root)
