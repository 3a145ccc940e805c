"""What people and Claude Code wait for: whole processes, from their start to their end.

Each in turn with ``python -c pass`` of the same environment, so that whatever else the machine does touches
all alike. ``python -m benchmarks.inside`` measures them alone; 1: a median is over its line.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from typing import NamedTuple

from benchmarks import beside
from benchmarks.daemon import Daemon, installed
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
COMMON: Mapping[str, object] = {
    "session_id": SESSION,
    "cwd": "/home/ana/src",
    "transcript_path": f"/home/ana/{SESSION}.jsonl",
}
SMALL_BYTES = 1_000_000
SHELL = "status line, the README's for the shell alone"
README = Path(__file__).parents[1] / "README.md"

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
    environment = place.environment()
    program = _wrapper(stage.scratch, "quotactl-new", NEW_WRAPPER)
    in_claude = told(stage.scratch)
    rows = compared(in_claude, environment, rounds // 2, ", no daemon")
    with Daemon(place) as daemon:
        daemon.caught_up_s(daemon.connect())
        socket = str(place.socket)
        asking = [
            Step("quotactl status", [program, "status"], b"", STATUS_TIMES),
            Step("quotactl status --json", [program, "status", "--json"]),
            *_shell(socket),
        ]
        rows = [*compared([*in_claude, *asking], environment, rounds), *rows]
    if not _shell(""):
        target = f"<= {STATUS_LINE_TIMES:.2f}x"
        rows.append(Row.missing(f"{SHELL}, whole process", target, "there is no nc on this machine"))
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
    hooks: dict[str, dict[str, object]] = {
        "hook SessionStart": {"source": "startup"},
        "hook UserPromptSubmit": {"prompt": "add a health route"},
        "hook PostToolUse": {"tool_name": "Read", "tool_response": "x" * 20_000, "tool_use_id": "toolu_1"},
    }
    line = _shown()
    return [
        Step("status line, new pip's wrapper", [program, "statusline"], line, STATUS_LINE_TIMES),
        Step("status line, old pip's wrapper", [old_program, "statusline"], line, STATUS_LINE_TIMES),
        *(
            Step(name, [program, *name.split()], json.dumps({**COMMON, **more}).encode(), HOOK_TIMES)
            for name, more in hooks.items()
        ),
    ]


def _shown() -> bytes:
    """What Claude Code says to a status line."""
    limits = {"five_hour": {"used_percentage": 61.5, "resets_at": int(time.time()) + 2 * 3600}}
    shown = {"rate_limits": limits, "model": {"id": "claude-opus-5"}, "context": "x" * 2000}
    return json.dumps({**COMMON, **shown}).encode()


def _shell(socket: str) -> list[Step]:
    """The status line for the shell alone, as the README has it, where there is an ``nc`` for it."""
    if shutil.which("nc") is None or not README.exists():
        return []
    blocks = re.findall(r"```sh\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    script = next(block for block in blocks if '"method":"statusline"' in block)
    script = script.replace('"$XDG_RUNTIME_DIR/quotad/quotad.sock"', shlex.quote(socket))
    return [Step(SHELL, ["sh", "-c", script], _shown(), STATUS_LINE_TIMES)]


class Took(NamedTuple):
    """Seconds of one run, by the clock and of the processor."""

    wall_s: float
    cpu_s: float


def _took(step: Step, environment: Mapping[str, str]) -> Took:
    before, began = getrusage(RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(step.command, input=step.stdin, env=environment, capture_output=True, check=True)
    wall_s, after = time.perf_counter() - began, getrusage(RUSAGE_CHILDREN)
    return Took(wall_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def compared(
    steps: Sequence[Step], environment: Mapping[str, str], rounds: int, suffix: str = ""
) -> list[Row]:
    """The ratio to ``python -c pass`` of the same round, as a median over the rounds."""
    base = Step("", beside.nothing())
    took: dict[str, list[Took]] = {step.name: [] for step in (base, *steps)}
    for number in range(-WARM_ROUNDS, rounds):
        for step in (base, *steps):
            one = _took(step, environment)
            if number >= 0:
                took[step.name].append(one)
    return [_row(step, f"{step.name}, whole process{suffix}", took[step.name], took[""]) for step in steps]


def _row(step: Step, name: str, ours: Sequence[Took], nothings: Sequence[Took]) -> Row:
    walls, base_walls = [one.wall_s for one in ours], [one.wall_s for one in nothings]
    times, cpu = ratio(walls, base_walls), ratio([one.cpu_s for one in ours], [one.cpu_s for one in nothings])
    clock = f"{median(walls) * 1000:.0f} ms to {median(base_walls) * 1000:.0f} ms of python -c pass"
    note = f"{clock}; CPU {cpu:.2f}x"
    if step.times_most is None:
        return Row(name, f"{times:.2f}x", "", note)
    return Row.most(name, times, step.times_most, "{:.2f}x", note)


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
