"""What Claude Code keeps of the provider's last answer: one key of a file, and only while it holds."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotad.domain.instant import CLOCK_SLACK, DAY, HOUR, MINUTE, Instant
from quotad.domain.reading import Reading, ReadingSource
from quotad.sources.usage_cache import BYTES_MAX, Cached, UsageCaches, decode
from tests.domain.build import T0

SAMPLE = (Path(__file__).parents[1] / "samples" / "claude_json_excerpt.json").read_bytes()
FETCHED: Instant = 1_793_612_400_000
ANA_UUID = "00000000-0000-4000-8000-000000000001"


def answer(utilization: object, *, fetched: object = T0, account: str = ANA_UUID) -> bytes:
    """A file with such a response."""
    cached = {"fetchedAtMs": fetched, "accountUuid": account, "utilization": utilization}
    return json.dumps({"cachedUsageUtilization": cached, "oauthAccount": {"emailAddress": "x"}}).encode()


def five_hour(percent: object, resets: object = "2026-11-02T13:00:00.123456+00:00") -> object:
    """A response about five hours."""
    return {"five_hour": {"utilization": percent, "resets_at": resets}}


def found(utilization: object, now: Instant = T0) -> Cached:
    """What such a response says."""
    cached = decode(answer(utilization), now)
    assert cached is not None
    return cached


def test_the_response_is_read_with_its_age() -> None:
    """Percentages 0-100 and ISO times to the microsecond; it was received when it was fetched."""
    cached = decode(SAMPLE, FETCHED + HOUR)
    assert cached is not None
    assert (FETCHED, ANA_UUID, ()) == (cached.fetched_at, cached.account, cached.refused)
    assert [
        Reading("five_hour", 61.0, 1_793_624_400_123, FETCHED, ReadingSource.CACHED_USAGE),
        Reading("seven_day", 23.0, 1_794_182_400_000, FETCHED, ReadingSource.CACHED_USAGE),
        Reading("seven_day_fable", 88.0, 1_794_182_400_000, FETCHED, ReadingSource.CACHED_USAGE),
    ] == list(cached.readings)


def test_decolua_9router_3847_a_models_own_week_stands_in_a_list() -> None:
    """Only there: its window is named after the model's family."""
    limits = [
        {"kind": "weekly_scoped", "percent": 88, "resets_at": "2026-11-09T00:00:00+00:00", "scope": scope}
        for scope in ({"model": {"display_name": "Claude Opus 5"}}, {"model": None}, {"surface": "x"}, None)
    ]
    assert [("seven_day_opus", 88.0)] == [
        (one.window, one.percent)
        for one in found({"limits": [*limits, {"kind": "new"}, {"kind": 7}, 3]}).readings
    ]


def test_a_response_of_eight_days_ago_speaks_of_no_window_that_runs() -> None:
    """Gaps of days were seen: what is over is refused, what still runs counts as old as it is."""
    utilization = json.loads(SAMPLE)["cachedUsageUtilization"]["utilization"]
    cached = decode(answer(utilization, fetched=FETCHED), FETCHED + 8 * DAY)
    assert cached is not None
    assert () == cached.readings
    assert "five_hour: reset: lies in the past" in cached.refused
    later = decode(answer(utilization, fetched=FETCHED), FETCHED + 40 * HOUR)
    assert later is not None
    assert [("seven_day", FETCHED), ("seven_day_fable", FETCHED)] == [
        (one.window, one.received_at) for one in later.readings
    ]


def test_ericandrechek_pacer_89_the_anchor_turns_null() -> None:
    """A window that is not running has no reset: there is nothing to read and nothing wrong."""
    assert ((), ()) == found({"five_hour": {"utilization": 0, "resets_at": None}, "seven_day": None})[2:]


def test_the_last_of_two_equal_keys_holds() -> None:
    """Both have been seen in one file."""
    one, other = answer(five_hour(5)), answer(five_hour(7))
    cached = decode(one[:-1] + b"," + other[1:], T0)
    assert cached is not None
    assert [7.0] == [reading.percent for reading in cached.readings]


