"""The desktop channel against a real bus and a server that fails in every way that was ever seen."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from dbus_fast.errors import SignatureBodyMismatchError
from desktop_notifier import Capability, Notification
from desktop_notifier.backends.base import DesktopNotifierBackend
from desktop_notifier.backends.dummy import DummyNotificationCenter
from desktop_notifier.main import get_backend_class

from quotad.sinks import notification_centre
from quotad.sinks.channel import Delivery
from quotad.sinks.desktop import Connect, DesktopChannel, NotShownError, desktop_channel, session_bus_address
from quotad.sinks.notification_centre import NotificationCentre
from quotad.sinks.session_bus import SessionBus
from quotad.sinks.wording import Urgency, Words
from tests.sinks.bus import BusDaemon, NotificationServer, Shown
from tests.sinks.notices import PAYLOAD, WORDS
from tests.sinks.waiting import open_descriptors, until

SHOWN = Shown("quotad", "", WORDS.title, WORDS.body, 1)
SOON = 0.3
"""Seconds after which a test's channel takes a server to hang."""

needs_bus = pytest.mark.requires("dbus-daemon", "dbus")


@asynccontextmanager
async def channel_at(address: str | None, *, seconds_max: float = 5) -> AsyncIterator[DesktopChannel]:
    """A channel whose connection is let go of in the end."""
    channel = desktop_channel("linux", address, seconds_max=seconds_max)
    before = open_descriptors()
    yield channel
    channel.close()
    await until(lambda: open_descriptors() <= before)


@needs_bus
async def test_a_notice_is_shown_once_and_in_its_words(bus: BusDaemon, server: NotificationServer) -> None:
    """The server gets the title, body and urgency, under our name and without somebody else's icon."""
    async with channel_at(bus.address) as channel:
        assert Delivery(delivered=True, detail="fake 7.1") == await channel.deliver(WORDS, PAYLOAD)
    assert [SHOWN] == server.shown


@needs_bus
@pytest.mark.parametrize(("urgency", "level"), [(Urgency.LOW, 0), (Urgency.NORMAL, 1), (Urgency.CRITICAL, 2)])
async def test_urgency_is_told(
    bus: BusDaemon, server: NotificationServer, urgency: Urgency, level: int
) -> None:
    """Low, normal and critical are the server's 0, 1 and 2."""
    async with channel_at(bus.address) as channel:
        await channel.deliver(WORDS._replace(urgency=urgency), PAYLOAD)
    assert [level] == [shown.urgency for shown in server.shown]


@needs_bus
async def test_markup_is_escaped_for_a_server_that_reads_it(bus: BusDaemon) -> None:
    """A body that is read as markup shows the same characters as one that is not."""
    server = NotificationServer(bus.address, capabilities=("body", "body-markup"))
    await server.start()
    async with channel_at(bus.address) as channel:
        await channel.deliver(WORDS, PAYLOAD)
    await server.stop()
    assert ["Take small tasks &amp; save &lt;often&gt;."] == [shown.body for shown in server.shown]


@needs_bus
async def test_a_probe_shows_nothing(bus: BusDaemon, server: NotificationServer) -> None:
    """Asking whether the desktop is there names the server and leaves the screen alone."""
    async with channel_at(bus.address) as channel:
        assert Delivery(delivered=True, detail="fake 7.1") == await channel.probe()
    assert [] == server.shown
    assert "Notify" not in server.asked


async def test_no_address_is_a_reason() -> None:
    """Without any place to look for a bus the detail names the variable."""
    async with channel_at(None) as channel:
        delivery = await channel.deliver(WORDS, PAYLOAD)
    assert Delivery(delivered=False, detail="no session bus: DBUS_SESSION_BUS_ADDRESS is not set") == delivery


@pytest.mark.parametrize("address", ["unix:path=/nonexistent/bus", "carrier-pigeon:coo=1", "unix", ""])
async def test_a_wrong_address_is_not_delivered(address: str) -> None:
    """An address where no bus is, or which is none, is a failure with the address in its detail."""
    async with channel_at(address) as channel:
        delivery = await channel.deliver(WORDS, PAYLOAD)
    assert not delivery.delivered
    assert delivery.detail.startswith(f"no session bus at {address}")


