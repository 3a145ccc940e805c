"""Claude Code's transcripts: one JSON object a line, of which one in three speaks of usage.

Most lines are never decoded: ``"usage"`` with its quotes cannot stand inside a JSON string, where they would
be escaped, so its bytes tell which lines matter. Most of those say again what the line before said: only what
is new becomes an event.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, tzinfo
from sys import intern

import msgspec

from quotad.domain.cursor import Batch
from quotad.domain.usage import RequestId, SessionId, UsageEvent, make_event
from quotad.sources import limit_text
from quotad.sources.lines import CLOSE, OPEN, UNDECODABLE, Counts, is_object, mended, stripped
from quotad.sources.timestamp import instant_of
from quotad.sources.transcript_line import (
    NO_TIME,
    Line,
    Message,
    Spoken,
    decode_line,
    identity,
    loosely,
    tokens,
)

_MARKER = b'"usage"'
_NO_REQUEST = RequestId("")
_TYPE = b'"type":"'
_OF_CALL = (b'assistant"', b'progress"')
_OF_USER = b'"message":{"role":"user"'
_HEAD_BYTES = 600
_LONG_LINE_BYTES = 3_000
"""Longer lines are looked through only if their heads do not say that they are no call's: what tools have
read is more than half of all bytes."""


class _TextBlock(msgspec.Struct, gc=False):
    text: str = ""


class _Content(msgspec.Struct, gc=False):
    content: str | list[_TextBlock] = ""


class _Notice(msgspec.Struct, gc=False):
    """The words of an assistant line; decoded only where they may say that a limit was hit."""

    message: _Content


_decode_notice = msgspec.json.Decoder(_Notice).decode


class _Tally(msgspec.Struct, gc=False):
    lines: int = 0
    malformed: int = 0


def decode(block: bytes, batch: Batch, zone: tzinfo | None = None) -> Counts:
    """Take the complete lines of a block into ``batch``: usage events, limit hits, the latest instant.

    What stands behind the last newline is left. The counts are returned, not added. ``zone`` is where a limit
    message that names none was written; None is the machine's own.
    """
    tally = _Tally()
    # What the line of the last event said: most lines say it again, or more of the same call.
    message: Message | None = None
    request: RequestId | None = None
    session: SessionId | None = None
    written, is_sidechain = NO_TIME, None
    for text in _lines_that_matter(block, tally):
        try:
            if not text.isascii():
                text.decode()  # what ``require_utf8`` does: a call for each line is felt
            try:
                line = decode_line(text)
            except UNDECODABLE:
                line = loosely(text)
            if (
                # Of lines of one time all that they bear decides whose the call is.
                line.timestamp > written
                and line.request_id == request
                and line.session_id == session
                and line.is_sidechain == is_sidechain
                and line.type == "assistant"
                and line.is_api_error_message is not True
            ):
                if line.message == message:
                    continue
                if line.message is not None and _adds(line.message, message, batch):
                    message = line.message
                    continue
            if _take(line, text, batch, zone):
                written, request, message = line.timestamp, line.request_id, line.message
                session, is_sidechain = line.session_id, line.is_sidechain
                if line.type != "assistant" or message is None or not message.id:
                    message = None  # no line is another one of this call
        except UNDECODABLE:
            tally.malformed += 1
    return Counts(tally.lines, tally.malformed)


def _lines_that_matter(block: bytes, tally: _Tally) -> Iterator[bytes]:
    """Those lines that have to be decoded; the others are only counted."""
    lines = start = 0
    end = block.find(b"\n")
    while end >= 0:
        lines += 1
        # Usage stands near the end of its line; and a line that is not cut out costs nothing.
        marked = (end - start < _LONG_LINE_BYTES or not _is_of_another_type(block, start)) and block.rfind(
            _MARKER, start, end
        ) >= 0
        if block[start] == OPEN and block[end - 1] == CLOSE:
            if marked:
                yield block[start:end]
        else:
            line = stripped(block[start:end])
            if not line:
                lines -= 1
            elif not is_object(line):
                tally.malformed += 1
            elif marked:
                yield line
        start = end + 1
        end = block.find(b"\n", start)
    tally.lines = lines


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


def _adds(message: Message, before: Message | None, batch: Batch) -> bool:
    """Take a later line of the call whose event came last, if it is one: it can only add tokens."""
    if before is None or message.usage is None or (message.id, message.model) != (before.id, before.model):
        return False
    call = batch.usage[-1]
    batch.usage[-1] = call._replace(tokens=call.tokens.most(tokens(message.usage)))
    return True


def _take(line: Line, text: bytes, batch: Batch, zone: tzinfo | None) -> bool:
    """Take a line; whether it gave an event.

    Raises what ``UNDECODABLE`` lists.
    """
    spoken: Spoken | None = line
    if line.type != "assistant":
        spoken = line.data.message if line.type == "progress" and line.data else None
    if spoken is None or (message := spoken.message) is None:
        return False
    model = intern(message.model or "")
    # Old lines lack the flag; where it is false the words are no error ("No response requested.").
    flag = spoken.is_api_error_message
    if flag is True or (flag is None and model == "<synthetic>"):
        _take_limit_hit(text, spoken.timestamp, batch, zone)
    # Claude Code's own words come from a model in angle brackets, with zeros for usage.
    usage = message.usage
    if usage is None or model[:1] == "<":
        return False
    if spoken.timestamp is NO_TIME:
        raise ValueError("usage without a time")
    at = instant_of(spoken.timestamp)
    batch.usage.append(
        make_event(
            UsageEvent,
            (
                message.id or identity(spoken.request_id, text),
                spoken.request_id or _NO_REQUEST,
                at,
                SessionId(intern(line.session_id or "")),
                model,
                intern(line.cwd or ""),
                line.is_sidechain is True,
                tokens(usage),
            ),
        )
    )
    if at > batch.latest:  # noqa: PLR1730 - a call of max costs as much as the time itself
        batch.latest = at
    return True


def _take_limit_hit(text: bytes, said_at: datetime, batch: Batch, zone: tzinfo | None) -> None:
    """Take what the words say; of an unknown shape (in progress lines too), or without a time, nothing."""
    try:
        content = _decode_notice(mended(text)).message.content
    except UNDECODABLE:
        return
    texts = [content] if isinstance(content, str) else [block.text for block in content]
    reading = limit_text.read("\n".join(texts), instant_of(said_at), zone)
    if reading is not None:
        batch.readings.append(reading)
        batch.latest = max(batch.latest, reading.received_at)
