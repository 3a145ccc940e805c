"""The past as people ask for it: totals from the ledger on disk, weighed by today's policy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, time, timedelta, tzinfo

from quotad import wire
from quotad.domain.instant import CLOCK_SLACK, Instant
from quotad.domain.policy import Policy, WindowSpec
from quotad.domain.sums import Totals
from quotad.domain.usage import AccountId
from quotad.intake.recollection import quota_windows
from quotad.ipc import replies
from quotad.store.chain import EARLIEST
from quotad.store.history import By, Group
from quotad.store.ledger_file import LedgerFile

ROWS_MAX = 20_000
"""More rows than this do not fit into a reply; the asker is told to narrow the span."""


class Span:
    """``[since, until)`` as asked for; either end may be open."""

    def __init__(self, params: wire.HistoryParams, zone: tzinfo | None) -> None:
        """Dates begin at midnight in ``zone`` (None: the machine's own).

        Raises ``wire.Refusal`` naming the parameter that is no date and no instant.
        """
        self.since = _instant("since", params.since, zone)
        self.until = _instant("until", params.until, zone)
        if self.since is not None and self.until is not None and self.since > self.until:
            raise wire.Refusal(wire.INVALID_PARAMS, "until: lies before since")

    def holds(self, at: Instant) -> bool:
        return (self.since is None or self.since <= at) and (self.until is None or at < self.until)


def _instant(name: str, text: str | None, zone: tzinfo | None) -> Instant | None:
    if text is None:
        return None
    try:
        if len(text) == len("YYYY-MM-DD"):
            midnight = datetime.combine(date.fromisoformat(text), time())
            return _milliseconds(midnight.astimezone() if zone is None else midnight.replace(tzinfo=zone))
        return wire.instant(text)
    except ValueError:
        message = f"{name}: must be a date such as 2026-11-22 or an instant such as 2026-11-22T10:00:00Z"
        raise wire.Refusal(wire.INVALID_PARAMS, message) from None


def _milliseconds(moment: datetime) -> Instant:
    return (moment - datetime.fromtimestamp(0, moment.tzinfo)) // timedelta(milliseconds=1)


def history(  # noqa: PLR0913, PLR0917 - one question, and all that its answer depends on
    ledger: LedgerFile,
    accounts: Iterable[tuple[AccountId, tuple[WindowSpec, ...]]],
    params: wire.HistoryParams,
    policy: Policy,
    zone: tzinfo | None,
    now: Instant,
) -> list[wire.HistoryRow]:
    """The rows of ``quotactl history``; runs in the ledger's thread. Raises ``wire.Refusal``.

    What is stamped further ahead than clocks differ is not there yet, as in ``status``.
    """
    span = Span(params, zone)
    known_until = now + CLOCK_SLACK
    until = known_until if span.until is None else min(span.until, known_until)
    rows: list[wire.HistoryRow] = []
    for account, specs in accounts:
        by = params.by
        if by == "window":
            rows += _windows(ledger, account, specs, span, policy, known_until)
        else:
            groups = ledger.history(account, by, span.since, until, zone)
            rows += [_named(group, account, by, policy) for group in groups]
    if len(rows) > ROWS_MAX:
        raise wire.Refusal(
            wire.REFUSED, f"that would be {len(rows)} rows: narrow --since and --until", "too-large"
        )
    rows.sort(key=_order(params.by))
    return rows


def _windows(  # noqa: PLR0913, PLR0917 - as above
    ledger: LedgerFile,
    account: AccountId,
    specs: Iterable[WindowSpec],
    span: Span,
    policy: Policy,
    known_until: Instant,
) -> Iterator[wire.HistoryRow]:
    for spec in specs:
        for window in quota_windows(ledger, account, spec, EARLIEST, known_until):
            if not span.holds(window.opened):
                continue
            group = ledger.totals(account, window.opened, min(window.resets, known_until), spec.scope)
            yield {
                "window": spec.name,
                "account": account,
                "opened_at": wire.iso(window.opened),
                "resets_at": wire.iso(window.resets),
                **_sums(group, policy),
            }


def _named(group: Group, account: AccountId, by: By, policy: Policy) -> wire.HistoryRow:
    row: wire.HistoryRow = {"account": account, **_sums(group, policy)}
    match by:
        case "day":
            row["day"] = group.name
        case "model":
            row["model"] = group.name
        case "project":
            row["project"] = group.name
        case "session":
            row["session"] = group.name
    if group.first is not None:
        row["started_at"] = wire.iso(group.first)
    return row


def _sums(group: Group, policy: Policy) -> wire.HistoryRow:
    estimated = sum(policy.estimate(tool) * times for tool, times in group.tools.items())
    totals = Totals({name: one.tokens for name, one in group.models.items()}, group.messages, estimated)
    return {
        "spent": totals.spent(policy),
        "messages": totals.messages,
        "estimated_tokens": estimated,
        "tokens": replies.tokens(totals.tokens),
    }


def _order(by: wire.GroupBy) -> Callable[[wire.HistoryRow], tuple[str | int, ...]]:
    """Oldest first where rows have a time, else the largest first."""
    match by:
        case "day":
            return lambda row: (row["day"], row["account"])
        case "window":
            return lambda row: (row["opened_at"], row["window"], row["account"])
        case "session":
            return lambda row: (row.get("started_at", ""), row["session"], row["account"])
        case "model":
            return lambda row: (-row["spent"], row["model"], row["account"])
        case "project":
            return lambda row: (-row["spent"], row["project"], row["account"])
