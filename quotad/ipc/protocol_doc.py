"""Writes ``docs/protocol.md`` from the types of ``wire``, so that the page cannot say something else.

``python -m quotad.ipc.protocol_doc [FILE]``. The page is made from annotations and docstrings alone, without
a library whose next version words things differently.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path
from types import NoneType, UnionType
from typing import Literal, NamedTuple, Union, get_args, get_origin, get_type_hints, is_typeddict

from quotad import wire
from quotad.wire import planned_replies as planned
from quotad.wire import replies
from quotad.wire.methods import METHODS

RESULTS: dict[str, object] = {
    "hello": replies.Hello,
    "status": replies.StatusReply,
    "sync": replies.SyncReply,
    "subscribe": replies.StatusChange,
    "history": list[replies.HistoryRow],
    "doctor": replies.DoctorReply,
    "notify.test": replies.NotifyTestReply,
    "reload": replies.Done,
    "shutdown": replies.Done,
    "queue.list": planned.QueueListReply,
    "queue.show": planned.QueueShowReply,
    "queue.add": planned.PlannedReply,
    "queue.edit": planned.PlannedReply,
    "queue.remove": planned.PlannedReply,
    "queue.done": planned.PlannedReply,
    "queue.import": planned.ImportReply,
    "queue.export": replies.Exported,
    "next": planned.DecisionReply,
    "start": planned.DecisionReply,
    "release": planned.PlannedReply,
    "schedule": planned.ScheduledReply,
    "unschedule": planned.PlannedReply,
    "plan": planned.PlanReply,
    "calendar.export": planned.CalendarReply,
    "calendar.list": planned.CalendarReply,
    "statusline": replies.LineReply,
    "hook": replies.HookReply,
    "limit-hit": replies.LimitHitReply,
}
"""What each method of ``METHODS`` answers."""

_MEANINGS = {
    "hello": "Who answers, and which protocol it speaks.",
    "status": "Where we stand now. Never older than the question.",
    "sync": "Waits until everything that was on disk when asked has been taken in.",
    "subscribe": "A full status, then a `status` notification per change until the client closes its side.",
    "history": "Totals from the ledger, oldest first.",
    "doctor": "What is wrong and what to do about it.",
    "notify.test": "Sends one notice through every channel.",
    "reload": "Reads the settings again. Bad ones are refused (`settings-invalid`) and the old ones stay.",
    "shutdown": "Ends the daemon once the requests in work are answered.",
    "queue.list": "Every planned session, in the order of the queue's file.",
    "queue.show": "One planned session, with what it waits for and what waits for it.",
    "queue.add": "Plans a session. It is in the queue's file, for good, before the reply; so is all else.",
    "queue.edit": "Changes a planned session.",
    "queue.remove": "Takes a session out of the queue; the reply is what it was. "
    "One that others need is refused (`needed-by-others`).",
    "queue.done": "Calls a session complete. Its run ends with what was really spent.",
    "queue.import": "Plans many sessions: those whose ids are new, all or none.",
    "queue.export": "The text of the queue's file.",
    "next": "What to do now; changes nothing.",
    "start": "Decides again, and claims the session for a Claude Code session, or books it. "
    "Never starts anything itself. Of two at once one gets what is left.",
    "release": "Takes a claim back.",
    "schedule": "Books a session, or moves it; its calendar file is written before the reply.",
    "unschedule": "Takes a booking back; the event in the calendar is cancelled.",
    "plan": "Every planned session over the coming windows; changes nothing.",
    "calendar.export": "Writes calendar files anew.",
    "calendar.list": "The events that are in the calendar's files.",
    "statusline": "What Claude Code gives its status line; readings are taken from it, a line is given back.",
    "hook": "What Claude Code gives its hooks: a fact is given back where there is one worth saying.",
    "limit-hit": "A reading by hand: the limit was hit just now.",
}

_SCALARS = {str: "string", int: "integer", float: "number", bool: "boolean", NoneType: "null"}

_HEAD = f"""\
# The protocol of quotad's socket

This page is generated from `quotad/wire/` by `python -m quotad.ipc.protocol_doc`.

JSON-RPC 2.0 over a Unix socket: one UTF-8 JSON object a line, no batches. This is protocol {wire.PROTOCOL}.

