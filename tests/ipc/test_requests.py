"""What a line asks, and what it is answered, apart from any socket."""

from __future__ import annotations

import json
import logging
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotad import wire
from quotad.ipc.requests import (
    ID_CHARACTERS_MAX,
    Answer,
    Encoded,
    Malformed,
    Method,
    Request,
    change_line,
    decode,
    reply,
)


def _line(**members: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "method": "status", **members}).encode()


def _request(raw: bytes = b"{}", identity: wire.RequestId = 1) -> Request:
    return Request(identity, notification=False, method="sync", params=raw)


async def _sync(params: wire.SyncParams) -> wire.SyncReply:
    return {"caught_up": True, "seconds": params.timeout}


async def _answered(answer: object) -> dict[str, Any]:
    """The reply to a request whose method returns ``answer``, or raises it."""

    async def call(_: bytes) -> Answer:
        if isinstance(answer, BaseException):
            raise answer
        return cast("Answer", answer)

    message: dict[str, Any] = json.loads(await reply(_request(), call))
    return message


async def _params(method: Method, raw: bytes) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(await reply(_request(raw), method.call))
    return message


@pytest.mark.parametrize(
    "identity", ["a", "", 0, 1, -1, 2**63 - 1, -(2**63), None, "\u2028é", "x" * ID_CHARACTERS_MAX]
)
def test_an_id_is_kept(identity: wire.RequestId) -> None:
    """A request's id is a string, a 64-bit integer or null, and is echoed as it came."""
    assert Request(identity, notification=False, method="status", params=b"{}") == decode(_line(id=identity))


@pytest.mark.parametrize(
    "identity", [1.0, True, [], {}, 2**63, -(2**63) - 1, 10**400, "x" * (ID_CHARACTERS_MAX + 1)]
)
def test_another_id_is_refused(identity: object) -> None:
    """What is no such id makes the request invalid and is answered with a null id."""
    refused = decode(_line(id=identity))
    assert isinstance(refused, Malformed)
    assert (None, wire.INVALID_REQUEST) == refused[:2]


def test_without_an_id_it_is_a_notification() -> None:
    """A missing id is another thing than a null one."""
    assert Request(None, notification=True, method="status", params=b"{}") == decode(_line())


def test_an_id_given_twice_counts_last() -> None:
    """Duplicate members are no error; the last one counts."""
    line = b'{"jsonrpc":"2.0","method":"status","id":1,"id":2,"params":{"a":1},"params":{ }}'
    assert Request(2, notification=False, method="status", params=b"{ }") == decode(line)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"   ",
        b"{",
        b"nonsense",
        b'{"jsonrpc":"2.0","method":"status"',
        b'{"jsonrpc":"2.0","method":"status"} {}',
        b'\xef\xbb\xbf{"jsonrpc":"2.0","method":"status"}',
        b'{"jsonrpc":"2.0","method":"\xff"}',
        b'{"jsonrpc":"2.0","method":"\\ud800"}',
        b'{"jsonrpc":"2.0","method":"status","id":NaN}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"9" * 5000,
    ],
    ids=lambda line: repr(line[:40]),
)
def test_what_is_not_json_is_a_parse_error(line: bytes) -> None:
    """A line that is not one JSON value in UTF-8 is answered so, with a null id."""
    assert (None, wire.PARSE_ERROR) == decode(line)[:2]


@pytest.mark.parametrize(
    ("line", "identity"),
    [
        (b"null", None),
        (b"5", None),
        (b'"status"', None),
        (b"[]", None),
        (b'[{"jsonrpc":"2.0","method":"status","id":1}]', None),
        (b"{}", None),
        (b'{"id":7}', 7),
        (b'{"jsonrpc":"2.0","id":7}', 7),
        (b'{"jsonrpc":"1.0","method":"status","id":7}', 7),
        (b'{"jsonrpc":"2.0","method":5,"id":7}', 7),
        (b'{"jsonrpc":"2.0","result":5,"id":"seven"}', "seven"),
        (b'{"jsonrpc":"2.0","method":"status","id":7,"surplus":1}', 7),
        (b'{"method":"status","id":true}', None),
    ],
)
def test_json_that_is_no_request_is_invalid(line: bytes, identity: wire.RequestId) -> None:
    """It is answered with the id if there is one."""
    assert (identity, wire.INVALID_REQUEST) == decode(line)[:2]


def test_a_batch_is_refused_in_words() -> None:
    """Whoever sends a batch learns what to send instead."""
    refused = decode(b"[{}]")
    assert isinstance(refused, Malformed)
    assert "batches are not answered: send one request a line" == refused.message


@pytest.mark.parametrize("params", [b"[]", b"null", b"5", b'"x"', b"true"])
def test_params_must_be_an_object(params: bytes) -> None:
    """Parameters have names."""
    line = b'{"jsonrpc":"2.0","method":"status","id":7,"params": %b }' % params
    assert Malformed(7, wire.INVALID_PARAMS, "params must be an object") == decode(line)


@given(st.binary(max_size=80) | st.text(max_size=80).map(lambda text: text.encode(errors="surrogatepass")))
def test_no_line_fails(line: bytes) -> None:
    """Whatever a line holds, it is a request or is refused."""
    assert isinstance(decode(line), Request | Malformed)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
members = st.sampled_from(["jsonrpc", "id", "method", "params", "x"])


