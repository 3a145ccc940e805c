"""Times as people write them into the queue."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from quotactl.planned_options import instant_of
from quotad.domain.instant import HOUR, MINUTE
from quotad.planning.moment import deadline, instant
from tests.domain.build import T0

DECEMBER_2 = 1_796_169_600_000
"""2026-12-02T00:00:00Z."""


def test_a_day_as_a_deadline_is_its_last_minute() -> None:
    """In the zone of whoever wrote it, on the day a clock changes too; the command line says the same."""
    berlin = ZoneInfo("Europe/Berlin")
    assert DECEMBER_2 - MINUTE == deadline("2026-12-01", UTC)
    assert DECEMBER_2 - MINUTE - HOUR == deadline("2026-12-01", berlin)
    assert 25 * HOUR == deadline("2026-10-25", berlin) - deadline("2026-10-24", berlin)
    local = deadline("2026-12-01")
    assert local == instant(instant_of("2026-12-01", T0, None, day_ends=True))
    assert abs(local - DECEMBER_2) <= 14 * HOUR


def test_the_last_day_of_all_has_a_last_minute() -> None:
    """If that is not in the year 10000 elsewhere."""
    assert deadline("9999-12-31", UTC) > DECEMBER_2
    with pytest.raises(ValueError, match="beyond"):
        deadline("9999-12-31", timezone(-timedelta(hours=5)))


def test_an_instant_needs_an_offset() -> None:
    """As a deadline too."""
    assert DECEMBER_2 == instant("2026-12-02T01:00+01:00") == deadline("2026-12-02T00:00:00Z")


@pytest.mark.parametrize("text", ["", "soon", "2026-12-02T01:00", "2026-13-01", "9999-12-31T23:59:59-05:00"])
def test_what_is_no_time_is_refused(text: str) -> None:
    """And what lies beyond the years that can be written."""
    for read in (instant, deadline):
        with pytest.raises(ValueError, match=r"."):
            read(text)
