"""Bytes in, lines out: wherever the kernel cut the stream, the same lines come out.

One message is one line, because that can be read and written with ``nc``. Lines are taken one by one, so that
thousands of tiny requests wait in the buffer and not in tasks.
"""

from __future__ import annotations

from quotad import wire


class TooLong(Exception):  # noqa: N818 - the peer is wrong, not the program
    """A line is longer than a request may be; where the next one begins is not known."""


class Lines:
    """The bytes that have arrived on one connection and were not taken yet."""

    def __init__(self, longest: int = wire.REQUEST_BYTES_MAX) -> None:
        """``longest``: bytes of a line at most, its newline not counted."""
        self._longest = longest
        self._arrived = bytearray()
        self._searched = 0

    @property
    def pending(self) -> int:
        """How many bytes wait."""
        return len(self._arrived)

    @property
    def overfull(self) -> bool:
        """More waits than the longest line: no need to read on before something is taken."""
        return len(self._arrived) > self._longest

    def feed(self, data: bytes | memoryview) -> None:
        self._arrived += data

    def take(self) -> bytes | None:
        """The next complete line without its newline, or None. Raises ``TooLong``."""
        end = self._arrived.find(b"\n", self._searched)
        if (len(self._arrived) if end < 0 else end) > self._longest:
            raise TooLong
        if end < 0:
            self._searched = len(self._arrived)
            return None
        line = bytes(memoryview(self._arrived)[:end])
        del self._arrived[: end + 1]
        self._searched = 0
        return line
