"""What a process costs: wall time, processor time and memory, its children included.

Processor time of a finished process comes from the kernel's account (``wait4``), of a living one from the
scheduler's (nanoseconds, where ``stat`` has hundredths of a second). Memory is the kernel's high-water mark
of one process, or the proportional set size of a tree, in which shared pages count once.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

SAMPLE_S = 0.05
KIB = 1024


class Cost(NamedTuple):
    """What one run took; ``peak_bytes`` of the whole tree."""

    wall_s: float
    cpu_s: float
    peak_bytes: int
    output: bytes


def run(command: Sequence[str], environment: Mapping[str, str]) -> Cost:
    """Run to the end; raises CalledProcessError, with what it wrote to stderr, if that is not 0."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.perf_counter()
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        peak = Peak(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        peak.stop()
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        output = out.read()
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command, output, err.read())
    return Cost(wall, usage.ru_utime + usage.ru_stime, peak.bytes, output)


class Peak(threading.Thread):
    """Looks at the memory of a process and its children, ``bytes`` at most so far, until it is stopped."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.bytes = 0
        self._pid = pid
        self._done = threading.Event()
        self.start()

    def run(self) -> None:
        while not self._done.wait(SAMPLE_S):
            self.bytes = max(self.bytes, tree_bytes(self._pid), high_water_bytes(self._pid))

    def stop(self) -> None:
        self._done.set()
        self.join()


def tree(pid: int) -> Iterator[int]:
    """The process and all its descendants that are alive."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            pids = children.read_text().split()
        except OSError:
            continue
        for child in pids:
            yield from tree(int(child))


def tree_bytes(pid: int) -> int:
    """Memory of the tree now; processes that end meanwhile count nothing."""
    total = 0
    for member in tree(pid):
        try:
            rollup = Path(f"/proc/{member}/smaps_rollup").read_bytes()
        except OSError:
            continue
        total += _field(rollup, b"Pss:")
    return total


def high_water_bytes(pid: int) -> int:
    """The most that this one process has ever had resident; 0 once it has ended.

    (The account that ``wait4`` gives is no use: it begins with the memory of the process that forked.)
    """
    try:
        return _field(Path(f"/proc/{pid}/status").read_bytes(), b"VmHWM:")
    except OSError:
        return 0


def _field(text: bytes, name: bytes) -> int:
    at = text.find(b"\n" + name)
    return 0 if at < 0 else int(text[at + 1 + len(name) :].split(maxsplit=1)[0]) * KIB


def tree_cpu_s(pid: int) -> float:
    """Seconds that the living threads of the tree have run so far."""
    total = 0
    for member in tree(pid):
        for thread in Path(f"/proc/{member}/task").glob("*/schedstat"):
            try:
                total += int(thread.read_bytes().split()[0])
            except OSError:
                continue
    return total / 1e9
