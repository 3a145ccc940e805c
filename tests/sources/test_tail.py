"""Taking in what was appended to a file, whatever is done to it."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from quotad.domain.cursor import Batch, Cursor
from quotad.domain.usage import AccountId
from quotad.sources.lines import Counts
from quotad.sources.tail import (
    CHUNK_BYTES,
    HEAD_BYTES_MAX,
    LINE_BYTES_MAX,
    TAIL_BYTES_MAX,
    finished,
    follow,
    read_file,
)
from quotad.sources.tree import Seen, Tree
from tests.sources.sweeps import sweep

GIGABYTE = 1 << 30
LINE = re.compile(rb'\{"text":"x*","id":(\d+)\}')


def line(number: int, size: int = 0) -> bytes:
    """A line with an id at its end, padded to ``size`` bytes without the newline."""
    bare = b'{"text":"%s","id":%d}'
    return bare % (b"x" * max(0, size - len(bare % (b"", number))), number) + b"\n"


def lines(*numbers: int) -> bytes:
    """The lines of some ids."""
    return b"".join(line(number) for number in numbers)


class Ids:
    """A decoder that keeps the ids, in the order in which they came."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def decode(self, block: bytes, batch: Batch) -> Counts:
        """Counts as malformed what is no line of ours."""
        texts = [text for text in block.split(b"\n")[:-1] if text]
        found = [match for text in texts if (match := LINE.fullmatch(text))]
        self.seen += [int(match[1]) for match in found]
        return Counts(len(texts), len(texts) - len(found))


class Following:
    """One file, taken in again and again."""

    def __init__(self, path: Path, *, live: bool) -> None:
        self.path = path
        self.live = live
        self.ids = Ids()
        self.batch = Batch(AccountId("a"))
        self.cursor: Cursor | None = None

    def poll(self, limit_bytes: int = GIGABYTE) -> list[int]:
        """What one reading brings."""
        before = len(self.ids.seen)
        path, decode = str(self.path), self.ids.decode
        if self.live:
            self.cursor = asyncio.run(follow(path, self.cursor, decode, self.batch, limit_bytes=limit_bytes))
        else:
            self.cursor = read_file(path, self.cursor, decode, self.batch, limit_bytes=limit_bytes)
        return self.ids.seen[before:]

    def append(self, data: bytes) -> None:
        """What another process does."""
        with self.path.open("ab") as file:
            file.write(data)

    @property
    def known(self) -> Cursor:
        """The cursor after the last poll."""
        assert self.cursor is not None
        return self.cursor


