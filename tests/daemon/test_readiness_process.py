"""What a service manager hears of the real process: nothing too early, nothing left out."""

from __future__ import annotations

import re
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.daemon.process import Place, wait_until
from tests.daemon.work import spend, work_hard

WATCHDOG = {"WATCHDOG_USEC": "200000"}
"""Signs of life are due every tenth of a second: twice as often as the manager looks."""


class NotifySocket:
    """The socket that systemd would listen on, and all that was said to it so far."""

    def __init__(self, ear: socket.socket, address: str) -> None:
        self._ear = ear
        self._ear.setblocking(False)
        self.environment = {"NOTIFY_SOCKET": address}
        self.heard: list[str] = []

    def hears(self, beginning: str) -> bool:
        """Whether anything that begins so has been said; up to it, everything is in ``heard``."""
        while not any(said.startswith(beginning) for said in self.heard):
            try:
                self.heard.append(self._ear.recv(4096).decode())
            except BlockingIOError:
                return False
        return True

    def forget(self) -> None:
        """Drop what has been said up to now."""
        while self.hears("nothing begins so"):
            pass
        self.heard.clear()


@contextmanager
def manager(place: Place) -> Iterator[NotifySocket]:
    """A manager that waits for messages."""
    address = str(place.root / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(address)
        yield NotifySocket(ear, address)


def test_ready_comes_when_the_socket_answers_with_the_window_right(place: Place) -> None:
    """Up to then the start is extended, also if the settings are to be read again meanwhile."""
    spent = work_hard(place)
    with manager(place) as systemd:
        quotad = place.launch(extra=systemd.environment)
        try:
            wait_until(lambda: systemd.hears("EXTEND_TIMEOUT_USEC="))
            quotad.send(signal.SIGHUP)
            wait_until(lambda: systemd.hears("READY=1"))
            assert spent == quotad.window()["spent"]
        finally:
            quotad.kill()
        assert ["EXTEND_TIMEOUT_USEC=60000000", "READY=1"] == systemd.heard


def test_status_is_a_line_for_people(place: Place) -> None:
    """How much is used and when it resets, in local time."""
    with manager(place) as systemd:
        spend(place, 84_000)
        with place.running(extra=systemd.environment | {"TZ": "UTC"}) as quotad:
            resets_at = str(quotad.window()["resets_at"])
            wait_until(lambda: systemd.hears("STATUS="))
    assert f"STATUS=42 % used, resets {resets_at[11:16]}" == systemd.heard[-1]


def test_an_idle_window_has_no_reset_to_tell(place: Place) -> None:
    """Nothing is made up."""
    with manager(place) as systemd, place.running(extra=systemd.environment):
        wait_until(lambda: systemd.hears("STATUS="))
    assert "STATUS=no window is running" == systemd.heard[-1]


def test_signs_of_life_come_in_time_and_stop_when_it_hangs(place: Place) -> None:
    """As often as WATCHDOG_USEC asks; a process that stands still sends none."""
    with manager(place) as systemd, place.running(extra=systemd.environment | WATCHDOG) as quotad:
        times = []
        for _ in range(5):
            systemd.forget()
            wait_until(lambda: systemd.hears("WATCHDOG=1"))
            times.append(time.monotonic())
        assert times[-1] - times[0] < 4 * 0.2
        with quotad.paused():
            systemd.forget()
            begun = time.monotonic()
            wait_until(lambda: time.monotonic() - begun > 0.3)
            assert not systemd.hears("WATCHDOG=1")
        wait_until(lambda: systemd.hears("WATCHDOG=1"))


def test_without_a_watchdog_of_ours_there_are_no_signs_of_life_in_a_hurry(place: Place) -> None:
    """A watchdog meant for another process does not hurry this one: it looks after itself every 30 s."""
    with manager(place) as systemd:
        others = {"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}
        with place.running(extra=systemd.environment | others) as quotad:
            wait_until(lambda: systemd.hears("WATCHDOG=1"))
            systemd.forget()
            for _ in range(50):
                quotad.status()
            systemd.hears("nothing begins so")
            # One is due if a minute ends just now.
            assert systemd.heard.count("WATCHDOG=1") <= 1


def test_reloading_is_told_and_over(place: Place) -> None:
    """SIGHUP: RELOADING with the monotonic clock's time, then READY again; so with a bad file, too."""
    with manager(place) as systemd, place.running(extra=systemd.environment) as quotad:
        wait_until(lambda: systemd.hears("WATCHDOG=1"))
        for settings in ("limit = 50_000\n", "limit = 0\n"):
            place.config.write_text(settings)
            systemd.forget()
            before = time.monotonic()
            quotad.send(signal.SIGHUP)
            wait_until(lambda: systemd.hears("READY=1"))
            # It looks after itself meanwhile if a minute ends just now.
            reloading, ready = (
                said for said in systemd.heard if not said.startswith(("STATUS=", "WATCHDOG="))
            )
            told = re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=(\d+)", reloading)
            assert told is not None
            assert before - 0.001 <= int(told[1]) / 1e6 <= time.monotonic()
            assert "READY=1" == ready


def test_stopping_is_the_last_word(place: Place) -> None:
    """It is said at once, while requests in work still get their time."""
    with manager(place) as systemd, place.running(extra=systemd.environment | WATCHDOG) as quotad:
        wait_until(lambda: systemd.hears("WATCHDOG=1"))
        quotad.send(signal.SIGTERM)
        wait_until(lambda: systemd.hears("STOPPING=1"))
        assert quotad.wait() == 0
        assert not systemd.hears("nothing begins so")
        assert "STOPPING=1" == systemd.heard[-1]


def test_a_manager_that_is_gone_is_not_missed(place: Place) -> None:
    """An address where nobody listens costs nothing but the telling."""
    extra = {"NOTIFY_SOCKET": str(place.root / "nobody"), **WATCHDOG}
    with place.running(extra=extra) as quotad:
        assert quotad.status()["daemon"]["problems"] == []
        assert quotad.stop() == 0
        assert quotad.stderr == ""
