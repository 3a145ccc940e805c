"""What only the Linux kernel's own watcher promises, against the real kernel."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from quotad.sources.inotify import GATHERING_SECONDS, armed

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has inotify")

TICK_MS = 60_000
"""Nothing here may depend on being looked at from time to time."""
PATIENCE_SECONDS = 20
QUEUE = Path("/proc/sys/fs/inotify/max_queued_events")
EVENTS_MAX = int(QUEUE.read_text()) if QUEUE.exists() else 0


class Watching:
    """What is told, as it comes."""

    def __init__(self, source: AsyncIterator[frozenset[Path]]) -> None:
        self._source = source

    async def next(self) -> frozenset[Path]:
        """What is told next."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await anext(self._source)

    async def end(self) -> None:
        """Take whatever is still told, until watching ends."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            async for _ in self._source:
                pass

    async def see(self, *paths: Path) -> set[Path]:
        """All that is told until each of these is."""
        seen: set[Path] = set()
        while not seen.issuperset(paths):
            seen |= await self.next()
        return seen


@asynccontextmanager
async def watching(*roots: Path, files: Sequence[Path] = ()) -> AsyncIterator[Watching]:
    """Watch for as long as the block lasts."""
    async with aclosing(armed(roots, files, lambda: 0.0, TICK_MS)) as source:
        watch = Watching(source)
        assert not await watch.next()
        yield watch


def append(path: Path) -> Path:
    """One more line."""
    with path.open("a") as file:
        file.write("{}\n")
    return path


async def test_reading_is_not_told(tmp_path: Path) -> None:
    """Neither ours nor anybody else's: programs that read everything again and again cost us nothing."""
    append(tmp_path / "a.jsonl")
    async with watching(tmp_path) as watch:
        (tmp_path / "a.jsonl").read_text()
        os.listdir(tmp_path)  # noqa: PTH208 - the very call that a scan makes
        append(tmp_path / "b.jsonl")
        assert {tmp_path / "b.jsonl"} == await watch.next()


async def test_only_what_may_hold_usage_is_told(tmp_path: Path) -> None:
    """Outputs of tools, memories and whatever else lies beside transcripts is nothing to wake for."""
    project = tmp_path / "project"
    for skipped in ("memory", "tool-results"):
        (project / "session" / skipped).mkdir(parents=True)
    async with watching(tmp_path) as watch:
        append(project / "session" / "tool-results" / "a.jsonl")
        append(project / "session" / "memory" / "a.jsonl")
        append(project / "session" / "note.txt")
        (project / "memory").mkdir()
        last = append(project / "session" / "a.jsonl")
        assert {last} == await watch.next()


async def test_what_follows_a_change_is_gathered(tmp_path: Path) -> None:
    """Who writes in small steps is not read for each of them."""
    path, times = tmp_path / "a.jsonl", 5
    async with watching(tmp_path) as watch:
        began = asyncio.get_running_loop().time()
        for _ in range(times):
            append(path)
            assert {path} == await watch.next()
        assert (times - 1) * GATHERING_SECONDS <= asyncio.get_running_loop().time() - began


class TestDirectories:
    """Each has to be watched for itself, and they come, move and go."""

    async def test_a_burst_of_new_ones_is_watched_to_its_end(self, tmp_path: Path) -> None:
        """Two hundred inside each other with a file each: what was made before it was watched is hinted."""
        async with watching(tmp_path) as watch:
            deepest, files = tmp_path / "0", []
            for number in range(200):
                deepest = deepest / str(number)
                deepest.mkdir(parents=True)
                files.append(append(deepest / "a.jsonl"))
            await watch.see(tmp_path / "0")
            for path in files:
                append(path)
            await watch.see(*files)

    async def test_many_at_once_are_watched_too(self, tmp_path: Path) -> None:
        """Beside each other, as when a backup is restored."""
        async with watching(tmp_path) as watch:
            files = []
            for number in range(500):
                (tmp_path / str(number) / "subagents").mkdir(parents=True)
                files.append(append(tmp_path / str(number) / "subagents" / "a.jsonl"))
            await watch.see(*(tmp_path / str(number) for number in range(500)))
            for path in files:
                append(path)
            await watch.see(*files)

    async def test_one_that_is_renamed_is_told_of_under_its_new_name(self, tmp_path: Path) -> None:
        """And so is what lies in it."""
        (tmp_path / "old" / "inner").mkdir(parents=True)
        async with watching(tmp_path) as watch:
            (tmp_path / "old").rename(tmp_path / "new")
            assert {tmp_path / "new"} == await watch.see(tmp_path / "new")
            path = append(tmp_path / "new" / "inner" / "a.jsonl")
            assert {path} == await watch.see(path)

    async def test_one_that_leaves_is_not_told_of_any_more(self, tmp_path: Path) -> None:
        """It is no transcript of ours then."""
        root = tmp_path / "root"
        (root / "project").mkdir(parents=True)
        async with watching(root) as watch:
            (root / "project").rename(tmp_path / "away")
            here = append(root / "a.jsonl")
            assert {here} == await watch.see(here)
            append(tmp_path / "away" / "a.jsonl")
            append(here)
            assert {here} == await watch.see(here)

    async def test_one_whose_permissions_change_is_new(self, tmp_path: Path) -> None:
        """It could not be entered before, or somebody should learn that it cannot be any more."""
        (tmp_path / "project").mkdir(mode=0)
        async with watching(tmp_path) as watch:
            (tmp_path / "project").chmod(0o700)
            assert {tmp_path / "project"} == await watch.next()
            path = append(tmp_path / "project" / "a.jsonl")
            assert {path} == await watch.next()

    async def test_one_that_is_a_link_is_not_entered(self, tmp_path: Path) -> None:
        """What it leads to is found at its real place, or lies outside."""
        root, outside = tmp_path / "root", tmp_path / "outside"
        root.mkdir()
        outside.mkdir()
        (root / "early").symlink_to(outside)
        async with watching(root) as watch:
            (root / "late").symlink_to(outside)
            append(outside / "a.jsonl")
            here = append(root / "b.jsonl")
            assert {here} == await watch.next()

    async def test_a_root_that_is_a_link_is_told_of_by_its_real_name(self, tmp_path: Path) -> None:
        """Whoever scans it knows both names."""
        (tmp_path / "real").mkdir()
        (tmp_path / "link").symlink_to(tmp_path / "real")
        async with watching(tmp_path / "link") as watch:
            append(tmp_path / "link" / "a.jsonl")
            assert {tmp_path / "real" / "a.jsonl"} == await watch.next()


