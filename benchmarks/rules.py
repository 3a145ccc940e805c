"""How others count, as rules over the same lines: each difference from our answer has a rule that makes it.

The rules were found by experiment, and by reading the rivals where they can be read. They are proved anew in
each run: ``answers`` counts a corpus by them, and what comes out must be the rival's answer to the token. The
corpus has no flaws, so that every line with ``"usage"`` is sound.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, TypeAlias

HOUR_MS = 3_600_000
BLOCK_MS = 5 * HOUR_MS


class Said(NamedTuple):
    """One line that states usage."""

    at_ms: int
    message: str
    request: str
    sidechain: bool
    input: int
    output: int
    flat: int
    nested: int | None
    """Cache writes are stated twice: in one field, and split by how long they are kept."""
    cache_read: int

    def total(self, write: Write) -> int:
        return self.input + self.output + write(self) + self.cache_read


Write: TypeAlias = Callable[[Said], int]
"""Which of the two statements of cache writes is believed."""

Count: TypeAlias = Callable[[Sequence[Said], Write], list[Said]]
"""The lines that count, of all."""

Key: TypeAlias = Callable[[Said, int], object]
"""Whose line this is; the number tells each line from every other."""

Replays: TypeAlias = Callable[[Said, Said], bool]
"""Does this line repeat that call, whose message id it bears, under another key?"""

Block: TypeAlias = Callable[[Said, int, int], bool]
"""Does this line, with the start of the block before it and its last line's time, begin a new one?"""


def said(projects: Path) -> list[Said]:
    """Every line that states usage, in the order in which ``rglob`` finds the files.

    Lines of type ``progress``, in which old versions repeat what an agent said, are in the agent's file too.
    """
    found = []
    for file in projects.rglob("*.jsonl"):
        with file.open("rb") as lines:
            found += [one for line in lines if b'"usage"' in line and (one := _said(line)) is not None]
    return found


def _said(raw: bytes) -> Said | None:
    line = json.loads(raw)
    if line.get("type") != "assistant" or "usage" not in line["message"]:
        return None
    usage = line["message"]["usage"]
    nested = usage.get("cache_creation")
    return Said(
        round(datetime.fromisoformat(line["timestamp"]).timestamp() * 1000),
        line["message"].get("id") or "",
        line.get("requestId") or "",
        bool(line.get("isSidechain")),
        usage.get("input_tokens") or 0,
        usage.get("output_tokens") or 0,
        usage.get("cache_creation_input_tokens") or 0,
        sum(nested.values()) if nested else None,
        usage.get("cache_read_input_tokens") or 0,
    )


def larger(one: Said) -> int:
    """Ours: either has been 0 while the other was right."""
    return max(one.flat, one.nested or 0)


def split_first(one: Said) -> int:
    """The split one where there is one."""
    return one.flat if one.nested is None else one.nested


def flat_only(one: Said) -> int:
    """As if there were no other."""
    return one.flat


def merged(key: Key, replays: Replays) -> Count:
    """Lines of one key are one call, the largest of them is what it used; a replay of a call is that call.

    Of a call and its replay, the one that is not on the sidechain counts.
    """

    def count(lines: Sequence[Said], write: Write) -> list[Said]:
        calls: list[Said] = []
        by_key: dict[object, int] = {}
        places: dict[str, list[int]] = {}
        for number, one in enumerate(lines):
            ids = key(one, number)
            at = by_key.get(ids)
            if at is None:
                at = next(
                    (place for place in places.get(one.message, ()) if replays(one, calls[place])), None
                )
            if at is None:
                at = len(calls)
                calls.append(one)
                places.setdefault(one.message, []).append(at)
            elif _stands(one, calls[at], write):
                calls[at] = one
            else:
                continue
            by_key[ids] = at
        return calls

    return count


def _stands(one: Said, known: Said, write: Write) -> bool:
    if one.sidechain != known.sidechain:
        return known.sidechain
    return one.total(write) > known.total(write)


def never(_: Said, __: Said) -> bool:
    """Nothing is a replay but by its key."""
    return False


def on_sidechain(one: Said, known: Said) -> bool:
    """One of the two is, so that it may be a side question's copy."""
    return one.sidechain or known.sidechain


def at_once(one: Said, known: Said) -> bool:
    """Only what also bears the same time."""
    return on_sidechain(one, known) and one.at_ms == known.at_ms


def largest(lines: Sequence[Said], write: Write) -> list[Said]:
    """Ours, where nothing is broken: a call is a message id, and the largest of its lines is what it used."""
    calls: dict[str, Said] = {}
    for one in lines:
        known = calls.get(one.message)
        if known is None or one.total(write) > known.total(write):
            calls[one.message] = one
    return list(calls.values())


by_ids = merged(lambda one, _: (one.message, one.request), on_sidechain)
"""A line without a requestId is of another call than those of its message that have one."""

by_ids_at_once = merged(lambda one, _: (one.message, one.request), at_once)
by_ids_or_time = merged(lambda one, _: (one.message, one.request or one.at_ms), on_sidechain)
by_ids_or_line = merged(lambda one, number: (one.message, one.request or number), on_sidechain)
by_ids_alone = merged(lambda one, number: (one.message, one.request or number), never)


def first_said(lines: Sequence[Said], _: Write) -> list[Said]:
    """A call by both ids, and what its first line states; a line with neither input nor output is none."""
    calls: dict[tuple[str, str], Said] = {}
    for number, one in enumerate(lines):
        if one.input or one.output:
            calls.setdefault((one.message, one.request or f"line {number}"), one)
    return list(calls.values())


def longer(one: Said, start_ms: int, last_ms: int) -> bool:
    """ccusage's block: more than five hours from its start, or from the line before."""
    return one.at_ms - start_ms > BLOCK_MS or one.at_ms - last_ms > BLOCK_MS


def as_long(one: Said, start_ms: int, last_ms: int) -> bool:
    """claude-monitor's: five hours or more."""
    return one.at_ms - start_ms >= BLOCK_MS or one.at_ms - last_ms >= BLOCK_MS


def last_block(calls: Sequence[Said], write: Write, begins: Block) -> int:
    """Tokens of the last block of a chain in which each begins at the full hour before its first line."""
    start = last = total = 0
    for one in sorted(calls):
        if begins(one, start, last):
            start = one.at_ms // HOUR_MS * HOUR_MS
            total = 0
        total += one.total(write)
        last = one.at_ms
    return total


def by_day(calls: Sequence[Said], write: Write) -> dict[str, int]:
    """``YYYY-MM-DD`` in UTC -> tokens; days without any are left out."""
    days: dict[str, int] = {}
    for one in calls:
        day = datetime.fromtimestamp(one.at_ms // 1000, UTC).date().isoformat()
        days[day] = days.get(day, 0) + one.total(write)
    return {day: tokens for day, tokens in days.items() if tokens}
