"""Which session used something lately, as far as memory reaches."""

from __future__ import annotations

from quotad.domain.instant import HOUR, QUARTER
from quotad.domain.ledger import Ledger
from quotad.domain.usage import SessionId, Tokens
from tests.domain.build import T0, call

S = SessionId("s")


def test_a_session_used_something_last() -> None:
    """After the one instant and up to the other; calls of no tokens and of others are no use."""
    ledger = Ledger(lambda _: 0)
    for line in (
        call("1", T0),
        call("2", T0 + QUARTER),
        call("3", T0 + QUARTER + 5),
        call("4", T0 + QUARTER + 6, tokens=Tokens()),
        call("5", T0 + HOUR, session="t"),
        call("6", T0 + 2 * HOUR, tokens=Tokens()),
    ):
        ledger.take_usage(line)
    late = T0 + 3 * HOUR
    spans = [
        (T0 - 1, T0),
        (T0, T0 + 4),
        (T0, T0 + QUARTER),
        (T0, late),
        (T0 + QUARTER + 5, late),
        (0, T0 - 1),
    ]
    assert [T0, None, T0 + QUARTER, T0 + QUARTER + 5, None, None] == [
        ledger.last_use(S, since, until) for since, until in spans
    ]
