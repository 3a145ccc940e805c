"""Every word that crosses the socket, written once for the daemon and its clients.

JSON-RPC 2.0, one UTF-8 object per line, no batches. Standard library only: the client shares this module
and must stay small. Parameters are named tuples (the daemon validates requests against them), replies are
typed dictionaries (they are JSON as it stands), whose names are here for type checkers alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple

from quotad import places

if TYPE_CHECKING:
    from pathlib import Path

    from quotad.wire.replies import *  # noqa: F403 - every one of them

PROTOCOL = 1
STATUS_SCHEMA = 1

REQUEST_BYTES_MAX = 1024 * 1024
REPLY_BYTES_MAX = 16 * 1024 * 1024

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
NO_SUCH_METHOD = -32601
INVALID_PARAMS = -32602
REFUSED = -32000

RefusalCode = Literal[
    "settings-invalid",
    "busy",
    "too-large",
    "ledger-unavailable",
    "timed-out",
    "shutting-down",
    "internal",
    "queue-invalid",
    "queue-unwritable",
    "no-such-session",
    "duplicate",
    "cycle",
    "unknown-dependency",
    "needed-by-others",
    "wrong-state",
    "invalid-value",
    "does-not-fit",
    "calendar-unwritable",
]
"""Why the daemon refuses (``error.data.code``): a closed list."""

UNTRIED = "not tried yet"
"""The notifier's detail in the first seconds, before it has looked whether its first channel is there."""

SOCKET_PATH_BYTES_MAX = places.SOCKET_PATH_BYTES_MAX

GroupBy = Literal["day", "window", "model", "project", "session"]


class NoParams(NamedTuple):
    """Parameters of a method that takes none."""


class SyncParams(NamedTuple):
    """``timeout``: seconds to wait at most for everything on disk to be taken in."""

    timeout: float = 60.0


class HistoryParams(NamedTuple):
    """``since`` and ``until`` are ISO 8601 dates or instants, half-open; ``utc`` counts days in UTC."""

    by: GroupBy = "day"
    since: str | None = None
    until: str | None = None
    utc: bool = False


class StatusLineParams(NamedTuple):
    """``text`` is what Claude Code gave on stdin; ``root`` its CLAUDE_CONFIG_DIR; ``columns`` the width."""

    text: str
    root: str | None = None
    columns: int = 80
    colour: bool = False


class HookParams(NamedTuple):
    """``event`` is the hook's name, ``text`` what Claude Code gave on stdin, ``root`` as above."""

    event: str
    text: str
    root: str | None = None


class LimitHitParams(NamedTuple):
    """``resets``: an ISO 8601 instant; null is the end of the window that is running.

    ``undo`` takes back what was said so before, of every window.
    """

    resets: str | None = None
    root: str | None = None
    undo: bool = False


RequestId = str | int | None


class Paths(NamedTuple):
    """Where everything is; made from the environment once, at the edge."""

    root: Path
    config: Path
    state: Path
    socket: Path


def paths(environment: Mapping[str, str], platform: str, uid: int) -> Paths:
    """The default places and what the environment says instead; raises as ``default_places`` does."""
    from pathlib import Path  # noqa: PLC0415 - costs a quarter of Python's start, which a glance need not pay

    return Paths(*map(Path, places.default_places(environment, platform, uid)))


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def iso(instant: int) -> str:
    """Milliseconds since the epoch as ``2026-11-22T10:00:00.000Z``."""
    text = (_EPOCH + timedelta(milliseconds=instant)).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"


def instant(text: str) -> int:
    """The reverse of ``iso``; raises ``ValueError`` for text without an offset."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        message = f"{text!r} has no time zone"
        raise ValueError(message)
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def encode(message: Mapping[str, object]) -> bytes:
    """One message as one line; half a character (in a path of raw bytes) becomes a question mark."""
    import json  # noqa: PLC0415 - as above

    text = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="replace") + b"\n"


def request(method: str, params: Mapping[str, object], number: int) -> bytes:
    """One request as one line."""
    return encode({"jsonrpc": "2.0", "id": number, "method": method, "params": params})


class Refusal(Exception):  # noqa: N818 - the glossary's word: it is an answer, not a fault
    """The daemon will not do it: ``code`` is a JSON-RPC code, ``reason`` one of ``RefusalCode``."""

    def __init__(self, code: int, message: str, reason: RefusalCode | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.reason = reason
