"""History: what a person means by a date, and the same totals as table, JSON and CSV."""

from __future__ import annotations

import csv
import json
from datetime import UTC, timedelta, timezone, tzinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotactl import text
from quotactl.history import csv_text, iso_of
from quotactl.history_table import history_lines
from quotad import wire
from tests.quotactl.conftest import Surroundings
from tests.quotactl.fake_daemon import FakeDaemon
from tests.quotactl.replies import BERLIN, NOW, row, view
from tests.quotactl.snapshot import assert_snapshot

DAYS = [
    row(day="2026-11-20", spent=187_655, messages=312),
    row(day="2026-11-21", spent=4_100, messages=9, estimated_tokens=4_100),
    row(day="2026-11-22", spent=62_345),
]
WINDOWS = [
    row(window="five_hour", opened_at="2026-11-20T09:25:00.000Z", resets_at="2026-11-20T14:25:00.000Z"),
    row(
        window="five_hour",
        opened_at="2026-11-22T08:40:00.000Z",
        resets_at="2026-11-22T13:40:00.000Z",
        spent=2_000,
    ),
    row(
        window="seven_day",
        opened_at="2026-11-18T08:00:00.000Z",
        resets_at="2026-11-25T08:00:00.000Z",
        spent=254_100,
    ),
]
MODELS = [row(model="claude-opus-5", spent=900_000), row(model="claude-haiku-4-5-20251001", spent=12_000)]
PROJECTS = [
    row(project="/home/ana/src/shop_api", spent=300_000),
    row(project="/home/ana/work/clients/northwind/services/inventory/worker", spent=20),
    row(project="", spent=1_000),
]
SESSIONS = [
    row(session="5f0c1d2e-0000-4000-8000-00000000a001", started_at="2026-11-22T08:40:00.000Z"),
    row(
        session="7a0c1d2e-0000-4000-8000-00000000a002",
        started_at="2026-11-12T08:40:00.000Z",
        account="/b/.claude",
    ),
]
TABLES: dict[wire.GroupBy, list[wire.HistoryRow]] = {
    "day": DAYS,
    "window": WINDOWS,
    "model": MODELS,
    "project": PROJECTS,
    "session": SESSIONS,
}


def table(by: wire.GroupBy, width: int) -> str:
    """The table of this width as text."""
    return text.paint(history_lines(TABLES[by], by, view(width)), view(width))


@pytest.mark.parametrize("width", [80, 60, 40])
@pytest.mark.parametrize("by", TABLES)
def test_a_table_looks_like_its_snapshot(by: wire.GroupBy, width: int) -> None:
    """Aligned, with a bar where there is room, and a total."""
    assert_snapshot(f"history-{by}-{width}", table(by, width))


@given(st.sampled_from(sorted(TABLES)), st.integers(24, 100), st.integers(0, 10**12))
def test_no_line_is_too_wide(by: wire.GroupBy, width: int, spent: int) -> None:
    """In no width, with no number."""
    rows = [*TABLES[by], TABLES[by][0] | {"spent": spent}]
    shown = text.paint(history_lines(rows, by, view(width)), view(width))
    assert max(text.cells(line) for line in shown.split("\n")) <= width


def test_nothing_spent_is_said() -> None:
    """An empty table would look like a fault."""
    shown = text.paint(history_lines([], "day", view()), view())
    assert shown == "Nothing was spent in this time."


SUMMER_TIME_ENDED = "2026-10-25T12:00:00.000Z"


@pytest.mark.parametrize(
    ("word", "now", "zone", "iso"),
    [
        ("2026-11-01", NOW, BERLIN, "2026-11-01"),
        ("20261101", NOW, BERLIN, "2026-11-01"),
        ("today", NOW, BERLIN, "2026-11-22"),
        ("yesterday", NOW, BERLIN, "2026-11-21"),
        ("0d", NOW, BERLIN, "2026-11-22"),
        ("7d", NOW, BERLIN, "2026-11-15"),
        ("2w", NOW, BERLIN, "2026-11-08"),
        ("12h", NOW, BERLIN, "2026-11-21T22:00:00.000Z"),
        ("today", "2026-11-22T23:30:00.000Z", BERLIN, "2026-11-23"),
        ("today", "2026-11-22T23:30:00.000Z", UTC, "2026-11-22"),
        ("1d", SUMMER_TIME_ENDED, BERLIN, "2026-10-24"),
        ("2026-11-01T14:00", NOW, BERLIN, "2026-11-01T14:00:00+01:00"),
        ("2026-07-01T14:00", NOW, BERLIN, "2026-07-01T14:00:00+02:00"),
        ("2026-11-01T14:00Z", NOW, BERLIN, "2026-11-01T14:00:00+00:00"),
        ("2026-11-01 14:00", NOW, timezone(timedelta(hours=5.5)), "2026-11-01T14:00:00+05:30"),
    ],
)
def test_a_time_is_what_the_person_means(word: str, now: str, zone: tzinfo, iso: str) -> None:
    """Whole days for days and weeks, an instant for hours, local time where no offset is given."""
    assert iso == iso_of(word, wire.instant(now), zone)


