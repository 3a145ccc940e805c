"""The lines of a transcript, byte for byte as Claude Code has written them over the years.

Templates are bound to a session once; a line is then one formatting of bytes. Three generations, since
each has tripped somebody's reader: ``ANCIENT`` (1.0, flat cache fields only, ``costUSD``), ``OLD`` (2.0 to
2.1.2x: ``type`` stands after the message, subagents are repeated in ``progress`` lines) and ``NEW``
(``type`` first, ``iterations`` that repeat the usage).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import NamedTuple

DAY_MS = 86_400_000


class Generation(Enum):
    """The version that wrote a line."""

    ANCIENT = b"1.0.62"
    OLD = b"2.1.20"
    NEW = b"2.1.270"


class Usage(NamedTuple):
    """What one line says was used; ``flat_write`` and the nested pair do not always agree."""

    input: int
    output: int
    flat_write: int
    nested_5m: int
    nested_1h: int
    cache_read: int
    nested: bool = True

    def tokens(self) -> tuple[int, int, int, int]:
        """As they count: input, output, cache_write, cache_read."""
        nested = self.nested_5m + self.nested_1h if self.nested else 0
        return (self.input, self.output, max(self.flat_write, nested), self.cache_read)


class Mark(NamedTuple):
    """What is particular to a line of the conversation."""

    uuid: bytes
    parent: bytes
    at_ms: int


_NESTED = b',"cache_creation":{"ephemeral_5m_input_tokens":%d,"ephemeral_1h_input_tokens":%d}'
_USAGE_OLD = (
    b'{"input_tokens":%d,"cache_creation_input_tokens":%d,"cache_read_input_tokens":%d%b,'
    b'"output_tokens":%d,"service_tier":"standard"}'
)
_USAGE_NEW = (
    b'{"input_tokens":%d,"cache_creation_input_tokens":%d,"cache_read_input_tokens":%d,"output_tokens":%d,'
    b'"output_tokens_details":{"thinking_tokens":%d},"server_tool_use":{"web_search_requests":0,'
    b'"web_fetch_requests":0},"service_tier":"standard"%b,"inference_geo":"not_available","iterations":[{'
    b'"type":"message","input_tokens":%d,"output_tokens":%d,"cache_read_input_tokens":%d,'
    b'"cache_creation_input_tokens":%d}],"speed":"standard"}'
)
_NO_USAGE = (
    b'{"input_tokens":0,"output_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,'
    b'"service_tier":null}'
)
_MESSAGE = (
    b'{"model":"%b",%b"type":"message","role":"assistant","content":[%b],"stop_reason":%b,'
    b'"stop_sequence":null,"usage":%b}'
)
_OWNER = (
    b'"userType":"external","entrypoint":"cli","cwd":"%b","sessionId":"%b","version":"%b","gitBranch":"main"'
)
_NEW_LINE = b'{"parentUuid":%%b,"isSidechain":%b,"type":"%b","uuid":"%%b","timestamp":"%%b",%b%b%%b}\n'
_OLD_LINE = b'{"parentUuid":%%b,"isSidechain":%b,%b%b,%%b"type":"%b","uuid":"%%b","timestamp":"%%b"%%b}\n'

_dates: dict[int, bytes] = {}


def stamp(at_ms: int) -> bytes:
    """``2026-11-02T09:00:04.000Z``."""
    day, rest = divmod(at_ms, DAY_MS)
    date = _dates.get(day)
    if date is None:
        at = datetime.fromtimestamp(day * DAY_MS // 1000, UTC)
        date = _dates[day] = at.date().isoformat().encode()
    second, milli = divmod(rest, 1000)
    minute, second = divmod(second, 60)
    return b"%bT%02d:%02d:%02d.%03dZ" % (date, *divmod(minute, 60), second, milli)


def usage_json(usage: Usage, generation: Generation) -> bytes:
    """The ``usage`` object of a line."""
    nested = _NESTED % (usage.nested_5m, usage.nested_1h) if usage.nested else b""
    write = usage.flat_write
    if generation is not Generation.NEW:
        return _USAGE_OLD % (usage.input, write, usage.cache_read, nested, usage.output)
    return _USAGE_NEW % (
        *(usage.input, write, usage.cache_read, usage.output, usage.output // 3, nested),
        *(usage.input, usage.output, usage.cache_read, write),
    )


def message_json(model: bytes, message_id: bytes, content: bytes, stop: bytes, usage: bytes) -> bytes:
    """An assistant's ``message``; without an id when that is empty."""
    return _MESSAGE % (model, b'"id":"%b",' % message_id if message_id else b"", content, stop, usage)


