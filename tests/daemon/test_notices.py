"""What a real daemon tells people: each thing once, over restarts, whatever the clock and the bus do."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from quotad import wire
from tests.daemon.clocks import FastClock, SetClock
from tests.daemon.notices import Desktop, all_said, configure, desktop, heard, thresholds
from tests.daemon.process import Place, wait_until
from tests.daemon.truth import now_ms
from tests.daemon.work import SESSION, log, spend

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

OFTEN = {"WATCHDOG_USEC": "200000"}
"""Quiet hours are looked at every tenth of a second, not every 30."""

ENDS = (signal.SIGTERM, signal.SIGKILL, signal.SIGTERM, signal.SIGKILL)


@pytest.fixture
def screen() -> Iterator[Desktop]:
    """A desktop that shows notices; whoever wants it is marked ``requires("dbus-daemon", "dbus")``."""
    with desktop() as made:
        made.open()
        yield made


# Thresholds.


@pytest.mark.requires("dbus-daemon", "dbus")
def test_each_threshold_is_told_once_over_restarts(place: Place, screen: Desktop) -> None:
    """On the desktop and through the command, whether SIGTERM or SIGKILL ends the daemon in between."""
    configure(place, desktop=True)
    steps = zip((104_000, 46_000, 32_000, 9_000), (50, 75, 90, 95), ENDS, strict=True)
    for number, (tokens, threshold, end) in enumerate(steps, 1):
        with place.running(extra=screen.environment) as quotad:
            spend(place, tokens)
            wait_until(lambda: len(screen.shown) == len(heard(place)) == number)  # noqa: B023 - waits here
            assert threshold == heard(place)[-1]["threshold"]
            quotad.stop(end)
    with place.running(extra=screen.environment) as quotad:
        spend(place, 1)
        all_said(quotad)
    assert [50, 75, 90, 95] == thresholds(place)
    used = ("52 %", "75 %", "91 %", "95 %")
    assert [f"5-hour quota: {percent} used" for percent in used] == [shown.title for shown in screen.shown]
    assert [(one.title, one.body) for one in screen.shown] == [
        (one["title"], one["body"]) for one in heard(place)
    ]


def test_the_command_gets_the_line_of_the_contract(place: Place) -> None:
    """One line of JSON on its stdin, of exactly these fields; null where there is nothing to say."""
    configure(place)
    with place.running() as quotad:
        before = wire.iso(now_ms())
        spend(place, 152_000)
        wait_until(lambda: heard(place))
        resets_at = quotad.window()["resets_at"]
    (notice,) = heard(place)
    assert before <= notice["at"] <= wire.iso(now_ms())
    assert "48k of 200k tokens left (measured)" in notice["body"]
    assert f"{local_time(resets_at)}." in notice["body"]
    assert {
        "kind": "threshold",
        "window": "five_hour",
        "threshold": 75,
        "level": "warning",
        "title": "5-hour quota: 76 % used",
        "body": notice["body"],
        "at": notice["at"],
    } == notice


def local_time(instant: str | None) -> str:
    """Hours and minutes as a person here says them, to the nearest minute."""
    assert instant is not None
    return f"{datetime.fromtimestamp(wire.instant(instant) / 1000 + 30).astimezone():%H:%M}"


def test_a_jump_over_several_thresholds_is_one_notice(place: Place) -> None:
    """The highest is told, the lower ones never are, after a restart neither."""
    configure(place)
    spend(place, 80_000)
    with place.running() as quotad:
        spend(place, 112_000)
        wait_until(lambda: heard(place))
        all_said(quotad)
        quotad.stop()
    with place.running() as quotad:
        all_said(quotad)
    assert [95] == thresholds(place)


def test_history_that_is_read_in_is_no_news(place: Place) -> None:
    """Of fifty full windows of the past and one that runs, one thing is told: the highest that stands now."""
    configure(place)
    now = now_ms()
    for day in range(1, 51):
        for number in range(20):
            spend(place, 11_000, at_ms=now - day * DAY + number * MINUTE, session=f"{SESSION}-{day}")
    for number in range(1_600):
        spend(place, 100, at_ms=now - HOUR + number * SECOND)
    with place.running() as quotad:
        wait_until(lambda: heard(place))
        all_said(quotad)
        assert 51 == len(quotad.history("window"))
    assert [75] == thresholds(place)


def test_reading_once_tells_nobody_and_takes_nothing_away(place: Place) -> None:
    """What ``quotad --once`` finds is told by the next daemon."""
    configure(place)
    spend(place, 120_000)
    assert 1 == place.once().messages
    assert [] == heard(place)
    with place.running():
        wait_until(lambda: heard(place))
    assert [50] == thresholds(place)


@pytest.mark.parametrize("moment", range(3))
def test_a_notice_is_not_lost_to_an_end_at_the_wrong_moment(place: Place, moment: int) -> None:
    """SIGTERM comes right after the tokens: this daemon or the next one tells it, and only one of them."""
    configure(place)
    with place.running() as quotad:
        spend(place, 120_000)
        for _ in range(moment):
            assert 120_000 == quotad.window()["spent"]
        assert quotad.stop() == 0
    with place.running() as quotad:
        all_said(quotad)
    assert [50] == thresholds(place)


# Sessions and resets.


def test_a_sessions_end_is_told_at_60_30_and_5_minutes(place: Place) -> None:
    """On a fast clock that nobody touches, for a session that the log alone tells of."""
    configure(place)
    clock = FastClock(1200)
    with place.running(*clock.arguments) as quotad:
        ends = clock.now() + 85 * MINUTE
        log(place, "session_start", at_ms=ends - 5 * HOUR, cwd="/home/ana/src/shop_api")
        assert 1 == len(quotad.status()["sessions"])
        for left in range(82, -2, -4):
            wait_until(lambda: clock.now() >= ends - left * MINUTE)  # noqa: B023 - waits here
            log(place, "tool_use", at_ms=clock.now(), tool="Bash")
        all_said(quotad)
    told = heard(place)
    assert [("session", None, None, None)] * 3 == [
        (one["kind"], one["window"], one["threshold"], one["level"]) for one in told
    ]
    lefts = [(ends - wire.instant(one["at"])) / MINUTE for one in told]
    assert [60, 30, 5] == [
        mark for mark, left in zip((60, 30, 5), lefts, strict=True) if 0 <= mark - left < min(mark, 10)
    ], lefts
    assert all(one["title"].startswith("Session in shop_api ends in ") for one in told)


@pytest.mark.requires("faketime", "faketime")
def test_on_the_machines_own_clock_too_a_session_is_warned_three_times(place: Place) -> None:
    """The clock is moved to each mark; over restarts, and between the marks, nothing is told."""
    configure(place)
    clock = SetClock(place)
    start = clock.now()
    log(place, "session_start", at_ms=start, cwd="/home/ana/src/shop_api")
    told = [0, 1, 1, 2, 2, 3, 3]
    lefts = (61, 59, 31, 29, 6, 4, 1)
    for part in (lefts[:3], lefts[3:]):
        with place.running(extra=clock.environment) as quotad:
            for left in part:
                clock.set(start + 5 * HOUR - left * MINUTE)
                log(place, "tool_use", at_ms=clock.now(), tool="Bash")
                all_said(quotad)
                assert told.pop(0) == len(heard(place))
            quotad.kill()
    minutes = [notice["title"].removeprefix("Session in shop_api ends in ") for notice in heard(place)]
    assert ["59 min", "29 min", "4 min"] == minutes


def test_a_session_that_nobody_works_in_is_not_warned(place: Place) -> None:
    """Only those that were active within the last half hour are."""
    configure(place)
    clock = FastClock(1200)
    with place.running(*clock.arguments) as quotad:
        ends = clock.now() + 65 * MINUTE
        log(place, "session_start", at_ms=ends - 5 * HOUR)
        log(place, "tool_use", at_ms=ends - 95 * MINUTE)
        wait_until(lambda: clock.now() >= ends - 50 * MINUTE)
        assert ["active"] == [session["state"] for session in quotad.status()["sessions"]]
        all_said(quotad)
    assert [] == heard(place)


def test_a_reset_is_told_if_that_is_wanted(place: Place) -> None:
    """Once, also over a restart."""
    configure(place, notify="on_reset = true")
    clock = FastClock(1200)
    with place.running(*clock.arguments) as quotad:
        resets = clock.now() + 10 * MINUTE
        spend(place, 10, at_ms=resets - 5 * HOUR)
        wait_until(lambda: quotad.window()["state"] == "open")
        wait_until(lambda: clock.now() > resets)
        wait_until(lambda: heard(place))
        all_said(quotad)
        assert "idle" == quotad.window()["state"]
        quotad.stop()
    with place.running(*clock.arguments) as quotad:
        all_said(quotad)
    assert ["reset"] == [notice["kind"] for notice in heard(place)]


# Quiet hours.


def test_in_quiet_hours_nothing_is_sent_and_later_it_is(place: Place) -> None:
    """What is still true when they end is told then, once."""
    configure(place, notify='quiet = ["00:00-12:00", "12:00-24:00"]')
    spend(place, 120_000)
    with place.running() as quotad:
        spend(place, 40_000)
        all_said(quotad)
        assert 160_000 == quotad.window()["spent"]
        assert [] == heard(place)
        configure(place)
        quotad.request("reload")
        wait_until(lambda: heard(place))
        all_said(quotad)
    assert [75] == thresholds(place)


def test_a_file_that_makes_it_quiet_is_heard_before_its_thresholds(place: Place) -> None:
    """Lower thresholds and quiet hours that come in one file announce nothing in between."""
    configure(place)
    spend(place, 60_000)
    with place.running() as quotad:
        configure(place, "thresholds = [10, 20]", notify='quiet = ["00:00-24:00"]')
        quotad.request("reload")
        all_said(quotad)
        assert 20 < (quotad.window()["percent"] or 0)
    assert [] == heard(place)


@pytest.mark.requires("faketime", "faketime")
def test_quiet_hours_end_by_the_clock(place: Place) -> None:
    """At eight what still holds is told; a window that was over before then is not spoken of."""
    configure(place, notify='quiet = ["22:00-08:00"]')
    clock = SetClock(place)
    eight = morning(clock.now())
    clock.set(eight - 30 * MINUTE)
    other = '[[windows]]\nname = "hour"\nhours = 0.25\nlimit = 100_000\n'
    configure(place, other, notify='quiet = ["22:00-08:00"]')
    with place.running(extra=clock.environment | OFTEN | {"TZ": "UTC"}) as quotad:
        spend(place, 120_000, at_ms=clock.now())
        assert "critical" == quotad.window("hour")["level"]
        all_said(quotad)
        assert [] == heard(place)
        clock.set(eight + SECOND)
        wait_until(lambda: heard(place))
        all_said(quotad)
    (notice,) = heard(place)
    assert ("five_hour", 50) == (notice["window"], notice["threshold"])
    assert eight <= wire.instant(notice["at"])


def morning(at_ms: int) -> int:
    """Eight o'clock of that day, in UTC."""
    day = datetime.fromtimestamp(at_ms / 1000, UTC).replace(hour=8, minute=0, second=0, microsecond=0)
    return round(day.timestamp() * 1000)