- A request has at most {wire.REQUEST_BYTES_MAX} bytes, a reply at most {wire.REPLY_BYTES_MAX}.
- Only processes of the daemon's own user are answered.
- An `id` is a string, an integer or null; a request without one gets no reply.
- The requests of one connection are answered one after the other, in their order.
- Fields may be added to replies; none changes its meaning or vanishes. Unknown parameters are refused.
- Times are UTC, as `2026-11-22T10:00:00.000Z`.

```
{{request}}
{{reply}}
```
"""


def page() -> str:
    """The whole page, Markdown."""
    request = wire.request("hello", {}, 1).decode().rstrip()
    hello: wire.Hello = {"protocol": wire.PROTOCOL, "version": "0.1.0", "pid": 4242, "instance": "5f0c..."}
    reply = wire.encode({"jsonrpc": "2.0", "id": 1, "result": hello}).decode().rstrip()
    parts = [_HEAD.replace("{request}", request).replace("{reply}", reply), "## Methods\n"]
    for name in METHODS:
        parts += _method(name)
    parts.append("## Types\n")
    for kind in _types():
        parts += [f"### {kind.__name__}\n", f"{_described(kind)}\n", _members(kind)]
    return "\n".join([*parts, _errors()])


def _method(name: str) -> Iterator[str]:
    yield f"### `{name}`\n"
    yield f"{_MEANINGS[name]}\n"
    params = METHODS[name]
    if params._fields:
        yield f"Parameters: {_described(params)}\n"
        yield _parameters(params)
    else:
        yield "Parameters: none.\n"
    yield f"Result: {_shown(RESULTS[name])}.\n"


def _parameters(params: type[NamedTuple]) -> str:
    otherwise = {name: f"`{json.dumps(value)}`" for name, value in params._field_defaults.items()}
    rows = [
        f"| `{name}` | {_shown(hint)} | {otherwise.get(name, 'required')} |"
        for name, hint in get_type_hints(params).items()
    ]
    return "\n".join(["| Name | Type | Default |", "|---|---|---|", *rows, ""])


def _members(kind: type[object]) -> str:
    optional: frozenset[str] = getattr(kind, "__optional_keys__", frozenset())
    rows = [
        f"| `{name}` | {_shown(hint)}{' (may be absent)' if name in optional else ''} |"
        for name, hint in get_type_hints(kind).items()
    ]
    return "\n".join(["| Field | Type |", "|---|---|", *rows, ""])


def _described(kind: type[object]) -> str:
    """Its docstring, with the code marks of Markdown."""
    return cleandoc(kind.__doc__ or "").replace("``", "`")


def _errors() -> str:
    codes = "\n".join(f"- `{code}`" for code in get_args(wire.RefusalCode))
    return f"""\
## Errors

| Code | Means |
|---|---|
| {wire.PARSE_ERROR} | the line is not JSON in UTF-8 |
| {wire.INVALID_REQUEST} | it is no request: a batch, an unknown member, no `method`, or too long |
| {wire.NO_SUCH_METHOD} | there is no such method |
| {wire.INVALID_PARAMS} | a parameter is wrong; the message names it |
| {wire.REFUSED} | the daemon refuses; `data.code` says why |

`data.code` is one of:

{codes}
"""


def _types() -> list[type[object]]:
    """Every typed dictionary that a result is made of, in the order in which a reader meets them."""
    found: list[type[object]] = []
    for result in RESULTS.values():
        _collect(result, found)
    return found


def _collect(hint: object, found: list[type[object]]) -> None:
    if isinstance(hint, type) and is_typeddict(hint):
        if hint not in found:
            found.append(hint)
            for inner in get_type_hints(hint).values():
                _collect(inner, found)
    else:
        for inner in get_args(hint):
            _collect(inner, found)


def _shown(hint: object) -> str:
    """A type in the words of JSON."""
    if isinstance(hint, type) and is_typeddict(hint):
        return f"[{hint.__name__}](#{hint.__name__.lower()})"
    if isinstance(hint, type) and hint in _SCALARS:
        return _SCALARS[hint]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {list, tuple}:
        return f"array of {_shown(arguments[0])}"
    if origin is Literal:
        return ", ".join(f"`{json.dumps(value)}`" for value in arguments)
    if origin in {Union, UnionType}:
        return " or ".join(_shown(argument) for argument in arguments)
    raise TypeError(f"the wire has a type that this page has no words for: {hint}")


if __name__ == "__main__":
    Path(sys.argv[1] if len(sys.argv) > 1 else "docs/protocol.md").write_text(page(), encoding="utf-8")
