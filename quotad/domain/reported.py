"""Windows as the provider reports them: what a set of readings says, after what cannot be believed.

Readings come from many terminals, and an idle one renders for hours what it was told once
(anthropics/claude-code#75408): the newest to arrive may be the oldest that was said. So

- a reading that a session repeats without having used anything since is not news;
- within one window use never goes down, and an earlier reset than the one that is known is stale;
- a reset that lies a little later is the same window; one that lies ten minutes later or more is another,
  which ends the one before where it begins;
- what looks like the old percentage with the new reset (antoinedc/MantaUI#959, KyleNesium/AIBattery#174) is
  not believed until the window is old enough to have come so far;
- what was said by hand holds until something else is said by hand: people mistype times;
- a percentage that is clearly lower ends the window early (EricAndrechek/Pacer#38) once two sessions have
  said so, each after new use of its own.

Everything is a function of the set of readings and of the set of local calls.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from itertools import accumulate
from operator import attrgetter
from typing import NamedTuple

from msgspec import Struct, field

from quotad.domain.instant import HOUR, MINUTE, Instant, Millis
from quotad.domain.reading import RESET_JITTER, Reading, ReadingSource, in_force, received
from quotad.domain.usage import SessionId
from quotad.domain.window import Window

LastUse = Callable[[SessionId, Instant, Instant], Instant | None]
"""The last instant after the first and up to the second one at which a session's call used any tokens."""

OTHER_RESET: Millis = 10 * MINUTE
"""A reset that lies so much later is that of another window."""
PERCENT_LAG = 5.0
"""A percentage that is lower by no more may be an answer that was overtaken (sirmalloc/ccstatusline#560)."""
OLD_PERCENT_SPAN: Millis = 10 * MINUTE
"""So long after its opening a window is not believed to have come as far as the one before it."""
OLD_PERCENT_LEAST = 20.0
"""A lower one, believed wrongly, does no harm until it is passed or disproved."""
OLD_PERCENT_GAP: Millis = HOUR
"""A window that ended longer before is not the one whose percentage is repeated (memory reaches as far)."""


_RECEIVED = attrgetter("received_at")


class Reported(NamedTuple):
    """One window that the provider laid down, and the readings that speak of its percentage, as received.

    ``early`` says that it began by an early reset, within what was a longer window. ``holding`` says which
    reading holds when each has been received: use never goes down within a window, and of equal percentages
    the latest has the smallest age.
    """

    window: Window
    readings: tuple[Reading, ...]
    early: bool
    holding: tuple[Reading, ...]

    def highest(self, now: Instant) -> Reading | None:
        """The reading that holds."""
        count = bisect_right(self.readings, now, key=_RECEIVED)
        return self.holding[count - 1] if count else None


def _holding(last: Reading, one: Reading) -> Reading:
    return one if one.percent >= last.percent else last


def fixes(reading: Reading, length: Millis) -> bool:
    """Whether a reading says where a window is: its reset lay ahead, and no further than a window."""
    return reading.received_at < reading.resets_at <= reading.received_at + length + RESET_JITTER


def reported_windows(readings: Iterable[Reading], length: Millis, last_use: LastUse) -> tuple[Reported, ...]:
    """The windows that readings of one name lay down, disjoint and in order."""
    courses: list[_Course] = []
    said: dict[SessionId, Reading] = {}
    for reading in sorted(in_force(readings), key=received):
        if not fixes(reading, length) or _repeats(reading, said, last_use):
            continue
        last = courses[-1] if courses else None
        if last is None or reading.resets_at >= last.resets + OTHER_RESET:
            course = _begun(courses, Window(reading.resets_at - length, reading.resets_at))
            course.take(reading, last_use)
        elif reading.resets_at >= last.resets - RESET_JITTER:
            last.move(reading.resets_at, length)
            turned = last.take(reading, last_use)
            if turned is not None:
                courses.append(turned)
    return tuple(course.reported() for course in courses if course.opened < course.resets)


def fixed_windows(readings: Iterable[Reading], length: Millis, last_use: LastUse) -> tuple[Window, ...]:
    """The windows of ``reported_windows`` alone."""
    return tuple(one.window for one in reported_windows(readings, length, last_use))


