"""Quota windows: a function of the set of events and readings, never of their order of arrival.

The provider's window opens with the first call, not on a clock grid, and runs its whole length whether
one pauses or not; the next opens with the first call at or after its end. What the provider said of a
reset outranks what was computed, because phones and other machines open windows that no local log shows
(ccusage/ccusage#917).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from quotad.domain.instant import Instant, Millis
from quotad.domain.reading import RESET_JITTER, Reading

NextEvent = Callable[[Instant], Instant | None]
"""The first instant at or after the given one at which something was spent."""


class Window(NamedTuple):
    """The half-open span ``[opened, resets)``."""

    opened: Instant
    resets: Instant

    def overlap(self, other: Window) -> Millis:
        return max(0, min(self.resets, other.resets) - max(self.opened, other.opened))


def fixes(reading: Reading, length: Millis) -> bool:
    """Whether a reading says where a window is: its reset lay ahead, and no further than a window."""
    return reading.received_at < reading.resets_at <= reading.received_at + length + RESET_JITTER


def fixed_windows(readings: Iterable[Reading], length: Millis) -> tuple[Window, ...]:
    """The windows that the provider's own resets lay down, disjoint and in order.

    A later reset that overlaps an earlier one ends it where it begins: the provider resets early at times.
    An earlier reset while a later one is known is a stale repeat from an idle terminal.
    """
    windows: list[Window] = []
    for reading in sorted(readings, key=lambda one: (one.received_at, one.resets_at)):
        if not fixes(reading, length):
            continue
        last = windows[-1] if windows else None
        if last is not None and reading.resets_at <= last.resets + RESET_JITTER:
            continue
        window = Window(reading.resets_at - length, reading.resets_at)
        if last is not None and window.opened < last.resets:
            windows[-1] = Window(last.opened, window.opened)
        windows.append(window)
    return tuple(window for window in windows if window.opened < window.resets)


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
