"""What happens to files behind the daemon's back: rotated, truncated, replaced, torn, moved, copied, deleted.

Each fault is brought about for real, and shown to have happened. Afterwards the very next answer is right.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals
from typing import TypeAlias

import pytest

from benchmarks.recount import Tokens, recount
from tests.daemon.process import Place, Quotad
from tests.daemon.scene import START_MS, Scene
from tests.daemon.truth import call, of_calls, sums

Fault: TypeAlias = Callable[[Scene], Iterator[int]]
"""Yields how many calls there have been: before the fault, after it, and after the file has grown again."""


def renamed_while_its_writer_goes_on(scene: Scene) -> Iterator[int]:
    """Both the old file, under its new name, and the new one under the old name are written to."""
    path = scene.write("a", 1, 2)
    with path.open("ab", buffering=0) as writer:
        yield 2
        path.rename(scene.path("a-1"))
        writer.write(scene.lines(3))
        scene.write("a", 4)
        assert os.fstat(writer.fileno()).st_ino == scene.path("a-1").stat().st_ino
        yield 4
        writer.write(scene.lines(5))
        scene.write("a", 6)
        yield 6


def renamed_twice(scene: Scene) -> Iterator[int]:
    """Between two looks a file moves on by two names."""
    scene.write("a", 1)
    yield 1
    scene.path("a").rename(scene.path("a-1"))
    scene.write("a", 2)
    scene.path("a-1").rename(scene.path("a-2"))
    scene.path("a").rename(scene.path("a-1"))
    scene.write("a", 3)
    yield 3
    scene.write("a", 4)
    yield 4


def copied_and_truncated(scene: Scene) -> Iterator[int]:
    """A writer that appends begins at 0 again."""
    path = scene.write("a", 1, 2, 3)
    with path.open("ab", buffering=0) as writer:
        yield 3
        shutil.copy(path, scene.path("a-1"))
        os.truncate(path, 0)
        writer.write(scene.lines(4))
        assert path.stat().st_size < scene.path("a-1").stat().st_size
        yield 4
        writer.write(scene.lines(5))
        yield 5


def copied_and_truncated_with_a_hole(scene: Scene) -> Iterator[int]:
    """A writer that does not append goes on where it was: the line behind the hole of NULs is bad."""
    path = scene.path("a")
    path.parent.mkdir(parents=True)
    with path.open("wb", buffering=0) as writer:
        writer.write(scene.lines(1, 2))
        yield 2
        shutil.copy(path, scene.path("a-1"))
        os.truncate(path, 0)
        writer.write(scene.lines(3) + scene.lines(4))
        assert path.read_bytes().startswith(bytes(len(scene.lines(1, 2))))
        yield 3
        writer.write(scene.lines(5))
        yield 4


def truncated_and_grown_past_its_end(scene: Scene) -> Iterator[int]:
    """Its size alone says that it has only grown."""
    path = scene.write("a", 1, 2, 3)
    yield 3
    before = path.stat()
    path.write_bytes(scene.lines(4, 5, 6, 7, 8))
    assert path.stat().st_ino == before.st_ino
    assert path.stat().st_size > before.st_size
    yield 8
    scene.write("a", 9)
    yield 9


def truncated_and_grown_under_the_same_head(scene: Scene) -> Iterator[int]:
    """The first kilobyte is what it was, the bytes before the old end are not."""
    path = scene.write("a", *range(1, 10))
    yield 9
    before = path.read_bytes()
    path.write_bytes(scene.lines(*range(1, 6), *range(10, 16)))
    assert path.read_bytes()[:1024] == before[:1024]
    assert path.stat().st_size > len(before)
    yield 15
    scene.write("a", 16)
    yield 16


def deleted_and_made_again(scene: Scene) -> Iterator[int]:
    """Under the same name and, as most file systems have it, soon with the same inode."""
    paths = [scene.write(f"a-{number}", number) for number in range(8)]
    inodes = {path.stat().st_ino: path for path in paths}
    reusing = inodes_are_reused(scene.directory)
    yield 8
    for path in paths:
        path.unlink()
    for number in range(FILES_FOR_AN_INODE):
        new = scene.directory / f"new-{number}"
        new.touch()
        if new.stat().st_ino in inodes:
            new.rename(inodes[new.stat().st_ino])
    assert any(path.exists() for path in paths) or not reusing
    for number in range(8):
        scene.write(f"a-{number}", 100 + number)
    yield 16
    scene.write("a-0", 200)
    yield 17


FILES_FOR_AN_INODE = 100


def inodes_are_reused(directory: Path) -> bool:
    """Whether the file system gives the number of a deleted file to a new one (tmpfs does not)."""
    seen: set[int] = set()
    path = directory / "probe"
    for _ in range(FILES_FOR_AN_INODE):
        path.touch()
        inode = path.stat().st_ino
        path.unlink()
        if inode in seen:
            return True
        seen.add(inode)
    return False


def torn_and_completed(scene: Scene) -> Iterator[int]:
    """The last line ends in the middle of a character, and is completed later."""
    line = call("msg torn", at_ms=START_MS, session=scene.name, text="größe")
    cut = line.index("ö".encode()) + 1
    scene.write("a", 1)
    scene.append("a", line[:cut])
    yield 1
    scene.append("a", line[cut:-1])
    yield 1
    scene.append("a", b"\n")
    yield 2


def torn_and_never_completed(scene: Scene) -> Iterator[int]:
    """Its writer died; the next one's line is glued to it. Exactly one line is bad."""
    scene.write("a", 1)
    scene.append("a", scene.lines(2)[:-30])
    yield 1
    scene.write("a", 3)
    yield 1
    scene.write("a", 4)
    yield 2


