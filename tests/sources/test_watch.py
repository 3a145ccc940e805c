"""Hints from the operating system, against the real file system."""

from __future__ import annotations

import asyncio
import resource
import shutil
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from quotad.sources import inotify, portable_watch
from quotad.sources.watch import (
    LEISURE_SECONDS,
    REARM_SECONDS,
    RETRY_SECONDS,
    Armed,
    Hint,
    WatchUnavailable,
    hints,
)

TICK_MS = 100
PATIENCE_SECONDS = 20


class Sleeps:
    """A clock for the watcher: it only notes how long it is to sleep, and lets things happen meanwhile."""

    def __init__(self, *meanwhile: Callable[[], object]) -> None:
        self.seconds: list[float] = []
        self._meanwhile = list(meanwhile)

    async def __call__(self, seconds: float) -> None:
        """No time passes."""
        self.seconds.append(seconds)
        if self._meanwhile:
            self._meanwhile.pop(0)()


class Watching:
    """The hints as they come."""

    def __init__(self, source: AsyncIterator[Hint]) -> None:
        self._source = source

    async def next(self) -> Hint:
        """The next hint, or a failure if it takes too long."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await anext(self._source)

    async def paths(self) -> set[Path]:
        """The next hint, which holds paths."""
        hint = await self.next()
        assert isinstance(hint, frozenset)
        return set(hint)

    async def see(self, path: Path) -> set[Path]:
        """All that is hinted until ``path`` is."""
        seen = await self.paths()
        while path not in seen:
            seen |= await self.paths()
        return seen


WATCHERS: dict[str, Armed] = {"watchfiles": portable_watch.armed}
if sys.platform == "linux":
    WATCHERS["inotify"] = inotify.armed


@pytest.fixture(params=WATCHERS.values(), ids=list(WATCHERS))
def armed(request: pytest.FixtureRequest) -> Armed:
    """Each way to watch that there is on this system."""
    way: Armed = request.param
    return way


@asynccontextmanager
async def watching(
    armed: Armed,
    *roots: Path,
    files: Sequence[Path] = (),
    sleep: Callable[[float], Awaitable[None]] | None = None,
    hurried: Callable[[], bool] = lambda: True,
) -> AsyncIterator[Watching]:
    """Watch for as long as the block lasts."""
    source = hints(roots, files, sleep or Sleeps(), hurried=hurried, tick_ms=TICK_MS, armed=armed)
    async with aclosing(source):
        yield Watching(source)


async def test_the_roots_are_hinted_first_and_then_what_changes(armed: Armed, tmp_path: Path) -> None:
    """What happened before the watcher was armed was not seen by it; what happens then is."""
    async with watching(armed, tmp_path) as watch:
        assert {tmp_path} == await watch.paths()
        path = tmp_path / "a.jsonl"
        path.write_text("{}\n")
        assert {path} == await watch.see(path)
        with path.open("a") as file:
            file.write("{}\n")
        assert {path} == await watch.see(path)


@pytest.mark.parametrize("name", [".git", "node_modules", "__pycache__", "-home-somebody"])
async def test_directories_are_watched_whatever_their_name(armed: Armed, tmp_path: Path, name: str) -> None:
    """A project may be called what others leave out."""
    (tmp_path / name).mkdir()
    async with watching(armed, tmp_path) as watch:
        await watch.next()
        (tmp_path / name / "a.jsonl").touch()
        await watch.see(tmp_path / name / "a.jsonl")


async def test_a_new_directory_is_hinted(armed: Armed, tmp_path: Path) -> None:
    """What is made in it at once may be missed, so it is to be listed."""
    async with watching(armed, tmp_path) as watch:
        await watch.next()
        (tmp_path / "p" / "s" / "subagents").mkdir(parents=True)
        await watch.see(tmp_path / "p")


async def test_our_own_files_are_not_hinted(armed: Armed, tmp_path: Path) -> None:
    """What we write because of a hint must not be one."""
    async with watching(armed, tmp_path) as watch:
        await watch.next()
        for name in ("ledger.db-wal", "quota-tracker.json", "all.ics", "0.txt", "a.jsonl"):
            (tmp_path / name).touch()
        assert {tmp_path / "a.jsonl"} == await watch.see(tmp_path / "a.jsonl")


async def test_several_roots_are_watched(armed: Armed, tmp_path: Path) -> None:
    """Transcripts in two places, and the session logs."""
    roots = [tmp_path / name for name in ("a", "b")]
    for root in roots:
        root.mkdir()
    async with watching(armed, *roots) as watch:
        assert set(roots) == await watch.paths()
        for root in roots:
            (root / "x.jsonl").touch()
            await watch.see(root / "x.jsonl")


class TestPace:
    """To be woken is nearly all that watching costs."""

    async def test_changes_are_gathered_while_nobody_is_in_a_hurry(
        self, armed: Armed, tmp_path: Path
    ) -> None:
        """What follows a change that was told is told no sooner than after a fifth of a second."""
        told: list[float] = []
        async with watching(armed, tmp_path, hurried=lambda: False) as watch:
            await watch.next()
            for name in ("a.jsonl", "b.jsonl"):
                (tmp_path / name).touch()
                await watch.see(tmp_path / name)
                told.append(time.monotonic())
        assert LEISURE_SECONDS < told[1] - told[0]


class TestRoots:
    """They come, go, and come again."""

    async def test_a_missing_root_is_waited_for(self, armed: Armed, tmp_path: Path) -> None:
        """It is looked for every two seconds."""
        root = tmp_path / "not" / "yet"
        sleep = Sleeps(int, int, lambda: root.mkdir(parents=True))
        async with watching(armed, root, sleep=sleep) as watch:
            assert {root} == await watch.paths()
            assert [REARM_SECONDS] * 3 == sleep.seconds
            (root / "a.jsonl").touch()
            await watch.see(root / "a.jsonl")

    async def test_a_root_that_comes_later_is_watched_too(self, armed: Armed, tmp_path: Path) -> None:
        """Meanwhile the others are watched."""
        first, second = tmp_path / "first", tmp_path / "second"
        first.mkdir()
        async with watching(armed, first, second) as watch:
            assert {first} == await watch.paths()
            second.mkdir()
            assert {first, second} == await watch.see(second)
            (second / "a.jsonl").touch()
            await watch.see(second / "a.jsonl")

    async def test_a_root_deleted_and_made_again_is_watched_again(self, armed: Armed, tmp_path: Path) -> None:
        """Also when it got the same inode number: a watcher that does not notice stays silent for ever."""
        root = tmp_path / "root"
        root.mkdir()
        async with watching(armed, root) as watch:
            await watch.next()
            for _ in range(2):
                (root / "a.jsonl").touch()
                await watch.see(root / "a.jsonl")
                shutil.rmtree(root)
                root.mkdir()
                while await watch.paths() != {root}:
                    pass
                (root / "b.jsonl").touch()
                await watch.see(root / "b.jsonl")

    async def test_a_root_moved_away_and_made_again_is_watched_again(
        self, armed: Armed, tmp_path: Path
    ) -> None:
        """The watcher would go on telling of the old one, under the old name."""
        root = tmp_path / "root"
        root.mkdir()
        async with watching(armed, root) as watch:
            await watch.next()
            root.rename(tmp_path / "away")
            root.mkdir()
            await watch.see(root)
            (root / "a.jsonl").touch()
            await watch.see(root / "a.jsonl")


class TestUnavailable:
    """The machine has no room for a watcher; here because this process may open no more files."""

    async def test_it_is_told_once_and_tried_again_each_minute(self, armed: Armed, tmp_path: Path) -> None:
        """The scans go on without; the first set of paths says that it works again."""
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)

        def restore() -> None:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)

        sleep = Sleeps(int, restore)
        async with watching(armed, tmp_path, sleep=sleep) as watch:
            resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
            try:
                unavailable = await watch.next()
                assert isinstance(unavailable, WatchUnavailable)
                assert "open files" in unavailable.reason
                assert {tmp_path} == await watch.paths()
            finally:
                restore()
            assert [RETRY_SECONDS] * 2 == sleep.seconds

    async def test_the_same_trouble_later_is_told_again(self, armed: Armed, tmp_path: Path) -> None:
        """It had ended in between."""
        root = tmp_path / "root"
        root.mkdir()
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)

        def exhaust() -> None:
            root.mkdir()
            resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))

        def restore() -> None:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)

        sleep = Sleeps(restore, exhaust)
        async with watching(armed, root, sleep=sleep) as watch:
            resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
            try:
                first = await watch.next()
                assert {root} == await watch.paths()
                root.rmdir()
                again = await watch.next()
                while isinstance(again, frozenset):
                    again = await watch.next()
            finally:
                restore()
            assert isinstance(first, WatchUnavailable)
            assert first == again


class TestEnd:
    """Nothing is left of a watcher that is not wanted any more."""

    @pytest.mark.parametrize("hurried", [True, False])
    async def test_its_thread_ends_with_it(self, armed: Armed, tmp_path: Path, hurried: bool) -> None:
        """Cancelling waits for watchfiles' thread, which does not wait for the next tick."""
        begun = asyncio.Event()

        async def follow() -> None:
            async with watching(armed, tmp_path, hurried=lambda: hurried) as watch:
                await watch.next()
                begun.set()
                await watch.next()

        async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
            task = group.create_task(follow())
            await begun.wait()
            task.cancel()
        assert task.cancelled()

    async def test_no_file_stays_open(self, armed: Armed, tmp_path: Path) -> None:
        """However often it is armed."""

        def open_files() -> int:
            return len(list(Path("/dev/fd").iterdir()))

        before = open_files()
        for _ in range(10):
            async with watching(armed, tmp_path) as watch:
                await watch.next()
        assert open_files() < before + 5
