"""Cuts a stream of bytes into blocks of whole lines, so that nothing behind it ever sees a torn one.

A transcript is appended to by another process: a read ends anywhere, inside a line, inside a character.
Bytes are held until their newline has come, and only then decoded. A line longer than ``LINE_BYTES_MAX``
is dropped, counted once, and passed over up to its newline: what follows it is right again. No I/O here.
"""

from __future__ import annotations

import io
from typing import NamedTuple

from quotad.sources.lines import Counts

LINE_BYTES_MAX = 32 * 1024 * 1024
"""The longest line, without its newline, that is decoded; Claude Code writes lines of many MB."""

NO_LINES = Counts(0, 0)

OVERLONG = Counts(1, 1)
"""What a line over the limit counts, at the moment it is found to be one."""


class Cut(NamedTuple):
    """What one chunk brought to an end, in the order of the file: ``dropped``, then ``block``.

    ``dropped`` are bytes of a line over the limit. ``block`` is whole lines, ending in a newline, or
    empty. ``counts`` are the lines that were found to be over the limit, none of them in ``block``.
    """

    dropped: bytes
    block: bytes
    counts: Counts


class LineCutter:
    """Chunks of bytes in, blocks of whole lines out, whatever the cuts between the chunks.

    Made with ``skipping`` it begins inside a line that was found to be over the limit before. It needs
    the limit, an eighth of it, and a chunk of memory: ``BytesIO`` gives its bytes away without a copy.
    """

    __slots__ = ("_held", "_line_bytes_max", "skipping")

    def __init__(self, *, skipping: bool = False, line_bytes_max: int = LINE_BYTES_MAX) -> None:
        self.skipping = skipping
        self._line_bytes_max = line_bytes_max
        self._held = io.BytesIO()

    @property
    def held(self) -> int:
        """How many bytes wait for their newline."""
        return self._held.tell()

    def feed(self, buffer: bytes | bytearray, size: int) -> Cut:
        """Take the next bytes, the first ``size`` ones of ``buffer``, and give what they complete.

        ``size`` is at most the limit: a longer line could hide inside. The buffer may be used again.
        """
        assert size <= self._line_bytes_max, "a line over the limit could hide inside one chunk"
        chunk = memoryview(buffer)
        first, last = buffer.find(b"\n", 0, size) + 1, buffer.rfind(b"\n", 0, size) + 1
        line_bytes = self.held + (first - 1 if first else size)
        overlong = line_bytes > self._line_bytes_max
        begin, dropped, block = 0, b"", b""
        if self.skipping or overlong:
            begin = first or size
            dropped = self._complete(chunk[:begin])
            self.skipping = not first
        if last > begin:
            block = self._complete(chunk[begin:last])
            begin = last
        self._held.write(chunk[begin:size])
        return Cut(dropped, block, OVERLONG if overlong else NO_LINES)

    def _complete(self, end: memoryview) -> bytes:
        if not self.held:
            return bytes(end)
        self._held.write(end)
        given, self._held = self._held.getvalue(), io.BytesIO()
        return given
