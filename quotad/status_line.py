"""Claude Code's status line: how the windows stand, as one line that fits the terminal.

The daemon draws it from what it knows, the client from Claude Code's own words when there is no daemon. Pure,
and without a single import: a client that runs at every answer of Claude Code must not pay for ``typing``.
Where the whole does not fit, what tells least goes first (``_SHAPES``).
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

COLUMNS_LEAST = 8
COLUMNS_MOST = 200
"""Of a wider terminal the rest stays empty."""

LEVELS = ((95.0, "critical"), (90.0, "danger"), (75.0, "warning"), (50.0, "moderate"), (0.0, "plenty"))
"""From which percentage on a window is how worrying; the domain has the same, for everybody else."""

_SGR = {"plenty": "32", "moderate": "33", "warning": "33", "danger": "31", "critical": "1;31", "dim": "2"}
_FULL, _EMPTY, _DOT, _ELLIPSIS = "█", "░", " · ", "…"
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_STALE = 10 * MINUTE
"""A reading older than this is shown with its age."""
_NAME_CELLS = 16


class Window:
    """One quota window; instants in milliseconds since the epoch.

    ``percent`` is what is used; ``mark`` is ``""`` for the provider's own number, ``~`` for one that is
    counted here, ``≥`` for a lower bound. ``said_at`` is when the provider said it, ``runs_out_at`` when it
    is used up at the pace of now, if that is before it resets.
    """

    __slots__ = ("mark", "name", "percent", "resets_at", "runs_out_at", "said_at")

    def __init__(  # noqa: PLR0913 - a named tuple would cost the client `typing`
        self,
        name: str,
        percent: float,
        resets_at: int | None,
        *,
        mark: str = "",
        said_at: int | None = None,
        runs_out_at: int | None = None,
    ) -> None:
        self.name = name
        self.percent = percent
        self.resets_at = resets_at
        self.mark = mark
        self.said_at = said_at
        self.runs_out_at = runs_out_at


class View:
    """How to write: the width in cells, colours or none, and what a local clock is ahead of UTC.

    ``ahead`` gives the seconds that the local time is ahead of UTC at an instant.
    """

    __slots__ = ("ahead", "colour", "columns", "now")

    def __init__(self, now: int, columns: int, *, colour: bool, ahead: "Callable[[int], int]") -> None:
        self.now = now
        self.columns = max(COLUMNS_LEAST, min(columns, COLUMNS_MOST))
        self.colour = colour
        self.ahead = ahead


class _Shape:
    """What of everything is shown: cells of a bar, how many windows, cells of a name, which of the rest."""

    __slots__ = ("bar", "level", "name", "next", "out", "times", "windows", "words")

    def __init__(self, bar: int, windows: int, name: int, parts: str) -> None:
        self.bar = bar
        self.windows = windows
        self.name = name
        self.words = "words" in parts
        self.level = "level" in parts
        self.times = "times" in parts
        self.out = "out" in parts
        self.next = name > 0


_ALL = 9
_SHAPES = (
    _Shape(10, _ALL, 16, "words level times out"),
    _Shape(8, _ALL, 16, "words level times out"),
    *(_Shape(bar, _ALL, 16, "level times out") for bar in (10, 8, 6, 5, 4)),
    *(_Shape(bar, _ALL, 8, "level times out") for bar in (5, 4, 3)),
    *(_Shape(bar, 2, 8, "level times out") for bar in (6, 5, 4, 3)),
    _Shape(3, 2, 5, "level times out"),
    _Shape(0, 2, 8, "level times out"),
    _Shape(4, 2, 0, "level times out"),
    _Shape(3, 2, 0, "times out"),
    _Shape(0, 2, 0, "times out"),
    _Shape(3, 2, 0, "times"),
    _Shape(0, 2, 0, "times"),
    _Shape(4, 1, 0, "times"),
    _Shape(0, 1, 0, "times"),
    _Shape(0, 1, 0, ""),
)
"""From everything to the least; the first that fits is taken."""


def render(
    windows: "Sequence[Window]",
    view: View,
    *,
    planned: tuple[str, int] | None = None,
    note: str = "",
) -> str:
    """The line, not longer than the view is wide; empty when there is nothing to show.

    ``planned`` is the next scheduled session and its time, ``note`` a word of caution at the end.
    """
    parts: list[tuple[str, str]] = []
    for shape in _SHAPES:
        parts = list(_parts(windows, view, shape, planned, note))
        if sum(len(text) for text, _ in parts) <= view.columns:
            return "".join(_painted(text, style, view) for text, style in parts)
    text = "".join(text for text, _ in parts)
    return text[: view.columns - 1] + _ELLIPSIS


def level_of(percent: float) -> str:
    """The level's word."""
    return next((word for least, word in LEVELS if percent >= least), "plenty")


def label(name: str) -> str:
    """``five_hour`` -> ``5h``, ``seven_day_opus`` -> ``7d opus``."""
    for long, short in (("five_hour", "5h"), ("seven_day", "7d")):
        if name == long or name.startswith(long + "_"):
            return short + label(name[len(long) :]) if name != long else short
    # What a provider or a settings file calls it goes to a terminal.
    shown = "".join(sign if sign.isprintable() else "?" for sign in name[:_NAME_CELLS])
    return shown.replace("_", " ")


def duration(millis: int) -> str:
    """``45s``, ``12m``, ``2h10m``, ``3d4h``."""
    left = max(0, millis)
    if left < MINUTE:
        return f"{left // SECOND}s"
    if left < HOUR:
        return f"{left // MINUTE}m"
    if left < DAY:
        return f"{left // HOUR}h" + (f"{left % HOUR // MINUTE}m" if left % HOUR >= MINUTE else "")
    return f"{left // DAY}d" + (f"{left % DAY // HOUR}h" if left % DAY >= HOUR else "")


