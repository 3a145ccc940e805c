"""Takes in what was appended to a file, and knows whether it still is the same file.

Files are rotated, truncated in place, rewritten and replaced behind our back, and inode numbers are
reused at once (FAULTS 0.9), so a place in a file is only kept together with the bytes around it: a file
is resumed where its head and the bytes before the offset are what they were, and read from its start
otherwise. Reading a line again is harmless, since counting is idempotent; missing one is not.

What to read next is decided once, in ``_Reading``, which does no I/O: ``read_file`` serves it with
blocking calls for the bulk of history and for a few lines that a live file grew by, ``follow`` with aiofiles
for more.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import NamedTuple, TypeAlias

from msgspec import Struct, field

from quotad.domain.cursor import Batch, Cursor
from quotad.sources.cutter import LineCutter
from quotad.sources.lines import Counts

Decode: TypeAlias = Callable[[bytes, Batch], Counts]
"""Decodes a block of complete lines, ending in a newline, into the events of a batch.

It adds to ``usage``, ``logs``, ``readings`` and ``latest``. ``lines``, ``malformed`` and ``bytes_read`` are
added up here from the counts that it returns. It never raises for what a line says.
"""

CHUNK_BYTES = 256 * 1024
"""One read through aiofiles: iterating over lines was a hundred times slower (FAULTS 0.7)."""
BLOCK_BYTES = 128 * 1024
"""One blocking read: what was read stays in a processor's own cache until it is decoded."""

HEAD_BYTES_MAX = 1024
TAIL_BYTES_MAX = 256
DIGEST_BYTES = 16

FOLLOW_BYTES_MAX = 4 * 1024 * 1024
"""What one call of ``follow`` takes in before it lets others have their turn, unless told otherwise."""

UNFINISHED = -1
"""Stands for the mtime in a cursor that stopped early: no file has it, so every scan finds a difference."""


class _Scratch(threading.local):
    """Memory to read into, kept per thread: a fresh piece per file cost up to five times the reading."""

    def __init__(self) -> None:
        self.buffer = bytearray(BLOCK_BYTES)


_scratch = _Scratch()


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
        reading = _Reading(path, os.fstat(opened), decode, batch, _scratch.buffer)
        memory = memoryview(reading.buffer)
        for span in reading.spans(cursor, limit_bytes, anew):
            reading.filled = os.preadv(opened, [memory[: span.size]], span.offset)
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
    # Not the thread's memory: when this task is cancelled, a read may still be writing to it.
    buffer = bytearray(CHUNK_BYTES)
    async with aiofiles.open(path, "rb", buffering=0, opener=_open_regular) as file:
        reading = _Reading(path, os.fstat(file.fileno()), decode, batch, buffer)
        for span in reading.spans(cursor, limit_bytes, anew):
            if span.offset != position:  # each call is a hop to a thread and back
                await file.seek(span.offset)
            reading.filled = await file.readinto(memoryview(reading.buffer)[: span.size]) or 0
            position = span.offset + reading.filled
    return reading.cursor()


def _open_regular(path: str, flags: int) -> int:
    # O_NONBLOCK: opening a FIFO that nobody writes to would hang this thread for ever.
    opened = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise OSError(errno.EINVAL, "not a regular file", path)
    return opened


class _Reading(Struct):
    """One reading of one file, without the I/O: what is wanted next, and what has come of it.

    ``file`` is what was known of it before the first read, and nothing behind its size is read: what is
    appended meanwhile changes size or mtime against the cursor, and so is seen by the next scan.
    """

    path: str
    file: os.stat_result
    decode: Decode
    batch: Batch
    buffer: bytearray
    filled: int = 0
    """How many bytes the span asked for last brought; they stand at the beginning of the buffer."""
    cutter: LineCutter = field(default_factory=LineCutter)
    head: bytes = b""
    tail: bytes = b""
    offset: int = 0
    lines: int = 0
    malformed: int = 0
    stopped_early: bool = False

    def spans(
        self, cursor: Cursor | None, limit_bytes: int, anew: Callable[[], Decode] | None
    ) -> Iterator[Span]:
        """Ask for spans; between two of them the bytes have been read into ``buffer``."""
        if cursor is not None:
            yield from self._resume(cursor)
        if self.offset == 0 and anew is not None:
            self.decode = anew()
        start = position = self.offset
        while position < self.file.st_size:
            if position - start >= limit_bytes and self.offset > start:
                self.stopped_early = True
                break
            self.filled = 0
            yield Span(position, min(len(self.buffer), limit_bytes, self.file.st_size - position))
            if not self.filled:
                break  # truncated meanwhile: the next scan sees another size
            position += self.filled
            cut = self.cutter.feed(self.buffer, self.filled)
            if cut.dropped:
                self._move_past(cut.dropped, cut.counts)
            if cut.block:
                self._move_past(cut.block, self.decode(cut.block, self.batch))

    def _resume(self, cursor: Cursor) -> Iterator[Span]:
        """Go to the place of the cursor if this is its file, else stay at the start."""
        same = (cursor.device, cursor.inode) == (self.file.st_dev, self.file.st_ino)
        if not same or cursor.offset > self.file.st_size:
            return
        yield Span(0, cursor.head_size)
        head = bytes(self.buffer[: self.filled])
        tail_size = min(cursor.offset, TAIL_BYTES_MAX)
        yield Span(cursor.offset - tail_size, tail_size)
        tail = bytes(self.buffer[: self.filled])
        if (_digest(head), _digest(tail)) == (cursor.head, cursor.tail):
            self.head, self.tail, self.offset = head, tail, cursor.offset
            self.lines, self.malformed = cursor.lines, cursor.malformed
            self.cutter = LineCutter(skipping=cursor.skipping)

    def _move_past(self, piece: bytes, counts: Counts) -> None:
        self.offset += len(piece)
        self.head += piece[: HEAD_BYTES_MAX - len(self.head)]
        self.tail = (piece if len(piece) >= TAIL_BYTES_MAX else self.tail + piece)[-TAIL_BYTES_MAX:]
        self.lines += counts.lines
        self.malformed += counts.malformed
        self.batch.lines += counts.lines
        self.batch.malformed += counts.malformed
        self.batch.bytes_read += len(piece)

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
            skipping=self.cutter.skipping,
            lines=self.lines,
            malformed=self.malformed,
        )


def _digest(piece: bytes) -> bytes:
    return blake2b(piece, digest_size=DIGEST_BYTES).digest()
