"""What Claude Code says when a limit is hit, in every wording seen so far."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotad.domain.instant import DAY, HOUR, MINUTE, SECOND
from quotad.domain.reading import Reading, ReadingSource
from quotad.sources.limit_text import RESET_SLACK, read
from quotad.sources.timestamp import instant

SAMPLES = json.loads((Path(__file__).parents[1] / "samples" / "limit_messages.json").read_text("utf-8"))
LISBON = ZoneInfo("Europe/Lisbon")

# In the order of the samples: when the line was written, and what it says (None: nothing about a window).
MEANT = [
    ("2025-07-01T12:00:00Z", ("five_hour", "2025-07-01T17:00:00Z")),
    ("2025-08-10T14:00:00Z", ("five_hour", "2025-08-10T10:00:00-05:00")),
    ("2025-10-20T11:00:00Z", ("five_hour", "2025-10-20T15:00:00+01:00")),
    ("2025-11-27T22:00:00Z", ("five_hour", "2025-11-28T14:00:00+13:00")),
    ("2025-11-10T16:30:00Z", ("five_hour", "2025-11-10T20:00:00Z")),
    ("2025-11-27T10:00:00Z", ("seven_day", "2025-12-02T19:00:00+03:00")),
    ("2026-03-01T18:00:00Z", ("five_hour", "2026-03-02T01:30:00+06:00")),
    ("2026-04-20T10:00:00Z", ("seven_day", "2026-04-23T16:00:00-03:00")),
    ("2026-07-02T11:00:00Z", ("five_hour", "2026-07-02T21:50:00+07:00")),
    ("2026-07-02T11:00:00Z", ("five_hour", "2026-07-02T15:30:00Z")),
    ("2026-07-02T11:00:00Z", ("seven_day", "2026-07-06T00:00:00+01:00")),
    ("2026-08-11T11:00:00Z", ("seven_day", "2026-08-16T18:00:00+02:00")),
    ("2026-08-11T11:00:00Z", ("seven_day_opus", "2026-08-11T15:45:00+01:00")),
    ("2026-08-11T11:00:00Z", None),
    ("2026-08-11T11:00:00Z", None),
    ("2026-08-11T11:00:00Z", None),
]


def said(text: str, at: str, zone: tzinfo | None = UTC) -> tuple[str, str] | None:
    """The window and the reset in UTC, as far as there is a reading."""
    reading = read(text, instant(at), zone)
    if reading is None:
        return None
    return reading.window, datetime.fromtimestamp(reading.resets_at / SECOND, UTC).isoformat()


@pytest.mark.parametrize(("sample", "meant"), list(zip(SAMPLES, MEANT, strict=True)), ids=range(len(MEANT)))
def test_every_wording_gives_the_window_and_the_moment_that_it_means(
    sample: dict[str, str], meant: tuple[str, tuple[str, str] | None]
) -> None:
    """A clock time without a zone is the machine's, here Lisbon's."""
    written, expected = meant
    at = instant(written)
    reading = read(sample["text"], at, LISBON)
    if expected is None:
        assert reading is None
    else:
        window, resets = expected
        assert Reading(window, 100.0, instant(resets), at, ReadingSource.LIMIT_HIT) == reading


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("You've hit your Sonnet limit · resets 3pm", ("seven_day_sonnet", "2026-11-02T15:00:00+00:00")),
        ("You've hit your Fable 5 limit · resets 3pm", ("seven_day_fable", "2026-11-02T15:00:00+00:00")),
        ("You've hit your Opus 4.5 limit · resets 3pm", ("seven_day_opus", "2026-11-02T15:00:00+00:00")),
        ("Opus weekly limit reached ∙ resets Nov 3, 3pm", ("seven_day_opus", "2026-11-03T15:00:00+00:00")),
        ("You\u2019ve hit your weekly limit | resets 3pm", ("seven_day", "2026-11-02T15:00:00+00:00")),
        ("You've hit your usage limit. Resets at 3:05 PM.", ("five_hour", "2026-11-02T15:05:00+00:00")),
        ("You've hit your session limit\nresets 3\u202fPM (UTC)", ("five_hour", "2026-11-02T15:00:00+00:00")),
        ("API Error: 5-hour limit reached ∙ resets 2pm", ("five_hour", "2026-11-02T14:00:00+00:00")),
        ("You've hit your limit · resets 12:30pm", ("five_hour", "2026-11-02T12:30:00+00:00")),
        ("You've hit your limit · resets 12am", ("seven_day", "2026-11-03T00:00:00+00:00")),
        ("Weekly limit reached · resets Nov 3, 2026 at 3pm", ("seven_day", "2026-11-03T15:00:00+00:00")),
        ("You've hit your weekly limit · resets Monday, 12pm", ("seven_day", "2026-11-02T12:00:00+00:00")),
        ("You've hit your weekly limit · resets 11am", ("seven_day", "2026-11-03T11:00:00+00:00")),
        ("Well.\nWeekly limit reached · resets 3pm", ("seven_day", "2026-11-02T15:00:00+00:00")),
        ("You've hit your weekly limit · resets Mon 10am", ("seven_day", "2026-11-09T10:00:00+00:00")),
    ],
)
def test_wordings_near_the_known_ones_are_understood(text: str, expected: tuple[str, str]) -> None:
    """Separators, apostrophes, case, spaces, versions and years vary; a model has a week of its own."""
    assert expected == said(text, "2026-11-02T11:00:00Z")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "No response requested.",
        "You've hit your session limit",
        "You've hit your session limit · resets soon",
        "You've hit your session limit · resets 3pm (Atlantis/Capital)",
        "You've hit your session limit · resets 3pm ()",
        "You've hit your session limit · resets 3pm (../../etc/passwd)",
        "You've hit your session limit · resets 3pm (America)",
        "You've hit your session limit · resets 13pm",
        "You've hit your session limit · resets 3:60pm",
        "You've hit your session limit · resets 15:00",
        "You've hit your weekly limit · resets Feb 30, 3pm",
        "Weekly limit reached · resets Nov 1, 2026 at 3pm",
        "Weekly limit reached · resets Nov 3, 2027 at 3pm",
        "You've hit your session limit · resets 3pm (%s)" % ("x" * 5000),
        "You've hit your limit for Opus · resets 3pm",
        "You've hit your daily limit · resets 3pm",
        "You've hit your org's monthly usage limit · resets 3pm",
        "You've hit your individual spend limit · resets 3pm",
        "Approaching usage limit · resets 3pm",
        "You've used 90% of your session limit · resets 3pm",
        "Session limit reached (not your usage limit) · resets 3pm",
        "Session limit reached · resets 3pm · API Error: Request rejected (429)",
        "Claude AI usage limit reached|17513892",
    ],
)
def test_what_is_not_understood_is_no_reading(text: str) -> None:
    """An unknown scope, zone or time, money, and throttling say nothing about a window."""
    assert said(text, "2026-11-02T11:00:00Z") is None


@pytest.mark.parametrize(
    ("ahead", "expected"),
    [
        (0, None),
        (1, "five_hour"),
        (5 * HOUR + RESET_SLACK, "five_hour"),
        (5 * HOUR + RESET_SLACK + 1, "seven_day"),
    ],
)
def test_a_limit_without_a_name_is_the_session_s_up_to_five_hours(ahead: int, expected: str | None) -> None:
    """Two minutes more are allowed, as resets are rounded; a reset that has passed is none."""
    reading = read("Claude AI usage limit reached|1751389200", 1_751_389_200_000 - ahead, UTC)
    assert expected == (reading and reading.window)


@pytest.mark.parametrize(
    ("text", "longest"),
    [("Session limit reached|1751389200", 5 * HOUR), ("Weekly limit reached|1751389200", 7 * DAY)],
)
def test_a_reset_further_away_than_the_window_is_long_is_not_believed(text: str, longest: int) -> None:
    """Such a line was written or read after the reset that it speaks of."""
    resets_at = 1_751_389_200_000
    assert read(text, resets_at - longest - 2 * MINUTE, UTC) is not None
    assert read(text, resets_at - longest - 2 * MINUTE - 1, UTC) is None


def test_a_date_before_the_line_is_next_year_s() -> None:
    """The turn of the year lies between a limit hit in December and its reset in January."""
    assert ("seven_day", "2027-01-02T09:00:00+00:00") == said(
        "You've hit your weekly limit · resets Jan 2, 9am", "2026-12-30T11:00:00Z"
    )


def test_a_clock_time_means_the_zone_s_next_one_not_utc_s() -> None:
    """In Auckland it is tomorrow already."""
    assert ("five_hour", "2026-11-02T12:00:00+00:00") == said(
        "You've hit your session limit · resets 1am (Pacific/Auckland)", "2026-11-02T11:00:00Z"
    )


def test_the_hour_that_comes_twice_is_its_first_one_still_to_come() -> None:
    """Clocks went from 2:00 back to 1:00 in Lisbon at 01:00 UTC on 25 October 2026."""
    text = "You've hit your session limit · resets 1:30am (Europe/Lisbon)"
    assert ("five_hour", "2026-10-25T00:30:00+00:00") == said(text, "2026-10-24T23:00:00Z")
    assert ("five_hour", "2026-10-25T01:30:00+00:00") == said(text, "2026-10-25T00:45:00Z")


@pytest.fixture
def machine_in_auckland(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine's own zone is Auckland, twelve or thirteen hours ahead."""
    with monkeypatch.context() as patch:
        patch.setitem(os.environ, "TZ", "Pacific/Auckland")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("machine_in_auckland")
