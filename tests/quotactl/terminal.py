"""A terminal for a quotactl process: what it draws is collected, and keys can be pressed."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable
from typing import Self

from tests.quotactl.conftest import Surroundings

SECONDS = 20.0

ALTERNATE_SCREEN, ORDINARY_SCREEN = "\x1b[?1049h", "\x1b[?1049l"
HIDDEN_CURSOR, SHOWN_CURSOR = "\x1b[?25l", "\x1b[?25h"


def wait_until(condition: Callable[[], bool], seconds: float = SECONDS) -> None:
    """Polls in the one place where this room waits; fails when time is up."""
    pause = threading.Event()
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        pause.wait(0.01)


class Terminal:
    """A process on a pseudo-terminal of the given size."""

    def __init__(self, here: Surroundings, *arguments: str, columns: int = 80, rows: int = 24) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
        self._before = termios.tcgetattr(slave)
        self._slave = slave
        self.text = ""
        self.process = subprocess.Popen(
            here.command(*arguments),
            env=here.environment | {"TERM": "xterm-256color"},
            cwd=here.root,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._slave)
        os.close(self._master)

    def drawn(self) -> str:
        """Everything that was drawn so far, as it came."""
        return self._read()

    def press(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def resize(self, columns: int, rows: int) -> None:
        """The kernel tells the foreground process only if it has a controlling terminal: we tell it."""
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def shows(self, words: str) -> None:
        """Waits until the words have been drawn, whatever their colour."""
        wait_until(lambda: words in _uncoloured(self._read()))

    def wait(self) -> int:
        """Waits for the end, reading on; the exit code."""
        wait_until(lambda: self._read() is not None and self.process.poll() is not None)
        self._read()
        return self.process.returncode

    def modes_are_restored(self) -> bool:
        return termios.tcgetattr(self._slave) == self._before

    def lines(self) -> list[str]:
        """What was drawn, without colours and cursor movements."""
        return _uncoloured(self.text).split("\n")

    def _read(self) -> str:
        while select.select([self._master], [], [], 0)[0]:
            try:
                self.text += os.read(self._master, 65536).decode(errors="replace")
            except OSError:
                break
        return self.text


def _uncoloured(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text).replace("\r", "")
