"""When the person behind a corpus works: days, nights, breaks and weekends.

Five-hour windows are opened by the first call after the last one has ended, so a corpus without breaks
would hold one endless chain and one with the same hours every day would hide mistakes at the edges.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate
from random import Random
from typing import NamedTuple
from zoneinfo import ZoneInfo

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
WINDOW_MS = 5 * HOUR_MS

BLOCK_MS_MIN = 10 * MINUTE_MS
HIT_CHANCE = 0.25
LAST_BLOCK_MS = 100 * MINUTE_MS
"""The person is at work when the corpus ends, so that a window is running then."""

HOME = ZoneInfo("Europe/Lisbon")
SATURDAY = 5
NOON = 12
HABITS = ((8.6, 3.4), (13.2, 4.6), (20.3, 2.2))
"""Start (hour of the day, UTC) and length in hours of a morning, an afternoon and an evening."""

_CHANCES = {False: (0.93, 0.9, 0.35), True: (0.2, 0.35, 0.3)}
"""How likely each is, on a working day and at the weekend."""


class LimitHit(NamedTuple):
    """The provider refuses from ``at_ms`` until ``resets_at_ms``, a whole minute."""

    at_ms: int
    resets_at_ms: int

    def clock_text(self) -> bytes:
        """The reset as Claude Code words it: ``3pm`` or ``3:45pm``, in local time."""
        local = datetime.fromtimestamp(self.resets_at_ms // 1000, HOME)
        minute = f":{local.minute:02d}" if local.minute else ""
        return f"{local.hour % 12 or 12}{minute}{'am' if local.hour < NOON else 'pm'} ({HOME.key})".encode()


class Block(NamedTuple):
    """A stretch of work, half-open; ``hit`` is what ended it, if it was the limit."""

    start_ms: int
    end_ms: int
    hit: LimitHit | None = None


def work_blocks(chance: Random, *, end_ms: int, days: int, limit_hits: bool) -> list[Block]:
    """Stretches of work in the ``days`` before ``end_ms``, in order, the last one ending there."""
    blocks: list[Block] = []
    last_start = end_ms - LAST_BLOCK_MS
    for midnight in range((end_ms // DAY_MS - days) * DAY_MS, end_ms, DAY_MS):
        weekend = datetime.fromtimestamp(midnight // 1000, UTC).weekday() >= SATURDAY
        for (hour, length), likely in zip(HABITS, _CHANCES[weekend], strict=True):
            start = midnight + int((hour + chance.gauss(0, 0.6)) * HOUR_MS)
            end = start + int(length * HOUR_MS * chance.uniform(0.6, 1.3))
            start = max([start, *(block.end_ms + 20 * MINUTE_MS for block in blocks[-1:])])
            end = min(end, last_start - 20 * MINUTE_MS)
            if chance.random() < likely and end - start > BLOCK_MS_MIN:
                resets = [block.hit.resets_at_ms for block in blocks if block.hit]
                hit = _hit(chance, start, end) if limit_hits else None
                if hit is None or any(hit.resets_at_ms - reset < WINDOW_MS for reset in resets):
                    blocks.append(Block(start, end))
                    continue
                blocks.append(Block(start, hit.at_ms, hit))
                resumed = hit.resets_at_ms + int(chance.uniform(0.5, 9) * MINUTE_MS)
                if end - resumed > BLOCK_MS_MIN:
                    blocks.append(Block(resumed, end))
    return [*blocks, Block(last_start, end_ms)]


def _hit(chance: Random, start: int, end: int) -> LimitHit | None:
    """In one long block of four the limit is met; the reset is less than 20 minutes away."""
    if end - start < 2 * HOUR_MS or chance.random() > HIT_CHANCE:
        return None
    at_ms = start + int((end - start) * chance.uniform(0.5, 0.8))
    return LimitHit(at_ms, (at_ms // MINUTE_MS + 1 + int(chance.uniform(3, 18))) * MINUTE_MS)


@dataclass(slots=True)
class Clock:
    """Time as one terminal sees it: it passes while people work and jumps over their breaks."""

    blocks: list[Block]
    index: int
    now_ms: int
    over: bool = False
    hit: LimitHit | None = None

    @classmethod
    def at_random(cls, blocks: list[Block], chance: Random) -> Clock:
        """Somewhere in the hours of work."""
        ends = list(accumulate(block.end_ms - block.start_ms for block in blocks))
        spent = int(chance.random() * ends[-1] * 0.999)
        index = bisect_right(ends, spent)
        return cls(blocks, index, blocks[index].end_ms - (ends[index] - spent))

    def parallel(self) -> Clock:
        return Clock(self.blocks, self.index, self.now_ms)

    def advance(self, span_ms: float) -> None:
        """Let time pass; ``over`` when it has run out, ``hit`` when the limit stopped the work."""
        self.hit = None
        self.now_ms += int(span_ms)
        block = self.blocks[self.index]
        if self.now_ms < block.end_ms:
            return
        if self.index + 1 == len(self.blocks):
            self.now_ms = block.end_ms
            self.over = True
            return
        self.hit = block.hit
        self.index += 1
        self.now_ms = self.blocks[self.index].start_ms + int(span_ms) % MINUTE_MS
