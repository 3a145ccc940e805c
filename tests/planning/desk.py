"""A planner with everything real around it but the clock, which stands until a test moves it."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, assert_never

from quotad.domain.effects import Anchor, Announce, Changed, Effect, KeepRuns, Rebook, Recall, WakeAt
from quotad.domain.inputs import Anchored, CaughtUp, PolicyChanged, Recalled, Seen, Woke
from quotad.domain.instant import Instant, Millis
from quotad.domain.notice import DueNotice, MovedNotice
from quotad.domain.policy import Policy
from quotad.domain.queue import Planned, PlannedId, Run, Status
from quotad.domain.session import LogEvent
from quotad.domain.state import State
from quotad.domain.usage import AccountId, SessionId, UsageEvent
from quotad.domain.working import ALWAYS, WorkingHours
from quotad.engine import Engine
from quotad.planning.agenda import Agenda
from quotad.planning.planner import Planner
from quotad.store.ledger_file import LedgerFile
from quotad.store.thread import LedgerThread
from tests.domain.build import T0, call, log

_numbers = count()


@dataclass
class Still:
    """A clock that stands."""

    at: Instant = T0

    def now(self) -> Instant:
        return self.at

    def monotonic(self) -> Instant:
        return self.at

    def seconds_until(self, at: Instant) -> float:
        return max(0, at - self.at) / 1000

    async def sleep(self, seconds: float) -> None:
        """No time passes."""

    def file_time_ns(self) -> int:
        return self.at * 1_000_000


@dataclass
class Desk:
    """What a test works at."""

    root: Path
    engine: Engine
    agenda: Agenda
    planner: Planner
    clock: Still
    ledger: LedgerThread
    problems: dict[str, str]
    announced: list[Announce] = field(default_factory=list)

    @property
    def account(self) -> AccountId:
        return AccountId(str(self.root))

    @property
    def file(self) -> Path:
        return self.root / "session-queue.json"

    def document(self) -> Any:  # noqa: ANN401 - JSON as it stands
        """What the queue's file says."""
        return json.loads(self.file.read_text())

    def by_hand(self, **changes: object) -> None:
        """Somebody edits fields of the file's first session."""
        document = self.document()
        document["sessions"][0].update(changes)
        self.file.write_text(json.dumps(document))

    def statuses(self) -> dict[PlannedId, Status]:
        """Of each session, as the engine knows them."""
        return {one.id: one.status for one in self.agenda.queue.sessions}

    def planned(self, which: str) -> Planned:
        return next(one for one in self.agenda.queue.sessions if one.id == which)

    def run(self, which: str) -> Run:
        """The latest run of a session."""
        return [run for run in self.agenda.runs if run.planned == which][-1]

    def spend(self, tokens: int, *, session: str = "s", at: Instant | None = None) -> None:
        """A call that nobody has seen before."""
        event = call(
            f"m-{next(_numbers)}", self.clock.at if at is None else at, output=tokens, session=session
        )
        self._seen(usage=(event,))

    def logged(self, event: LogEvent) -> None:
        self._seen(logs=(event,))

    def _seen(self, usage: tuple[UsageEvent, ...] = (), logs: tuple[LogEvent, ...] = ()) -> None:
        self.engine.submit(Seen(self.account, usage, logs))

    def due_notices(self) -> list[DueNotice]:
        return [one.notice for one in self.announced if isinstance(one.notice, DueNotice)]

    def moved_notices(self) -> list[MovedNotice]:
        return [one.notice for one in self.announced if isinstance(one.notice, MovedNotice)]

    async def later(self, span: Millis) -> None:
        """Time moves, and the planner sees to what that brings."""
        self.clock.at += span
        self.engine.submit(Woke())
        await self.planner.tend()

    async def start(self, which: str | None = None, session: str = "c-1", hours: float | None = None) -> Any:  # noqa: ANN401
        """The decision, carried out."""
        named = None if which is None else PlannedId(which)
        return await self.planner.start(SessionId(session), named, hours, only_if_it_fits=False)


@asynccontextmanager
async def desk(
    root: Path, *, policy: Policy | None = None, working: WorkingHours = ALWAYS, clock: Still | None = None
) -> AsyncIterator[Desk]:
    """A desk over what is on disk in ``root``; the next one over the same root is the next start."""
    os.makedirs(root, exist_ok=True)  # noqa: PTH103 - nobody else waits
    path = root / "ledger.db"
    ledger = LedgerThread(LedgerFile.open(path, stamp="now"), path)
    still = clock or Still()
    state = State(policy or Policy())
    problems: dict[str, str] = {}
    made: list[Desk] = []

    def carry(effect: Effect) -> None:
        match effect:
            case Announce():
                made[0].announced.append(effect)
            case Rebook(ids):
                made[0].planner.rebook(ids)
            case KeepRuns(runs):
                made[0].planner.keep_runs(runs)
            case Changed() | Recall() | Anchor() | WakeAt():
                pass
            case _:
                assert_never(effect)

    def trouble(code: str, message: str | None) -> None:
        problems.pop(code, None)
        if message is not None:
            problems[code] = message

    engine = Engine(state, still, carry)
    agenda = Agenda(engine, ledger, still, root, trouble)
    planner = Planner(engine, still, agenda, working)
    made.append(Desk(root, engine, agenda, planner, still, ledger, problems))
    account = made[0].account
    engine.submit(PolicyChanged(state.policy, (account,)))
    horizon = state.accounts[account].horizon
    engine.submit(Recalled(account, horizon, (), (), (), frozenset()))
    engine.submit(Anchored(account, horizon, {}, {}))
    await agenda.open()
    engine.submit(CaughtUp())
    try:
        yield made[0]
    finally:
        ledger.close()


def plan(*ids: str, tokens: int = 10_000, hours: float = 1.0) -> list[Planned]:
    """Sessions of one size."""
    return [Planned(PlannedId(one), tokens, hours) for one in ids]


__all__ = ["Desk", "Iterator", "Still", "desk", "log", "plan"]
