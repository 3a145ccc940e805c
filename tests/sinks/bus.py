"""A private, real bus with a notification server of our own on it, whose every fault can be had."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from dbus_fast import Message, MessageType, NameFlag
from dbus_fast.aio import MessageBus

from quotad.sinks.session_bus import SERVER, SERVER_PATH, Connection

# As the session bus, but without the machine's services that it would start by itself.
CONFIGURATION = """
<busconfig>
  <type>session</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <servicedir>{services}</servicedir>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""

INTERFACE = """
<node><interface name="org.freedesktop.Notifications">
  <method name="GetCapabilities"><arg type="as" direction="out"/></method>
  <method name="GetServerInformation">
    <arg type="s" direction="out"/><arg type="s" direction="out"/>
    <arg type="s" direction="out"/><arg type="s" direction="out"/>
  </method>
  <method name="Notify">
    <arg type="s" direction="in"/><arg type="u" direction="in"/><arg type="s" direction="in"/>
    <arg type="s" direction="in"/><arg type="s" direction="in"/><arg type="as" direction="in"/>
    {hints}<arg type="i" direction="in"/><arg type="u" direction="out"/>
  </method>
</interface></node>
"""
HINTS = '<arg type="a{sv}" direction="in"/>'


class BusDaemon:
    """One dbus-daemon at one address, which can be ended and started again."""

    def __init__(self, directory: Path) -> None:
        self.socket = directory / "bus"
        self.address = f"unix:path={self.socket}"
        self._configuration = directory / "bus.conf"
        self.services = directory / "services"
        self.services.mkdir()
        self._configuration.write_text(CONFIGURATION.format(socket=self.socket, services=self.services))
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self.stop()
        process = subprocess.Popen(
            ["dbus-daemon", "--nofork", "--print-address", f"--config-file={self._configuration}"],
            stdout=subprocess.PIPE,
            text=True,
        )
        self._process = process
        assert process.stdout is not None
        assert process.stdout.readline(), "the bus did not start"

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
            self.socket.unlink(missing_ok=True)


@contextmanager
def bus_daemon() -> Iterator[BusDaemon]:
    """A running bus. Its directory has a short name: a socket's path is limited."""
    directory = Path(tempfile.mkdtemp(prefix="quotad-bus-"))
    daemon = BusDaemon(directory)
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.stop()
        shutil.rmtree(directory)


class Shown(NamedTuple):
    """A notice as the server got it; urgency is 0, 1 or 2."""

    app: str
    icon: str
    title: str
    body: str
    urgency: int


class NotificationServer:
    """What shows notifications: keeps them, and fails on demand.

    ``silent`` names the methods that are never answered, ``refusing`` those that are answered by an error;
    ``answers`` are the others' (a signature and a body), but for Notify's, which is a number.
    """

    def __init__(
        self, address: str, *, capabilities: tuple[str, ...] = ("body",), hints: str = HINTS
    ) -> None:
        self.shown: list[Shown] = []
        self.asked: list[str] = []
        self.silent: frozenset[str] = frozenset()
        self.refusing: frozenset[str] = frozenset()
        self._address = address
        self.answers: dict[str, tuple[str, list[object]]] = {
            "Introspect": ("s", [INTERFACE.format(hints=hints)]),
            "GetCapabilities": ("as", [list(capabilities)]),
            "GetServerInformation": ("ssss", ["fake", "tests", "7.1", "1.2"]),
        }
        self._bus: MessageBus | None = None

    async def start(self) -> None:
        """Serve until ``stop``; what was shown before is kept."""
        self._bus = await Connection(self._address).connect()
        self._bus.add_message_handler(self._answer)
        await self._bus.request_name(SERVER, NameFlag.REPLACE_EXISTING)

    async def stop(self) -> None:
        if self._bus is not None and self._bus.connected:
            self._bus.disconnect()
            await self._bus.wait_for_disconnect()  # type: ignore[no-untyped-call]
        self._bus = None

    def _answer(self, message: Message) -> Message | bool:
        """What is answered to a method call on our object; True answers nothing, False is not for us."""
        if message.message_type is not MessageType.METHOD_CALL or message.path != SERVER_PATH:
            return False
        member = message.member or ""
        self.asked.append(member)
        if member in self.silent:
            return True
        if member in self.refusing:
            return Message.new_error(message, "org.example.Error", "not today")
        if member == "Notify":
            app, _, icon, title, body, _, hints, _ = message.body
            self.shown.append(Shown(app, icon, title, body, hints["urgency"].value))
        signature, answer = self.answers.get(member, ("u", [len(self.shown)]))
        return Message.new_method_return(message, signature, answer)
