"""A corpus as it comes about: written piece by piece while daemons come and go, and files are moved."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random
from signal import SIGKILL, SIGTERM

import pytest

from benchmarks.corpus import generate
from benchmarks.recount import recount
from tests.daemon.process import Place
from tests.daemon.truth import current, current_of, demo_clock, sums, total, windows

END_MS = 1_793_610_000_000  # 2026-11-02T09:00:00Z


class Retelling:
    """Writes a corpus anew, in pieces cut anywhere, while files are moved, rotated, copied and deleted.

    ``archive`` gets what is deleted, so that all that was ever there can be counted again.
    """

    def __init__(self, source: Path, projects: Path, archive: Path, chance: Random) -> None:
        self._projects = projects
        self._archive = archive
        self._chance = chance
        self._rest = {
            projects / path.relative_to(source): path.read_bytes()
            for path in sorted(source.rglob("*.jsonl"))
            if path.name != "journal.jsonl"
        }
        self._size = sum(map(len, self._rest.values()))
        self.happened: set[str] = set()

    def told(self) -> float:
        """Which part of it has been written."""
        return 1 - sum(map(len, self._rest.values())) / self._size

    def go_on(self, until: float) -> Iterator[None]:
        """Write on until such a part of it is there, yielding after each piece."""
        events = (self._move, self._rotate, self._copy, *[self._append] * 12)
        while self.told() < until:
            path = self._chance.choice([path for path, rest in self._rest.items() if rest])
            self._append(path)
            self._chance.choice(events)(path)
            yield

    def _append(self, path: Path, size: int | None = None) -> None:
        size = size or self._chance.choice((1, 40, 700, 9_000, 50_000))
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(self._rest[path][:size])
        self._rest[path] = self._rest[path][size:]

    def _move(self, path: Path) -> None:
        new = self._projects / f"-moved-{len(self._rest)}" / f"{self._chance.getrandbits(64):x}.jsonl"
        new.parent.mkdir(exist_ok=True)
        path.rename(new)
        self._rest[new] = self._rest.pop(path)
        self.happened.add("moved")

    def _rotate(self, path: Path) -> None:
        """At the end of a line the file gets another name, and a new one goes on under the old."""
        if line := self._rest[path].find(b"\n") + 1:
            self._append(path, line)
            path.rename(path.with_name(f"{self._chance.getrandbits(64):x}.jsonl"))
            self.happened.add("rotated")

    def _copy(self, path: Path) -> None:
        other = self._projects / "-copies" / f"{self._chance.getrandbits(64):x}.jsonl"
        other.parent.mkdir(exist_ok=True)
        shutil.copy(path, other)
        self.happened.add("copied")

    def delete(self) -> None:
        """Delete every file that will not grow any more."""
        for path in self._projects.rglob("*.jsonl"):
            if not self._rest.get(path):
                kept = self._archive / path.relative_to(self._projects)
                kept.parent.mkdir(parents=True, exist_ok=True)
                path.rename(kept)
                self.happened.add("deleted")


@pytest.mark.parametrize("seed", [4, 5])
def test_line_by_line_and_over_restarts_the_sums_are_the_same(
    place: Place, tmp_path: Path, seed: int
) -> None:
    """After each piece the answer is right, whatever ended the daemon meanwhile and wherever files went."""
    source = generate(tmp_path, seed=seed, size_bytes=500_000, files=16, end_ms=END_MS, days=4).projects
    tale = Retelling(source, place.projects, place.root / "archive", Random(seed))
    clock = demo_clock(END_MS)
    for part, end in ((0.25, SIGTERM), (0.5, SIGKILL), (0.75, SIGTERM), (0.9, SIGKILL)):
        with place.running(*clock) as quotad:
            for number, _ in enumerate(tale.go_on(part)):
                if number % 5 == 0:
                    so_far = recount(place.root)
                    assert (len(so_far.calls), so_far.tokens()) == total(quotad.history("model"))
            if part == 0.75:
                quotad.sync()
                tale.delete()
            quotad.stop(end)
        for _ in tale.go_on(part + 0.05):
            pass
    for _ in tale.go_on(1.0):
        pass
    counts = recount(source)
    with place.running(*clock) as quotad:
        quotad.sync()
        assert recount(place.projects).malformed == quotad.status()["daemon"]["malformed_lines"]
        assert {"moved", "rotated", "copied", "deleted"} == tale.happened
        for _ in range(2):
            assert counts.by_day() == sums(quotad.history("day", zone="utc"), "day")
            assert counts.by(lambda call: call.session) == sums(quotad.history("session"), "session")
            assert counts.by(lambda call: call.model) == sums(quotad.history("model"), "model")
            assert counts.windows() == windows(quotad.history("window"))
            assert current_of(counts, END_MS) == current(quotad.window())
            # The second time every transcript has vanished.
            for path in place.projects.rglob("*.jsonl"):
                path.unlink()
            quotad.sync()
        assert 0 == quotad.status()["daemon"]["malformed_lines"]
