"""What the daemon replies: JSON as it stands.

Type checkers and the protocol's page need these words, but no program that runs; to make them would take
longer than to ask for a status. So ``wire`` names them for type checkers alone.
"""

from __future__ import annotations

from typing import Literal, TypedDict


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
