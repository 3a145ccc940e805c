"""How each step grows: a line a step, a column a size, and why what is not flat is not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from benchmarks.daemon import Daemon
from benchmarks.growth import SPREAD_FLAT, STARTS, Measured, Site
from benchmarks.stage import MB, median
from benchmarks.table import tabled


class Line(NamedTuple):
    """A step's figure at each size, how it is written, and why it grows if it does."""

    step: str
    figures: Sequence[float | None]
    form: str
    why: str = ""

    def cells(self, sizes: Sequence[float]) -> tuple[str, ...]:
        shown = ["" if figure is None else self.form.format(figure) for figure in self.figures]
        shape = shaped(self.figures, sizes)
        return (self.step, *shown, shape, "" if shape.startswith("flat") else self.why)


def shaped(figures: Sequence[float | None], sizes: Sequence[float]) -> str:
    """Flat, linear (or less than that), or more, as seen from the smallest size to the largest."""
    known = [(figure, size) for figure, size in zip(figures, sizes, strict=True) if figure is not None]
    values = [figure for figure, _ in known]
    if min(values) <= 0:
        return "too small to tell"
    if max(values) <= SPREAD_FLAT * min(values):
        return "flat"
    grown = values[-1] / values[0]
    if grown <= SPREAD_FLAT:
        return "flat, but uneven"
    by = known[-1][1] / known[0][1]
    if grown > SPREAD_FLAT * by:
        return f"MORE than linear: {grown:.0f}x for {by:.0f}x"
    return "linear" if grown * SPREAD_FLAT >= by else f"less than linear: {grown:.1f}x for {by:.0f}x"


def of_history(sites: Sequence[Site], measured: Sequence[Measured]) -> str:
    """Each step against the size of history."""
    sizes = [float(one.calls) for one in sites]
    of_start: dict[str, Callable[[Site], float]] = {
        "current window from nothing": lambda one: one.start.right_s,
        "history read in behind": lambda one: one.start.caught_up_s,
    }
    lines = [
        Line("calls in the ledger", sizes, "{:,.0f}"),
        Line(
            "all of history once, CPU",
            [one.once_cpu_s for one in sites],
            "{:.2f} s",
            "each byte is read once",
        ),
        *(
            Line(step, [figure(one) for one in sites], "{:.2f} s", _WHY[step])
            for step, figure in of_start.items()
        ),
        Line("restart to READY", _ready_s(sites), "{:.2f} s", _WHY["restart"]),
        Line("bytes of a status", [float(seen.reply_bytes) for seen in measured], "{:,.0f}", _WHY["reply"]),
        Line("status p50", [median(seen.status_s) * 1000 for seen in measured], "{:.2f} ms", _WHY["status"]),
        Line(
            "one more line, CPU p50",
            [seen.line_us for seen in measured],
            "{:.0f} us",
            _WHY["line"],
        ),
        Line("peak memory", [one.start.peak_bytes / MB for one in sites], "{:.0f} MB", _WHY["peak"]),
        Line("steady memory", [one.start.steady_bytes / MB for one in sites], "{:.0f} MB", _WHY["memory"]),
    ]
    heads = ("step", *(one.name for one in sites), "grows", "because")
    return tabled([heads, *(line.cells(sizes) for line in lines)])


def _ready_s(sites: Sequence[Site]) -> list[float]:
    """Seconds to READY=1 of each, started in turns."""
    took: list[list[float]] = [[] for _ in sites]
    for _ in range(STARTS):
        for one, so_far in zip(sites, took, strict=True):
            with Daemon(one.place) as daemon:
                so_far.append(daemon.ready_s())
    return [median(each) for each in took]


_WHY = {
    "current window from nothing": "each directory is listed and each file looked at (stat), old ones too",
    "history read in behind": "each byte is read once; among millions each new key is a page of its index",
    "restart": "the cursors of all files are taken up, and indexes of millions are a page deeper",
    "reply": "more sessions are open at the end of a larger corpus, and all are in the answer",
    "status": "the hot files are looked at before each answer, and a larger corpus has more of them",
    "line": "the standing holds what the longest window can still need, and more was used in it",
    "peak": "where there is much to read a process is started for it, a Python of its own",
    "memory": "the cursors of all files and the calls of the longest window are in memory",
}
