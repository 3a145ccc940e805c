"""One line in, one line out: what JSON-RPC 2.0 asks of a server, apart from any socket.

The envelope is decoded here; its parameters stay as they came until whoever carries the request out takes
them in (``params``).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal, NamedTuple, NewType, TypeAlias

import msgspec

from quotad import wire
from quotad.ipc.params import NOT_JSON, P, Validation
from quotad.wire.methods import Result

Encoded = NewType("Encoded", bytes)
"""A result as JSON in UTF-8 on one line, made once and sent to many."""

Answer: TypeAlias = "Result | Encoded"

Call: TypeAlias = Callable[[bytes], "Awaitable[Answer]"]
"""Carries out a request with these parameters, undecoded."""

NO_PARAMS = b"{}"

ID_CHARACTERS_MAX = 256
MESSAGE_CHARACTERS_MAX = 1000

_log = logging.getLogger(__name__)


class Method:
    """What carries out the requests of one name."""

    def __init__(self, params: type[P], answer: Callable[[P], Awaitable[Answer]]) -> None:
        """``answer`` gets validated parameters; it may raise ``wire.Refusal``."""
        self.params: type[object] = params
        validation = Validation(params)

        async def call(raw: bytes) -> Answer:
            return await answer(await validation.validated(raw))

        self.call: Call = call


Methods = Mapping[str, Method]


class Request(NamedTuple):
    """A well-formed request; ``params`` is the JSON of an object. A notification gets no reply."""

    id: wire.RequestId
    notification: bool
    method: str
    params: bytes


class Malformed(NamedTuple):
    """A line that is no request, and the error it is answered with."""

    id: wire.RequestId
    code: int
    message: str


class _Envelope(msgspec.Struct, forbid_unknown_fields=True):
    jsonrpc: Literal["2.0"]
    method: str
    id: str | int | msgspec.UnsetType | None = msgspec.UNSET
    params: msgspec.Raw = msgspec.Raw(NO_PARAMS)


_envelope = msgspec.json.Decoder(_Envelope)
_anything = msgspec.json.Decoder()


def decode(line: bytes) -> Request | Malformed:
    """What the line asks, or what is wrong with it."""
    try:
        envelope = _envelope.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        return _malformed(line, fault)
    identity = None if envelope.id is msgspec.UNSET else envelope.id
    if not _echoable(identity):
        return Malformed(
            None, wire.INVALID_REQUEST, "id must be a string of 256 characters or a 64-bit integer"
        )
    params = bytes(envelope.params)
    if params and not params.startswith(b"{"):
        return Malformed(identity, wire.INVALID_PARAMS, "params must be an object")
    return Request(identity, envelope.id is msgspec.UNSET, envelope.method, params)


def _malformed(line: bytes, fault: Exception) -> Malformed:
    try:
        message: object = _anything.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Malformed(None, wire.PARSE_ERROR, NOT_JSON)
    if isinstance(message, list):
        return Malformed(None, wire.INVALID_REQUEST, "batches are not answered: send one request a line")
    identity = message.get("id") if isinstance(message, dict) else None
    known = identity if isinstance(identity, str | int) and not isinstance(identity, bool) else None
    return Malformed(known if _echoable(known) else None, wire.INVALID_REQUEST, str(fault))


def _echoable(identity: wire.RequestId) -> bool:
    match identity:
        case None:
            return True
        case str():
            return len(identity) <= ID_CHARACTERS_MAX
        case int():
            return -(2**63) <= identity < 2**63


async def reply(request: Request, call: Call) -> bytes:
    """The line that answers ``request``, whatever happens."""
    try:
        line = result_line(request.id, await call(request.params))
    except wire.Refusal as refusal:
        return error_line(request.id, refusal.code, refusal.message, refusal.reason)
    except Exception:  # noqa: BLE001 - one of the project's two
        # A bug in answering one request must not take the daemon from everybody else: the asker is told, the
        # log gets the traceback, and the state is as good as before, because only the engine changes it.
        _log.exception("a request for %r failed", request.method)
        return error_line(request.id, wire.REFUSED, "quotad failed; its log says more", "internal")
    if len(line) > wire.REPLY_BYTES_MAX:
        return error_line(request.id, wire.REFUSED, "the reply would be too large: ask for less", "too-large")
    return line


def result_line(identity: wire.RequestId, result: Answer) -> bytes:
    """A reply. Text that is no Unicode (a path of raw bytes) is shown with ``?``, never a failure."""
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}\n' % (_json(identity), encoded(result))


def error_line(
    identity: wire.RequestId, code: int, message: str, reason: wire.RefusalCode | None = None
) -> bytes:
    """A reply to a request that gets no result."""
    error: wire.ErrorReply = {"code": code, "message": message[:MESSAGE_CHARACTERS_MAX]}
    if reason is not None:
        error["data"] = {"code": reason}
    return b'{"jsonrpc":"2.0","id":%b,"error":%b}\n' % (_json(identity), _json(error))


def change_line(number: int, status: Answer) -> bytes:
    """A ``status`` notification to a subscriber."""
    return b'{"jsonrpc":"2.0","method":"status","params":%b}\n' % change(number, status)


def change(number: int, status: Answer) -> Encoded:
    """A ``wire.StatusChange``."""
    return Encoded(b'{"seq":%d,"status":%b}' % (number, encoded(status)))


def encoded(result: Answer) -> Encoded:
    """A result as it is sent."""
    return Encoded(result) if isinstance(result, bytes) else Encoded(_json(result))


def _json(value: object) -> bytes:
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        # Half a character, in a path of raw bytes.
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode(errors="replace")
