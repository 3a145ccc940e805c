"""One account's files: what is there, how far each has been taken in, and what decodes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from quotad.domain.cursor import Cursor
from quotad.domain.usage import AccountId
from quotad.intake.hearsay import Hearsay
from quotad.intake.reading import Order
from quotad.sources import transcript
from quotad.sources.scan import Unreadable
from quotad.sources.session_log import SessionLogDecoder
from quotad.sources.tail import Decode
from quotad.sources.tree import Seen, Tree
from quotad.sources.usage_cache import UsageCaches


class Places(NamedTuple):
    """Where one account's files are.

    ``transcripts`` are directories, ``session_logs`` files, and so are ``usage_caches``: wherever Claude Code
    may keep what the provider said last.
    """

    account: AccountId
    transcripts: tuple[Path, ...]
    session_logs: tuple[Path, ...]
    usage_caches: tuple[Path, ...] = ()


class AccountFiles:
    """The files of one account, with a cursor for each that has been taken in."""

    def __init__(self, places: Places, cursors: Mapping[str, Cursor]) -> None:
        """``cursors``: what the ledger on disk knows."""
        self.account = places.account
        self.places = places
        self.caches = UsageCaches(places.usage_caches)
        self.hearsay = Hearsay()
        self.malformed = 0
        """Malformed lines in all files that are known; ``lines`` and ``bytes`` likewise."""
        self.lines = 0
        self.bytes = 0
        self._cursors: dict[str, Cursor] = {}
        self._logs = {str(path): SessionLogDecoder() for path in places.session_logs}
        self._unreadable: dict[str, str] = {}
        self._failed: dict[str, str] = {}
        self.resume(cursors)

    def resume(self, cursors: Mapping[str, Cursor]) -> None:
        """Go on from these cursors and no others."""
        self._cursors.clear()
        self.malformed = self.lines = self.bytes = 0
        self.tree = Tree(self.places.transcripts, self.places.session_logs)
        for path, cursor in cursors.items():
            # Equal lines of a session log are told apart by their number in the file, so it is read from
            # its start by each daemon; it is small, and what is known adds nothing.
            if path not in self._logs:
                self.taken(cursor)

    @property
    def worst(self) -> Cursor | None:
        """The file with the most malformed lines, if any has one."""
        worst = max(self._cursors.values(), key=lambda cursor: cursor.malformed, default=None)
        return worst if worst is not None and worst.malformed else None

    @property
    def foreign(self) -> int:
        """Lines of session logs that other programs wrote."""
        return sum(log.foreign for log in self._logs.values())

    @property
    def known(self) -> int:
        """How many files have been taken in."""
        return len(self._cursors)

    @property
    def unreadable(self) -> list[Unreadable]:
        """Files and directories that could not be read when last tried."""
        return [Unreadable(path, reason) for path, reason in (self._unreadable | self._failed).items()]

    def cursor(self, path: str) -> Cursor | None:
        return self._cursors.get(path)

    def taken(self, cursor: Cursor) -> None:
        """A file has been taken in as far as the cursor says."""
        self._count(self._cursors.get(cursor.path), -1)
        self._count(cursor, 1)
        self._cursors[cursor.path] = cursor
        self._failed.pop(cursor.path, None)
        self.tree.taken(cursor)

    def failed(self, path: str, reason: str) -> None:
        """A file could not be read; it is tried again at each look."""
        self._failed[path] = reason
        if path in self._logs:
            # Its decoder may have numbered lines that no cursor covers: it begins again with the file.
            self._count(self._cursors.pop(path, None), -1)

    def looked(self, seen: Seen, *, everywhere: bool) -> Sequence[str]:
        """Note what a look brought; the paths of files that have vanished."""
        if everywhere:
            self._unreadable = {one.path: one.reason for one in seen.unreadable}
        known = [path for path in seen.vanished if path in self._cursors]
        for path in seen.vanished:
            self._failed.pop(path, None)
            self._count(self._cursors.pop(path, None), -1)
        return known

    def _count(self, cursor: Cursor | None, sign: int) -> None:
        if cursor is not None:
            self.malformed += sign * cursor.malformed
            self.lines += sign * cursor.lines
            self.bytes += sign * cursor.offset

    def decoder(self, path: str) -> Decode:
        """What decodes the file where it was left."""
        log = self._logs.get(path)
        return transcript.decode if log is None else log.decode

    def decoder_anew(self, path: str) -> Callable[[], Decode] | None:
        """What makes a decoder for a file that is read from its start, where that matters."""
        return None if path not in self._logs else lambda: self._new_log(path)

    def order(self, path: str) -> Order:
        """What it takes to read on where the file was left."""
        return Order(path, self.cursor(path), self.decoder(path), self.decoder_anew(path))

    def _new_log(self, path: str) -> Decode:
        self._logs[path] = SessionLogDecoder()
        return self._logs[path].decode
