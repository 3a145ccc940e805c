"""Who is told of every change: the newest state and its number, never a queue of old states.

A subscriber that reads slowly misses states and sees that by the gap in the numbers; what waits for it is at
most one line. A state is encoded once for all, and only when somebody is there to read it.
"""

from __future__ import annotations

from collections.abc import Callable

from quotad import wire
from quotad.ipc.requests import Encoded, change_line

State = Callable[[], "wire.StatusReply | Encoded"]
"""The status as it is when called."""

Tell = Callable[[], None]
"""Says that there is something newer than before; must not wait and must not fail."""


class Subscribers:
    """All that subscribed, the number of the newest state and how to get it."""

    def __init__(self) -> None:
        self.number = 0
        self._members: set[Tell] = set()
        self._state: State | None = None
        self._line: bytes | None = None

    def __len__(self) -> int:
        return len(self._members)

    def publish(self, state: State) -> None:
        """The status has changed: tell everybody who can read now; the others get the newest later."""
        self.number += 1
        self._state = state
        self._line = None
        for tell in tuple(self._members):
            tell()

    def newest(self) -> bytes:
        """The newest state as a notification; there is one once ``number`` is not 0."""
        if self._line is None:
            assert self._state is not None, "nothing was published"
            self._line = change_line(self.number, self._state())
        return self._line

    def add(self, tell: Tell) -> None:
        self._members.add(tell)

    def __contains__(self, tell: Tell) -> bool:
        return tell in self._members

    def discard(self, tell: Tell) -> None:
        self._members.discard(tell)
