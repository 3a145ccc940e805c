"""Claude Code's transcripts: one JSON object a line, of which one in three speaks of usage.

Claude Code's documentation calls the format internal, and it changes between releases, so nothing is expected
of a line but what is used here. Most lines are never decoded: ``"usage"`` with its quotes cannot stand inside
a JSON string, where they would be escaped, so its bytes tell which lines matter. Those are decoded straight
into the few fields below; msgspec passes over the rest.

Counts are what JSON calls an integer: ``5.0`` is refused, as are negative ones and those over the maximum.
"""

from __future__ import annotations

from datetime import tzinfo
from sys import intern
from typing import Annotated, TypeGuard

import msgspec

from quotad.domain.cursor import Batch
from quotad.domain.usage import TOKEN_COUNT_MAX, MessageId, RequestId, SessionId, Tokens, UsageEvent
from quotad.sources import limit_text
from quotad.sources.lines import CLOSE, OPEN, UNDECODABLE, Counts, is_object, mended, require_utf8, stripped
from quotad.sources.timestamp import instant

_MARKER = b'"usage"'
_NO_REQUEST = RequestId("")
_TYPE = b'"type":"'
_OF_CALL = (b'assistant"', b'progress"')
_OF_USER = b'"message":{"role":"user"'
_HEAD_BYTES = 600
_LONG_LINE_BYTES = 3_000
"""Longer lines are looked through only if their heads do not say that they are no call's: what tools have
read is more than half of all bytes."""

_Count = Annotated[int, msgspec.Meta(ge=0, le=TOKEN_COUNT_MAX)]


class _CacheCreation(msgspec.Struct, gc=False):
    ephemeral_5m_input_tokens: _Count | None = None
    ephemeral_1h_input_tokens: _Count | None = None


class _Usage(msgspec.Struct, gc=False):
    input_tokens: _Count | None = None
    output_tokens: _Count | None = None
    cache_creation_input_tokens: _Count | None = None
    cache_read_input_tokens: _Count | None = None
    cache_creation: _CacheCreation | None = None


class _Message(msgspec.Struct, gc=False):
    id: MessageId | None = None
    model: str | None = None
    usage: _Usage | None = None


class _Spoken(msgspec.Struct, rename="camel", gc=False):
    """What the model said in one line: a line of its own, or (until early 2026) inside a progress line."""

    timestamp: str | None = None
    request_id: RequestId | None = None
    uuid: object = None
    message: _Message | None = None
    is_api_error_message: object = None


class _Assistant(_Spoken, rename="camel", gc=False):
    type: object = None
    session_id: SessionId | None = None
    cwd: str | None = None
    is_sidechain: bool | None = None

    @property
    def spoken(self) -> _Spoken | None:
        return self


class _ProgressData(msgspec.Struct, gc=False):
    message: _Spoken | None = None


class _Progress(msgspec.Struct, rename="camel", gc=False):
    session_id: SessionId | None = None
    cwd: str | None = None
    is_sidechain: bool | None = None
    data: _ProgressData | None = None

    @property
    def spoken(self) -> _Spoken | None:
        return self.data.message if self.data else None


class _Either(_Assistant, rename="camel", gc=False):
    """A line of any type whose fields are all as expected, in one decoding."""

    data: _ProgressData | None = None

    @property
    def spoken(self) -> _Spoken | None:
        if self.type == "assistant":
            return self
        return self.data.message if self.type == "progress" and self.data else None


class _Kind(msgspec.Struct, gc=False):
    type: object = None


class _TextBlock(msgspec.Struct, gc=False):
    text: str = ""


class _Content(msgspec.Struct, gc=False):
    content: str | list[_TextBlock] = ""


class _Notice(msgspec.Struct, gc=False):
    """The words of an assistant line; decoded only where they may say that a limit was hit."""

    message: _Content


_decode_either = msgspec.json.Decoder(_Either).decode
_decode_assistant = msgspec.json.Decoder(_Assistant).decode
_decode_progress = msgspec.json.Decoder(_Progress).decode
_decode_kind = msgspec.json.Decoder(_Kind).decode
_decode_notice = msgspec.json.Decoder(_Notice).decode


def decode(block: bytes, batch: Batch, zone: tzinfo | None = None) -> Counts:
    """Take a block of complete lines into ``batch``: usage events, limit hits, the latest instant.

    The counts are returned, not added. ``zone`` is where a limit message that names none was written; None
    is the machine's own.
    """
    lines = malformed = start = 0
    before: _Assistant | None = None
    end = block.find(b"\n")
    while end >= 0:
        lines += 1
        # Usage stands near the end of its line; and a line that is not cut out costs nothing.
        marked = (end - start < _LONG_LINE_BYTES or not _is_of_another_type(block, start)) and block.rfind(
            _MARKER, start, end
        ) >= 0
        is_whole = block[start] == OPEN and block[end - 1] == CLOSE
        if marked or not is_whole:
            line = block[start:end] if is_whole else stripped(block[start:end])
            if not line:
                lines -= 1
            elif not is_object(line):
                malformed += 1
            elif marked:
                try:
                    before = _take(line, before, batch, zone)
                except UNDECODABLE:
                    malformed += 1
        start = end + 1
        end = block.find(b"\n", start)
    return Counts(lines, malformed)