@needs_bus
async def test_of_several_places_the_first_with_a_bus_is_used(
    bus: BusDaemon, server: NotificationServer
) -> None:
    """A bus of a session that has ended is passed over."""
    async with channel_at(f"unix:path=/nonexistent/bus;{bus.address}") as channel:
        assert (await channel.deliver(WORDS, PAYLOAD)).delivered
    assert [SHOWN] == server.shown


@needs_bus
async def test_a_bus_without_a_server_is_not_delivered(bus: BusDaemon) -> None:
    """A bus alone shows nothing, and the detail says what is missing."""
    async with channel_at(bus.address) as channel:
        delivery = await channel.deliver(WORDS, PAYLOAD)
    assert not delivery.delivered
    assert delivery.detail.startswith("no notification server: ")


@needs_bus
async def test_a_server_that_comes_back_is_used_again(bus: BusDaemon, server: NotificationServer) -> None:
    """While the server is away nothing is delivered; afterwards one notice is one notice."""
    async with channel_at(bus.address) as channel:
        assert (await channel.deliver(WORDS, PAYLOAD)).delivered
        await server.stop()
        assert not (await channel.deliver(WORDS, PAYLOAD)).delivered
        await server.start()
        assert (await channel.deliver(WORDS, PAYLOAD)).delivered
    assert [SHOWN, SHOWN] == server.shown


@needs_bus
async def test_a_bus_that_comes_back_is_used_again(bus: BusDaemon, server: NotificationServer) -> None:
    """The old connection is dead for good, so a new one is made."""
    async with channel_at(bus.address) as channel:
        assert (await channel.deliver(WORDS, PAYLOAD)).delivered
        bus.stop()
        # Found out while writing: the loop has had no turn to see that the connection is gone.
        assert not (await channel.deliver(WORDS, PAYLOAD)).delivered
        bus.start()
        await server.start()
        assert (await channel.deliver(WORDS, PAYLOAD)).delivered
    assert [SHOWN, SHOWN] == server.shown


@needs_bus
async def test_a_bus_that_restarts_between_two_notices_costs_none(
    bus: BusDaemon, server: NotificationServer
) -> None:
    """A connection that is known to be gone is not tried first."""
    async with channel_at(bus.address) as channel:
        assert (await channel.deliver(WORDS, PAYLOAD)).delivered
        bus.stop()
        bus.start()
        await server.start()
        await until(lambda: channel._desktop is not None and not channel._desktop.connected)  # noqa: SLF001
        assert (await channel.deliver(WORDS, PAYLOAD)).delivered
    assert [SHOWN, SHOWN] == server.shown


@needs_bus
@pytest.mark.parametrize("member", ["Introspect", "GetCapabilities", "GetServerInformation"])
async def test_a_server_that_hangs_before_the_notice_went_out(
    bus: BusDaemon, server: NotificationServer, member: str
) -> None:
    """Time runs out, the notice was certainly not shown, and it is once the server answers again."""
    server.silent = frozenset({member})
    async with channel_at(bus.address, seconds_max=SOON) as channel:
        hung = await channel.deliver(WORDS, PAYLOAD)
        server.silent = frozenset()
        assert (await channel.deliver(WORDS, PAYLOAD)).delivered
    assert Delivery(delivered=False, detail="the desktop did not answer within 0.3 seconds") == hung
    assert [SHOWN] == server.shown


@needs_bus
async def test_a_server_that_hangs_with_the_notice_may_have_shown_it(
    bus: BusDaemon, server: NotificationServer
) -> None:
    """When the notice itself is not answered nobody can know, and the delivery says so."""
    server.silent = frozenset({"Notify"})
    async with channel_at(bus.address, seconds_max=SOON) as channel:
        delivery = await channel.deliver(WORDS, PAYLOAD)
    assert (False, True) == (delivery.delivered, delivery.may_have_arrived)


