"""What happens to files behind the daemon's back, and what must hold (the faults of files, one by one).

Each fault is brought about for real, and shown to have happened. Afterwards the very next answer is right.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals
from typing import TypeAlias

import pytest

from benchmarks.process import high_water_bytes
from benchmarks.recount import Tokens, recount
from quotad import wire
from quotad.sources.cutter import LINE_BYTES_MAX
from tests.daemon.process import QUOTAD, Failed, Place, Quotad, new_place, wait_until
from tests.daemon.truth import call, calls, current, current_of, demo_clock, now_ms, of_calls, sums, windows

MINUTE_MS = 60_000
START_MS = now_ms()
"""When the calls below were made; every scene has a session of its own."""


@dataclass(frozen=True)
class Scene:
    """One session in a project of its own. Its calls are numbered, each number is one call."""

    place: Place
    name: str

    @property
    def directory(self) -> Path:
        return self.place.projects / f"-{self.name}"

    def path(self, file: str = "a") -> Path:
        return self.directory / f"{file}.jsonl"

    def lines(self, *numbers: int) -> bytes:
        return b"".join(calls(self.name, numbers, at_ms=START_MS))

    def write(self, file: str, *numbers: int) -> Path:
        """Append these calls to a file, made if need be."""
        return self.append(file, self.lines(*numbers))

    def append(self, file: str, data: bytes) -> Path:
        path = self.path(file)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as opened:
            opened.write(data)
        return path

    def counted(self, quotad: Quotad) -> tuple[int, Tokens]:
        """(calls, tokens) of this session as ``history`` has them now."""
        return sums(quotad.history("session"), "session").get(self.name, of_calls(0))


# What happens to a file while nobody looks.

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
    """Under the same name and, as file systems have it, soon or at once with the same inode."""
    path = scene.write("a", 1)
    inode = path.stat().st_ino
    yield 1
    inodes = []
    for number in range(2, 52):
        path.unlink()
        path.write_bytes(scene.lines(number) + scene.lines(52))
        inodes.append(path.stat().st_ino)
        if inodes[-1] == inode:
            break
    assert inode in inodes
    yield 3
    scene.write("a", 53)
    yield 4


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


# What stands in a file. One daemon serves all of the tests below: each has its own session.


@pytest.fixture(scope="module")
def live() -> Iterator[Quotad]:
    with new_place() as place, place.running() as quotad:
        yield quotad


@pytest.fixture
def scene(live: Quotad, request: pytest.FixtureRequest) -> Scene:
    return Scene(live.place, request.node.name)


def test_a_line_counts_when_its_newline_comes_and_not_before(live: Quotad, scene: Scene) -> None:
    """Wherever it was cut: at its ends, inside a character, anywhere."""
    text = "ö\u2028🙂"
    length = len(call("msg 100", at_ms=START_MS, session=scene.name, text=text))
    wide = length - 60
    cuts = sorted({1, 2, *range(5, length, 23), *range(length - 4, length)})
    for number, cut in enumerate(cuts, start=100):
        line = call(f"msg {number}", at_ms=START_MS, session=scene.name, text=text)
        scene.append("a", line[:cut])
        before = scene.counted(live)
        scene.append("a", line[cut:])
        assert (of_calls(number - 100), of_calls(number - 99)) == (before, scene.counted(live)), line[:cut]
    assert wide > 0


def bad_lines(scene: Scene) -> dict[str, bytes]:
    """By what is wrong with each."""
    line = call("msg bad", at_ms=START_MS, session=scene.name, text="text")

    def instead(old: bytes, new: bytes) -> bytes:
        assert old in line
        return line.replace(old, new, 1)

    return {
        "bad UTF-8": instead(b'"text": "text"', b'"text": "\xff\xfe"'),
        "half a character": instead(b'"text": "text"', b'"text": "\xe2\x82"'),
        "a NUL": instead(b'{"type"', b'\0{"type"'),
        "100,000 brackets": instead(
            b'"content": [', b'"content": [' + b"[" * 100_000 + b"]" * 100_000 + b","
        ),
        "100,000 unclosed brackets": instead(b'"content": [', b'"content": [' + b"[" * 100_000),
        "a number of 5,000 digits": instead(b'"input_tokens": 1', b'"input_tokens": ' + b"9" * 5_000),
        "NaN": instead(b'"input_tokens": 1', b'"input_tokens": NaN'),
        "1e400": instead(b'"input_tokens": 1', b'"input_tokens": 1e400'),
        "a fraction": instead(b'"input_tokens": 1', b'"input_tokens": 1.5'),
        "a negative count": instead(b'"input_tokens": 1', b'"input_tokens": -1'),
        "text for a count": instead(b'"input_tokens": 1', b'"input_tokens": "1"'),
        "a list for usage": instead(b'"usage": {', b'"usage": [], "meant": {'),
        "no object": b'[{"usage": 1}]\n',
        "torn and glued": line[:60] + line,
        "a hole": bytes(4096) + b"\n",
    }


def odd_lines(scene: Scene) -> dict[str, bytes]:
    """Lines that count, by what is unusual about each."""

    def odd(message: str, text: str = "") -> bytes:
        return call(message, at_ms=START_MS, session=scene.name, text=text)

    return {
        "a byte order mark": b"\xef\xbb\xbf" + odd("msg BOM"),
        "Windows' line end": odd("msg CRLF").replace(b"\n", b"\r\n"),
        "other line ends": odd("msg U+2028", "\u2028 \u2029 \u0085 \x0c"),
        "a lone surrogate": odd("msg surrogate", "XX").replace(b"XX", b"\\ud83d"),
        "an escaped NUL": odd("msg NUL", "\0"),
        "a key twice": odd("msg twice").replace(
            b'"input_tokens": 1', b'"input_tokens": 7, "input_tokens": 1'
        ),
        "200 brackets": odd("msg deep").replace(
            b'"content": [', b'"content": [' + b"[" * 200 + b"]" * 200 + b","
        ),
    }


def test_each_bad_line_is_counted_and_the_next_line_is_right(live: Quotad, scene: Scene) -> None:
    """Whatever is wrong with it, it is one malformed line, and nothing else happens."""
    malformed = live.status()["daemon"]["malformed_lines"]
    for number, (name, line) in enumerate(bad_lines(scene).items(), start=1):
        scene.append("a", line)
        scene.write("a", number)
        assert (name, of_calls(number)) == (name, scene.counted(live))
        assert (name, malformed + number) == (name, live.status()["daemon"]["malformed_lines"])
    assert len(bad_lines(scene)) == recount(scene.directory).malformed


def test_each_odd_line_counts(live: Quotad, scene: Scene) -> None:
    """Unusual is not bad."""
    malformed = live.status()["daemon"]["malformed_lines"]
    for number, (name, line) in enumerate(odd_lines(scene).items(), start=1):
        scene.append("a", line)
        assert (name, of_calls(number)) == (name, scene.counted(live))
    assert malformed == live.status()["daemon"]["malformed_lines"]
    assert of_calls(len(odd_lines(scene))) == recount(scene.directory).by(lambda one: one.session)[scene.name]


def test_a_line_of_128_mb_is_passed_over(live: Quotad, scene: Scene) -> None:
    """It is one bad line, its end too, it never lies in memory as a whole, and the next line is right."""
    malformed = live.status()["daemon"]["malformed_lines"]
    before = high_water_bytes(live.pid)
    scene.write("a", 1)
    for _ in range(8):
        path = scene.append("a", b"x" * (16 << 20))
    live.sync()
    assert path.stat().st_size > 128 << 20
    assert malformed + 1 == live.status()["daemon"]["malformed_lines"]
    scene.append("a", b'"usage"}\n')
    scene.write("a", 2)
    assert of_calls(2) == scene.counted(live)
    assert malformed + 1 == live.status()["daemon"]["malformed_lines"]
    assert high_water_bytes(live.pid) - before < 3 * LINE_BYTES_MAX


def test_a_line_of_20_mb_counts_and_holds_up_nobody(live: Quotad, scene: Scene) -> None:
    """While it is read others are answered."""
    line = call("msg large", at_ms=START_MS, session=scene.name, text="x" * (20 << 20))
    scene.write("a", 1)
    scene.append("a", line)
    waits = []
    while scene.counted(live) != of_calls(2):
        asked = time.perf_counter()
        live.status()
        waits.append(time.perf_counter() - asked)
        assert sum(waits) < 20
    assert max(waits, default=0) < 0.5


def test_a_burst_of_calls_is_counted_while_it_answers(live: Quotad, scene: Scene) -> None:
    """A restored transcript of 20,000 calls is all there in the end, and no question waits long meanwhile."""
    minutes = range(START_MS - 20_000 * MINUTE_MS, START_MS, MINUTE_MS)
    lines = [call(f"msg {at_ms}", at_ms=at_ms, session=scene.name) for at_ms in minutes]
    scene.append("a", b"".join(lines))
    waits = []
    while scene.counted(live) != of_calls(20_000):
        asked = time.perf_counter()
        live.status()
        waits.append(time.perf_counter() - asked)
        assert sum(waits) < 20
    assert waits, "it was all read before it could be asked"
    assert statistics.quantiles(waits, n=100)[98] < 0.2


# Directories.


def test_thousands_of_new_files_are_all_found_and_none_is_kept_open(live: Quotad, scene: Scene) -> None:
    """2,000 files in 200 directories that came all at once; one hot file among them is not starved."""
    for number in range(2_000):
        scene.write(f"{number % 200}/{number}", number)
    scene.write("hot", 2_000)
    live.sync()
    scene.write("hot", 2_001)
    assert of_calls(2_002) == scene.counted(live)
    assert len(os.listdir(f"/proc/{live.pid}/fd")) < 64
    shutil.rmtree(scene.directory)
    live.sync()
    assert of_calls(2_002) == scene.counted(live)


def test_lost_events_lose_nothing(live: Quotad, scene: Scene) -> None:
    """More happens while it is stopped than the kernel's queue takes: files that are written later are found."""
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
    """A loop, a linked directory inside and one outside, a linked file outside: no hang, no double, no stranger."""
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
    """Nothing is there at the start; what comes counts at once; it is deleted, made again, and counts again."""
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


