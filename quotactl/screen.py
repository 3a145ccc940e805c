"""The terminal while something is shown live: its other screen, its keys, and its return to what it was.

rich draws; it takes long to import, so only what is live imports this module.
"""

from __future__ import annotations

import os
import re
import select
import signal
import sys
import termios
import tty
from collections.abc import Callable, Iterable
from types import FrameType, TracebackType
from typing import NamedTuple, Self, TypeAlias

from rich.console import Console as RichConsole
from rich.live import Live
from rich.text import Text

_QUIT_KEYS = frozenset(b"qQ\x1b")
_OTHER_KEYS = re.compile(rb"\x1b[\[O][0-?]*[ -/]*[@-~]")
"""Arrows and the like, which begin with the sign of the escape key (ECMA-48, 5.4)."""
_KEY_BYTES = 64

Handler: TypeAlias = Callable[[int, FrameType | None], object]


class Ready(NamedTuple):
    """What ended a wait: whether the user wants to leave, and which files can be read."""

    leave: bool
    files: frozenset[int]


def leave_by_signal(number: int, _: FrameType | None) -> None:
    """A handler for signals that end us: every ``with`` restores what it changed, then we are gone."""
    sys.exit(128 + number)


class Screen:
    """Use it in a ``with``: whatever ends that, the terminal is as it was before."""

    def __init__(self, *, colour: bool) -> None:
        self._live = Live(
            console=RichConsole(no_color=not colour, highlight=False, markup=False, emoji=False),
            screen=True,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._keys = sys.stdin.fileno() if sys.stdin.isatty() else None
        self._woken, self._wake = os.pipe()
        self._restore: list[Callable[[], object]] = []

    def __enter__(self) -> Self:
        for number in (signal.SIGTERM, signal.SIGHUP):
            self._handle(number, leave_by_signal)
        self._handle(signal.SIGWINCH, self._resized)
        self._handle(signal.SIGTSTP, self._suspended)
        self._restore.append(self._close)
        self._open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._restore:
            self._restore.pop()()
        os.close(self._woken)
        os.close(self._wake)

    def show(self, picture: str) -> None:
        """Draws this, cut to the terminal's size."""
        self._live.update(Text.from_ansi(picture, no_wrap=True, overflow="crop", end=""), refresh=True)

    def wait(self, files: Iterable[int], seconds: float) -> Ready:
        """Until one of the files can be read, the user wants to leave, the size changed or time is up."""
        watched = [*files, self._woken]
        if self._keys is not None:
            watched.append(self._keys)
        ready = frozenset(select.select(watched, [], [], max(0.0, seconds))[0])
        if self._woken in ready:
            os.read(self._woken, _KEY_BYTES)
        leave = self._keys is not None and self._keys in ready and self._leaving(self._keys)
        return Ready(leave, ready)

    def _leaving(self, keys: int) -> bool:
        pressed = os.read(keys, _KEY_BYTES)
        if not pressed:
            self._keys = None
        return not _QUIT_KEYS.isdisjoint(_OTHER_KEYS.sub(b"", pressed))

    def _handle(self, number: signal.Signals, handler: Handler) -> None:
        before = signal.signal(number, handler)
        self._restore.append(lambda: signal.signal(number, before))

    def _open(self) -> None:
        if self._keys is not None:
            self._modes = termios.tcgetattr(self._keys)
            tty.setcbreak(self._keys)
        self._live.start()

    def _close(self) -> None:
        self._live.stop()
        if self._keys is not None:
            termios.tcsetattr(self._keys, termios.TCSADRAIN, self._modes)

    def _resized(self, _: int, __: FrameType | None) -> None:
        os.write(self._wake, b"\0")

    def _suspended(self, _: int, __: FrameType | None) -> None:
        """Ctrl-Z: the shell gets its screen back, and we ours when we go on."""
        self._close()
        os.kill(os.getpid(), signal.SIGSTOP)
        self._open()
        os.write(self._wake, b"\0")
