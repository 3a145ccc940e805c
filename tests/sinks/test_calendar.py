"""The user's calendar: which events there are, what they say, and when their files change."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar as Parsed

from quotad.domain.event import CANCELLED_KEPT, EventRow
from quotad.domain.instant import DAY, HOUR, MINUTE, SECOND
from quotad.domain.queue import Planned, PlannedId, ScheduleReason, Status
from quotad.sinks.calendar import (
    CANCELLED,
    CONFIRMED,
    DESCRIPTION_CHARS_MAX,
    LATEST,
    SUMMARY_CHARS_MAX,
    cancelled,
    confirmed,
    event_text,
    file_of,
    is_made_of,
    new_uid,
    reconciled,
)
from quotad.sinks.calendar_file import Calendar
from tests.sinks.events import BOOKED, ID, UID, booked, queue, read, ready, uid
from tests.sinks.notices import NOW
from tests.sinks.waiting import names

OTHER = PlannedId("migrate-db")
ROW = confirmed(BOOKED, None, NOW, uid)


def moment(instant: int) -> datetime:
    """As icalendar and vobject read it."""
    return datetime.fromtimestamp(instant / 1000, UTC)


def event_file(planned: Planned | None = BOOKED, row: EventRow = ROW) -> bytes:
    """The file of one event."""
    return file_of(row, event_text(row, planned))


def rows_after(before: tuple[EventRow, ...], now: int, *sessions: Planned) -> tuple[EventRow, ...]:
    """The rows once the queue holds these sessions."""
    return reconciled(queue(*sessions), before, now, uid)


# Which events there are.


def test_a_booked_session_gets_an_event() -> None:
    """At its time, with SEQUENCE 0."""
    (row,) = rows_after((), NOW, BOOKED)
    assert (ID, UID, 0, CONFIRMED) == (row.planned, row.uid, row.sequence, row.status)
    assert (NOW + 3 * HOUR, NOW) == (row.starts, row.changed)


def test_a_session_without_a_booking_gets_none() -> None:
    """Neither when ready, nor with a time left over from before."""
    assert () == rows_after((), NOW, ready(), ready(id=OTHER, scheduled_for=NOW))


def test_each_uid_is_another_one() -> None:
    """And ends in our name."""
    assert new_uid() != new_uid()
    assert new_uid().endswith("@quotad")


def test_nothing_changes_while_a_calendar_shows_the_same() -> None:
    """The row is the one that was there, an hour later too."""
    assert (ROW,) == rows_after((ROW,), NOW + HOUR, BOOKED)
    assert (ROW,) == rows_after((ROW,), NOW + HOUR, booked(scheduled_for=NOW + 3 * HOUR + 999))


@pytest.mark.parametrize(
    "changes",
    [
        {"scheduled_for": NOW + 4 * HOUR},
        {"hours": 3.0},
        {"tokens": 46_000},
        {"phase": "Frontend"},
        {"objectives": ("Tests",)},
        {"agent": ""},
        {"cwd": "/home/ana"},
        {"deadline": NOW + 9 * HOUR},
        {"notes": "With care"},
        {"dependencies": (OTHER,)},
        {"schedule_reason": ScheduleReason.USER_SCHEDULED},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_a_calendar_shows_raises_the_sequence_once(changes: dict[str, object]) -> None:
    """By one, under the same UID, with the time of the change."""
    changed = booked(**changes)
    (row,) = rows_after((ROW,), NOW + HOUR, changed)
    assert (UID, 1, NOW + HOUR) == (row.uid, row.sequence, row.changed)
    assert changed.scheduled_for == row.starts
    assert (row,) == rows_after((row,), NOW + 2 * HOUR, changed)
    assert event_file(changed, row) != event_file()


@pytest.mark.parametrize("gone", [(), (ready(),), (ready(status=Status.BLOCKED),)])
def test_an_event_whose_booking_is_taken_back_is_cancelled(gone: tuple[Planned, ...]) -> None:
    """Its session unscheduled or removed: SEQUENCE rises once."""
    (row,) = rows_after((ROW,), NOW + HOUR, *gone)
    assert (UID, 1, CANCELLED, NOW + HOUR) == (row.uid, row.sequence, row.status, row.changed)
    assert ROW.starts == row.starts
    assert (row,) == rows_after((row,), NOW + 2 * HOUR, *gone)


def test_booked_again_it_is_the_same_event() -> None:
    """Even at the same time: a calendar that has struck it out must hear of it."""
    off = cancelled(ROW, NOW + HOUR)
    (row,) = rows_after((off,), NOW + 2 * HOUR, BOOKED)
    assert (UID, 2, CONFIRMED) == (row.uid, row.sequence, row.status)


@pytest.mark.parametrize("status", [Status.IN_PROGRESS, Status.COMPLETE])
def test_an_event_whose_time_had_come_stays_as_a_record(status: Status) -> None:
    """Its session was taken up at its time, and has lost its booking, and the reason for it, by that."""
    taken_up = booked(status=status, scheduled_for=None, schedule_reason=None)
    (row,) = rows_after((ROW,), ROW.starts, taken_up)
    assert (UID, 1, CONFIRMED, ROW.starts) == (row.uid, row.sequence, row.status, row.starts)
    assert (row,) == rows_after((row,), ROW.starts + DAY, taken_up)


def test_a_session_that_is_started_early_needs_no_event() -> None:
    """Its calendar would remind of it in vain."""
    (row,) = rows_after((ROW,), ROW.starts - 1, booked(status=Status.IN_PROGRESS))
    assert CANCELLED == row.status


def test_a_cancelled_event_is_no_record() -> None:
    """What was struck out does not come back because its session is worked on."""
    off = cancelled(ROW, NOW)
    assert (off,) == rows_after((off,), ROW.starts, booked(status=Status.IN_PROGRESS))


def test_a_session_without_a_booking_has_nothing_to_confirm() -> None:
    """To ask for it is a fault of the caller."""
    with pytest.raises(ValueError, match="auth-api is not scheduled and has no event"):
        confirmed(ready(), None, NOW)


def test_a_clock_that_was_set_back_does_not_make_a_later_version_older() -> None:
    """The time of the change stays."""
    assert NOW == cancelled(ROW, NOW - DAY).changed


@given(
    st.lists(
        st.sampled_from([BOOKED, booked(scheduled_for=NOW + 7 * HOUR), booked(hours=1.0), ready(), None]),
        max_size=12,
    )
)
def test_an_event_changes_if_and_only_if_its_sequence_does(steps: list[Planned | None]) -> None:
    """Whatever happens to a session: one UID, SEQUENCE never falls, and equal SEQUENCE is equal bytes."""
    rows: tuple[EventRow, ...] = ()
    seen: dict[int, bytes] = {}
    for step, planned in enumerate(steps):
        sessions = () if planned is None else (planned,)
        before, rows = rows, rows_after(rows, NOW + step * MINUTE, *sessions)
        for row in rows:
            assert row.uid == UID
            assert all(row.sequence - old.sequence in {0, 1} for old in before)
            assert seen.setdefault(row.sequence, event_file(planned, row)) == event_file(planned, row)
    assert len(set(seen.values())) == len(seen)


# What they say.


def test_an_event_says_all_that_is_known() -> None:
    """As another library reads it."""
    event = read(event_file()).vevent
    assert UID == event.uid.value
    assert "0" == event.sequence.value
    assert moment(NOW + 3 * HOUR) == event.dtstart.value
    assert timedelta(hours=2, minutes=30) == event.dtend.value - event.dtstart.value
    assert moment(NOW) == event.dtstamp.value == event.last_modified.value
    assert ("CONFIRMED", "TRANSPARENT") == (event.status.value, event.transp.value)
    assert "Claude Code: auth-api, Backend (45k tokens)" == event.summary.value
    assert [
        "Objectives:",
        "- Token endpoint; refresh, too",
        "- Tests",
        "",
        "Token budget: 45,000 (estimate)",
        "Time: 2.5 h (estimate)",
        "Priority: high",
        "Agent: coder",
        "Directory: /home/ana/src/shop_api",
        "Why then: too little of the quota was left",
        "",
        "Start it with: quotactl start auth-api",
    ] == event.description.value.split("\n")


def test_what_is_optional_is_said_too() -> None:
    """Dependencies, deadline, notes."""
    planned = booked(dependencies=(OTHER,), deadline=NOW + DAY, notes="Ask Ben\nfirst")
    lines = read(event_file(planned)).vevent.description.value.split("\n")
    assert ["Comes after: migrate-db", "Deadline: 2026-11-23 10:00 UTC"] == lines[9:11]
    assert ["", "Ask Ben", "first", ""] == lines[12:16]


def test_a_bare_session_makes_a_short_event() -> None:
    """No heading stands over nothing."""
    bare = booked(tokens=999, objectives=(), agent="", cwd="", phase="", schedule_reason=None)
    event = read(event_file(bare)).vevent
    assert "Claude Code: auth-api (999 tokens)" == event.summary.value
    assert "Token budget: 999 (estimate)" == event.description.value.split("\n")[0]


def test_reminders_come_half_an_hour_and_five_minutes_before() -> None:
    """Shown, relative to the start, each with a UID of its own that a move does not change."""
    moved = booked(scheduled_for=NOW + 9 * HOUR)
    first, second = read(event_file()).vevent.valarm_list
    assert [timedelta(minutes=-30), timedelta(minutes=-5)] == [first.trigger.value, second.trigger.value]
    assert "DISPLAY" == first.action.value
    assert "Claude Code: auth-api, Backend (45k tokens) in 30 minutes" == first.description.value
    assert first.uid.value != second.uid.value
    again = read(event_file(moved, confirmed(moved, ROW, NOW))).vevent.valarm_list
    assert [first.uid.value, second.uid.value] == [alarm.uid.value for alarm in again]


def test_a_cancelled_event_needs_no_session_and_has_no_reminder() -> None:
    """It keeps its time, and reads the same whether its session is still there or not."""
    off = cancelled(ROW, NOW + HOUR)
    event = read(event_file(None, off)).vevent
    assert ("CANCELLED", "1") == (event.status.value, event.sequence.value)
    assert "Cancelled: Claude Code: auth-api" == event.summary.value
    assert moment(NOW + 3 * HOUR) == event.dtstart.value
    assert not hasattr(event, "valarm")
    assert event_file(BOOKED, off) == event_file(None, off)


@pytest.mark.parametrize(
    ("tokens", "shown"), [(1, "1"), (1_000, "1k"), (1_550, "1.6k"), (2_000_000, "2M"), (999_999, "1000k")]
)
def test_tokens_are_short_in_a_heading(tokens: int, shown: str) -> None:
    """Exact in the text below."""
    event = read(event_file(booked(tokens=tokens))).vevent
    assert f"Claude Code: auth-api, Backend ({shown} tokens)" == event.summary.value
    assert f"Token budget: {tokens:,} (estimate)" in event.description.value


@pytest.mark.parametrize(("hours", "minutes"), [(0.001, 1), (0.25, 15), (1.999, 120), (1000, 60_000)])
def test_an_event_is_as_long_as_its_session(hours: float, minutes: int) -> None:
    """In whole minutes, at least one: an event must end after it begins (RFC 5545, 3.8.2.2)."""
    event = read(event_file(booked(hours=hours))).vevent
    assert timedelta(minutes=minutes) == event.dtend.value - event.dtstart.value


@pytest.mark.parametrize("starts", [LATEST + 5, LATEST, -DAY])
def test_a_time_that_no_calendar_can_say_does_no_harm(starts: int) -> None:
    """An edit by hand can hold any; the event still has a length."""
    planned = booked(scheduled_for=starts)
    event = read(event_file(planned, confirmed(planned, None, NOW, uid))).vevent
    assert event.dtend.value > event.dtstart.value


def test_a_file_for_import_has_no_method_and_no_time_zone() -> None:
    """A calendar server refuses METHOD, and UTC needs no definition."""
    file = event_file()
    assert b"METHOD" not in file
    assert b"TZID" not in file
    assert b"DTSTART:20261122T130000Z" in file


@given(st.text(), st.text(), st.lists(st.text(), max_size=3))
def test_any_text_makes_a_valid_file(phase: str, notes: str, objectives: list[str]) -> None:
    """CRLF and nothing else ends a line, none is longer than 75 octets, no control sign is in it."""
    planned = booked(phase=phase, notes=notes, objectives=tuple(objectives))
    file = event_file(planned, confirmed(planned, None, NOW, uid))
    lines = file.split(b"\r\n")
    assert b"" == lines.pop()
    assert all(len(line) <= 75 for line in lines)
    assert not {*b"".join(lines)} & {*range(9), *range(10, 32), 127}
    assert len(lines) == len(file.decode().splitlines())
    (event,) = Parsed.from_ical(file).walk("VEVENT")
    assert not event.errors
    assert read(file).vevent.summary.value == str(event["SUMMARY"])


def test_text_cannot_add_lines_of_its_own() -> None:
    """What looks like iCalendar stays text."""
    evil = "x\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:other\x00\x07\u2028y\ud800"
    planned = booked(phase=evil, notes=evil)
    event = read(event_file(planned)).vevent
    assert UID == event.uid.value
    assert "x END:VEVENT BEGIN:VEVENT UID:other y?" in event.summary.value
    assert "x\nEND:VEVENT\nBEGIN:VEVENT\nUID:other\ny?" in event.description.value


def test_long_text_is_cut() -> None:
    """At its limit, visibly; a heading keeps its budget."""
    event = read(event_file(booked(phase="p" * 500, notes="n" * 9_000))).vevent
    assert SUMMARY_CHARS_MAX == len(event.summary.value)
    assert event.summary.value.endswith("p… (45k tokens)")
    assert DESCRIPTION_CHARS_MAX == len(event.description.value)
    assert event.description.value.endswith("n…")


# Their files.


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where the files are, once there are any."""
    return tmp_path / "claude" / "calendar"


