"""What files there are and which of them changed, by stat alone; nothing is opened.

A watcher loses events without a word (FAULTS 0.1), so the truth is a scan: what it finds is compared with
what has been taken in. A sweep (``scan``, then ``compare``) looks everywhere and costs milliseconds per
thousand files, fewer when old ones may be passed over; ``glance`` looks only where something is likely to
have happened and is cheap enough to stand before every answer.

What was not observed is not gone: a directory that cannot be read, or a root that is missing, hides its
files without making them vanish.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Mapping, Sequence
from enum import Enum
from heapq import nlargest
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from quotad.domain.cursor import Cursor
from quotad.sources.scan import (
    MISSING,
    NOTHING_LISTED,
    OLD_LOOKED_NS,
    SETTLED_NS,
    TRANSCRIPT_SUFFIX,
    FileStamp,
    Listing,
    Scan,
    Unreadable,
    is_transcript,
    look,
    scan_all,
    walk,
)

HOT_NS = 3_600 * 10**9
"""A transcript that changed or turned up so recently is hot: ``glance`` looks at it."""

HOT_FILES_MAX = 512
HOT_DIRECTORIES_MAX = 64
"""Of files that changed lately, and of directories that did, so many of the newest are hot: where a backup
was restored a minute ago everything changed lately; the next sweep finds what the watcher misses."""

HINTS_MAX = 1_024
"""More hints than this between two glances are dropped; the next sweep finds what they were about."""

COMPARED_AT_ONCE = 500
"""So many files take half a millisecond."""

_UNSETTLED = -1


class Found(NamedTuple):
    """A file that is not, or not in this form, taken in."""

    path: str
    stamp: FileStamp


class Seen(NamedTuple):
    """What a look brought: ``changed`` (new ones too) newest first; ``vanished`` only from a sweep."""

    changed: list[Found]
    vanished: list[str]
    unreadable: list[Unreadable]


class Care(Enum):
    """What a sweep passes over of what it has seen before."""

    SPARING = "directories that have not changed are not listed, old files in them looked at now and then"
    EVERY_FILE = "directories that have not changed are not listed"
    EVERYTHING = "nothing"


class Tree:
    """The files of one account: transcripts under ``roots``, and ``files`` (session logs) by name.

    Roots and files that do not exist yet are waited for. Times are wall time in nanoseconds, of the clock
    that the file system stamps with.
    """

    def __init__(self, roots: Sequence[Path], files: Sequence[Path] = ()) -> None:
        self._roots = tuple(os.fspath(root) for root in roots)
        self._files = tuple(os.fspath(path) for path in files)
        self._names: dict[str, str] = {}
        """Every name of a root, and the one under which it is entered."""
        self._entered: frozenset[str] = frozenset()
        self._taken: dict[str, FileStamp | None] = {}
        """Every file known to be there, and the form in which it was taken in."""
        self._directories: dict[str, int] = {}
        """mtime_ns when last listed, or ``_UNSETTLED`` if that listing may have missed something."""
        self._listings: Mapping[str, Listing] = NOTHING_LISTED
        """Of the last sweep; never changed but replaced, as a scan in another thread may be reading it."""
        self._owed: frozenset[str] = frozenset()
        """What the last sweep found changed: it may not be taken in yet, or not wholly. Replaced, too."""
        self._hot: dict[str, int] = {}
        """Transcripts, and when each last changed or turned up."""
        self._hot_directories: set[str] = set()
        self._hot_grew = False
        self._hints: set[str] = set()
        self._swept = False

    def taken(self, cursor: Cursor) -> None:
        """Note that a file has been taken in as far as ``cursor`` says."""
        self._taken[cursor.path] = FileStamp(cursor.device, cursor.inode, cursor.size, cursor.mtime_ns)

    def hint(self, paths: Iterable[Path]) -> None:
        """Note files and directories for the next look, hot or not."""
        for path in paths:
            if len(self._hints) < HINTS_MAX:
                self._hints.add(os.fspath(path))

    def scan(self, now_ns: int, care: Care = Care.EVERYTHING) -> Scan:
        """The looking of a sweep. It touches no state, so it may run in another thread."""
        if care is Care.EVERYTHING:
            return scan_all(self._roots, self._files, now_ns)
        old_looked_ns = OLD_LOOKED_NS if care is Care.SPARING else 0
        scan = scan_all(self._roots, self._files, now_ns, self._listings, old_looked_ns)
        owed = scan.passed_over & self._owed
        for path in owed:
            look(path, scan)
        scan.passed_over -= owed
        return scan

    def compare(self, scan: Scan) -> Generator[None, None, Seen]:
        """The rest of a sweep: what a scan of everything says that was not known.

        It gives way between portions. Nobody may look meanwhile; what is taken in then is taken in. And
        whoever gives up on it in between loses nothing: it is found by the next one.
        """
        self._names, self._entered = scan.roots, frozenset(scan.roots.values())
        changed: list[Found] = []
        files = iter(scan.files.items())
        while portion := tuple(islice(files, COMPARED_AT_ONCE)):
            changed += self._changed(portion, scan.at_ns, discovery=self._swept)
            yield
        changed.sort(key=_newest_first)
        self._directories.clear()
        self._note_directories(scan)
        yield
        vanished = self._vanished(scan)
        for path in vanished:
            del self._taken[path]
            self._hot.pop(path, None)
        hot = [(at_ns, path) for path, at_ns in self._hot.items() if scan.at_ns - at_ns < HOT_NS]
        self._hot = {path: at_ns for at_ns, path in nlargest(HOT_FILES_MAX, hot)}
        self._listings = scan.listings
        self._owed = frozenset(found.path for found in changed)
        self._find_hot_directories(scan.at_ns)
        self._swept = True
        return Seen(changed, vanished, scan.unreadable)

    def glance(self, now_ns: int) -> Seen:
        """Look at session logs, hot transcripts, hot directories, and what was hinted."""
        _, to_list = self._take_hints(now_ns)
        if self._hot_grew:
            self._find_hot_directories(now_ns)
        return self._look(now_ns, self._hot, to_list | self._touched_directories())

    def look_at_hinted(self, now_ns: int) -> Seen:
        """Look at session logs and what was hinted: of nothing else anything was told."""
        return self._look(now_ns, *self._take_hints(now_ns))

    def _look(self, now_ns: int, files: Iterable[str], to_list: Iterable[str]) -> Seen:
        scan = Scan(now_ns)
        for path in {*self._files, *files}:
            if not self._is_as_taken(path):
                look(path, scan)
        for directory in to_list:
            root = self._root_of(directory)
            assert root is not None, "hot and hinted directories lie under a root"
            walk(directory, root, scan, self._taken, self._directories)
        self._note_directories(scan)
        changed = self._changed(scan.files.items(), now_ns, discovery=True)
        changed.sort(key=_newest_first)
        return Seen(changed, [], scan.unreadable)

    def _is_as_taken(self, path: str) -> bool:
        """Whether a file is what was taken in: nearly all hot ones are, whenever somebody asks."""
        taken = self._taken.get(path)
        if taken is None:
            return False
        try:
            status = os.stat(path)
        except OSError:
            return False
        return (
            status.st_mtime_ns == taken.mtime_ns
            and status.st_size == taken.size
            and status.st_ino == taken.inode
            and status.st_dev == taken.device
        )

    def _changed(self, files: Iterable[tuple[str, FileStamp]], at_ns: int, *, discovery: bool) -> list[Found]:
        """What differs from what was taken in. ``discovery``: what was not known has turned up just now."""
        changed = []
        for path, stamp in files:
            if path not in self._taken:
                self._taken[path] = None
                if discovery:
                    self._heat(path, at_ns)
            if at_ns - stamp.mtime_ns < HOT_NS:
                self._heat(path, stamp.mtime_ns)
            if self._taken[path] != stamp:
                changed.append(Found(path, stamp))
        return changed

    def _vanished(self, scan: Scan) -> list[str]:
        missing_roots = tuple(root + os.sep for root in self._roots if root not in scan.directories)
        unseen = self._taken.keys() - scan.files.keys() - scan.passed_over
        # Asked of each: it may be hidden, or have turned up where the scan had already been.
        return [path for path in unseen if not path.startswith(missing_roots) and _is_gone(path)]

    def _heat(self, path: str, at_ns: int) -> None:
        self._hot_grew |= path not in self._hot
        self._hot[path] = max(at_ns, self._hot.get(path, 0))

    def _note_directories(self, scan: Scan) -> None:
        for path, mtime_ns in scan.directories.items():
            self._hot_grew |= path not in self._directories
            settled = scan.at_ns - mtime_ns >= SETTLED_NS
            self._directories[path] = mtime_ns if settled else _UNSETTLED

    def _find_hot_directories(self, now_ns: int) -> None:
        """Those of hot transcripts up to the root, those of hot sessions, those that changed lately."""
        self._hot_grew = False
        hot = set(self._entered)
        for path in self._hot:
            above = _parent(path)
            while above not in hot and self._root_of(above) is not None:
                hot.add(above)
                above = _parent(above)
        sessions = {path.removesuffix(TRANSCRIPT_SUFFIX) for path in self._hot}
        of_sessions: set[str] = set()
        lately: list[tuple[int, str]] = []
        for path, mtime_ns in self._directories.items():
            if path in sessions or _parent(path) in of_sessions:
                of_sessions.add(path)
            elif mtime_ns == _UNSETTLED:
                lately.append((now_ns, path))
            elif now_ns - mtime_ns < HOT_NS:
                lately.append((mtime_ns, path))
        self._hot_directories = hot | of_sessions
        self._hot_directories.update(path for _, path in nlargest(HOT_DIRECTORIES_MAX, lately))

    def _touched_directories(self) -> set[str]:
        """Hot directories in which there may be something new."""
        touched = set()
        for path in self._hot_directories:
            try:
                mtime_ns = os.stat(path).st_mtime_ns
            except MISSING:
                self._directories.pop(path, None)
            except OSError:
                touched.add(path)  # listing it says what is wrong
            else:
                if self._directories.get(path) != mtime_ns:
                    touched.add(path)
        return touched

    def _take_hints(self, now_ns: int) -> tuple[set[str], set[str]]:
        """The hinted transcripts, hot from now on, and the directories to list for all other hints."""
        hints, self._hints = self._hints, set()
        files, to_list = set(), set()
        for hint in hints:
            path = known = self._named_by_root(hint)
            if path is None or known is None:
                continue
            if path in self._directories and path not in self._entered:
                self._forget_directories(path)
            below = ""
            while known not in self._directories and known not in self._entered:
                known, _, below = known.rpartition(os.sep)
            if below and known == _parent(path) and is_transcript(below):
                # Whether a new link counts is for the sweep to say.
                if path in self._taken or (os.path.isfile(path) and not os.path.islink(path)):
                    self._heat(path, now_ns)
                    files.add(path)
            else:
                to_list.add(known)
        return files, to_list

    def _forget_directories(self, path: str) -> None:
        """One that came has all below it looked at: what was known under its name may have been another."""
        within = path + os.sep
        for known in [one for one in self._directories if (one + os.sep).startswith(within)]:
            del self._directories[known]

    def _named_by_root(self, path: str) -> str | None:
        """The path as a sweep names it: a watcher may tell it by another name of the root."""
        for name, root in self._names.items():
            if path == name or path.startswith(name + os.sep):
                return root + path[len(name) :]
        return None

    def _root_of(self, path: str) -> str | None:
        return next((root for root in self._entered if (path + os.sep).startswith(root + os.sep)), None)


def _is_gone(path: str) -> bool:
    try:
        os.lstat(path)
    except MISSING:
        return True
    except OSError:
        return False
    return False


def _parent(path: str) -> str:
    return path.rpartition(os.sep)[0]


def _newest_first(found: Found) -> int:
    return -found.stamp.mtime_ns
