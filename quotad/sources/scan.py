"""Looks at files and directories, by stat alone; nothing is opened, nothing is remembered.

Directories are never entered through a symbolic link: what it leads to is found at its real place, or lies
outside. So there are no loops. A symbolic link to a file counts if that file lies under the same root.
A directory whose stamp is what it was need not be listed again, and those of its files that are old need not
be looked at each time. ``memory`` and ``tool-results`` inside a project, ``journal.jsonl`` and what was set
aside hold no usage (FORMATS 1.1).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from msgspec import Struct, field

TRANSCRIPT_SUFFIX = ".jsonl"
_SKIPPED_DIRECTORIES = frozenset({"memory", "tool-results"})
MISSING = (FileNotFoundError, NotADirectoryError)
_WITHOUT_USAGE = "journal.jsonl"

SETTLED_NS = 2 * 10**9
"""Time stamps may be as coarse as this: a directory listed sooner after it changed may have changed since."""
LISTED_NS_MAX = 600 * 10**9
"""Some network file systems do not tell by its stamp that a directory changed: after so long it is listed."""

OLD_NS = 24 * 3_600 * 10**9
"""A transcript that did not change for so long is old: most are, and hardly any will ever change again."""
OLD_LOOKED_NS = 300 * 10**9
"""Old ones are looked at only after so long. What a watcher misses in silence is new: directories it was too
late for or had no watch left for. And if an old one goes on, the watcher tells, or this."""


class FileStamp(NamedTuple):
    """A file as stat sees it: equal stamps mean that there is nothing new to read."""

    device: int
    inode: int
    size: int
    mtime_ns: int


class Unreadable(NamedTuple):
    """A file or directory that could not be looked at, and why."""

    path: str
    reason: str


class Listing(NamedTuple):
    """What a directory held at ``listed_ns``, and still holds if it is the same and has not changed."""

    device: int
    inode: int
    changed_ns: int
    """Its ctime, which nobody can set: it moves with every name and with the mode."""
    listed_ns: int
    looked_ns: int
    """When all its files were looked at."""
    recent: list[str]
    """Transcripts that were not old, or could not be looked at; none of these is a symbolic link."""
    old: list[str]
    """The others."""
    directories: list[str]

    def holds(self, status: os.stat_result, now_ns: int) -> bool:
        """Whether the directory, as stat sees it now, need not be listed again."""
        return (
            self.changed_ns == status.st_ctime_ns
            and self.inode == status.st_ino
            and self.device == status.st_dev
            and abs(now_ns - self.listed_ns) < LISTED_NS_MAX
        )


NOTHING_LISTED: Mapping[str, Listing] = MappingProxyType({})


class Scan(Struct):
    """What was there when it was looked at, which began at ``at_ns``."""

    at_ns: int
    files: dict[str, FileStamp] = field(default_factory=dict)
    directories: dict[str, int] = field(default_factory=dict)
    """mtime_ns of each before it was listed; a directory stands before those inside it."""
    roots: dict[str, str] = field(default_factory=dict)
    """Every name of a root, the real one too, and the name by which it was entered: the first given."""
    unreadable: list[Unreadable] = field(default_factory=list)
    listings: dict[str, Listing] = field(default_factory=dict)
    """Of those directories that tell by their stamp when they change."""
    old_looked_ns: int = OLD_LOOKED_NS
    """Old files that were looked at so long ago are looked at."""
    passed_over: set[str] = field(default_factory=set)
    """Files that are there but were not looked at: old ones."""


def scan_all(
    roots: Sequence[str],
    files: Sequence[str],
    now_ns: int,
    listings: Mapping[str, Listing] = NOTHING_LISTED,
    old_looked_ns: int = OLD_LOOKED_NS,
) -> Scan:
    """Look at every transcript under ``roots``, and at ``files``; what does not exist is left out.

    ``listings`` of an earlier scan spare the listing of directories that have not changed since, and looks at
    the old files in them within ``old_looked_ns``.
    """
    scan = Scan(now_ns, old_looked_ns=old_looked_ns)
    for root in roots:
        real = os.path.realpath(root)
        if real not in scan.roots:
            scan.roots[real] = root
            walk(root, root, scan, listings=listings)
        scan.roots[root] = scan.roots[real]
    for path in files:
        look(path, scan)
    return scan


def walk(  # noqa: PLR0913 - three of them are what need not be looked at
    start: str,
    root: str,
    scan: Scan,
    known_files: Collection[str] = (),
    known_directories: Collection[str] = (),
    *,
    listings: Mapping[str, Listing] = NOTHING_LISTED,
) -> None:
    """Look at everything in and below ``start`` but what is known of the entries of ``start`` itself."""
    waiting = [start]
    while waiting:
        directory = waiting.pop()
        try:
            status = os.stat(directory)
            listing = listings.get(directory)
            if listing is not None and listing.holds(status, scan.at_ns):
                inner = _look_again(directory, listing, scan)
            else:
                inner = _list(directory, status, root, scan, known_files)
        except MISSING:
            continue
        except OSError as error:
            scan.unreadable.append(Unreadable(directory, _reason(error)))
            continue
        scan.directories[directory] = status.st_mtime_ns
        waiting += [path for path in inner if path not in known_directories] if known_directories else inner
        known_files = known_directories = ()


def _look_again(directory: str, listing: Listing, scan: Scan) -> list[str]:
    """Stat the transcripts of a directory that has not changed. Raises PermissionError."""
    if abs(scan.at_ns - listing.looked_ns) < scan.old_looked_ns:
        _look_at_each(listing.recent, scan)
        scan.passed_over.update(listing.old)
    else:
        files = listing.recent + listing.old
        _look_at_each(files, scan)
        recent, old = _by_age(files, scan)
        listing = listing._replace(looked_ns=scan.at_ns, recent=recent, old=old)
    scan.listings[directory] = listing
    return listing.directories


def _list(
    directory: str, status: os.stat_result, root: str, scan: Scan, known_files: Collection[str]
) -> list[str]:
    """Stat the transcripts of one directory, and give the directories inside it. Raises OSError.

    ``status`` is from before: what changes while it is listed makes the listing not hold.
    """
    files: list[str] = []
    inner: list[str] = []
    telling = scan.at_ns - status.st_ctime_ns >= SETTLED_NS
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if is_entered(entry.name, of_root=directory == root):
                    inner.append(entry.path)
            elif not is_transcript(entry.name):
                continue
            elif entry.is_symlink():
                telling = False  # what it leads to may come and go
                if entry.path not in known_files and _lies_under(root, entry.path):
                    look(entry.path, scan)
            elif entry.is_file(follow_symlinks=False):
                files.append(entry.path)
    _look_at_each((path for path in files if path not in known_files), scan)
    if telling:
        place = (status.st_dev, status.st_ino, status.st_ctime_ns)
        scan.listings[directory] = Listing(*place, scan.at_ns, scan.at_ns, *_by_age(files, scan), inner)
    return inner


def _by_age(files: list[str], scan: Scan) -> tuple[list[str], list[str]]:
    """Those to be looked at each time, and the old ones."""
    stamps = scan.files
    recent: list[str] = []
    old: list[str] = []
    for path in files:
        is_old = path in stamps and scan.at_ns - stamps[path].mtime_ns >= OLD_NS
        (old if is_old else recent).append(path)
    return recent, old


def _lies_under(root: str, path: str) -> bool:
    return os.path.realpath(path).startswith(os.path.realpath(root) + os.sep)


def _look_at_each(paths: Iterable[str], scan: Scan) -> None:
    """Stat files of one directory. Raises PermissionError, which is its fault: none can be looked at."""
    for path in paths:
        try:
            status = os.lstat(path)
        except PermissionError:
            raise
        except MISSING:
            continue
        except OSError as error:
            scan.unreadable.append(Unreadable(path, _reason(error)))
            continue
        if stat.S_ISREG(status.st_mode):  # else it was replaced meanwhile, and a later look lists it
            scan.files[path] = _stamp(status)


def look(path: str, scan: Scan) -> None:
    """Stat one file, if it is there."""
    try:
        status = os.stat(path)
    except MISSING:
        return
    except OSError as error:
        scan.unreadable.append(Unreadable(path, _reason(error)))
        return
    if stat.S_ISREG(status.st_mode):
        scan.files[path] = _stamp(status)
    else:
        scan.unreadable.append(Unreadable(path, "not a regular file"))


def is_entered(name: str, *, of_root: bool) -> bool:
    """Whether a directory of this name may hold transcripts; inside a root each is a project."""
    return of_root or name not in _SKIPPED_DIRECTORIES


def is_transcript(name: str) -> bool:
    """Whether a file of this name may hold usage."""
    if not name.endswith(TRANSCRIPT_SUFFIX) or name == _WITHOUT_USAGE:
        return False
    return ".orphaned" not in name and ".superseded" not in name  # set aside, not to be counted again


def _stamp(status: os.stat_result) -> FileStamp:
    return FileStamp(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
