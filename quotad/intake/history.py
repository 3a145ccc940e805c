"""Reading many files in one go, in a thread: it touches nothing but what it is handed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter

from quotad.domain.cursor import Batch
from quotad.domain.inputs import Seen
from quotad.domain.state import Account
from quotad.domain.usage import UsageEvent

_MESSAGE, _SESSION = attrgetter("message"), attrgetter("session")
"""Everything that was ever said passes by here on the loop: these cost a third of a comprehension."""


def news(batch: Batch, account: Account) -> Seen:
    """What the engine needs to know of a batch: all that lies within the reach of its memory.

    Of older usage that is one event a session, which says that chains may resume elsewhere and that the
    session was measured, and whatever is of a call that is in memory too: a copy. Of older log events one.
    """
    horizon, ledger = account.horizon, account.ledger
    older: Sequence[UsageEvent] = batch.usage
    recent: list[UsageEvent] = []
    # Of years of history next to nothing is recent, and whole batches are not.
    if batch.latest >= horizon:
        recent = [event for event in batch.usage if event.at >= horizon]
        older = [event for event in batch.usage if event.at < horizon]
    old = dict(zip(map(_SESSION, older), older, strict=True))
    messages = ledger.held(map(_MESSAGE, older)).union(map(_MESSAGE, recent))
    copies = [event for event in older if event.message in messages] if messages else []
    logs = [event for event in batch.logs if event.at >= horizon]
    old_logs = [event for event in batch.logs if event.at < horizon][:1]
    return Seen(batch.account, (*old.values(), *recent, *copies), (*old_logs, *logs), tuple(batch.readings))


def corrections(batch: Batch, known: Iterable[UsageEvent], account: Account) -> Seen | None:
    """What the ledger on disk knows better: a call that seemed new may be a copy of one before memory begins.

    ``known``: the rows of those calls of the batch that the ledger had before.
    """
    if batch.latest < account.horizon:
        return None
    recent = {event.message for event in batch.usage if event.at >= account.horizon}
    older = tuple(row for row in known if row.at < account.horizon and row.message in recent)
    return Seen(batch.account, older) if older else None
