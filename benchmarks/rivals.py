"""Other programs for the same question, fetched when the benchmark runs: their speed as it is today."""

from __future__ import annotations

import platform
import shutil
import subprocess
from pathlib import Path

FETCH_SECONDS = 120.0


def ccusage(folder: Path) -> list[str] | None:
    """The native program of ccusage, without Node around it; None where npm cannot fetch it.

    It prints the five-hour blocks of the directory in ``CLAUDE_CONFIG_DIR``, reading everything each time.
    """
    npm = shutil.which("npm")
    machine = {"x86_64": "x64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine())
    if npm is None or machine is None:
        return None
    package = f"@ccusage/ccusage-{platform.system().lower()}-{machine}"
    program = folder / "node_modules" / package / "bin" / "ccusage"
    if not program.exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--no-save", "--prefix", str(folder), package]
        try:
            subprocess.run(command, capture_output=True, check=True, timeout=FETCH_SECONDS)
        except (OSError, subprocess.SubprocessError):
            return None
        program.chmod(0o755)
    return [str(program), "blocks", "--offline", "--json"]
