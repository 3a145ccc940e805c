"""``python -m benchmarks.counted``: instructions of what must not regress, as callgrind counts them.

They are the same on a busy machine as on an idle one, and from run to run within a part in a thousand: a
hundredth more is seen where a clock would not show a tenth. What they do not show is waiting, and memory that
is far away.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import beside
from benchmarks.daemon import Place, installed
from benchmarks.ground import Ground
from benchmarks.inside import told
from benchmarks.table import tabled

SIZE_BYTES = 2_000_000
HEADS = ("whole process", "million instructions", "to python -c pass")


def main() -> int:
    """Count and print; 2: there is no valgrind."""
    if shutil.which("valgrind") is None:
        print("valgrind is not installed", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="quotad-bench-") as scratch:
        folder = Path(scratch, "corpus")
        folder.mkdir()
        ground = Ground(folder, seed=1, size_bytes=SIZE_BYTES)
        place = Place(installed(None), ground.claude, Path(scratch, "private"))
        place.prepare()
        # The order of sets is another in each process, unless it is told.
        environment = {**place.environment(), "PYTHONHASHSEED": "0"}
        base = _instructions(beside.nothing(), b"", environment)
        lines: list[Sequence[str]] = [HEADS, ("python -c pass", f"{base / 1e6:.0f}", "1.00x")]
        for step in told(Path(scratch)):
            count = _instructions(step.command, step.stdin, environment)
            lines.append((step.name, f"{count / 1e6:.0f}", f"{count / base:.2f}x"))
        count = _instructions([*place.program, "--once"], b"", environment)
        step_name = f"quotad --once, {ground.counts.size / 1e6:.0f} MB"
        lines.append((step_name, f"{count / 1e6:.0f}", f"{count / base:.2f}x"))
    print(tabled(lines))
    return 0


def _instructions(command: Sequence[str], stdin: bytes, environment: Mapping[str, str]) -> int:
    """Of the process and all its children."""
    callgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--trace-children=yes"]
    done = subprocess.run(
        [*callgrind, *command], input=stdin, env=environment, capture_output=True, check=True
    )
    return sum(int(count) for count in re.findall(rb"Collected : (\d+)", done.stderr))


if __name__ == "__main__":
    sys.exit(main())
