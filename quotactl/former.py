"""The status line that there was before ours: Claude Code has room for one, so ours runs the other."""

import os
import select
import signal
import time

from quotactl import quick

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

SECONDS = 5.0
"""Nothing is documented about how long Claude Code waits; a status line that takes longer shows nothing."""
OUTPUT_BYTES_MAX = 64 * 1024
_FILE_BYTES_MAX = 64 * 1024
_CHUNK_BYTES = 64 * 1024


class Former:
    """A shell command that gets the same stdin at the same time, and whose output follows ours."""

    def __init__(self, command: str, environment: "Mapping[str, str]") -> None:
        self._command = command
        self._environment = environment
        self._pid = 0
        self._into = self._out = -1
        self._text = b""

    @classmethod
    def of(cls, path: str, root: str, environment: "Mapping[str, str]") -> "Self | None":
        """The one that the file names for a Claude Code directory; None if it names none."""
        try:
            with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - pathlib costs 5 ms
                known = quick.fields(quick.decoded(file.read(_FILE_BYTES_MAX)))
        except OSError:
            return None
        command = known.get(os.path.realpath(root))
        return cls(command, environment) if isinstance(command, str) and command.strip() else None

    def begin(self, text: str) -> None:
        """Start it; its end is not waited for."""
        theirs_in, self._into = os.pipe()
        self._out, theirs_out = os.pipe()
        nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        actions = [
            (os.POSIX_SPAWN_DUP2, theirs_in, 0),
            (os.POSIX_SPAWN_DUP2, theirs_out, 1),
            (os.POSIX_SPAWN_DUP2, nowhere, 2),
        ]
        try:
            self._pid = os.posix_spawn(
                "/bin/sh", ["sh", "-c", self._command], self._environment, file_actions=actions, setpgroup=0
            )
            signal.signal(signal.SIGTERM, self._cancelled)
        except OSError:
            self._pid = 0
        for descriptor in (theirs_in, theirs_out, nowhere):
            os.close(descriptor)
        os.set_blocking(self._into, False)
        self._text = text.encode(errors="replace")

    def output(self) -> str:
        """What it printed by now, or prints in the time that it has, as whole lines."""
        if not self._pid:
            return ""
        read = self._read(time.monotonic() + SECONDS)
        text = bytes(read).decode(errors="replace").rstrip("\n")
        return f"{text}\n" if text else ""

    def _read(self, deadline: float) -> bytearray:
        """Its output to the end, feeding it meanwhile; whoever takes too long is ended."""
        read = bytearray()
        while len(read) <= OUTPUT_BYTES_MAX:
            left = deadline - time.monotonic()
            writing = [self._into] if self._into >= 0 else []
            readable, writable, _ = select.select([self._out], writing, [], max(0.0, left))
            if not readable and not writable:
                self._stop()
                break
            if writable:
                self._feed()
            if readable:
                chunk = os.read(self._out, _CHUNK_BYTES)
                if not chunk:
                    break
                read += chunk
        else:
            self._stop()
        return read

    def _stop(self) -> None:
        """End it, with everything that it started."""
        try:
            os.killpg(self._pid, signal.SIGTERM)
        except OSError:
            self._pid = 0

    def _cancelled(self, *_: object) -> None:
        """Claude Code has something newer to show, and ends us: the former one must not go on alone."""
        self._stop()
        os._exit(0)

    def _feed(self) -> None:
        try:
            self._text = self._text[os.write(self._into, self._text) :] if self._text else b""
        except BlockingIOError:
            return
        except OSError:
            self._text = b""
        if not self._text:
            os.close(self._into)
            self._into = -1
