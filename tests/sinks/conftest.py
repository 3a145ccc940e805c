"""What tests of the sinks share: a bus, and a notification server on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.sinks.bus import BusDaemon, NotificationServer, bus_daemon


@pytest.fixture
def bus() -> Iterator[BusDaemon]:
    """A private session bus; whoever wants one is marked ``requires("dbus-daemon", "dbus")``."""
    with bus_daemon() as daemon:
        yield daemon


@pytest.fixture
async def server(bus: BusDaemon) -> AsyncIterator[NotificationServer]:
    """A notification server on that bus."""
    server = NotificationServer(bus.address)
    await server.start()
    yield server
    await server.stop()
