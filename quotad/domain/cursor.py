"""Where in a file we are, and what one reading of it took in."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct, field

from quotad.domain.instant import Instant
from quotad.domain.reading import Reading
from quotad.domain.session import LogEvent
from quotad.domain.usage import AccountId, UsageEvent


class Cursor(NamedTuple):
    """Identity of a file and how far it has been taken in.

    Inode numbers are reused at once (50 of 50 on ext4), so identity is device, inode, a hash of the head
    (``head``, over the first ``head_size`` bytes, at most 1 KiB) and a hash of the bytes before the offset
    (``tail``, at most 256). ``size`` and ``mtime_ns`` are those seen at that reading: equal ones mean that
    there is nothing to read. ``offset`` is always just behind a newline, unless ``skipping``: then the
    middle of a line over the limit is being passed over.
    """

    path: str
    device: int
    inode: int
    head: bytes
    head_size: int
    offset: int
    tail: bytes
    size: int
    mtime_ns: int
    skipping: bool
    lines: int
    malformed: int


class Batch(Struct):
    """What was taken in from one account's files in one go; its cursors cover exactly its events."""

    account: AccountId
    usage: list[UsageEvent] = field(default_factory=list)
    logs: list[LogEvent] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    cursors: list[Cursor] = field(default_factory=list)
    bytes_read: int = 0
    lines: int = 0
    malformed: int = 0
    latest: Instant = 0