def clock(at: int, view: View) -> str:
    """``14:20``, on another day ``Tue 14:20``, more than six days away ``in 8d3h``."""
    local = at // SECOND + view.ahead(at)
    today = (view.now // SECOND + view.ahead(view.now)) // 86_400
    time = f"{local // 3600 % 24:02}:{local // 60 % 60:02}"
    days = local // 86_400 - today
    if not days:
        return time
    if abs(days) < len(_WEEKDAYS):
        # The epoch was a Thursday.
        return f"{_WEEKDAYS[(local // 86_400 + 3) % 7]} {time}"
    return f"in {duration(at - view.now)}"


def _parts(
    windows: "Sequence[Window]",
    view: View,
    shape: _Shape,
    planned: tuple[str, int] | None,
    note: str,
) -> "Iterable[tuple[str, str]]":
    """Pieces of text and their styles."""
    shown = _foremost(windows, shape.windows)
    worst = max(windows, key=lambda one: one.percent, default=None)
    joint = ""
    if shape.level and worst is not None:
        level = level_of(worst.percent)
        yield level, level
        joint = "  "
    for window in shown:
        yield joint, ""
        yield from _window(window, view, shape)
        joint = _DOT
    if shape.out:
        for text, style in _out(windows, view, shape):
            yield joint, "dim"
            yield text, style
            joint = _DOT
    if shape.next and planned is not None:
        yield joint, "dim"
        yield _next(planned, view, shape), ""
        joint = _DOT
    if note and (shape.level or not windows):
        yield joint, "dim"
        yield note, "dim"


def _foremost(windows: "Sequence[Window]", most: int) -> "Sequence[Window]":
    """The first window and the fullest others, in their order."""
    others = sorted(windows[1:], key=lambda one: -one.percent)[: most - 1]
    if most == 1:
        return [max(windows, key=lambda one: one.percent)] if windows else []
    return [one for one in windows if one is windows[0] or one in others]


def _window(window: Window, view: View, shape: _Shape) -> "Iterable[tuple[str, str]]":
    style = level_of(window.percent)
    yield label(window.name) + " ", ""
    if shape.bar:
        full = min(shape.bar, max(int(window.percent * shape.bar / 100), 1 if window.percent > 0 else 0))
        yield _FULL * full, style
        yield _EMPTY * (shape.bar - full), "dim"
        yield " ", ""
    yield f"{window.mark}{_percent(window.percent)}", style
    if shape.times and window.resets_at is not None:
        left = duration(window.resets_at - view.now)
        yield f" resets in {left}" if shape.words else f" {left}", "" if shape.words else "dim"
    if shape.times and window.said_at is not None and view.now - window.said_at >= _STALE:
        yield f" ({duration(view.now - window.said_at)} old)", "dim"


def _percent(percent: float) -> str:
    """Rounded down: 50% is said when it is reached, and not before."""
    return "<1%" if 0 < percent < 1 else f"{int(percent)}%"


def _out(windows: "Sequence[Window]", view: View, shape: _Shape) -> "Iterable[tuple[str, str]]":
    """Which window is used up, or which will be first."""
    full = [one for one in windows if one.percent >= 100 and one.resets_at is not None]  # noqa: PLR2004 - per cent
    if full:
        back = max(one.resets_at or 0 for one in full)
        yield f"{'used up until' if shape.words else 'back'} {clock(back, view)}", "critical"
        return
    coming = [one.runs_out_at for one in windows if one.runs_out_at is not None]
    if coming:
        yield f"{'runs out' if shape.words else 'out'} {clock(min(coming), view)}", "danger"


def _next(planned: tuple[str, int], view: View, shape: _Shape) -> str:
    name, at = planned
    short = name if len(name) <= shape.name else name[: shape.name - 1] + _ELLIPSIS
    return f"due {short}" if at <= view.now else f"next {short} {clock(at, view)}"


def _painted(text: str, style: str, view: View) -> str:
    code = _SGR.get(style) if view.colour and text.strip() else None
    return f"\x1b[{code}m{text}\x1b[0m" if code else text


NO_DAEMON = "quotad does not answer: quotactl up"
AHEAD_MOST = (("five_hour", 5 * HOUR + 2 * MINUTE), ("seven_day", 7 * DAY + 2 * MINUTE))
"""The windows that Claude Code speaks of, and how far ahead they reset at most."""
PERCENT_MOST = 110.0
"""A little more than all has been seen; much more is no percentage. The domain has the same."""


def alone(said: object, view: View) -> str:
    """The line from nothing but what Claude Code gave on stdin, decoded."""
    return render(list(_said(said, view.now)), view, note=NO_DAEMON)


def _said(said: object, now: int) -> "Iterable[Window]":
    """The windows that Claude Code speaks of, as far as they make sense; nothing is corrected."""
    limits = said.get("rate_limits") if isinstance(said, dict) else None
    for name, ahead_most in AHEAD_MOST:
        window = limits.get(name) if isinstance(limits, dict) else None
        if not isinstance(window, dict):
            continue
        percent, resets = _number(window.get("used_percentage")), _number(window.get("resets_at"))
        if percent is None or not 0 <= percent <= PERCENT_MOST or resets is None:
            continue
        if now < resets * SECOND <= now + ahead_most:
            yield Window(name, percent, int(resets * SECOND))


def _number(value: object) -> float | None:
    return None if isinstance(value, bool) or not isinstance(value, int | float) else value