def _repeats(reading: Reading, said: dict[SessionId, Reading], last_use: LastUse) -> bool:
    """Whether its session said just this before, and has asked the provider nothing since."""
    if reading.source is not ReadingSource.STATUS_LINE:
        return False
    before = said.get(reading.session)
    if (
        before is not None
        and before.percent == reading.percent
        and abs(before.resets_at - reading.resets_at) <= RESET_JITTER
        and last_use(reading.session, before.received_at, reading.received_at) is None
    ):
        return True
    said[reading.session] = reading
    return False


def _begun(courses: list[_Course], window: Window) -> _Course:
    """A window that ends whatever it overlaps where it begins."""
    while courses and courses[-1].opened >= window.opened:
        courses.pop()
    before: float | None = None
    if courses:
        last = courses[-1]
        last.resets = min(last.resets, window.opened)
        if window.opened - last.resets <= OLD_PERCENT_GAP:
            before = last.high
    course = _Course(window.opened, window.resets, before)
    courses.append(course)
    return course


class _Doubt(NamedTuple):
    """A lower percentage that one session reported, after its call at ``used``."""

    reading: Reading
    used: Instant


class _Course(Struct):
    """One window while its readings are gone through."""

    opened: Instant
    resets: Instant
    before: float | None
    """How far the window before it had come, if that ended just then."""
    early: bool = False
    kept: list[Reading] = field(default_factory=list)
    suspects: list[Reading] = field(default_factory=list)
    """Those that may bear the percentage of the window before."""
    high: float = 0.0
    agreed_at: Instant = 0
    """When the last reading came that did not fall behind."""
    doubt: _Doubt | None = None

    def move(self, resets: Instant, length: Millis) -> None:
        """The same window is said to reset a little later; jitter moves nothing."""
        if resets > self.resets + RESET_JITTER:
            self.resets = resets
            self.opened = max(self.opened, resets - length - OTHER_RESET)

    def take(self, reading: Reading, last_use: LastUse) -> _Course | None:
        """Take what was said next; the course that begins with it, if it ends this one early."""
        if not self.kept and self._looks_old(reading):
            self.suspects.append(reading)
        elif not self.kept or reading.percent >= self.high - PERCENT_LAG:
            if not self._is_left_over(reading, last_use):
                self.kept.append(reading)
                self.high = max(self.high, reading.percent)
                self.agreed_at = reading.received_at
                self.doubt = None
        elif reading.source is ReadingSource.STATUS_LINE:
            return self._fall(reading, last_use)
        return None

    def reported(self) -> Reported:
        believed = self.kept or [one for one in self.suspects if one.percent < OLD_PERCENT_LEAST]
        holding = tuple(accumulate(believed, _holding))
        return Reported(Window(self.opened, self.resets), tuple(believed), self.early, holding)

    def _looks_old(self, reading: Reading) -> bool:
        """The old percentage with the new reset. A limit that was hit is no percentage but a refusal."""
        return (
            self.before is not None
            and reading.source in (ReadingSource.STATUS_LINE, ReadingSource.CACHED_USAGE)
            and reading.received_at <= self.opened + OLD_PERCENT_SPAN
            and reading.percent >= self.before - PERCENT_LAG
        )

    def _is_left_over(self, reading: Reading, last_use: LastUse) -> bool:
        """Whether it may have been said before the early reset that is suspected, or known."""
        if reading.source is not ReadingSource.STATUS_LINE:
            return False
        if self.doubt is not None:
            since = self.doubt.used
        elif self.early:
            since = self.opened
        else:
            return False
        return last_use(reading.session, since - 1, reading.received_at) is None

    def _fall(self, reading: Reading, last_use: LastUse) -> _Course | None:
        """A clearly lower percentage: stale unless its session used something since; two make it true."""
        used = last_use(reading.session, self.agreed_at, reading.received_at)
        if used is None:
            return None
        doubt = self.doubt
        if doubt is None:
            self.doubt = _Doubt(reading, used)
        elif doubt.reading.session != reading.session:
            began = max(self.opened, min(doubt.used, used))
            after = _Course(began, self.resets, None, early=True, kept=[doubt.reading, reading])
            after.high = max(doubt.reading.percent, reading.percent)
            after.agreed_at = reading.received_at
            self.resets = began
            return after
        return None