@pytest.mark.parametrize(
    "word", ["", "then", "7", "d", "-7d", "7m", "2026-13-01", "2026-02-30", "999999w", "12:00"]
)
def test_what_is_no_time_is_refused(word: str) -> None:
    """With ValueError, which the command turns into wrong usage."""
    with pytest.raises(ValueError, match=r"Invalid isoformat|must be in|out of range|day is out"):
        iso_of(word, wire.instant(NOW), UTC)


def test_the_daemon_is_asked_in_iso(here: Surroundings) -> None:
    """Relative times are the client's business; --utc holds for the words before it, too."""
    with FakeDaemon(here.socket, {"history": []}) as daemon:
        result = here.run("history", "--by", "model", "--since", "7d", "--until", "2026-11-20T08:00", "--utc")
    assert result.exit_code == 0
    expected = {"by": "model", "since": "2026-11-15", "until": "2026-11-20T08:00:00+00:00", "utc": True}
    assert ("history", expected) == daemon.asked[-1]


def test_a_wrong_time_is_named(here: Surroundings) -> None:
    """With the forms that are possible."""
    result = here.run("history", "--since", "then")
    assert "'then' is no time. Say 7d (days)" in " ".join(result.stderr.split())


def test_json_is_exactly_the_result(here: Surroundings) -> None:
    """No rounding, nothing added."""
    with FakeDaemon(here.socket, {"history": DAYS}):
        assert DAYS == json.loads(here.run("history", "--json").stdout)


def test_csv_has_every_field(here: Surroundings) -> None:
    """A head, a line a row, exact numbers, quoted where a directory needs it."""
    rows = [row(project='/home/ana/a,"b"', spent=1), row(project="/c", estimated_tokens=7)]
    with FakeDaemon(here.socket, {"history": rows}):
        result = here.run("history", "--by", "project", "--csv")
    head, first, second = csv.reader(result.stdout.splitlines())
    assert head == [
        *("project", "account", "spent", "messages", "estimated_tokens"),
        *("input", "output", "cache_write", "cache_read"),
    ]
    assert first == [
        '/home/ana/a,"b"',
        "/home/ana/.claude",
        "1",
        "14",
        "0",
        "345",
        "12000",
        "50000",
        "900000",
    ]
    assert second[:5] == ["/c", "/home/ana/.claude", "62345", "14", "7"]


@pytest.mark.parametrize("by", TABLES)
def test_csv_of_nothing_is_its_head(by: wire.GroupBy) -> None:
    """A program that reads it finds the columns it expects, and each field of a row has one."""
    head = csv_text([], by)
    assert head == csv_text(TABLES[by], by).splitlines(keepends=True)[0]
    fields = {field for row in TABLES[by] for field in row} - {"tokens"}
    assert fields == set(head.strip().split(",")) - {"input", "output", "cache_write", "cache_read"}


@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("2026-11-02", "2026-11-01"),
        ("today", "7d"),
        ("2026-11-01T00:01", "2026-11-01"),
        ("2026-11-01", "2026-10-31T22:59:59Z"),
    ],
)
def test_an_end_before_the_beginning_is_wrong_usage(here: Surroundings, since: str, until: str) -> None:
    """It is found before a daemon is looked for, and the option is named."""
    result = here.run("history", "--since", since, "--until", until)
    assert (2, "") == (result.exit_code, result.stdout)
    assert "Invalid value for '--until'" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--since", "2026-11-01", "--until", "2026-11-01"),
        ("--since", "2026-11-01", "--until", "2026-10-31T23:00:00Z"),
        ("--since", "2026-11-01T00:00Z", "--until", "2026-11-01", "--utc"),
    ],
)
def test_an_end_at_the_beginning_is_asked_about(here: Surroundings, arguments: tuple[str, ...]) -> None:
    """Nothing lies in it, and that is an answer; a date begins at midnight where the person is."""
    with FakeDaemon(here.socket, {"history": []}):
        assert here.run("history", *arguments).exit_code == 0


def test_a_date_without_a_midnight_is_left_to_the_daemon(here: Surroundings) -> None:
    """The calendar's first day had none east of Greenwich, and that is no traceback."""
    with FakeDaemon(here.socket, {"history": []}):
        result = here.process(
            *("history", "--since", "0001-01-01", "--until", "2026-11-01T00:00Z"), TZ="Europe/Berlin"
        )
    assert (0, "") == (result.returncode, result.stderr)
