"""The quotad that was installed together with this quotactl, whatever else the PATH holds."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def quotad_command(program: str) -> list[str]:
    """How to run it: beside ``program`` (our argv[0]), beside the interpreter, else as a module."""
    for directory in (Path(program).absolute().parent, Path(program).resolve().parent, _scripts()):
        candidate = directory / "quotad"
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return [str(candidate)]
    # -P: what lies in the directory we happen to stand in is not our quotad.
    return [sys.executable, "-P", "-m", "quotad"]


def _scripts() -> Path:
    return Path(sys.executable).parent