@pytest.mark.parametrize(
    ("utilization", "reason"),
    [
        (five_hour("61"), "five_hour: the percentage must be a number"),
        (five_hour(percent=True), "five_hour: the percentage must be a number"),
        (five_hour(61, 1_793_624_400), "five_hour: the reset must be an ISO time"),
        (five_hour(61, "soon"), "five_hour: the reset must be an ISO time with an offset"),
        (five_hour(61, "2026-11-02T13:00:00"), "five_hour: the reset must be an ISO time with an offset"),
        (five_hour(1_793_624_400), "five_hour: percentage: must lie between 0 and 110, is 1793624400"),
    ],
)
def test_what_is_no_reading_is_named(utilization: object, reason: str) -> None:
    """Epoch seconds belong to the status line, and an epoch is no percentage."""
    assert ((), (reason,)) == found(utilization)[2:]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"[]",
        b'{"cachedUsageUtilization": null}',
        b'{"cachedUsageUtilization": {"utilization": {}}}',
        b'{"a": ' + b"[" * 100_000,
        answer({}, fetched="now"),
        answer({}, fetched=True),
        answer({}, fetched=T0 + CLOCK_SLACK + 1),
        answer({}, fetched=-1),
    ],
)
def test_a_file_without_such_a_response_says_nothing(text: bytes) -> None:
    """It is cleared at logout; and nothing was fetched in the future."""
    assert decode(text, T0) is None


@pytest.mark.parametrize("utilization", [None, [], {"limits": {}}, {"limits": [None]}, {"five_hour": 61}])
def test_a_response_of_another_shape_says_nothing(utilization: object) -> None:
    """Formats change: what is not understood is passed over."""
    assert ((), ()) == found(utilization)[2:]


@given(st.binary(max_size=50))
def test_decoding_never_raises(noise: bytes) -> None:
    """Whatever stands in the place of the response."""
    decode(b'{"cachedUsageUtilization": {"fetchedAtMs": 1, "utilization": ' + noise + b"}}", T0)


def test_a_file_is_read_when_it_has_changed(tmp_path: Path) -> None:
    """And not again; one that vanishes says nothing any more."""
    file = tmp_path / ".claude.json"
    caches = UsageCaches([file, tmp_path / "missing.json"])
    assert () == caches.look(T0)
    file.write_bytes(answer(five_hour(5)))
    assert [5.0] == [one.percent for one in caches.look(T0)]
    assert () == caches.look(T0)
    file.write_bytes(answer(five_hour(17)))
    assert [17.0] == [one.percent for one in caches.look(T0)]
    file.unlink()
    assert () == caches.look(T0)
    assert () == caches.look(T0)


def test_leeguooooo_claude_code_usage_bar_54_two_accounts_in_two_files_are_not_mixed(tmp_path: Path) -> None:
    """The response fetched last holds, whole; the other file's may be of another account."""
    mine, other = tmp_path / "mine.json", tmp_path / "other.json"
    week = {"seven_day": {"utilization": 90, "resets_at": "2026-11-06T00:00:00+00:00"}}
    other.write_bytes(answer(week, fetched=T0 - MINUTE, account="ben"))
    mine.write_bytes(answer(five_hour(5)))
    caches = UsageCaches([other, mine])
    assert [("five_hour", 5.0)] == [(one.window, one.percent) for one in caches.look(T0)]


def test_what_made_no_sense_is_told_until_it_does(tmp_path: Path) -> None:
    """Of the newest response; a window that is only over is no fault."""
    file = tmp_path / ".claude.json"
    caches = UsageCaches([file])
    told = []
    over = five_hour(5, "2026-11-01T00:00:00+00:00")
    for utilization in (five_hour("5"), over, five_hour("7"), five_hour(5)):
        file.write_bytes(answer(utilization))
        caches.look(T0)
        told.append(caches.refused)
    reason = ("five_hour: the percentage must be a number",)
    assert [reason, (), reason, ()] == told


def test_a_file_that_cannot_be_read_or_is_too_large_says_nothing(tmp_path: Path) -> None:
    """A directory of that name, and more bytes than any such file has."""
    directory, large = tmp_path / "a.json", tmp_path / "b.json"
    directory.mkdir()
    large.write_bytes(answer(five_hour(5)))
    assert [5.0] == [one.percent for one in UsageCaches([large]).look(T0)]
    os.truncate(large, BYTES_MAX + 1)
    assert () == UsageCaches([directory, large]).look(T0)
