"""Signals as calls on the loop.

The loop's own way (``add_signal_handler``) gives each signal its default back when it ends. That kills, so
whoever insisted would spoil the exit code in the last moments of a clean end.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

HEARD_BYTES = 4096
"""So many signals are read at once; more than a few of each mean nothing."""


@contextmanager
def taken_over(calls: Mapping[int, Callable[[], object]]) -> Iterator[None]:
    """Each signal of ``calls`` is a call on the running loop; afterwards it is ignored, to the very end."""
    loop = asyncio.get_running_loop()
    heard, told = socket.socketpair()

    def hear() -> None:
        for number in set(heard.recv(HEARD_BYTES)) & calls.keys():
            calls[number]()

    with heard, told:
        heard.settimeout(0)
        told.settimeout(0)
        loop.add_reader(heard, hear)
        # From here on the loop hears of every signal, and until its handler is replaced the earlier one acts.
        signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
        for number in calls:
            signal.signal(number, _left_to_the_loop)
            # What waits in the system goes on waiting, as under the loop's own handlers.
            signal.siginterrupt(number, False)  # noqa: FBT003 - it takes no keywords
        try:
            yield
        finally:
            for number in calls:
                signal.signal(number, signal.SIG_IGN)
            signal.set_wakeup_fd(-1)
            loop.remove_reader(heard)


def _left_to_the_loop(*_: object) -> None:
    """A signal must have a handler for its number to be written to the loop's socket."""
