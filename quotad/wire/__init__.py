"""Every word that crosses the socket, written once for the daemon and its clients.

JSON-RPC 2.0, one UTF-8 object per line, no batches. Standard library only: the client shares this module
and must stay small. Parameters are dataclasses (the daemon validates requests against them), replies are
typed dictionaries (they are JSON as it stands).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple, TypedDict

from quotad import places

PROTOCOL = 1

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
    "nothing-to-start",
    "calendar-unwritable",
]
"""Why the daemon refuses (``error.data.code``): a closed list."""

SOCKET_PATH_BYTES_MAX = places.SOCKET_PATH_BYTES_MAX

_FORBID = {"extra": "forbid"}

GroupBy = Literal["day", "window", "model", "project", "session"]


@dataclass(frozen=True, slots=True)
class NoParams:
    """Parameters of a method that takes none."""

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID


@dataclass(frozen=True, slots=True)
class SyncParams:
    """``timeout``: seconds to wait at most for everything on disk to be taken in."""

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID
    timeout: float = 60.0


@dataclass(frozen=True, slots=True)
class HistoryParams:
    """``since`` and ``until`` are ISO 8601 dates or instants, half-open; ``utc`` counts days in UTC."""

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID
    by: GroupBy = "day"
    since: str | None = None
    until: str | None = None
    utc: bool = False


@dataclass(frozen=True, slots=True)
class StatusLineParams:
    """``text`` is what Claude Code gave on stdin; ``root`` its CLAUDE_CONFIG_DIR; ``columns`` the width."""

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID
    text: str
    root: str | None = None
    columns: int = 80
    colour: bool = False


@dataclass(frozen=True, slots=True)
class HookParams:
    """``event`` is the hook's name, ``text`` what Claude Code gave on stdin, ``root`` as above."""

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID
    event: str
    text: str
    root: str | None = None


@dataclass(frozen=True, slots=True)
class LimitHitParams:
    """``resets``: an ISO 8601 instant; null is the end of the window that is running.

    ``undo`` takes back what was said so before, of every window.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID
    resets: str | None = None
    root: str | None = None
    undo: bool = False


RequestId = str | int | None


class Hello(TypedDict):
    """``instance`` is new at every start of the daemon."""

    protocol: int
    version: str
    pid: int
    instance: str


class ProblemReply(TypedDict):
    """Something wrong now; ``code`` is stable, ``message`` names the thing and the remedy."""

    code: str
    message: str
    since: str


class ProgressReply(TypedDict):
    """How far the first reading of history has come."""

    files: int
    files_done: int
    bytes: int
    bytes_done: int


class NotifierReply(TypedDict):
    """The channel that notices go through now: desktop, osascript, command or log; and its state."""

    backend: str
    detail: str


class DaemonReply(TypedDict):
    """The daemon itself; ``progress`` is null once everything has been read."""

    version: str
    pid: int
    started_at: str
    caught_up: bool
    malformed_lines: int
    progress: ProgressReply | None
    notifier: NotifierReply
    problems: list[ProblemReply]


class TokensReply(TypedDict):
    """Tokens by kind."""

    input: int
    output: int
    cache_write: int
    cache_read: int


class ReportedReply(TypedDict):
    """What the provider itself said last about a window."""

    percent: float
    resets_at: str
    received_at: str
    age_seconds: float
    source: str


class WindowReply(TypedDict):
    """Where one quota window stands; null where a thing does not exist or is not known.

    ``available`` is what remains and is not promised to planned sessions; without a limit both are null.
    """

    name: str
    account: str
    state: Literal["open", "idle"]
    opened_at: str | None
    resets_at: str | None
    limit: int | None
    limit_basis: str
    spent: int
    remaining: int | None
    available: int | None
    percent: float | None
    level: str | None
    basis: str
    as_of: str
    tokens: TokensReply
    messages: int
    estimated_tokens: int
    lower_bound: bool
    burn_per_minute: float
    runs_out_at: str | None
    next_threshold: float | None
    reported: ReportedReply | None


class SessionReply(TypedDict):
    """One Claude Code session and its five hours."""

    id: str
    account: str
    state: Literal["active", "complete", "expired"]
    started_at: str
    ends_at: str
    ended_at: str | None
    last_active_at: str
    cwd: str
    agent: str | None
    spent: int
    basis: str


class QueueReply(TypedDict):
    """The planned sessions, counted by state.

    Of those that are scheduled ``due`` are the ones whose time has come; ``next_at`` is when the next one's
    comes.
    """

    ready: int
    blocked: int
    scheduled: list[str]
    in_progress: list[str]
    complete: int
    due: list[str]
    next_at: str | None


class StatusReply(TypedDict):
    """Where we stand now."""

    schema: int
    now: str
    daemon: DaemonReply
    plan: str
    windows: list[WindowReply]
    sessions: list[SessionReply]
    queue: QueueReply
    advice: list[str]


class StatusChange(TypedDict):
    """A ``status`` notification to a subscriber; a gap in ``seq`` means that states were left out."""

    seq: int
    status: StatusReply


class SyncReply(TypedDict):
    """What ``sync`` waited for; ``caught_up`` is false when time ran out."""

    caught_up: bool
    seconds: float


class HistoryRow(TypedDict, total=False):
    """Totals of one group: the group's key (one of the first five) and what was spent in it."""

    day: str
    window: str
    model: str
    project: str
    session: str
    account: str
    opened_at: str
    resets_at: str
    started_at: str
    spent: int
    messages: int
    estimated_tokens: int
    tokens: TokensReply


class CheckReply(TypedDict):
    """One thing that ``doctor`` looked at; ``remedy`` is empty when all is well."""

    name: str
    ok: bool
    message: str
    remedy: str


class DoctorReply(TypedDict):
    """``ok`` is true when every check is."""

    ok: bool
    checks: list[CheckReply]


class ChannelReply(TypedDict):
    """What one channel did with a test notice."""

    channel: str
    delivered: bool
    detail: str


class NotifyTestReply(TypedDict):
    """What each channel did."""

    channels: list[ChannelReply]


class LineReply(TypedDict):
    """The status line, ready to print."""

    line: str


class HookReply(TypedDict):
    """What is worth saying: ``message`` to the user, ``context`` to Claude; null is nothing."""

    message: str | None
    context: str | None


class Exported(TypedDict):
    """A text as it is in its file."""

    text: str


class LimitHitReply(TypedDict):
    """The windows that were meant; ``resets_at`` is null when it was taken back."""

    windows: list[str]
    resets_at: str | None


class Done(TypedDict):
    """The request was carried out."""

    ok: bool


class ErrorData(TypedDict):
    """``code`` is one of ``RefusalCode``."""

    code: str


class ErrorReply(TypedDict, total=False):
    """Why a request got no result."""

    code: int
    message: str
    data: ErrorData


class Paths(NamedTuple):
    """Where everything is; made from the environment once, at the edge."""

    root: Path
    config: Path
    state: Path
    socket: Path


def paths(environment: Mapping[str, str], platform: str, uid: int) -> Paths:
    """The default places and what the environment says instead; raises as ``default_places`` does."""
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
