"""Files that are whole at every instant, against a real kernel with real faults."""

# ruff: noqa: ASYNC240 - a test looks at files whenever it likes; nothing else runs on its loop

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from quotad.sinks import durable
from tests.sinks.waiting import names, one_turn

CHECKOUT = Path(__file__).parents[2]
OLD = b'{"old": true}\n'
NEW = b'{"new": true}\n' * 1000

PROGRAM = """
import asyncio, sys
from pathlib import Path
from quotad.sinks import durable
from tests.sinks.waiting import names, one_turn
asyncio.run(durable.replace(Path(sys.argv[1]), Path(sys.argv[2]).read_bytes(), sync=sys.argv[3] == "sync"))
"""

needs_strace = pytest.mark.requires("strace", "strace")


def traced(target: Path, *options: str, sync: str = "sync") -> tuple[int, list[str]]:
    """Replaces ``target`` in a process of its own under strace; how that ended, and the calls it made."""
    content, log = target.parent.parent / "content", target.parent.parent / "strace"
    content.write_bytes(NEW)
    ended = subprocess.run(
        [
            *("strace", "-f", "-y", "-o", str(log), *options),
            *(sys.executable, "-B", "-c", PROGRAM, str(target), str(content), sync),
        ],
        cwd=CHECKOUT,
        capture_output=True,
        check=False,
    )
    return ended.returncode, log.read_text().splitlines()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A file with old content, alone in its directory."""
    path = tmp_path / "place" / "quota-tracker.json"
    path.parent.mkdir()
    path.write_bytes(OLD)
    return path


@pytest.mark.parametrize("sync", [True, False])
async def test_the_content_is_replaced(target: Path, *, sync: bool) -> None:
    """Afterwards the file is the new content, and nothing else is there."""
    await durable.replace(target, NEW, sync=sync)
    assert NEW == target.read_bytes()
    assert {target.name} == names(target.parent)


async def test_a_new_file_is_ours_alone(target: Path) -> None:
    """What did not exist before is readable by its owner only, whatever the umask."""
    target.unlink()
    umask = os.umask(0)
    try:
        await durable.replace(target, NEW, sync=False)
    finally:
        os.umask(umask)
    assert 0o600 == target.stat().st_mode & 0o7777


async def test_a_file_keeps_its_mode(target: Path) -> None:
    """Who let others read a snapshot still does, also under a strict umask."""
    target.chmod(0o644)
    umask = os.umask(0o077)
    try:
        await durable.replace(target, NEW, sync=False)
    finally:
        os.umask(umask)
    assert 0o644 == target.stat().st_mode & 0o7777


async def test_nothing_at_all_is_a_content_too(target: Path) -> None:
    """An empty file replaces a full one."""
    await durable.replace(target, b"", sync=True)
    assert b"" == target.read_bytes()


async def test_a_symbolic_link_stays_one(tmp_path: Path, target: Path) -> None:
    """What it points to is replaced, in its own directory: people link their dotfiles."""
    link = tmp_path / "link.json"
    link.symlink_to("place/quota-tracker.json")
    await durable.replace(link, NEW, sync=True)
    assert link.is_symlink()
    assert NEW == target.read_bytes()
    assert {"link.json", "place"} == names(tmp_path)


async def test_a_dangling_link_gets_what_it_points_to(tmp_path: Path, target: Path) -> None:
    """A link to a file that does not exist yet makes it."""
    link = tmp_path / "link.json"
    link.symlink_to(target)
    target.unlink()
    await durable.replace(link, NEW, sync=False)
    assert link.is_symlink()
    assert NEW == target.read_bytes()


async def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    """A loop of links leads nowhere and stays as it is."""
    link = tmp_path / "link.json"
    link.symlink_to(link)
    with pytest.raises(OSError, match="Too many levels"):
        await durable.replace(link, NEW, sync=False)
    assert link.is_symlink()


@pytest.mark.parametrize("place", ["directory", "fifo", "device"])
async def test_what_is_no_file_is_refused(tmp_path: Path, place: str) -> None:
    """A link to /dev/null is how some people switch a file off; it must not become one."""
    path = tmp_path / "place"
    if place == "directory":
        path.mkdir()
    elif place == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/null")
    with pytest.raises(OSError, match="not a regular file"):
        await durable.replace(path, NEW, sync=False)
    assert {"place"} == names(tmp_path)
    assert not Path("/dev/null").is_file()


async def test_a_missing_directory_is_not_made(tmp_path: Path) -> None:
    """Whoever wants the directory made makes it."""
    with pytest.raises(FileNotFoundError):
        await durable.replace(tmp_path / "none" / "file", NEW, sync=False)
    assert set() == names(tmp_path)


async def test_many_at_once_leave_one_of_them_whole(target: Path) -> None:
    """Concurrent writers of one file do not take each other's temporary files for leftovers."""
    contents = [bytes([number]) * 100_000 for number in range(16)]
    async with asyncio.TaskGroup() as group:
        for content in contents:
            group.create_task(durable.replace(target, content, sync=False))
    assert target.read_bytes() in contents
    assert {target.name} == names(target.parent)


