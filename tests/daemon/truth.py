"""What is true of transcripts: lines whose tokens are known, and sums as the recount gives them.

The oracle is ``benchmarks.recount``, which shares no code with the product.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, TypeAlias

from benchmarks.recount import Recount, Tokens, Window
from quotad import wire

Sums: TypeAlias = dict[str, tuple[int, Tokens]]
"""Name -> (calls, tokens by kind), as ``Recount.by`` gives them."""


class Current(NamedTuple):
    """The window that is running; zeros when none is."""

    opened_ms: int
    resets_ms: int
    messages: int
    tokens: Tokens


IDLE = Current(0, 0, 0, (0, 0, 0, 0))


def demo_clock(at_ms: int, rate: float = 1.0) -> tuple[str, str]:
    """The arguments that set the daemon's clock: it stands at ``at_ms`` now and runs on at ``rate``."""
    return ("--demo-clock", f"{wire.iso(at_ms)}@{rate}@{time.monotonic_ns()}")


def call(
    message: str,
    *,
    at_ms: int,
    session: str,
    tokens: Tokens = (1, 10, 100, 1000),
    model: str = "claude-opus-5",
    text: str = "",
) -> bytes:
    """One line of a transcript, with its newline: a call of its own, of 1111 tokens unless told otherwise."""
    usage = {
        "input_tokens": tokens[0],
        "output_tokens": tokens[1],
        "cache_creation_input_tokens": tokens[2],
        "cache_read_input_tokens": tokens[3],
    }
    content = [{"type": "text", "text": text}]
    line = {
        "type": "assistant",
        "timestamp": wire.iso(at_ms),
        "sessionId": session,
        "cwd": "/home/ana/src",
        "requestId": f"req of {message}",
        "message": {"id": message, "model": model, "content": content, "usage": usage},
    }
    return json.dumps(line, ensure_ascii=False).encode() + b"\n"


def calls(session: str, numbers: Iterable[int], *, at_ms: int) -> list[bytes]:
    """Lines of one session, told apart by their numbers, a millisecond apart."""
    return [call(f"msg {session} {number}", at_ms=at_ms + number, session=session) for number in numbers]


def of_calls(count: int) -> tuple[int, Tokens]:
    """What so many lines of ``calls`` sum up to."""
    return (count, (count, 10 * count, 100 * count, 1000 * count))


# What the daemon says, as the recount says it.


def sums(rows: Sequence[wire.HistoryRow], key: Literal["day", "model", "project", "session"]) -> Sums:
    """The rows of a ``history`` reply by their names."""
    found = {row[key]: (row["messages"], tokens_of(row["tokens"])) for row in rows}
    assert len(found) == len(rows), "a name stands in two rows"
    return found


def windows(rows: Sequence[wire.HistoryRow]) -> list[Window]:
    """The rows of ``history --by window``, oldest first as they must come."""
    return [
        Window(
            wire.instant(row["opened_at"]),
            wire.instant(row["resets_at"]),
            row["messages"],
            tokens_of(row["tokens"]),
        )
        for row in rows
    ]


def tokens_of(reply: wire.TokensReply) -> Tokens:
    """Tokens by kind, in the recount's order."""
    return (reply["input"], reply["output"], reply["cache_write"], reply["cache_read"])


def current(window: wire.WindowReply) -> Current:
    """A window of a ``status`` reply."""
    if window["opened_at"] is None or window["resets_at"] is None:
        return IDLE
    return Current(
        wire.instant(window["opened_at"]),
        wire.instant(window["resets_at"]),
        window["messages"],
        tokens_of(window["tokens"]),
    )


def current_of(counts: Recount, now_ms: int, resets_ms: Iterable[int] = ()) -> Current:
    """The window that is running at an instant; ``counts`` must have been made for that instant."""
    for window in counts.windows(resets_ms):
        if window.resets_ms > now_ms:
            return Current(*window)
    return IDLE


def total(rows: Sequence[wire.HistoryRow]) -> tuple[int, Tokens]:
    """All rows in one."""
    messages = sum(row["messages"] for row in rows)
    kinds = [tokens_of(row["tokens"]) for row in rows] or [(0, 0, 0, 0)]
    one, two, three, four = (sum(column) for column in zip(*kinds, strict=True))
    return (messages, (one, two, three, four))


def now_ms() -> int:
    """The machine's clock."""
    return time.time_ns() // 1_000_000