@needs_bus
async def test_a_bus_that_dies_with_the_notice_may_have_had_it_shown(
    bus: BusDaemon, server: NotificationServer
) -> None:
    """When the connection is lost before the answer came, nobody can know either."""
    server.silent = frozenset({"Notify"})
    async with channel_at(bus.address) as channel, asyncio.TaskGroup() as group:
        task = group.create_task(channel.deliver(WORDS, PAYLOAD))
        await until(lambda: "Notify" in server.asked)
        bus.stop()
    delivery = task.result()
    assert (False, True) == (delivery.delivered, delivery.may_have_arrived)
    assert delivery.detail.startswith("the connection to the desktop was lost")


@needs_bus
async def test_a_refusal_is_told_with_the_servers_words(bus: BusDaemon, server: NotificationServer) -> None:
    """A server that answers with an error has not shown the notice."""
    server.refusing = frozenset({"Notify"})
    async with channel_at(bus.address) as channel:
        delivery = await channel.deliver(WORDS, PAYLOAD)
    assert Delivery(delivered=False, detail="the notification server refused: not today") == delivery


@needs_bus
async def test_a_server_without_hints_is_told(bus: BusDaemon) -> None:
    """desktop-notifier says "sent" to a server whose Notify takes no hints, and sends nothing."""
    server = NotificationServer(bus.address, hints="")
    server.answers["Introspect"][1][0] = str(server.answers["Introspect"][1][0]).replace(
        '<arg type="i" direction="in"/>', ""
    )
    await server.start()
    async with channel_at(bus.address) as channel:
        delivery = await channel.deliver(WORDS, PAYLOAD)
    await server.stop()
    assert (
        Delivery(delivered=False, detail="the notification server takes no hints, so it is too old")
        == delivery
    )
    assert [] == server.shown


@needs_bus
async def test_a_server_that_answers_nonsense_is_told(bus: BusDaemon, server: NotificationServer) -> None:
    """What is not a list of texts is no list of capabilities."""
    server.answers["GetCapabilities"] = ("s", ["body-markup"])
    async with channel_at(bus.address) as channel:
        delivery = await channel.deliver(WORDS, PAYLOAD)
    assert not delivery.delivered
    assert "the notification server answers GetCapabilities with 's'" == delivery.detail


@needs_bus
async def test_a_server_that_is_started_on_demand_is_started_for_a_notice_only(
    bus: BusDaemon, tmp_path: Path
) -> None:
    """A server that crashes whenever it is started is not started every few minutes just to see that."""
    started = tmp_path / "started"
    service = bus.services / "org.freedesktop.Notifications.service"
    service.write_text(
        f"[D-BUS Service]\nName=org.freedesktop.Notifications\nExec=/bin/sh -c 'touch {started}; exit 1'\n"
    )
    bus.start()
    async with channel_at(bus.address) as channel:
        assert Delivery(delivered=True, detail="starts with the first notice") == await channel.probe()
        assert not started.exists()
        delivery = await channel.deliver(WORDS, PAYLOAD)
        assert not delivery.delivered
        assert started.exists()
        assert delivery == await channel.probe()


@needs_bus
async def test_a_probe_finds_no_server(bus: BusDaemon) -> None:
    """Where none runs and none could be started the detail says so."""
    async with channel_at(bus.address) as channel:
        delivery = await channel.probe()
    assert Delivery(delivered=False, detail="no notification server runs on the session bus") == delivery


@needs_bus
async def test_a_nul_in_the_text_is_a_failure(bus: BusDaemon, server: NotificationServer) -> None:
    """D-Bus takes no NUL; the words never have one, and if they had it would not pass for delivered."""
    async with channel_at(bus.address) as channel:
        delivery = await channel.deliver(WORDS._replace(title="a\0b"), PAYLOAD)
        assert not delivery.delivered
        assert (await channel.deliver(WORDS, PAYLOAD)).delivered
    assert [SHOWN] == server.shown


