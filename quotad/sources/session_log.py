"""Session logs: a line per start, end, message and tool use of a session, as our own hooks append them.

Claude Code never wrote such a file. The shape comes from an older tool (Organized-AI/claude-code-optimize),
and unrelated tools write others into a file of the same name, so a line of any other shape is nobody's fault:
it is foreign, counted apart, and skipped.
"""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from quotad.domain.cursor import Batch
from quotad.domain.session import LogEvent, LogKind
from quotad.domain.usage import TOKEN_COUNT_MAX, SessionId
from quotad.sources.lines import UNDECODABLE, Counts, is_object, mended, require_utf8, stripped
from quotad.sources.timestamp import instant

REPEATED_KEYS_MAX = 10_000
"""Equal lines are told apart by counting them; they stand close together, so older ones are forgotten."""

_KINDS = {kind.value: kind for kind in LogKind}


class _Line(msgspec.Struct, gc=False):
    type: str | None = None
    event: str | None = None
    timestamp: str | None = None
    ts: str | None = None
    session_id: str | None = None
    session_id_camel: str | None = msgspec.field(default=None, name="sessionId")
    tool: str | None = None
    tool_use_id: str | None = None
    cwd: str | None = None
    agent: str | None = None
    tokens_used: object = None


_decode_line = msgspec.json.Decoder(_Line).decode


class SessionLogDecoder:
    """Decodes one file from its beginning; a file that is read anew needs a new one.

    It remembers how often each line without a tool use id was seen: equal lines are different events
    (two tools of a kind in one millisecond), while the same line of a copied file is the same event.
    """

    def __init__(self) -> None:
        self.foreign = 0
        self._seen: OrderedDict[str, int] = OrderedDict()

    def decode(self, block: bytes, batch: Batch) -> Counts:
        """Take the complete lines of a block into ``batch``: log events and the latest instant.

        What stands behind the last newline is left. The counts are returned, not added; foreign lines are
        added to ``foreign``.
        """
        lines = malformed = 0
        *whole, _ = block.split(b"\n")
        for raw in whole:
            line = stripped(raw)
            if not line:
                continue
            lines += 1
            try:
                event = self._event(_parsed(line))
            except msgspec.ValidationError:
                event = None
            except UNDECODABLE:
                malformed += 1
                continue
            if event is None:
                self.foreign += 1
                continue
            batch.logs.append(event)
            batch.latest = max(batch.latest, event.at)
        return Counts(lines, malformed)

    def _event(self, line: _Line) -> LogEvent | None:
        """None for a foreign line: no kind of ours, no session, or no time that is certain."""
        kind = _KINDS.get(line.type or "") or _KINDS.get(line.event or "")
        session = line.session_id or line.session_id_camel
        if kind is None or not session:
            return None
        try:
            at = instant(line.timestamp or line.ts or "")
        except ValueError:
            return None
        tool = line.tool or ""
        if line.tool_use_id:
            key = f"tool:{line.tool_use_id}|{kind}"
        else:
            key = self._numbered(f"{session}|{kind}|{at}|{tool}")
        return LogEvent(
            key,
            kind,
            at,
            SessionId(session),
            tool,
            line.cwd or "",
            line.agent or "",
            _noted(line.tokens_used),
        )

    def _numbered(self, key: str) -> str:
        """The key with how many equal ones came before it in this file."""
        before = self._seen.pop(key, 0)
        self._seen[key] = before + 1
        if len(self._seen) > REPEATED_KEYS_MAX:
            self._seen.popitem(last=False)
        return f"{key}|{before}"


def _parsed(line: bytes) -> _Line:
    """Raises ValidationError for other shapes, and what ``UNDECODABLE`` lists."""
    if not is_object(line):
        raise ValueError("no JSON object")
    require_utf8(line)
    try:
        return _decode_line(line)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        return _decode_line(mended(line))


def _noted(tokens: object) -> int | None:
    """A claim that makes no sense is no claim; it is not counted anyway."""
    if isinstance(tokens, bool) or not isinstance(tokens, int) or not 0 <= tokens <= TOKEN_COUNT_MAX:
        return None
    return tokens
