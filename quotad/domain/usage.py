"""The usage event, and the one rule by which many lines become one call.

Claude Code writes a line per content block, streaming placeholders, and copies on forks, resumes and
side questions: summing lines counts two to three times too much (ccusage/ccusage#901, #913). Everything
here is commutative, associative and idempotent, so that order, repeats and re-reads cannot change a sum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import NamedTuple, NewType

from quotad.domain.instant import Instant

AccountId = NewType("AccountId", str)
"""The root directory of one Claude Code installation, as an absolute path."""
SessionId = NewType("SessionId", str)
MessageId = NewType("MessageId", str)
RequestId = NewType("RequestId", str)
"""Empty when the line bore none (third-party gateways: ccusage/ccusage#985)."""

FAMILIES_REMEMBERED = 256
"""Of so many models the family is not worked out again."""

TOKEN_COUNT_MAX = 2**53
"""Larger counts are nonsense and make the line malformed."""


class Tokens(NamedTuple):
    """Tokens of one call, or a sum of them, by kind (a tuple because millions are made)."""

    input: int = 0
    output: int = 0
    cache_write: int = 0
    cache_read: int = 0

    def plus(self, other: Tokens) -> Tokens:
        return Tokens(self[0] + other[0], self[1] + other[1], self[2] + other[2], self[3] + other[3])

    def minus(self, other: Tokens) -> Tokens:
        return Tokens(self[0] - other[0], self[1] - other[1], self[2] - other[2], self[3] - other[3])

    def most(self, other: Tokens) -> Tokens:
        """Per-field maximum: only ``output`` grows from line to line, the rest is right at once."""
        return Tokens(*map(max, self, other))


NO_TOKENS = Tokens()


class UsageEvent(NamedTuple):
    """Tokens of one API call at one instant: the lines of one (message id, request id), merged."""

    message: MessageId
    request: RequestId
    at: Instant
    session: SessionId
    model: str
    cwd: str
    sidechain: bool
    tokens: Tokens

    @property
    def origin(self) -> tuple[Instant, SessionId, str, str]:
        """What decides whose call it is: the earliest line, then the smallest session id."""
        return (self.at, self.session, self.model, self.cwd)


make_tokens: Callable[[type[Tokens], tuple[int, int, int, int]], Tokens] = tuple.__new__
make_event: Callable[
    [type[UsageEvent], tuple[MessageId, RequestId, Instant, SessionId, str, str, bool, Tokens]], UsageEvent
] = tuple.__new__
"""Where millions are made: the function in Python by which a named tuple is made took a tenth of reading."""


def merge(one: UsageEvent, other: UsageEvent) -> UsageEvent:
    """Two lines of the same (message id, request id) as one event: most tokens, earliest line."""
    if one.at == other.at:
        first = one if one.origin <= other.origin else other
    else:
        first = one if one.at < other.at else other
    tokens = one.tokens if one.tokens == other.tokens else one.tokens.most(other.tokens)
    sidechain = one.sidechain and other.sidechain
    if tokens == first.tokens and sidechain == first.sidechain:
        return first
    return first._replace(tokens=tokens, sidechain=sidechain)


def merged(events: Iterable[UsageEvent]) -> list[UsageEvent]:
    """Events of the same (message id, request id) as one each, in the order in which they came first."""
    rows: dict[tuple[MessageId, RequestId], UsageEvent] = {}
    for event in events:
        row = event[:2]
        known = rows.setdefault(row, event)
        if known is not event:
            rows[row] = merge(known, event)
    return list(rows.values())


def standing_call(rows: Iterable[UsageEvent]) -> UsageEvent:
    """Of all rows of one message id (at least one) the call that counts; the others are replays.

    The main chain goes before a sidechain (side questions copy the parent's lines under a new request
    id), then the earliest, then the smallest request id. A row without a request id joins the one that
    stands.
    """
    anonymous: UsageEvent | None = None
    stands: UsageEvent | None = None
    for row in rows:
        if not row.request:
            anonymous = row
        elif stands is None or _precedence(row) < _precedence(stands):
            stands = row
    if stands is None:
        assert anonymous is not None, "a call has at least one row"
        return anonymous
    if anonymous is None:
        return stands
    return merge(stands, anonymous._replace(request=stands.request))


def _precedence(row: UsageEvent) -> tuple[bool, Instant, RequestId]:
    return (row.sidechain, row.at, row.request)


@lru_cache(FAMILIES_REMEMBERED)
def family(model: str) -> str:
    """The model family a weight or a model-scoped limit is named after: ``claude-opus-5`` -> ``opus``.

    Ids have come as ``claude-opus-5`` and as ``claude-3-5-haiku-20241022``: the first word that is
    neither the maker's name nor a number. An unknown form is its own family.
    """
    for word in model.lower().split("-"):
        if word != "claude" and not word[:1].isdigit():
            return word
    return model
