"""The Linux kernel's own watcher: nothing wakes until something is written, and then it is told at once.

The kernel watches single directories. One that is made meanwhile is entered when the kernel tells of it; what
was made in it before that is for whoever looks there, so it is told itself. When the kernel's queue overflows
or a root goes, it is not certain any more what is watched: watching ends, to be begun again.

Only writing and coming is asked for, so that reading, ours and others', wakes nobody.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import struct
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self

from quotad.sources.scan import MISSING, is_entered, is_transcript

GATHERING_SECONDS = 0.05
"""The first change is told at once, and what follows after so long: who writes steadily is read in steps."""
READ_BYTES = 128 * 1024
"""So much of the queue is taken at once: some 2,000 events."""

_MODIFY = 0x2
_ATTRIB = 0x4
_MOVED_FROM = 0x40
_MOVED_TO = 0x80
_CREATE = 0x100
_DELETE_SELF = 0x400
_MOVE_SELF = 0x800
_UNMOUNT = 0x2000
_OVERFLOW = 0x4000
_IGNORED = 0x8000
_ONLY_DIRECTORIES = 0x0100_0000
_NO_LINKS = 0x0200_0000
_IS_DIRECTORY = 0x4000_0000

_OF_ALL = _MODIFY | _ATTRIB | _CREATE | _MOVED_TO | _MOVED_FROM | _ONLY_DIRECTORIES | _NO_LINKS
_OF_ROOTS = _OF_ALL | _DELETE_SELF | _MOVE_SELF
_AROUND_FILES = _CREATE | _MOVED_TO | _ONLY_DIRECTORIES | _DELETE_SELF | _MOVE_SELF
"""Not what is written there: our own ledger may be, and in a home directory something always is."""
_UNSURE = _OVERFLOW | _DELETE_SELF | _MOVE_SELF | _UNMOUNT

_EVENT = struct.Struct("iIII")
"""The watch, what happened, what joins the halves of a move, and the length of the name that follows."""

_REASONS = {
    errno.EMFILE: "too many open files, or all inotify instances are taken (fs.inotify.max_user_instances)",
    errno.ENOSPC: "all inotify watches are taken (fs.inotify.max_user_watches)",
}

_libc = ctypes.CDLL(None, use_errno=True)


class News(NamedTuple):
    """What the kernel told; ``new`` directories are to be entered; if ``unsure`` it cannot be relied on.

    One whose permissions changed is new, too: maybe it can be entered now.
    """

    changed: frozenset[Path]
    new: list[str]
    unsure: bool


class Inotify:
    """One queue of the kernel's, and the directories that it tells of. What it does raises OSError."""

    def __init__(self, roots: Sequence[Path], files: Sequence[Path]) -> None:
        """``roots`` with all below them, ``files`` by name; real paths are told. Nothing is watched yet."""
        self._roots = {os.path.realpath(root) for root in roots}
        self._files = {os.path.join(os.path.realpath(path.parent), path.name) for path in files}
        self._watched: dict[int, str] = {}
        self.fd = _checked(_libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # A thread may still be entering directories, and the number may soon be another file's.
        fd, self.fd = self.fd, -1
        os.close(fd)

    def begin(self) -> None:
        """Watch everything; blocking, some 40 us for each directory."""
        for path in self._files:
            with suppress(*MISSING, PermissionError):
                self._watch(os.path.dirname(path), _AROUND_FILES)
                self._watch(path, _MODIFY)
        self.enter(self._roots)

    def enter(self, directories: Iterable[str]) -> None:
        """Watch these and all below them; what cannot be entered, or is gone, is left out."""
        waiting = list(directories)
        while waiting:
            directory = waiting.pop()
            is_root = directory in self._roots
            with suppress(*MISSING, PermissionError):
                # In this order: what is made in between is told.
                self._watch(directory, _OF_ROOTS if is_root else _OF_ALL)
                with os.scandir(directory) as entries:
                    waiting += (
                        entry.path
                        for entry in entries
                        if entry.is_dir(follow_symlinks=False) and is_entered(entry.name, of_root=is_root)
                    )

    def news(self) -> News:
        """Take what the queue holds; never waits."""
        changed: set[str] = set()
        new: dict[str, None] = {}
        unsure = False
        for watch, what, name in _events(self._read()):
            directory = self._watched.get(watch, "")
            path = f"{directory}/{name}" if name else directory
            if what & _UNSURE:
                unsure = True
            elif what & _IGNORED:
                self._watched.pop(watch, None)
            elif path in self._files:
                changed.add(path)
                if what & (_CREATE | _MOVED_TO):
                    with suppress(*MISSING, PermissionError):
                        self._watch(path, _MODIFY)
            elif not what & _IS_DIRECTORY:
                if is_transcript(name) and self._is_below_root(path):
                    changed.add(path)
            elif what & _MOVED_FROM:
                self._leave(path)
                new.pop(path, None)
            elif self._is_below_root(path) and is_entered(name, of_root=directory in self._roots):
                new[path] = None
        return News(frozenset(map(Path, (*changed, *new))), list(new), unsure)

    def _read(self) -> bytes:
        try:
            return os.read(self.fd, READ_BYTES)
        except BlockingIOError:
            return b""

    def _is_below_root(self, path: str) -> bool:
        return any(path.startswith(root + os.sep) for root in self._roots)

    def _watch(self, path: str, events: int) -> None:
        watch = _checked(_libc.inotify_add_watch(self.fd, os.fsencode(path), events))
        self._watched[watch] = path

    def _leave(self, path: str) -> None:
        """A directory was moved: under its new name, if that is below a root, it is entered anew."""
        for watch, watched in self._watched.items():
            if watched == path or watched.startswith(path + os.sep):
                _libc.inotify_rm_watch(self.fd, watch)  # which is told, too, and only then forgotten


class _Ear:
    """Hears when the queue holds something, and then lets more come before it listens again."""

    def __init__(self, fd: int, leisure: Callable[[], float]) -> None:
        self._fd = fd
        self._leisure = leisure
        self._loop = asyncio.get_running_loop()
        self._heard = asyncio.Event()
        self._pause = self._loop.call_soon(self._listen)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pause.cancel()
        self._loop.remove_reader(self._fd)

    async def hears(self, seconds: float) -> bool:
        """Whether there is something to be read within so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._heard.wait()
        except TimeoutError:
            return False
        self._heard.clear()
        self._pause = self._loop.call_later(GATHERING_SECONDS + self._leisure(), self._listen)
        return True

    def _listen(self) -> None:
        self._loop.add_reader(self._fd, self._hear)

    def _hear(self) -> None:
        self._loop.remove_reader(self._fd)
        self._heard.set()


async def armed(
    roots: Sequence[Path], files: Sequence[Path], leisure: Callable[[], float], tick_ms: int
) -> AsyncGenerator[frozenset[Path], None]:
    """Give nothing once they are watched, then what changes, and nothing at each tick: a ``watch.Armed``."""
    with Inotify(roots, files) as kernel:
        await asyncio.to_thread(kernel.begin)
        yield frozenset()
        with _Ear(kernel.fd, leisure) as ear:
            while True:
                if not await ear.hears(tick_ms / 1000):
                    yield frozenset()
                    continue
                news = kernel.news()
                if news.unsure:
                    return
                if news.new:
                    await asyncio.to_thread(kernel.enter, news.new)
                yield news.changed


def _events(data: bytes) -> Iterator[tuple[int, int, str]]:
    """Watch, what happened, and the name in the watched directory; none of what is watched itself."""
    at = 0
    while at < len(data):
        watch, what, _, length = _EVENT.unpack_from(data, at)
        at += _EVENT.size + length
        yield watch, what, os.fsdecode(data[at - length : at].rstrip(b"\0"))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, _REASONS.get(number) or os.strerror(number))
    return result
