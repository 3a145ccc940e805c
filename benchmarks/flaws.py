"""What goes wrong in real transcripts, put into a corpus beside what is sound.

A flaw never damages a line that matters: it adds a line that must not count, or an odd one that must. So
the tally of the making stays the truth, whatever is broken.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import NamedTuple

from benchmarks.lines import Usage
from benchmarks.talk import Call, Talk

TOO_DEEP = 100_000
HOLE_BYTES = 4096
BOM = b"\xef\xbb\xbf"


class Piece(NamedTuple):
    """Bytes to insert between two lines, how many malformed lines they hold, and what they use."""

    data: bytes
    malformed: int = 0
    used: Usage | None = None


Flaw = Callable[[Talk], Piece]

WRONG_VALUES = (
    (rb'"input_tokens":\d+', b'"input_tokens":"12"'),
    (rb'"input_tokens":\d+', b'"input_tokens":-3'),
    (rb'"input_tokens":\d+', b'"input_tokens":9007199254740993'),
    (rb'"output_tokens":\d+', b'"output_tokens":true'),
    (rb'"output_tokens":\d+', b'"output_tokens":1.5'),
    (rb'"cache_read_input_tokens":\d+', b'"cache_read_input_tokens":[1]'),
    (rb'"cache_creation_input_tokens":\d+', b'"cache_creation_input_tokens":{}'),
    (rb'"usage":\{', b'"usage":[1],"meant":{'),
    (rb'"usage":\{', b'"usage":"much","meant":{'),
    (rb'"timestamp":"[^"]+"', b'"timestamp":1793610000000'),
    (rb'"timestamp":"[^"]+"', b'"timestamp":null'),
    (rb'"timestamp":"[^"]+"', b'"time":"2026-11-02T09:00:04.000Z"'),
    (rb'"timestamp":"[^"]+"', b'"timestamp":"2026-11-02T09:00:04.000"'),
    (rb'"timestamp":"[^"]+"', b'"timestamp":"yesterday"'),
    (rb'"timestamp":"[^"]+"', b'"timestamp":"2026-13-45T00:00:00Z"'),
    (rb'"id":"msg_[^"]+"', b'"id":12'),
    (rb'"model":"[^"]+"', b'"model":7'),
    (rb'"sessionId":"[^"]+"', b'"sessionId":[]'),
    (rb'"isSidechain":\w+', b'"isSidechain":"no"'),
)


def _wrong(pattern: bytes, value: bytes) -> Flaw:
    def flaw(talk: Talk) -> Piece:
        return Piece(re.sub(pattern, value, _unsaid(talk), count=1), malformed=1)

    return flaw


def _unsaid(talk: Talk) -> bytes:
    """A line of a call that nothing else speaks of: counting it shows at once."""
    return talk.raw_call(talk.new_call())


def _odd(talk: Talk, vary: Callable[[bytes], bytes]) -> Piece:
    """A sound call in an unusual form."""
    call = talk.new_call()
    return Piece(vary(talk.raw_call(call)), used=call.usage)


def _torn(talk: Talk) -> Piece:
    return Piece(_head(talk) + b"\n", malformed=1)


def _glued(talk: Talk) -> Piece:
    return Piece(_head(talk) + _unsaid(talk), malformed=1)


def _head(talk: Talk) -> bytes:
    line = _unsaid(talk)
    return line[: line.index(b'"usage"') + 12 + talk.stock.chance.getrandbits(5)].rstrip(b"}")


def _bad_utf8(talk: Talk) -> Piece:
    return Piece(_unsaid(talk).replace(b'"text":"', b'"text":"\xc3\x28\xff', 1), malformed=1)


def _cut_character(talk: Talk) -> Piece:
    return Piece(_unsaid(talk).replace(b'"text":"', b'"text":"\xe2\x82', 1), malformed=1)


def _hole_before_line(talk: Talk) -> Piece:
    return Piece(bytes(HOLE_BYTES) + _unsaid(talk), malformed=1)


def _hole(_talk: Talk) -> Piece:
    return Piece(bytes(HOLE_BYTES) + b"\n", malformed=1)


def _empty(_talk: Talk) -> Piece:
    return Piece(b"\n\r\n\n")


def _no_object(_talk: Talk) -> Piece:
    return Piece(b'[1,2]\nnull\n"usage"\n', malformed=3)


def _too_deep(talk: Talk) -> Piece:
    deep = b"[" * TOO_DEEP + b"]" * TOO_DEEP
    return Piece(_unsaid(talk).replace(b'"content":[', b'"content":[%b,' % deep, 1), malformed=1)


def _nan(talk: Talk) -> Piece:
    return Piece(_unsaid(talk).replace(b'"content":[', b'"content":[NaN,', 1), malformed=1)


def _future_type(talk: Talk) -> Piece:
    return Piece(_unsaid(talk).replace(b'"type":"assistant"', b'"type":"oracle"', 1))


def _no_model(talk: Talk) -> Piece:
    return Piece(re.sub(rb'"model":"[^"]+"', b'"model":"<synthetic>"', _unsaid(talk), count=1))


def _lone_surrogate(talk: Talk) -> Piece:
    return _odd(talk, lambda line: line.replace(b'"text":"', b'"text":"\\ud83d', 1))


def _spaced(talk: Talk) -> Piece:
    return _odd(talk, lambda line: json.dumps(json.loads(line)).encode() + b"\n")


def _no_sidechain_field(talk: Talk) -> Piece:
    return _odd(talk, lambda line: re.sub(rb'"isSidechain":\w+,', b"", line, count=1))


def _carriage_return(talk: Talk) -> Piece:
    return _odd(talk, lambda line: line.replace(b"\n", b"\r\n"))


def _marked(talk: Talk) -> Piece:
    """A byte order mark in the middle, as where files were concatenated."""
    return _odd(talk, lambda line: BOM + line)


def _null_counts(talk: Talk) -> Piece:
    call = talk.new_call()
    used = call.usage._replace(cache_read=0, input=0)
    line = talk.raw_call(call._replace(usage=used))
    line = line.replace(b'"input_tokens":0', b'"input_tokens":null', 1)
    return Piece(
        line.replace(b'"cache_read_input_tokens":0', b'"cache_read_input_tokens":null', 1), used=used
    )


def _no_tokens(talk: Talk) -> Piece:
    used = Usage(0, 0, 0, 0, 0, 0)
    return Piece(talk.raw_call(talk.new_call()._replace(usage=used)), used=used)


def _without_message_id(talk: Talk) -> Piece:
    return _odd(talk, lambda line: re.sub(rb'"id":"msg_[^"]+"', b'"id":""', line, count=1))


def _without_any_id(talk: Talk) -> Piece:
    call = talk.new_call()._replace(request=b"", message_id=b"")
    return Piece(talk.raw_call(call) * 2, used=call.usage)


def _timestamp(form: Callable[[datetime], str]) -> Flaw:
    def flaw(talk: Talk) -> Piece:
        text = form(datetime.fromtimestamp(talk.last_ms // 1000 - 1, UTC)).encode()
        return _odd(
            talk, lambda line: re.sub(rb'"timestamp":"[^"]+"', b'"timestamp":"%b"' % text, line, count=1)
        )

    return flaw


def _largest_first(talk: Talk) -> Piece:
    """Copies whose numbers shrink, and each of which is largest in another field."""
    call = talk.new_call()
    smaller = call.usage._replace(output=call.usage.output // 3)
    fewer = call.usage._replace(flat_write=0, nested_5m=0, nested_1h=0, cache_read=0)
    lines = [talk.raw_call(call._replace(usage=usage)) for usage in (smaller, fewer, smaller)]
    return Piece(b"".join(lines), used=call.usage)


def _latest_first(talk: Talk) -> Piece:
    call = talk.new_call()
    earlier = call._replace(at_ms=call.at_ms - 45_000)
    return Piece(talk.raw_call(call) + talk.raw_call(earlier), used=call.usage)


def _second_request(talk: Talk) -> Piece:
    """The same message under a later, larger request: the earliest stands, whichever comes first."""
    call = talk.new_call()
    later = _larger(call, talk.stock.request_id())._replace(at_ms=call.at_ms + 1)
    lines = [
        talk.raw_call(call._replace(at_ms=call.at_ms - 1)),
        talk.raw_call(later._replace(at_ms=call.at_ms)),
    ]
    return Piece(b"".join(lines if talk.stock.happens(0.5) else reversed(lines)), used=call.usage)


def _joined_without_request(talk: Talk) -> Piece:
    """A larger copy without a requestId joins the row that stands."""
    call = talk.new_call()
    larger = _larger(call, b"")
    return Piece(talk.raw_call(larger) + talk.raw_call(call), used=larger.usage)


def _larger(call: Call, request: bytes) -> Call:
    return call._replace(request=request, usage=call.usage._replace(output=call.usage.output * 2 + 100))


FLAWS: dict[str, Flaw] = {
    "torn line": _torn,
    "torn line glued to the next": _glued,
    "bad utf-8": _bad_utf8,
    "cut character": _cut_character,
    "hole before a line": _hole_before_line,
    "hole": _hole,
    "empty lines": _empty,
    "no object": _no_object,
    "too deep": _too_deep,
    "nan": _nan,
    "future type": _future_type,
    "no model": _no_model,
    "lone surrogate": _lone_surrogate,
    "spaced": _spaced,
    "no sidechain field": _no_sidechain_field,
    "carriage return": _carriage_return,
    "marked": _marked,
    "null counts": _null_counts,
    "no tokens": _no_tokens,
    "without message id": _without_message_id,
    "without any id": _without_any_id,
    "offset": _timestamp(lambda at: at.astimezone(timezone(timedelta(hours=5, minutes=45))).isoformat()),
    "microseconds": _timestamp(lambda at: at.isoformat().replace("+00:00", ".999999Z")),
    "whole seconds": _timestamp(lambda at: at.isoformat().replace("+00:00", "Z")),
    "space for T": _timestamp(lambda at: at.isoformat(sep=" ")),
    "largest first": _largest_first,
    "latest first": _latest_first,
    "second request": _second_request,
    "joined without request": _joined_without_request,
    **{f"wrong value {value.decode()}": _wrong(pattern, value) for pattern, value in WRONG_VALUES},
}
NAMES = tuple(FLAWS)


def damaged(talk: Talk, count: int, first: int) -> bytes:
    """The talk's bytes with ``count`` flaws from the table, starting at the ``first``, and a torn tail.

    Whole files of Windows line ends and files that begin with a byte order mark have their turns too.
    """
    tally = talk.stock.tally
    lines = list(talk.lines)
    for number in range(first, first + count):
        name = NAMES[number % len(NAMES)]
        if name == "too deep" and talk.stock.text_bytes_max < TOO_DEEP // 2:
            continue
        piece = FLAWS[name](talk)
        lines.insert(int(talk.stock.chance.random() * (len(lines) + 1)), piece.data)
        tally.flaws[name] += 1
        tally.malformed += piece.malformed
        if piece.used:
            tally.count(piece.used)
    data = b"".join(lines)
    if talk.stock.happens(0.1):
        data = data.replace(b"\n", b"\r\n").replace(b"\r\r\n", b"\r\n")
        tally.flaws["windows file"] += 1
    if talk.stock.happens(0.1) and not data.startswith(BOM):
        data = BOM + data
        tally.flaws["marked file"] += 1
    if talk.stock.happens(0.3):
        data += _head(talk)
        tally.flaws["torn tail"] += 1
    return data
