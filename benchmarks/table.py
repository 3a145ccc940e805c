"""One row a step: the figure, what was asked for, the ratio to what ran beside it, and whether it is met."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

WIDTH_MAX = 90
"""A column with longer texts is not filled up to the longest."""

HEADS = ("step", "figure", "target", "beside it", "met")


class Row(NamedTuple):
    """``met`` is None where nothing was asked for."""

    step: str
    figure: str
    target: str = ""
    beside: str = ""
    met: bool | None = None

    @classmethod
    def most(cls, step: str, value: float, most: float, form: str, beside: str = "") -> Row:
        """A figure that may be at most so much; ``form`` writes both, as in ``"{:.2f} s"``."""
        return cls(step, form.format(value), "<= " + form.format(most), beside, value <= most)

    @classmethod
    def missing(cls, step: str, target: str, why: str) -> Row:
        """What could not be measured here, and why."""
        return cls(step, "", target, f"missing: {why}")

    def cells(self) -> tuple[str, ...]:
        met = {True: "yes", False: "NO", None: ""}[self.met]
        return (self.step, self.figure, self.target, self.beside, met)


def quantile(values: Sequence[float], part: float) -> float:
    """The smallest of the values that at least this part of them does not exceed."""
    return sorted(values)[max(0, ceil(part * len(values)) - 1)]


def rendered(rows: Sequence[Row]) -> str:
    """What was measured, as a table."""
    return tabled([HEADS, *(row.cells() for row in rows)])


def tabled(lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table that is also a table in a terminal; its heads are the first of the lines."""
    columns = range(len(lines[0]))
    widths = [min(WIDTH_MAX, max(len(line[column]) for line in lines)) for column in columns]
    texts = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in lines
    ]
    return "\n".join([texts[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *texts[1:]])
