"""What is worth saying inside a Claude Code session: facts, each once, and mostly nothing.

Notices reach the user wherever they are; a remark reaches them, and Claude, in the session that goes on. So a
session hears of what it may not know: how much is left when it starts, a threshold that was crossed since its
last prompt, a planned session whose time has come. The user sees a threshold when the turn ends that crossed
it; Claude, which would go on working if it were told then, learns of it with the next prompt.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from msgspec import Struct, field

from quotad import status_line
from quotad.domain.instant import Instant
from quotad.domain.level import advice_of
from quotad.domain.notice import Basis
from quotad.domain.policy import FIVE_HOUR, SEVEN_DAY
from quotad.domain.queue import Planned, PlannedId
from quotad.domain.reading import RESET_JITTER
from quotad.domain.standing import WindowStanding
from quotad.domain.usage import SessionId

SESSIONS_MAX = 1_000
"""Of so many sessions it is known what they were told; the least lately heard of are forgotten."""

_WINDOW_WORDS = {FIVE_HOUR: "5-hour", SEVEN_DAY: "7-day"}


class Remark(NamedTuple):
    """Facts: ``message`` for the user, ``context`` for Claude; both empty when there is nothing to say."""

    message: str
    context: str


NOTHING = Remark("", "")


class Outlook(NamedTuple):
    """How things stand for the account of a session, and how to write of it."""

    windows: Sequence[WindowStanding]
    thresholds: Sequence[float]
    due: Sequence[Planned]
    view: status_line.View


class _Height(NamedTuple):
    """The highest threshold that a window had crossed, and when that window resets."""

    threshold: float
    resets_at: Instant


class _Told(Struct):
    """What one session knows: what its user was shown, what Claude was told, and what both heard is due."""

    shown: dict[str, _Height] = field(default_factory=dict)
    context: dict[str, _Height] = field(default_factory=dict)
    due: set[tuple[PlannedId, Instant | None]] = field(default_factory=set)


class Remarks:
    """Remembers what each session was told, as long as the daemon runs."""

    def __init__(self) -> None:
        self._told: OrderedDict[SessionId, _Told] = OrderedDict()

    def at_start(self, session: SessionId, outlook: Outlook) -> Remark:
        """How much is left, of windows that are running, and what is due."""
        told = self._of(session) or self._begin(session)
        told.shown = {window.name: _height(window, outlook) for window in outlook.windows}
        told.context = dict(told.shown)
        running = [one for one in outlook.windows if one.is_open and one.percent is not None]
        return _joined([_left(running, outlook.view), *_due(told, outlook)])

    def at_prompt(self, session: SessionId, outlook: Outlook) -> Remark:
        """Which windows have crossed a threshold since the last prompt, and what is due.

        Of a session that was not heard of before nobody knows what it knows of the windows.
        """
        known = self._of(session)
        told = known or self._begin(session)
        shown, context = _crossed(told.shown, outlook), _crossed(told.context, outlook)
        left = NOTHING
        if known is not None:
            left = Remark(_left(shown, outlook.view).message, _left(context, outlook.view).context)
        return _joined([left, *_due(told, outlook)])

    def at_stop(self, session: SessionId, outlook: Outlook) -> Remark:
        """Which windows have crossed a threshold in the turn that ends; for the user alone."""
        known = self._of(session)
        if known is None:
            told = self._begin(session)
            _crossed(told.shown, outlook)
            told.context = dict(told.shown)
            return NOTHING
        return Remark(_left(_crossed(known.shown, outlook), outlook.view).message, "")

    def _of(self, session: SessionId) -> _Told | None:
        if session in self._told:
            self._told.move_to_end(session)
        return self._told.get(session)

    def _begin(self, session: SessionId) -> _Told:
        told = self._told[session] = _Told()
        if len(self._told) > SESSIONS_MAX:
            self._told.popitem(last=False)
        return told


def _crossed(heights: dict[str, _Height], outlook: Outlook) -> list[WindowStanding]:
    """The windows that stand above a threshold that ``heights`` does not know of; it knows of it then."""
    crossed = []
    for window in outlook.windows:
        height, before = _height(window, outlook), heights.get(window.name)
        if before is not None and abs(before.resets_at - height.resets_at) > RESET_JITTER:
            before = None
        if height.threshold > (before.threshold if before else 0):
            crossed.append(window)
        if before is None or height.threshold > before.threshold:
            heights[window.name] = height
    return crossed


def _height(window: WindowStanding, outlook: Outlook) -> _Height:
    crossed = (one for one in outlook.thresholds if one <= (window.percent or 0.0))
    return _Height(max(crossed, default=0.0), window.resets_at or 0)


def _left(windows: Sequence[WindowStanding], view: status_line.View) -> Remark:
    """How the windows stand."""
    if not windows:
        return NOTHING
    worst = max(windows, key=lambda one: one.percent or 0.0)
    facts = ", ".join(
        f"{_percent(window)} of the {_window(window)} window used{_tokens(window)}{_until(window, view)}"
        for window in windows
    )
    context = " ".join(
        f"The account has used {_percent(window)} of its {_window(window)} allowance"
        f"{_by(window)}{_tokens(window)}; it resets at {_clock(window, view)}."
        for window in windows
    )
    return Remark(f"Quota: {facts}. {advice_of(worst.percent or 0.0)}", context)


def _due(told: _Told, outlook: Outlook) -> Iterator[Remark]:
    """Planned sessions whose time has come and that the quota is there for, each said once to a session."""
    for planned in outlook.due:
        key = (planned.id, planned.scheduled_for)
        if key in told.due or planned.scheduled_for is None:
            continue
        told.due.add(key)
        since = status_line.clock(planned.scheduled_for, outlook.view)
        tokens, command = _count(planned.tokens), f"quotactl start {planned.id}"
        yield Remark(
            f"Planned session {planned.id} ({tokens} tokens) is due: {command}",
            f"The planned session {planned.id}, estimated at {tokens} tokens, has been due since {since}, "
            f"and the quota for it is there; `{command}` starts it.",
        )


def _joined(remarks: Iterable[Remark]) -> Remark:
    some = [one for one in remarks if one != NOTHING]
    return Remark("\n".join(one.message for one in some), " ".join(one.context for one in some))


def _percent(window: WindowStanding) -> str:
    least = "at least " if window.lower_bound else ""
    return f"{least}{int(window.percent or 0)}%"


def _window(window: WindowStanding) -> str:
    return _WINDOW_WORDS.get(window.name) or status_line.label(window.name)


def _by(window: WindowStanding) -> str:
    return "" if window.basis is Basis.REPORTED else " by local count"


def _tokens(window: WindowStanding) -> str:
    return "" if window.remaining is None else f", about {_count(window.remaining)} tokens left"


def _until(window: WindowStanding, view: status_line.View) -> str:
    if window.resets_at is None:
        return ""
    return f", resets {_clock(window, view)} (in {status_line.duration(window.resets_at - view.now)})"


def _clock(window: WindowStanding, view: status_line.View) -> str:
    return status_line.clock(window.resets_at or view.now, view)


def _count(tokens: int) -> str:
    """``412``, ``18.2k``, ``1.2M``."""
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if tokens >= size:
            return f"{tokens / size:.1f}".removesuffix(".0") + unit
    return str(tokens)
