"""The domain's questions to the ledger on disk, answered one after the other, by inputs."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from typing import assert_never

from msgspec.structs import replace

from quotad.clock import Clock
from quotad.domain.effects import Anchor, Recall
from quotad.domain.inputs import Seen
from quotad.engine import Engine
from quotad.intake.history import news
from quotad.intake.portions import submit
from quotad.intake.recollection import anchored, recalled
from quotad.intake.recorder import RETRY_SECONDS, Recorder
from quotad.store.thread import LedgerThread

LEDGER_UNREADABLE = "ledger-unreadable"


class Questions:
    """A queue of questions; each answer knows everything that was recorded before it."""

    def __init__(
        self,
        engine: Engine,
        ledger: LedgerThread,
        recorder: Recorder,
        clock: Clock,
        trouble: Callable[[str, str | None], None],
    ) -> None:
        self._engine = engine
        self._ledger = ledger
        self._recorder = recorder
        self._clock = clock
        self._trouble = trouble
        self._open: asyncio.Queue[Recall | Anchor] = asyncio.Queue()

    def ask(self, question: Recall | Anchor) -> None:
        self._open.put_nowait(question)

    async def answered(self) -> None:
        """Return once no question is open."""
        await self._open.join()

    async def run(self) -> None:
        """Answer, for ever; what the ledger cannot say now it is asked again."""
        while True:
            question = await self._open.get()
            try:
                while not await self._answered(question):
                    await self._clock.sleep(RETRY_SECONDS)
            finally:
                self._open.task_done()

    async def _answered(self, question: Recall | Anchor) -> bool:
        await self._recorder.settled()
        try:
            await self._answer(question)
        except sqlite3.Error as fault:
            self._trouble(LEDGER_UNREADABLE, f"the ledger cannot be read: {fault}")
            return False
        self._trouble(LEDGER_UNREADABLE, None)
        return True

    async def _answer(self, question: Recall | Anchor) -> None:
        match question:
            case Recall():
                answer = await self._ledger.run(lambda ledger: recalled(ledger, question))
                self._engine.submit(replace(answer, usage=(), logs=()))
                await submit(self._engine, Seen(answer.account, answer.usage, answer.logs), self._clock)
                account = self._engine.state.accounts.get(question.account)
                if account is not None:
                    for batch in self._recorder.unwritten(question.account):
                        await submit(self._engine, news(batch, account), self._clock)
            case Anchor():
                self._engine.submit(await self._ledger.run(lambda ledger: anchored(ledger, question)))
            case _:
                assert_never(question)
