"""The one page that builds every part of the daemon and hands it what it needs."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sqlite3
import sys
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, assert_never

from quotad import instance, logs, settings, wire
from quotad.answers import Answers, Identity
from quotad.choices import channels_of, places_of, policy_of
from quotad.clock import Clock, ScaledClock, SystemClock
from quotad.domain.effects import Anchor, Announce, Changed, Effect, Recall, WakeAt
from quotad.domain.inputs import PolicyChanged, ProblemCleared, ProblemRaised, QuietChanged
from quotad.domain.instant import DAY, Instant
from quotad.domain.notice import Mark
from quotad.domain.state import State
from quotad.engine import Engine
from quotad.intake.intake import Intake, stamp
from quotad.ipc.server import Server
from quotad.ipc.socket_file import SocketRefused
from quotad.readiness import Readiness, watchdog_interval
from quotad.settings import Settings, SettingsInvalid
from quotad.sinks.notifier import Notifier
from quotad.sinks.snapshot import Snapshots
from quotad.store.damage import NewerLedger
from quotad.store.ledger_file import LedgerFile
from quotad.store.thread import LedgerThread

LEDGER_NAME = "ledger.db"

EXIT_FAILED = 1
EXIT_HELD = 75
EXIT_SETTINGS = 78

UPKEEP_SECONDS = 30.0
"""Lock, socket and quiet hours are looked at this often."""
LAST_NOTICES_SECONDS = 1.5
"""So long the end waits for notices that are on their way."""
START_EXTENSION_SECONDS = 60.0
"""While the first reading lasts, the service manager is asked for so much more, each time anew."""

PARENT_SECONDS = 1.0

LOCK_TROUBLE = "lock-unavailable"
SOCKET_TROUBLE = "socket-unavailable"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asked for."""

    does: Literal["serve", "once", "check", "print"]
    as_json: bool
    demo_clock: str | None
    version: str


def main(  # noqa: PLR0911 - one way out for each exit code of CONTRACT
    options: Options, environment: Mapping[str, str], platform: str
) -> int:
    """Do what was asked for and give the exit code of CONTRACT."""
    _leave_on_signals(EXIT_FAILED if options.does == "once" else 0)
    try:
        paths = wire.paths(environment, platform, os.getuid())
    except ValueError as fault:
        return _complain(str(fault), EXIT_SETTINGS)
    if options.does in {"check", "print"}:
        return _show_settings(options, paths)
    try:
        held = instance.hold(paths.state)
    except instance.AnotherDaemon as fault:
        return _complain(f"{fault}; `quotactl status` asks it, `quotactl down` stops it", EXIT_HELD)
    except instance.StateRefused as fault:
        return _complain(str(fault), EXIT_FAILED)
    logs.configure(environment.get("JOURNAL_STREAM"))
    try:
        chosen = settings.load(paths)
    except SettingsInvalid as fault:
        return _complain(str(fault), EXIT_SETTINGS)
    clock = _clock(options.demo_clock)
    try:
        ledger = LedgerFile.open(paths.state / LEDGER_NAME, stamp=stamp(clock.now()))
    except NewerLedger as fault:
        return _complain(str(fault), EXIT_FAILED)
    except (OSError, sqlite3.Error) as fault:
        return _complain(f"the ledger {paths.state / 'ledger.db'} cannot be opened: {fault}", EXIT_FAILED)
    daemon = Daemon(options, paths, environment, platform, chosen, held, ledger, clock)
    return asyncio.run(daemon.read_once() if options.does == "once" else daemon.serve())


def _leave_on_signals(code: int) -> None:
    """End at once; of what is begun before the loop takes signals over, nothing has to be ended."""

    def leave(*_: object) -> None:
        sys.exit(code)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, leave)


def _complain(message: str, code: int) -> int:
    sys.stderr.write(f"quotad: {message}\n")
    return code


def _show_settings(options: Options, paths: wire.Paths) -> int:
    try:
        chosen = settings.load(paths)
    except SettingsInvalid as fault:
        return _complain(str(fault), EXIT_SETTINGS)
    if options.does == "print":
        as_json = json.dumps(settings.as_json(chosen), indent=2) + "\n"
        sys.stdout.write(as_json if options.as_json else settings.as_toml(chosen))
    else:
        found = "is valid" if paths.config.exists() else "does not exist: the defaults hold"
        sys.stdout.write(f"{paths.config} {found}\n")
    return 0


def _clock(demo: str | None) -> Clock:
    """The machine's clock, or the demo's: ``START@RATE@REFERENCE_NS``."""
    if demo is None:
        return SystemClock()
    start, rate, reference_ns = demo.split("@")
    return ScaledClock(wire.instant(start), float(rate), int(reference_ns))


class _Stopped(Exception):  # noqa: N818 - it ends the task group, nothing went wrong
    """Somebody asked the daemon to end."""


