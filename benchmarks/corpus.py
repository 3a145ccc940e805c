"""A seeded corpus of transcripts, as realistic as public captures allow and of any size up to gigabytes.

The same arguments give the same bytes on every machine. The layout, the mix of line types, the sizes and
the duplication follow what has been published of real ``~/.claude/projects`` directories: about 250 KB a
file, 70 calls a megabyte in 2.2 usage lines each, most bytes in tool results. Beside plain sessions there
are subagents in every place they have been kept, side questions that replay their parent's calls, forks
that copy a session under a new id, two terminals in one file, and (with ``flaws``) whatever breaks.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from benchmarks.flaws import BOM, damaged
from benchmarks.lines import Envelope, Generation
from benchmarks.plan import Kind, Part, planned
from benchmarks.rhythm import MINUTE_MS, Clock, work_blocks
from benchmarks.stock import Stock
from benchmarks.talk import Habits, Talk

BYTES_PER_FILE = 250_000
BYTES_PER_CALL = 15_000
FILES_MIN = 8
FEW_FILES = 100
FORK_BYTES_MAX = 4_000_000
SNAPSHOT_BYTES = 160_000
NS_PER_MS = 1_000_000
PICTURE_BYTES = 3_000_000

PROJECTS = ("shop_api", "web.front", "infra", "notes", "data-pipeline", "größe", "quota", "site/docs", "x")
MODELS = (b"claude-opus-5",) * 5 + (b"claude-sonnet-5",) * 3 + (b"claude-opus-4-1-20250805",)
AGENT_MODELS = (b"claude-haiku-4-5-20251001",) * 3 + (b"claude-sonnet-5", b"claude-opus-5")
GATEWAY_MODEL = b"glm-4.7"
ANONYMOUS = (0.001,) * 27 + (0.12,) * 4 + (1.0,)
GENERATIONS = (Generation.NEW,) * 7 + (Generation.OLD,) * 2 + (Generation.ANCIENT,)


class Written(NamedTuple):
    """A file that was written, for copies."""

    path: Path
    lines: int
    malformed: int


@dataclass(frozen=True)
class CorpusFacts:
    """What was made, known without reading it.

    ``files`` are those that may hold usage, ``lines`` their complete lines that are not empty, ``calls`` and
    ``tokens`` (input, output, cache_write, cache_read) what a right count finds, ``malformed`` the lines it
    must complain about, ``limit_resets_ms`` the resets that limit messages state, ``flaws`` how often each
    was put in.
    """

    root: Path
    projects: Path
    end_ms: int
    files: int
    size_bytes: int
    lines: int
    malformed: int
    calls: int
    tokens: tuple[int, int, int, int]
    limit_resets_ms: tuple[int, ...]
    flaws: Mapping[str, int]


def generate(  # noqa: PLR0913 - a corpus is its arguments
    root: Path,
    *,
    seed: int,
    size_bytes: int,
    end_ms: int,
    days: int = 30,
    files: int | None = None,
    flaws: bool = True,
    limit_hits: bool = False,
) -> CorpusFacts:
    """Write about ``size_bytes`` of transcripts below ``root / "projects"``, the last one at ``end_ms``.

    ``end_ms`` is in milliseconds since the epoch; nothing is later, and the last call is within a minute of
    it. ``limit_hits`` adds limit messages, which fix windows. Files are at least a call long, so that many
    files of a small corpus make it larger.
    """
    count = files or max(FILES_MIN, size_bytes // BYTES_PER_FILE)
    return _Author(root, seed, size_bytes, count, flaws=flaws).write(end_ms, days, limit_hits=limit_hits)


class _Author:
    """Writes one corpus, file by file."""

    def __init__(self, root: Path, seed: int, size_bytes: int, files: int, *, flaws: bool) -> None:
        self._root = root
        self._stock = Stock(seed, max(200, min(size_bytes // files, BYTES_PER_FILE) // 4))
        self._flaws = flaws
        self._parts = planned(self._stock.chance, files, duplicates=flaws)
        self._left_bytes = size_bytes
        self._left_weight = sum(part.weight + sum(part.agents) for part in self._parts)
        self._flaw_chance = 0.12 if files > FEW_FILES else 0.8
        self._next_flaw = 0
        self._source: Talk | None = None
        self._copied: Written | None = None
        self._files = self._bytes = self._lines = 0

    def write(self, end_ms: int, days: int, *, limit_hits: bool) -> CorpusFacts:
        blocks = work_blocks(self._stock.chance, end_ms=end_ms, days=days, limit_hits=limit_hits)
        self._live_session(Clock(blocks, len(blocks) - 1, end_ms), self._parts[0])
        for part in self._parts[1:]:
            if part.kind is Kind.DUPLICATE and self._copied:
                self._duplicate(self._copied, part)
            else:
                self._session(Clock.at_random(blocks, self._stock.chance), part)
        _age_directories(self._root / "projects")
        tally = self._stock.tally
        tokens = tally.tokens
        return CorpusFacts(
            root=self._root,
            projects=self._root / "projects",
            end_ms=end_ms,
            files=self._files,
            size_bytes=self._bytes,
            lines=self._lines,
            malformed=tally.malformed,
            calls=tally.calls,
            tokens=(tokens[0], tokens[1], tokens[2], tokens[3]),
            limit_resets_ms=tuple(sorted(tally.limit_resets_ms)),
            flaws=dict(tally.flaws),
        )

    def _share(self, weight: float) -> int:
        """The bytes that a weight stands for, so that the files come out at the size that was asked for."""
        return int(self._left_bytes * weight / max(self._left_weight, weight))

    def _live_session(self, clock: Clock, part: Part) -> None:
        """The session that is running when the corpus ends: its last call is half a minute old."""
        calls = self._share(part.weight) // BYTES_PER_CALL
        clock.now_ms = max(clock.blocks[-1].start_ms, clock.now_ms - MINUTE_MS * (2 + calls // 2))
        talk = self._talk(clock, part._replace(kind=Kind.SESSION))
        talk.clock.over = False
        talk.clock.now_ms = clock.blocks[-1].end_ms - MINUTE_MS // 2
        talk.call(ends_turn=True)
        self._save(self._main_path(talk), talk, part.weight)

    def _session(self, clock: Clock, part: Part) -> None:
        talk = self._talk(clock, part)
        self._save(self._main_path(talk), talk, part.weight)
        if talk.size <= FORK_BYTES_MAX and not talk.clock.over:
            self._source = talk

    def _talk(self, clock: Clock, part: Part) -> Talk:
        """A conversation of the part's size, with its subagents' files written on the way."""
        stock = self._stock
        size = self._share(part.weight)
        if part.kind is Kind.FORK and self._source:
            talk = self._fork(self._source, size)
        else:
            talk = Talk(stock, self._envelope(), clock, _habits(stock))
        self._open(talk, size)
        other = clock.parallel()
        other.advance(MINUTE_MS * (5 + stock.chance.random() * 120))
        agents = list(part.agents)
        begun = False
        while not begun or agents or (talk.size < size and not talk.clock.over):
            begun = True
            talk.turn(min(size, talk.size + (size - talk.size) // (len(agents) + 1)) if agents else size)
            if agents:
                self._agent(talk, agents.pop())
            talk.pass_time(stock.think_ms.pick())
            if part.kind is Kind.TWIN:
                talk.clock, other = other, talk.clock
        talk.last_try()
        talk.metadata(b"ai-title")
        if stock.happens(0.3):
            talk.metadata(b"cost-state")
        return talk

    def _envelope(self) -> Envelope:
        stock = self._stock
        cwd = f"/home/ana/src/{stock.one_of(PROJECTS)}".encode()
        return Envelope(stock.one_of(GENERATIONS), stock.uuid(), cwd)

    def _fork(self, source: Talk, size: int) -> Talk:
        """A session that begins with another's lines: same uuids, ids and times under a new session id."""
        old = source.envelope.session
        new = self._stock.uuid()
        envelope = Envelope(source.envelope.generation, new, source.envelope.cwd)
        talk = Talk(self._stock, envelope, source.clock.parallel(), source.habits)
        for line in source.lines:
            if talk.size + len(line) > size * 0.6:
                break
            talk.add(line.replace(old, new))
        return talk

    def _open(self, talk: Talk, size: int) -> None:
        talk.metadata(b"summary" if talk.envelope.generation is Generation.ANCIENT else b"mode")
        if talk.envelope.generation is Generation.NEW:
            talk.metadata(b"permission-mode")
            if size > SNAPSHOT_BYTES * 3 and self._stock.happens(0.5):
                talk.attach(b"prompt_snapshot", SNAPSHOT_BYTES)
        if size > PICTURE_BYTES // 2 and self._stock.happens(0.4):
            talk.attach(b"picture", PICTURE_BYTES)
        if self._stock.happens(0.05):
            talk.metadata(b"usage-report")

    def _agent(self, parent: Talk, weight: float) -> None:
        """A subagent with a file of its own; in an old session its lines are repeated by the parent."""
        stock = self._stock
        generation = parent.envelope.generation
        name = b"a" + stock.hex(16) if generation is Generation.NEW else stock.hex(8)
        envelope = Envelope(
            generation, parent.envelope.session, parent.envelope.cwd, sidechain=True, agent=name
        )
        habits = Habits(stock.one_of(AGENT_MODELS), parent.habits.anonymous, placeholder_only=0.5)
        heard = parent.repeat_progress if generation is Generation.OLD else None
        talk = Talk(stock, envelope, parent.clock.parallel(), habits, heard)
        size = self._share(weight)
        if stock.happens(0.1):
            self._side_question(parent, talk)
        while not talk.recent or (talk.size < size and not talk.clock.over):
            talk.turn(size)
        self._save(self._agent_path(talk), talk, weight)
        if stock.happens(0.6):
            parent.clock.now_ms = max(parent.clock.now_ms, min(talk.last_ms, parent.block_end_ms()))
        parent.agent_result(name, talk.recent[-1])

    def _side_question(self, parent: Talk, talk: Talk) -> None:
        """``/btw`` repeats the parent's last calls as a sidechain, each under another requestId."""
        for call in list(parent.recent)[-1 - self._stock.chance.getrandbits(2) :]:
            # A copy of a call that has no other requestId stands itself, so it may not state more.
            factor = 1.5 if call.request else 1
            at_ms = talk.clock.now_ms if self._stock.happens(0.5) else call.at_ms
            talk.replay(call, request=self._stock.request_id(), output_factor=factor, at_ms=at_ms)

    def _main_path(self, talk: Talk) -> Path:
        return self._project(talk) / f"{talk.envelope.session.decode()}.jsonl"

    def _agent_path(self, talk: Talk) -> Path:
        """Flat beside the session in old versions, below it today, deeper in a workflow."""
        stock = self._stock
        name = f"agent-{talk.envelope.agent.decode()}.jsonl"
        if talk.envelope.generation is not Generation.NEW and stock.happens(0.7):
            return self._project(talk) / name
        folder = self._project(talk) / talk.envelope.session.decode() / "subagents"
        if stock.happens(0.08):
            folder = folder / "workflows" / f"wf_{stock.hex(8).decode()}-{stock.hex(3).decode()}"
            folder.mkdir(parents=True, exist_ok=True)
            _note(folder / "journal.jsonl", b'{"type":"launched"}\n', talk.last_ms)
        folder.mkdir(parents=True, exist_ok=True)
        if talk.envelope.generation is Generation.NEW:
            meta = b'{"agentType": "general-purpose", "description": "check tests", "spawnDepth": 1}'
            _note((folder / name).with_suffix(".meta.json"), meta, talk.last_ms)
        return folder / name

    def _project(self, talk: Talk) -> Path:
        return self._root / "projects" / re.sub(r"[^A-Za-z0-9]", "-", talk.envelope.cwd.decode())

    def _save(self, path: Path, talk: Talk, weight: float) -> None:
        before = self._stock.tally.malformed
        if self._flaws and self._stock.happens(self._flaw_chance):
            count = 1 + self._stock.chance.getrandbits(2)
            data = damaged(talk, count, self._next_flaw)
            self._next_flaw += count
            lines = sum(line not in {b"", b"\r", BOM} for line in data.split(b"\n")[:-1])
            self._copied = Written(path, lines, self._stock.tally.malformed - before)
        else:
            data = b"".join(talk.lines)
            lines = len(talk.lines)
        self._put(path, data, lines, talk.last_ms)
        self._left_weight -= weight

    def _duplicate(self, written: Written, part: Part) -> None:
        """A whole file again, elsewhere: a restored backup, a moved project."""
        path = self._root / "projects" / f"-backup-{self._files}" / written.path.name
        last_ms = written.path.stat().st_mtime_ns // NS_PER_MS
        self._put(path, written.path.read_bytes(), written.lines, last_ms)
        self._left_weight -= part.weight
        self._stock.tally.malformed += written.malformed
        self._stock.tally.flaws["duplicate file"] += 1

    def _put(self, path: Path, data: bytes, lines: int, last_ms: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        _note(path, data, last_ms)
        self._files += 1
        self._bytes += len(data)
        self._lines += lines
        self._left_bytes = max(0, self._left_bytes - len(data))


def _habits(stock: Stock) -> Habits:
    """0 to 12 % of lines lack a requestId, and all of those that came through a gateway."""
    anonymous = stock.one_of(ANONYMOUS)
    return Habits(GATEWAY_MODEL if anonymous == 1 else stock.one_of(MODELS), anonymous)


def _note(path: Path, data: bytes, last_ms: int) -> None:
    """Write a file as it would have been left at that time."""
    path.write_bytes(data)
    os.utime(path, ns=(last_ms * NS_PER_MS, last_ms * NS_PER_MS))


def _age_directories(folder: Path) -> int:
    """Directories changed when the newest file in them did, not when the corpus was made; in nanoseconds."""
    newest = 0
    for entry in folder.iterdir():
        newest = max(newest, _age_directories(entry) if entry.is_dir() else entry.stat().st_mtime_ns)
    os.utime(folder, ns=(newest, newest))
    return newest
