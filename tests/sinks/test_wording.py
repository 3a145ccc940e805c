"""What people read, word for word."""

from __future__ import annotations

import json
from datetime import UTC, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotad import wire
from quotad.domain.instant import DAY, HOUR, MINUTE, SECOND
from quotad.domain.level import ADVICE
from quotad.domain.notice import Basis, Notice
from quotad.domain.queue import ScheduleReason
from quotad.sinks.wording import (
    BODY_CHARS_MAX,
    LATE,
    TITLE_CHARS_MAX,
    Urgency,
    payload,
    window_words,
    words_of,
)
from tests.sinks.notices import NOW, due, moved, problem, reset, session_end, threshold

# Each a title, a body and an urgency, as they read at 10:00 in UTC.
TEXTS: dict[str, tuple[Notice, str, str, Urgency]] = {
    "a planned session that is due": (
        due("Guide"),
        "Time for docs (Guide)",
        "It is planned with 30k tokens and 1.5 h, and 48k are left. `quotactl start docs` starts it.",
        Urgency.NORMAL,
    ),
    "a planned session that is due, with no limit known": (
        due(available=None),
        "Time for docs",
        "It is planned with 30k tokens and 1.5 h. `quotactl start docs` starts it.",
        Urgency.NORMAL,
    ),
    "a planned session that was moved": (
        moved("Guide"),
        "Moved: docs (Guide)",
        (
            "Its time came at 10:00, but the quota is used up (30k tokens are planned). "
            "It is booked at 15:01 now."
        ),
        Urgency.NORMAL,
    ),
    "a planned session that was moved with others": (
        moved(others=2, reason=ScheduleReason.DEPENDENCY),
        "Moved: docs",
        (
            "Its time came at 10:00, but what it comes after is not done (30k tokens are planned). "
            "It is booked at 15:01 now. 2 more had to be moved, too."
        ),
        Urgency.NORMAL,
    ),
    "plenty, of a threshold that was set low": (
        threshold(20.0, threshold=20.0, remaining=160_000),
        "5-hour quota: 20 % used",
        "Any task fits. 160k of 200k tokens left (measured). Resets at 13:00.",
        Urgency.LOW,
    ),
    "moderate": (
        threshold(50.0, threshold=50.0, remaining=100_000),
        "5-hour quota: 50 % used",
        "Take medium tasks, 30-60k tokens. 100k of 200k tokens left (measured). Resets at 13:00.",
        Urgency.NORMAL,
    ),
    "warning, reported by the provider, running out early": (
        threshold(76.0, basis=Basis.REPORTED, runs_out_at=NOW + 100 * MINUTE),
        "5-hour quota: 76 % used",
        (
            "Take small tasks, under 30k tokens. 48k of 200k tokens left (reported). "
            "At this pace it runs out at 11:40, before the reset at 13:00."
        ),
        Urgency.NORMAL,
    ),
    "danger, estimated": (
        threshold(91.0, threshold=90.0, basis=Basis.ESTIMATED, remaining=18_000),
        "5-hour quota: 91 % used",
        "Wrap up what is open; start nothing new. 18k of 200k tokens left (estimated). Resets at 13:00.",
        Urgency.NORMAL,
    ),
    "critical": (
        threshold(97.3, threshold=95.0, remaining=5_400),
        "5-hour quota: 97 % used",
        "Save your work now; the limit is close. 5.4k of 200k tokens left (measured). Resets at 13:00.",
        Urgency.CRITICAL,
    ),
    "beyond the limit, and run out already": (
        threshold(103.0, threshold=95.0, remaining=0, runs_out_at=NOW),
        "5-hour quota: 103 % used",
        "The quota is used up; wait for the reset. 0 of 200k tokens left (measured). Resets at 13:00.",
        Urgency.CRITICAL,
    ),
    "a window that is known by readings alone, resetting tomorrow": (
        threshold(
            75.0,
            window="seven_day",
            limit=None,
            remaining=None,
            basis=Basis.REPORTED,
            resets_at=NOW + 20 * HOUR,
        ),
        "Weekly quota: 75 % used",
        "Take small tasks, under 30k tokens. 25 % left (reported). Resets tomorrow at 06:00.",
        Urgency.NORMAL,
    ),
    "a window of one model, running out and resetting on other days": (
        threshold(
            91.0,
            window="seven_day_opus",
            limit=12_500_000,
            remaining=1_250_000,
            basis=Basis.ESTIMATED,
            resets_at=NOW + 4 * DAY,
            runs_out_at=NOW + 2 * DAY,
        ),
        "Weekly Opus quota: 91 % used",
        (
            "Wrap up what is open; start nothing new. 1.2M of 12M tokens left (estimated). "
            "At this pace it runs out on Tue 24 Nov at 10:00, before the reset on Thu 26 Nov at 10:00."
        ),
        Urgency.NORMAL,
    ),
    "a session with an hour left": (
        session_end(60),
        "Session in shop_api ends in 60 min",
        "Its five hours end at 11:00. Choose what still has to be done in it.",
        Urgency.NORMAL,
    ),
    "a session with half an hour left": (
        session_end(30),
        "Session in shop_api ends in 30 min",
        "Its five hours end at 10:30. Finish what is open; start nothing new.",
        Urgency.NORMAL,
    ),
    "a session with five minutes left, of no known directory": (
        session_end(5, cwd=""),
        "Session ends in 5 min",
        "Its five hours end at 10:05. Save your work now.",
        Urgency.NORMAL,
    ),
    "a reset": (
        reset(),
        "5-hour quota is back",
        "The window is over and all of it is yours again. Any task fits.",
        Urgency.LOW,
    ),
    "a problem": (
        problem(),
        "quotad: settings invalid",
        "config.toml: plan: 'max'",
        Urgency.NORMAL,
    ),
}


