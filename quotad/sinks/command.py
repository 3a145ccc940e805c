"""The user's own program: how notices reach phones, chats and people on other machines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from quotad import wire
from quotad.sinks import program
from quotad.sinks.channel import Delivery
from quotad.sinks.wording import Payload, Words

COMMAND_SECONDS_MAX = 10.0


class CommandChannel:
    """Runs ``[notify] command`` once for each notice, with the notice as a line of JSON on its stdin.

    Exit code 0 means delivered. Any other means not delivered, and the notice will be tried again; a
    program that is killed because it takes too long may have delivered it.
    """

    name = "command"

    def __init__(self, argv: Sequence[str], home: Path, *, seconds_max: float = COMMAND_SECONDS_MAX) -> None:
        """``argv`` has at least one element; it runs in ``home`` with the daemon's environment."""
        self._argv = tuple(argv)
        self._home = home
        self._seconds_max = seconds_max
        self._failure: Delivery | None = None

    async def deliver(self, words: Words, payload: Payload) -> Delivery:
        del words
        delivery = await self._run(wire.encode(payload))
        self._failure = None if delivery.delivered else delivery
        return delivery

    async def probe(self) -> Delivery:
        """Whether the program is there; one that failed last time is broken until it succeeds."""
        if self._failure is not None:
            return self._failure
        if program.find(self._argv[0], self._home) is None:
            return Delivery(delivered=False, detail=f"there is no program {self._argv[0]!r}")
        return Delivery(delivered=True, detail=self._argv[0])

    def close(self) -> None:
        """Nothing is held."""

    async def _run(self, line: bytes) -> Delivery:
        try:
            ending = await program.run(self._argv, line, home=self._home, seconds_max=self._seconds_max)
        except OSError as fault:
            return Delivery(delivered=False, detail=f"cannot run {self._argv[0]!r}: {fault.strerror}")
        if ending.code == 0:
            return Delivery(delivered=True, detail=self._argv[0])
        return Delivery(
            delivered=False, detail=f"{self._argv[0]} {ending}", may_have_arrived=ending.code is None
        )
