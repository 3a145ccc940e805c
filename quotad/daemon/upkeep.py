"""What is looked after from time to time: lock, socket, quiet hours, what is kept, and the sign of life."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from msgspec import Struct

from quotad import instance, settings
from quotad.clock import Clock
from quotad.daemon.announcer import Announcer
from quotad.domain.inputs import QuietChanged
from quotad.domain.instant import DAY, MINUTE, Instant
from quotad.engine import Engine
from quotad.instance import Instance
from quotad.intake.intake import Intake
from quotad.ipc.server import Server
from quotad.ipc.socket_file import SocketRefused
from quotad.readiness import Readiness
from quotad.settings import Settings

UPKEEP_SECONDS = 30.0
"""Lock, socket and quiet hours are looked at this often."""
LEAST_SECONDS = 0.1
"""No upkeep follows another sooner, however fast a demo's clock runs."""

LOCK_TROUBLE = "lock-unavailable"
SOCKET_TROUBLE = "socket-unavailable"

_log = logging.getLogger(__name__)


class Upkeep(Struct):
    """The parts that are looked after; ``settings`` and ``intake`` are replaced by a reload."""

    settings: Settings
    intake: Intake
    held: Instance
    engine: Engine
    announcer: Announcer
    readiness: Readiness
    clock: Clock
    trouble: Callable[[str, str | None], None]
    _let_go_next: Instant = 0

    async def run(self, server: Server, watchdog_seconds: float | None) -> None:
        """See to everything again and again, for ever; the service manager hears of each time.

        Raises ``AnotherDaemon`` when the lock was lost to one.
        """
        while True:
            self.watch_quiet_hours()
            self._hold_on()
            await self._keep_listening(server)
            await self.intake.refresh()
            await self.announcer.catch_up()
            await self._let_go()
            self.readiness.status(self._one_line())
            self.readiness.alive()
            now = self.clock.now()
            # Quiet hours begin and end with a minute.
            next_minute = self.clock.seconds_until((now // MINUTE + 1) * MINUTE)
            most = min(UPKEEP_SECONDS, watchdog_seconds or UPKEEP_SECONDS)
            await self.clock.sleep(min(most, max(next_minute, LEAST_SECONDS)))

    def watch_quiet_hours(self) -> None:
        """Let the engine know when they begin or end."""
        quiet = self.is_quiet()
        if quiet != self.engine.state.quiet:
            self.engine.submit(QuietChanged(quiet))

    def is_quiet(self) -> bool:
        """Whether the settings want quiet now."""
        local = datetime.fromtimestamp(self.clock.now() / 1000).astimezone()
        return settings.is_quiet(self.settings.notify.quiet, local.hour * 60 + local.minute)

    async def _let_go(self) -> None:
        """Once a day, drop what is older than the user wants kept."""
        days, now = self.settings.retention_days, self.clock.now()
        if days is not None and self.intake.caught_up.is_set() and now >= self._let_go_next:
            self._let_go_next = now + DAY
            await self.intake.let_go(now - days * DAY)

    def _hold_on(self) -> None:
        """A lock whose file was swept away keeps nobody out: take it again."""
        if self.held.still_ours():
            return
        try:
            held = instance.hold(self.held.path.parent)
        except instance.StateRefused as fault:
            self.trouble(LOCK_TROUBLE, str(fault))
            return
        _log.warning("the lock %s had vanished and was made again", held.path)
        self.held.release()
        self.held = held
        self.trouble(LOCK_TROUBLE, None)

    async def _keep_listening(self, server: Server) -> None:
        try:
            await server.keep_listening()
        except SocketRefused as fault:
            self.trouble(SOCKET_TROUBLE, str(fault))
        else:
            self.trouble(SOCKET_TROUBLE, None)

    def _one_line(self) -> str:
        window = self.engine.standing().windows[0]
        if window.percent is None or window.resets_at is None:
            return "no window is running"
        resets = datetime.fromtimestamp(window.resets_at / 1000).astimezone()
        return f"{window.percent:.0f} % used, resets {resets:%H:%M}"