@pytest.mark.parametrize(("notice", "title", "body", "urgency"), TEXTS.values(), ids=TEXTS.keys())
def test_a_notice_reads(notice: Notice, title: str, body: str, urgency: Urgency) -> None:
    """Each kind of notice says what happened, what is left, until when, and what to do."""
    words = words_of(notice, UTC, NOW)
    assert (title, body, urgency) == (words.title, words.body, words.urgency)


@pytest.mark.parametrize("percent", [50.0, 75.0, 90.0, 95.0])
def test_each_level_brings_its_advice(percent: float) -> None:
    """The advice of the level that was reached stands at the beginning."""
    notice = threshold(percent)
    assert words_of(notice, UTC, NOW).body.startswith(ADVICE[notice.level])


def test_a_percentage_is_not_rounded_up() -> None:
    """99.9 % is not yet 100 %, but 57 % that floating point fell short of is 57 %."""
    titles = [words_of(threshold(percent), UTC, NOW).title for percent in (99.9, 0.57 * 100)]
    assert ["5-hour quota: 99 % used", "5-hour quota: 57 % used"] == titles


@pytest.mark.parametrize(
    ("remaining", "said"),
    [
        (0, "0"),
        (999, "999"),
        (1_000, "1k"),
        (9_999, "9.9k"),
        (10_000, "10k"),
        (999_999, "999k"),
        (1_000_000, "1M"),
        (9_990_000, "9.9M"),
        (10_000_000, "10M"),
    ],
)
def test_tokens_are_rounded_down(remaining: int, said: str) -> None:
    """What is left never looks like more than it is."""
    body = words_of(threshold(remaining=remaining), UTC, NOW).body
    assert f"tokens. {said} of 200k tokens left" in body


def test_times_are_local_and_a_day_is_named_unless_it_is_today() -> None:
    """The reset at 13:00 UTC is at 22:00 in Tokyo, and at 00:30 tomorrow eleven and a half hours east."""
    tokyo = words_of(threshold(), ZoneInfo("Asia/Tokyo"), NOW).body
    east = words_of(threshold(), timezone(timedelta(hours=11, minutes=30)), NOW).body
    assert "Resets at 22:00." in tokyo
    assert "Resets tomorrow at 00:30." in east


def test_local_time_is_that_of_the_instant_shown() -> None:
    """A weekly reset after the clocks went back is told in the time that will hold then."""
    friday = wire.instant("2026-10-23T12:00:00.000Z")
    notice = threshold(window="seven_day", at=friday, resets_at=friday + 5 * DAY)
    assert "Resets on Wed 28 Oct at 13:00." in words_of(notice, ZoneInfo("Europe/Berlin"), friday).body


def test_times_are_rounded_to_the_minute() -> None:
    """The provider's resets jitter around the full hour, and read as the full hour."""
    early, late = (
        words_of(threshold(resets_at=NOW + HOUR + jitter), UTC, NOW).body for jitter in (-SECOND, SECOND)
    )
    assert early == late
    assert "Resets at 11:00." in early


def test_a_pace_that_is_slow_enough_is_not_mentioned() -> None:
    """What runs out only after the reset does not run out."""
    body = words_of(threshold(runs_out_at=NOW + 3 * HOUR), UTC, NOW).body
    assert "Resets at 13:00." in body