def modes(*paths: Path) -> set[int]:
    """Who may do what with them."""
    return {path.stat().st_mode & 0o777 for path in paths}


async def test_each_event_has_a_file_and_all_have_one(directory: Path) -> None:
    """The directory is made, and nobody else may look into it."""
    sessions = queue(BOOKED, booked(id=OTHER, scheduled_for=NOW + HOUR))
    rows = reconciled(sessions, (), NOW)
    calendar = Calendar(directory)
    await calendar.write(rows, sessions, NOW)
    assert {"auth-api.ics", "migrate-db.ics", "all.ics"} == names(directory)
    assert calendar.path(ID).read_bytes() == event_file(row=rows[0])
    assert {0o700} == modes(directory)
    assert {0o600} == modes(calendar.path(ID), calendar.path(OTHER), calendar.all)
    feed = read(calendar.all.read_bytes())
    assert [rows[1].uid, rows[0].uid] == [event.uid.value for event in feed.vevent_list]


async def test_all_in_one_is_made_to_be_subscribed_to(directory: Path) -> None:
    """It has a name and says how often to look again."""
    await Calendar(directory).write((ROW,), queue(BOOKED), NOW)
    (feed,) = Parsed.from_ical((directory / "all.ics").read_bytes(), multiple=True)
    assert "Claude Code sessions" == feed["X-WR-CALNAME"] == feed["NAME"]
    assert "PT1H" == feed["X-PUBLISHED-TTL"]
    assert b"REFRESH-INTERVAL;VALUE=DURATION:PT1H\r\n" in (directory / "all.ics").read_bytes()


