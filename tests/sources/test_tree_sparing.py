"""The sweeps that are not for everything: what they need not do, and that they miss nothing by it."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from quotad.domain.cursor import Cursor
from quotad.sources.scan import LISTED_NS_MAX, OLD_LOOKED_NS, OLD_NS, SETTLED_NS
from quotad.sources.tail import UNFINISHED
from quotad.sources.tree import Care, Seen, Tree
from tests.sources.sweeps import sweep

SECOND = 10**9
DAY = 24 * 3_600 * SECOND


def put(path: Path, text: str = "{}\n", ago_ns: int = 2 * DAY) -> Path:
    """Append to a file, so that it changed so long ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(text)
    at_ns = time.time_ns() - ago_ns
    os.utime(path, ns=(at_ns, at_ns))
    return path


def take(tree: Tree, seen: Seen, mtime_ns: int | None = None) -> list[str]:
    """Take in everything that changed; its names."""
    digest = bytes(16)
    for path, (device, inode, size, changed_ns) in seen.changed:
        noted_ns = changed_ns if mtime_ns is None else mtime_ns
        tree.taken(Cursor(path, device, inode, digest, 0, size, digest, size, noted_ns, False, 0, 0))
    return [Path(path).name for path, _ in seen.changed]


@contextmanager
def no_directory_can_be_listed() -> Iterator[None]:
    """This process may open nothing."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


class Account:
    """A tree whose time goes on by itself."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.tree = Tree([root])
        self.now_ns = time.time_ns() + SETTLED_NS

    def sweep(self, after_ns: int = SECOND, care: Care = Care.SPARING) -> Seen:
        """Look everywhere, so long after the sweep before."""
        self.now_ns += after_ns
        return sweep(self.tree, self.now_ns, care)


