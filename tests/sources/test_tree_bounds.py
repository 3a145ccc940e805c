"""What a glance looks at is bounded, whatever happened to the files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from quotad.sources import tree
from quotad.sources.tree import Tree
from tests.sources.sweeps import sweep

NOW_NS = 1_793_610_000 * 10**9


def grow(path: Path, ago_seconds: int) -> None:
    """Append a line, so long ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write("{}\n")
    at_ns = NOW_NS - ago_seconds * 10**9
    os.utime(path, ns=(at_ns, at_ns))


@pytest.fixture
def restored(tmp_path: Path) -> Path:
    """More files than can be hot, all written within the last minutes, the highest number last."""
    for number in range(tree.HOT_FILES_MAX + 2):
        grow(tmp_path / f"p{number % 7}" / f"{number:04}.jsonl", 1000 - number)
    return tmp_path


def test_only_the_newest_of_very_many_are_hot(restored: Path) -> None:
    """The newest are looked at by every glance; the oldest wait for the next sweep, which finds them."""
    seen = Tree([restored])
    newest, oldest = f"{tree.HOT_FILES_MAX + 1:04}.jsonl", "0000.jsonl"
    sweep(seen, NOW_NS)
    for name in (newest, oldest):
        (path,) = restored.glob(f"*/{name}")
        grow(path, 0)
    sizes = {Path(found.path).name: found.stamp.size for found in seen.glance(NOW_NS).changed}
    assert (6, None) == (sizes.get(newest), sizes.get(oldest))
    assert {6} == {
        found.stamp.size for found in sweep(seen, NOW_NS).changed if Path(found.path).name == oldest
    }
