"""Clocks that a test sets: the daemon's own fast one, and the machine's, as libfaketime shows it."""

from __future__ import annotations

import time
from pathlib import Path

from quotad import wire
from tests.daemon.process import Place
from tests.daemon.truth import now_ms


class FastClock:
    """The clock of ``quotad --demo-clock``: now it shows the machine's time, and runs on faster."""

    def __init__(self, rate: float) -> None:
        self._start_ms = now_ms()
        self._rate = rate
        self._reference_ns = time.monotonic_ns()
        self.arguments = ("--demo-clock", f"{wire.iso(self._start_ms)}@{rate}@{self._reference_ns}")

    def now(self) -> int:
        """What the daemon takes for the time."""
        return self._start_ms + round((time.monotonic_ns() - self._reference_ns) * self._rate / 1e6)


class SetClock:
    """The machine's wall clock as one process sees it, set at will; its monotonic clock goes on as ever.

    The environment has to be that of the daemon; whoever wants it is marked ``requires("faketime",
    "faketime")``.
    """

    def __init__(self, place: Place) -> None:
        self._file = place.root / "faketime"
        self._ahead_ms = 0
        self.set(now_ms())
        library = next(Path("/usr").glob("lib*/**/faketime/libfaketime.so.1"))
        self.environment = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, at_ms: int) -> None:
        """It shows this now, and goes on from there."""
        self._ahead_ms = at_ms - now_ms()
        new = self._file.with_suffix(".new")
        new.write_text(f"{self._ahead_ms / 1000:+.3f}\n")
        new.replace(self._file)

    def now(self) -> int:
        """What the daemon takes for the time."""
        return now_ms() + self._ahead_ms
