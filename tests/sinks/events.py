"""A planned session that is booked, and a calendar file read by a library that did not write it."""

from __future__ import annotations

from typing import Any

import vobject  # type: ignore[import-untyped]
from msgspec.structs import replace

from quotad.domain.instant import HOUR
from quotad.domain.queue import Planned, PlannedId, Priority, Queue, ScheduleReason, Status
from tests.sinks.notices import NOW

ID = PlannedId("auth-api")
UID = "5f0c1d2e-0000-4000-8000-00000000c001@quotad"

BOOKED = Planned(
    id=ID,
    tokens=45_000,
    hours=2.5,
    phase="Backend",
    priority=Priority.HIGH,
    agent="coder",
    objectives=("Token endpoint; refresh, too", "Tests"),
    status=Status.SCHEDULED,
    scheduled_for=NOW + 3 * HOUR,
    schedule_reason=ScheduleReason.LOW_QUOTA,
    cwd="/home/ana/src/shop_api",
)


def booked(**changes: object) -> Planned:
    """``BOOKED`` with changes."""
    return replace(BOOKED, **changes)


def ready(**changes: object) -> Planned:
    """The same before it is booked."""
    return booked(**{"status": Status.READY, "scheduled_for": None, "schedule_reason": None, **changes})


def queue(*sessions: Planned) -> Queue:
    """These, in this order."""
    return Queue(sessions)


def uid() -> str:
    """Always the same."""
    return UID


def read(file: bytes) -> Any:  # noqa: ANN401 - vobject makes its attributes as it reads
    """The one calendar in a file, which vobject finds valid."""
    (calendar,) = vobject.readComponents(file.decode())
    calendar.validate(raiseException=True)
    return calendar