def test_without_any_zone_the_machine_s_own_is_meant() -> None:
    """Claude Code shows local time, and runs on this machine."""
    text = "Session limit reached ∙ resets 1am"
    assert ("five_hour", "2026-11-02T12:00:00+00:00") == said(text, "2026-11-02T11:00:00Z", None)
    assert ("five_hour", "2026-07-02T13:00:00+00:00") == said(text, "2026-07-02T11:00:00Z", None)


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
@pytest.mark.parametrize("zone", [None, UTC, ZoneInfo("Pacific/Auckland"), ZoneInfo("America/Lima")])
def test_lines_from_the_ends_of_time_do_no_harm(at: str, zone: tzinfo | None) -> None:
    """Their reset may not exist; that is no reading, not an exception."""
    for text in ("Session limit reached · resets 1am", "Weekly limit reached · resets Mon 1am"):
        reading = read(text, instant(at), zone)
        assert reading is None or reading.resets_at > instant(at)


@given(
    st.datetimes(datetime(2025, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001 - hypothesis adds the zone
    st.sampled_from(["UTC", "Europe/Lisbon", "Asia/Kathmandu", "America/Lima", "Pacific/Auckland"]),
    st.integers(1, 7 * 24 * 60),
)
def test_what_is_written_is_read_back(written: datetime, zone: str, minutes: int) -> None:
    """A reset up to a week ahead, in the words of 2.1.195, comes back as that minute in any zone."""
    at = written.replace(tzinfo=UTC, second=0, microsecond=0)
    resets = (at + timedelta(minutes=minutes)).astimezone(ZoneInfo(zone))
    text = f"You've hit your weekly limit · resets {resets:%b} {resets.day}, {resets:%I:%M%p} ({zone})"
    reading = read(text, int(at.timestamp()) * SECOND, UTC)
    assert reading is not None
    ambiguous = resets.replace(fold=0).utcoffset() != resets.replace(fold=1).utcoffset()
    assert ambiguous or int(resets.timestamp()) * SECOND == reading.resets_at


@given(st.text(), st.integers(-(10**14), 10**15))
def test_any_words_at_any_time_are_read_without_an_exception(words: str, at: int) -> None:
    """Also behind the words that announce a reset."""
    for text in (
        words,
        f"5-hour limit reached · resets {words}",
        f"Weekly limit reached · resets 3pm ({words})",
    ):
        reading = read(text, at, UTC)
        assert reading is None or at < reading.resets_at <= at + 7 * DAY + RESET_SLACK
