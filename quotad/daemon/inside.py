"""What Claude Code asks from inside: its status line, its hooks, and the limit that a user says was hit.

Each carries news first and asks second: what it says of the quota is taken in before the answer is made, and
so is what was written to disk before the question.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from quotad import status_line, wire
from quotad.clock import Clock
from quotad.daemon.remarks import NOTHING, Outlook, Remark, Remarks
from quotad.domain.due import due
from quotad.domain.instant import SECOND, Instant
from quotad.domain.notice import Basis
from quotad.domain.policy import FIVE_HOUR
from quotad.domain.queue import Queue, Status
from quotad.domain.reading import OVER, Reading, by_hand, taken_back
from quotad.domain.standing import Standing, WindowStanding
from quotad.domain.usage import AccountId, SessionId
from quotad.engine import Engine
from quotad.intake.intake import Intake
from quotad.ipc.requests import Method, Methods
from quotad.planning.agenda import Agenda
from quotad.sources import limit_text
from quotad.sources.status_line import decode

READING_HISTORY = "reading history"
NOT_FOLLOWED = "quotad does not follow this account"
WIDTH = 80
LIMIT_ERROR = "rate_limit"

_log = logging.getLogger(__name__)


def local_ahead(at: Instant) -> int:
    """So many seconds is this machine's clock ahead of UTC at an instant."""
    return time.localtime(at / SECOND).tm_gmtoff


class Inside:
    """The methods ``statusline``, ``hook`` and ``limit-hit``."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts that it speaks for
        self,
        engine: Engine,
        intake: Callable[[], Intake],
        agenda: Agenda,
        clock: Clock,
        environment: Mapping[str, str],
        ahead: Callable[[Instant], int] = local_ahead,
    ) -> None:
        """``intake`` gives the one that reads now: a reload replaces it."""
        self._engine = engine
        self._intake = intake
        self._agenda = agenda
        self._clock = clock
        self._ahead = ahead
        home = Path(environment.get("HOME") or Path.home())
        self._usual = str(home / ".claude")
        self._second = str(Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "claude")
        self._remarks = Remarks()
        self._refused: tuple[str, ...] = ()

    @property
    def refused(self) -> tuple[str, ...]:
        """What of the last status line made no sense, and why: for ``doctor``."""
        return self._refused

    def methods(self) -> Methods:
        """These three of the wire's methods."""
        return {
            "statusline": Method(wire.StatusLineParams, self._statusline),
            "hook": Method(wire.HookParams, self._hook),
            "limit-hit": Method(wire.LimitHitParams, self._limit_hit),
        }

    def account_of(self, root: str | None) -> AccountId | None:
        """Whose Claude Code directory that is; None if nobody's that is followed.

        No directory at all is the usual one, and Claude Code's second place belongs to the first account.
        """
        accounts = self._engine.state.accounts
        first = next(iter(accounts), None)
        known = {_real(one): one for one in accounts}
        if not root:
            return known.get(_real(self._usual), first)
        return known.get(_real(root), first if _real(root) == _real(self._second) else None)

    async def _statusline(self, params: wire.StatusLineParams) -> wire.LineReply:
        said = decode(params.text, self._clock.now())
        if params.text.strip():
            self._note(said.refused)
        account = self.account_of(params.root or said.root)
        if account is not None:
            # First, since it outranks what the calls that are read next would be taken to amount to. And once
            # more, since whether it confirms what was known shows in these calls.
            self._heard(account, said.readings)
            await self._look()
            self._heard(account, said.readings)
        view = self._view(params.columns, colour=params.colour)
        if account is None:
            told = [_of_reading(one) for one in said.readings]
            return {"line": status_line.render(told, view, note=NOT_FOLLOWED)}
        standing = self._engine.standing()
        line = status_line.render(
            [shown for one in _windows(standing, account) if (shown := _of_window(one)) is not None],
            view,
            planned=_next(standing.queue),
            note="" if standing.caught_up else READING_HISTORY,
        )
        return {"line": line}

    async def _hook(self, params: wire.HookParams) -> wire.HookReply:
        said, account = _members(params.text), self.account_of(params.root)
        session = SessionId(_text(said, "session_id"))
        remark = NOTHING
        if account is not None and params.event == "StopFailure":
            self._limit_told(account, said)
        elif account is not None and session:
            match params.event:
                case "SessionStart" if _text(said, "source") != "compact":
                    remark = self._remarks.at_start(session, await self._outlook(account))
                case "SessionStart" | "UserPromptSubmit":
                    remark = self._remarks.at_prompt(session, await self._outlook(account))
                case "Stop":
                    remark = self._remarks.at_stop(session, await self._outlook(account))
                case _:
                    pass
        return _reply(remark)

    def _limit_told(self, account: AccountId, said: Mapping[str, object]) -> None:
        """Some versions call it ``error``, some ``error_type``; the sentence says which limit it is."""
        error = _text(said, "error") or _text(said, "error_type")
        reading = limit_text.read(_text(said, "last_assistant_message"), self._clock.now(), None)
        if reading is not None and error in {"", LIMIT_ERROR}:
            self._heard(account, (reading,))

    async def _limit_hit(self, params: wire.LimitHitParams) -> wire.LimitHitReply:
        account = self.account_of(params.root)
        if account is None:
            raise _wrong(f"{params.root} is not among the directories that quotad follows: see `roots`")
        await self._intake().refresh()
        now = self._clock.now()
        if params.undo:
            told = self._engine.state.accounts[account].readings.values()
            undone = [one for readings in told for one in taken_back(readings, now)]
            if not undone:
                raise _wrong("undo: no limit was said to be hit by hand, or it has reset")
            self._heard(account, undone)
            return {"windows": sorted(one.window for one in undone), "resets_at": None}
        reading = by_hand(self._reset(account, params.resets), now)
        if reading is None:
            raise _wrong("resets: must lie ahead, and at most a week")
        self._heard(account, (reading,))
        return {"windows": [reading.window], "resets_at": wire.iso(reading.resets_at)}

    def _reset(self, account: AccountId, said: str | None) -> Instant:
        """When the limit that was hit resets: as said, or with the window that is running."""
        if said is not None:
            try:
                return wire.instant(said)
            except (ValueError, OverflowError):
                raise _wrong(f"resets: {said!r} is no ISO 8601 time with an offset") from None
        windows = _windows(self._engine.standing(), account)
        resets = next((one.resets_at for one in windows if one.name == FIVE_HOUR), None)
        if resets is None:
            raise _wrong("no five-hour window is running: say when the limit resets (--resets TIME)")
        return resets

    def _heard(self, account: AccountId, readings: Sequence[Reading]) -> None:
        if readings:
            self._intake().heard(account, readings)

    async def _look(self) -> None:
        """Take in what was written before the question: usage, and changes of the queue by hand.

        While somebody changes the queue, that is not waited for: their change takes in the file, too, and a
        disk may be slower than a status line can be.
        """
        await self._intake().refresh()
        if not self._agenda.changing.locked():
            await self._agenda.look()

    async def _outlook(self, account: AccountId) -> Outlook:
        await self._look()
        standing, policy = self._engine.standing(), self._engine.state.policy
        return Outlook(
            windows=_windows(standing, account),
            thresholds=policy.thresholds,
            due=due(standing).ready if standing.windows else (),
            view=self._view(WIDTH, colour=False),
        )

    def _view(self, columns: int, *, colour: bool) -> status_line.View:
        return status_line.View(self._clock.now(), columns, colour=colour, ahead=self._ahead)

    def _note(self, refused: tuple[str, ...]) -> None:
        """Said once: a status line comes many times a minute. What is only over is no fault."""
        faults = tuple(one for one in refused if not one.endswith(OVER))
        if faults and faults != self._refused:
            _log.warning("of a status line was not believed: %s", "; ".join(faults))
        self._refused = faults


