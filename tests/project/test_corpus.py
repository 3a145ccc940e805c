"""The corpus is only worth testing against if it is the same everywhere and says truly what it holds."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from benchmarks.corpus import generate
from benchmarks.flaws import FLAWS
from benchmarks.recount import recount

END = 1_793_610_000_000


def digest(root: Path) -> str:
    """One hash over every file's name, bytes and mtime."""
    hashed = hashlib.sha256()
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        hashed.update(f"{path.relative_to(root)} {len(path.read_bytes())}".encode())
        hashed.update(path.read_bytes())
        hashed.update(str(path.stat().st_mtime_ns).encode())
    return hashed.hexdigest()


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    """A failure on one machine can be had on another by its seed; another seed is another corpus."""
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        generate(tmp_path / name, seed=seed, size_bytes=400_000, end_ms=END)
    assert digest(tmp_path / "one") == digest(tmp_path / "again")
    assert digest(tmp_path / "one") != digest(tmp_path / "other")


@pytest.mark.parametrize("flaws", [False, True])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_recount_finds_what_the_making_tallied(tmp_path: Path, seed: int, *, flaws: bool) -> None:
    """Two ways to the same numbers: counted while writing, and counted by reading."""
    facts = generate(tmp_path, seed=seed, size_bytes=1_500_000, end_ms=END, files=30, flaws=flaws)
    actual = recount(facts.projects)
    assert facts.calls == len(actual.calls)
    assert facts.tokens == actual.tokens()
    assert facts.malformed == actual.malformed
    assert (facts.files, facts.size_bytes, facts.lines) == (actual.files, actual.size, actual.lines)


def test_every_flaw_has_its_turn(tmp_path: Path) -> None:
    """A corpus of a hundred ordinary files holds each flaw at least once."""
    facts = generate(tmp_path, seed=5, size_bytes=6_000_000, end_ms=END, files=80)
    others = {"torn tail", "windows file", "marked file", "duplicate file"}
    assert {*FLAWS, *others} - {"too deep"} == set(facts.flaws) - {"too deep"}


def test_sizes_and_file_counts_are_kept(tmp_path: Path) -> None:
    """What was asked for is what is written, within a tenth."""
    facts = generate(tmp_path, seed=6, size_bytes=5_000_000, end_ms=END, files=40)
    assert 40 == facts.files
    assert 5_000_000 == pytest.approx(facts.size_bytes, rel=0.1)


def test_nothing_is_later_than_the_end_and_the_last_call_is_recent(tmp_path: Path) -> None:
    """A window is running when the corpus ends; files and directories are as old as their last line."""
    facts = generate(tmp_path, seed=7, size_bytes=600_000, end_ms=END, days=10)
    times = [call.at_ms for call in recount(facts.projects).calls]
    assert END - 60_000 <= times[-1] <= END
    assert times[0] >= END - 11 * 86_400_000
    assert max(path.stat().st_mtime_ns for path in facts.projects.rglob("*")) <= END * 1_000_000


def test_work_has_breaks_so_that_windows_are_plentiful(tmp_path: Path) -> None:
    """Nights and weekends part the windows; stated resets fix some of them."""
    facts = generate(tmp_path, seed=8, size_bytes=6_000_000, end_ms=END, files=300, limit_hits=True)
    counts = recount(facts.projects)
    assert len(counts.windows()) > 20
    assert facts.limit_resets_ms
    assert set(facts.limit_resets_ms) <= {
        window.resets_ms for window in counts.windows(facts.limit_resets_ms)
    }
