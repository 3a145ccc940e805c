"""What is heard outside any file is known at once, kept on disk, and about an account that is followed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from quotad.clock import SystemClock
from quotad.domain.effects import Anchor, Effect, Recall
from quotad.domain.inputs import PolicyChanged
from quotad.domain.instant import HOUR, SECOND, Instant
from quotad.domain.policy import Policy
from quotad.domain.reading import Reading, ReadingSource
from quotad.domain.state import State
from quotad.domain.usage import AccountId, SessionId
from quotad.engine import Engine
from quotad.intake.files import Places
from quotad.intake.intake import Intake
from quotad.store.ledger_file import LedgerFile
from quotad.store.thread import LedgerThread
from quotad.wire import iso
from tests.domain.build import ANA


class Running:
    """An intake over an empty account, caught up."""

    def __init__(self, root: Path) -> None:
        self.cache = root / ".claude.json"
        self.clock = SystemClock()
        self.ledger = LedgerThread(LedgerFile.open(root / "ledger.db", stamp="x"), root / "ledger.db")
        self.engine = Engine(State(Policy()), self.clock, self._carry)
        self.intake = Intake(self.engine, self.ledger, self.clock)
        self.engine.submit(PolicyChanged(self.engine.state.policy, (ANA,)))

    def _carry(self, effect: Effect) -> None:
        if isinstance(effect, Recall | Anchor):
            self.intake.ask(effect)

    @property
    def percent(self) -> float | None:
        """What the five-hour window says."""
        return self.engine.standing().windows[0].percent

    async def kept(self) -> list[Reading]:
        """What the ledger on disk holds."""
        await self.intake.settled()
        return await self.ledger.run(lambda ledger: ledger.readings(ANA, "five_hour"))


@asynccontextmanager
async def intake_of(root: Path) -> AsyncIterator[Running]:
    """It runs until the block is left."""
    running = Running(root)
    (root / "projects").mkdir()
    try:
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            places = [Places(ANA, (root / "projects",), (), (running.cache,))]
            reading = tasks.create_task(running.intake.read(places))
            await running.intake.caught_up.wait()
            yield running
            reading.cancel()
    finally:
        await asyncio.to_thread(running.intake.close)
        await asyncio.to_thread(running.ledger.close)


def line(percent: float, now: Instant) -> Reading:
    """What a status line says."""
    return Reading("five_hour", percent, now + HOUR, now, ReadingSource.STATUS_LINE, SessionId("s"))


async def test_what_is_heard_is_known_at_once_and_kept(tmp_path: Path) -> None:
    """With the session that said it; a repeat is not kept again."""
    async with intake_of(tmp_path) as running:
        told = line(61, running.clock.now())
        running.intake.heard(ANA, [told])
        assert 61.0 == running.percent
        running.intake.heard(ANA, [told._replace(received_at=told.received_at + SECOND)])
        assert [told] == await running.kept()


async def test_what_is_heard_of_an_account_that_is_not_followed_is_nothing(tmp_path: Path) -> None:
    """Another root's quota is not this one's."""
    async with intake_of(tmp_path) as running:
        running.intake.heard(AccountId("/elsewhere"), [line(61, running.clock.now())])
        assert (0.0, []) == (running.percent, await running.kept())


async def test_a_cached_answer_is_found_by_a_sweep(tmp_path: Path) -> None:
    """It was received when it was fetched."""
    async with intake_of(tmp_path) as running:
        now = running.clock.now()
        window = {"utilization": 40, "resets_at": iso(now + HOUR)}
        cached = {"fetchedAtMs": now - 5, "utilization": {"five_hour": window}}
        running.cache.write_text(json.dumps({"cachedUsageUtilization": cached}))
        await running.intake.sync()
        assert 40.0 == running.percent
        assert [now - 5] == [one.received_at for one in await running.kept()]
