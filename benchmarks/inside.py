"""What people and Claude Code wait for: whole processes, from their start to their end.

Each in turn with ``python -c pass`` of the same environment, so that whatever else the machine does touches
all alike. ``python -m benchmarks.inside`` measures them alone; 1: a median is over its line.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks import beside
from benchmarks.daemon import STATUS, Daemon, installed
from benchmarks.ground import Ground
from benchmarks.rivals import Rival, Rivals
from benchmarks.stage import Stage, median, ratio
from benchmarks.table import Row, rendered

STATUS_LINE_TIMES = 1.6
STATUS_TIMES = 2.5
HOOK_TIMES = 2.0
"""So many times what Python's own start takes."""
ROUNDS = 60
WARM_ROUNDS = 3
ACTIVE_ROUNDS = 3
SESSION = "5f0c1d2e-0000-4000-8000-00000000a001"
SMALL_BYTES = 1_000_000

OLD_WRAPPER = """\
#!{python}
# -*- coding: utf-8 -*-
import re
import sys
from quotactl.__main__ import main
if __name__ == '__main__':
    sys.argv[0] = re.sub(r'(-script\\.pyw|\\.exe)?$', '', sys.argv[0])
    sys.exit(main())
"""
"""What pip wrote until version 25, with its costly import."""

NEW_WRAPPER = """\
#!{python}
import sys
from quotactl.__main__ import main
if __name__ == '__main__':
    sys.argv[0] = sys.argv[0].removesuffix('.exe')
    sys.exit(main())
"""


class Step(NamedTuple):
    """A command, what it is given, and how many times Python's own start it may take."""

    name: str
    command: Sequence[str]
    stdin: bytes = b""
    times_most: float | None = None


def inside(stage: Stage, rounds: int = ROUNDS) -> list[Row]:
    """With a daemon on the whole corpus, and the hooks and status line without any too."""
    place = stage.place("daemon", fresh=False)
    # Installed programs keep their compiled modules, whatever a developer's shell says.
    environment = {
        name: value for name, value in place.environment().items() if name != "PYTHONDONTWRITEBYTECODE"
    }
    program = _wrapper(stage.scratch, "quotactl-new", NEW_WRAPPER)
    in_claude = told(stage.scratch)
    rows = _rows(in_claude, environment, rounds // 2, ", no daemon")
    with Daemon(place) as daemon:
        daemon.caught_up_s(daemon.connect())
        socket = str(place.socket)
        asking = [
            Step("quotactl status", [program, "status"], b"", STATUS_TIMES),
            Step("quotactl status --json", [program, "status", "--json"]),
            *_netcat(socket),
        ]
        rows = [*_rows([*in_claude, *asking], environment, rounds), *rows]
    if not _netcat(""):
        rows.append(Row.missing("status through nc -U, whole process", "", "no nc on this machine"))
    return [*rows, *_active(stage.rivals.ccusage, stage)]


def _wrapper(folder: Path, name: str, text: str) -> str:
    """A script such as pip leaves in ``bin``."""
    file = folder / name
    file.write_text(text.format(python=sys.executable))
    file.chmod(0o755)
    return str(file)


def told(folder: Path) -> list[Step]:
    """What Claude Code runs, and what it says on stdin; the wrappers are put into the folder."""
    program = _wrapper(folder, "quotactl-new", NEW_WRAPPER)
    old_program = _wrapper(folder, "quotactl-old", OLD_WRAPPER)
    common: dict[str, object] = {
        "session_id": SESSION,
        "cwd": "/home/ana/src",
        "transcript_path": f"/home/ana/{SESSION}.jsonl",
    }
    limits = {"five_hour": {"used_percentage": 61.5, "resets_at": int(time.time()) + 2 * 3600}}
    shown = {"rate_limits": limits, "model": {"id": "claude-opus-5"}, "context": "x" * 2000}
    hooks: dict[str, dict[str, object]] = {
        "hook SessionStart": {"source": "startup"},
        "hook UserPromptSubmit": {"prompt": "add a health route"},
        "hook PostToolUse": {"tool_name": "Read", "tool_response": "x" * 20_000, "tool_use_id": "toolu_1"},
    }
    line = json.dumps(common | shown).encode()
    return [
        Step("status line, new pip's wrapper", [program, "statusline"], line, STATUS_LINE_TIMES),
        Step("status line, old pip's wrapper", [old_program, "statusline"], line, STATUS_LINE_TIMES),
        *(
            Step(name, [program, *name.split()], json.dumps(common | more).encode(), HOOK_TIMES)
            for name, more in hooks.items()
        ),
    ]


def _netcat(socket: str) -> list[Step]:
    """The README's one-liner, where there is an ``nc`` that knows Unix sockets."""
    program = shutil.which("nc")
    if program is None:
        return []
    return [Step("status through nc -U", [program, "-N", "-U", socket], STATUS)]


def _rows(steps: Sequence[Step], environment: Mapping[str, str], rounds: int, suffix: str = "") -> list[Row]:
    """The ratio to ``python -c pass`` of the same round, as a median over the rounds."""
    base = Step("", beside.nothing())
    took: dict[str, list[float]] = {step.name: [] for step in (base, *steps)}
    for number in range(-WARM_ROUNDS, rounds):
        for step in (base, *steps):
            began = time.perf_counter()
            subprocess.run(step.command, input=step.stdin, env=environment, capture_output=True, check=True)
            if number >= 0:
                took[step.name].append(time.perf_counter() - began)
    nothing = took[base.name]
    rows = []
    for step in steps:
        name = f"{step.name}, whole process{suffix}"
        times = ratio(took[step.name], nothing)
        note = f"{median(took[step.name]) * 1000:.0f} ms to {median(nothing) * 1000:.0f} ms of python -c pass"
        if step.times_most is None:
            rows.append(Row(name, f"{times:.2f}x", "", note))
        else:
            rows.append(Row.most(name, times, step.times_most, "{:.2f}x", note))
    return rows


def _active(ccusage: Rival | None, stage: Stage) -> list[Row]:
    """What the same question costs where everything is read for it."""
    step = "the same question to ccusage: blocks --active"
    if ccusage is None:
        return [Row.missing(step, "", "ccusage could not be fetched")]
    command = [*ccusage.program, "blocks", "--active", "--offline"]
    took = []
    for _ in range(ACTIVE_ROUNDS):
        began = time.perf_counter()
        subprocess.run(command, env=stage.environment(), capture_output=True, check=True)
        took.append(time.perf_counter() - began)
    return [Row(step, f"{median(took):.2f} s")]


def main() -> int:
    """Measure on a small corpus, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inside", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="quotad-bench-") as scratch:
        folder = Path(scratch, "corpus")
        folder.mkdir()
        ground = Ground(folder, seed=1, size_bytes=SMALL_BYTES)
        rows = inside(Stage(installed(None), ground, Path(scratch), Rivals.none(), 1), arguments.rounds)
    print(rendered(rows))
    return int(any(row.met is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