async def test_without_events_nothing_is_written(directory: Path) -> None:
    """Not even the directory, unless it is asked for."""
    await Calendar(directory).write((), queue(ready()), NOW)
    assert set() == names(directory.parent.parent)
    await Calendar(directory).export((), queue(ready()), NOW, ())
    assert {"all.ics"} == names(directory)


def stamps(directory: Path) -> dict[str, tuple[int, int]]:
    """What shows that a file was replaced."""
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in directory.iterdir()}


async def test_files_that_are_right_are_not_touched(directory: Path) -> None:
    """Neither by the same daemon, nor by the next one, nor by an export."""
    calendar = Calendar(directory)
    await calendar.write((ROW,), queue(BOOKED), NOW)
    before = stamps(directory)
    await calendar.write((ROW,), queue(BOOKED), NOW + DAY)
    await Calendar(directory).write((ROW,), queue(BOOKED), NOW + DAY)
    await Calendar(directory).export((ROW,), queue(BOOKED), NOW + DAY, (ID,))
    assert before == stamps(directory)


async def test_a_move_changes_its_file_and_the_one_with_all(directory: Path) -> None:
    """And no other."""
    other = booked(id=OTHER)
    calendar = Calendar(directory)
    rows = reconciled(queue(BOOKED, other), (), NOW)
    await calendar.write(rows, queue(BOOKED, other), NOW)
    before = stamps(directory)
    moved = queue(booked(scheduled_for=NOW + 8 * HOUR), other)
    await calendar.write(reconciled(moved, rows, NOW + SECOND), moved, NOW + SECOND)
    after = stamps(directory)
    assert {"auth-api.ics", "all.ics"} == {name for name in after if before[name] != after[name]}
    feed = read(calendar.all.read_bytes())
    assert {rows[0].uid: "1", rows[1].uid: "0"} == {
        event.uid.value: event.sequence.value for event in feed.vevent_list
    }


