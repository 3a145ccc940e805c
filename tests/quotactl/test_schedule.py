"""Booking a session, and taking the booking back."""

from __future__ import annotations

import json

import pytest

from tests.quotactl.conftest import Surroundings
from tests.quotactl.fake_daemon import FakeDaemon
from tests.quotactl.planned import planned, scheduled


@pytest.mark.parametrize(
    ("arguments", "at"),
    [
        ((), None),
        (("--at", "2026-12-01T09:00"), "2026-12-01T08:00:00.000Z"),
        (("--at", "2026-12-01T09:00Z"), "2026-12-01T09:00:00.000Z"),
        (("--at", "14:30"), "2026-11-22T13:30:00.000Z"),
    ],
)
def test_a_session_is_booked(here: Surroundings, arguments: tuple[str, ...], at: str | None) -> None:
    """For the time that is said, in UTC, or for the earliest."""
    with FakeDaemon(here.socket, {"schedule": scheduled()}) as daemon:
        result = here.run("schedule", "api", *arguments)
    assert (0, "") == (result.exit_code, result.stderr)
    assert ("schedule", {"id": "api", "at": at}) == daemon.asked[-1]
    assert result.stdout.startswith("api is booked for 14:41, in 3 h 41 min.\n")
    assert "calendar: " in result.stdout


@pytest.mark.parametrize("word", ["then", "2026-12-01", "today"])
def test_a_time_that_is_none_is_wrong_usage(here: Surroundings, word: str) -> None:
    """A day alone, too: it does not say when."""
    result = here.run("schedule", "api", "--at", word)
    assert (2, "") == (result.exit_code, result.stdout)
    assert "is no time. Say 2026-12-01T14:00, 14:00" in " ".join(result.stderr.split())


def test_a_booking_is_taken_back(here: Surroundings) -> None:
    """By its id."""
    with FakeDaemon(here.socket, {"unschedule": planned()}) as daemon:
        result = here.run("unschedule", "api")
    assert (0, "") == (result.exit_code, result.stderr)
    assert ("unschedule", {"id": "api"}) == daemon.asked[-1]
    assert "api is no longer booked" in result.stdout


@pytest.mark.parametrize(("command", "reply"), [("schedule", scheduled()), ("unschedule", planned())])
def test_json_is_exactly_the_result(here: Surroundings, command: str, reply: object) -> None:
    """Nothing added, nothing rounded."""
    with FakeDaemon(here.socket, {command: reply}):
        assert reply == json.loads(here.run(command, "api", "--json").stdout)