def test_a_late_notice_says_since_when_and_what_is_so_now() -> None:
    """After the desktop was away for a while, minutes left are counted from now."""
    quota = words_of(threshold(), UTC, NOW + LATE + 1).body
    session = words_of(session_end(30), UTC, NOW + 20 * MINUTE)
    assert quota.endswith("Resets at 13:00. That was at 10:00.")
    assert session.title == "Session in shop_api ends in 10 min"


def test_a_notice_in_time_does_not_say_since_when() -> None:
    """Five minutes are in time."""
    assert "That was" not in words_of(threshold(), UTC, NOW + LATE).body


def test_yesterday_is_a_word() -> None:
    """A notice from before midnight that is shown after it says so."""
    midnight = NOW + 14 * HOUR
    notice = threshold(at=midnight - HOUR, resets_at=midnight + HOUR)
    body = words_of(notice, UTC, midnight + MINUTE).body
    assert body.endswith("Resets at 01:00. That was yesterday at 23:00.")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("seven_day_opus", "weekly Opus quota"),
        ("w" * 50, f"{'w' * 39}… quota"),
    ],
)
def test_windows_have_names_that_people_use(name: str, said: str) -> None:
    """And that leave room for what is said about them."""
    assert said == window_words(name)


def test_control_characters_are_taken_out() -> None:
    """A NUL would lose the notice on D-Bus, a line feed or an escape could forge a line of a log."""
    words = words_of(problem("a\0b", "one\ntwo\x1b[31m\x85\u2028\ud800three"), UTC, NOW)
    assert ("quotad: a b", "one two [31m three") == (words.title, words.body)


def test_long_names_leave_room_for_the_number() -> None:
    """A window or directory of any name is cut before what was to be said about it."""
    quota = words_of(threshold(window="w" * 300), UTC, NOW).title
    session = words_of(session_end(30, cwd="/" + "d" * 300), UTC, NOW).title
    assert quota.endswith("… quota: 76 % used")
    assert session.endswith("… ends in 30 min")
    assert max(len(quota), len(session)) <= TITLE_CHARS_MAX


def test_limits_hold_at_their_edge() -> None:
    """A body of exactly the greatest length is whole; one more character costs two and brings an ellipsis."""
    whole = words_of(problem(message="x" * BODY_CHARS_MAX), UTC, NOW).body
    cut = words_of(problem(message="x" * (BODY_CHARS_MAX + 1)), UTC, NOW).body
    assert ("x" * BODY_CHARS_MAX, "x" * (BODY_CHARS_MAX - 1) + "…") == (whole, cut)


@given(code=st.text(), message=st.text(), window=st.text(), cwd=st.text())
def test_any_text_becomes_one_short_line(code: str, message: str, window: str, cwd: str) -> None:
    """Whatever names and messages hold, titles and bodies are single lines within their limits, in UTF-8."""
    notices: list[Notice] = [
        problem(code, message),
        threshold(window=window),
        session_end(30, cwd=cwd),
        reset(window),
    ]
    for notice in notices:
        words = words_of(notice, UTC, NOW)
        assert len(words.title) <= TITLE_CHARS_MAX
        assert len(words.body) <= BODY_CHARS_MAX
        for text in (words.title, words.body):
            assert [text] == (text.splitlines() or [""])
            assert text.isprintable() or not any(char < " " or char == "\x7f" for char in text)
            assert text == text.encode().decode()


def test_the_machines_own_zone_needs_no_name() -> None:
    """Without a zone the machine's own is used."""
    assert "Resets " in words_of(threshold(), None, NOW).body


@pytest.mark.parametrize(
    ("notice", "facts"),
    [
        (threshold(), ("threshold", "five_hour", 75, "warning")),
        (threshold(12.5, threshold=12.5), ("threshold", "five_hour", 12.5, "plenty")),
        (session_end(), ("session", None, None, None)),
        (reset("seven_day"), ("reset", "seven_day", None, None)),
        (problem(), ("problem", None, None, None)),
    ],
)
def test_a_program_gets_the_facts_of_the_contract(notice: Notice, facts: tuple[object, ...]) -> None:
    """The command's JSON has the contract's keys, null where a notice has no such thing."""
    words = words_of(notice, UTC, NOW)
    said = json.loads(wire.encode(payload(notice, words)))
    assert ["kind", "window", "threshold", "level", "title", "body", "at"] == list(said)
    assert facts == (said["kind"], said["window"], said["threshold"], said["level"])
    assert (words.title, words.body, "2026-11-22T10:00:00.000Z") == (said["title"], said["body"], said["at"])


def test_whole_thresholds_are_whole_numbers_for_programs() -> None:
    """75, as the settings have it, not 75.0."""
    notice = threshold()
    assert b'"threshold":75,' in wire.encode(payload(notice, words_of(notice, UTC, NOW)))
