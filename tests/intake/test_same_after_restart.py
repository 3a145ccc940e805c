"""A daemon that saw everything as it came stands where one stands that was started just now."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from quotad.domain.cursor import Batch
from quotad.domain.effects import Anchor, Effect, Recall
from quotad.domain.inputs import CaughtUp, Input, PolicyChanged
from quotad.domain.instant import HOUR, MINUTE, Instant
from quotad.domain.policy import Policy
from quotad.domain.reading import Reading, ReadingSource
from quotad.domain.session import LogEvent, LogKind
from quotad.domain.standing import Standing, standing
from quotad.domain.state import State
from quotad.domain.step import step
from quotad.domain.usage import SessionId, UsageEvent
from quotad.intake.history import corrections, news
from quotad.intake.recollection import anchored, quota_windows, recalled
from quotad.store.ledger_file import LedgerFile
from tests.domain.build import ANA, T0, call, log

NOW: Instant = T0 + 20 * HOUR

calls = st.builds(
    lambda message, five, request, session, sidechain, output: call(
        f"m{message}",
        NOW - five * 5 * MINUTE,
        request=request,
        session=session,
        sidechain=sidechain,
        output=output,
    ),
    st.integers(0, 6),
    st.integers(0, 16 * 12),
    st.sampled_from(["", "r1", "r2"]),
    st.sampled_from(["a", "b", "c"]),
    st.booleans(),
    st.integers(0, 90),
)
results = st.builds(
    lambda number, session: log(
        LogKind.TOOL_RESULT, NOW - number * 37 * MINUTE, session=session, tool="Edit", key=f"k{number}"
    ),
    st.integers(0, 20),
    st.sampled_from(["c", "d", "e"]),
)
"""Copies of a log line keep its time."""
lines = st.builds(
    lambda number, session, percent, window, ahead: Reading(
        window,
        percent,
        NOW - number * 7 * MINUTE + ahead * 20 * MINUTE,
        NOW - MINUTE - number * 7 * MINUTE + ord(session),
        ReadingSource.STATUS_LINE,
        SessionId(session),
    ),
    st.integers(0, 100),
    st.sampled_from(["a", "b", "c"]),
    st.sampled_from([2.0, 3.0, 30.0, 80.0]),
    st.sampled_from(["five_hour", "five_hour", "seven_day"]),
    st.integers(1, 15),
)
resets = st.builds(
    lambda number, session, percent: Reading(
        "five_hour",
        percent,
        NOW + HOUR,
        NOW - MINUTE - number * 7 * MINUTE + ord(session),
        ReadingSource.STATUS_LINE,
        session,
    ),
    st.integers(0, 32),
    st.sampled_from([SessionId(one) for one in "abc"]),
    st.sampled_from([2.0, 3.0, 80.0]),
)
"""Of the window that runs now, so that it is often reset early."""


class Daemon:
    """The parts that count, without files and without a loop: what the domain asks is answered at once."""

    def __init__(self, ledger: LedgerFile) -> None:
        self._ledger = ledger
        self._asked: list[Effect] = []
        self.state = State(Policy())
        self.submit(PolicyChanged(self.state.policy, (ANA,)))
        self.submit(CaughtUp())

    def submit(self, incoming: Input) -> None:
        """Take an input in, and answer what the domain asks."""
        self._step(incoming)
        while self._asked:
            self._answer(self._asked.pop(0))

    def _step(self, incoming: Input) -> None:
        self._asked += step(self.state, incoming, NOW)

    def read(self, batch: Batch) -> None:
        """Take in what was read: the engine first, then the ledger on disk, then what is asked."""
        account = self.state.accounts[ANA]
        self._step(news(batch, account))
        better = corrections(batch, self._ledger.append(batch), account)
        self.submit(better or CaughtUp())

    def standing(self) -> Standing:
        """Where it stands."""
        return standing(self.state, NOW)

    def _answer(self, effect: Effect) -> None:
        match effect:
            case Recall():
                self.submit(recalled(self._ledger, effect))
            case Anchor():
                self.submit(anchored(self._ledger, effect))
            case _:
                pass


Item = UsageEvent | LogEvent | Reading


def moment(item: Item) -> Instant:
    """When it was, or was received."""
    return item.received_at if isinstance(item, Reading) else item.at


def batches(pieces: Iterable[list[Item]]) -> list[Batch]:
    """Each piece as one reading."""
    return [
        Batch(
            ANA,
            usage=[one for one in piece if isinstance(one, UsageEvent)],
            logs=[one for one in piece if isinstance(one, LogEvent)],
            readings=[one for one in piece if isinstance(one, Reading)],
            latest=max(map(moment, piece), default=0),
        )
        for piece in pieces
    ]


BEFORE_MEMORY = log(LogKind.TOOL_RESULT, NOW - 370 * MINUTE, session="c", tool="Edit", key="1")
"""It opens a window of which the provider says later that it ended sooner than five hours after it."""
AFTER_THE_TOLD_END = log(LogKind.TOOL_RESULT, NOW - 74 * MINUTE, session="c", tool="Edit", key="2")
TOLD = Reading(
    "five_hour", 2.0, NOW - 78 * MINUTE, NOW - 98 * MINUTE, ReadingSource.STATUS_LINE, SessionId("a")
)


@example([[BEFORE_MEMORY, AFTER_THE_TOLD_END, TOLD]])
@given(st.lists(st.lists(calls | results | lines | resets, max_size=6), max_size=6))
def test_memory_and_disk_agree_whatever_came_in_which_order(
    pieces: list[list[Item]],
) -> None:
    """Copies, late lines and lines from before memory begins included: status, a restart's, and history."""
    with tempfile.TemporaryDirectory() as directory:
        ledger = LedgerFile.open(Path(directory) / "ledger.db", stamp="x")
        running = Daemon(ledger)
        for batch in batches(pieces):
            running.read(batch)
        running.state.accounts[ANA].anchor_stale = True
        running.submit(CaughtUp())
        restarted = Daemon(ledger)
        stands, again = running.standing(), restarted.standing()
        assert again.windows == stands.windows
        assert [replace(one, cwd="") for one in again.sessions] == [
            replace(one, cwd="") for one in stands.sessions
        ]
        (spec,) = Policy().windows
        past = [one for one in quota_windows(ledger, ANA, spec, -(2**62), NOW + 1) if one.resets > NOW]
        ledger.close()
    window = stands.windows[0]
    told = [(window.opened_at, window.resets_at)] if window.is_open else []
    assert told == [(one.opened, one.resets) for one in past]