class TestFiles:
    """A session log is watched through its directory, which may be anybody's."""

    async def test_nothing_else_in_its_directory_is_told(self, tmp_path: Path) -> None:
        """Our own ledger lies there, and maybe all of a home directory."""
        log = tmp_path / "usage.log"
        (tmp_path / "old").mkdir()
        async with watching(files=[log]) as watch:
            (tmp_path / "new").mkdir()
            append(log)
            assert {log} == await watch.next()
            for name in ("ledger.db-wal", "a.jsonl", "old/usage.log", "new/usage.log"):
                append(tmp_path / name)
            append(log)
            assert {log} == await watch.next()

    async def test_it_is_told_when_it_is_rotated(self, tmp_path: Path) -> None:
        """Under both names, and whoever writes on under either is told of."""
        log, rotated = tmp_path / "sessions.jsonl", tmp_path / "sessions.jsonl.1"
        append(log)
        async with watching(files=[log, rotated]) as watch:
            for _ in range(2):
                log.rename(rotated)
                append(log)
                await watch.see(log, rotated)
                assert {append(log)} == await watch.next()
                assert {append(rotated)} == await watch.next()

    async def test_it_may_come_later(self, tmp_path: Path) -> None:
        """Made there, or moved there and appended to."""
        log = tmp_path / "sessions.jsonl"
        async with watching(files=[log]) as watch:
            for other in ("first", "second"):
                append(tmp_path / other).rename(log)
                assert {log} == await watch.next()
                append(log)
                assert {log} == await watch.next()

    async def test_it_may_lie_among_transcripts(self, tmp_path: Path) -> None:
        """Its directory is watched as others are then."""
        log = tmp_path / "project" / "usage.log"
        log.parent.mkdir()
        async with watching(tmp_path, files=[log]) as watch:
            transcript = append(log.parent / "a.jsonl")
            append(log)
            await watch.see(log, transcript)
            append(transcript)
            assert {transcript} == await watch.next()


class TestEnds:
    """When it is not certain any more what is watched, watching ends, to be begun again."""

    async def test_the_queue_overflows(self, tmp_path: Path) -> None:
        """The kernel says so, and has thrown away what came then."""
        files = [(tmp_path / name).open("a", buffering=1) for name in ("a.jsonl", "b.jsonl")]
        async with watching(tmp_path) as watch:
            for _ in range(EVENTS_MAX // 2 + 1):
                for file in files:
                    file.write("\n")
            await watch.end()
        for file in files:
            file.close()

    @pytest.mark.parametrize("what", ["deleted", "moved away"])
    async def test_a_root_goes(self, tmp_path: Path, what: str) -> None:
        """At once, without waiting for a tick: made again it may bear the same number."""
        root = tmp_path / "root"
        root.mkdir()
        async with watching(root, files=[tmp_path / "log"]) as watch:
            if what == "deleted":
                root.rmdir()
            else:
                root.rename(tmp_path / "away")
            root.mkdir()
            await watch.end()


@pytest.mark.requires("unshare", "util-linux")
@pytest.mark.parametrize(
    ("kind", "room", "reason"),
    [
        ("watches", 5, "all inotify watches are taken (fs.inotify.max_user_watches)"),
        ("instances", 0, "all inotify instances are taken (fs.inotify.max_user_instances)"),
    ],
)
def test_it_says_what_has_run_out(tmp_path: Path, kind: str, room: int, reason: str) -> None:
    """Other programs may have used up what the kernel grants a user; here a user of our own has less."""
    for number in range(10):
        (tmp_path / str(number)).mkdir()
    program = (
        "import asyncio; from pathlib import Path; from quotad.sources.watch import hints\n"
        f"source = hints([Path({str(tmp_path)!r})], [], asyncio.sleep, hurried=bool)\n"
        "print(asyncio.run(anext(source)))"
    )
    script = f'echo {room} > /proc/sys/user/max_inotify_{kind} && exec "$@"'
    told = subprocess.run(
        ["unshare", "-Ur", "sh", "-c", script, "sh", sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
    )
    if "Operation not permitted" in told.stderr:
        pytest.skip("no user of our own may be made here")
    assert told.stdout.startswith("WatchUnavailable(")
    assert reason in told.stdout
