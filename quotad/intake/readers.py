"""Who reads in the background: a thread, and while there is much to read, a process beside the daemon."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate

import msgspec

from quotad.domain.usage import AccountId
from quotad.intake.reader import Request, receive, send
from quotad.intake.reading import Order, Taken, read

PROCESS_BYTES = 48 * 1024 * 1024
"""Less is read in the time that a process takes to start."""

_BEGIN = "import sys; sys.path[:] = sys.argv[1:]; from quotad.intake.reader import main; main()"
"""It finds what this process finds, however it was started."""

_log = logging.getLogger(__name__)


class Readers:
    """Reads what is ordered, one order at a time, wherever it can be read; nothing is lost with a process.

    There is one process, not one for each processor: the daemon itself has enough to do with what is read,
    and every Python is another 20 MB.
    """

    def __init__(self, processors: int | None = None) -> None:
        """``processors``: those that this process may use, unless told otherwise."""
        self._processors = processors or _processors()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reader")
        self._process: _Process | None = None
        self._apart = False

    def prepare(self, sizes: Iterable[int]) -> None:
        """Be told how many bytes each file is to bring, until ``rest``; of thousands not all are asked."""
        are_much = any(size_bytes >= PROCESS_BYTES for size_bytes in accumulate(sizes))
        self._apart = are_much and self._processors > 1 and bool(sys.executable)

    async def read(self, account: AccountId, orders: Sequence[Order]) -> Taken:
        """What the files hold; see ``reading.read``."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._read, account, orders)

    async def rest(self) -> None:
        """There is nothing more to be read for now: the process ends."""
        self._apart = False
        await asyncio.get_running_loop().run_in_executor(self._thread, self._dismiss)

    def close(self) -> None:
        """Let go of thread and process; blocking."""
        self._thread.shutdown()
        self._dismiss()

    def _read(self, account: AccountId, orders: Sequence[Order]) -> Taken:
        # Asked when its turn comes: the order before may have found that there can be no process.
        if not self._apart or not all(order.is_plain for order in orders):
            return read(account, orders)
        try:
            if self._process is None:
                self._process = _Process()
            return self._process.read(account, orders)
        except (OSError, EOFError, msgspec.DecodeError) as fault:
            # Killed for want of memory, or never started for want of processes.
            _log.warning("the process that reads has failed (%s): this one reads itself", fault)
            self._apart = False
            if self._process is not None:
                self._process.kill()
                self._process = None
            return read(account, orders)

    def _dismiss(self) -> None:
        if self._process is not None:
            self._process.end()
            self._process = None


class _Process:
    """One process that reads. Raises OSError when it cannot be started."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter, and nothing that comes from outside
            [sys.executable, "-I", "-c", _BEGIN, *sys.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._decoder = msgspec.msgpack.Decoder(Taken)

    def read(self, account: AccountId, orders: Sequence[Order]) -> Taken:
        """Have the files read. Raises OSError or EOFError when the process is gone."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None, "was asked for"
        assert stdout is not None, "was asked for"
        request = Request(account, [(order.path, order.cursor) for order in orders])
        send(stdin, msgspec.msgpack.encode(request))
        message = receive(stdout)
        if message is None:
            raise EOFError(f"it ended with {self._process.wait()}")
        return self._decoder.decode(message)

    def end(self) -> None:
        """Let it end; blocking."""
        self._process.communicate()

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


def _processors() -> int:
    """How many of them this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
