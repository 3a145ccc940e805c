"""One unit of time for everything that is stored, compared or counted.

An instant is an ``int``: whole milliseconds since the epoch, UTC. Integers sort, go into SQLite and
JSON as they are, cannot be naive, and five hours after one is five hours, whatever the local clock does
in between. Text and local time exist only at the edges.
"""

from __future__ import annotations

from typing import TypeAlias

Instant: TypeAlias = int
"""Milliseconds since 1970-01-01T00:00:00Z."""

Millis: TypeAlias = int
"""A length of time in milliseconds."""

SECOND: Millis = 1_000
MINUTE: Millis = 60 * SECOND
HOUR: Millis = 60 * MINUTE
DAY: Millis = 24 * HOUR

QUARTER: Millis = 15 * MINUTE
"""The grain of sums: every zone's day begins on a quarter hour, so days are right in each of them."""

CLOCK_SLACK: Millis = 5 * MINUTE
"""Events stamped further ahead than this are kept aside until their time comes (clocks differ)."""
