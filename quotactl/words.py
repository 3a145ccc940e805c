"""Numbers and times in words, the same everywhere: pure, and short enough for a line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from datetime import date as Date  # noqa: N812 - `date` is a word here

from quotactl.text import HARD, View

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = 1000
_MINUTE = 60 * _SECOND
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR

_NOW_SPAN = 2 * _SECOND
_WEEKDAY_SPAN_DAYS = 6
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def tokens(count: float) -> str:
    """``412``, ``1.2k``, ``187.7k``, ``2.3M``: short everywhere; JSON and CSV are exact."""
    if 0 < count < 1:
        return "<1"
    shown = f"{count:.0f}"
    for unit, size in (("k", 1_000), ("M", 1_000_000), ("G", 1_000_000_000)):
        # From 999.95 of one unit on it reads better as 1 of the next.
        if count >= size * (0.99995 if unit != "k" else 1):
            shown = f"{count / size:.1f}".removesuffix(".0") + unit
    return shown


def percent(value: float) -> str:
    """Rounded down: 50 % is said when it is reached, and not before."""
    return f"<1{HARD}%" if 0 < value < 1 else f"{int(value)}{HARD}%"


def duration(millis: float, *, seconds_below: int = _MINUTE) -> str:
    """``45 s``, ``12 min``, ``2 h 10 min``, ``3 d 4 h``; seconds are shown under ``seconds_below``."""
    whole = max(0, int(millis))
    if whole < _MINUTE:
        return f"{whole // _SECOND}{HARD}s"
    if whole < seconds_below:
        return f"{whole // _MINUTE}{HARD}min{HARD}{whole % _MINUTE // _SECOND:02}{HARD}s"
    if whole < _HOUR:
        return f"{whole // _MINUTE}{HARD}min"
    if whole < _DAY:
        return _two(whole // _HOUR, "h", whole % _HOUR // _MINUTE, "min")
    return _two(whole // _DAY, "d", whole % _DAY // _HOUR, "h")


def _two(large: int, unit: str, small: int, lesser: str) -> str:
    return HARD.join([str(large), unit, *([str(small), lesser] if small else [])])


def ago(millis: float) -> str:
    """How long something is past: ``4 s ago``."""
    return "just now" if millis < _NOW_SPAN else f"{duration(millis)} ago"


def moment(instant: int, view: View) -> datetime:
    """The instant as a local time of the view's zone."""
    return (_EPOCH + timedelta(milliseconds=instant)).astimezone(view.zone)


def clock(instant: int, now: int, view: View) -> str:
    """``14:20``, on another day ``Tue 14:20``, further away ``1 Dec 14:20``, ``1 Dec 2027 14:20``."""
    local, today = moment(instant, view), moment(now, view).date()
    time = f"{local:%H:%M}"
    days = abs((local.date() - today).days)
    if not days:
        return time
    if days <= _WEEKDAY_SPAN_DAYS:
        return f"{weekday(local)}{HARD}{time}"
    year = "" if local.year == today.year else f"{HARD}{local.year}"
    return f"{date(local)}{year}{HARD}{time}"


def date(local: Date) -> str:
    """``22 Nov``."""
    return f"{local.day}{HARD}{month(local)}"


def month(local: Date) -> str:
    """``Nov``, in English whatever the locale is."""
    return _MONTHS[local.month - 1]


def weekday(local: Date) -> str:
    """``Sun``, in English whatever the locale is."""
    return _DAYS[local.weekday()]
