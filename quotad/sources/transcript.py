"""Claude Code's transcripts: one JSON object a line, of which one in three speaks of usage.

Claude Code's documentation calls the format internal, and it changes between releases, so nothing is expected
of a line but what is used here. Most lines are never decoded: ``"usage"`` with its quotes cannot stand inside
a JSON string, where they would be escaped, so its bytes tell which lines matter. Those are decoded straight
into the few fields below; msgspec passes over the rest.

Counts are what JSON calls an integer: ``5.0`` is refused, as are negative ones and those over the maximum.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from sys import intern
from typing import Annotated

import msgspec

from quotad.domain.cursor import Batch
from quotad.domain.usage import TOKEN_COUNT_MAX, MessageId, RequestId, SessionId, Tokens, UsageEvent
from quotad.sources import limit_text
from quotad.sources.lines import CLOSE, OPEN, UNDECODABLE, Counts, is_object, mended, require_utf8, stripped
from quotad.sources.timestamp import instant

_MARKER = b'"usage"'
_NO_REQUEST = RequestId("")
_USER = b'"type":"user"'
_HEAD_BYTES = 300
_LONG_LINE_BYTES = 2_000
"""Longer lines are looked through only if their heads do not say that they are a user's: what tools have read
is two fifths of all bytes."""

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


_decode_lines = msgspec.json.Decoder(_Either).decode_lines
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
    chosen: list[bytes] = []
    end = block.find(b"\n")
    while end >= 0:
        lines += 1
        # Usage stands near the end of its line; and a line that is not cut out costs nothing.
        marked = (end - start < _LONG_LINE_BYTES or not _is_of_user(block, start)) and block.rfind(
            _MARKER, start, end
        ) >= 0
        if block[start] == OPEN and block[end - 1] == CLOSE:
            if marked:
                chosen.append(block[start:end])
        elif line := stripped(block[start:end]):
            if not is_object(line):
                malformed += 1
            elif marked:
                chosen.append(line)
        else:
            lines -= 1
        start = end + 1
        end = block.find(b"\n", start)
    return Counts(lines, malformed + _take_all(chosen, batch, zone))


def _is_of_user(block: bytes, start: int) -> bool:
    """Whether the line that starts here is a user's, by its head alone.

    Where no object is open but the line's own, this is the line's type: inside a string its quotes would be
    escaped. (A tool result may hold a ``usage``: that of a call which has lines of its own.)
    """
    at = block.find(_USER, start, start + _HEAD_BYTES)
    return at >= 0 and block.find(b"{", start + 1, at) < 0


def _take_all(lines: list[bytes], batch: Batch, zone: tzinfo | None) -> int:
    """Take lines that speak of usage; how many of them could not be read."""
    malformed = 0
    before: _Assistant | None = None
    for line, decoded in zip(lines, _together(lines), strict=True):
        try:
            outer = decoded or _alone(line)
            if outer is not None and (before is None or not _adds_nothing(before, outer)):
                before = _take(line, outer, batch, zone) or before
        except UNDECODABLE:
            malformed += 1
    return malformed


def _together(lines: list[bytes]) -> Sequence[_Either | None]:
    """All lines decoded in one go, for less than they cost one by one; None for one that is unusual."""
    try:
        b"".join([line for line in lines if not line.isascii()]).decode()
        outers = _decode_lines(b"\n".join(lines))
    except UNDECODABLE:
        outers = []
    # A value ends where it ends: two of them may stand in one line.
    if len(outers) == len(lines):
        return outers
    half = len(lines) // 2
    return [*_together(lines[:half]), *_together(lines[half:])] if half else [None]


def _take(line: bytes, outer: _Assistant | _Progress, batch: Batch, zone: tzinfo | None) -> _Assistant | None:
    """Take one line; what it said, if that is the last event of the batch now.

    Raises what ``UNDECODABLE`` lists.
    """
    if (spoken := outer.spoken) is None or (message := spoken.message) is None:
        return None
    model = intern(message.model or "")
    # Old lines lack the flag; where it is false the words are no error ("No response requested.").
    flag = spoken.is_api_error_message
    if flag is True or (flag is None and model == "<synthetic>"):
        _take_limit_hit(line, spoken.timestamp or "", batch, zone)
    # Claude Code's own words come from a model in angle brackets, with zeros for usage.
    if (usage := message.usage) is None or model[:1] == "<":
        return None
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
    return outer if outer is spoken else None


def _adds_nothing(one: _Assistant, other: _Assistant | _Progress) -> bool:
    """Whether the other line is the same event, or would be but for a later time: a call has several lines.

    (Texts of equal length that end in Z are in order as their times are.)
    """
    return (
        isinstance(other, _Assistant)
        and one.message == other.message
        and one.request_id == other.request_id
        and one.session_id == other.session_id
        and one.cwd == other.cwd
        and one.is_sidechain == other.is_sidechain
        and one.type == other.type
        and other.is_api_error_message is not True
        and bool(other.request_id or (other.message and other.message.id))
        and _is_in_order(one.timestamp or "", other.timestamp or "")
    )


def _is_in_order(one: str, other: str) -> bool:
    return one <= other and len(one) == len(other) and one[-1:] == "Z" == other[-1:]


def _alone(line: bytes) -> _Assistant | _Progress | None:
    """The decoded line; None if it is of another type, whatever the shapes inside."""
    require_utf8(line)
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
    cache_write = usage.cache_creation_input_tokens or 0
    nested = usage.cache_creation
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
