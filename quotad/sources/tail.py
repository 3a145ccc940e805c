"""Takes in what was appended to a file, and knows whether it still is the same file.

Files are rotated, truncated in place, rewritten and replaced behind our back, and inode numbers are
reused at once (FAULTS 0.9), so a place in a file is only kept together with the bytes around it: a file
is resumed where its head and the bytes before the offset are what they were, and read from its start
otherwise. Reading a line again is harmless, since counting is idempotent; missing one is not.

What to read next is decided once, in ``LineReader``, which does no I/O: ``read_file`` serves it with
blocking calls for the bulk of history and for a few lines that a live file grew by, ``follow`` with aiofiles
for more.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import NamedTuple, TypeAlias

from msgspec import Struct

from quotad.domain.cursor import Batch, Cursor
from quotad.sources.lines import Counts

Decode: TypeAlias = Callable[[bytes, Batch], Counts]
"""Decodes the complete lines of a block into the events of a batch; what is behind the last newline is left.

It adds to ``usage``, ``logs``, ``readings`` and ``latest``. ``lines``, ``malformed`` and ``bytes_read`` are
added up here from the counts that it returns. It never raises for what a line says.
"""

CHUNK_BYTES = 256 * 1024
"""One read through aiofiles: iterating over lines was a hundred times slower (FAULTS 0.7)."""
BLOCK_BYTES = 128 * 1024
"""One blocking read: what was read stays in a processor's own cache until it is decoded."""
LINE_BYTES_MAX = 32 * 1024 * 1024
"""The longest line, without its newline, that is decoded; Claude Code writes lines of many MB."""

_NO_LINES = Counts(0, 0)
_OVERLONG = Counts(1, 1)
"""What a line over the limit counts, at the moment it is found to be one."""

HEAD_BYTES_MAX = 1024
TAIL_BYTES_MAX = 256
DIGEST_BYTES = 16

FOLLOW_BYTES_MAX = 4 * 1024 * 1024
"""What one call of ``follow`` takes in before it lets others have their turn, unless told otherwise."""

UNFINISHED = -1
"""Stands for the mtime in a cursor that stopped early: no file has it, so every scan finds a difference."""


class Span(NamedTuple):
    """Bytes of a file that are wanted next: ``size`` of them at ``offset``, fewer at the end of the file."""

    offset: int
    size: int


def finished(cursor: Cursor) -> bool:
    """Whether all that the file held when it was looked at was read; a torn last line is no rest."""
    return cursor.mtime_ns != UNFINISHED