# Time.

NOW_MS = wire.instant("2026-11-02T09:10:00Z")
LIMIT_HIT = (
    b'{"type":"assistant","timestamp":"%b","isApiErrorMessage":true,"error":"rate_limit","message":{"model":'
    b'"<synthetic>","content":[{"type":"text","text":"You\'ve hit your session limit \xc2\xb7 resets 3pm (UTC)"}],'
    b'"usage":{"input_tokens":0,"output_tokens":0}}}\n'
)


def stamped(message: str, at: str) -> bytes:
    line = call(message, at_ms=NOW_MS, session="time")
    return line.replace(wire.iso(NOW_MS).encode(), at.encode())


def test_what_is_stamped_wrong_never_moves_the_window(place: Place) -> None:
    """The future is kept aside, the far past is past, an uncertain time is a bad line, order is of no account."""
    scene = Scene(place, "time")
    lines = {
        "now": "2026-11-02T09:09:00Z",
        "a clock that is fast": "2026-11-02T09:14:00Z",
        "the near future": "2026-11-02T09:30:00Z",
        "the far future": "9999-12-31T23:59:59Z",
        "earlier, and later in the file": "2026-11-02T08:00:00.123456789Z",
        "with an offset": "2026-11-02T12:45:00+05:45",
        "long past": "1999-12-31T23:59:59Z",
        "the beginning": "0001-01-01T00:00:00Z",
    }
    bad = ("2026-11-02T09:00:00", "2026-11-02", "2026-11-02T24:30:00Z", "2026-11-02T09:00:60Z", "", "now")
    with place.running(*demo_clock(NOW_MS)) as quotad:
        for name, at in lines.items():
            scene.append("a", stamped(name, at))
            counts = recount(place.projects, now_ms=NOW_MS)
            assert (name, current_of(counts, NOW_MS)) == (name, current(quotad.window()))
        for number, at in enumerate(bad, start=1):
            scene.append("a", stamped("bad", at))
            assert (at, number) == (at, quotad.status()["daemon"]["malformed_lines"])
        for at in ("2026-11-02T10:30:00.000Z", "2027-11-02T10:30:00.000Z"):
            scene.append("a", LIMIT_HIT % at.encode())
        expected = recount(place.projects, now_ms=NOW_MS)
        assert len(bad) == expected.malformed
        assert 6 == len(expected.calls)
        assert current_of(expected, NOW_MS) == current(quotad.window())
        assert None is quotad.window()["reported"]
        assert expected.windows() == windows(quotad.history("window"))
        assert expected.by_day() == sums(quotad.history("day", zone="utc"), "day")
        (session,) = quotad.status()["sessions"]
        assert 4 * 111 == session["spent"]


