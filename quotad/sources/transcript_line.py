"""One line of a transcript: the shapes in which it says what a call used.

Claude Code's documentation calls the format internal, and it changes between releases, so nothing is expected
of a line but what is used here, and all that is used is optional. What is as expected is decoded in one go;
a line that is not, in parts, so that an odd field costs a call only where the field means something.

Counts are what JSON calls an integer: ``5.0`` is refused, as are negative ones and those over the maximum.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec

from quotad.domain.usage import TOKEN_COUNT_MAX, MessageId, RequestId, SessionId, Tokens, make_tokens
from quotad.sources.lines import mended
from quotad.sources.timestamp import moment

NO_TIME = datetime.min.replace(tzinfo=UTC)
"""The time of a line that has none."""

_Count = Annotated[int, msgspec.Meta(ge=0, le=TOKEN_COUNT_MAX)]
_Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""What is finer than a microsecond is rounded here, and cut off by ``moment``. (Claude Code writes
milliseconds.)"""


class _CacheCreation(msgspec.Struct, gc=False):
    ephemeral_5m_input_tokens: _Count | None = None
    ephemeral_1h_input_tokens: _Count | None = None


class Usage(msgspec.Struct, gc=False):
    """What a call used."""

    input_tokens: _Count | None = None
    output_tokens: _Count | None = None
    cache_creation_input_tokens: _Count | None = None
    cache_read_input_tokens: _Count | None = None
    cache_creation: _CacheCreation | None = None


class Message(msgspec.Struct, gc=False):
    """What the API answered, or a part of it."""

    id: MessageId | None = None
    model: str | None = None
    usage: Usage | None = None


class Spoken(msgspec.Struct, rename="camel", gc=False):
    """What the model said in one line: a line of its own, or (until early 2026) inside a progress line."""

    timestamp: _Moment = NO_TIME
    request_id: RequestId | None = None
    message: Message | None = None
    is_api_error_message: object = None


class Progress(msgspec.Struct, gc=False):
    """What a progress line wraps."""

    message: Spoken | None = None


class Line(Spoken, rename="camel", gc=False):
    """A line of which all that is looked at is as expected: nearly every one, in one decoding."""

    type: Literal["assistant", "progress"] | None = None
    session_id: SessionId | None = None
    cwd: str | None = None
    is_sidechain: bool | None = None
    data: Progress | None = None


class _Kind(msgspec.Struct, gc=False):
    type: object = None


class _Place(msgspec.Struct, rename="camel", gc=False):
    """Where a line was said."""

    session_id: SessionId | None = None
    cwd: str | None = None
    is_sidechain: bool | None = None


class _LooselySpoken(msgspec.Struct, rename="camel", gc=False):
    timestamp: str | None = None
    request_id: RequestId | None = None
    message: Message | None = None
    is_api_error_message: object = None
    uuid: object = None


class _LooseData(msgspec.Struct, gc=False):
    message: _LooselySpoken | None = None


class _LooseProgress(msgspec.Struct, gc=False):
    data: _LooseData | None = None


decode_line = msgspec.json.Decoder(Line).decode
_decode_kind = msgspec.json.Decoder(_Kind).decode
_decode_place = msgspec.json.Decoder(_Place).decode
_decode_spoken = msgspec.json.Decoder(_LooselySpoken).decode
_decode_progress = msgspec.json.Decoder(_LooseProgress).decode


def loosely(text: bytes) -> Line:
    """A line with unexpected shapes in what its type gives no meaning to.

    It is given as if it were one of progress, which is never taken for a repetition; without a type if that
    is none of ours. Raises what ``UNDECODABLE`` lists.
    """
    spoken = _loosely_spoken(text)
    if spoken is None:
        return Line()
    try:
        at = moment(spoken.timestamp or "")
    except ValueError:
        at = NO_TIME
    inner = Spoken(at, spoken.request_id, spoken.message, spoken.is_api_error_message)
    place = _decode_place(mended(text))
    return Line(
        type="progress",
        data=Progress(inner),
        session_id=place.session_id,
        cwd=place.cwd,
        is_sidechain=place.is_sidechain,
    )


def _loosely_spoken(text: bytes) -> _LooselySpoken | None:
    try:
        kind = _decode_kind(text).type
    except msgspec.DecodeError:
        text = mended(text)
        kind = _decode_kind(text).type
    if kind == "assistant":
        return _decode_spoken(text)
    data = _decode_progress(text).data if kind == "progress" else None
    return data.message if data else None


def identity(request: RequestId | None, text: bytes) -> MessageId:
    """What stands for the id of a message that has none: a prefix keeps it from ever meeting one.

    Raises ValueError when there is nothing to tell the call by.
    """
    if request:
        return MessageId("request:" + request)
    spoken = _loosely_spoken(text)
    if spoken is not None and spoken.uuid and isinstance(spoken.uuid, str):
        return MessageId("uuid:" + spoken.uuid)
    raise ValueError("usage without an identity")


def tokens(usage: Usage) -> Tokens:
    """The tokens that a line speaks of. Raises ValueError when there are more than can be.

    Before 2.1.152 the flat field could be 0 while the nested ones were not; later both say the same.
    """
    cache_write, nested = usage.cache_creation_input_tokens or 0, usage.cache_creation
    if nested is not None:
        parts = (nested.ephemeral_5m_input_tokens or 0) + (nested.ephemeral_1h_input_tokens or 0)
        if parts > cache_write:
            cache_write = parts
            if parts > TOKEN_COUNT_MAX:
                raise ValueError("more cache writes than can be")
    return make_tokens(
        Tokens,
        (usage.input_tokens or 0, usage.output_tokens or 0, cache_write, usage.cache_read_input_tokens or 0),
    )
