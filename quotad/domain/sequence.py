"""The sessions of one slot, one after another: in which order, and when each begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from quotad.domain.instant import Millis


@dataclass(frozen=True, slots=True)
class Turn:
    """A job that takes so much of a slot's working time, which is counted from the slot's opening.

    ``ready``: not to begin before. ``needs``: jobs that come first, if they are in the same slot.
    ``announced``: when people were told that it begins.
    """

    job: int
    takes: Millis
    ready: Millis = 0
    needs: frozenset[int] = frozenset()
    announced: Millis | None = None


def begins(turns: Sequence[Turn], works: Millis) -> dict[int, Millis]:
    """When each job begins; those named first come first where nothing else speaks against it.

    Announced times are kept if the others fit in around them; else nothing waits that could begin.
    """
    kept = _begins(turns)
    if all(kept[turn.job] + turn.takes <= works for turn in turns):
        return kept
    return _begins([replace(turn, announced=None) for turn in turns])


def _begins(turns: Sequence[Turn]) -> dict[int, Millis]:
    begun: dict[int, Millis] = {}
    left = list(turns)
    clock = 0
    while left:
        waiting = {turn.job for turn in left}
        able = [turn for turn in left if not turn.needs & waiting]
        turn = _next(able, clock, [turn.announced for turn in left if turn.announced is not None])
        begun[turn.job] = max(clock, turn.ready, turn.announced or 0)
        clock = begun[turn.job] + turn.takes
        left.remove(turn)
    return begun


def _next(able: Sequence[Turn], clock: Millis, announced: Sequence[Millis]) -> Turn:
    """Who can begin soonest, of those who end before the next announced time; else whoever has that time."""
    until = min(announced, default=None)
    fitting = [
        turn
        for turn in able
        if turn.announced is None and (until is None or max(clock, turn.ready) + turn.takes <= until)
    ]
    told = [turn for turn in able if turn.announced is not None]
    return min(fitting or told or able, key=lambda turn: max(clock, turn.ready, turn.announced or 0))