async def test_readers_see_old_or_new_and_nothing_else(target: Path) -> None:
    """A reader beside a hundred replacements never sees half a file, nor none."""
    contents = {OLD, NEW, NEW * 2}
    seen: set[bytes] = set()
    async with asyncio.TaskGroup() as group:
        writing = group.create_task(_replace_often(target))
        while not writing.done():
            seen.add(await asyncio.to_thread(target.read_bytes))
    assert seen <= contents
    assert NEW * 2 in seen


async def _replace_often(target: Path) -> None:
    for number in range(100):
        await durable.replace(target, NEW * (1 + number % 2), sync=False)


async def test_a_cancelled_replacement_is_over_when_it_ends(target: Path) -> None:
    """The content is old or new, there is no other file, and nothing happens to it any more."""
    found = set()
    for turns in range(30):
        target.write_bytes(OLD)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(durable.replace(target, NEW, sync=False))
            for _ in range(turns):
                await one_turn()
            task.cancel()
        found.add(target.read_bytes())
        assert {target.name} == names(target.parent)
        await durable.replace(target, b"later", sync=False)
        assert b"later" == target.read_bytes()
    assert {OLD, NEW} == found


async def test_a_cancelled_replacement_that_fails_is_silent(target: Path) -> None:
    """Nobody waits for its error any more, and it is no error of the loop either."""
    target.unlink()
    target.mkdir()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(durable.replace(target, NEW, sync=False))
        await one_turn()
        task.cancel()
    assert task.cancelled()


# Faults


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """No file may become larger, as if the disk were full from there on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_write_that_fails_half_way_leaves_the_old_content(target: Path) -> None:
    """At a limit that lets half of the content through: an error, the old file whole, no other file."""
    with file_size_limit(len(NEW) // 2), pytest.raises(OSError, match="File too large"):
        await durable.replace(target, NEW, sync=False)
    assert OLD == target.read_bytes()
    assert {target.name} == names(target.parent)


@contextmanager
def full_disk(directory: Path) -> Iterator[None]:
    """``directory`` is a small file system of its own; without the right to mount, a limit stands for it."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(directory)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        with file_size_limit(64 * 1024):
            yield
        return
    try:
        yield
    finally:
        subprocess.run(["umount", str(directory)], check=True)


async def test_a_full_disk_leaves_the_old_content_and_is_over_some_time(tmp_path: Path) -> None:
    """On a file system without room: an error, the old file whole, no other file; with room it works."""
    place = tmp_path / "place"
    place.mkdir()
    target = place / "quota-tracker.json"
    with full_disk(place):
        await durable.replace(target, OLD, sync=True)
        with pytest.raises(OSError, match=r".") as caught:
            await durable.replace(target, NEW * 100, sync=True)
        assert caught.value.errno in {errno.ENOSPC, errno.EFBIG}
        assert OLD == target.read_bytes()
        assert {target.name} == names(place)
        await durable.replace(target, NEW, sync=True)
        assert NEW == target.read_bytes()


