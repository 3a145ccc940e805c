"""Sums of any span under any name, against a look at every call."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import TypeAlias
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotad.domain.instant import DAY, HOUR, QUARTER, Instant
from quotad.domain.session import LogEvent, LogKind
from quotad.domain.usage import AccountId, MessageId, RequestId, SessionId, Tokens, UsageEvent, family
from quotad.store.history import By, Group, Sum
from tests.store.fold import ANA, BEN, T0, Fold, Line, filled, fold, instants, lines, spans

Span: TypeAlias = tuple[Instant | None, Instant | None]

ZONES = (UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kathmandu"), timezone(timedelta(hours=-12)))
open_spans = spans | st.tuples(st.none() | instants, st.none() | instants)


@given(
    lines,
    st.sampled_from([ANA, None]),
    st.sampled_from(["day", "model", "project", "session"]),
    open_spans,
    st.sampled_from(ZONES),
)
def test_history_is_a_sum_over_calls(
    some: list[Line], account: AccountId | None, by: By, span: Span, zone: tzinfo
) -> None:
    """By day, model, project and session, over any span, of one account or all."""
    expected = recount(some, account, by, span, zone)
    with filled(some) as ledger:
        found = ledger.history(account, by, *span, zone)
    assert expected == {group.name: group for group in found}
    order = [(group.first, group.name) if by == "session" else (0, group.name) for group in found]
    assert sorted(order) == order


@given(lines, spans, st.sampled_from([None, "opus", "haiku"]))
def test_totals_are_exact_to_the_millisecond(
    some: list[Line], span: tuple[Instant, Instant], scope: str | None
) -> None:
    """Half-open; with a model family, only its calls and no estimates."""
    begin, end = span
    found = fold(some)
    calls = [
        call
        for call in found.calls.values()
        if begin <= call.at < end and (scope is None or family(call.model) == scope)
    ]
    tools = Counter(log.tool for log in found.estimates if begin <= log.at < end and scope is None)
    with filled(some) as ledger:
        group = ledger.totals(ANA, begin, end, scope)
    assert {call.model for call in calls} == set(group.models)
    assert len(calls) == group.messages
    assert tuple(sum(call.tokens[kind] for call in calls) for kind in range(4)) == group.tokens
    assert dict(tools) == group.tools


def recount(
    some: list[Line],
    account: AccountId | None,
    by: By,
    span: Span,
    zone: tzinfo,
) -> dict[str, Group]:
    """The groups that some accounts' lines fall into."""
    since, until = span
    models: dict[str, dict[str, Sum]] = defaultdict(dict)
    tools: dict[str, dict[str, int]] = defaultdict(dict)
    moments: dict[str, list[Instant]] = defaultdict(list)

    def within(at: Instant) -> bool:
        return (since is None or since <= at) and (until is None or at < until)

    def name(found: Fold, at: Instant, session: str, model: str) -> str:
        if by == "project":
            return project(found, session)
        return {"day": day(at, zone), "model": model, "session": session}[by]

    for found in [fold(some, each) for each in (ANA, BEN) if account in {None, each}]:
        for call in filter(lambda call: within(call.at), found.calls.values()):
            group = name(found, call.at, call.session, call.model)
            one, known = Sum(Tokens(*call.tokens), 1), models[group].get(call.model)
            models[group][call.model] = known.plus(one) if known else one
            moments[call.session].append(call.at)
        for log in filter(lambda log: within(log.at), found.logs):
            moments[log.session].append(log.at)
            if log in found.estimates:
                uses = tools[name(found, log.at, log.session, "")]
                uses[log.tool] = uses.get(log.tool, 0) + 1
    return {
        group: Group(
            group,
            models.get(group, {}),
            tools.get(group, {}),
            min(moments[group]) if by == "session" else None,
            max(moments[group]) if by == "session" else None,
        )
        for group in {*models, *tools}
    }


def project(found: Fold, session: str) -> str:
    """The directory that the earliest of the session's own lines names."""
    calls = [(call.at, call.cwd) for call in found.calls.values() if call.session == session and call.cwd]
    logs = [(log.at, log.cwd) for log in found.logs if log.session == session and log.cwd]
    return min([*calls, *logs], default=(0, ""))[1]


def day(at: Instant, zone: tzinfo) -> str:
    """The date there."""
    return str((datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)).astimezone(zone).date())


def call(number: int, at: Instant, *, session: str = "s", cwd: str = "/p") -> UsageEvent:
    """A call of one token."""
    return UsageEvent(
        MessageId(f"m{number}"), RequestId("r"), at, SessionId(session), "m", cwd, False, Tokens(output=1)
    )


@pytest.mark.parametrize("zone", ZONES)
def test_days_begin_at_local_midnight(zone: tzinfo) -> None:
    """Through a year, with its changes of the clock, each quarter hour is on its local day."""
    moments = range(T0, T0 + 366 * DAY, 37 * QUARTER)
    with filled([Line(ANA, call(number, at)) for number, at in enumerate(moments)]) as ledger:
        found = {group.name: group.messages for group in ledger.history(ANA, "day", zone=zone)}
    assert Counter(str(datetime.fromtimestamp(at / 1000, zone).date()) for at in moments) == found


def test_the_ends_of_the_calendar_have_a_day() -> None:
    """A clock gone mad writes such stamps; there the date is that of UTC."""
    first, last = -62_135_596_800_000, 253_402_300_799_999
    with filled([Line(ANA, call(1, first)), Line(ANA, call(2, last))]) as ledger:
        for zone in (timezone(timedelta(hours=-5)), timezone(timedelta(hours=5))):
            names = [group.name for group in ledger.history(ANA, "day", zone=zone)]
            assert names == ["0001-01-01", "9999-12-31"]


def test_days_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a zone a day is one of the machine's own, summer time included."""
    summer = int(datetime(2026, 7, 1, 22, 30, tzinfo=UTC).timestamp() * 1000)
    winter = int(datetime(2026, 12, 1, 22, 30, tzinfo=UTC).timestamp() * 1000)
    with filled([Line(ANA, call(1, summer)), Line(ANA, call(2, winter))]) as ledger:
        monkeypatch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        names = [group.name for group in ledger.history(ANA, "day", zone=None)]
    monkeypatch.undo()
    time.tzset()
    assert names == ["2026-07-02", "2026-12-01"]


def test_a_project_is_where_a_session_began() -> None:
    """A session that moves on, in any order of arrival, stays with the directory it was started in."""
    calls = [call(3, T0 + HOUR, cwd="/later"), call(1, T0, cwd=""), call(2, T0 + 1, cwd="/first")]
    with filled([Line(ANA, each) for each in calls]) as ledger:
        groups = ledger.history(ANA, "project", since=T0 + 2)
    assert [("/first", 1)] == [(group.name, group.messages) for group in groups]


def test_an_account_nobody_has_heard_of_has_no_history() -> None:
    """Asking for an unknown account is no error, and tells nothing of the others."""
    with filled([Line(ANA, call(1, T0))]) as ledger:
        assert ledger.history(BEN, "day") == []
        assert ledger.totals(BEN, 0, T0 + 1, None) == Group("", {}, {})
        assert ledger.totals(ANA, 0, T0 + 1, None).messages == 1


def test_a_tool_without_a_name_is_counted_as_one() -> None:
    """A result that names no tool is worth an estimate too, and no tokens."""
    log = LogEvent("k", LogKind.TOOL_RESULT, T0, SessionId("s"), "", "", "", None)
    with filled([Line(ANA, log)]) as ledger:
        assert ledger.history(ANA, "model") == [Group("", {}, {"": 1})]
