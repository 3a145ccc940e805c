"""What a process costs: wall time, processor time and memory, its children included.

Processor time of a finished process comes from the kernel's account (``wait4``), of a living one from its
clock (nanoseconds, where ``stat`` has hundredths of a second). Memory is the kernel's high-water mark
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
    """What one run took; ``peak_bytes`` of the whole tree (0 if nobody watched), and how it ended."""

    wall_s: float
    cpu_s: float
    peak_bytes: int
    output: bytes
    complaint: bytes = b""
    status: int = 0


def run(command: Sequence[str], environment: Mapping[str, str], *, watched: bool = False) -> Cost:
    """Run to the end; raises CalledProcessError, with what it wrote to stderr, if that is not 0.

    Who is ``watched`` is disturbed: looking at its memory twenty times a second cost some 3 % of its time.
    """
    cost = attempt(command, environment, watched=watched)
    if cost.status:
        raise subprocess.CalledProcessError(cost.status, command, cost.output, cost.complaint)
    return cost


def attempt(command: Sequence[str], environment: Mapping[str, str], *, watched: bool) -> Cost:
    """Run to the end, whatever that is."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.perf_counter()
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        peak = Peak(process.pid) if watched else None
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            # Whoever stops the benchmark stops what it runs.
            process.kill()
            raise
        finally:
            wall = time.perf_counter() - started
            if peak is not None:
                peak.stop()
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        cpu = usage.ru_utime + usage.ru_stime
        peak_bytes = peak.bytes if peak is not None else 0
        return Cost(wall, cpu, peak_bytes, out.read(), err.read(), process.returncode)


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
    """Seconds of processor time of a living process, of its children, and of those that it has buried."""
    total = 0.0
    for member in tree(pid):
        try:
            total += cpu_s(member)
        except OSError:
            continue
    # Two fields behind its own: what its children took that it has waited for, in ticks.
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return total + (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """Seconds that all threads of a living process have run so far, without a turn that is not over yet."""
    # The clock of another process's processor time, as the kernel numbers it (``clock_getcpuclockid``).
    return time.clock_gettime_ns((~pid << 3) | 2) / 1e9
