"""The desktop's own notifications, by way of desktop-notifier, whose ``send`` never tells of failure.

So the desktop is asked whether it is there right before each notice, a notice is delivered only if it was
dispatched, and after any failure everything is made anew: once its bus is gone, a connection never
recovers. (Tried with desktop-notifier 6.2 and dbus-fast 5.2.)
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeAlias
from urllib.parse import quote

from quotad.sinks.channel import Delivery
from quotad.sinks.wording import Payload, Words

DESKTOP_SECONDS_MAX = 5.0
"""For everything that one notice takes; a server that hangs would block for ever."""


class NotShownError(Exception):
    """The desktop did not take the notice; the text says why."""


class Desktop(Protocol):
    """A connection to something that shows notifications."""

    @property
    def connected(self) -> bool:
        """False when the connection is known to be gone."""

    async def look(self) -> str | None:
        """The name of what would show a notice, None if it would only be started for one.

        Starts nothing. Raises whatever the desktop raises.
        """

    async def rouse(self) -> str:
        """The name of what will show a notice, started if need be. Raises whatever the desktop raises."""

    async def show(self, words: Words) -> None:
        """Return once the notice was dispatched. Raises whatever the desktop raises."""

    def close(self) -> None:
        """Let go of the connection."""


Connect: TypeAlias = Callable[[], Desktop]


class DesktopChannel:
    """Notifications on the desktop that the daemon runs beside."""

    name = "desktop"

    def __init__(self, prepare: Callable[[], Connect], *, seconds_max: float = DESKTOP_SECONDS_MAX) -> None:
        """``prepare`` is called once, in a thread, and gives what makes a connection."""
        self._prepare = prepare
        self._seconds_max = seconds_max
        self._connect: Connect | None = None
        self._desktop: Desktop | None = None
        self._failure: Delivery | None = None
        self._in_use = False
        self._closing = False

    async def deliver(self, words: Words, payload: Payload) -> Delivery:
        del payload
        delivery = await self._use(words)
        self._failure = None if delivery.delivered else delivery
        return delivery

    async def probe(self) -> Delivery:
        """A server that is started on demand is taken to work, unless it did not work last time.

        It is not started to find out: one that crashes would crash every few minutes for nothing.
        """
        delivery = await self._use(None)
        if delivery.delivered and not delivery.detail:
            return self._failure or delivery._replace(detail="starts with the first notice")
        return delivery

    def close(self) -> None:
        """What is being shown just now is shown first."""
        if self._in_use:
            self._closing = True
        elif self._desktop is not None:
            self._desktop.close()
            self._desktop = None

    async def _use(self, words: Words | None) -> Delivery:
        """Have the desktop show ``words``, or only look whether it is there."""
        if self._connect is None:
            self._connect = await asyncio.to_thread(self._prepare)
        well, showing = False, False
        self._in_use = True
        try:
            async with asyncio.timeout(self._seconds_max):
                desktop = self._live(self._connect)
                if words is None:
                    name = await desktop.look()
                else:
                    name = await desktop.rouse()
                    showing = True
                    await desktop.show(words)
            well = True
        except TimeoutError:
            detail = f"the desktop did not answer within {self._seconds_max:g} seconds"
            return Delivery(delivered=False, detail=detail, may_have_arrived=showing)
        except NotShownError as fault:
            return Delivery(delivered=False, detail=str(fault))
        except (OSError, EOFError) as fault:
            detail = f"the connection to the desktop was lost: {fault}"
            return Delivery(delivered=False, detail=detail, may_have_arrived=showing)
        finally:
            self._in_use = False
            if self._closing or not well:
                self._closing = False
                self.close()
        return Delivery(delivered=True, detail=name or "")

    def _live(self, connect: Connect) -> Desktop:
        if self._desktop is not None and not self._desktop.connected:
            self._desktop.close()
            self._desktop = None
        if self._desktop is None:
            self._desktop = connect()
        return self._desktop


def session_bus_address(address: str | None, runtime_dir: Path | None) -> str | None:
    """Where the session's bus may be, most likely first; None if there is no telling.

    ``address`` is DBUS_SESSION_BUS_ADDRESS: missing under cron and ssh, and outlived by us when we were
    started in a session that has ended. The bus of a login is in the user's ``runtime_dir`` then.
    """
    places = [address] if address else []
    if runtime_dir is not None:
        login = f"unix:path={quote(str(runtime_dir / 'bus'), safe='/-_.')}"
        if address is None or login not in address:
            places.append(login)
    return ";".join(places) or None


def desktop_channel(
    platform: str, bus_address: str | None, *, seconds_max: float = DESKTOP_SECONDS_MAX
) -> DesktopChannel:
    """The channel for ``platform`` (``sys.platform``); ``bus_address`` is used on Linux alone."""

    def prepare() -> Connect:
        # Not imported above: it takes a third of a second and some megabytes, and touches asyncio's
        # deprecated event loop policy. Its log tells each failure with a traceback; ours tells it once.
        logging.getLogger("desktop_notifier").setLevel(logging.CRITICAL)
        if platform == "linux":
            from quotad.sinks import session_bus  # noqa: PLC0415 - see above

            return lambda: session_bus.SessionBus(bus_address)
        from quotad.sinks import notification_centre  # noqa: PLC0415 - see above

        return notification_centre.connect

    return DesktopChannel(prepare, seconds_max=seconds_max)
