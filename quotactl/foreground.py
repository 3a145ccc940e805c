"""Another program in our place at the terminal, and we are still there when it has ended.

It is in our process group: what is typed reaches it as if a shell had run it. Meanwhile the keys that
interrupt and stop are its own affair, what others send to us is passed on, and when it stops, so do we.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType

_TYPED = (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP)
"""From the terminal they reach the program, too."""
_SENT = (signal.SIGTERM, signal.SIGHUP)
_AS_FROM_A_SHELL = (signal.SIGPIPE, signal.SIGXFSZ)
"""Python ignores them, and what is ignored stays so in a program that is run."""


@dataclass(slots=True)
class _Child:
    """What the signals that arrive are to be told to."""

    pid: int = 0
    ended_by: int = 0
    """A signal that came before there was a child to pass it on to."""
    continued: bool = False

    def pass_on(self, number: int, _: FrameType | None) -> None:
        if not self.pid:
            self.ended_by = number
            return
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def go_on(self, _: int, __: FrameType | None) -> None:
        self.continued = True


def run(program: str, command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run it to its end; its exit code, or minus the number of the signal that ended it.

    Raises ``OSError`` and ``ValueError`` if it cannot be run.
    """
    child = _Child()
    with _signals(child):
        # A handler of ours becomes the default in it; only what is ignored would stay so.
        pid = os.posix_spawn(program, list(command), dict(environment), setsigdef=_AS_FROM_A_SHELL)
        child.pid = pid
        if child.ended_by:
            os.kill(pid, child.ended_by)
        status = _ended(child)
        # From here on the number may be another's.
        child.pid = 0
    return os.waitstatus_to_exitcode(status)


def _ended(child: _Child) -> int:
    while True:
        child.continued = False
        _, status = os.waitpid(child.pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            return status
        if not child.continued:
            # Whoever runs us, a shell, is to see that its job has stopped; it makes both of us go on.
            os.kill(os.getpid(), signal.SIGSTOP)
        os.kill(child.pid, signal.SIGCONT)


@contextmanager
def _signals(child: _Child) -> Iterator[None]:
    handlers = {
        **dict.fromkeys(_TYPED, _unheard),
        **dict.fromkeys(_SENT, child.pass_on),
        signal.SIGCONT: child.go_on,
    }
    # What is ignored already (`nohup`, a job in the background) is to stay so, in the program as well.
    mine = [number for number in handlers if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handlers[number]) for number in mine}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _unheard(_: int, __: FrameType | None) -> None:
    pass
