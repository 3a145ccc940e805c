"""The independent recount: what a directory of transcripts really holds, counted slowly and obviously.

It is the oracle for the product's sums and shares no code with it: every line of a call is kept, and every
rule is applied at the end.

- A *line* is what ends in a newline; a tail without one does not exist. One trailing carriage return and a
  leading byte order mark are stripped and an empty line is nothing. One that then does not begin with ``{``
  and end with ``}`` is malformed.
- A *usage line* holds ``"usage"`` and is of type ``assistant``, or ``progress`` around such a message (older
  versions; session, cwd and sidechain are the outer line's). If it does not decode (not UTF-8, not JSON, a
  wrong type, a count below 0 or above 2**53, no time with an offset, no identity) it is malformed.
- Null and missing counts are 0. ``cache_write`` is the larger of the flat field and the nested sum, since
  either has been 0 while the other was right. A model beginning with ``<`` is no usage.
- A *call* is a ``message.id``, else a ``requestId``, else a ``uuid``; its lines fall into rows by requestId.
  One row stands: one with a line off the sidechain, then the earliest, then the smallest requestId. Lines
  without a requestId then join it (alone, they are the row); other rows are replays and count nothing.
  Tokens are the per-field maximum; time, session, model and cwd are those of the smallest such tuple.
- A *window* is half-open, opened by the first call with any tokens at or after the end of the last one.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import NamedTuple, NoReturn, TypeAlias

Tokens: TypeAlias = tuple[int, int, int, int]
"""input, output, cache_write, cache_read."""

FIVE_HOURS_MS = 5 * 60 * 60 * 1000
SAME_RESET_MS = 2 * 60 * 1000
TOKENS_MAX = 2**53
BOM = b"\xef\xbb\xbf"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Line(NamedTuple):
    """One usage line; its first four fields, compared in this order, decide whose call it is."""

    at_ms: int
    session: str
    model: str
    cwd: str
    sidechain: bool
    tokens: Tokens


class Call(NamedTuple):
    """One call that counts, after all its lines are merged."""

    at_ms: int
    id: str
    session: str
    model: str
    cwd: str
    tokens: Tokens


class Window(NamedTuple):
    """``[opened_ms, resets_ms)``, the calls in it and their tokens."""

    opened_ms: int
    resets_ms: int
    messages: int
    tokens: Tokens


class Recount(NamedTuple):
    """What the files hold: ``lines`` are complete and not empty, ``size`` is in bytes, ``calls`` by time."""

    files: int
    size: int
    lines: int
    malformed: int
    calls: list[Call]

    def tokens(self) -> Tokens:
        return _total(self.calls)

    def by_message(self) -> dict[str, Tokens]:
        return {call.id: call.tokens for call in self.calls}

    def by(self, key: Callable[[Call], str]) -> dict[str, tuple[int, Tokens]]:
        """(calls, tokens) for each value of ``key``, as in ``by(lambda call: call.model)``."""
        groups: dict[str, list[Call]] = {}
        for call in self.calls:
            groups.setdefault(key(call), []).append(call)
        return {name: (len(calls), _total(calls)) for name, calls in groups.items()}

    def by_day(self, zone: tzinfo = UTC) -> dict[str, tuple[int, Tokens]]:
        """``YYYY-MM-DD`` in that zone -> (calls, tokens)."""
        return self.by(lambda call: datetime.fromtimestamp(call.at_ms // 1000, zone).date().isoformat())

    def windows(self, resets_ms: Iterable[int] = (), length_ms: int = FIVE_HOURS_MS) -> list[Window]:
        """The chain of windows, oldest first. ``resets_ms`` are resets that the provider itself stated.

        A stated reset fixes ``[reset - length, reset)`` and cuts a computed window short. Resets within
        two minutes of each other are one, of which the first is taken.
        """
        resets: list[int] = []
        for reset in sorted(resets_ms):
            if not resets or reset - resets[-1] > SAME_RESET_MS:
                resets.append(reset)
        fixed = [(reset - length_ms, reset) for reset in resets]
        spans: list[tuple[int, int]] = []
        for at_ms in (call.at_ms for call in self.calls if any(call.tokens)):
            while fixed and fixed[0][0] <= at_ms:
                spans.append(fixed.pop(0))
            if not spans or spans[-1][1] <= at_ms:
                spans.append((at_ms, min([at_ms + length_ms, *(opened for opened, _ in fixed[:1])])))
        times = [call.at_ms for call in self.calls]
        windows = []
        for opened, end in spans + fixed:
            within = self.calls[bisect_left(times, opened) : bisect_left(times, end)]
            windows.append(Window(opened, end, len(within), _total(within)))
        return windows


def recount(projects: Path, *, now_ms: int | None = None) -> Recount:
    """Count every ``*.jsonl`` below ``projects``, without calls over five minutes ahead of ``now_ms``."""
    rows: dict[str, dict[str, list[Line]]] = {}
    files = [path for path in projects.rglob("*.jsonl") if path.is_file() and not _skipped(path.name)]
    lines = malformed = 0
    for path in files:
        with path.open("rb") as handle:
            for raw in handle:
                line = raw[:-1].removesuffix(b"\r").removeprefix(BOM)
                if line and raw.endswith(b"\n"):
                    lines += 1
                    malformed += not _take(line, rows)
    calls = sorted(_stand(identity, by_request) for identity, by_request in rows.items())
    if now_ms is not None:
        calls = [call for call in calls if call.at_ms <= now_ms + 5 * 60 * 1000]
    return Recount(len(files), sum(path.stat().st_size for path in files), lines, malformed, calls)


def _skipped(name: str) -> bool:
    return name == "journal.jsonl" or ".orphaned" in name or ".superseded" in name


def _take(raw: bytes, rows: dict[str, dict[str, list[Line]]]) -> bool:
    """Put a usage line among the rows; false when the line is malformed."""
    if not (raw.startswith(b"{") and raw.endswith(b"}")):
        return False
    if b'"usage"' not in raw:
        return True
    try:
        outer: object = json.loads(raw.decode(), parse_constant=_refuse)
        kind = _member(outer, "type")
        if kind not in ("assistant", "progress"):
            return True
        inner = outer if kind == "assistant" else _member(_member(outer, "data"), "message")
        message = _member(inner, "message")
        usage = _member(message, "usage")
        model = _text(_member(message, "model"))
        if usage is None or model.startswith("<"):
            return True
        request = _text(_member(inner, "requestId"))
        identity = (
            _text(_member(message, "id")) or request or _text(_member(inner, "uuid")) or _refuse("identity")
        )
        session, cwd, sidechain = (_member(outer, key) for key in ("sessionId", "cwd", "isSidechain"))
        at_ms = _instant(_member(inner, "timestamp"))
        if sidechain is not None and not isinstance(sidechain, bool):
            _refuse("isSidechain")
        line = Line(at_ms, _text(session), model, _text(cwd), sidechain is True, _counts(usage))
    except (ValueError, RecursionError):
        return not (b'"assistant"' in raw or b'"progress"' in raw)
    rows.setdefault(identity, {}).setdefault(request, []).append(line)
    return True


def _stand(identity: str, by_request: dict[str, list[Line]]) -> Call:
    """The one row that counts, joined by the lines without a requestId."""
    named = [
        (all(line.sidechain for line in row), min(row).at_ms, request, row)
        for request, row in by_request.items()
        if request
    ]
    lines = (min(named)[-1] if named else []) + by_request.get("", [])
    owner = min(lines)
    return Call(
        owner.at_ms, identity, owner.session, owner.model, owner.cwd, _most(line.tokens for line in lines)
    )


def _counts(usage: object) -> Tokens:
    nested = _member(usage, "cache_creation")
    write = _count(nested, "ephemeral_5m_input_tokens") + _count(nested, "ephemeral_1h_input_tokens")
    if write > TOKENS_MAX:
        _refuse("cache_creation")
    return (
        _count(usage, "input_tokens"),
        _count(usage, "output_tokens"),
        max(_count(usage, "cache_creation_input_tokens"), write),
        _count(usage, "cache_read_input_tokens"),
    )


def _member(value: object, key: str) -> object:
    """A member of a JSON object; of null, null."""
    if value is not None and not isinstance(value, dict):
        _refuse(key)
    return value.get(key) if value else None


def _text(value: object) -> str:
    if value is not None and not isinstance(value, str):
        _refuse("text")
    return value or ""


def _count(value: object, key: str) -> int:
    found = _member(value, key)
    if found is None:
        return 0
    if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found <= TOKENS_MAX:
        _refuse(key)
    return found


def _instant(value: object) -> int:
    """Whole milliseconds since the epoch, rounded down."""
    at = datetime.fromisoformat(_text(value))
    if at.tzinfo is None:
        _refuse("timestamp")
    return (at - EPOCH) // timedelta(milliseconds=1)


def _refuse(what: str) -> NoReturn:
    raise ValueError(what)


def _most(rows: Iterable[Tokens]) -> Tokens:
    one, two, three, four = (max(column) for column in zip(*rows, strict=True))
    return (one, two, three, four)


def _total(calls: Iterable[Call]) -> Tokens:
    one = two = three = four = 0
    for call in calls:
        one += call.tokens[0]
        two += call.tokens[1]
        three += call.tokens[2]
        four += call.tokens[3]
    return (one, two, three, four)
