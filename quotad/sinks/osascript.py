"""macOS without an app bundle: the notification centre takes only signed bundles, ``osascript`` is one."""

from __future__ import annotations

from pathlib import Path

from quotad.sinks import program
from quotad.sinks.channel import Delivery
from quotad.sinks.wording import Payload, Words

OSASCRIPT_SECONDS_MAX = 5.0

# The words are arguments, never part of the script. The first one also keeps a title that begins with a
# dash from being read as an option.
_SCRIPT = (
    "on run argv",
    "display notification (item 3 of argv) with title (item 1 of argv) subtitle (item 2 of argv)",
    "end run",
)


class OsascriptChannel:
    """Shows notices through macOS' own script interpreter, ``osascript``."""

    name = "osascript"

    def __init__(
        self, home: Path, *, osascript: str = "osascript", seconds_max: float = OSASCRIPT_SECONDS_MAX
    ) -> None:
        self._home = home
        self._seconds_max = seconds_max
        self._osascript = osascript
        self._argv = [osascript, *(part for line in _SCRIPT for part in ("-e", line)), "quotad"]

    async def deliver(self, words: Words, payload: Payload) -> Delivery:
        del payload
        argv = [*self._argv, words.title, words.body]
        try:
            ending = await program.run(argv, b"", home=self._home, seconds_max=self._seconds_max)
        except OSError as fault:
            return Delivery(delivered=False, detail=f"cannot run {self._osascript!r}: {fault.strerror}")
        if ending.code == 0:
            return Delivery(delivered=True)
        return Delivery(delivered=False, detail=f"osascript {ending}", may_have_arrived=ending.code is None)

    async def probe(self) -> Delivery:
        if program.find(self._osascript, self._home) is None:
            return Delivery(delivered=False, detail=f"there is no program {self._osascript!r}")
        return Delivery(delivered=True)

    def close(self) -> None:
        """Nothing is held."""