# What goes wrong.


@pytest.mark.requires("dbus-daemon", "dbus")
def test_without_a_bus_nothing_is_lost_and_nobody_is_troubled(place: Place) -> None:
    """It is a problem in ``status``, never a notice; once the desktop is back it gets what is still true."""
    place.config.write_text("")
    clock = FastClock(60)
    with desktop() as screen:
        screen.bus.stop()
        with place.running(*clock.arguments, extra=screen.environment) as quotad:
            wait_until(lambda: "notifier-unavailable" in quotad.problems())
            assert "log" == quotad.status()["daemon"]["notifier"]["backend"]
            spend(place, 120_000, at_ms=clock.now())
            wait_until(lambda: "notice (threshold" in quotad.stderr)
            screen.bus.start()
            screen.open()
            wait_until(lambda: screen.shown)
            all_said(quotad)
            assert {} == quotad.problems()
            assert "desktop" == quotad.status()["daemon"]["notifier"]["backend"]
            assert "notifier" not in quotad.stderr
            quotad.kill()
        with place.running(*clock.arguments, extra=screen.environment) as quotad:
            all_said(quotad)
        assert ["5-hour quota: 60 % used"] == [shown.title for shown in screen.shown]


def test_a_notice_that_waits_goes_through_a_channel_that_is_set_up_meanwhile(place: Place) -> None:
    """Whoever mends ``[notify] command`` and reloads gets what nobody had got, and no problem is left."""
    place.config.write_text('[notify]\ndesktop = false\ncommand = ["/bin/false"]\n')
    with place.running() as quotad:
        spend(place, 120_000)
        wait_until(lambda: "notifier-unavailable" in quotad.problems())
        configure(place)
        quotad.request("reload")
        assert {} == quotad.problems()
        wait_until(lambda: heard(place))
        all_said(quotad)
    assert [50] == thresholds(place)


