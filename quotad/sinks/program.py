"""Running somebody else's program without being harmed by it: bounded in time, bounded in what is kept."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

COMPLAINT_BYTES_MAX = 4096
"""What is kept of a program's stderr: its end."""
COMPLAINT_CHARS_MAX = 200

_PIPE_BYTES = 65_536
"""As much as a pipe holds: what a program may leave unread when it ends."""


class Ending(NamedTuple):
    """How a program ended: ``code`` is its exit code, negative for a signal, None when time ran out.

    ``complaint`` is the last line that it wrote to stderr.
    """

    code: int | None
    complaint: str

    def __str__(self) -> str:
        match self.code:
            case None:
                how = "was killed when its time was over"
            case code if code < 0:
                how = f"was ended by signal {-code}"
            case code:
                how = f"exited with {code}"
        return f"{how}: {self.complaint}" if self.complaint else how


def find(program: str, home: Path) -> str | None:
    """The file that would be run, or None; a relative path with a slash is taken from ``home``."""
    return shutil.which(home / program if "/" in program else program)


async def run(argv: Sequence[str], stdin: bytes, *, home: Path, seconds_max: float) -> Ending:
    """Run ``argv`` in ``home`` with ``stdin`` as its input, for ``seconds_max`` at most.

    It is a process group of its own, all of which is killed when time is over or the caller is cancelled.
    What it leaves running in the background when it ends by itself is its own affair, and not waited for.
    Raises ``OSError`` when it cannot be started.
    """
    with _complaints() as (writer, complaint):
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=writer,
                cwd=home,
                start_new_session=True,
            )
        finally:
            os.close(writer)
        assert process.stdin is not None, "asked for a pipe"
        process.stdin.write(stdin)
        process.stdin.close()
        code = None
        try:
            async with asyncio.timeout(seconds_max):
                code = await process.wait()
        except TimeoutError:
            pass
        finally:
            if code is None:
                _kill_group(process.pid)
                await process.wait()
        return Ending(code, complaint())


@contextlib.contextmanager
def _complaints() -> Iterator[tuple[int, _Complaint]]:
    """A pipe for a program's stderr, read all the while; the caller closes the writing end.

    It is no pipe of asyncio's, whose processes are over only when every holder of the pipe is: a program
    that leaves something in the background would seem to hang.
    """
    loop = asyncio.get_running_loop()
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    complaint = _Complaint(reader)
    loop.add_reader(reader, complaint.take)
    try:
        yield writer, complaint
    finally:
        loop.remove_reader(reader)
        os.close(reader)


class _Complaint:
    """The end of what was written to a pipe."""

    def __init__(self, reader: int) -> None:
        self._reader = reader
        self._tail = b""

    def take(self) -> None:
        with contextlib.suppress(BlockingIOError):
            chunk = os.read(self._reader, _PIPE_BYTES)
            if not chunk:
                asyncio.get_running_loop().remove_reader(self._reader)
            self._tail = (self._tail + chunk)[-COMPLAINT_BYTES_MAX:]

    def __call__(self) -> str:
        """The last line that is not blank."""
        self.take()
        lines = self._tail.decode(errors="replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "")
        return last.strip()[:COMPLAINT_CHARS_MAX]


def _kill_group(pid: int) -> None:
    # macOS answers EPERM for a group of zombies.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
