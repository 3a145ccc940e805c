"""The one page that builds every part of the daemon and hands it what it needs."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sqlite3
import uuid
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple, TypedDict, assert_never

from quotad import instance, settings, wire
from quotad.clock import Clock
from quotad.daemon.announcer import Announcer
from quotad.daemon.answers import Answers, Identity
from quotad.daemon.choices import channels_of, places_of, policy_of, working_of
from quotad.daemon.inside import Inside
from quotad.daemon.planned import PlannedAnswers
from quotad.daemon.signals import taken_over
from quotad.daemon.upkeep import Upkeep
from quotad.domain.effects import Anchor, Announce, Changed, Effect, KeepRuns, Rebook, Recall, WakeAt
from quotad.domain.inputs import FellBehind, PolicyChanged, ProblemCleared, ProblemRaised
from quotad.domain.state import State
from quotad.engine import Engine
from quotad.intake.files import Places
from quotad.intake.intake import LEDGER_TROUBLE, SET_ASIDE, Intake
from quotad.ipc.server import Server
from quotad.ipc.socket_file import SocketRefused
from quotad.planning.agenda import Agenda
from quotad.planning.planner import Planner
from quotad.readiness import Readiness, watchdog_interval
from quotad.settings import Settings, SettingsInvalid
from quotad.sinks.notifier import Channels, Notifier
from quotad.sinks.snapshot import Snapshots
from quotad.store.thread import LedgerThread

LAST_NOTICES_SECONDS = 1.5
"""So long the end waits for notices that are on their way."""
START_EXTENSION_SECONDS = 60.0
"""While the first reading lasts, the service manager is asked for so much more, each time anew."""
PARENT_SECONDS = 1.0
"""A demo's daemon looks for its demo this often."""

_log = logging.getLogger(__name__)


class Surroundings(NamedTuple):
    """The world that this process was started in; ``parent`` is the process to end with, if any."""

    paths: wire.Paths
    environment: Mapping[str, str]
    platform: str
    clock: Clock
    version: str
    parent: int | None


class NotWritten(Exception):  # noqa: N818 - the world is wrong, not the program
    """The ledger on disk did not take everything that was read; the message says why."""


class OnceReport(TypedDict):
    """What ``quotad --once`` prints."""

    files: int
    bytes: int
    lines: int
    messages: int
    malformed: int
    seconds: float


class _Stopped(Exception):  # noqa: N818 - it ends the task group, nothing went wrong
    """Somebody asked the daemon to end."""


