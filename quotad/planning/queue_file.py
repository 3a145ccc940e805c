"""The queue's file: read as what it means, written as it was but for what has changed.

People and other programs edit it too. So whatever nobody here knows is kept, in its place; a file that is
wrong is left as it is; and a change is applied to what the file says now, not to what it once said.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from quotad.domain.instant import Instant
from quotad.domain.queue import Planned, Queue, QueueRefused, checked
from quotad.planning.queue_change import both, new_document, updated
from quotad.planning.queue_plain import plainly
from quotad.planning.queue_text import (
    FILE_BYTES_MAX,
    Document,
    Fault,
    Key,
    TextInvalid,
    decoded,
    encoded,
    line_of,
    value_at,
)
from quotad.settings.show import key_text, plain
from quotad.sinks import durable

FAULTS_SHOWN_MAX = 10
VALUE_CHARACTERS_MAX = 60


_PLACES: Mapping[str, str] = {"dependencies": "dependencies", "scheduled_for": "status"}
"""Where the file shows what is wrong with a field of ``Planned``, if not at the id."""


class Stamp(NamedTuple):
    """What tells one state of the file from another; None in its place: there is no file."""

    inode: int
    size: int
    mtime_ns: int


class QueueRead(NamedTuple):
    """One state of the file, and what it means; ``document`` is empty if there is no file."""

    document: Document
    queue: Queue
    stamp: Stamp | None


class QueueInvalid(Exception):  # noqa: N818 - whoever wrote the file is wrong, not the program
    """The file cannot be used; a line for each fault names file, line, field, value and what is allowed."""


class QueueFile:
    """One queue's file, and what was seen of it last. Only one task at a time may use it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._good = QueueRead({}, Queue(), None)
        self._seen: QueueRead | QueueInvalid | None = None
        self._stamp: Stamp | None = None

    def changed(self) -> bool:
        """Whether the file is another than when it was last read, or written, here; True before that."""
        return self._seen is None or _stamp_of(self.path) != self._stamp

    def latest(self) -> QueueRead:
        """What the file says now; it is read only if it has changed. Raises ``QueueInvalid``."""
        if self._seen is None or self.changed():
            return self.read()
        if isinstance(self._seen, QueueInvalid):
            raise self._seen
        return self._seen

    def read(self) -> QueueRead:
        """Reads the file, blocking; no file is an empty queue. Raises ``QueueInvalid``.

        What is wrong is remembered as what is right is, unless the file could not be read at all.
        """
        self._seen = None
        self._stamp, content = self._content()
        try:
            read = self._meaning(content)
        except QueueInvalid as fault:
            self._seen = fault
            raise
        self._seen = self._good = read
        return read

    def _meaning(self, content: bytes | None) -> QueueRead:
        if content is None:
            return QueueRead({}, Queue(), None)
        document, queue = _checked(content, plain(str(self.path)))
        return QueueRead(document, queue, self._stamp)

    def _content(self) -> tuple[Stamp | None, bytes | None]:
        """The bytes, one more than allowed at most, and a stamp no younger. A pipe is never waited for."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return None, None
        except OSError as fault:
            raise self._unreadable(fault) from fault
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise QueueInvalid(f"{plain(str(self.path))}: is not a file")
            with open(descriptor, "rb", closefd=False) as file:
                return _stamp(found), file.read(FILE_BYTES_MAX + 1)
        except OSError as fault:
            raise self._unreadable(fault) from fault
        finally:
            os.close(descriptor)

    def _unreadable(self, fault: OSError) -> QueueInvalid:
        return QueueInvalid(f"{plain(str(self.path))}: cannot be read: {fault.strerror}")

    async def write(self, queue: Queue, now: Instant) -> QueueRead:
        """Makes the file say this queue; it is on the disk when this returns. ``now`` dates a new file.

        ``queue`` was made of the queue that was last read here. If the file has changed since, only the
        difference is applied to what it says now: a change by hand stays, and the queue of the answer holds
        both.

        Raises ``QueueInvalid`` (the file is left as it is), ``QueueRefused`` (the change does not go with
        what the file says now, or makes it too long) and ``OSError`` (the old file is whole).
        """
        base = self._good.queue
        there = self.latest()
        if there.queue != base:
            queue = both(base, queue, there.queue)
        if queue == there.queue:
            return there
        document = (
            updated(there.document, there.queue, queue)
            if there.stamp
            else new_document(queue, self.path, now)
        )
        content = self._encoded(document)
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        await durable.replace(self.path, content, sync=True)
        # As long as the old stamp stands the file counts as changed: somebody may have written it since.
        self._good = QueueRead(document, queue, None)
        stamp, written = self._content()
        if written == content:
            self._stamp = stamp
            self._seen = self._good = QueueRead(document, queue, stamp)
        return self._good

    def _encoded(self, document: Document) -> bytes:
        try:
            content = encoded(document)
        except RecursionError as fault:
            raise QueueInvalid(
                f"{plain(str(self.path))}: is nested too deeply to be written again"
            ) from fault
        if len(content) > FILE_BYTES_MAX:
            raise QueueRefused(
                "invalid-value", f"the queue's file would be longer than {FILE_BYTES_MAX} bytes"
            )
        return content


def sessions_in(text: str) -> tuple[Planned, ...]:
    """The sessions of a text in the file's shape, each sound in itself; they may need others of the queue.

    Raises ``QueueRefused`` with a line for each fault.
    """
    try:
        _, _, sessions = _decoded(text.encode("utf-8", "surrogatepass"), "the import")
    except QueueInvalid as fault:
        raise QueueRefused("invalid-value", str(fault)) from fault
    return sessions


def file_text(read: QueueRead, path: Path, now: Instant) -> str:
    """What is (or, without a file, would be) in the file."""
    document = read.document or new_document(read.queue, path, now)
    return encoded(document).decode("utf-8")


def _stamp_of(path: Path) -> Stamp | None:
    try:
        return _stamp(path.stat())
    except OSError:
        return None


def _stamp(found: os.stat_result) -> Stamp:
    return Stamp(found.st_ino, found.st_size, found.st_mtime_ns)


def _checked(content: bytes, name: str) -> tuple[Document, Queue]:
    text, document, sessions = _decoded(content, name)
    queue = _queue_of(sessions)
    if isinstance(queue, Queue):
        return document, queue
    raise _invalid(name, text, document, queue)


def _queue_of(sessions: Sequence[Planned]) -> Queue | list[Fault]:
    """The queue that they are together, or the first thing that is wrong with it."""
    try:
        return checked(sessions)
    except QueueRefused as refusal:
        return [Fault(_blamed(sessions, refusal), refusal.message, shown=False)]


def _blamed(sessions: Sequence[Planned], refusal: QueueRefused) -> Key:
    """Where to look for what is wrong with the sessions together: of two of the same id, at the latter."""
    numbers = [number for number, planned in enumerate(sessions) if planned.id == refusal.session]
    if not numbers:
        return ("sessions",)
    return ("sessions", numbers[-1], _PLACES.get(refusal.field or "", "id"))


def _decoded(content: bytes, name: str) -> tuple[str, Document, tuple[Planned, ...]]:
    try:
        text, raw = decoded(content)
    except TextInvalid as fault:
        where = name if fault.line is None else f"{name}: line {fault.line}"
        raise QueueInvalid(f"{where}: {fault.says}") from fault
    sessions = plainly(raw)
    if sessions is None:
        from quotad.planning.queue_document import (  # noqa: PLC0415 - pydantic: where something may be wrong
            sessions_of,
        )

        judged = sessions_of(raw)
        if isinstance(judged, list):
            raise _invalid(name, text, raw, judged)
        sessions = judged
    assert isinstance(raw, dict)
    return text, raw, sessions


def _invalid(name: str, text: str, raw: object, faults: Sequence[Fault]) -> QueueInvalid:
    sentences = [_sentence(name, text, raw, fault) for fault in faults[:FAULTS_SHOWN_MAX]]
    if len(faults) > FAULTS_SHOWN_MAX:
        sentences.append(f"{name}: and {len(faults) - FAULTS_SHOWN_MAX} more")
    return QueueInvalid("\n".join(sentences))


def _sentence(name: str, text: str, raw: object, fault: Fault) -> str:
    place = f"{name}: line {line_of(text, fault.key)}"
    if fault.key:
        place += f": {key_text(fault.key)}"
        place += f" = {_brief(value_at(raw, fault.key))}" if fault.shown else ""
    return f"{place}: {fault.says}"


def _brief(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= VALUE_CHARACTERS_MAX else text[: VALUE_CHARACTERS_MAX - 3] + "..."
