"""What people hear of a real daemon: on a desktop of the test's own, and through ``[notify] command``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import TypedDict, TypeVar, cast

from tests.daemon.process import Place, Quotad
from tests.sinks.bus import BusDaemon, NotificationServer, Shown, bus_daemon

T = TypeVar("T")

THREAD_SECONDS = 10.0


class Notice(TypedDict):
    """The line that the command gets; CONTRACT has it."""

    kind: str
    window: str | None
    threshold: float | None
    level: str | None
    title: str
    body: str
    at: str


def configure(place: Place, top: str = "", *, desktop: bool = False, notify: str = "") -> None:
    """Settings under which the command writes each notice down, and ``desktop`` decides about the screen.

    ``top`` are lines of the file's top level, ``notify`` further ones of ``[notify]``.
    """
    command = json.dumps(["/bin/sh", "-c", 'cat >> "$0"', str(_file(place))])
    place.config.write_text(
        f"{top}\n[notify]\ndesktop = {str(desktop).lower()}\ncommand = {command}\n{notify}\n"
    )


def _file(place: Place) -> Path:
    return place.root / "notices"


def heard(place: Place) -> list[Notice]:
    """What the command has written down so far, as it came; whole lines, test notices left out."""
    if not _file(place).exists():
        return []
    whole = _file(place).read_bytes().rpartition(b"\n")[0]
    notices = [cast("Notice", json.loads(line)) for line in whole.splitlines()]
    return [notice for notice in notices if notice["title"] != "quotad: test notice"]


def thresholds(place: Place) -> list[float | None]:
    """What each notice so far was about: the threshold, or None for other kinds."""
    return [notice["threshold"] for notice in heard(place)]


def all_said(quotad: Quotad) -> None:
    """Returns once every notice that was due has arrived: the test notice asked for now comes after them."""
    quotad.sync()
    # Marks go through the ledger's thread before their notice is on its way, and so does this question.
    quotad.history()
    quotad.status()
    quotad.request("notify.test")


class Desktop:
    """A session bus and a notification server, served by a thread of its own, so that tests may block."""

    def __init__(self, bus: BusDaemon) -> None:
        self.bus = bus
        self.environment = {"DBUS_SESSION_BUS_ADDRESS": bus.address}
        self._server = NotificationServer(bus.address)
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever)
        self._thread.start()

    @property
    def shown(self) -> list[Shown]:
        """The notices so far, test notices left out."""
        return [shown for shown in tuple(self._server.shown) if shown.title != "quotad: test notice"]

    def open(self) -> None:
        """Begin to show notices; the bus runs."""
        self._do(self._server.start())

    def close(self) -> None:
        """End the server and its thread."""
        self._do(self._server.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Coroutine[object, object, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(THREAD_SECONDS)


@contextmanager
def desktop() -> Iterator[Desktop]:
    """A desktop whose bus runs and whose server is not open yet."""
    with bus_daemon() as bus:
        made = Desktop(bus)
        try:
            yield made
        finally:
            made.close()
