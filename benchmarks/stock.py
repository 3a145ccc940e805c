"""What every file of a corpus is made from: chance, ids, text and sizes, and the tally of what counts.

Ids are random but made from the corpus's one seed. Sizes follow long-tailed tables drawn once: most lines
of real transcripts are small, and most of their bytes are in a few large ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from benchmarks.lines import Usage
from benchmarks.prose import Prose

TABLE_BITS = 10
T = TypeVar("T")


@dataclass(slots=True)
class Tally:
    """What the corpus holds, known from the making of it: an answer that needs no reading."""

    calls: int = 0
    tokens: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    malformed: int = 0
    flaws: Counter[str] = field(default_factory=Counter)
    limit_resets_ms: set[int] = field(default_factory=set)

    def count(self, usage: Usage) -> None:
        self.calls += 1
        for kind, tokens in enumerate(usage.tokens()):
            self.tokens[kind] += tokens

    def correct(self, before: Usage, after: Usage) -> None:
        """A later line of a call that was counted has raised what the call used."""
        for kind, (old, new) in enumerate(zip(before.tokens(), after.tokens(), strict=True)):
            self.tokens[kind] += new - old


class Sizes:
    """A long-tailed distribution, drawn once: ``pick`` is cheap."""

    def __init__(self, chance: Random, median: float, sigma: float, most: float) -> None:
        self._chance = chance
        self._table = [
            int(min(most, median * chance.lognormvariate(0, sigma))) + 1 for _ in range(1 << TABLE_BITS)
        ]

    def pick(self) -> int:
        return self._table[self._chance.getrandbits(TABLE_BITS)]


class Stock:
    """The one source of everything random in a corpus.

    ``text_bytes_max`` keeps a single line from filling a small corpus.
    """

    def __init__(self, seed: int, text_bytes_max: int) -> None:
        self.chance = chance = Random(seed)
        self.text_bytes_max = text_bytes_max
        self.prose = Prose(chance)
        self.tally = Tally()
        self.result_bytes = Sizes(chance, 1_000, 1.5, min(60_000, text_bytes_max))
        self.text_bytes = Sizes(chance, 250, 1.1, min(8_000, text_bytes_max))
        self.edit_bytes = Sizes(chance, 500, 1.2, min(16_000, text_bytes_max))
        self.attachment_bytes = Sizes(chance, 900, 1.4, min(40_000, text_bytes_max))
        self.signature_bytes = Sizes(chance, 500, 0.8, min(6_000, text_bytes_max))
        self.step_ms = Sizes(chance, 5_000, 0.9, 90_000)
        self.think_ms = Sizes(chance, 50_000, 1.0, 1_500_000)
        self.output = Sizes(chance, 260, 1.2, 30_000)
        self.write = Sizes(chance, 900, 1.2, 60_000)

    def happens(self, probability: float) -> bool:
        return self.chance.random() < probability

    def one_of(self, choices: Sequence[T]) -> T:
        return choices[int(self.chance.random() * len(choices))]

    def text(self, size_bytes: int) -> bytes:
        return self.prose.of(min(size_bytes, self.text_bytes_max))

    def hex(self, digits: int) -> bytes:
        return b"%0*x" % (digits, self.chance.getrandbits(digits * 4))

    def uuid(self) -> bytes:
        digits = b"%032x" % self.chance.getrandbits(128)
        return b"%b-%b-4%b-a%b-%b" % (digits[:8], digits[8:12], digits[13:16], digits[17:20], digits[20:])

    def message_id(self) -> bytes:
        return b"msg_01%022x" % self.chance.getrandbits(88)

    def request_id(self) -> bytes:
        return b"req_011C%020x" % self.chance.getrandbits(80)

    def tool_use_id(self) -> bytes:
        return b"toolu_01%022x" % self.chance.getrandbits(88)
