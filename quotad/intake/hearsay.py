"""What is heard of the provider, sifted: terminals say the same many times an hour, mostly nothing new."""

from __future__ import annotations

from collections.abc import Iterable

from quotad.domain.instant import MINUTE, Instant, Millis
from quotad.domain.reading import RESET_JITTER, Reading, ReadingSource
from quotad.domain.reported import LastUse
from quotad.domain.usage import SessionId

CONFIRMED_EVERY: Millis = 5 * MINUTE
"""A session at work that sees an unchanged percentage confirms it so often; an idle one never."""
REMEMBERED_MAX = 1_000
"""When more sessions have spoken, those whose windows are over are forgotten."""


class Hearsay:
    """What each session of one account said last of each window.

    What is held back here would change nothing but the age of what is known, so that it need not be the same
    after a restart.
    """

    def __init__(self) -> None:
        self._last: dict[tuple[str, ReadingSource, SessionId], Reading] = {}

    def news(self, readings: Iterable[Reading], last_use: LastUse) -> list[Reading]:
        """Those that are worth knowing and keeping."""
        found = []
        for reading in readings:
            key = (reading.window, reading.source, reading.session)
            last = self._last.get(key)
            if last is None or _says_more(reading, last, last_use):
                self._last[key] = reading
                found.append(reading)
        if found and len(self._last) > REMEMBERED_MAX:
            self._forget(found[-1].received_at)
        return found

    def _forget(self, now: Instant) -> None:
        self._last = {key: one for key, one in self._last.items() if one.resets_at > now}


def _says_more(reading: Reading, last: Reading, last_use: LastUse) -> bool:
    if reading.percent != last.percent or abs(reading.resets_at - last.resets_at) > RESET_JITTER:
        return True
    if reading.source is not ReadingSource.STATUS_LINE:
        return reading.received_at != last.received_at
    if reading.received_at - last.received_at < CONFIRMED_EVERY:
        return False
    return last_use(reading.session, last.received_at, reading.received_at) is not None
