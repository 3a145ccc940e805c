"""The daemon's own log: lines on stderr, for the journal or for a person.

Three things it never does: flood (a message that repeats is counted and summed up), break its own lines
(control characters are escaped), and quote data. What users write passes through this program, and an
error such as ``ValueError`` quotes what it was given, so of those only the kind and the place are logged.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from datetime import UTC, datetime
from typing import NamedTuple, TextIO

REPEATS_SECONDS = 60.0
"""The same message is logged once in this time; how often it was left out is said in the next one."""
MESSAGES_REMEMBERED_MAX = 1000

_PRIORITIES = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (logging.DEBUG, 7))
_QUOTING_DATA = (LookupError, ValueError)


def configure(journal_stream: str | None, level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Send every logger's messages to ``stream`` (default: stderr).

    ``journal_stream``: the value of JOURNAL_STREAM.
    """
    stream = stream or sys.stderr
    handler = _Stderr(stream)
    handler.addFilter(RepeatsSummed())
    handler.setFormatter(Formatter(journal=under_journal(journal_stream, stream)))
    root = logging.getLogger()
    for earlier in tuple(root.handlers):
        root.removeHandler(earlier)
    root.addHandler(handler)
    root.setLevel(level)
    # It logs each batch of changes, and we write into the directories it watches.
    logging.getLogger("watchfiles").setLevel(logging.WARNING)


def under_journal(journal_stream: str | None, stream: TextIO) -> bool:
    """Whether ``stream`` is the very pipe that the journal gave this service, and not a redirection of it."""
    try:
        seen = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return journal_stream == f"{seen.st_dev}:{seen.st_ino}"


class _Stderr(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """A log that cannot be written is nobody's to be told of."""


class Formatter(logging.Formatter):
    """One entry; for the journal each of its lines begins with the priority, else the first with the time."""

    def __init__(self, *, journal: bool) -> None:
        super().__init__()
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        lines = record.getMessage().split("\n")
        left_out = getattr(record, "left_out", 0)
        if left_out:
            lines[0] += f" ({left_out} more like this were left out)"
        if record.exc_info and record.exc_info[1]:
            lines += described(record.exc_info[1])
        lines = [_escaped(line) for line in lines]
        if self._journal:
            priority = next((number for least, number in _PRIORITIES if record.levelno >= least), 7)
            return "\n".join(f"<{priority}>{line}" for line in lines)
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        return f"{moment.removesuffix('+00:00')}Z {record.levelname.lower()} " + "\n  ".join(lines)


def described(error: BaseException) -> list[str]:
    """Where an error came from, cause first; its words only if they cannot be a user's."""
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    lines = [] if before is None else [*described(before), "and then:"]
    for entry in traceback.format_tb(error.__traceback__):
        lines += entry.rstrip().split("\n")
    words = "" if isinstance(error, _QUOTING_DATA) else f": {error}"
    lines.append(f"{type(error).__qualname__}{words}")
    if isinstance(error, BaseExceptionGroup):
        for number, part in enumerate(error.exceptions, 1):
            lines += [f"part {number}:", *(f"  {line}" for line in described(part))]
    return lines


def _escaped(line: str) -> str:
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in line
    )


class _Told(NamedTuple):
    at: float
    left_out: int


class RepeatsSummed(logging.Filter):
    """Lets the same message through once a minute, and says in the next one how often it was left out.

    asyncio alone wrote 2,000 lines a second while there were no file descriptors left.
    """

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[tuple[str, int, str], _Told] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        key = (record.name, record.levelno, _said(record).partition("\n")[0])
        told = self._told.get(key)
        if told is not None and 0 <= record.created - told.at < REPEATS_SECONDS:
            self._told[key] = _Told(told.at, told.left_out + 1)
            return False
        if len(self._told) >= MESSAGES_REMEMBERED_MAX:
            self._told.clear()
        self._told[key] = _Told(record.created, 0)
        record.left_out = told.left_out if told is not None else 0
        return True


def _said(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):
        # Arguments that do not fit: said where the entry is written, which must not fail for its sender.
        return str(record.msg)
