"""The usage response that Claude Code keeps: what the provider said when Claude Code last asked.

``.claude.json`` is full of an account's data; of all that one key is read: ``cachedUsageUtilization``, with
``fetchedAtMs``, ``accountUuid`` and the response itself: percentages 0-100 (``utilization`` or ``percent``)
with ISO times. It may be days old, so it counts as of when it was fetched, and only while its windows last.
It is the only place that tells of windows of one model (``limits[]`` of kind ``weekly_scoped``:
decolua/9router#3847).
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from quotad.domain.instant import CLOCK_SLACK, Instant
from quotad.domain.policy import FIVE_HOUR, SEVEN_DAY
from quotad.domain.reading import OVER, Reading, ReadingSource, unfit
from quotad.sources import timestamp

BYTES_MAX = 32 * 1024 * 1024
"""A larger file is not read: some MB are usual."""

_TOP_LEVEL = (FIVE_HOUR, SEVEN_DAY, f"{SEVEN_DAY}_opus", f"{SEVEN_DAY}_sonnet", f"{SEVEN_DAY}_haiku")
"""Others beside these are code names, or no windows of use."""
_KINDS = {"session": FIVE_HOUR, "weekly_all": SEVEN_DAY}
_FAMILY = re.compile(r"(?:claude\s+)?([a-z]{2,20})\b", re.IGNORECASE)


class Cached(NamedTuple):
    """One cached response; ``refused`` says of what was there and is no reading which and why."""

    fetched_at: Instant
    account: str
    readings: tuple[Reading, ...]
    refused: tuple[str, ...]


class _File(msgspec.Struct):
    cached: msgspec.Raw = msgspec.field(name="cachedUsageUtilization", default=msgspec.Raw())


class _Response(msgspec.Struct):
    fetched_at: int = msgspec.field(name="fetchedAtMs")
    account: object = msgspec.field(name="accountUuid", default=None)
    utilization: object = None


_file = msgspec.json.Decoder(_File)
_response = msgspec.json.Decoder(_Response)


class UsageCaches:
    """The files in which one account's response may lie, read again only when they have changed."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._paths = tuple(map(str, paths))
        self._stamps: dict[str, tuple[int, int, int]] = {}
        self._cached: dict[str, Cached] = {}
        self.refused: tuple[str, ...] = ()
        """What of the newest made no sense, and why: for ``doctor``. What is only over is no fault."""

    def look(self, now: Instant) -> tuple[Reading, ...]:
        """What the newest of them says, if a file changed since the last look; blocking.

        More than one may be there, left by an earlier release or by another account: they are told apart by
        when they were fetched, and never mixed.
        """
        changed = [path for path in self._paths if self._has_changed(path)]
        for path in changed:
            found = self._read(path, now)
            if found is None:
                self._cached.pop(path, None)
            else:
                self._cached[path] = found
        newest = max(self._cached.values(), key=lambda one: (one.fetched_at, one.account), default=None)
        faults = () if newest is None else newest.refused
        self.refused = tuple(one for one in faults if not one.endswith(OVER))
        return newest.readings if changed and newest is not None else ()

    def _has_changed(self, path: str) -> bool:
        try:
            status = os.stat(path)
        except OSError:
            self._stamps.pop(path, None)
            return self._cached.pop(path, None) is not None
        stamp = (status.st_ino, status.st_size, status.st_mtime_ns)
        if self._stamps.get(path) == stamp:
            return False
        self._stamps[path] = stamp
        return True

    def _read(self, path: str, now: Instant) -> Cached | None:
        try:
            with open(path, "rb") as file:
                text = file.read(BYTES_MAX + 1)
        except OSError:
            return None
        return decode(text, now) if len(text) <= BYTES_MAX else None


def decode(text: bytes, now: Instant) -> Cached | None:
    """What the file's text says at ``now``; None if it holds no such response. Never raises."""
    try:
        cached = _file.decode(text).cached
        response = _response.decode(cached)
    except (msgspec.DecodeError, RecursionError):
        return None
    if not 0 <= response.fetched_at <= now + CLOCK_SLACK:
        return None
    account = response.account if isinstance(response.account, str) else ""
    readings: dict[str, Reading] = {}
    refused: list[str] = []
    for window, percent, resets in _windows(response.utilization):
        found = _reading(window, percent, resets, response.fetched_at, now)
        if isinstance(found, str):
            refused.append(found)
        elif found is not None:
            readings.setdefault(window, found)
    return Cached(response.fetched_at, account, tuple(readings.values()), tuple(refused))


def _windows(utilization: object) -> Iterator[tuple[str, object, object]]:
    """Name, percentage and reset of each window that is spoken of, some twice."""
    if not isinstance(utilization, dict):
        return
    for name in _TOP_LEVEL:
        entry: object = utilization.get(name)
        if isinstance(entry, dict):
            yield name, entry.get("utilization"), entry.get("resets_at")
    limits: object = utilization.get("limits")
    for limit in limits if isinstance(limits, list) else ():
        if isinstance(limit, dict) and (window := _window(limit)):
            yield window, limit.get("percent"), limit.get("resets_at")


def _window(limit: dict[object, object]) -> str | None:
    """The window that an entry of ``limits[]`` is about, if it is one that is known here."""
    kind = limit.get("kind")
    if kind != "weekly_scoped":
        return _KINDS.get(kind) if isinstance(kind, str) else None
    scope = limit.get("scope")
    model: object = scope.get("model") if isinstance(scope, dict) else None
    name: object = model.get("display_name") if isinstance(model, dict) else None
    family = _FAMILY.match(name) if isinstance(name, str) else None
    return f"{SEVEN_DAY}_{family[1].lower()}" if family else None


def _reading(
    window: str, percent: object, resets: object, fetched_at: Instant, now: Instant
) -> Reading | str | None:
    """The reading, why it is none, or None for a window that is not running (its reset is null)."""
    if percent is None or resets is None:
        return None
    if isinstance(percent, bool) or not isinstance(percent, int | float) or not math.isfinite(percent):
        return f"{window}: the percentage must be a number"
    if not isinstance(resets, str):
        return f"{window}: the reset must be an ISO time"
    try:
        resets_at = timestamp.instant(resets)
    except (ValueError, OverflowError):
        return f"{window}: the reset must be an ISO time with an offset"
    reading = Reading(window, percent + 0.0, resets_at, fetched_at, ReadingSource.CACHED_USAGE)
    reason = unfit(reading) or (OVER if resets_at <= now else None)
    return reading if reason is None else f"{window}: {reason}"
