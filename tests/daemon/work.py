"""Claude Code at work in a place: each call a line of a transcript, each event a line of a session log."""

from __future__ import annotations

import json
import time
from itertools import count
from pathlib import Path

from quotad import wire
from tests.daemon.process import Place
from tests.daemon.truth import call, calls, now_ms

SESSION = "5f0c1d2e-0000-4000-8000-00000000a001"

CALLS = 10_000
"""As many as ``work_hard`` makes, of 111 tokens each."""

_numbers = count()


def transcript(place: Place, session: str = SESSION) -> Path:
    """Where a session's calls are written."""
    return place.projects / "-home-ana-src" / f"{session}.jsonl"


def spend(
    place: Place,
    tokens: int,
    *,
    at_ms: int | None = None,
    session: str = SESSION,
    model: str = "claude-opus-5",
    path: Path | None = None,
) -> None:
    """A call that no other is a copy of: now, in the usual place, unless told otherwise."""
    line = call(
        f"msg {next(_numbers)} of {time.monotonic_ns()}",
        at_ms=now_ms() if at_ms is None else at_ms,
        session=session,
        tokens=(tokens, 0, 0, 0),
        model=model,
    )
    append(path or transcript(place, session), line)


def work_hard(place: Place, session: str = SESSION) -> int:
    """Many calls, spread over the last four hours; how many tokens they spent. Reading them takes a while."""
    step_ms = 4 * 3_600_000 // CALLS
    numbers = range(0, CALLS * step_ms, step_ms)
    append(transcript(place, session), b"".join(calls(session, numbers, at_ms=now_ms() - 4 * 3_600_000)))
    return CALLS * 111


def hit_limit(place: Place, *, at_ms: int, resets_ms: int, session: str = SESSION) -> None:
    """Claude Code's words that the five-hour limit is reached; resets are whole seconds."""
    usage = {"input_tokens": 0, "output_tokens": 0}
    text = f"Claude AI usage limit reached|{resets_ms // 1000}"
    line = {
        "type": "assistant",
        "timestamp": wire.iso(at_ms),
        "sessionId": session,
        "isApiErrorMessage": True,
        "message": {
            "id": f"msg {next(_numbers)} of {time.monotonic_ns()}",
            "model": "<synthetic>",
            "content": [{"type": "text", "text": text}],
            "usage": usage,
        },
    }
    append(transcript(place, session), json.dumps(line).encode() + b"\n")


def session_log(place: Place) -> Path:
    """Where Claude Code's side keeps the log of its sessions."""
    return place.claude / "logs" / "sessions.jsonl"


def log(place: Place, kind: str, *, at_ms: int, session: str = SESSION, **more: str) -> None:
    """An event of a session log."""
    line = {"type": kind, "timestamp": wire.iso(at_ms), "session_id": session, **more}
    append(session_log(place), json.dumps(line).encode() + b"\n")


def append(path: Path, line: bytes) -> None:
    """Write at the end of a file, which is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(line)
