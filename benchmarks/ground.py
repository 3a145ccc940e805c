"""The ground a benchmark runs on: a corpus that reaches to this moment, and what a right answer is.

A corpus may be kept and used again on another day. Each run therefore writes one more session, of the last
minutes, so that a window is open now; and lines are appended to it when the product is asked to follow.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from copy import copy
from pathlib import Path
from random import Random

from benchmarks.corpus import generate
from benchmarks.daemon import Standing
from benchmarks.lines import Envelope, Generation, Mark, Usage, message_json, usage_json
from benchmarks.recount import FIVE_HOURS_MS, Call, Recount, recount

LIVE_SESSION = b"00000000-0000-4000-8000-0000000000aa"
LIVE_FILE = Path("-home-ana-src-live", f"{LIVE_SESSION.decode()}.jsonl")
LIVE_CALLS = 40
LIVE_STEP_MS = 30_000
MODEL = b"claude-opus-5"
WARM_BYTES = 1 << 20


def now_ms() -> int:
    """The machine's clock, which is the daemon's too."""
    return time.time_ns() // 1_000_000


class OtherCorpusError(Exception):
    """The directory keeps a corpus of another making, which is left as it is."""


class Ground:
    """A Claude directory with transcripts; ``counts`` is the recount of all of them."""

    def __init__(self, folder: Path, *, seed: int, size_bytes: int, files: int | None = None) -> None:
        """Make the corpus, or find it: raises OtherCorpusError when the folder keeps another."""
        self.claude = folder / "claude"
        self.projects = self.claude / "projects"
        self._chance = Random(now_ms())
        made = {"seed": seed, "size_bytes": size_bytes, "files": files}
        note = folder / "corpus.json"
        if note.exists() and json.loads(note.read_text()) != made:
            raise OtherCorpusError(f"{folder} keeps another corpus: {note.read_text()}")
        if not note.exists():
            shutil.rmtree(self.claude, ignore_errors=True)
            generate(self.claude, seed=seed, size_bytes=size_bytes, end_ms=now_ms(), files=files)
            note.write_text(json.dumps(made))
        self._said = Envelope(Generation.NEW, LIVE_SESSION, b"/home/ana/src/live").conversation()
        self.live = self.projects / LIVE_FILE
        self.live.parent.mkdir(exist_ok=True)
        self.live.unlink(missing_ok=True)
        for number in range(LIVE_CALLS, 0, -1):
            self._write(now_ms() - number * LIVE_STEP_MS)
        self.counts: Recount = recount(self.projects)

    def linked(self, folder: Path) -> Ground:
        """The same files under another name, for a second daemon; each has its own lines from then on."""
        other = copy(self)
        other.claude = folder / "claude"
        other.projects = other.claude / "projects"
        shutil.copytree(self.projects, other.projects, copy_function=os.link)
        other.live = other.projects / LIVE_FILE
        other.live.unlink()
        shutil.copy2(self.live, other.live)
        other.counts = self.counts._replace(calls=list(self.counts.calls))
        return other

    def warm(self) -> None:
        """Read every transcript: a kernel that is short of memory lets go of them within seconds."""
        buffer = bytearray(WARM_BYTES)
        for path in self.projects.rglob("*.jsonl"):
            with path.open("rb", buffering=0) as file:
                while file.readinto(buffer):
                    pass

    def append(self) -> None:
        """One more call, now."""
        call = self._write(now_ms())
        self.counts.calls.append(call)

    def _write(self, at_ms: int) -> Call:
        chance = self._chance
        usage = Usage(3, 1 + chance.getrandbits(9), chance.getrandbits(10), 0, 0, 20_000, nested=False)
        message_id = b"msg_live%022x" % chance.getrandbits(88)
        content = b'{"type":"text","text":"one more line"}'
        stated = usage_json(usage, Generation.NEW)
        message = message_json(MODEL, message_id, content, b'"end_turn"', stated)
        mark = Mark(b"%032x" % chance.getrandbits(128), b"", at_ms)
        with self.live.open("ab") as file:
            file.write(self._said.assistant(mark, message, b"req_%020x" % chance.getrandbits(80)))
        session, cwd = LIVE_SESSION.decode(), "/home/ana/src/live"
        return Call(at_ms, message_id.decode(), session, MODEL.decode(), cwd, usage.tokens())

    def standing(self) -> Standing:
        """What the first window of a status must say now."""
        now = now_ms()
        for window in reversed(self.counts.windows()):
            if window.opened_ms <= now < window.resets_ms:
                return Standing(window.opened_ms, window.resets_ms, window.tokens, caught_up=True)
        return Standing(0, 0, (0, 0, 0, 0), caught_up=True)

    def standing_after(self, before: Standing) -> Standing:
        """The same after one ``append``, without counting everything again: the last call alone is new."""
        last = self.counts.calls[-1]
        if last.at_ms >= before.resets_ms:
            return Standing(last.at_ms, last.at_ms + FIVE_HOURS_MS, last.tokens, caught_up=True)
        sums = [one + more for one, more in zip(before.tokens, last.tokens, strict=True)]
        return before._replace(tokens=(sums[0], sums[1], sums[2], sums[3]))
