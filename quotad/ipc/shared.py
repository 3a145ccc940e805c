"""One status for everybody who had asked when it was begun: a crowd costs little more than one who asks.

No answer is older than its question, nor than a change that its asker may have been told of. So it does not
matter to anybody that others have the same.
"""

from __future__ import annotations

from functools import partial

from quotad.ipc.requests import NO_PARAMS, Answer, Call, Encoded, Method, encoded
from quotad.ipc.subscribers import Subscribers


class SharedStatus:
    """Numbers the questions as they come, and keeps the newest answer with the last that it serves."""

    def __init__(self, method: Method, subscribers: Subscribers) -> None:
        self._method = method
        self._subscribers = subscribers
        self._asked = 0
        self._answered = 0
        self._change = 0
        """The last change that the newest answer knows."""
        self._newest = Encoded(b"")

    def asked(self) -> Call:
        """A question has come just now; what answers it."""
        self._asked += 1
        return partial(self._status, self._asked)

    async def _status(self, question: int, params: bytes) -> Answer:
        is_served = question <= self._answered and self._change == self._subscribers.number
        if is_served and params == NO_PARAMS:
            return self._newest
        answered = self._asked
        self._newest = newest = encoded(await self._method.call(params))
        self._answered, self._change = answered, self._subscribers.number
        return newest
