"""What may be wrong with directories, links and permissions, and with the events that tell of them.

One daemon serves most of these tests; each has a session of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon.process import QUOTAD, Place, Quotad, new_place
from tests.daemon.scene import Scene
from tests.daemon.truth import of_calls


@pytest.fixture(scope="module")
def live() -> Iterator[Quotad]:
    """The one daemon."""
    with new_place() as place, place.running() as quotad:
        yield quotad


@pytest.fixture
def scene(live: Quotad, request: pytest.FixtureRequest) -> Scene:
    """A session named after the test."""
    return Scene(live.place, request.node.name)


def test_thousands_of_new_files_are_all_found_and_none_is_kept_open(live: Quotad, scene: Scene) -> None:
    """2,000 files in 200 directories that came all at once; one hot file among them is not starved."""
    for number in range(2_000):
        scene.write(f"{number % 200}/{number}", number)
    scene.write("hot", 2_000)
    live.sync()
    scene.write("hot", 2_001)
    assert of_calls(2_002) == scene.counted(live)
    assert len(list(Path(f"/proc/{live.pid}/fd").iterdir())) < 64
    shutil.rmtree(scene.directory)
    live.sync()
    assert of_calls(2_002) == scene.counted(live)


def test_lost_events_lose_nothing(live: Quotad, scene: Scene) -> None:
    """More happens while it is stopped than the kernel's queue takes; what is written then is found."""
    writers = [scene.write(file, number).open("ab", buffering=0) for number, file in enumerate("ab")]
    assert of_calls(2) == scene.counted(live)
    room = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    # Equal events that follow each other are one, so two files are written to in turn.
    with live.paused():
        for _ in range(room // 2 + 1_000):
            for writer in writers:
                writer.write(b"\n")
        scene.write("new/c", 2)
        for writer in writers:
            writer.close()
        scene.write("a", 3)
    assert of_calls(4) == scene.counted(live)


def test_symbolic_links_lead_to_nothing_twice_and_nowhere_else(live: Quotad, scene: Scene) -> None:
    """Loops, linked directories, a linked file outside, and one nowhere: no hang, no double, no stranger."""
    scene.write("a", 1)
    outside = Scene(live.place, f"{scene.name} outside")
    stranger = live.place.root / "outside"
    stranger.mkdir()
    (stranger / "b.jsonl").write_bytes(outside.lines(1))
    (scene.directory / "loop").symlink_to(scene.directory, target_is_directory=True)
    (scene.directory / "root").symlink_to(live.place.projects, target_is_directory=True)
    (scene.directory / "away").symlink_to(stranger, target_is_directory=True)
    scene.path("away").symlink_to(stranger / "b.jsonl")
    scene.path("nowhere").symlink_to(scene.directory / "nothing.jsonl")
    files = live.doctor()["transcripts"]["message"]
    live.sync()
    assert files == live.doctor()["transcripts"]["message"]
    assert (of_calls(1), of_calls(0)) == (scene.counted(live), outside.counted(live))


def test_what_is_no_file_is_named_and_does_not_hang(live: Quotad, scene: Scene) -> None:
    """A FIFO that nobody writes to, under a transcript's name; a directory under one is just a directory."""
    scene.write("a", 1)
    os.mkfifo(scene.path("fifo"))
    scene.write("directory.jsonl/b", 2)
    live.sync()
    assert of_calls(2) == scene.counted(live)
    scene.path("fifo").unlink()
    live.sync()
    assert {} == live.problems()


def test_directories_are_waited_for_and_waited_for_again(place: Place) -> None:
    """Nothing is there at the start; what comes counts at once, and again when all was deleted."""
    shutil.rmtree(place.claude)
    scene = Scene(place, "late")
    with place.running() as quotad:
        assert of_calls(0) == scene.counted(quotad)
        assert {} == quotad.problems()
        scene.write("a", 1)
        assert of_calls(1) == scene.counted(quotad)
        shutil.rmtree(place.projects)
        assert of_calls(1) == scene.counted(quotad)
        scene.write("a", 2)
        assert of_calls(2) == scene.counted(quotad)
        scene.write("b", 3)
        assert of_calls(3) == scene.counted(quotad)
        shutil.rmtree(place.claude)
        quotad.sync()
        scene.write("c", 4)
        assert of_calls(4) == scene.counted(quotad)


def unprivileged() -> list[str]:
    """What to run a program by, for the modes of files to hold for it: root passes them by."""
    if os.geteuid():
        return []
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]


@pytest.mark.requires("setpriv", "util-linux")
def test_what_cannot_be_read_is_named_once_and_read_later(place: Place) -> None:
    """The others count; a file and a directory are named in ``status``, and counted when they can be read."""
    scene = Scene(place, "secret")
    forbidden = scene.write("forbidden", 1)
    inside = scene.write("closed/inside", 2)
    scene.write("open", 3)
    forbidden.chmod(0)
    inside.parent.chmod(0)
    seen = subprocess.run([*unprivileged(), "cat", forbidden, inside], capture_output=True, check=False)
    assert (b"", 2) == (seen.stdout, seen.stderr.count(b"Permission denied"))
    with place.running(program=[*unprivileged(), *QUOTAD]) as quotad:
        quotad.sync()
        assert of_calls(1) == scene.counted(quotad)
        told = quotad.problems()["unreadable"]
        assert "Permission denied (and 1 more)" in told
        assert any(str(path) in told for path in (forbidden, inside.parent))
        scene.write("open", 4)
        quotad.sync()
        quotad.sync()
        assert of_calls(2) == scene.counted(quotad)
        assert quotad.stderr.count("cannot be read") == 1
        forbidden.chmod(0o600)
        assert of_calls(3) == scene.counted(quotad)
        assert str(inside.parent) in quotad.problems()["unreadable"]
        inside.parent.chmod(0o700)
        quotad.sync()
        assert of_calls(4) == scene.counted(quotad)
        assert {} == quotad.problems()


@pytest.mark.requires("setpriv", "util-linux")
def test_what_cannot_be_read_any_more_has_not_vanished(place: Place) -> None:
    """Its calls and its bad lines stay counted, and it goes on where it was left."""
    scene = Scene(place, "closed")
    path = scene.write("closed/a", 1)
    scene.append("closed/a", b"bad\n")
    with place.running(program=[*unprivileged(), *QUOTAD]) as quotad:
        path.parent.chmod(0)
        quotad.sync()
        assert str(path.parent) in quotad.problems()["unreadable"]
        assert (of_calls(1), 1) == (scene.counted(quotad), quotad.status()["daemon"]["malformed_lines"])
        path.parent.chmod(0o700)
        scene.write("closed/a", 2)
        quotad.sync()
        assert (of_calls(2), 1) == (scene.counted(quotad), quotad.status()["daemon"]["malformed_lines"])
        assert {} == quotad.problems()
