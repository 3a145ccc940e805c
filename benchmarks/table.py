"""One row a step: the figure, what was asked for, the ratio to what ran beside it, and whether it is met."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

HEADS = ("step", "figure", "target", "beside it", "met")


class Row(NamedTuple):
    """``met`` is None where nothing was asked for."""

    step: str
    figure: str
    target: str = ""
    beside: str = ""
    met: bool | None = None

    def cells(self) -> tuple[str, ...]:
        met = {True: "yes", False: "NO", None: ""}[self.met]
        return (self.step, self.figure, self.target, self.beside, met)


def quantile(values: Sequence[float], part: float) -> float:
    """The smallest of the values that at least this part of them does not exceed."""
    return sorted(values)[max(0, ceil(part * len(values)) - 1)]


def rendered(rows: Sequence[Row]) -> str:
    """A Markdown table that is also a table in a terminal."""
    lines = [HEADS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADS))]
    texts = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in lines
    ]
    return "\n".join([texts[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *texts[1:]])
