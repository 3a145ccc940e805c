"""What there is and what changed, against the real file system."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from quotad.domain.cursor import Cursor
from quotad.sources.scan import SETTLED_NS, FileStamp
from quotad.sources.tail import UNFINISHED
from quotad.sources.tree import COMPARED_AT_ONCE, HINTS_MAX, HOT_NS, Seen, Tree
from tests.sources.sweeps import completed, sweep

Look = Callable[[Tree, int], Seen]

NOW = time.time_ns()
HOUR = 3600 * 10**9
LONG_AGO = NOW - 10 * HOUR
NOBODY = 65534


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty directory of transcripts."""
    root = tmp_path / "projects"
    root.mkdir()
    return root


@pytest.fixture
def tree(root: Path, tmp_path: Path) -> Tree:
    """It and a session log."""
    return Tree([root], [tmp_path / "sessions.jsonl"])


def put(path: Path, text: str = "{}\n", at: int | None = None) -> Path:
    """Append to a file, in directories made for it, so that it changed at an instant (now)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(text)
    if at is not None:
        os.utime(path, ns=(at, at))
    return path


def age(root: Path) -> None:
    """Make it as if nothing had been added or removed for hours."""
    for directory in (root, *(path for path in root.rglob("*") if path.is_dir())):
        os.utime(directory, ns=(LONG_AGO, LONG_AGO))


def changed(seen: Seen) -> list[str]:
    """The names of what changed."""
    return [Path(path).name for path, _ in seen.changed]


def cursor(path: str | Path, stamp: FileStamp, mtime_ns: int | None = None) -> Cursor:
    """What reading a file to its end gives."""
    mtime_ns = stamp.mtime_ns if mtime_ns is None else mtime_ns
    digest = bytes(16)
    return Cursor(
        str(path), stamp.device, stamp.inode, digest, 0, stamp.size, digest, stamp.size, mtime_ns, False, 0, 0
    )


def take(tree: Tree, seen: Seen) -> list[str]:
    """Take in everything that changed; its names."""
    for path, stamp in seen.changed:
        tree.taken(cursor(path, stamp))
    return changed(seen)


class TestSweep:
    """A look at everything."""

    def test_finds_every_tier_and_nothing_without_usage(self, tree: Tree, root: Path) -> None:
        """Main transcripts, sub-agents, workflows, the old flat layout: FORMATS 1.1."""
        wanted = (
            "-p/s.jsonl",
            "-p/agent-1.jsonl",
            "-p/s/subagents/agent-2.jsonl",
            "-p/s/subagents/workflows/wf_1-2/agent-3.jsonl",
            "memory/s2.jsonl",
            "node_modules/.git/s3.jsonl",
        )
        for name in (
            *wanted,
            "-p/s/subagents/workflows/wf_1-2/journal.jsonl",
            "-p/s/subagents/agent-2.meta.json",
            "-p/s/tool-results/1.jsonl",
            "-p/memory/notes.jsonl",
            "-p/s.orphaned.jsonl",
            "-p/s.jsonl.superseded.1.jsonl",
            "-p/s.jsonl.tmp",
        ):
            put(root / name)
        assert {str(root / name) for name in wanted} == {path for path, _ in sweep(tree, NOW).changed}

    def test_gives_what_changed_newest_first_with_its_stamp(
        self, tree: Tree, root: Path, tmp_path: Path
    ) -> None:
        """What the current window needs is read first."""
        for index, name in enumerate(("b", "d", "a", "c")):
            put(root / name / f"{name}.jsonl", at=LONG_AGO + index)
        log = put(tmp_path / "sessions.jsonl", at=LONG_AGO + 9)
        seen = sweep(tree, NOW)
        assert ["sessions.jsonl", "c.jsonl", "a.jsonl", "d.jsonl", "b.jsonl"] == changed(seen)
        status = log.stat()
        assert FileStamp(status.st_dev, status.st_ino, 3, LONG_AGO + 9) == seen.changed[0].stamp

    def test_what_was_taken_in_is_known_until_it_changes(self, tree: Tree, root: Path) -> None:
        """In size, in mtime or in what it is."""
        path = put(root / "p" / "a.jsonl", at=LONG_AGO)
        assert ["a.jsonl"] == take(tree, sweep(tree, NOW))
        assert [] == take(tree, sweep(tree, NOW))
        put(path, at=LONG_AGO)
        assert ["a.jsonl"] == take(tree, sweep(tree, NOW))
        os.utime(path, ns=(LONG_AGO, LONG_AGO + 1))
        assert ["a.jsonl"] == take(tree, sweep(tree, NOW))
        put(root / "p" / "other", path.read_text(), at=LONG_AGO + 1).replace(path)
        assert ["a.jsonl"] == take(tree, sweep(tree, NOW))
        assert [] == take(tree, sweep(tree, NOW))

    def test_what_was_not_or_not_wholly_taken_in_comes_again(self, tree: Tree, root: Path) -> None:
        """A reading that failed or stopped early is tried again."""
        put(root / "p" / "a.jsonl")
        assert ["a.jsonl"] == changed(sweep(tree, NOW))
        (found,) = sweep(tree, NOW).changed
        tree.taken(cursor(found.path, found.stamp, UNFINISHED))
        assert ["a.jsonl"] == changed(sweep(tree, NOW))

    def test_cursors_of_an_earlier_run_are_known(self, root: Path) -> None:
        """After a restart only what changed meanwhile is read."""
        put(root / "p" / "a.jsonl")
        put(root / "p" / "b.jsonl")
        earlier, later = Tree([root]), Tree([root])
        for path, stamp in sweep(earlier, NOW).changed:
            later.taken(cursor(path, stamp))
        put(root / "p" / "b.jsonl")
        assert ["b.jsonl"] == changed(sweep(later, NOW))

    def test_tells_once_what_vanished(self, tree: Tree, root: Path) -> None:
        """And finds it again when it comes back."""
        path = put(root / "p" / "a.jsonl")
        put(root / "p" / "b.jsonl")
        take(tree, sweep(tree, NOW))
        path.unlink()
        assert [str(path)] == sweep(tree, NOW).vanished
        assert [] == sweep(tree, NOW).vanished
        put(path)
        assert ["a.jsonl"] == take(tree, sweep(tree, NOW))

    def test_a_moved_project_is_found_at_its_new_place(self, tree: Tree, root: Path) -> None:
        """Its files vanish here and turn up there."""
        put(root / "p" / "s" / "subagents" / "a.jsonl")
        take(tree, sweep(tree, NOW))
        (root / "p").rename(root / "q")
        seen = sweep(tree, NOW)
        assert [str(root / "p/s/subagents/a.jsonl")] == seen.vanished
        assert [str(root / "q/s/subagents/a.jsonl")] == [path for path, _ in seen.changed]

    def test_a_file_found_while_the_scan_went_on_has_not_vanished(self, tree: Tree, root: Path) -> None:
        """The scan runs in another thread and may have passed the place already."""
        put(root / "p" / "a.jsonl")
        take(tree, sweep(tree, NOW))
        scan = tree.scan(NOW)
        put(root / "p" / "b.jsonl")
        assert ["b.jsonl"] == take(tree, tree.glance(NOW))
        assert Seen([], [], []) == completed(tree.compare(scan))
        put(root / "p" / "b.jsonl")
        assert ["b.jsonl"] == changed(tree.glance(NOW))

    def test_gives_way_in_between(self, tree: Tree, root: Path) -> None:
        """After so many files others have their turn, and what they take in is not found again."""
        for number in range(COMPARED_AT_ONCE + 1):
            put(root / "p" / f"{number}.jsonl")
        scan = tree.scan(NOW)
        steps = tree.compare(scan)
        next(steps)
        *_, last = scan.files.items()
        tree.taken(cursor(*last))
        assert Path(last[0]).name not in changed(completed(steps))


class TestRoots:
    """They come and go."""

    def test_a_missing_root_is_waited_for(self, tmp_path: Path) -> None:
        """Nobody complains, and its files are found once it is there."""
        tree = Tree([tmp_path / "not" / "yet"], [tmp_path / "nor" / "this.jsonl"])
        assert Seen([], [], []) == sweep(tree, NOW)
        put(tmp_path / "not" / "yet" / "p" / "a.jsonl")
        put(tmp_path / "nor" / "this.jsonl")
        assert {"a.jsonl", "this.jsonl"} == set(take(tree, tree.glance(NOW)))
        assert Seen([], [], []) == sweep(tree, NOW)

    def test_a_root_that_goes_hides_its_files_and_they_vanish_when_it_is_back(
        self, tree: Tree, root: Path
    ) -> None:
        """It may be a disk that was taken away: what was not observed is not gone."""
        put(root / "p" / "a.jsonl")
        put(root / "p" / "b.jsonl")
        take(tree, sweep(tree, NOW))
        shutil.rmtree(root)
        assert Seen([], [], []) == tree.glance(NOW)
        assert Seen([], [], []) == sweep(tree, NOW)
        put(root / "p" / "a.jsonl", "{}\n{}\n")
        assert ["a.jsonl"] == take(tree, tree.glance(NOW))
        assert [str(root / "p" / "b.jsonl")] == sweep(tree, NOW).vanished

    def test_two_names_of_one_root_are_one_root(self, root: Path, tmp_path: Path) -> None:
        """A link from the old place to the new one does not make every file two."""
        (tmp_path / "link").symlink_to(root)
        put(root / "p" / "a.jsonl")
        for names in ([root, tmp_path / "link"], [tmp_path / "link", root]):
            tree = Tree(names)
            assert [str(names[0] / "p" / "a.jsonl")] == [path for path, _ in sweep(tree, NOW).changed]
            put(root / "p" / "a.jsonl")
            tree.hint([names[1] / "p" / "a.jsonl"])
            assert [str(names[0] / "p" / "a.jsonl")] == [path for path, _ in tree.glance(NOW).changed]

    def test_two_roots_are_both_looked_at(self, root: Path, tmp_path: Path) -> None:
        """An account may have its old directory beside the new one."""
        put(root / "p" / "a.jsonl")
        put(tmp_path / "second" / "p" / "b.jsonl")
        assert {"a.jsonl", "b.jsonl"} == set(changed(sweep(Tree([root, tmp_path / "second"]), NOW)))


class TestLinksAndOddThings:
    """Nothing loops, hangs or leads out of the root."""

    def test_a_directory_is_not_entered_through_a_link(self, tree: Tree, root: Path, tmp_path: Path) -> None:
        """Neither a loop, nor a second name, nor another place."""
        put(root / "p" / "a.jsonl")
        put(tmp_path / "elsewhere" / "b.jsonl")
        (root / "p" / "loop").symlink_to(root)
        (root / "q").symlink_to(root / "p")
        (root / "out").symlink_to(tmp_path / "elsewhere")
        assert [str(root / "p" / "a.jsonl")] == [path for path, _ in sweep(tree, NOW).changed]
        tree.hint([root / "out", root / "out" / "b.jsonl", root / "q", root / "p" / "loop" / "q" / "a.jsonl"])
        assert {str(root / "p" / "a.jsonl")} == {path for path, _ in tree.glance(NOW).changed}

    def test_a_linked_file_counts_if_it_lies_under_the_root(
        self, tree: Tree, root: Path, tmp_path: Path
    ) -> None:
        """A link to a file outside is not ours to read."""
        put(root / "p" / "data", at=LONG_AGO)
        put(tmp_path / "outside.jsonl")
        (root / "p" / "in.jsonl").symlink_to("data")
        (root / "p" / "out.jsonl").symlink_to(tmp_path / "outside.jsonl")
        (root / "p" / "dangling.jsonl").symlink_to("nothing")
        tree.hint([root / "p" / "out.jsonl"])
        assert [] == changed(tree.glance(NOW))
        assert ["in.jsonl"] == take(tree, sweep(tree, NOW))
        put(root / "p" / "data", at=LONG_AGO)
        tree.hint([root / "p" / "out.jsonl", root / "p" / "in.jsonl"])
        assert ["in.jsonl"] == changed(tree.glance(NOW))

    def test_what_is_no_file_is_no_transcript(self, tree: Tree, root: Path, tmp_path: Path) -> None:
        """A FIFO or a directory of such a name is passed over; where a session log should be it is told."""
        (root / "p" / "dir.jsonl").mkdir(parents=True)
        os.mkfifo(root / "p" / "fifo.jsonl")
        os.mkfifo(tmp_path / "sessions.jsonl")
        for seen in (sweep(tree, NOW), tree.glance(NOW)):
            assert [] == seen.changed
            assert [(str(tmp_path / "sessions.jsonl"), "not a regular file")] == seen.unreadable
        tree.hint([root / "p" / "fifo.jsonl"])
        assert 1 == len(tree.glance(NOW).unreadable)

    def test_a_link_to_itself_is_told(self, tree: Tree, root: Path, tmp_path: Path) -> None:
        """The others are read."""
        put(root / "p" / "a.jsonl")
        (tmp_path / "sessions.jsonl").symlink_to("sessions.jsonl")
        seen = sweep(tree, NOW)
        assert ["a.jsonl"] == changed(seen)
        assert [str(tmp_path / "sessions.jsonl")] == [path for path, _ in seen.unreadable]


@pytest.fixture
def open_root() -> Iterator[Path]:
    """A root that an unprivileged user owns and can reach."""
    root = Path(tempfile.mkdtemp())
    root.chmod(0o755)
    yield root
    shutil.rmtree(root)


@contextlib.contextmanager
def unprivileged(root: Path) -> Iterator[None]:
    """Be a user whom modes stop, as root is not; ``root`` and what is in it are that user's."""
    if os.geteuid() != 0:
        yield
        return
    for path in (root, *root.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


class TestUnreadable:
    """What cannot be looked at is named once, hides what is in it, and stops nothing else."""

    @pytest.mark.parametrize("mode", [0o000, 0o444, 0o111])
    def test_a_directory_is_named_and_its_files_have_not_vanished(self, open_root: Path, mode: int) -> None:
        """Whether it may not be listed, or its entries may not be looked at."""
        for name in ("a", "b", "c"):
            put(open_root / "closed" / f"{name}.jsonl")
        put(open_root / "open" / "d.jsonl")
        tree = Tree([open_root])
        closed = open_root / "closed"
        with unprivileged(open_root):
            assert 4 == len(take(tree, sweep(tree, NOW)))
            put(open_root / "open" / "d.jsonl")
            closed.chmod(mode)
            with pytest.raises(PermissionError):
                assert [(name, name.stat()) for name in closed.iterdir()]
            seen = sweep(tree, NOW)
            assert Seen(seen.changed, [], [(str(closed), "Permission denied")]) == seen  # type: ignore[list-item]
            assert ["d.jsonl"] == take(tree, seen)
            assert [] == tree.glance(NOW).changed
            closed.chmod(0o755)
            put(closed / "a.jsonl")
            (closed / "b.jsonl").unlink()
            seen = sweep(tree, NOW)
            assert ["a.jsonl"] == changed(seen)
            assert ([str(closed / "b.jsonl")], []) == (seen.vanished, seen.unreadable)

    def test_a_hot_directory_that_closes_is_named_by_a_glance(self, open_root: Path) -> None:
        """And what is in it is found when it opens again."""
        put(open_root / "p" / "q" / "a.jsonl")
        tree = Tree([open_root])
        with unprivileged(open_root):
            take(tree, sweep(tree, NOW))
            (open_root / "p").chmod(0o000)
            assert str(open_root / "p" / "q") in {path for path, _ in tree.glance(NOW).unreadable}
            (open_root / "p").chmod(0o755)
            put(open_root / "p" / "q" / "a.jsonl")
            put(open_root / "p" / "q" / "b.jsonl")
            assert {"a.jsonl", "b.jsonl"} == set(changed(tree.glance(NOW)))

    def test_the_root_itself_is_named(self, open_root: Path) -> None:
        """Its files have not vanished."""
        put(open_root / "p" / "a.jsonl")
        tree = Tree([open_root])
        with unprivileged(open_root):
            take(tree, sweep(tree, NOW))
            open_root.chmod(0o000)
            assert Seen([], [], [(str(open_root), "Permission denied")]) == sweep(tree, NOW)  # type: ignore[list-item]
            open_root.chmod(0o755)


class TestGlance:
    """A look at what is hot."""

    def test_sees_what_is_appended_to_a_transcript_of_the_last_hour(self, tree: Tree, root: Path) -> None:
        """An answer is never older than the question."""
        path = put(root / "p" / "a.jsonl", at=NOW - HOUR + 10**9)
        take(tree, sweep(tree, NOW))
        age(root)
        put(path, at=NOW)
        assert ["a.jsonl"] == take(tree, tree.glance(NOW))
        assert [] == changed(tree.glance(NOW))

    def test_leaves_cold_transcripts_to_the_sweep(self, tree: Tree, root: Path) -> None:
        """The edge is one hour; what a sweep finds changed is hot again."""
        path = put(root / "p" / "a.jsonl", at=NOW - HOT_NS)
        age(root)
        take(tree, sweep(tree, NOW))
        put(path, at=NOW)
        assert [] == changed(tree.glance(NOW))
        assert ["a.jsonl"] == take(tree, sweep(tree, NOW))
        put(path, at=NOW + 1)
        assert ["a.jsonl"] == take(tree, tree.glance(NOW))

    def test_always_looks_at_session_logs(self, tree: Tree, tmp_path: Path) -> None:
        """However old they are, and before they exist."""
        sweep(tree, NOW)
        log = put(tmp_path / "sessions.jsonl", at=LONG_AGO)
        assert ["sessions.jsonl"] == take(tree, tree.glance(NOW))
        put(log, at=LONG_AGO)
        assert ["sessions.jsonl"] == take(tree, tree.glance(NOW))
        log.rename(log.with_suffix(".old"))
        assert [] == changed(tree.glance(NOW))
        put(log, at=LONG_AGO)
        assert ["sessions.jsonl"] == take(tree, tree.glance(NOW))
        assert Seen([], [], []) == sweep(tree, NOW)

    @pytest.mark.parametrize("name", ["p/b.jsonl", "q/b.jsonl", "p/a/subagents/b.jsonl", "p/a/x/y/z/b.jsonl"])
    def test_finds_new_files_in_and_under_directories_of_hot_ones(
        self, tree: Tree, root: Path, name: str
    ) -> None:
        """Beside a hot transcript, in a new project, in the directory of its session; empty ones too."""
        put(root / "p" / "a.jsonl")
        age(root)
        take(tree, sweep(tree, NOW))
        put(root / name, "", at=LONG_AGO)
        assert ["b.jsonl"] == take(tree, tree.glance(NOW))
        age(root)
        put(root / name, at=LONG_AGO)
        assert ["b.jsonl"] == take(tree, tree.glance(NOW))
        take(tree, sweep(tree, NOW))
        put(root / name, at=LONG_AGO)
        assert ["b.jsonl"] == take(tree, tree.glance(NOW))

    def test_looks_into_the_old_directories_of_a_hot_session(self, tree: Tree, root: Path) -> None:
        """A session that goes on after hours may start a sub-agent in any of them."""
        put(root / "p" / "a.jsonl")
        for name in ("a/subagents/b.jsonl", "a/subagents/workflows/wf/c.jsonl", "d/subagents/e.jsonl"):
            put(root / "p" / name, at=LONG_AGO)
        age(root)
        take(tree, sweep(tree, NOW))
        for name in (
            "a/subagents/new-1.jsonl",
            "a/subagents/workflows/wf/new-2.jsonl",
            "d/subagents/new-3.jsonl",
        ):
            put(root / "p" / name)
        assert {"new-1.jsonl", "new-2.jsonl"} == set(take(tree, tree.glance(NOW)))
        assert ["new-3.jsonl"] == take(tree, sweep(tree, NOW))

    def test_looks_into_directories_that_changed_lately(self, tree: Tree, root: Path) -> None:
        """A project whose only transcript was just deleted may get another."""
        old = put(root / "p" / "old.jsonl", at=LONG_AGO)
        age(root)
        old.unlink()
        take(tree, sweep(tree, NOW))
        put(root / "p" / "new.jsonl", at=LONG_AGO)
        os.utime(root, ns=(LONG_AGO, LONG_AGO))
        assert ["new.jsonl"] == take(tree, tree.glance(NOW))

    def test_lists_a_directory_again_whose_time_stamp_may_be_too_coarse(self, tree: Tree, root: Path) -> None:
        """A change within two seconds of the listing may leave the same mtime; a later one does not."""
        put(root / "p" / "a.jsonl")
        modified = NOW - SETTLED_NS
        for offset, expected in ((1, ["b1.jsonl"]), (0, [])):
            os.utime(root / "p", ns=(modified + offset, modified + offset))
            sweep(tree, NOW)
            take(tree, sweep(tree, NOW))
            put(root / "p" / f"b{offset}.jsonl")
            os.utime(root / "p", ns=(modified + offset, modified + offset))
            assert expected == take(tree, tree.glance(NOW))

    def test_finds_a_file_that_went_and_came_back(self, tree: Tree, root: Path) -> None:
        """It is new then, and has not vanished."""
        path = put(root / "p" / "a.jsonl", at=LONG_AGO)
        put(root / "p" / "hot.jsonl")
        tree.hint([path])
        take(tree, sweep(tree, NOW))
        take(tree, tree.glance(NOW))
        path.unlink()
        assert Seen([], [], []) == tree.glance(NOW)
        put(path, "{}\n{}\n", at=LONG_AGO)
        assert ["a.jsonl"] == take(tree, tree.glance(NOW))
        assert Seen([], [], []) == sweep(tree, NOW)

    def test_says_nothing_of_what_vanished_but_the_sweep_does(self, tree: Tree, root: Path) -> None:
        """Once, although the glance has noticed it before."""
        path = put(root / "p" / "a.jsonl")
        take(tree, sweep(tree, NOW))
        path.unlink()
        assert Seen([], [], []) == tree.glance(NOW)
        assert [str(path)] == sweep(tree, NOW).vanished
        assert [] == sweep(tree, NOW).vanished

    def test_finds_a_file_in_a_directory_that_it_found_empty(self, tree: Tree, root: Path) -> None:
        """The directory is known by then, and so is its parent; both have changed lately."""
        age(root)
        sweep(tree, NOW)
        (root / "p").mkdir()
        assert [] == changed(tree.glance(NOW))
        tree.glance(NOW + HOUR // 2)
        put(root / "p" / "a.jsonl")
        os.utime(root, ns=(LONG_AGO, LONG_AGO))
        assert ["a.jsonl"] == changed(tree.glance(NOW + HOUR // 2))

    def test_finds_the_files_of_a_directory_that_was_deleted_and_made_again(
        self, tree: Tree, root: Path
    ) -> None:
        """What was known of the old one, and of those inside it, says nothing of the new one."""
        path = put(root / "p" / "s" / "subagents" / "a.jsonl", at=LONG_AGO)
        age(root)
        os.utime(root / "p")
        os.utime(root / "p" / "s")
        take(tree, sweep(tree, NOW))
        shutil.rmtree(root / "p" / "s")
        tree.glance(NOW)
        put(root / "q" / "b.jsonl")
        assert ["b.jsonl"] == take(tree, tree.glance(NOW))
        tree.glance(NOW)
        put(path, "{}\n{}\n", at=LONG_AGO)
        age(root / "p" / "s")
        assert ["a.jsonl"] == take(tree, tree.glance(NOW))

    def test_gives_the_newest_first(self, tree: Tree, root: Path) -> None:
        """As a sweep does, known and new ones together."""
        for name in ("a", "b"):
            put(root / "p" / f"{name}.jsonl")
        take(tree, sweep(tree, NOW))
        for offset, name in enumerate(("c", "a", "d", "b")):
            put(root / "p" / f"{name}.jsonl", at=NOW + offset)
        assert ["b.jsonl", "d.jsonl", "a.jsonl", "c.jsonl"] == changed(tree.glance(NOW))

    @pytest.mark.parametrize("at", [LONG_AGO, NOW - HOUR // 2])
    def test_what_turned_up_stays_hot_for_an_hour(self, tree: Tree, root: Path, at: int) -> None:
        """An old file that is copied here is one that somebody works with."""
        sweep(tree, NOW)
        path = put(root / "p" / "a.jsonl", at=at)
        assert ["a.jsonl"] == take(tree, sweep(tree, NOW))
        sweep(tree, NOW + HOT_NS - 1)
        put(path, at=LONG_AGO)
        assert ["a.jsonl"] == take(tree, tree.glance(NOW + HOT_NS - 1))
        age(root)
        sweep(tree, NOW + HOT_NS)
        put(path, at=LONG_AGO)
        assert [] == take(tree, tree.glance(NOW + HOT_NS))

    def test_history_that_the_first_sweep_finds_is_not_hot(self, tree: Tree, root: Path) -> None:
        """On the first start everything is new, and nothing of it happens now."""
        path = put(root / "p" / "a.jsonl", at=LONG_AGO)
        age(root)
        take(tree, sweep(tree, NOW))
        put(path, at=LONG_AGO)
        assert [] == changed(tree.glance(NOW))


@pytest.mark.parametrize("look", [Tree.glance, Tree.look_at_hinted])
class TestHints:
    """The watcher saw something."""

    def test_another_directory_in_the_place_of_a_known_one_is_looked_through(
        self, look: Look, tree: Tree, root: Path, tmp_path: Path
    ) -> None:
        """Somebody puts a backup back: what was known under these names was of others."""
        put(root / "p" / "a.jsonl", at=LONG_AGO)
        put(root / "p" / "a" / "subagents" / "b.jsonl", at=LONG_AGO)
        age(root)
        take(tree, sweep(tree, NOW))
        other = tmp_path / "other"
        for path in ("a.jsonl", "a/subagents/b.jsonl", "a/subagents/c.jsonl"):
            put(other / path, "{}\n{}\n", at=LONG_AGO)
        age(other)
        (root / "p").rename(tmp_path / "p")
        other.rename(root / "p")
        tree.hint([root / "p"])
        assert {"a.jsonl", "b.jsonl", "c.jsonl"} == set(take(tree, look(tree, NOW)))

    def test_a_hinted_transcript_is_looked_at_and_hot_from_then_on(
        self, look: Look, tree: Tree, root: Path
    ) -> None:
        """A session of last week goes on."""
        path = put(root / "p" / "a.jsonl", at=LONG_AGO)
        put(root / "p" / "a" / "subagents" / "b.jsonl", at=LONG_AGO)
        age(root)
        take(tree, sweep(tree, NOW))
        put(path, at=LONG_AGO)
        tree.hint([path])
        assert ["a.jsonl"] == take(tree, look(tree, NOW))
        put(path, at=LONG_AGO)
        put(root / "p" / "a" / "subagents" / "c.jsonl", at=LONG_AGO)
        assert {"a.jsonl", "c.jsonl"} == set(take(tree, tree.glance(NOW)))

    def test_a_hinted_directory_is_listed_with_what_is_new_inside(
        self, look: Look, tree: Tree, root: Path
    ) -> None:
        """Watchers miss what is made in a directory right after it."""
        put(root / "p" / "a.jsonl", at=LONG_AGO)
        age(root)
        take(tree, sweep(tree, NOW))
        put(root / "p" / "b.jsonl", at=LONG_AGO)
        put(root / "p" / "s" / "subagents" / "c.jsonl", at=LONG_AGO)
        age(root)
        assert [] == changed(look(tree, NOW))
        tree.hint([root / "p"])
        assert {"b.jsonl", "c.jsonl"} == set(take(tree, look(tree, NOW)))
        put(root / "q" / "d.jsonl", at=LONG_AGO)
        age(root)
        assert [] == changed(look(tree, NOW))
        tree.hint([root])
        assert ["d.jsonl"] == take(tree, look(tree, NOW))

    def test_hints_of_other_things_are_passed_over(
        self, look: Look, tree: Tree, root: Path, tmp_path: Path
    ) -> None:
        """Files elsewhere, files without usage, and files that are gone."""
        skipped = (
            put(tmp_path / "elsewhere" / "a.jsonl"),
            put(tmp_path / "projects-2" / "a.jsonl"),
            put(root / "p" / "memory" / "a.jsonl"),
            put(root / "p" / "s" / "tool-results" / "a.jsonl").parent,
            put(root / "p" / "s" / "tool-results" / "a.jsonl"),
            put(root / "p" / "journal.jsonl"),
            put(root / "p" / "x.txt"),
            root / "p" / "gone.jsonl",
        )
        sweep(tree, NOW)
        tree.hint(skipped)
        assert Seen([], [], []) == look(tree, NOW)

    def test_a_project_called_memory_may_be_hinted(self, look: Look, tree: Tree, root: Path) -> None:
        """Only inside a project the name means something else."""
        age(root)
        sweep(tree, NOW)
        path = put(root / "memory" / "a.jsonl")
        age(root)
        tree.hint([path])
        assert ["a.jsonl"] == changed(look(tree, NOW))

    def test_a_hint_by_another_name_is_understood(self, look: Look, root: Path, tmp_path: Path) -> None:
        """Some watchers tell the real path of what is watched through a link."""
        (tmp_path / "link").symlink_to(root)
        path = put(root / "p" / "a.jsonl", at=LONG_AGO)
        age(root)
        tree = Tree([tmp_path / "link"])
        assert [str(tmp_path / "link" / "p" / "a.jsonl")] == [path for path, _ in sweep(tree, NOW).changed]
        take(tree, sweep(tree, NOW))
        put(path, at=LONG_AGO)
        tree.hint([path])
        assert [str(tmp_path / "link" / "p" / "a.jsonl")] == [path for path, _ in look(tree, NOW).changed]

    def test_hints_over_the_limit_are_dropped(self, look: Look, tree: Tree, root: Path) -> None:
        """The sweep finds what they were about."""
        first, last, over = (
            put(root / "p" / f"{name}.jsonl", at=LONG_AGO) for name in ("first", "last", "over")
        )
        age(root)
        take(tree, sweep(tree, NOW))
        for path in (first, last, over):
            put(path, at=LONG_AGO)
        tree.hint([first, *(root / f"nothing-{number}" for number in range(HINTS_MAX - 2)), last, over])
        assert {"first.jsonl", "last.jsonl"} == set(take(tree, look(tree, NOW)))
        assert ["over.jsonl"] == take(tree, sweep(tree, NOW))


def test_what_was_not_hinted_is_left_to_the_next_glance(tmp_path: Path) -> None:
    """Who was told what changed need not look at all that is hot; session logs are looked at in any case."""
    root, log = tmp_path / "projects", tmp_path / "sessions.jsonl"
    tree = Tree([root], [log])
    paths = [put(root / "p" / f"{name}.jsonl") for name in "ab"]
    age(root)
    take(tree, sweep(tree, NOW))
    for path in (*paths, log):
        put(path, "{}\n{}\n")
    put(root / "p" / "c.jsonl")
    tree.hint(paths[:1])
    assert {"a.jsonl", "sessions.jsonl"} == set(take(tree, tree.look_at_hinted(NOW)))
    assert {"b.jsonl", "c.jsonl"} == set(take(tree, tree.glance(NOW)))


class TestCost:
    """A thousand files in a hundred directories, twenty of them hot."""

    @pytest.fixture(scope="class")
    @classmethod
    def large(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """A root that has grown for months."""
        root = tmp_path_factory.mktemp("large") / "projects"
        for number in range(1000):
            directory = root / f"-home-somebody-code-a-project-{number % 100:03}"
            if number < 100:
                directory.mkdir(parents=True)
            path = directory / f"{number:08}-1c2d-4e5f-8a9b-0123456789ab.jsonl"
            path.touch()
            at = NOW - HOUR // 2 if number % 50 == 0 else LONG_AGO
            os.utime(path, ns=(at, at))
        age(root)
        return root

    def test_a_glance_costs_a_small_part_of_a_sweep(self, large: Path) -> None:
        """It stands before every answer: a sweep of all asks the system five times as often, and more."""
        tree = Tree([large])
        assert 1000 == len(take(tree, sweep(tree, NOW)))

        def asks(look: Callable[[], Seen]) -> int:
            """How many functions that Python does not run itself: what asks the system is among them."""
            calls = 0

            def count(_: object, event: str, __: object) -> None:
                nonlocal calls
                calls += event == "c_call"

            sys.setprofile(count)
            try:
                look()
            finally:
                sys.setprofile(None)
            return calls

        assert asks(lambda: tree.glance(NOW)) < asks(lambda: sweep(tree, NOW)) / 5

    def test_the_tree_is_small(self, large: Path) -> None:
        """Three megabytes for four thousand files, what their directories held included."""
        tree = Tree([large])
        settled = time.time_ns() + SETTLED_NS
        tracemalloc.start()
        take(tree, sweep(tree, settled))
        sweep(tree, settled)
        # What a thread of another test allocates meanwhile is not the tree's.
        ours = tracemalloc.Filter(inclusive=True, filename_pattern="*/quotad/*")
        held = tracemalloc.take_snapshot().filter_traces([ours]).statistics("filename")
        tracemalloc.stop()
        assert 0 < sum(one.size for one in held) / 1000 < 3_000_000 / 4000

    def test_a_sweep_needs_one_file_descriptor(self, large: Path) -> None:
        """However many directories there are, and however deep."""
        deep = large / "deep" / "/".join("d" * 60)
        put(deep / "a.jsonl")
        tree = Tree([large])
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        free = os.open(os.devnull, os.O_RDONLY)
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free + 1, limits[1]))
        try:
            with deep.joinpath("a.jsonl").open(), pytest.raises(OSError, match="Too many open files"):
                deep.joinpath("a.jsonl").open()
            seen = sweep(tree, NOW)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            shutil.rmtree(large / "deep")
        assert (1001, []) == (len(seen.changed), seen.unreadable)

    def test_what_could_not_be_opened_has_not_vanished(self, large: Path) -> None:
        """Without file descriptors nothing is seen, and nothing is lost."""
        tree = Tree([large])
        take(tree, sweep(tree, NOW))
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
        try:
            seen = sweep(tree, NOW)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert Seen([], [], [(str(large), "Too many open files")]) == seen  # type: ignore[list-item]
        assert Seen([], [], []) == sweep(tree, NOW)