@given(st.dictionaries(members, json_values | st.sampled_from(["2.0", "status"])))
async def test_no_json_fails(message: dict[str, object]) -> None:
    """Any JSON value in any member is answered, by a line of JSON in UTF-8."""
    request = decode(json.dumps(message).encode())
    if isinstance(request, Request):
        line = await reply(request, Method(wire.SyncParams, _sync).call)
        assert "2.0" == json.loads(line)["jsonrpc"]


@pytest.mark.parametrize(
    ("raw", "seconds"), [(b"{}", 60.0), (b"{ }", 60.0), (b'{"timeout":1}', 1.0), (b'{"timeout":2.5}', 2.5)]
)
async def test_params_are_validated_values(raw: bytes, seconds: float) -> None:
    """A method gets its dataclass, with defaults where nothing was said."""
    message = await _params(Method(wire.SyncParams, _sync), raw)
    assert {"caught_up": True, "seconds": seconds} == message["result"]


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b'{"timeout":"5"}', "timeout"),
        (b'{"timeout":true}', "timeout"),
        (b'{"timeout":null}', "timeout"),
        (b'{"timeout":[]}', "timeout"),
        (b'{"timeout":1e999}', "timeout"),
        (b'{"timeout":%b}' % (b"9" * 400), "timeout"),
        (b'{"time out":5}', "time out"),
        (b'{"":5}', ""),
    ],
)
async def test_wrong_params_are_named(raw: bytes, name: str) -> None:
    """Invalid parameters are strict, and the message begins with the name of the one that is wrong."""
    message = await _params(Method(wire.SyncParams, _sync), raw)
    assert wire.INVALID_PARAMS == message["error"]["code"]
    assert message["error"]["message"].startswith(f"{name}: ")


@pytest.mark.parametrize(
    "raw", [b'{"timeout":%b}' % (b"9" * 5000), b'{"a":"\xff"}', b'{"a":"\\ud800"}', b'{"timeout":NaN']
)
async def test_params_that_are_not_json_are_a_parse_error(raw: bytes) -> None:
    """What only a closer look finds not to be JSON is answered as such."""
    assert wire.PARSE_ERROR == (await _params(Method(wire.SyncParams, _sync), raw))["error"]["code"]


async def test_a_choice_is_named_with_what_is_possible() -> None:
    """A wrong choice lists the right ones."""

    async def history(_: wire.HistoryParams) -> list[wire.HistoryRow]:
        return []

    message = await _params(Method(wire.HistoryParams, history), b'{"by":"year","utc":1}')
    by, utc = message["error"]["message"].split("; ")
    assert "by: Input should be 'day', 'window', 'model', 'project' or 'session'" == by
    assert "utc: Input should be a valid boolean" == utc


async def test_a_long_name_is_cut() -> None:
    """A wrong parameter's name does not come back in full."""
    message = await _params(Method(wire.SyncParams, _sync), b'{"%b":5}' % (b"x" * 100_000))
    assert len(message["error"]["message"]) < 200


async def test_a_refusal_becomes_its_error() -> None:
    """What a method refuses is told with its code, its words and its reason."""
    refusal = wire.Refusal(wire.REFUSED, "not now", "busy")
    assert {"code": wire.REFUSED, "message": "not now", "data": {"code": "busy"}} == (
        await _answered(refusal)
    )["error"]


async def test_a_refusal_may_have_no_reason() -> None:
    """The protocol's own errors carry no data."""
    refusal = wire.Refusal(wire.INVALID_PARAMS, "since: no date")
    assert {"code": wire.INVALID_PARAMS, "message": "since: no date"} == (await _answered(refusal))["error"]


async def test_a_bug_is_told_to_the_asker_and_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """An unforeseen error becomes an internal error, and its traceback is logged."""
    message = await _answered(ZeroDivisionError("by zero"))
    assert (wire.REFUSED, {"code": "internal"}) == (message["error"]["code"], message["error"]["data"])
    assert [(logging.ERROR, True)] == [
        (record.levelno, record.exc_info is not None) for record in caplog.records
    ]


async def test_what_is_no_number_is_null() -> None:
    """NaN, which is no JSON, never leaves the daemon."""
    assert {"percent": None} == (await _answered({"percent": float("nan")}))["result"]


async def test_text_that_is_no_unicode_is_shown() -> None:
    """A path with raw bytes in its name does not break a reply."""
    assert {"cwd": "/home/?"} == (await _answered({"cwd": "/home/\udcff"}))["result"]


async def test_encoded_results_are_sent_as_they_are() -> None:
    """What was encoded once is not encoded again."""
    assert {"a": [1, "é"]} == (await _answered(Encoded('{"a":[1,"é"]}'.encode())))["result"]


@pytest.mark.parametrize(("surplus", "sent"), [(0, True), (1, False)])
async def test_replies_have_a_limit(surplus: int, sent: bool) -> None:
    """A reply of the largest size is sent, one byte more is refused."""
    around = len(b'{"jsonrpc":"2.0","id":1,"result":""}\n')
    message = await _answered(Encoded(b'"%b"' % (b"x" * (wire.REPLY_BYTES_MAX - around + surplus))))
    assert sent == ("result" in message)
    assert sent or {"code": "too-large"} == message["error"]["data"]


def test_a_change_is_a_notification() -> None:
    """Subscribers get the status and its number, under no id."""
    message = json.loads(change_line(7, Encoded(b'{"schema":1}')))
    assert {"jsonrpc": "2.0", "method": "status", "params": {"seq": 7, "status": {"schema": 1}}} == message