@needs_bus
async def test_nothing_is_kept_of_notices_that_were_shown(bus: BusDaemon, server: NotificationServer) -> None:
    """desktop-notifier remembers every notice until somebody closes it; ours are forgotten."""
    session = SessionBus(bus.address)
    for _ in range(20):
        await session.rouse()
        await session.show(WORDS)
    kept = await session.get_current_notifications()
    identifiers = session._platform_to_interface_notification_identifier  # noqa: SLF001
    session.close()
    await until(lambda: not session.connected)
    assert (20, 0, 0) == (len(server.shown), len(kept), len(identifiers))


@needs_bus
async def test_a_failure_logs_no_traceback(
    bus: BusDaemon, server: NotificationServer, caplog: pytest.LogCaptureFixture
) -> None:
    """desktop-notifier logs each failure with a traceback: a week without a desktop would flood us."""
    server.refusing = frozenset({"Notify"})
    async with channel_at(bus.address) as channel:
        await channel.deliver(WORDS, PAYLOAD)
    assert [] == caplog.messages


@needs_bus
async def test_a_cancelled_delivery_lets_go_of_its_connection(
    bus: BusDaemon, server: NotificationServer
) -> None:
    """The daemon can end while a server hangs."""
    server.silent = frozenset({"GetCapabilities"})
    async with channel_at(bus.address) as channel:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(channel.deliver(WORDS, PAYLOAD))
            await until(lambda: "GetCapabilities" in server.asked)
            task.cancel()
        assert task.cancelled()
        assert channel._desktop is None  # noqa: SLF001


class Breaking:
    """A desktop that raises what it was given."""

    connected = True

    def __init__(self, fault: Exception) -> None:
        self.fault = fault
        self.closed = False

    async def look(self) -> str:
        return "breaking"

    async def rouse(self) -> str:
        return "breaking"

    async def show(self, words: Words) -> None:
        raise self.fault

    def close(self) -> None:
        self.closed = True


async def test_after_any_fault_everything_is_made_anew() -> None:
    """Whatever a desktop raises, its connection is not used again."""
    made: list[Breaking] = []

    def connect() -> Breaking:
        made.append(Breaking(SignatureBodyMismatchError("planned")))
        return made[-1]

    channel = DesktopChannel(lambda: connect)
    for _ in range(2):
        with pytest.raises(SignatureBodyMismatchError, match="planned"):
            await channel.deliver(WORDS, PAYLOAD)
    assert [True, True] == [desktop.closed for desktop in made]


class Slow:
    """A desktop that shows a notice when it is allowed to."""

    connected = True

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.allowed = asyncio.Event()
        self.done: list[str] = []

    async def look(self) -> str:
        return "slow"

    async def rouse(self) -> str:
        return "slow"

    async def show(self, words: Words) -> None:
        self.asked.set()
        await self.allowed.wait()
        self.done.append("shown")

    def close(self) -> None:
        self.done.append("closed")


async def test_closing_waits_for_the_notice_that_is_being_shown() -> None:
    """Settings may change in the middle of a notice, which is shown all the same; then nothing is held."""
    desktop = Slow()
    channel = DesktopChannel(lambda: lambda: desktop)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(channel.deliver(WORDS, PAYLOAD))
        await desktop.asked.wait()
        channel.close()
        desktop.allowed.set()
    assert task.result().delivered
    assert ["shown", "closed"] == desktop.done
    assert (await channel.deliver(WORDS, PAYLOAD)).delivered
    assert ["shown", "closed", "shown"] == desktop.done


async def test_what_desktops_are_made_of_is_prepared_once_and_off_the_loop() -> None:
    """Importing takes a third of a second, in which the daemon has other things to do."""
    made_in: list[bool] = []

    def prepare() -> Connect:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        made_in.append(True)
        return lambda: Breaking(NotShownError("planned"))

    channel = DesktopChannel(prepare)
    for _ in range(2):
        assert Delivery(delivered=False, detail="planned") == await channel.deliver(WORDS, PAYLOAD)
    assert [True] == made_in


