"""A disk that takes nothing: the count goes on, people are told, and nothing is missing once it has room."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.daemon.clocks import FastClock
from tests.daemon.notices import all_said, configure, heard, thresholds
from tests.daemon.process import QUOTAD, Failed, Place, wait_until
from tests.daemon.work import spend, transcript

OFTEN = {"WATCHDOG_USEC": "200000"}
SIZE = "size=8m,mode=0700"

pytestmark = [
    pytest.mark.requires("unshare", "util-linux"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk"),
]


class SmallDisk:
    """A file system of a few megabytes in the place of a directory, for those who enter its namespace."""

    def __init__(self, directory: Path, holder: int) -> None:
        self._namespace = f"/proc/{holder}/ns/mnt"
        self.seen = Path(f"/proc/{holder}/root{directory}")
        """The directory as it is in the namespace."""
        self.directory = directory

    def inside(self, command: Sequence[str]) -> list[str]:
        """The command, to be run where the disk is."""
        return ["nsenter", f"--mount={self._namespace}", *command]

    def fill(self) -> None:
        """Leave not a byte of room."""
        with (self.seen / "filler").open("ab", buffering=0) as filler:
            for size in (65_536, 4_096, 1):
                try:
                    while filler.write(b"x" * size) == size:
                        pass
                except OSError:
                    pass

    def make_room(self) -> None:
        (self.seen / "filler").unlink()

    def remount(self, option: str) -> None:
        """``ro``: nothing can be written; ``rw`` again."""
        command = ["mount", "-o", f"remount,{option},{SIZE}", str(self.directory)]
        subprocess.run(self.inside(command), check=True)


@contextmanager
def small_disk(directory: Path) -> Iterator[SmallDisk]:
    """A small disk in the place of ``directory``; it lasts until the end, whoever uses it meanwhile."""
    directory.mkdir(mode=0o700, exist_ok=True)
    mount = 'mount -t tmpfs -o "$1" none "$0" && echo mounted && exec sleep infinity'
    command = ["unshare", "--mount", "sh", "-c", mount, str(directory), SIZE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            assert "mounted\n" == holder.stdout.readline()
            yield SmallDisk(directory, holder.pid)
        finally:
            holder.kill()


def test_the_count_goes_on_and_is_written_down_later(place: Place) -> None:
    """``status`` is right all the while and names the trouble; afterwards the ledger has every token, too."""
    configure(place)
    with small_disk(place.state) as disk:
        program = disk.inside(QUOTAD)
        with place.running(program=program, extra=OFTEN) as quotad:
            spend(place, 10_000)
            quotad.sync()
            disk.fill()
            for number in range(1, 101):
                spend(place, 1_100, session=f"s-{number % 5}")
                assert 10_000 + number * 1_100 == quotad.window()["spent"]
            wait_until(lambda: "ledger-unavailable" in quotad.problems())
            assert not quotad.doctor()["ledger-unavailable"]["ok"]
            wait_until(lambda: 50 in thresholds(place))
            disk.make_room()
            wait_until(lambda: {} == quotad.problems())
            quotad.sync()
            assert 120_000 == sum(row["spent"] for row in quotad.history("model"))
            all_said(quotad)
            quotad.kill()
        for transcript in place.projects.rglob("*.jsonl"):
            transcript.unlink()
        with place.running(program=program, extra=OFTEN) as quotad:
            assert 120_000 == quotad.window()["spent"]
            assert 120_000 == sum(row["spent"] for row in quotad.history("model"))
            assert 101 == sum(row["messages"] for row in quotad.history("session"))
            all_said(quotad)
    assert 1 == thresholds(place).count(50)
    assert ["problem", "threshold"] == sorted({notice["kind"] for notice in heard(place)})


def test_a_file_that_vanishes_while_the_disk_is_full_harms_nothing(place: Place) -> None:
    """That it is gone need not be written down at once."""
    with small_disk(place.state) as disk:
        program = disk.inside(QUOTAD)
        with place.running(program=program, extra=OFTEN) as quotad:
            spend(place, 10, session="kept")
            spend(place, 20, session="gone")
            quotad.sync()
            disk.fill()
            # What is left of the ledger's own room is taken, too.
            for _ in range(100):
                spend(place, 1, session="kept")
            wait_until(lambda: "ledger-unavailable" in quotad.problems())
            transcript(place, "gone").unlink()
            quotad.sync()
            assert 130 == quotad.window()["spent"]
            disk.make_room()
            wait_until(lambda: {} == quotad.problems())
            quotad.sync()
            assert 130 == sum(row["spent"] for row in quotad.history("model"))


def test_an_end_while_the_disk_is_full_costs_time_and_no_token(place: Place) -> None:
    """It is as clean as any; the next daemon reads again what could not be written."""
    with small_disk(place.state) as disk:
        program = disk.inside(QUOTAD)
        with place.running(program=program) as quotad:
            spend(place, 10)
            quotad.sync()
            disk.fill()
            for _ in range(50):
                spend(place, 10)
            assert 510 == quotad.window()["spent"]
            assert quotad.stop() == 0
        disk.make_room()
        with place.running(program=program) as quotad:
            assert 510 == quotad.window()["spent"]
            quotad.sync()
            assert 510 == sum(row["spent"] for row in quotad.history("model"))


def test_a_start_without_room_is_refused_by_name(place: Place) -> None:
    """With 1 and a line that names the ledger."""
    with small_disk(place.state) as disk:
        disk.fill()
        with pytest.raises(Failed) as refused, place.running(program=disk.inside(QUOTAD)):
            pass
    assert 1 == refused.value.code
    (line,) = refused.value.stderr.splitlines()
    assert str(place.state) in line


def test_snapshots_that_cannot_be_written_are_a_problem_until_they_can(place: Place) -> None:
    """The old ones stay whole, nothing half-written lies beside them, and the new ones come by themselves."""
    clock = FastClock(30)
    with small_disk(place.claude) as disk:
        (disk.seen / "projects").mkdir()
        path = disk.seen / "projects" / "p" / "s.jsonl"
        with place.running(*clock.arguments, program=disk.inside(QUOTAD)) as quotad:
            spend(place, 10, at_ms=clock.now(), path=path)
            assert 10 == quotad.window()["spent"]
            snapshot = disk.seen / "quota-tracker.json"
            wait_until(lambda: b'"tokensUsed": 10' in snapshot.read_bytes())
            before = snapshot.read_bytes()
            disk.remount("ro")
            place.config.write_text(place.config.read_text().replace("[notify]", "limit = 77\n[notify]"))
            quotad.request("reload")
            name = str(place.claude / "quota-tracker.json")
            wait_until(lambda: name in quotad.problems().get("snapshot-unwritable", ""))
            assert before == snapshot.read_bytes()
            disk.remount("rw")
            wait_until(lambda: {} == quotad.problems())
            assert b'"limit": 77' in snapshot.read_bytes()
        expected = {"projects", "quota-tracker.json", "session-tracker.json"}
        assert expected == {path.name for path in disk.seen.iterdir()}