def _real(path: str) -> str:
    """One directory has one name, whatever links lead to it."""
    return os.path.realpath(path)


def _windows(standing: Standing, account: AccountId) -> list[WindowStanding]:
    return [one for one in standing.windows if one.account == account]


def _of_window(window: WindowStanding) -> status_line.Window | None:
    if window.percent is None:
        return None
    mark = "≥" if window.lower_bound else "" if window.basis is Basis.REPORTED or not window.is_open else "~"
    return status_line.Window(
        window.name,
        window.percent,
        window.resets_at,
        mark=mark,
        said_at=window.reported.received_at if window.reported else None,
        runs_out_at=window.runs_out_at,
    )


def _of_reading(reading: Reading) -> status_line.Window:
    return status_line.Window(reading.window, reading.percent, reading.resets_at)


def _next(queue: Queue) -> tuple[str, int] | None:
    """The scheduled session whose time is nearest."""
    booked = [
        (one.scheduled_for, one.id)
        for one in queue.by_status[Status.SCHEDULED]
        if one.scheduled_for is not None
    ]
    if not booked:
        return None
    at, identity = min(booked)
    return identity, at


def _members(text: str) -> Mapping[str, object]:
    """What a hook was given; nothing if that is no JSON object."""
    try:
        said: object = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _text(said: Mapping[str, object], name: str) -> str:
    value = said.get(name)
    return value if isinstance(value, str) else ""


def _reply(remark: Remark) -> wire.HookReply:
    return {"message": remark.message or None, "context": remark.context or None}


def _wrong(message: str) -> wire.Refusal:
    return wire.Refusal(wire.REFUSED, message, "invalid-value")
