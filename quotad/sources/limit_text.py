"""What Claude Code says when a limit is hit: which window, and when it resets.

The words are for people and have changed every few months: ``...|<epoch>`` (anthropics/claude-code#9046), a
clock time with its zone (#10188), ``5-hour limit reached`` (#12308), ``Weekly limit reached`` with a date
(#12686), ``You've hit your limit`` (#42053), and now with the window's name (#72691).

A wrong reading would stop all work, or hide that it can go on, so what is not understood to the end is no
reading: an unknown kind of limit, an unknown zone, a reset further away than its window is long.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta, tzinfo

from quotad.domain.instant import DAY, MINUTE, SECOND, Instant, Millis
from quotad.domain.policy import FIVE_HOUR, SEVEN_DAY
from quotad.domain.reading import Reading, ReadingSource
from quotad.domain.session import SESSION_LENGTH

RESET_SLACK: Millis = 2 * MINUTE
"""Resets are stated in whole minutes, and may round up."""

_NOT_A_QUOTA = ("not your usage limit", "request rejected (429)")
"""Throttling, which has nothing to do with what was used."""

_WINDOWS = {"session": FIVE_HOUR, "5-hour": FIVE_HOUR, "weekly": SEVEN_DAY}
_MODELS = ("opus", "sonnet", "haiku", "fable")
_FILLERS = ("claude", "ai", "usage")
_NO_SUCH_MOMENT = (KeyError, ValueError, OSError, OverflowError)
"""What an unknown or impossible zone raises, a day that does not exist, and a line of the year 1 or 9999."""

_VERSION = re.compile(r"[0-9]+(?:\.[0-9]+)?")

_SUBJECT = r"(?: [\w -] | (?<=[0-9])\.(?=[0-9]) ){0,40}?"
_HIT = re.compile(
    rf"""(?: \bhit\ your\b (?P<hit>{_SUBJECT}) \blimit
           | (?: ^ | :\  ) (?P<reached>{_SUBJECT}) \blimit\ reached )
         \b (?= \s* (?: $ | [^\w\s] | resets?\b ) )""",  # "limit for ..." is of a scope not known here
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)
_EPOCH = re.compile(r"\s*\|\s*(?P<seconds>[0-9]{10})\b")
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_RESET = re.compile(
    rf"""\b resets? \s (?: at \s )?
         (?: (?P<weekday>{"|".join(_WEEKDAYS)}) [a-z]* ,? \s (?: at \s )? )?
         (?: (?P<month>{"|".join(_MONTHS)}) [a-z]* \s (?P<day>[0-9]{{1,2}}) (?: ,\s (?P<year>2[0-9]{{3}}) )?
             (?: , | \s at ) \s )?
         (?P<hour>0?[1-9]|1[0-2]) (?: : (?P<minute>[0-5][0-9]) )? \s? (?P<half>[ap])m \b
         (?: \s* \( (?P<zone>[^()]*) \) )?""",
    re.VERBOSE | re.IGNORECASE,
)


def read(text: str, at: Instant, zone: tzinfo | None) -> Reading | None:
    """The reading that ``text``, shown at ``at``, amounts to: 100 % of a window until its reset.

    ``zone`` is that of a clock time without one; None is the machine's own. A limit that names no window is
    ``five_hour`` if its reset is near enough, else ``seven_day``; a model's is ``seven_day_<family>``.
    """
    hit = _HIT.search(text)
    lowered = text.lower()
    if hit is None or any(phrase in lowered for phrase in _NOT_A_QUOTA):
        return None
    window = _window(hit["hit"] or hit["reached"] or "")
    try:
        resets_at = _reset(text[hit.end() :], at, zone)
    except _NO_SUCH_MOMENT:
        return None
    if window is None or resets_at is None:
        return None
    ahead = resets_at - at
    if not window:
        window = FIVE_HOUR if ahead <= SESSION_LENGTH + RESET_SLACK else SEVEN_DAY
    length = SESSION_LENGTH if window == FIVE_HOUR else 7 * DAY
    if not 0 < ahead <= length + RESET_SLACK:
        return None
    return Reading(window, 100.0, resets_at, at, ReadingSource.LIMIT_HIT)


def _window(subject: str) -> str | None:
    """The window's name; empty when none is named; None for limits of money, organisations or the unknown."""
    window = ""
    for word in subject.lower().split():
        if word in _MODELS:
            window = f"{SEVEN_DAY}_{word}"
        elif word in _WINDOWS:
            window = window or _WINDOWS[word]
        elif word not in _FILLERS and not _VERSION.fullmatch(word):
            return None
    return window


def _reset(text: str, at: Instant, zone: tzinfo | None) -> Instant | None:
    """When the words after the limit say that it resets: the next such moment. Raises ``_NO_SUCH_MOMENT``."""
    epoch = _EPOCH.match(text)
    if epoch is not None:
        return int(epoch["seconds"]) * SECOND
    reset = _RESET.search(text)
    if reset is None:
        return None
    if reset["zone"] is not None:
        from zoneinfo import ZoneInfo  # noqa: PLC0415 - looks for the machine's zones, and few messages name one

        zone = ZoneInfo(reset["zone"])
    hour = int(reset["hour"]) % 12 + (12 if reset["half"] in "pP" else 0)
    clock = time(hour, int(reset["minute"] or 0))
    for day in _days(reset, datetime.fromtimestamp(at / SECOND, zone).date()):
        # Where clocks are set back an hour comes twice.
        for fold in (0, 1):
            moment = datetime.combine(day, clock.replace(fold=fold), zone)
            resets_at = int(moment.timestamp()) * SECOND
            if resets_at > at:
                return resets_at
    return None


def _days(reset: re.Match[str], today: date) -> Iterator[date]:
    """The days that may be meant, soonest first."""
    if reset["month"]:
        month = 1 + _MONTHS.index(reset["month"].lower())
        for year in [int(reset["year"])] if reset["year"] else [today.year, today.year + 1]:
            yield date(year, month, int(reset["day"]))
        return
    first = today
    step = 1
    if reset["weekday"]:
        first += timedelta(days=(_WEEKDAYS.index(reset["weekday"].lower()) - today.weekday()) % 7)
        step = 7
    yield first
    yield first + timedelta(days=step)
