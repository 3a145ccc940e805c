"""The sessions of one slot, one after another: in which order, and when each begins."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from quotad.domain.instant import Millis


class Turn(Struct, frozen=True):
    """A job that takes so much of a slot's working time, which is counted from the slot's opening.

    ``ready``: not to begin before. ``needs``: jobs that come first, if they are in the same slot.
    """

    job: int
    takes: Millis
    ready: Millis = 0
    needs: frozenset[int] = frozenset()


def begins(turns: Sequence[Turn]) -> dict[int, Millis]:
    """When each job begins; those named first come first where nothing else speaks against it.

    Nothing waits that could begin.
    """
    begun: dict[int, Millis] = {}
    left = list(turns)
    clock = 0
    while left:
        waiting = {turn.job for turn in left}
        able = [turn for turn in left if not turn.needs & waiting]
        turn = min(able, key=lambda turn: max(clock, turn.ready))
        begun[turn.job] = max(clock, turn.ready)
        clock = begun[turn.job] + turn.takes
        left.remove(turn)
    return begun