async def test_a_cancelled_event_leaves_the_feed_after_a_week(directory: Path) -> None:
    """Its own file is left alone then, deleted by its user or not."""
    calendar = Calendar(directory)
    off = cancelled(ROW, NOW)
    await calendar.write((off,), queue(), NOW)
    assert "CANCELLED" == read(calendar.all.read_bytes()).vevent.status.value
    before = calendar.path(ID).read_bytes()
    await calendar.write((off,), queue(), NOW + CANCELLED_KEPT)
    assert b"VEVENT" not in calendar.all.read_bytes()
    assert before == calendar.path(ID).read_bytes()
    calendar.path(ID).unlink()
    await calendar.write((off,), queue(), NOW + CANCELLED_KEPT)
    assert {"all.ics"} == names(directory)


@pytest.mark.parametrize("spoil", [lambda file: b"", lambda file: file[:-20], lambda file: b"mine"])
async def test_a_file_that_is_not_whole_is_written_again(directory: Path, spoil: object) -> None:
    """A loss of power can leave one behind."""
    assert callable(spoil)
    calendar = Calendar(directory)
    await calendar.write((ROW,), queue(BOOKED), NOW)
    calendar.path(ID).write_bytes(spoil(calendar.path(ID).read_bytes()))
    calendar.all.unlink()
    await calendar.write((ROW,), queue(BOOKED), NOW)
    assert event_file() == calendar.path(ID).read_bytes()
    assert UID == read(calendar.all.read_bytes()).vevent.uid.value


