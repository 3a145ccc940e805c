"""Quota windows: a function of the set of events and readings, never of their order of arrival.

The provider's window opens with the first call, not on a clock grid, and runs its whole length whether
one pauses or not; the next opens with the first call at or after its end. What the provider said of a
reset outranks what was computed, because phones and other machines open windows that no local log shows
(ccusage/ccusage#917).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from quotad.domain.instant import Instant, Millis

NextEvent = Callable[[Instant], Instant | None]
"""The first instant at or after the given one at which something was spent."""


class Window(NamedTuple):
    """The half-open span ``[opened, resets)``."""

    opened: Instant
    resets: Instant

    def overlap(self, other: Window) -> Millis:
        return max(0, min(self.resets, other.resets) - max(self.opened, other.opened))


def chain(next_event: NextEvent, length: Millis, fixed: Sequence[Window], start: Instant) -> Iterator[Window]:
    """The windows from ``start`` on, in order; ``start`` must not lie inside a window.

    Args:
        next_event: must skip what opens no window (calls of no tokens) and what lies in the future.
        length: of this kind of window, in milliseconds.
        fixed: from ``fixed_windows``; a computed window that runs into one is cut short by it.
        start: the end of an earlier window, or any instant before the first event.
    """
    position = start
    ahead = [window for window in fixed if window.resets > start]
    while True:
        event = next_event(position)
        if ahead and (event is None or ahead[0].opened <= event):
            window = ahead.pop(0)
        elif event is None:
            return
        else:
            end = event + length
            window = Window(event, min(end, ahead[0].opened) if ahead else end)
        yield window
        position = window.resets