def its_project_moved(scene: Scene) -> Iterator[int]:
    """With its sub-agents and a line half written."""
    scene.write("a", 1)
    (scene.directory / "a" / "subagents").mkdir(parents=True)
    scene.write("a/subagents/agent-1", 2)
    scene.append("a", scene.lines(3)[:50])
    yield 2
    moved = scene.directory.with_name(scene.directory.name + "-moved")
    scene.directory.rename(moved)
    with (moved / "a.jsonl").open("ab") as file:
        file.write(scene.lines(3)[50:])
    yield 3
    with (moved / "a" / "subagents" / "agent-1.jsonl").open("ab") as file:
        file.write(scene.lines(4))
    yield 4


def copied_and_linked(scene: Scene) -> Iterator[int]:
    """A restored backup, a hard link, a symbolic link beside it: the same calls again."""
    path = scene.write("a", 1, 2)
    yield 2
    shutil.copy(path, scene.path("b"))
    scene.path("c").hardlink_to(path)
    scene.path("d").symlink_to(path)
    assert path.stat().st_nlink == 2
    yield 2
    scene.write("c", 3)
    yield 3


def vanished(scene: Scene) -> Iterator[int]:
    """What was counted stays counted; what comes under its name later counts, too."""
    path = scene.write("a", 1, 2)
    yield 2
    path.unlink()
    yield 2
    scene.write("a", 3)
    yield 3


FAULTS: Sequence[Fault] = (
    renamed_while_its_writer_goes_on,
    renamed_twice,
    copied_and_truncated,
    copied_and_truncated_with_a_hole,
    truncated_and_grown_past_its_end,
    truncated_and_grown_under_the_same_head,
    deleted_and_made_again,
    torn_and_completed,
    torn_and_never_completed,
    its_project_moved,
    copied_and_linked,
    vanished,
)


class Faults:
    """All of the above in one place, each as far as the others."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._scenes = [(scene := Scene(place, fault.__name__), fault(scene)) for fault in FAULTS]
        self._expected: dict[str, tuple[int, Tokens]] = {}

    def go_on(self) -> None:
        self._expected = {scene.name: of_calls(next(fault)) for scene, fault in self._scenes}

    def check(self, quotad: Quotad) -> None:
        """The very next answer has everything, a bad line is counted once."""
        assert self._expected == sums(quotad.history("session"), "session")
        quotad.sync()
        assert self._expected == sums(quotad.history("session"), "session")
        malformed = recount(self._place.projects).malformed
        assert malformed == quotad.status()["daemon"]["malformed_lines"]


def test_what_happens_to_files_under_its_eyes_is_right_in_the_next_answer(place: Place) -> None:
    """Rotated, truncated, replaced, torn, moved, copied, deleted: each call counts once, before and after."""
    faults = Faults(place)
    with place.running() as quotad:
        for _ in range(3):
            faults.go_on()
            faults.check(quotad)


def test_what_happens_to_files_while_it_is_stopped_is_right_in_the_next_answer(place: Place) -> None:
    """The same faults, of which SIGSTOP lets it see nothing."""
    faults = Faults(place)
    with place.running() as quotad:
        for _ in range(3):
            with quotad.paused():
                faults.go_on()
            faults.check(quotad)


@pytest.mark.parametrize("end", [SIGTERM, SIGKILL], ids=lambda end: end.name)
def test_what_happens_to_files_while_it_is_down_is_right_in_its_first_answer(
    place: Place, end: Signals
) -> None:
    """The same faults before the first start, between the runs, and under the eyes of the second."""
    faults = Faults(place)
    faults.go_on()
    with place.running() as quotad:
        faults.check(quotad)
        quotad.stop(end)
    faults.go_on()
    with place.running() as quotad:
        faults.check(quotad)
        faults.go_on()
        faults.check(quotad)