@needs_strace
def test_content_is_on_disk_before_the_name_and_the_name_before_the_return(target: Path) -> None:
    """With ``sync``: the file is synced, renamed, its directory is synced; what survives a loss of power."""
    code, calls = traced(target, "-e", "trace=openat,write,fsync,fdatasync,rename,renameat,renameat2")
    ours = [
        f"{found[1]} {'temporary' if '.tmp' in found[2] else 'directory'}"
        for call in calls
        if str(target.parent) in call and (found := re.search(r"\d+ +(\w+)\((.*)", call))
        if found[1] != "openat"
    ]
    created = next(call for call in calls if "O_CREAT" in call and ".tmp" in call)
    assert 0 == code
    assert ["write temporary", "fsync temporary", "rename temporary", "fsync directory"] == ours
    assert "O_WRONLY|O_CREAT|O_EXCL|O_NOFOLLOW|O_CLOEXEC, 0600" in created


@needs_strace
def test_without_sync_nothing_waits_for_the_disk(target: Path) -> None:
    """A snapshot that is written every second does not keep the disk busy."""
    code, calls = traced(target, "-e", "trace=fsync,fdatasync,sync", sync="no")
    assert 0 == code
    assert [] == [call for call in calls if "sync(" in call]
    assert NEW == target.read_bytes()


@needs_strace
@pytest.mark.parametrize("call", ["fchmod", "flock", "fsync", "rename"])
def test_an_error_of_any_step_leaves_the_old_content(target: Path, call: str) -> None:
    """An EIO is told; the file is not renamed after a sync that failed, and nothing is left behind."""
    code, calls = traced(target, "-e", f"trace={call}", "-e", f"inject={call}:error=EIO:when=1")
    assert any("EIO" in line for line in calls)
    assert 0 != code
    assert OLD == target.read_bytes()
    assert {target.name} == names(target.parent)


@needs_strace
def test_a_lock_that_is_never_had_ends_the_tries(target: Path) -> None:
    """So many temporary files are tried, then it is an error like any other."""
    code, calls = traced(target, "-e", "trace=flock", "-e", "inject=flock:error=EAGAIN")
    assert durable.TRIES_MAX == len([line for line in calls if "EAGAIN" in line])
    assert 0 != code
    assert OLD == target.read_bytes()
    assert {target.name} == names(target.parent)


@needs_strace
@pytest.mark.parametrize(
    ("call", "when", "content"),
    [
        ("flock", 1, OLD),
        ("fchmod", 1, OLD),
        ("fsync", 1, OLD),
        ("rename", 1, OLD),
        ("fsync", 2, NEW),
    ],
)
async def test_a_kill_at_any_step_leaves_old_or_new(
    target: Path, call: str, when: int, content: bytes
) -> None:
    """Killed as the call begins, the file is whole; what is left beside it is gone after the next use."""
    code, _ = await asyncio.to_thread(
        traced, target, "-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={when}"
    )
    assert -signal.SIGKILL == code
    assert content == target.read_bytes()
    left = len(names(target.parent)) - 1
    assert (1 if content == OLD else 0) == left
    await durable.replace(target, b"later", sync=False)
    assert {target.name} == names(target.parent)


async def test_only_leftovers_of_the_same_file_are_removed(target: Path) -> None:
    """Files that merely look similar, and temporary files of other targets, are not ours to remove."""
    leftover = f".{target.name}.{'0' * 12}.tmp"
    others = {
        f".session-queue.json.{'0' * 12}.tmp",
        f"{target.name}.{'0' * 12}.tmp",
        f".{target.name}.{'0' * 11}.tmp",
        f".{target.name}.{'0' * 12}.tmp~",
        f".{target.name.replace('.', 'x')}.{'0' * 12}.tmp",
        f".{target.name}.swp",
    }
    for name in {leftover, *others}:
        (target.parent / name).touch()
    await durable.replace(target, NEW, sync=False)
    assert {target.name, *others} == names(target.parent)


async def test_a_temporary_file_that_is_being_written_is_not_a_leftover(target: Path) -> None:
    """Another process that replaces the same file holds a lock on what it writes."""
    live = target.with_name(f".{target.name}.{'0' * 12}.tmp")
    with live.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        await durable.replace(target, NEW, sync=False)
        assert live.exists()
    await durable.replace(target, NEW, sync=False)
    assert not live.exists()
