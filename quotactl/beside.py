"""The quotad that was installed together with this quotactl, whatever else the PATH holds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from quotactl.console import Console
from quotactl.failure import Undone

SECONDS_MAX = 30.0


def quotad_command(program: str) -> list[str]:
    """How to run it: beside ``program`` (our argv[0]), beside the interpreter, else as a module."""
    for directory in (Path(program).absolute().parent, Path(program).resolve().parent, _scripts()):
        candidate = directory / "quotad"
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return [str(candidate)]
    # -P: what lies in the directory we happen to stand in is not our quotad.
    return [sys.executable, "-P", "-m", "quotad"]


def told_by_quotad(console: Console, option: str) -> str:
    """What it prints when it is run with this option alone, in our environment.

    Raises ``Undone`` with its message if it finds fault, cannot be run or takes too long.
    """
    command = [*quotad_command(console.program), option]
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            command,
            env=dict(console.environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS_MAX,
            check=False,
        )
    except OSError as error:
        raise Undone("no-quotad", f"{command[0]} cannot be run: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise Undone("timed-out", f"{command[0]} {option} took more than {SECONDS_MAX:.0f} s") from error
    if done.returncode:
        raise Undone("settings-invalid", done.stderr.strip() or f"quotad ended with {done.returncode}")
    return done.stdout.rstrip("\n") or done.stderr.strip()


def _scripts() -> Path:
    return Path(sys.executable).parent