class Daemon:
    """Every part, built and connected; ``serve`` runs them until it is told to stop."""

    def __init__(
        self, surroundings: Surroundings, chosen: Settings, held: instance.Instance, ledger: LedgerThread
    ) -> None:
        paths, clock = surroundings.paths, surroundings.clock
        self._surroundings = surroundings
        self._settings = chosen
        self._clock = clock
        self._ledger = ledger
        self._stopping = asyncio.Event()
        self._engine = Engine(State(policy_of(chosen)), clock, self._carry)
        self._intake = Intake(self._engine, ledger, clock, self._is_followed)
        self._snapshots = Snapshots(paths.root, self._engine.standing, clock, self._trouble)
        self._notifier = Notifier(self._channels(chosen), clock, None, self._trouble)
        self._announcer = Announcer(ledger, self._notifier)
        self._agenda = Agenda(self._engine, ledger, clock, paths.root, self._trouble)
        self._planner = Planner(self._engine, clock, self._agenda, working_of(chosen))
        self._planned = PlannedAnswers(self._intake, self._planner)
        self._readiness = Readiness(surroundings.environment.get("NOTIFY_SOCKET"))
        self._upkeep = Upkeep(
            chosen,
            self._intake,
            held,
            self._engine,
            self._announcer,
            self._readiness,
            clock,
            self._trouble,
        )
        self._answers = Answers(
            Identity(surroundings.version, os.getpid(), uuid.uuid4().hex, clock.now()),
            paths,
            self._engine,
            self._intake,
            ledger,
            self._notifier,
            self._planned,
            Inside(self._engine, lambda: self._intake, self._agenda, clock, surroundings.environment),
            clock,
            self._take_settings,
            self._stopping.set,
        )
        self._server: Server | None = None
        self._tasks: asyncio.TaskGroup
        self._reading: asyncio.Task[None]

    # Running and ending.

    async def serve(self) -> None:
        """Run until SIGTERM, SIGINT or a request ends it.

        Raises ``SocketRefused``, and ``AnotherDaemon`` when the lock was lost to one.
        """
        refusal: Exception | None = None
        with taken_over({**self._ends(), signal.SIGHUP: self._hang_up}):
            try:
                async with asyncio.TaskGroup() as self._tasks:
                    self._start(self._intake.run)
                    for work in (self._announcer.run(), self._notifier.run(), self._stop_serving()):
                        self._tasks.create_task(work)
                    await self._read_what_is_current()
                    await self._agenda.open()
                    self._tasks.create_task(self._planner.run())
                    self._tasks.create_task(self._snapshots.run())
                    await self._answer()
            except* _Stopped:
                pass
            except* (instance.AnotherDaemon, SocketRefused) as group:
                refusal = group.exceptions[0]
            await self._end()
        if refusal is not None:
            raise refusal

    async def _answer(self) -> None:
        """Listen, and look after everything, for ever."""
        async with Server(self._surroundings.paths, self._answers.methods()) as self._server:
            self._server.subscribers.publish(self._answers.status)
            self._readiness.ready()
            watchdog = watchdog_interval(self._surroundings.environment, os.getpid())
            await self._upkeep.run(self._server, watchdog)

    async def read_once(self) -> OnceReport | None:
        """Read everything there is, and write ledger and snapshots; None if a signal came first.

        Nothing is announced, and so nothing is marked as announced. Raises ``NotWritten``.
        """
        began = self._clock.monotonic()
        with taken_over(self._ends()):
            try:
                async with asyncio.TaskGroup() as self._tasks:
                    self._start(self._intake.read)
                    self._tasks.create_task(self._stop())
                    await self._intake.caught_up.wait()
                    self._stopping.set()
            except* _Stopped:
                pass
            if not self._intake.caught_up.is_set():
                await self._end()
                return None
            accounts = self._intake.accounts
            await self._agenda.peek()
            groups = await self._ledger.run(lambda ledger: ledger.history(None, "model"))
            if not await self._end():
                raise NotWritten(self._engine.state.problems[LEDGER_TROUBLE].message)
            return {
                "files": sum(files.known for files in accounts),
                "bytes": sum(files.bytes for files in accounts),
                "lines": sum(files.lines for files in accounts),
                "messages": sum(group.messages for group in groups),
                "malformed": sum(files.malformed for files in accounts),
                "seconds": (self._clock.monotonic() - began) / 1000,
            }

    def _is_followed(self) -> bool:
        """Whether somebody waits to be told of changes."""
        return self._server is not None and len(self._server.subscribers) > 0

    def _ends(self) -> dict[int, Callable[[], object]]:
        return dict.fromkeys((signal.SIGTERM, signal.SIGINT), self._stopping.set)

    def _start(self, read: Callable[[Sequence[Places]], Coroutine[None, None, None]]) -> None:
        places = self._places(self._settings)
        accounts = tuple(place.account for place in places)
        self._engine.submit(PolicyChanged(self._engine.state.policy, accounts))
        if self._ledger.set_aside is not None:
            place = self._ledger.set_aside
            self._trouble(SET_ASIDE, f"the ledger was damaged and lies in {place} now; all is read anew")
        if self._surroundings.parent is not None:
            self._tasks.create_task(self._end_with(self._surroundings.parent))
        self._upkeep.watch_quiet_hours()
        self._tasks.create_task(self._engine.keep_time())
        self._reading = self._tasks.create_task(read(places))

    async def _read_what_is_current(self) -> None:
        """Wait for the first reading, and keep the service manager from losing patience meanwhile."""
        while not self._intake.current.is_set():
            self._readiness.extend(START_EXTENSION_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(START_EXTENSION_SECONDS / 4):
                    await self._intake.current.wait()

    async def _stop(self) -> None:
        await self._stopping.wait()
        raise _Stopped

    async def _stop_serving(self) -> None:
        """End, but not between remembering that something was told and telling it."""
        await self._stopping.wait()
        self._readiness.stopping()
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_NOTICES_SECONDS):
                await self._announcer.finish()
        raise _Stopped

    async def _end_with(self, parent: int) -> None:
        """A demo's daemon is nobody's once the demo is gone, however it went."""
        while os.getppid() == parent:
            await self._clock.sleep(PARENT_SECONDS)
        self._stopping.set()

    async def _end(self) -> bool:
        """Write down what is known; the group's tasks are gone. Whether the ledger has all that was read."""
        complete = await self._intake.finish()
        # Half-read numbers must not take the place of the last run's.
        if self._intake.current.is_set():
            await self._snapshots.flush()
        await asyncio.to_thread(self._close)
        return complete

    def _close(self) -> None:
        self._intake.close()
        try:
            self._ledger.close()
        except sqlite3.Error as fault:
            _log.warning("the ledger could not be tidied up for the end, which loses nothing: %s", fault)
        self._upkeep.held.release()

    # Effects on their way out.

    def _carry(self, effect: Effect) -> None:
        match effect:
            case Announce():
                self._announcer.announce(effect)
            case Changed():
                self._snapshots.changed()
                if self._server is not None:
                    self._server.subscribers.publish(self._answers.status)
            case Recall() | Anchor():
                self._intake.ask(effect)
            case Rebook(ids):
                self._planner.rebook(ids)
            case KeepRuns(runs):
                self._planner.keep_runs(runs)
            case WakeAt():
                raise AssertionError("the engine keeps its own time")
            case _:
                assert_never(effect)

    def _trouble(self, code: str, message: str | None) -> None:
        self._engine.submit(ProblemCleared(code) if message is None else ProblemRaised(code, message))

    # Settings that change.

    def _hang_up(self) -> None:
        fault = self._take_settings()
        if fault is not None:
            _log.error("the settings are refused, the old ones stay: %s", fault)

    def _take_settings(self) -> str | None:
        """Read the settings again; a bad file changes nothing. What is wrong with it, if anything is."""
        # Whoever is still being started is not reloading, and must not be taken for ready.
        if self._server is not None:
            self._readiness.reloading(self._clock.monotonic())
        try:
            chosen = settings.load(self._surroundings.paths)
        except SettingsInvalid as fault:
            self._trouble("settings-invalid", f"{fault}; the old settings stay in force")
            return str(fault)
        finally:
            if self._server is not None:
                self._readiness.ready()
        self._trouble("settings-invalid", None)
        before = self._settings
        self._settings = self._upkeep.settings = chosen
        if chosen != before:
            self._adopt(before, chosen)
        return None

    def _adopt(self, before: Settings, chosen: Settings) -> None:
        if chosen.notify != before.notify:
            self._notifier.use(self._channels(chosen))
        self._planner.working = working_of(chosen)
        # Hours that are quiet now are so before the new policy has anything to say.
        if self._upkeep.is_quiet():
            self._upkeep.watch_quiet_hours()
        places = self._places(chosen)
        policy = PolicyChanged(policy_of(chosen), tuple(place.account for place in places))
        if places == self._places(before):
            self._engine.submit(policy)
        else:
            self._engine.submit(FellBehind())
            self._reading.cancel()
            self._tasks.create_task(_let_go(self._reading, self._intake))
            self._intake = Intake(self._engine, self._ledger, self._clock, self._is_followed)
            self._answers.intake = self._upkeep.intake = self._planned.intake = self._intake
            # It is for the new one to answer what the policy's change makes the domain ask.
            self._engine.submit(policy)
            self._reading = self._tasks.create_task(self._intake.run(places))
        self._upkeep.watch_quiet_hours()

    def _places(self, chosen: Settings) -> list[Places]:
        return places_of(chosen, self._surroundings.environment)

    def _channels(self, chosen: Settings) -> Channels:
        return channels_of(chosen, self._surroundings.environment, self._surroundings.platform)


async def _let_go(reading: asyncio.Task[None], intake: Intake) -> None:
    """End an intake: its threads only once nobody asks them for anything any more."""
    await asyncio.wait([reading])
    await asyncio.to_thread(intake.close)
