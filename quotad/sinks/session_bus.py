"""Notifications over D-Bus: desktop-notifier's Linux backend, told where the bus is.

Imported only when the first notice is on its way, see ``desktop``.
"""

from __future__ import annotations

import asyncio
import html
import sys

from dbus_fast import DBusError, InvalidAddressError, Message, MessageType
from dbus_fast.aio import MessageBus, ProxyInterface
from desktop_notifier import Notification, Urgency
from desktop_notifier.backends.dbus import DBusDesktopNotifier, get_hints_signature

from quotad.sinks import wording
from quotad.sinks.desktop import NotShownError
from quotad.sinks.wording import Words

SERVER = "org.freedesktop.Notifications"
SERVER_PATH = "/org/freedesktop/Notifications"
BUS = "org.freedesktop.DBus"
BUS_PATH = "/org/freedesktop/DBus"

_URGENCY = {
    wording.Urgency.LOW: Urgency.Low,
    wording.Urgency.NORMAL: Urgency.Normal,
    wording.Urgency.CRITICAL: Urgency.Critical,
}


class Connection(MessageBus):
    """A connection whose loss is told to whoever waits for an answer, and to nobody else.

    dbus-fast also leaves it in futures that it never looks at, and asyncio logs each of them as an error.
    """

    def _reply_handler(
        self, future: asyncio.Future[Message], reply: Message | None, err: Exception | None
    ) -> None:
        super()._reply_handler(future, reply, err)
        _look_at(future)

    def _finalize(self, err: Exception | None = None) -> None:
        super()._finalize(err)
        _look_at(self._disconnect_future)
        # What was being written just then.
        if self._writer is not None and self._writer.fut is not None:
            _look_at(self._writer.fut)


class SessionBus(DBusDesktopNotifier):
    """One connection to the notification server of one bus; not used again after a failure."""

    def __init__(self, address: str | None) -> None:
        """``address`` in D-Bus' own syntax, possibly several to be tried in turn."""
        super().__init__("quotad", None)
        self._address = address
        self._bus: MessageBus | None = None
        self._markup = False
        self._cause: BaseException | None = None

    @property
    def connected(self) -> bool:
        return self._bus is None or self._bus.connected

    async def look(self) -> str | None:
        """The name of the server that runs, None if one could be started. Raises ``NotShownError``."""
        bus = await self._connect()
        match (await _call(bus, BUS, BUS_PATH, "NameHasOwner", SERVER)).body:
            case [True]:
                return await self.rouse()
            case _:
                activatable = (await _call(bus, BUS, BUS_PATH, "ListActivatableNames")).body
        if SERVER not in activatable[0]:
            raise NotShownError("no notification server runs on the session bus")
        return None

    async def rouse(self) -> str:
        """The server's name and version. Raises ``NotShownError`` without a bus or a server."""
        if self.interface is None:
            self.interface = await self._init_dbus()
        if not get_hints_signature(self.interface):
            raise NotShownError("the notification server takes no hints, so it is too old")
        self._markup = "body-markup" in await self._ask("GetCapabilities", "as")
        name, _, version, *_ = await self._ask("GetServerInformation", "ssss")
        return f"{name} {version}".strip()

    async def show(self, words: Words) -> None:
        """Raises ``NotShownError`` when it was not taken, ``OSError`` or ``EOFError`` when nobody knows."""
        dispatched: list[bool] = []
        body = html.escape(words.body, quote=False) if self._markup else words.body
        self._cause = None
        await self.send(
            Notification(
                words.title,
                body,
                urgency=_URGENCY[words.urgency],
                on_dispatched=lambda: dispatched.append(True),
            )
        )
        if isinstance(self._cause, (OSError, EOFError)):
            raise self._cause
        if not dispatched:
            raise NotShownError(f"the notification server refused: {self._cause}") from self._cause

    def close(self) -> None:
        if self._bus is not None:
            self._bus.disconnect()

    def handle_dispatched(self, identifier: str, notification: Notification | None = None) -> None:
        """Nobody clicks on our notices, so nothing is kept of them: the cache grows without end."""
        super().handle_dispatched(identifier, notification)
        self._clear_notification_from_cache(identifier)
        self._platform_to_interface_notification_identifier.clear()

    async def _connect(self) -> MessageBus:
        if self._bus is None:
            if self._address is None:
                raise NotShownError("no session bus: DBUS_SESSION_BUS_ADDRESS is not set")
            try:
                self._bus = await Connection(self._address).connect()
            except (OSError, InvalidAddressError) as fault:
                raise NotShownError(f"no session bus at {self._address}: {fault}") from fault
        return self._bus

    async def _init_dbus(self) -> ProxyInterface:
        """As in the base class, but at our address, and without signals about clicks."""
        bus = await self._connect()
        try:
            introspection = await bus.introspect(SERVER, SERVER_PATH)
        except DBusError as fault:
            raise NotShownError(f"no notification server: {fault.text}") from fault
        return bus.get_proxy_object(SERVER, SERVER_PATH, introspection).get_interface(SERVER)

    async def _send(self, notification: Notification) -> None:
        """Keeps why it failed, which ``send`` only logs."""
        try:
            await super()._send(notification)
        finally:
            self._cause = sys.exception()

    async def _ask(self, member: str, signature: str) -> list[str]:
        """The texts that the server answers: a list of them, or several."""
        reply = await _call(await self._connect(), SERVER, SERVER_PATH, member)
        if reply.signature != signature:
            raise NotShownError(f"the notification server answers {member} with {reply.signature!r}")
        texts: list[str] = reply.body[0] if signature == "as" else reply.body
        return texts


async def _call(bus: MessageBus, name: str, path: str, member: str, *arguments: str) -> Message:
    """Call a method of the interface that is named like its service. Raises ``NotShownError``."""
    reply = await bus.call(
        Message(
            destination=name,
            path=path,
            interface=name,
            member=member,
            signature="s" * len(arguments),
            body=list(arguments),
        )
    )
    if reply.message_type is MessageType.ERROR:
        raise NotShownError(f"no notification server: {member} was answered with {reply.error_name}")
    return reply


def _look_at(future: asyncio.Future[Message]) -> None:
    if future.done() and not future.cancelled():
        future.exception()
