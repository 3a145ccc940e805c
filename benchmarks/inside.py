"""``python -m benchmarks.inside``: what Claude Code waits for at every answer, tool and prompt.

Whole processes, from their start to their end, in turn with ``python -c pass`` of the same environment, so
that whatever else the machine does touches all alike. 1: a median is over its line.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.daemon import START_S_MAX, STOP_S_MAX

TIMES_MAX = 2.0
"""So many times what Python's own start takes a status line or a hook may take."""
ROUNDS = 100
SESSION = "5f0c1d2e-0000-4000-8000-00000000a001"
BASE = "python -c pass"


class Step(NamedTuple):
    """A command and what it is given."""

    name: str
    command: Sequence[str]
    stdin: bytes = b""


def main() -> int:
    """Measure with and without a daemon, and print both tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inside", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args().rounds
    programs = Path(sys.executable).parent
    if not (programs / "quotactl").exists():
        print(f"quotactl is not installed beside {sys.executable}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="quotad-bench-") as scratch:
        environment = _environment(Path(scratch))
        slow = _table("without a daemon", _steps(programs), environment, rounds)
        with _daemon(programs / "quotad", environment):
            slow += _table("with a daemon", _steps(programs), environment, rounds)
    return int(slow > 0)


def _environment(scratch: Path) -> Mapping[str, str]:
    (scratch / "claude" / "projects").mkdir(parents=True)
    (scratch / "config.toml").write_text("[notify]\ndesktop = false\n")
    # Installed programs keep their compiled modules, whatever a developer's shell says.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {
        **inherited,
        "HOME": str(scratch),
        "CLAUDE_CONFIG_DIR": str(scratch / "claude"),
        "QUOTAD_STATE_DIR": str(scratch / "state"),
        "QUOTAD_SOCKET": str(scratch / "quotad.sock"),
        "QUOTAD_CONFIG": str(scratch / "config.toml"),
    }


def _steps(programs: Path) -> list[Step]:
    quotactl = str(programs / "quotactl")
    common: dict[str, object] = {
        "session_id": SESSION,
        "cwd": "/home/ana/src",
        "transcript_path": f"/home/ana/{SESSION}.jsonl",
    }
    reset = int(time.time()) + 2 * 3600
    limits = {"five_hour": {"used_percentage": 61.5, "resets_at": reset}}
    told: dict[str, dict[str, object]] = {
        "statusline": {"rate_limits": limits, "model": {"id": "claude-opus-5"}, "context": "x" * 2000},
        "hook SessionStart": {"source": "startup"},
        "hook UserPromptSubmit": {"prompt": "add a health route"},
        "hook PostToolUse": {"tool_name": "Read", "tool_response": "x" * 20_000, "tool_use_id": "toolu_1"},
    }
    return [
        Step(BASE, [sys.executable, "-c", "pass"]),
        *(
            Step(name, [quotactl, *name.split()], json.dumps(common | more).encode())
            for name, more in told.items()
        ),
    ]


def _table(title: str, steps: Sequence[Step], environment: Mapping[str, str], rounds: int) -> int:
    """Print the medians; how many are over the line."""
    took: dict[str, list[float]] = {step.name: [] for step in steps}
    for number in range(-3, rounds):
        for step in steps:
            started = time.perf_counter()
            subprocess.run(step.command, input=step.stdin, env=environment, capture_output=True, check=True)
            # The first ones fill the caches.
            if number >= 0:
                took[step.name].append(time.perf_counter() - started)
    base = statistics.median(took[BASE])
    print(f"{title}, {rounds} rounds, medians")
    over = 0
    for name, each in took.items():
        median = statistics.median(each)
        over += median > TIMES_MAX * base
        print(f"  {name:<24}{median * 1000:7.1f} ms  {median / base:5.2f} x")
    return over


@contextmanager
def _daemon(program: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """A daemon that answers, until the end."""
    with subprocess.Popen([str(program)], env=environment, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + START_S_MAX
        while not Path(environment["QUOTAD_SOCKET"]).exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        try:
            yield
        finally:
            process.terminate()
            process.wait(STOP_S_MAX)


if __name__ == "__main__":
    sys.exit(main())