def test_a_command_that_hangs_holds_nothing_up(place: Place) -> None:
    """While it hangs questions are answered at once, and the end comes in time and takes it along."""
    pid = place.root / "pid"
    hang = f'[notify]\ndesktop = false\ncommand = ["/bin/sh", "-c", "echo $$ > {pid}; exec sleep 600"]\n'
    place.config.write_text(hang)
    with place.running() as quotad:
        spend(place, 120_000)
        wait_until(lambda: pid.exists() and pid.read_text().endswith("\n"))
        assert 120_000 == quotad.window()["spent"]
        quotad.send(signal.SIGTERM)
        assert quotad.wait(5) == 0
    with pytest.raises(ProcessLookupError):
        signal.pidfd_send_signal(os.pidfd_open(int(pid.read_text())), 0)


def test_problems_are_told_when_they_arise_and_not_again(place: Place) -> None:
    """A settings file that is refused is news once, however often it is read."""
    configure(place)
    with place.running() as quotad:
        good = place.config.read_text()
        place.config.write_text("limit = 0\n" + good)
        for _ in range(3):
            quotad.sync()
        all_said(quotad)
        assert ["problem"] == [notice["kind"] for notice in heard(place)]
        (notice,) = heard(place)
        assert (None, None, None) == (notice["window"], notice["threshold"], notice["level"])
        assert str(place.config) in notice["body"]


@pytest.mark.requires("faketime", "faketime")
def test_a_clock_that_jumps_makes_no_storm(place: Place) -> None:
    """Six hours on, two hours back and home again: what was told stays told, and nothing else is due."""
    configure(place, notify="on_reset = true")
    clock = SetClock(place)
    start = clock.now()
    with place.running(extra=clock.environment | OFTEN) as quotad:
        log(place, "session_start", at_ms=start)
        spend(place, 120_000, at_ms=start)
        wait_until(lambda: heard(place))
        for at, spent in ((start + 6 * HOUR, 10), (start - 2 * HOUR, 10), (start + SECOND, 120_020)):
            clock.set(at)
            spend(place, 10, at_ms=clock.now())
            all_said(quotad)
            assert spent == quotad.window()["spent"]
        quotad.kill()
    with place.running(extra=clock.environment) as quotad:
        all_said(quotad)
    assert [50] == thresholds(place)