def read_file(  # noqa: PLR0913 - what to read, where it goes, and how much of it
    path: str,
    cursor: Cursor | None,
    decode: Decode,
    batch: Batch,
    *,
    limit_bytes: int,
    anew: Callable[[], Decode] | None = None,
) -> Cursor:
    """Take complete lines behind ``cursor`` into ``batch``, blocking; give the cursor that covers them.

    It stops behind the first line that reaches ``limit_bytes``; ``finished`` says whether it did. A reading
    that begins at the start of the file is decoded by what ``anew`` makes, if it is given: for decoders
    that number the lines of their file. The cursor is returned, not added to the batch.

    Raises OSError (also for what is no regular file). The batch may then hold events that no cursor covers,
    and they come again: a decoder that numbers lines has to begin anew, with no cursor.
    """
    opened = _open_regular(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        reading = LineReader(path, os.fstat(opened), decode, batch, BLOCK_BYTES)
        for span in reading.spans(cursor, limit_bytes, anew):
            reading.chunk = os.pread(opened, span.size, span.offset)
    finally:
        os.close(opened)
    return reading.cursor()


async def follow(  # noqa: PLR0913 - as above
    path: str,
    cursor: Cursor | None,
    decode: Decode,
    batch: Batch,
    *,
    limit_bytes: int = FOLLOW_BYTES_MAX,
    anew: Callable[[], Decode] | None = None,
) -> Cursor:
    """Do what ``read_file`` does, with reads that do not block the loop; decoding runs on the loop."""
    import aiofiles  # noqa: PLC0415 - brings the event loop along, which a process that only reads has no use for

    position = 0
    async with aiofiles.open(path, "rb", buffering=0, opener=_open_regular) as file:
        reading = LineReader(path, os.fstat(file.fileno()), decode, batch, CHUNK_BYTES)
        for span in reading.spans(cursor, limit_bytes, anew):
            if span.offset != position:  # each call is a hop to a thread and back
                await file.seek(span.offset)
            reading.chunk = await file.read(span.size)
            position = span.offset + len(reading.chunk)
    return reading.cursor()


def _open_regular(path: str, flags: int) -> int:
    # O_NONBLOCK: opening a FIFO that nobody writes to would hang this thread for ever.
    opened = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise OSError(errno.EINVAL, "not a regular file", path)
    return opened


class LineReader(Struct):
    """One reading of one file, without the I/O: what is wanted next, and what has come of it.

    ``file`` is what was known of it before the first read, and nothing behind its size is read: what is
    appended meanwhile changes size or mtime against the cursor, and so is seen by the next scan.

    A line that is torn by the end of a chunk is read again, with what follows: to join its parts, everything
    that is read would have to be copied. Of one longer than a chunk the end is looked for first, so that no
    more is held than the line. One over the limit is dropped, counted once, and passed over up to its
    newline: what follows it is right again.
    """

    path: str
    file: os.stat_result
    decode: Decode
    batch: Batch
    chunk_bytes: int
    """One read, at most the longest line."""
    line_bytes_max: int = LINE_BYTES_MAX
    chunk: bytes = b""
    """What the span asked for last brought."""
    head: bytes = b""
    tail: bytes = b""
    offset: int = 0
    skipping: bool = False
    """Whether the offset stands inside a line over the limit."""
    lines: int = 0
    malformed: int = 0
    stopped_early: bool = False

    def spans(
        self, cursor: Cursor | None, limit_bytes: int, anew: Callable[[], Decode] | None
    ) -> Iterator[Span]:
        """Ask for spans; between two of them their bytes are put into ``chunk``."""
        if cursor is not None:
            yield from self._resume(cursor)
        if self.offset == 0 and anew is not None:
            self.decode = anew()
        assert self.chunk_bytes <= self.line_bytes_max, "a line over the limit could hide inside one chunk"
        start, end = self.offset, self.offset + limit_bytes
        ahead, overlong = 0, False  # so much of a long line was looked through
        while not self.stopped_early and self.offset + ahead < self.file.st_size:
            if self.offset + ahead >= end and self.offset > start:
                self.stopped_early = True
                break
            self.chunk = b""  # let go before more is read
            yield Span(self.offset + ahead, min(self.chunk_bytes, self.file.st_size - self.offset - ahead))
            if not self.chunk:
                break  # truncated meanwhile: the next scan sees another size
            first = self.chunk.find(b"\n") + 1
            line_bytes = ahead + (first - 1 if first else len(self.chunk))
            if self.skipping or overlong:
                self._move_past(self.chunk, first or len(self.chunk), _OVERLONG if overlong else _NO_LINES)
                self.skipping, overlong = not first, False
            elif line_bytes > self.line_bytes_max:
                overlong, ahead = True, 0
            elif not first:
                ahead = line_bytes
            elif ahead:
                ahead = 0
                yield from self._long_line(line_bytes + 1)
            else:
                self._take(end - self.offset)

    def _long_line(self, size: int) -> Iterator[Span]:
        """Take one line of so many bytes, its newline included."""
        self.chunk = b""
        yield Span(self.offset, size)
        if self.chunk.endswith(b"\n"):
            self._take(size)
        else:  # changed meanwhile, or brought in parts: the next scan tries again
            self.stopped_early = True

    def _take(self, wanted: int) -> None:
        """Take the lines of the chunk up to the first that reaches ``wanted``; there is one at least."""
        chunk = self.chunk
        end = chunk.rfind(b"\n") + 1
        if wanted < end:
            end = chunk.index(b"\n", wanted - 1) + 1
            chunk = chunk[:end]
        self._move_past(chunk, end, self.decode(chunk, self.batch))

    def _resume(self, cursor: Cursor) -> Iterator[Span]:
        """Go to the place of the cursor if this is its file, else stay at the start."""
        same = (cursor.device, cursor.inode) == (self.file.st_dev, self.file.st_ino)
        if not same or cursor.offset > self.file.st_size:
            return
        yield Span(0, cursor.head_size)
        head = self.chunk
        tail_size = min(cursor.offset, TAIL_BYTES_MAX)
        yield Span(cursor.offset - tail_size, tail_size)
        tail = self.chunk
        if (_digest(head), _digest(tail)) == (cursor.head, cursor.tail):
            self.head, self.tail, self.offset = head, tail, cursor.offset
            self.lines, self.malformed, self.skipping = cursor.lines, cursor.malformed, cursor.skipping

    def _move_past(self, chunk: bytes, end: int, counts: Counts) -> None:
        self.offset += end
        self.head += chunk[: min(end, HEAD_BYTES_MAX - len(self.head))]
        self.tail = (self.tail + chunk[max(0, end - TAIL_BYTES_MAX) : end])[-TAIL_BYTES_MAX:]
        self.lines += counts.lines
        self.malformed += counts.malformed
        self.batch.lines += counts.lines
        self.batch.malformed += counts.malformed
        self.batch.bytes_read += end

    def cursor(self) -> Cursor:
        return Cursor(
            self.path,
            self.file.st_dev,
            self.file.st_ino,
            head=_digest(self.head),
            head_size=len(self.head),
            offset=self.offset,
            tail=_digest(self.tail),
            size=self.file.st_size,
            mtime_ns=UNFINISHED if self.stopped_early else self.file.st_mtime_ns,
            skipping=self.skipping,
            lines=self.lines,
            malformed=self.malformed,
        )


def _digest(piece: bytes) -> bytes:
    return blake2b(piece, digest_size=DIGEST_BYTES).digest()
