"""Who reads in the background: a thread, and while there is much to read, processes beside the daemon."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from quotad.domain.usage import AccountId
from quotad.intake.reader import Request, receive, send
from quotad.intake.reading import Order, Taken, read

HANDS = 2
"""So many read at once, where there are processors for it: the ledger on disk keeps pace with no more."""
PROCESS_BYTES = 48 * 1024 * 1024
"""Less is read in the time that a process takes to start."""

_BEGIN = "import sys; sys.path[:] = sys.argv[1:]; from quotad.intake.reader import main; main()"
"""It finds what this process finds, however it was started."""

_log = logging.getLogger(__name__)


class Readers:
    """Reads what is ordered, wherever it can be read; nothing is lost with a process that dies."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(max_workers=HANDS, thread_name_prefix="reader")
        self._idle: list[_Process] = []
        self._apart = False

    def prepare(self, size_bytes: int) -> int:
        """How many should order at once while so much is to be read; until ``rest``."""
        self._apart = size_bytes >= PROCESS_BYTES and _processors() > 1 and bool(sys.executable)
        return HANDS if self._apart else 1

    async def read(self, account: AccountId, orders: Sequence[Order]) -> Taken:
        """What the files hold; see ``reading.read``."""
        apart = self._apart and all(order.is_plain for order in orders)
        work = self._read_apart if apart else read
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, account, orders)

    async def rest(self) -> None:
        """There is nothing more to be read for now: the processes end."""
        self._apart = False
        if self._idle:
            await asyncio.get_running_loop().run_in_executor(self._threads, self._dismiss)

    def close(self) -> None:
        """Let go of threads and processes; blocking."""
        self._threads.shutdown()
        self._dismiss()

    def _read_apart(self, account: AccountId, orders: Sequence[Order]) -> Taken:
        process = None
        try:
            process = self._taken_up() or _Process()
            taken = process.read(account, orders)
        except (OSError, EOFError, msgspec.DecodeError) as fault:
            # Killed for want of memory, or never started for want of processes.
            _log.warning("a process that reads has failed (%s): this one reads itself", fault)
            self._apart = False
            if process is not None:
                process.kill()
            return read(account, orders)
        self._idle.append(process)
        return taken

    def _taken_up(self) -> _Process | None:
        """One that is idle: whether there is one may be another thread's question, too."""
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _dismiss(self) -> None:
        while process := self._taken_up():
            process.end()


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