async def test_an_export_undoes_what_was_edited(directory: Path) -> None:
    """Of the sessions named; the same bytes as at first."""
    calendar = Calendar(directory)
    await calendar.write((ROW,), queue(BOOKED), NOW)
    edited = event_file().replace(b"Backend", b"Basement")
    calendar.path(ID).write_bytes(edited)
    await calendar.write((ROW,), queue(BOOKED), NOW)
    assert edited == calendar.path(ID).read_bytes()
    await calendar.export((ROW,), queue(BOOKED), NOW, (ID,))
    assert event_file() == calendar.path(ID).read_bytes()


async def test_one_file_that_cannot_be_written_stops_no_other(directory: Path) -> None:
    """The error names it, and comes when everything else is in place."""
    other = booked(id=OTHER)
    rows = reconciled(queue(BOOKED, other), (), NOW)
    calendar = Calendar(directory)
    calendar.path(ID).mkdir(parents=True)
    with pytest.raises(OSError, match=r"auth-api\.ics"):
        await calendar.write(rows, queue(BOOKED, other), NOW)
    assert 2 == len(read(calendar.all.read_bytes()).vevent_list)
    assert read(calendar.path(OTHER).read_bytes()).vevent


async def test_a_place_that_cannot_be_is_told(tmp_path: Path) -> None:
    """By the system's own error."""
    with pytest.raises(OSError, match="File name too long"):
        await Calendar(tmp_path / ("c" * 300)).write((ROW,), queue(BOOKED), NOW)


async def test_a_pipe_in_the_place_of_a_file_holds_nothing_up(tmp_path: Path) -> None:
    """Nobody would ever write into it."""
    os.mkfifo(tmp_path / "all.ics")
    with pytest.raises(OSError, match="not a regular file"):
        await Calendar(tmp_path).write((ROW,), queue(BOOKED), NOW)
    assert {"all.ics", "auth-api.ics"} == names(tmp_path)


def test_a_file_knows_what_it_was_made_of() -> None:
    """Any other version, and any cut, is another file."""
    assert is_made_of(event_file(), [ROW])
    assert not is_made_of(event_file(), [ROW._replace(sequence=1)])
    assert not is_made_of(event_file(), [ROW._replace(changed=NOW + 1)])
    assert not is_made_of(event_file()[:-1], [ROW])


_START = """
import asyncio, sys
from pathlib import Path
from quotad.sinks.calendar import reconciled
from quotad.sinks.calendar_file import Calendar
from tests.sinks.events import BOOKED, queue, ready, uid
from tests.sinks.notices import NOW
loaded = "icalendar" in sys.modules
sessions = queue(BOOKED)
rows = reconciled(sessions, (), NOW, uid)
asyncio.run(Calendar(Path(sys.argv[1])).write(rows, sessions, NOW))
print(loaded, "icalendar" in sys.modules)
"""


async def test_icalendar_is_imported_only_to_write(directory: Path) -> None:
    """A start that finds everything in order does not pay for it."""
    checkout = Path(__file__).parents[2]

    def start() -> str:
        done = subprocess.run(
            [sys.executable, "-c", _START, str(directory)],
            cwd=checkout,
            env={"PYTHONPATH": str(checkout), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return done.stdout.strip()

    assert "False True" == await asyncio.to_thread(start)
    assert "False False" == await asyncio.to_thread(start)
