"""What the service manager is told of us: ready, busy, alive, stopping (sd_notify).

One datagram to a socket whose address the manager passes in the environment. Telling is never worth waiting
or failing for: without a manager, or with one that does not listen, the daemon does the same.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

STATUS_CHARACTERS_MAX = 200

_MICROSECONDS = 1_000_000
_MICROSECONDS_PER_MS = 1000


class Readiness:
    """The manager's ear, or none (``address`` None or empty)."""

    def __init__(self, address: str | None) -> None:
        """``address``: the value of NOTIFY_SOCKET, a path or ``@`` and an abstract name."""
        self._address = address or ""

    def ready(self) -> bool:
        """Everything is read once and the socket listens; also ends ``reloading``."""
        return self._tell("READY=1")

    def status(self, text: str) -> bool:
        """One line for people, such as ``42 % used, resets 14:05``."""
        line = "".join(character if character.isprintable() else " " for character in text)
        return self._tell(f"STATUS={line[:STATUS_CHARACTERS_MAX]}")

    def extend(self, seconds: float) -> bool:
        """Starting, or stopping, will take that much longer from now."""
        return self._tell(f"EXTEND_TIMEOUT_USEC={round(seconds * _MICROSECONDS)}")

    def alive(self) -> bool:
        """The watchdog's sign of life: to be sent by what proves health, not by a mere timer."""
        return self._tell("WATCHDOG=1")

    def stopping(self) -> bool:
        return self._tell("STOPPING=1")

    def reloading(self, monotonic_ms: int) -> bool:
        """The settings are being read again, since that time of the monotonic clock; ``ready`` ends it."""
        return self._tell(f"RELOADING=1\nMONOTONIC_USEC={monotonic_ms * _MICROSECONDS_PER_MS}")

    def _tell(self, state: str) -> bool:
        """Whether the manager's socket took it."""
        # Other managers write other kinds of address (``vsock:``): those we cannot use.
        if self._address[:1] not in {"/", "@"}:
            return False
        address = os.fsencode(self._address)
        if self._address.startswith("@"):
            address = b"\0" + address[1:]
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
                ear.settimeout(0)
                ear.sendto(state.encode(errors="replace"), address)
        except (OSError, ValueError):
            return False
        return True


def watchdog_interval(environment: Mapping[str, str], pid: int) -> float | None:
    """Seconds between signs of life, half of what the manager allows; None when it expects none of us."""
    if environment.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    try:
        allowed = int(environment.get("WATCHDOG_USEC", ""))
    except ValueError:
        return None
    return allowed / _MICROSECONDS / 2 if allowed > 0 else None
