"""A service manager hears what it is told, and one that does not listen is no trouble."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from quotad.readiness import STATUS_CHARACTERS_MAX, Readiness, watchdog_interval


class NotifySocket:
    """Where a service manager listens."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._ear.bind("\0" + address[1:] if address.startswith("@") else address)
        self._ear.settimeout(5)

    def heard(self) -> str:
        return self._ear.recv(65536).decode()

    def close(self) -> None:
        self._ear.close()


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest) -> Iterator[NotifySocket]:
    """A manager at a path, or at an abstract name."""
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        prefix = "" if request.param == "path" else "@"
        manager = NotifySocket(f"{prefix}{directory}/notify")
        yield manager
        manager.close()


@pytest.mark.parametrize(
    ("tell", "message"),
    [
        (Readiness.ready, "READY=1"),
        (Readiness.alive, "WATCHDOG=1"),
        (Readiness.stopping, "STOPPING=1"),
        (lambda readiness: readiness.extend(2.5), "EXTEND_TIMEOUT_USEC=2500000"),
        (lambda readiness: readiness.reloading(1234), "RELOADING=1\nMONOTONIC_USEC=1234000"),
        (lambda readiness: readiness.status("42 % used, resets 14:05"), "STATUS=42 % used, resets 14:05"),
    ],
)
def test_each_word_is_heard(manager: NotifySocket, tell: Callable[[Readiness], bool], message: str) -> None:
    """Every state goes out as one datagram in the manager's language."""
    assert tell(Readiness(manager.address))
    assert message == manager.heard()


def test_a_status_is_one_line(manager: NotifySocket) -> None:
    """A status cannot say anything else than a status, and has a limit."""
    readiness = Readiness(manager.address)
    readiness.status("a\nREADY=1\x1b[31m\udcff")
    assert "STATUS=a READY=1 [31m " == manager.heard()
    readiness.status("é" * 10_000)
    assert f"STATUS={'é' * STATUS_CHARACTERS_MAX}" == manager.heard()


@pytest.mark.parametrize(
    "address", [None, "", "vsock:2:1234", "relative", "/nowhere/notify", "@", "/" + "x" * 200, "/a\0b"]
)
def test_without_a_listener_nothing_happens(address: str | None) -> None:
    """No manager, one of another kind, or one that is gone: told so, and no error."""
    assert not Readiness(address).ready()


def test_a_manager_that_is_stuck_is_not_waited_for(manager: NotifySocket) -> None:
    """When the manager's queue is full the word is dropped."""
    readiness = Readiness(manager.address)
    told = [readiness.alive() for _ in range(5000)]
    assert told[0]
    assert not told[-1]


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "60000000"}, 30.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "77"}, 30.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "78"}, None),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "nonsense"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_PID": "77"}, None),
    ],
)
def test_the_watchdog_gets_two_signs_of_life_in_its_time(
    environment: dict[str, str], seconds: float | None
) -> None:
    """The interval is half of what the manager allows, if it is us it watches."""
    assert seconds == watchdog_interval(environment, 77)


def test_no_descriptor_is_kept(manager: NotifySocket) -> None:
    """Each word opens and closes its own socket."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    readiness = Readiness(manager.address)
    for _ in range(5):
        readiness.ready()
        manager.heard()
    assert before == len(list(Path("/proc/self/fd").iterdir()))
