"""Looks at files and directories, by stat alone; nothing is opened, nothing is remembered.

Directories are never entered through a symbolic link: what it leads to is found at its real place, or lies
outside. So there are no loops. A symbolic link to a file counts if that file lies under the same root.
``memory`` and ``tool-results`` inside a project, ``journal.jsonl`` and what was set aside hold no usage
(FORMATS 1.1).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

TRANSCRIPT_SUFFIX = ".jsonl"
_SKIPPED_DIRECTORIES = frozenset({"memory", "tool-results"})
MISSING = (FileNotFoundError, NotADirectoryError)
_WITHOUT_USAGE = "journal.jsonl"


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


@dataclass(slots=True)
class Scan:
    """What was there when it was looked at, which began at ``at_ns``."""

    at_ns: int
    files: dict[str, FileStamp] = field(default_factory=dict)
    directories: dict[str, int] = field(default_factory=dict)
    """mtime_ns of each before it was listed; a directory stands before those inside it."""
    roots: dict[str, str] = field(default_factory=dict)
    """Every name of a root, the real one too, and the name by which it was entered: the first given."""
    unreadable: list[Unreadable] = field(default_factory=list)


def scan_all(roots: Sequence[str], files: Sequence[str], now_ns: int) -> Scan:
    """Look at every transcript under ``roots``, and at ``files``; what does not exist is left out."""
    scan = Scan(now_ns)
    for root in roots:
        real = os.path.realpath(root)
        if real not in scan.roots:
            scan.roots[real] = root
            walk(root, root, scan)
        scan.roots[root] = scan.roots[real]
    for path in files:
        look(path, scan)
    return scan


def walk(
    start: str,
    root: str,
    scan: Scan,
    known_files: Container[str] = (),
    known_directories: Container[str] = (),
) -> None:
    """Look at everything in and below ``start`` but what is known of the entries of ``start`` itself."""
    waiting = [start]
    while waiting:
        directory = waiting.pop()
        try:
            mtime_ns = os.stat(directory).st_mtime_ns
            inner = _list(directory, root, scan, known_files)
        except MISSING:
            continue
        except OSError as error:
            scan.unreadable.append(Unreadable(directory, _reason(error)))
            continue
        scan.directories[directory] = mtime_ns
        waiting += (path for path in inner if path not in known_directories)
        known_files = known_directories = ()


def _list(directory: str, root: str, scan: Scan, known_files: Container[str]) -> list[str]:
    """Stat the transcripts of one directory, and give the directories inside it. Raises OSError."""
    inner = []
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if directory == root or entry.name not in _SKIPPED_DIRECTORIES:
                    inner.append(entry.path)
            elif not is_transcript(entry.name) or entry.path in known_files:
                continue
            elif entry.is_file(follow_symlinks=False):
                _look_at(entry, scan)
            elif entry.is_symlink() and _lies_under(root, entry.path):
                look(entry.path, scan)
    return inner


def _lies_under(root: str, path: str) -> bool:
    return os.path.realpath(path).startswith(os.path.realpath(root) + os.sep)


def _look_at(entry: os.DirEntry[str], scan: Scan) -> None:
    """Stat one entry. Raises PermissionError, which is the directory's fault: no entry can be looked at."""
    try:
        scan.files[entry.path] = _stamp(entry.stat(follow_symlinks=False))
    except PermissionError:
        raise
    except MISSING:
        pass
    except OSError as error:
        scan.unreadable.append(Unreadable(entry.path, _reason(error)))


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


def is_transcript(name: str) -> bool:
    """Whether a file of this name may hold usage."""
    if not name.endswith(TRANSCRIPT_SUFFIX) or name == _WITHOUT_USAGE:
        return False
    return ".orphaned" not in name and ".superseded" not in name  # set aside, not to be counted again


def _stamp(status: os.stat_result) -> FileStamp:
    return FileStamp(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
