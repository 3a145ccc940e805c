"""The calendar's files as the client tells of them: where they are, how to import them, what is next."""

from __future__ import annotations

import json

import pytest

from quotactl.calendar import events_text, export_text, next_text
from quotad import wire
from quotad.wire.planned_replies import CalendarReply, EventReply
from tests.quotactl.conftest import Surroundings
from tests.quotactl.fake_daemon import Error, FakeDaemon
from tests.quotactl.replies import NOW, view
from tests.quotactl.snapshot import assert_snapshot

DIRECTORY = "/home/ana/.claude/calendar"


def event(name: str, starts_at: str, **differing: object) -> EventReply:
    """A confirmed event that was never moved."""
    ordinary: dict[str, object] = {
        "id": name,
        "uid": f"{name}@quotad",
        "sequence": 0,
        "status": "CONFIRMED",
        "starts_at": starts_at,
        "ics": f"{DIRECTORY}/{name}.ics",
    }
    return ordinary | differing  # type: ignore[return-value]


def reply(*events: EventReply) -> CalendarReply:
    """These events, in this order."""
    return {"events": list(events), "all": f"{DIRECTORY}/all.ics"}


STARTED = event("seed-data", "2026-11-22T09:30:00.000Z")
NEXT = event("auth-api", "2026-11-22T13:41:00.000Z")
LATER = event("migrate-db", "2026-11-24T08:00:00.000Z")
OFF = event("spike", "2026-11-22T12:00:00.000Z", status="CANCELLED", sequence=1)
ALL = reply(STARTED, OFF, NEXT, LATER)
EMPTY = reply()


def test_an_export_says_what_how_and_when(here: Surroundings) -> None:
    """The files, the way into each calendar, and the next session, be it among them or not."""
    with FakeDaemon(here.socket, {"calendar.export": reply(NEXT, LATER), "calendar.list": ALL}) as daemon:
        result = here.run("calendar", "export")
    assert 0 == result.exit_code
    assert ("calendar.export", {"ids": []}) in daemon.asked
    assert_snapshot("calendar_export", result.stdout.rstrip("\n"))


def test_an_export_of_some_names_them(here: Surroundings) -> None:
    """In their order; the next session need not be one of them."""
    with FakeDaemon(here.socket, {"calendar.export": reply(LATER), "calendar.list": ALL}) as daemon:
        result = here.run("calendar", "export", "migrate-db", "spike")
    assert ("calendar.export", {"ids": ["migrate-db", "spike"]}) in daemon.asked
    assert result.stdout.endswith("\nNext: auth-api, 14:41 (in 3 h 41 min)\n")


def test_a_list_shows_every_event(here: Surroundings) -> None:
    """Those that are cancelled are marked."""
    with FakeDaemon(here.socket, {"calendar.list": ALL}):
        result = here.run("calendar", "list")
    assert 0 == result.exit_code
    assert_snapshot("calendar_list", result.stdout.rstrip("\n"))


@pytest.mark.parametrize("command", ["export", "list"])
def test_an_empty_calendar_says_how_to_fill_it(here: Surroundings, command: str) -> None:
    """It is no failure."""
    with FakeDaemon(here.socket, {"calendar.export": EMPTY, "calendar.list": EMPTY}):
        result = here.run("calendar", command)
    assert 0 == result.exit_code
    assert (
        "Nothing is booked, so the calendar is empty.\n`quotactl schedule ID` books a planned session.\n"
        == result.stdout
    )


@pytest.mark.parametrize("command", ["export", "list"])
def test_json_is_exactly_the_result(here: Surroundings, command: str) -> None:
    """No field added, none changed, nothing else asked."""
    with FakeDaemon(here.socket, {f"calendar.{command}": ALL}) as daemon:
        result = here.run("calendar", command, "--json")
    assert ALL == json.loads(result.stdout)
    assert ["hello", f"calendar.{command}"] == [method for method, _ in daemon.asked]


def test_a_refusal_is_told(here: Surroundings) -> None:
    """In the daemon's words."""
    refusal = Error(code=wire.REFUSED, message="There is no session nope.", data={"code": "no-such-session"})
    with FakeDaemon(here.socket, {"calendar.export": refusal}):
        result = here.run("calendar", "export", "nope")
    assert (1, "There is no session nope.\n") == (result.exit_code, result.stderr)


@pytest.mark.parametrize("command", ["export", "list"])
def test_without_a_daemon_nothing_is_said_of_the_calendar(here: Surroundings, command: str) -> None:
    """Exit code 69, and how to start one."""
    result = here.run("calendar", command)
    assert (69, "") == (result.exit_code, result.stdout)
    assert "quotactl up" in result.stderr


def test_the_next_session_is_one_that_takes_place() -> None:
    """Neither cancelled nor begun; one that begins now is next."""
    now = wire.instant(NOW)
    assert "" == next_text([STARTED, OFF], now, view())
    assert "Next: now, 11:00 (in 0 s)" == next_text([NEXT, event("now", NOW)], now, view())


def test_a_list_without_a_next_session_ends_with_its_last_line(here: Surroundings) -> None:
    """Nothing comes after what is cancelled."""
    with FakeDaemon(here.socket, {"calendar.list": reply(OFF)}):
        result = here.run("calendar", "list")
    assert result.stdout.endswith("all.ics\n")


def test_paths_are_whole_however_narrow_the_terminal() -> None:
    """They are there to be copied; everything else keeps to the width."""
    shown = export_text(reply(NEXT, LATER), wire.instant(NOW), view(30))
    paths = [line for line in shown.split("\n") if DIRECTORY in line]
    assert [f"  {DIRECTORY}/{name}.ics" for name in ("auth-api", "migrate-db", "all")] == paths
    assert all(len(line) <= 30 for line in shown.split("\n") if line not in paths)


def test_a_path_cannot_command_the_terminal() -> None:
    """Nor an id."""
    shown = events_text([event("\x1b[2J", NOW, ics="/tmp/\x1b[2J.ics")], wire.instant(NOW), view())
    assert "\x1b" not in shown


def test_a_terminal_without_unicode_gets_ascii() -> None:
    """Arrows and dots too."""
    assert export_text(ALL, wire.instant(NOW), view(unicode=False)).isascii()