class Daemon:
    """Every part, built and connected; ``serve`` runs them until it is told to stop."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts that were made before the loop ran
        self,
        options: Options,
        paths: wire.Paths,
        environment: Mapping[str, str],
        platform: str,
        chosen: Settings,
        held: instance.Instance,
        ledger: LedgerFile,
        clock: Clock,
    ) -> None:
        self._paths = paths
        self._environment = environment
        self._platform = platform
        self._settings = chosen
        self._held = held
        self._clock = clock
        self._set_aside = ledger.set_aside
        self._ledger = LedgerThread(ledger, paths.state / LEDGER_NAME)
        self._engine = Engine(State(policy_of(chosen)), clock, self._carry)
        self._announcements: asyncio.Queue[Announce] = asyncio.Queue()
        self._unremembered: set[Mark] = set()
        """Marks that the disk has not taken yet."""
        self._let_go_next: Instant = 0
        self._stopping = asyncio.Event()
        self._parent = os.getppid() if options.demo_clock else None
        self._readiness = Readiness(environment.get("NOTIFY_SOCKET"))
        self._snapshots = Snapshots(paths.root, self._engine.standing, clock, self._trouble)
        self._intake = Intake(self._engine, self._ledger, clock)
        channels = channels_of(chosen, environment, platform)
        self._notifier = Notifier(channels, clock, None, self._trouble)
        self._server: Server | None = None
        self._tasks: asyncio.TaskGroup
        self._reading: asyncio.Task[None]
        identity = Identity(options.version, os.getpid(), uuid.uuid4().hex, clock.now())
        self._answers = Answers(
            identity,
            paths,
            self._engine,
            self._intake,
            self._ledger,
            self._notifier,
            clock,
            self._take_settings,
            self._stopping.set,
        )

    # Running and ending.

    async def serve(self) -> int:
        """Run until SIGTERM, SIGINT or a request ends it."""
        loop = self._end_on_signals()
        loop.add_signal_handler(signal.SIGHUP, self._hang_up)
        code = 0
        try:
            async with asyncio.TaskGroup() as self._tasks:
                self._start()
                for work in (self._announce(), self._notifier.run(), self._stop_serving()):
                    self._tasks.create_task(work)
                if self._parent is not None:
                    self._tasks.create_task(self._end_with(self._parent))
                await self._read_what_is_current()
                self._tasks.create_task(self._snapshots.run())
                async with Server(self._paths, self._answers.methods()) as self._server:
                    self._server.subscribers.publish(self._answers.status)
                    self._readiness.ready()
                    self._tasks.create_task(asyncio.to_thread(self._server.warm))
                    await self._keep_up()
        except* _Stopped:
            pass
        except* instance.AnotherDaemon as held:
            code = _complain(str(held.exceptions[0]), EXIT_HELD)
        except* SocketRefused as refused:
            code = _complain(str(refused.exceptions[0]), EXIT_FAILED)
        await self._end()
        # The loop's end gives signals their default back, and a second SIGTERM would spoil the exit code.
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)
        return code

    async def read_once(self) -> int:
        """Read everything there is, write ledger and snapshots, print one line.

        Nothing is announced, and so nothing is marked as announced.
        """
        began = self._clock.monotonic()
        self._end_on_signals()
        try:
            async with asyncio.TaskGroup() as self._tasks:
                self._start()
                self._tasks.create_task(self._stop())
                await self._intake.caught_up.wait()
                self._stopping.set()
        except* _Stopped:
            pass
        if not self._intake.caught_up.is_set():
            await self._end()
            return EXIT_FAILED
        groups = await self._ledger.run(lambda ledger: ledger.history(None, "model"))
        accounts = self._intake.accounts
        await self._end()
        report = {
            "files": sum(files.known for files in accounts),
            "bytes": sum(files.bytes for files in accounts),
            "lines": sum(files.lines for files in accounts),
            "messages": sum(group.messages for group in groups),
            "malformed": sum(files.malformed for files in accounts),
            "seconds": (self._clock.monotonic() - began) / 1000,
        }
        sys.stdout.write(json.dumps(report) + "\n")
        return 0

    def _end_on_signals(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        return loop

    def _start(self) -> None:
        places = places_of(self._settings, self._environment)
        accounts = tuple(place.account for place in places)
        self._engine.submit(PolicyChanged(self._engine.state.policy, accounts))
        if self._set_aside is not None:
            message = (
                f"the ledger was damaged and lies in {self._set_aside} now; all transcripts are read anew"
            )
            self._trouble("ledger-set-aside", message)
        self._watch_quiet_hours()
        self._tasks.create_task(self._engine.keep_time())
        self._reading = self._tasks.create_task(self._intake.run(places))

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
                await self._announcements.join()
                await self._notifier.finish()
        raise _Stopped

    async def _end_with(self, parent: int) -> None:
        """A demo's daemon is nobody's once the demo is gone, however it went."""
        while os.getppid() == parent:
            await self._clock.sleep(PARENT_SECONDS)
        self._stopping.set()

    async def _end(self) -> None:
        """Write down what is known; the group's tasks are gone."""
        await self._intake.finish()
        # Half-read numbers must not take the place of the last run's.
        if self._intake.current.is_set():
            await self._snapshots.flush()
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._intake.close()
        try:
            self._ledger.close()
        except sqlite3.Error as fault:
            _log.warning("the ledger could not be tidied up for the end, which loses nothing: %s", fault)
        self._held.release()

    async def _keep_up(self) -> None:
        """Prove health to the service manager; see to lock, socket and quiet hours."""
        interval = watchdog_interval(self._environment, os.getpid()) or UPKEEP_SECONDS
        while True:
            self._watch_quiet_hours()
            self._hold_on()
            await self._keep_listening()
            await self._intake.refresh()
            if self._unremembered:
                await self._remember(())
            await self._let_go()
            self._readiness.status(self._one_line())
            self._readiness.alive()
            await self._clock.sleep(min(interval, UPKEEP_SECONDS))

    async def _let_go(self) -> None:
        """Once a day, drop what is older than the user wants kept."""
        days, now = self._settings.retention_days, self._clock.now()
        if days is not None and self._intake.caught_up.is_set() and now >= self._let_go_next:
            self._let_go_next = now + DAY
            await self._intake.let_go(now - days * DAY)

    def _hold_on(self) -> None:
        """A lock whose file was swept away keeps nobody out: take it again."""
        if self._held.still_ours():
            return
        try:
            held = instance.hold(self._paths.state)
        except instance.StateRefused as fault:
            self._trouble(LOCK_TROUBLE, str(fault))
            return
        _log.warning("the lock %s had vanished and was made again", self._held.path)
        self._held.release()
        self._held = held
        self._trouble(LOCK_TROUBLE, None)

    async def _keep_listening(self) -> None:
        assert self._server is not None, "called while it listens"
        try:
            await self._server.keep_listening()
        except SocketRefused as fault:
            self._trouble(SOCKET_TROUBLE, str(fault))
        else:
            self._trouble(SOCKET_TROUBLE, None)

    def _watch_quiet_hours(self) -> None:
        quiet = self._is_quiet()
        if quiet != self._engine.state.quiet:
            self._engine.submit(QuietChanged(quiet))

    def _is_quiet(self) -> bool:
        local = datetime.fromtimestamp(self._clock.now() / 1000).astimezone()
        return settings.is_quiet(self._settings.notify.quiet, local.hour * 60 + local.minute)

    def _one_line(self) -> str:
        window = self._engine.standing().windows[0]
        if window.percent is None or window.resets_at is None:
            return "no window is running"
        resets = datetime.fromtimestamp(window.resets_at / 1000).astimezone()
        return f"{window.percent:.0f} % used, resets {resets:%H:%M}"

    # Effects on their way out.

    def _carry(self, effect: Effect) -> None:
        match effect:
            case Announce():
                self._announcements.put_nowait(effect)
            case Changed():
                self._snapshots.changed()
                if self._server is not None:
                    self._server.subscribers.publish(self._answers.status)
            case Recall() | Anchor():
                self._intake.ask(effect)
            case WakeAt():
                raise AssertionError("the engine keeps its own time")
            case _:
                assert_never(effect)

    async def _announce(self) -> None:
        """Remember, then show: what is announced is announced at most once, whatever happens in between."""
        while True:
            announce = await self._announcements.get()
            if announce.marks:
                await self._remember(announce.marks)
            self._notifier.offer(announce.notice)
            self._announcements.task_done()

    async def _remember(self, marks: tuple[Mark, ...]) -> None:
        self._unremembered.update(marks)
        tried = tuple(self._unremembered)
        try:
            await self._ledger.run(lambda ledger: ledger.remember(tried))
        except sqlite3.Error as fault:
            _log.warning("what was announced cannot be remembered yet: %s", fault)
        else:
            self._unremembered.difference_update(tried)

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
            chosen = settings.load(self._paths)
        except SettingsInvalid as fault:
            self._trouble("settings-invalid", f"{fault}; the old settings stay in force")
            return str(fault)
        finally:
            if self._server is not None:
                self._readiness.ready()
        self._trouble("settings-invalid", None)
        before, self._settings = self._settings, chosen
        if chosen != before:
            self._adopt(before, chosen)
        return None

    def _adopt(self, before: Settings, chosen: Settings) -> None:
        if chosen.notify != before.notify:
            self._notifier.use(channels_of(chosen, self._environment, self._platform))
        # Hours that are quiet now are so before the new policy has anything to say.
        if self._is_quiet():
            self._watch_quiet_hours()
        places = places_of(chosen, self._environment)
        policy = PolicyChanged(policy_of(chosen), tuple(place.account for place in places))
        if places == places_of(before, self._environment):
            self._engine.submit(policy)
        else:
            self._reading.cancel()
            self._tasks.create_task(asyncio.to_thread(self._intake.close))
            self._intake = self._answers.intake = Intake(self._engine, self._ledger, self._clock)
            # It is for the new one to answer what the policy's change makes the domain ask.
            self._engine.submit(policy)
            self._reading = self._tasks.create_task(self._intake.run(places))
        self._watch_quiet_hours()
