"""What every way to a person has in common."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from quotad.sinks.wording import Payload, Words


class Delivery(NamedTuple):
    """What became of one notice on one channel.

    ``may_have_arrived`` is true when nobody can know: it went out and no answer came. Such a notice is
    not delivered, and not repeated there either, since nobody wants to be told twice.
    """

    delivered: bool
    detail: str = ""
    may_have_arrived: bool = False


class Channel(Protocol):
    """A way to a person. What it raises counts as not delivered."""

    name: str

    async def deliver(self, words: Words, payload: Payload) -> Delivery:
        """Show one notice; ends in bounded time."""

    async def probe(self) -> Delivery:
        """Whether a notice would be delivered now, as far as that can be known without showing one."""

    def close(self) -> None:
        """Let go of whatever is held; the next notice gets it anew."""
