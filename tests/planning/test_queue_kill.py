"""The queue file survives its writer: killed at any instant, it holds every change that was acknowledged."""

from __future__ import annotations

import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from quotad.planning.queue_file import QueueFile

TORTURE = Path(__file__).with_name("torture.py")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
KILLS = 8
START_SECONDS = 30.0
EMPTY = '{"totalEstimate": 0, "sessions": [], "colour": "blue"}'


def lines_until_killed(command: list[str], seconds: float) -> list[str]:
    """What the process said before it was killed, so long after it was ready."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0, env=ENVIRONMENT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        deadline = time.monotonic() + seconds
        said = b""
        while (left := deadline - time.monotonic()) > 0:
            if select.select([process.stdout], [], [], left)[0]:
                said += os.read(process.stdout.fileno(), 65_536)
        process.send_signal(signal.SIGKILL)
        said += process.stdout.read()
    return said.decode().splitlines()


class Expected:
    """What the file must hold: the acknowledged changes, and the last one that was begun or not."""

    def __init__(self) -> None:
        self.sessions: dict[str, int] = {}

    def check(self, said: list[str], path: Path) -> None:
        """The file is whole and holds what it must."""
        begun: dict[str, int] = self.sessions
        for line in said:
            word, what, which, *number = line.split()
            after = dict(self.sessions)
            if what == "gone":
                after.pop(which)
            else:
                after[which] = int(number[0])
            if word == "did":
                self.sessions = after
            begun = after
        document = json.loads(path.read_bytes())
        there = {entry["id"]: entry["estimatedTokens"] for entry in document["sessions"]}
        assert there in (self.sessions, begun)
        assert sum(there.values()) == document["totalEstimate"]
        assert document["colour"] == "blue"
        assert there == {each.id: each.tokens for each in QueueFile(path).read().queue.sessions}
        self.sessions = there


def test_a_killed_writer_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    """Killed at random instants; the next writer goes on, and tidies up."""
    path = tmp_path / "session-queue.json"
    path.write_text(EMPTY)
    expected, chance, changes = Expected(), random.Random(3), 0
    for kill in range(KILLS):
        said = lines_until_killed([sys.executable, str(TORTURE), str(path), str(kill)], chance.random() * 0.3)
        changes += len([line for line in said if line.startswith("did")])
        expected.check(said, path)
    assert changes > KILLS
    assert len(list(tmp_path.iterdir())) <= 2


@pytest.mark.requires("strace", "strace")
@pytest.mark.parametrize(
    ("call", "when"), [("write", 5), ("write", 6), ("fsync", 1), ("fsync", 4), ("rename", 1), ("rename", 2)]
)
def test_a_writer_killed_at_a_step_of_a_save_loses_nothing(tmp_path: Path, call: str, when: int) -> None:
    """Just before it writes, syncs or renames: the file is the old one or the new one."""
    path = tmp_path / "session-queue.json"
    path.write_text(EMPTY)
    ran = subprocess.run(
        [
            *("strace", "-f", "-qq", "-o", tmp_path / "trace", "-e", f"trace={call}"),
            *("-e", f"inject={call}:signal=SIGKILL:when={when}", sys.executable, TORTURE, path, "1"),
        ],
        check=False,
        stdout=subprocess.PIPE,
        env=ENVIRONMENT,
        timeout=START_SECONDS,
    )
    assert -signal.SIGKILL == ran.returncode
    ready, *said = ran.stdout.decode().splitlines()
    assert ready == "ready"
    Expected().check(said, path)
