"""What each request does: the methods of the wire over the parts of the daemon."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from datetime import UTC
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from quotad import wire
from quotad.clock import Clock
from quotad.daemon.inside import Inside
from quotad.daemon.past import history
from quotad.daemon.planned import PlannedAnswers
from quotad.domain.instant import Instant
from quotad.engine import Engine
from quotad.intake.intake import Intake
from quotad.ipc import replies
from quotad.ipc.requests import Method, Methods
from quotad.planning.agenda import QUEUE_INVALID
from quotad.sinks.notifier import UNAVAILABLE, Notifier
from quotad.store.thread import LedgerThread

REMEDIES = {
    "settings-invalid": "mend the file (`quotactl config check` says where), then `quotactl sync`",
    "ledger-set-aside": "nothing; keep or delete the file that was set aside",
    QUEUE_INVALID: "mend the file at the line that is named; until then changes of the queue are refused",
    "unreadable": "make it readable for you, or ignore it: everything else is counted",
    "watch-unavailable": "nothing; files are looked at every few seconds all the same",
}
REMEDY_OTHERWISE = "mend what the message names; it is tried again by itself"


class Identity(NamedTuple):
    """Who answers: made anew at each start."""

    version: str
    pid: int
    instance: str
    started_at: Instant


class Answers(Struct):
    """The parts that answers are made of; ``intake`` is replaced by a reload."""

    identity: Identity
    paths: wire.Paths
    engine: Engine
    intake: Intake
    ledger: LedgerThread
    notifier: Notifier
    planned: PlannedAnswers
    inside: Inside
    clock: Clock
    take_settings: Callable[[], str | None]
    """Reads the settings again; what is wrong with them, if they are refused."""
    stop: Callable[[], None]

    def methods(self) -> Methods:
        """Every method of the wire but ``subscribe``, which the server itself carries out."""
        return {
            "hello": Method(wire.NoParams, self._hello),
            "status": Method(wire.NoParams, self._status),
            "sync": Method(wire.SyncParams, self._sync),
            "history": Method(wire.HistoryParams, self._history),
            "doctor": Method(wire.NoParams, self._doctor),
            "notify.test": Method(wire.NoParams, self._notify_test),
            "reload": Method(wire.NoParams, self._reload),
            "shutdown": Method(wire.NoParams, self._shutdown),
            **self.planned.methods(),
            **self.inside.methods(),
        }

    def status(self) -> wire.StatusReply:
        """Where we stand, as far as the engine knows."""
        state = self.engine.state
        return replies.status(self.engine.standing(), self._facts(), state.problems.values())

    def _facts(self) -> replies.DaemonFacts:
        progress = self.intake.progress
        return replies.DaemonFacts(
            version=self.identity.version,
            pid=self.identity.pid,
            started_at=self.identity.started_at,
            malformed_lines=sum(files.malformed for files in self.intake.accounts),
            progress=None
            if self.engine.state.caught_up
            else {
                "files": progress.files,
                "files_done": progress.files_done,
                "bytes": progress.bytes,
                "bytes_done": progress.bytes_done,
            },
            notifier=self.notifier.state(),
        )

    async def _hello(self, _: wire.NoParams) -> wire.Hello:
        return {
            "protocol": wire.PROTOCOL,
            "version": self.identity.version,
            "pid": self.identity.pid,
            "instance": self.identity.instance,
        }

    async def _status(self, _: wire.NoParams) -> wire.StatusReply:
        await self.planned.refresh()
        return self.status()

    async def _sync(self, params: wire.SyncParams) -> wire.SyncReply:
        began = self.clock.monotonic()
        try:
            async with asyncio.timeout(params.timeout):
                self.take_settings()
                await self.intake.sync()
                await self.planned.planner.agenda.look()
        except TimeoutError:
            message = f"not everything was taken in within {params.timeout:g} seconds; it goes on"
            raise wire.Refusal(wire.REFUSED, message, "timed-out") from None
        return {
            "caught_up": self.engine.state.caught_up,
            "seconds": (self.clock.monotonic() - began) / 1000,
        }

    async def _history(self, params: wire.HistoryParams) -> list[wire.HistoryRow]:
        await self.intake.refresh()
        await self.intake.settled()
        policy = self.engine.state.policy
        accounts = [(one.id, one.specs(policy)) for one in self.engine.state.accounts.values()]
        zone, now = (UTC if params.utc else None), self.clock.now()
        try:
            return await self.ledger.run(lambda ledger: history(ledger, accounts, params, policy, zone, now))
        except sqlite3.Error as fault:
            message = f"the ledger cannot be read: {fault}"
            raise wire.Refusal(wire.REFUSED, message, "ledger-unavailable") from fault

    async def _doctor(self, _: wire.NoParams) -> wire.DoctorReply:
        await self.planned.refresh()
        checks = [
            *self._problems(),
            self._transcripts(),
            self._queue(),
            self._lines(),
            *self._status_line(),
            *self._usage_caches(),
            self._reading(),
            await self._ledger_check(),
            await self._notices(),
        ]
        return {"ok": all(check["ok"] for check in checks), "checks": checks}

    def _problems(self) -> list[wire.CheckReply]:
        return [
            _check(problem.code, problem.message, remedy=REMEDIES.get(problem.code, REMEDY_OTHERWISE))
            for problem in self.engine.state.problems.values()
            if problem.code not in {UNAVAILABLE, QUEUE_INVALID}
        ]

    def _transcripts(self) -> wire.CheckReply:
        known = sum(files.known for files in self.intake.accounts)
        if known:
            return _check("transcripts", f"{known} file{' is' if known == 1 else 's are'} followed")
        return _check(
            "transcripts",
            f"there are none under {self.paths.root / 'projects'}",
            remedy="use Claude Code once, or set CLAUDE_CONFIG_DIR or `roots` to where it keeps its files",
        )

    def _queue(self) -> wire.CheckReply:
        problem = self.engine.state.problems.get(QUEUE_INVALID)
        if problem is not None:
            return _check("queue", problem.message, remedy=REMEDIES[QUEUE_INVALID])
        agenda = self.planned.planner.agenda
        count = len(agenda.queue.sessions)
        return _check("queue", f"{agenda.file.path} holds {count} planned session{'' if count == 1 else 's'}")

    def _lines(self) -> wire.CheckReply:
        malformed = sum(files.malformed for files in self.intake.accounts)
        foreign = sum(files.foreign for files in self.intake.accounts)
        others = f"; {foreign} lines of other programs in session logs were skipped" if foreign else ""
        if not malformed:
            return _check("lines", f"all could be read{others}")
        worst = max(
            (files.worst for files in self.intake.accounts if files.worst is not None),
            key=lambda cursor: cursor.malformed,
        )
        return _check(
            "lines",
            f"{_lines(malformed)} could not be read and {'was' if malformed == 1 else 'were'} skipped, "
            f"{worst.malformed} of them in {worst.path}: some are normal after a crash{others}",
        )

    def _status_line(self) -> list[wire.CheckReply]:
        refused = "; ".join(self.inside.refused)
        remedy = (
            "update Claude Code and quotad; what the last status line said is left out until the next one"
        )
        return [_check("status line", f"not believed: {refused}", remedy=remedy)] if refused else []

    def _usage_caches(self) -> list[wire.CheckReply]:
        refused = "; ".join(one for files in self.intake.accounts for one in files.caches.refused)
        remedy = "update Claude Code and quotad; what its cached usage response says there is left out"
        return [_check("usage cache", f"not believed: {refused}", remedy=remedy)] if refused else []

    def _reading(self) -> wire.CheckReply:
        if self.engine.state.caught_up:
            return _check("history", "everything has been read")
        progress = self.intake.progress
        return _check("history", f"{progress.files_done} of {progress.files} files have been read")

    async def _ledger_check(self) -> wire.CheckReply:
        path = self.paths.state / "ledger.db"
        size = await asyncio.to_thread(_size, path)
        return _check("ledger", f"{path} is sound and has {size / 1000:,.0f} kB")

    async def _notices(self) -> wire.CheckReply:
        channels = await self.notifier.probe()
        told = "; ".join(f"{one['channel']}: {one['detail'] or 'works'}" for one in channels)
        if len(channels) == 1 or any(one["delivered"] for one in channels if one["channel"] != "log"):
            return _check("notices", told)
        return _check(
            "notices",
            f"they reach only the log ({told})",
            remedy="set `command = [...]` under [notify] to a program that reaches you; see the README",
        )

    async def _notify_test(self, _: wire.NoParams) -> wire.NotifyTestReply:
        return {"channels": await self.notifier.test()}

    async def _reload(self, _: wire.NoParams) -> wire.Done:
        fault = self.take_settings()
        if fault is not None:
            raise wire.Refusal(wire.REFUSED, fault, "settings-invalid")
        return {"ok": True}

    async def _shutdown(self, _: wire.NoParams) -> wire.Done:
        self.stop()
        return {"ok": True}


def _lines(count: int) -> str:
    return "1 line" if count == 1 else f"{count} lines"


def _check(name: str, message: str, *, remedy: str = "") -> wire.CheckReply:
    """A check fails if it has a remedy."""
    return {"name": name, "ok": not remedy, "message": message, "remedy": remedy}


def _size(path: Path) -> int:
    """Bytes of the ledger with what is still in its log."""
    files = (path, path.with_name(f"{path.name}-wal"))
    return sum(file.stat().st_size for file in files if file.exists())