@pytest.fixture(params=["read_file", "follow"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Following:
    """An empty file, followed in each of the two ways."""
    path = tmp_path / "log.jsonl"
    path.touch()
    return Following(path, live=request.param == "follow")


def test_what_is_appended_is_taken_in_once(log: Following) -> None:
    """Each poll brings the lines since the last one, and the cursor tells how far it came."""
    log.append(lines(1, 2))
    assert [1, 2] == log.poll()
    assert [] == log.poll()
    log.append(lines(3) + b"no line of ours\n\n")
    assert [3] == log.poll()
    status = log.path.stat()
    assert (status.st_dev, status.st_ino) == (log.known.device, log.known.inode)
    assert status.st_size == log.known.offset == log.known.size
    assert status.st_mtime_ns == log.known.mtime_ns
    assert (4, 1) == (log.known.lines, log.known.malformed) == (log.batch.lines, log.batch.malformed)
    assert status.st_size == log.batch.bytes_read


def test_an_empty_file_has_a_cursor(log: Following) -> None:
    """There is nothing to read, and that was seen."""
    assert [] == log.poll()
    assert 0 == log.known.offset == log.known.head_size
    assert finished(log.known)
    log.append(lines(1))
    assert [1] == log.poll()


@pytest.mark.parametrize("written", range(1, len(line(2)) + 1))
def test_a_line_is_taken_in_with_its_newline_and_not_before(written: int, tmp_path: Path) -> None:
    """Wherever a write is torn, the line comes whole, once, and the offset waits behind the last newline."""
    log = Following(tmp_path / "log.jsonl", live=False)
    log.append(lines(1) + line(2)[:written])
    whole = written == len(line(2))
    assert [1, *[2] * whole] == log.poll()
    assert len(lines(1)) + whole * written == log.known.offset
    assert finished(log.known)
    log.append(line(2)[written:])
    assert [2] * (not whole) == log.poll()


def test_a_line_glued_to_a_torn_one_is_malformed_and_the_next_is_right(log: Following) -> None:
    """A writer that died in a line spoils one line of the next writer, no more."""
    log.append(lines(1) + line(2)[:9])
    assert [1] == log.poll()
    log.append(lines(3, 4))
    assert [4] == log.poll()
    assert (3, 1) == (log.known.lines, log.known.malformed)


def test_a_character_cut_in_two_comes_whole(log: Following) -> None:
    """Nothing is decoded before the newline, so a cut inside UTF-8 is no event."""
    text = '{"é\u2028": "\ud83d\ude00"}\n'.encode("utf-16", "surrogatepass").decode("utf-16").encode()
    blocks: list[bytes] = []

    def keep(block: bytes, batch: Batch) -> Counts:
        blocks.append(block)
        return Counts(1, 0)

    log.ids.decode = keep  # type: ignore[method-assign]
    for at in range(len(text)):
        log.append(text[at : at + 1])
        log.poll()
    assert [text] == blocks


class TestOtherFiles:
    """A place is only resumed in the file in which it was found."""

    def test_truncated_in_place_is_read_from_the_start(self, log: Following) -> None:
        """A file that is smaller than the offset was begun anew."""
        log.append(lines(1, 2, 3))
        log.poll()
        log.path.write_bytes(lines(4))
        assert [4] == log.poll()
        assert 1 == log.known.lines

    def test_truncated_and_grown_past_the_offset_is_read_from_the_start(self, log: Following) -> None:
        """The size tells nothing then; the bytes do."""
        log.append(lines(1, 2))
        log.poll()
        log.path.write_bytes(lines(3, 4, 5))
        assert [3, 4, 5] == log.poll()

    def test_another_tail_under_the_same_head_is_read_from_the_start(self, log: Following) -> None:
        """Files that begin alike are told apart by the bytes before the offset."""
        head = line(1, HEAD_BYTES_MAX + TAIL_BYTES_MAX)
        log.append(head + lines(2))
        log.poll()
        log.path.write_bytes(head + lines(3, 4))
        assert [1, 3, 4] == log.poll()

    def test_another_head_before_the_same_tail_is_read_from_the_start(self, log: Following) -> None:
        """Files that agree just before the offset are told apart by how they begin."""
        middle = line(2, HEAD_BYTES_MAX + TAIL_BYTES_MAX)
        log.append(lines(1) + middle)
        log.poll()
        log.path.write_bytes(lines(3) + middle + lines(4))
        assert [3, 2, 4] == log.poll()

    def test_the_head_grows_with_a_small_file(self, log: Following) -> None:
        """What was appended while the head was short belongs to it: resuming and reading anew agree."""
        for number in range(1, 101):
            log.append(line(number, 30))
            assert [number] == log.poll()
        afresh = Following(log.path, live=log.live)
        afresh.poll()
        assert HEAD_BYTES_MAX == log.known.head_size
        assert afresh.known == log.known

    def test_copied_and_truncated_is_read_on_in_both(self, log: Following, tmp_path: Path) -> None:
        """Rotation by copy: the copy has what was not read yet, the file begins anew."""
        log.append(lines(1, 2))
        assert [1, 2] == log.poll()
        log.append(lines(3))
        shutil.copy(log.path, tmp_path / "log.1.jsonl")
        os.truncate(log.path, 0)
        log.append(lines(4))
        assert [4] == log.poll()
        assert [1, 2, 3] == Following(tmp_path / "log.1.jsonl", live=log.live).poll()

    def test_the_hole_before_a_writer_that_does_not_append_is_one_malformed_line(
        self, log: Following
    ) -> None:
        """It goes on writing where it was: NULs up to there, glued to its next line, then right lines."""
        with log.path.open("wb", buffering=0) as writer:
            writer.write(lines(1, 2))
            log.poll()
            os.truncate(log.path, 0)
            writer.write(lines(3, 4))
        assert b"\0" == log.path.read_bytes()[:1]
        assert [4] == log.poll()
        assert (2, 1) == (log.known.lines, log.known.malformed)

    def test_renamed_away_and_made_anew_is_read_from_the_start(self, log: Following, tmp_path: Path) -> None:
        """Rotation by name: the writer goes on in the old file, found under its new name."""
        with log.path.open("ab", buffering=0) as writer:
            writer.write(lines(1, 2))
            log.poll()
            log.path.rename(tmp_path / "log.1.jsonl")
            writer.write(lines(3))
        log.append(lines(4, 5, 6))
        assert [4, 5, 6] == log.poll()
        assert [1, 2, 3] == Following(tmp_path / "log.1.jsonl", live=log.live).poll()

    def test_deleted_and_made_anew_under_the_same_number_is_read_from_the_start(self, log: Following) -> None:
        """Inode numbers are given to the next file at once."""
        for attempt in range(50):
            log.path.write_bytes(lines(1, 2))
            log.poll()
            log.path.unlink()
            log.path.write_bytes(lines(attempt + 3, 100))
            if log.known.inode == log.path.stat().st_ino:
                break
        else:
            pytest.skip("this file system gives inode numbers to no other file")
        assert [attempt + 3, 100] == log.poll()

    def test_the_same_bytes_in_another_file_are_read_from_the_start(self, log: Following) -> None:
        """A file put in the place of another is another, even where it agrees so far."""
        log.append(lines(1, 2))
        log.poll()
        other = log.path.with_suffix(".new")
        other.write_bytes(lines(1, 2, 3))
        other.replace(log.path)
        assert [1, 2, 3] == log.poll()
        assert 3 == log.known.lines

    def test_a_cursor_longer_than_its_file_means_the_start(self, log: Following) -> None:
        """An older copy that was put back is smaller than what is known of it."""
        log.append(lines(1, 2, 3))
        log.poll()
        os.truncate(log.path, len(lines(1, 2)))
        assert [1, 2] == log.poll()


class TestWhileReading:
    """The file changes between the look at it and the last read."""

    def test_what_is_appended_meanwhile_differs_from_the_cursor(self, log: Following) -> None:
        """Only what the first look promised is read, so the next look finds a difference."""

        def decode(block: bytes, batch: Batch) -> Counts:
            log.append(lines(2))
            return Ids.decode(log.ids, block, batch)

        log.ids.decode = decode  # type: ignore[method-assign]
        log.append(lines(1))
        assert [1] == log.poll()
        assert log.path.stat().st_size > log.known.size == log.known.offset
        assert [2] == log.poll()

    def test_what_is_truncated_meanwhile_is_read_anew(self, log: Following) -> None:
        """A reading that ends too soon is no error; the next one begins at the start."""
        first = b"".join(line(number, 1000) for number in range(CHUNK_BYTES // 1000 * 2))

        def decode(block: bytes, batch: Batch) -> Counts:
            if log.path.stat().st_size == len(first):
                log.path.write_bytes(lines(7))
            return Ids.decode(log.ids, block, batch)

        log.ids.decode = decode  # type: ignore[method-assign]
        log.append(first)
        log.poll()
        assert len(first) == log.known.size > log.known.offset
        assert [7] == log.poll()


class TestLimits:
    """A call takes in little at a time, and long lines do no harm."""

    @pytest.mark.parametrize("limit_bytes", [10, 64, 1000])
    def test_many_small_calls_are_one_large_one(self, limit_bytes: int, log: Following) -> None:
        """Each call ends behind a line, says whether there is more, and the cursors are those of one call."""
        log.append(b"".join(line(number, 40) for number in range(50)) + b'{"torn')
        calls = 1
        log.poll(limit_bytes)
        while not finished(log.known):
            assert b"\n" == log.path.read_bytes()[log.known.offset - 1 : log.known.offset]
            assert log.known.mtime_ns != log.path.stat().st_mtime_ns
            log.poll(limit_bytes)
            calls += 1
        in_one_go = Following(log.path, live=False)
        in_one_go.poll()
        assert list(range(50)) == log.ids.seen
        assert in_one_go.known == log.known
        assert 50 * 41 == log.batch.bytes_read
        # The last call may have to find out that only a torn line is left.
        full_calls = ceil(50 / ceil(limit_bytes / 41))
        assert full_calls <= calls <= full_calls + 1

    def test_a_line_over_the_limit_of_a_call_is_still_read(self, log: Following) -> None:
        """A call goes on until it has brought something."""
        log.append(line(1, 5000) + line(2, 5000))
        assert [1] == log.poll(100)
        assert not finished(log.known)
        assert [2] == log.poll(100)

    def test_a_line_of_many_chunks_comes_whole(self, log: Following) -> None:
        """Twenty megabytes in one line are a line."""
        log.append(line(1, 20 << 20) + lines(2))
        assert [1, 2] == log.poll()

    def test_a_line_over_the_limit_of_lines_is_passed_over_and_counted_once(self, log: Following) -> None:
        """Also when it comes in parts, with new cursors in between; the next line is right."""
        log.append(lines(1))
        os.truncate(log.path, log.path.stat().st_size + LINE_BYTES_MAX + 1)
        assert [1] == log.poll()
        assert log.known.skipping
        assert log.path.stat().st_size == log.known.offset
        log.append(b"more of it")
        assert [] == log.poll()
        assert log.known.skipping
        log.append(b" and its end\n" + lines(2))
        assert [2] == log.poll()
        assert not log.known.skipping
        assert (3, 1) == (log.known.lines, log.known.malformed)

    def test_memory_is_bounded_whatever_the_length_of_a_line(self, log: Following) -> None:
        """64 MB without a newline cost little more than the longest line."""
        os.truncate(log.path, 64 << 20)
        log.append(b"\n" + lines(1))
        tracemalloc.start()
        assert [1] == log.poll()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 1.5 * LINE_BYTES_MAX
        assert (2, 1) == (log.known.lines, log.known.malformed)


class TestWhatIsNoFile:
    """Nothing blocks, and the caller is told what it is."""

    def test_a_fifo_is_refused_at_once(self, log: Following) -> None:
        """Opening one that nobody writes to would wait for ever."""
        log.path.unlink()
        os.mkfifo(log.path)
        with pytest.raises(OSError, match="not a regular file"):
            log.poll()

    def test_a_directory_is_refused(self, log: Following) -> None:
        """It may well be called *.jsonl."""
        log.path.unlink()
        log.path.mkdir()
        with pytest.raises(OSError, match="not a regular file"):
            log.poll()

    def test_a_missing_file_is_told(self, log: Following) -> None:
        """It vanished between the scan and the reading."""
        log.path.unlink()
        with pytest.raises(FileNotFoundError):
            log.poll()

    def test_no_file_stays_open(self, log: Following) -> None:
        """Thousands are read one after the other, and some of them fail."""
        before = len(list(Path("/dev/fd").iterdir()))
        log.poll()
        log.path.unlink()
        os.mkfifo(log.path)
        with pytest.raises(OSError, match="not a regular file"):
            log.poll()
        assert before == len(list(Path("/dev/fd").iterdir()))


def test_a_decoder_that_numbers_lines_begins_anew_with_the_file(log: Following) -> None:
    """It is made whenever a reading begins at the start, and kept while the file is resumed."""
    made: list[Ids] = []

    def anew() -> Callable[[bytes, Batch], Counts]:
        made.append(Ids())
        return made[-1].decode

    def poll(cursor: Cursor | None) -> Cursor:
        path, decode = str(log.path), made[-1].decode if made else log.ids.decode
        if log.live:
            return asyncio.run(follow(path, cursor, decode, log.batch, anew=anew))
        return read_file(path, cursor, decode, log.batch, limit_bytes=GIGABYTE, anew=anew)

    log.append(lines(1))
    cursor = poll(None)
    log.append(lines(2))
    cursor = poll(cursor)
    log.path.write_bytes(lines(3))
    poll(cursor)
    assert [[1, 2], [3]] == [decoder.seen for decoder in made]
    assert [] == log.ids.seen


Saved: TypeAlias = tuple[dict[str, Cursor], frozenset[int]]


class TailModel(RuleBasedStateMachine):
    """Whatever is done to the files, each id that is readable at a poll is counted, and nothing else.

    The ledger on disk is stood for by a set of ids and the cursors, saved together.
    """

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.session = self.root / "project" / "session" / "subagents"
        self.session.mkdir(parents=True)
        self.files = [self.root / "project" / "session.jsonl", self.session / "agent-0.jsonl"]
        self.moment = time.time_ns()
        self.written = 0
        self.ids: set[int] = set()
        self.cursors: dict[str, Cursor] = {}
        self.saved: list[Saved] = [({}, frozenset())]
        self.tree = Tree([self.root])
        self.look_everywhere(self.moment)

    def teardown(self) -> None:
        shutil.rmtree(self.root)

    def write(self, path: Path, data: bytes, mode: str = "ab") -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open(mode) as file:
            file.write(data)
        # Two changes within one tick of the clock that leave size and inode alike cannot be seen by anyone.
        self.moment = max(self.moment + 1000, time.time_ns())
        os.utime(path, ns=(self.moment, self.moment))

    def new_lines(self, count: int, size: int) -> bytes:
        numbers = range(self.written + 1, self.written + count + 1)
        self.written += count
        return b"".join(line(number, size) for number in numbers)

    def file(self, index: int) -> Path:
        return self.files[index % len(self.files)]

    def new_name(self) -> Path:
        above = (self.root / "project", self.session, self.root / f"project-{len(self.files)}")
        self.files.append(above[len(self.files) % 3] / f"file-{len(self.files)}.jsonl")
        return self.files[-1]

    which = st.integers(0, 99)
    count = st.integers(1, 5)
    size = st.sampled_from([0, 0, 90, 300, 1500])

    @rule(which=which, count=count, size=size)
    def append(self, which: int, count: int, size: int) -> None:
        self.write(self.file(which), self.new_lines(count, size))

    @rule(which=which, size=size, kept=st.integers(1, 20))
    def append_torn(self, which: int, size: int, kept: int) -> None:
        whole = self.new_lines(1, size)
        self.write(self.file(which), whole[: len(whole) - kept])

    @rule(which=which, size=size, kept=st.integers(1, 20), polled=st.booleans())
    def append_in_two_writes(self, which: int, size: int, kept: int, polled: bool) -> None:
        whole = self.new_lines(1, size)
        self.write(self.file(which), whole[:-kept])
        if polled:
            self.glance(1000)
        self.write(self.file(which), whole[-kept:])

    @rule(which=which)
    def rename(self, which: int) -> None:
        path = self.file(which)
        if path.exists():
            target = self.new_name()
            target.parent.mkdir(exist_ok=True)
            path.rename(target)

    @rule(which=which, count=count)
    def rename_and_go_on_in_both(self, which: int, count: int) -> None:
        path = self.file(which)
        self.rename(which)
        self.write(self.files[-1], self.new_lines(count, 0))
        self.write(path, self.new_lines(count, 0))

    @rule(which=which)
    def copy(self, which: int) -> None:
        path = self.file(which)
        if path.exists():
            self.write(self.new_name(), path.read_bytes())

    @rule(which=which)
    def link(self, which: int) -> None:
        path = self.file(which)
        if path.exists():
            target = self.new_name()
            target.parent.mkdir(exist_ok=True)
            os.link(path, target)

    @rule(which=which)
    def copy_and_truncate(self, which: int) -> None:
        path = self.file(which)
        self.copy(which)
        self.write(path, b"", "wb")

    @rule(which=which, count=count, size=size)
    def truncate_and_grow_past_the_offset(self, which: int, count: int, size: int) -> None:
        path = self.file(which)
        before = path.stat().st_size if path.exists() else 0
        data = self.new_lines(count, size)
        while len(data) <= before:
            data += self.new_lines(count, size)
        self.write(path, data, "wb")

    @rule(which=which)
    def rewrite_all_but_the_head(self, which: int) -> None:
        path = self.file(which)
        before = path.read_bytes() if path.exists() else b""
        end_of_head = before.find(b"\n", HEAD_BYTES_MAX) + 1
        data = before[:end_of_head]
        while len(data) <= len(before):
            data += self.new_lines(1, 100)
        self.write(path, data, "wb")

    @rule(which=which)
    def rewrite_the_first_line_alone(self, which: int) -> None:
        path = self.file(which)
        first, _, rest = path.read_bytes().partition(b"\n") if path.exists() else (b"", b"", b"")
        if LINE.fullmatch(first) and 90 <= len(first) < HEAD_BYTES_MAX:
            self.write(path, self.new_lines(1, len(first)) + rest, "wb")

    @rule(which=which, count=count, size=size)
    def delete_and_make_anew(self, which: int, count: int, size: int) -> None:
        path = self.file(which)
        path.unlink(missing_ok=True)
        self.write(path, self.new_lines(count, size))

    @rule(which=which)
    def delete(self, which: int) -> None:
        self.file(which).unlink(missing_ok=True)

    @rule(limit_bytes=st.integers(1, 3000))
    def glance(self, limit_bytes: int) -> None:
        """Everything here is recent, so a glance must find it all."""
        self.poll(self.tree.glance, limit_bytes)

    @rule(limit_bytes=st.integers(1, 3000))
    def sweep(self, limit_bytes: int) -> None:
        self.poll(self.look_everywhere, limit_bytes)

    def look_everywhere(self, now_ns: int) -> Seen:
        """What a sweep sees."""
        return sweep(self.tree, now_ns)

    def poll(self, look: Callable[[int], Seen], limit_bytes: int) -> None:
        readable = self.readable()
        decoder = Ids()
        for path, _ in look(self.moment).changed:
            while True:
                batch = Batch(AccountId("a"))
                known = self.cursors.get(path)
                cursor = read_file(path, known, decoder.decode, batch, limit_bytes=limit_bytes)
                self.cursors[path] = cursor
                self.tree.taken(cursor)
                if finished(cursor):
                    break
        self.ids |= set(decoder.seen)
        self.saved.append((dict(self.cursors), frozenset(self.ids)))
        assert set() == readable - self.ids
        assert self.ids <= set(range(1, self.written + 1))

    def readable(self) -> set[int]:
        texts = [path.read_bytes() for path in self.files if path.exists()]
        matches = [LINE.fullmatch(part) for text in texts for part in text.split(b"\n")[:-1]]
        return {int(match[1]) for match in matches if match}

    @precondition(lambda self: len(self.saved) > 1)
    @rule(back=st.integers(0, 3))
    def restart(self, back: int) -> None:
        """With what was saved last, or, after a crash, with what was saved some polls ago."""
        del self.saved[max(1, len(self.saved) - back) :]
        cursors, ids = self.saved[-1]
        self.cursors, self.ids = dict(cursors), set(ids)
        self.tree = Tree([self.root])
        for cursor in self.cursors.values():
            self.tree.taken(cursor)
        self.sweep(1000)

    @invariant()
    def offsets_lie_behind_a_newline_within_what_was_seen(self) -> None:
        for cursor in self.cursors.values():
            assert cursor.offset <= cursor.size
            assert cursor.head_size == min(cursor.offset, HEAD_BYTES_MAX)


TestTailModel = TailModel.TestCase
TestTailModel.settings = settings(stateful_step_count=30)
