"""A session whose calls are numbered: what the tests of faults write, and what must have been counted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.recount import Tokens
from tests.daemon.process import Place, Quotad
from tests.daemon.truth import calls, now_ms, of_calls, sums

MINUTE_MS = 60_000
START_MS = now_ms()
"""When the calls below were made; every scene has a session of its own."""


@dataclass(frozen=True)
class Scene:
    """One session in a project of its own. Its calls are numbered, each number is one call."""

    place: Place
    name: str

    @property
    def directory(self) -> Path:
        return self.place.projects / f"-{self.name}"

    def path(self, file: str = "a") -> Path:
        return self.directory / f"{file}.jsonl"

    def lines(self, *numbers: int) -> bytes:
        return b"".join(calls(self.name, numbers, at_ms=START_MS))

    def write(self, file: str, *numbers: int) -> Path:
        """Append these calls to a file, made if need be."""
        return self.append(file, self.lines(*numbers))

    def append(self, file: str, data: bytes) -> Path:
        path = self.path(file)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as opened:
            opened.write(data)
        return path

    def counted(self, quotad: Quotad) -> tuple[int, Tokens]:
        """(calls, tokens) of this session as ``history`` has them now."""
        return sums(quotad.history("session"), "session").get(self.name, of_calls(0))