@pytest.fixture
def account(tmp_path: Path) -> Account:
    """An old transcript and a recent one, taken in long ago."""
    put(tmp_path / "p" / "old.jsonl")
    put(tmp_path / "p" / "s" / "subagents" / "recent.jsonl", ago_ns=DAY // 2)
    account = Account(tmp_path)
    assert {"old.jsonl", "recent.jsonl"} == set(take(account.tree, account.sweep(0)))
    assert Seen([], [], []) == account.sweep(0)
    return account


class TestListing:
    """Directories that did not change are not listed again."""

    @pytest.mark.parametrize("care", [Care.SPARING, Care.EVERY_FILE])
    def test_nothing_is_listed_while_nothing_changes(self, account: Account, care: Care) -> None:
        """But their files are looked at."""
        put(account.root / "p" / "s" / "subagents" / "recent.jsonl", ago_ns=0)
        with no_directory_can_be_listed():
            seen = account.sweep(care=care)
            assert (["recent.jsonl"], [], []) == (take(account.tree, seen), seen.vanished, seen.unreadable)
            assert [str(account.root)] == [path for path, _ in account.sweep(care=Care.EVERYTHING).unreadable]

    @pytest.mark.parametrize(("after_ns", "listed"), [(LISTED_NS_MAX - 1, False), (LISTED_NS_MAX, True)])
    def test_each_is_listed_now_and_then(self, account: Account, after_ns: int, *, listed: bool) -> None:
        """There are file systems on which no stamp tells that it changed."""
        with no_directory_can_be_listed():
            assert listed == bool(account.sweep(after_ns).unreadable)

    @pytest.mark.parametrize(("settled_ns", "listed"), [(SETTLED_NS - 1, True), (SETTLED_NS, False)])
    def test_one_that_changed_just_now_is_listed_again(
        self, tmp_path: Path, settled_ns: int, *, listed: bool
    ) -> None:
        """Its stamp may be too coarse to tell of the next change."""
        account = Account(tmp_path)
        account.now_ns = tmp_path.stat().st_ctime_ns + settled_ns
        account.sweep(0)
        with no_directory_can_be_listed():
            assert listed == bool(account.sweep().unreadable)

    def test_new_files_are_found_at_once(self, account: Account) -> None:
        """In an old directory, and in new ones inside it, however old they are themselves."""
        put(account.root / "p" / "s" / "subagents" / "copied.jsonl")
        put(account.root / "p" / "t" / "subagents" / "deeper.jsonl")
        assert {"copied.jsonl", "deeper.jsonl"} == set(take(account.tree, account.sweep()))
        assert Seen([], [], []) == account.sweep()

    def test_set_back_time_stamps_hide_nothing(self, account: Account) -> None:
        """A tool that keeps mtimes leaves the ctime."""
        status = (account.root / "p").stat()
        put(account.root / "p" / "new.jsonl")
        os.utime(account.root / "p", ns=(status.st_atime_ns, status.st_mtime_ns))
        assert ["new.jsonl"] == take(account.tree, account.sweep())

    def test_a_link_that_led_nowhere_is_found_when_it_leads_somewhere(self, tmp_path: Path) -> None:
        """The directory in which it lies does not change by that."""
        (tmp_path / "p").mkdir()
        (tmp_path / "q").mkdir()
        (tmp_path / "p" / "link.jsonl").symlink_to("../q/data")
        account = Account(tmp_path)
        assert Seen([], [], []) == account.sweep()
        put(tmp_path / "q" / "data")
        assert ["link.jsonl"] == take(account.tree, account.sweep())


class TestOldFiles:
    """What nobody has touched for a day is looked at less often."""

    @pytest.mark.parametrize(
        ("after_ns", "expected"), [(OLD_LOOKED_NS - 1, []), (OLD_LOOKED_NS, ["old.jsonl"])]
    )
    def test_they_are_looked_at_every_two_minutes(
        self, account: Account, after_ns: int, expected: list[str]
    ) -> None:
        """Whether or not there were sweeps in between; and a hint or a careful sweep comes first."""
        put(account.root / "p" / "old.jsonl")
        assert Seen([], [], []) == account.sweep(after_ns // 2)
        assert expected == take(account.tree, account.sweep(after_ns - after_ns // 2))

    @pytest.mark.parametrize("care", [Care.EVERY_FILE, Care.EVERYTHING])
    def test_a_careful_sweep_looks_at_them(self, account: Account, care: Care) -> None:
        """It follows each beginning of watching, and is what ``sync`` asks for."""
        put(account.root / "p" / "old.jsonl")
        assert ["old.jsonl"] == take(account.tree, account.sweep(care=care))

    @pytest.mark.parametrize(("age_ns", "expected"), [(OLD_NS, []), (OLD_NS - 1, ["a.jsonl"])])
    def test_a_day_makes_them_old(self, tmp_path: Path, age_ns: int, expected: list[str]) -> None:
        """Counted when the file was last looked at."""
        path = put(tmp_path / "a.jsonl")
        account = Account(tmp_path)
        at_ns = account.now_ns - age_ns
        os.utime(path, ns=(at_ns, at_ns))
        take(account.tree, account.sweep(0))
        account.sweep(0)
        put(path)
        assert expected == take(account.tree, account.sweep())

    def test_one_that_is_written_again_is_recent_from_the_next_look(self, account: Account) -> None:
        """A session of last week goes on, and the watcher is silent."""
        path = put(account.root / "p" / "old.jsonl", ago_ns=0)
        assert ["old.jsonl"] == take(account.tree, account.sweep(OLD_LOOKED_NS))
        put(path, ago_ns=0)
        assert ["old.jsonl"] == take(account.tree, account.sweep())

    def test_one_that_vanished_or_was_replaced_is_found_at_once(self, account: Account) -> None:
        """The directory tells."""
        old = account.root / "p" / "old.jsonl"
        put(account.root / "p" / "new", "{}\n{}\n").replace(old)
        assert ["old.jsonl"] == take(account.tree, account.sweep())
        old.unlink()
        assert [str(old)] == account.sweep().vanished

    def test_one_that_was_not_wholly_taken_in_comes_again_at_once(self, account: Account) -> None:
        """A reading that failed is tried again at each sweep."""
        put(account.root / "p" / "old.jsonl")
        for after_ns in (OLD_LOOKED_NS, SECOND, SECOND):
            assert ["old.jsonl"] == take(account.tree, account.sweep(after_ns), UNFINISHED)
        assert ["old.jsonl"] == take(account.tree, account.sweep())
        account.sweep()
        assert Seen([], [], []) == account.sweep()
