"""The last resort: what reaches nobody otherwise stands in the daemon's log."""

from __future__ import annotations

import logging

from quotad.sinks.channel import Delivery
from quotad.sinks.wording import Payload, Words


class LogChannel:
    """A line in a log for each notice; it cannot fail."""

    name = "log"

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    async def deliver(self, words: Words, payload: Payload) -> Delivery:
        self._logger.warning("notice (%s, %s): %s - %s", words.kind, payload["at"], words.title, words.body)
        return Delivery(delivered=True)

    async def probe(self) -> Delivery:
        return Delivery(delivered=True)

    def close(self) -> None:
        """Nothing is held."""