def test_what_is_stamped_ahead_counts_when_its_time_has_come(place: Place) -> None:
    """On a clock that runs twenty times as fast half a minute is soon over."""
    scene = Scene(place, "time")
    scene.append("a", stamped("now", "2026-11-02T09:10:00Z"))
    with place.running(*demo_clock(NOW_MS, rate=20)) as quotad:
        due_ms = wire.instant(quotad.status()["now"]) + 30_000
        scene.append("a", stamped("soon", wire.iso(due_ms + 5 * MINUTE_MS)))
        assert 1 == quotad.window()["messages"]
        wait_until(lambda: quotad.window()["messages"] == 2)
        assert wire.instant(quotad.status()["now"]) >= due_ms
        assert "2026-11-02T09:10:00.000Z" == quotad.window()["opened_at"]


# The ledger's file.


def zero(ledger: bytes) -> bytes:
    return bytes(len(ledger))


def halve(ledger: bytes) -> bytes:
    return ledger[: len(ledger) // 2]


def scribble(ledger: bytes) -> bytes:
    """Over three pages in the middle."""
    return ledger[:8_192] + b"\xa5" * 12_288 + ledger[20_480:]


def replace(_: bytes) -> bytes:
    return b"this is no ledger\n" * 1_000


@pytest.fixture(scope="module")
def sound_ledger() -> bytes:
    """A ledger of several pages of calls."""
    with new_place() as place:
        Scene(place, "ledger").write("a", *range(200))
        assert 200 == place.once().messages
        return (place.state / "ledger.db").read_bytes()


@pytest.mark.parametrize("damage", [zero, halve, scribble, replace], ids=lambda damage: damage.__name__)
def test_a_damaged_ledger_is_set_aside_and_made_anew(
    place: Place, sound_ledger: bytes, damage: Callable[[bytes], bytes]
) -> None:
    """All is counted again from the transcripts, ``status`` says what happened, and the old file is kept."""
    scene = Scene(place, "ledger")
    scene.write("a", *range(200))
    damaged = damage(sound_ledger)
    place.state.mkdir(mode=0o700)
    (place.state / "ledger.db").write_bytes(damaged)
    with place.running() as quotad:
        assert of_calls(200) == scene.counted(quotad)
        (aside,) = place.state.glob("ledger.db.damaged-*")
        assert damaged == aside.read_bytes()
        assert str(aside) in quotad.problems()["ledger-set-aside"]
        assert not quotad.doctor()["ledger-set-aside"]["ok"]


def test_a_ledger_made_anew_is_sound(place: Place) -> None:
    """The next daemon finds nothing wrong with it, and leaves what was set aside where it is."""
    Scene(place, "ledger").write("a", 1)
    place.state.mkdir(mode=0o700)
    (place.state / "ledger.db").write_bytes(b"this is no ledger\n" * 1_000)
    assert [1, 1] == [place.once().messages for _ in range(2)]
    assert 1 == len(list(place.state.glob("ledger.db.damaged-*")))


def test_an_empty_ledger_is_a_new_one(place: Place) -> None:
    """Its maker was stopped before the first word: nothing is lost, nobody need know."""
    Scene(place, "ledger").write("a", 1)
    place.state.mkdir(mode=0o700)
    (place.state / "ledger.db").touch(mode=0o600)
    assert 1 == place.once().messages
    assert {"ledger.db", "quotad.lock"} == {path.name for path in place.state.iterdir()}


@pytest.mark.parametrize("arguments", [(), ("--once",)], ids=["daemon", "once"])
def test_a_newer_ledger_is_refused_untouched(place: Place, arguments: Sequence[str]) -> None:
    """A later release's ledger is not ours to change: exit code 1, and a sentence that says what to do."""
    place.once()
    ledger = place.state / "ledger.db"
    with closing(sqlite3.connect(ledger)) as db:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        db.execute(f"PRAGMA user_version = {version + 1}")
    before = ledger.read_bytes()
    with pytest.raises(Failed) as failed, place.running(*arguments):
        pass
    assert 1 == failed.value.code
    assert f"{ledger} has schema version {version + 1}, this quotad understands up to {version}" in str(
        failed.value
    )
    assert before == ledger.read_bytes()
    assert {"ledger.db", "quotad.lock"} == {path.name for path in place.state.iterdir()}
