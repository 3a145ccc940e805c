"""Which files a corpus has, and how its bytes are shared out among them."""

from __future__ import annotations

from enum import Enum
from random import Random
from typing import NamedTuple

AGENTS_PER_SESSION = (0,) * 10 + (1,) * 4 + (2, 2, 3, 4, 6, 8)
DUPLICATE_CHANCE = 0.01
DUPLICATE_FIRST = 2
"""Even the smallest corpus has one, after this many parts."""


class Kind(Enum):
    """How a file comes to be."""

    SESSION = "a conversation"
    TWIN = "two resumed terminals write into one file"
    FORK = "begins with a copy of another session's lines under a new id"
    DUPLICATE = "a copy of a whole file under another project"


KINDS = (Kind.SESSION,) * 40 + (Kind.TWIN,) * 3 + (Kind.FORK,) * 5


class Part(NamedTuple):
    """A file to write and its subagents' files, by their share of the corpus's bytes."""

    kind: Kind
    weight: float
    agents: tuple[float, ...]


def planned(chance: Random, files: int, *, duplicates: bool) -> list[Part]:
    """Parts whose files, subagents' included, are exactly ``files``."""
    parts: list[Part] = []
    left = files
    while left:
        kind = KINDS[int(chance.random() * len(KINDS))]
        if duplicates and parts and (len(parts) == DUPLICATE_FIRST or chance.random() < DUPLICATE_CHANCE):
            kind = Kind.DUPLICATE
        agents = AGENTS_PER_SESSION[int(chance.random() * len(AGENTS_PER_SESSION))]
        if kind in {Kind.DUPLICATE, Kind.FORK}:
            agents = 0
        weights = tuple(chance.lognormvariate(0, 0.8) for _ in range(min(agents, left - 1)))
        parts.append(Part(kind, 3 * chance.lognormvariate(0, 1), weights))
        left -= 1 + len(weights)
    return parts
