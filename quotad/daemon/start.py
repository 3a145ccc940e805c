"""From a command line to an exit code: everything that can go wrong before the loop runs."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import sys
from collections.abc import Mapping
from typing import Literal, NamedTuple

from quotad import instance, logs, settings, wire
from quotad.clock import Clock, ScaledClock, SystemClock
from quotad.daemon.daemon import Daemon, NotWritten, Surroundings
from quotad.intake.intake import stamp
from quotad.ipc.socket_file import SocketRefused
from quotad.settings import SettingsInvalid
from quotad.store.damage import NewerLedger
from quotad.store.ledger_file import LedgerFile
from quotad.store.thread import LedgerThread

LEDGER_NAME = "ledger.db"

EXIT_FAILED = 1
EXIT_HELD = 75
EXIT_SETTINGS = 78


class Options(NamedTuple):
    """What the command line asked for."""

    does: Literal["serve", "once", "check", "print"]
    as_json: bool
    demo_clock: str | None
    version: str


def main(  # noqa: PLR0911 - one way out for each exit code of CONTRACT
    options: Options, environment: Mapping[str, str], platform: str
) -> int:
    """Do what was asked for and give the exit code of CONTRACT."""
    _leave_on_signals(0 if options.does == "serve" else EXIT_FAILED)
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
    path = paths.state / LEDGER_NAME
    try:
        ledger = LedgerFile.open(path, stamp=stamp(clock.now()))
    except NewerLedger as fault:
        return _complain(str(fault), EXIT_FAILED)
    except (OSError, sqlite3.Error) as fault:
        return _complain(f"the ledger {path} cannot be opened: {fault}", EXIT_FAILED)
    parent = os.getppid() if options.demo_clock else None
    surroundings = Surroundings(paths, environment, platform, clock, options.version, parent)
    return _run(options, Daemon(surroundings, chosen, held, LedgerThread(ledger, path)))


def _run(options: Options, daemon: Daemon) -> int:
    try:
        if options.does == "serve":
            asyncio.run(daemon.serve())
            return 0
        report = asyncio.run(daemon.read_once())
    except instance.AnotherDaemon as fault:
        return _complain(str(fault), EXIT_HELD)
    except (SocketRefused, NotWritten) as fault:
        return _complain(str(fault), EXIT_FAILED)
    if report is None:
        return EXIT_FAILED
    sys.stdout.write(json.dumps(report) + "\n")
    return 0


def _leave_on_signals(code: int) -> None:
    """End at once; of what is begun before the loop takes signals over, nothing has to be ended.

    The kernel frees the lock, and the ledger on disk survives any end.
    """

    def leave(*_: object) -> None:
        # Not by an exception: one that arises while an import, a destructor or foreign code runs is swallowed
        # there, and the signal would be lost.
        os._exit(code)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, leave)
    # There are no settings yet that could be read again.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


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