@dataclass(frozen=True, slots=True)
class Envelope:
    """What all lines of one author in one file share."""

    generation: Generation
    session: bytes
    cwd: bytes
    sidechain: bool = False
    agent: bytes = b""

    def conversation(self) -> Conversation:
        return Conversation(self)


class Conversation:
    """The lines with the full envelope; each method returns one line with its newline."""

    def __init__(self, envelope: Envelope) -> None:
        self.envelope = envelope
        self._new = envelope.generation is Generation.NEW
        self._lines = {
            kind: self._bound(kind) for kind in (b"assistant", b"user", b"attachment", b"system", b"progress")
        }

    def _bound(self, kind: bytes) -> bytes:
        envelope = self.envelope
        sidechain = b"true" if envelope.sidechain else b"false"
        owner = _OWNER % (envelope.cwd, envelope.session, envelope.generation.value)
        agent = b',"agentId":"%b"' % envelope.agent if envelope.agent else b""
        if self._new:
            return _NEW_LINE % (sidechain, kind, owner, agent)
        return _OLD_LINE % (sidechain, owner, agent, kind)

    def _line(self, kind: bytes, mark: Mark, body: bytes, tail: bytes = b"") -> bytes:
        parent = b'"%b"' % mark.parent if mark.parent else b"null"
        if self._new:
            return self._lines[kind] % (parent, mark.uuid, stamp(mark.at_ms), b"," + body + tail)
        return self._lines[kind] % (parent, body + b",", mark.uuid, stamp(mark.at_ms), tail)

    def assistant(self, mark: Mark, message: bytes, request: bytes, block: int = 0) -> bytes:
        """``message`` as ``message_json`` makes it; no ``requestId`` when ``request`` is empty."""
        asked = b',"requestId":"%b"' % request if request else b""
        if self._new:
            body = b'"message":%b%b,"apiBlockIndex":%d,"effort":"high","perTurnEffort":null' % (
                message,
                asked,
                block,
            )
            return self._line(b"assistant", mark, body)
        cost = b',"costUSD":0.02' if self.envelope.generation is Generation.ANCIENT else b""
        return self._line(b"assistant", mark, b'"message":%b%b%b' % (message, asked, cost))

    def prompt(self, mark: Mark, text: bytes) -> bytes:
        origin = b',"promptSource":"typed","origin":{"kind":"human"}' if self._new else b""
        return self._line(b"user", mark, b'"message":{"role":"user","content":"%b"}%b' % (text, origin))

    def tool_result(self, mark: Mark, tool_use: bytes, text: bytes, result: bytes) -> bytes:
        """``result`` is the JSON of ``toolUseResult``."""
        message = (
            b'"message":{"role":"user","content":[{"tool_use_id":"%b","type":"tool_result","content":"%b"}]}'
        )
        return self._line(b"user", mark, message % (tool_use, text), b',"toolUseResult":' + result)

    def attachment(self, mark: Mark, kind: bytes, text: bytes) -> bytes:
        return self._line(b"attachment", mark, b'"attachment":{"type":"%b","content":"%b"}' % (kind, text))

    def system(self, mark: Mark, body: bytes) -> bytes:
        return self._line(b"system", mark, body)

    def synthetic(self, mark: Mark, text: bytes, error: bytes) -> bytes:
        """What Claude Code says in the model's place; ``error`` is empty when nothing went wrong."""
        content = b'{"type":"text","text":"%b"}' % text
        message = _MESSAGE % (
            b"<synthetic>",
            b'"id":"%b",' % mark.uuid,
            content,
            b'"stop_sequence"',
            _NO_USAGE,
        )
        flags = b',"isApiErrorMessage":false'
        if error:
            flags = b',"error":"%b","isApiErrorMessage":true,"apiErrorStatus":429' % error
        if self.envelope.generation is Generation.ANCIENT and error:
            flags = b',"isApiErrorMessage":true'
        return self._line(b"assistant", mark, b'"message":%b' % message, flags)

    def progress(self, mark: Mark, nested: Mark, message: bytes, request: bytes) -> bytes:
        """A subagent's line repeated in its parent's file (gone by 2.1.270)."""
        asked = b',"requestId":"%b"' % request if request else b""
        body = (
            b'"data":{"type":"agent_progress","message":{"type":"assistant","timestamp":"%b"%b,"uuid":"%b",'
            b'"message":%b}}'
        )
        return self._line(b"progress", mark, body % (stamp(nested.at_ms), asked, nested.uuid, message))