def test_nothing_of_a_desktop_is_imported_before_the_first_notice() -> None:
    """A daemon without a desktop does not pay for one."""
    program = "import sys, quotad.sinks.desktop, quotad.sinks.notifier\nprint(*sys.modules, sep='\\n')"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    modules = {name.partition(".")[0] for name in loaded.stdout.split()}
    assert not modules & {"desktop_notifier", "dbus_fast"}


class Centre(DesktopNotifierBackend):
    """A notification centre as desktop-notifier has it on macOS."""

    def __init__(self, *, allowed: bool = True, broken: bool = False) -> None:
        super().__init__("quotad", None)
        self.allowed = allowed
        self.broken = broken
        self.shown: list[Notification] = []

    async def request_authorisation(self) -> bool:
        return self.allowed

    async def has_authorisation(self) -> bool:
        return self.allowed

    async def _send(self, notification: Notification) -> None:
        if self.broken:
            raise ValueError("planned")
        self.shown.append(notification)

    async def _clear(self, identifier: str) -> None:
        raise NotImplementedError

    async def _clear_all(self) -> None:
        raise NotImplementedError

    async def _get_capabilities(self) -> frozenset[Capability]:
        raise NotImplementedError


def channel_to(backend: DesktopNotifierBackend) -> DesktopChannel:
    """A channel that shows notices in a notification centre."""
    return DesktopChannel(lambda: lambda: NotificationCentre(backend))


async def test_the_notification_centre_gets_a_notice_once() -> None:
    """Title and body as they are, and nothing is kept of them."""
    centre = Centre()
    channel = channel_to(centre)
    for asked in (channel.probe(), channel.deliver(WORDS, PAYLOAD)):
        assert Delivery(delivered=True, detail="notification centre") == await asked
    assert [(WORDS.title, WORDS.body)] == [(one.title, one.message) for one in centre.shown]
    assert [] == await centre.get_current_notifications()


@pytest.mark.parametrize(
    ("centre", "detail"),
    [
        (Centre(allowed=False), "notifications are not allowed in the system settings"),
        (Centre(broken=True), "the notification centre refused the notice"),
        (
            DummyNotificationCenter("quotad"),
            "the notification centre takes only signed app bundles, this Python is none",
        ),
    ],
)
async def test_what_the_notification_centre_does_not_show(
    centre: DesktopNotifierBackend, detail: str
) -> None:
    """Without leave, without a bundle, or when it fails, desktop-notifier says "sent"; we do not."""
    assert Delivery(delivered=False, detail=detail) == await channel_to(centre).deliver(WORDS, PAYLOAD)


async def test_elsewhere_desktop_notifier_chooses() -> None:
    """On a system that is not Linux its own choice of backend is used."""
    channel = desktop_channel("darwin", None)
    await channel.probe()
    chosen = notification_centre.connect()._backend  # noqa: SLF001
    assert get_backend_class() is type(chosen)


@pytest.mark.parametrize(
    ("address", "runtime_dir", "places"),
    [
        (None, None, None),
        ("", None, None),
        ("unix:path=/tmp/a", None, "unix:path=/tmp/a"),
        (None, Path("/run/user/7"), "unix:path=/run/user/7/bus"),
        ("", Path("/run/user/7"), "unix:path=/run/user/7/bus"),
        ("unix:path=/tmp/a", Path("/run/user/7"), "unix:path=/tmp/a;unix:path=/run/user/7/bus"),
        ("unix:path=/run/user/7/bus", Path("/run/user/7"), "unix:path=/run/user/7/bus"),
        (
            "unix:path=/run/user/7/bus,guid=4a",
            Path("/run/user/7"),
            "unix:path=/run/user/7/bus,guid=4a",
        ),
        (None, Path("/tmp/a;b c"), "unix:path=/tmp/a%3Bb%20c/bus"),
    ],
)
def test_where_the_bus_may_be(address: str | None, runtime_dir: Path | None, places: str | None) -> None:
    """The environment's address first, then the bus of a login, which cron and ssh are not told of."""
    assert places == session_bus_address(address, runtime_dir)