def _is_of_another_type(block: bytes, start: int) -> bool:
    """Whether the line that starts here can be no call's, by its head alone.

    Where no object is open but the line's own, a type is the line's: inside a string its quotes would be
    escaped. Where it stands behind the message, a user's message begins with its role. (A tool result may
    hold a ``usage``: that of a call which has lines of its own.)
    """
    inner = block.find(b"{", start + 1, start + _HEAD_BYTES)
    if inner < 0:
        return False
    at = block.find(_TYPE, start, inner)
    if at < 0:
        return block.startswith(_OF_USER, inner - _OF_USER.index(b"{"))
    return not block.startswith(_OF_CALL, at + len(_TYPE))


def _take(line: bytes, before: _Assistant | None, batch: Batch, zone: tzinfo | None) -> _Assistant | None:
    """Take one line; it is returned, or ``before`` is, if the last event of the batch is its call.

    Raises what ``UNDECODABLE`` lists.
    """
    require_utf8(line)
    try:
        outer: _Assistant | _Progress | None = _decode_either(line)
    except UNDECODABLE:
        outer = _decoded_by_type(line)
    if outer is None:
        return before
    # Nearly all that speak of usage are an assistant's: a property costs as much as all other questions.
    spoken = outer if isinstance(outer, _Assistant) and outer.type == "assistant" else outer.spoken
    if spoken is None or (message := spoken.message) is None:
        return before
    usage = message.usage
    if before is not None and usage is not None and _is_later_line(outer, before):
        if message != before.message:
            instant(outer.timestamp or "")
            call = batch.usage[-1]
            batch.usage[-1] = UsageEvent(*call[:7], call.tokens.most(_tokens(usage)))
        return outer
    model = intern(message.model or "")
    # Old lines lack the flag; where it is false the words are no error ("No response requested.").
    flag = spoken.is_api_error_message
    if flag is True or (flag is None and model == "<synthetic>"):
        _take_limit_hit(line, spoken.timestamp or "", batch, zone)
    # Claude Code's own words come from a model in angle brackets, with zeros for usage.
    if usage is None or model[:1] == "<":
        return before
    at = instant(spoken.timestamp or "")
    batch.usage.append(
        UsageEvent(
            message.id or _identity(spoken),
            spoken.request_id or _NO_REQUEST,
            at,
            SessionId(intern(outer.session_id or "")),
            model,
            intern(outer.cwd or ""),
            outer.is_sidechain is True,
            _tokens(usage),
        )
    )
    batch.latest = max(batch.latest, at)
    return spoken if isinstance(spoken, _Assistant) else None


def _is_later_line(outer: _Assistant | _Progress, before: _Assistant) -> TypeGuard[_Assistant]:
    """Whether a line is of the same call as the one before, and later, so that it can only add tokens.

    (Texts of equal length that end in Z are in order as their times are.)
    """
    if not isinstance(outer, _Assistant) or (message := outer.message) is None or before.message is None:
        return False
    was_at, at = before.timestamp, outer.timestamp
    return (
        before.request_id == outer.request_id
        and before.message.id == message.id
        and before.message.model == message.model
        and before.session_id == outer.session_id
        and before.cwd == outer.cwd
        and before.is_sidechain == outer.is_sidechain
        and before.type == outer.type
        and outer.is_api_error_message is not True
        and bool(outer.request_id or message.id)
        and was_at is not None
        and at is not None
        and len(was_at) == len(at)
        and was_at <= at
        and was_at.endswith("Z")
        and at.endswith("Z")
    )


def _decoded_by_type(line: bytes) -> _Assistant | _Progress | None:
    """A line that has lone surrogates, or unexpected shapes in what its type gives no meaning to."""
    try:
        outer = _decode_assistant(line)
        kind = outer.type
        if kind == "assistant":
            return outer
    except msgspec.DecodeError:
        line = mended(line)
        kind = _decode_kind(line).type
        if kind == "assistant":
            return _decode_assistant(line)
    return _decode_progress(line) if kind == "progress" else None


def _identity(spoken: _Spoken) -> MessageId:
    """What stands for the id of a message that has none: a prefix keeps it from ever meeting one."""
    if spoken.request_id:
        return MessageId("request:" + spoken.request_id)
    if spoken.uuid and isinstance(spoken.uuid, str):
        return MessageId("uuid:" + spoken.uuid)
    raise ValueError("usage without an identity")


def _tokens(usage: _Usage) -> Tokens:
    """Before 2.1.152 the flat field could be 0 while the nested ones were not; later both say the same."""
    cache_write, nested = usage.cache_creation_input_tokens or 0, usage.cache_creation
    if nested is not None:
        parts = (nested.ephemeral_5m_input_tokens or 0) + (nested.ephemeral_1h_input_tokens or 0)
        if parts > cache_write:
            cache_write = parts
            if parts > TOKEN_COUNT_MAX:
                raise ValueError("more cache writes than can be")
    return Tokens(
        usage.input_tokens or 0, usage.output_tokens or 0, cache_write, usage.cache_read_input_tokens or 0
    )


def _take_limit_hit(line: bytes, timestamp: str, batch: Batch, zone: tzinfo | None) -> None:
    """Take what the words say; of an unknown shape (in progress lines too) or time they say nothing."""
    try:
        content = _decode_notice(mended(line)).message.content
        at = instant(timestamp)
    except UNDECODABLE:
        return
    texts = [content] if isinstance(content, str) else [block.text for block in content]
    reading = limit_text.read("\n".join(texts), at, zone)
    if reading is not None:
        batch.readings.append(reading)
        batch.latest = max(batch.latest, reading.received_at)
