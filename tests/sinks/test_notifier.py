"""Who is told what, once, and what happens when a channel does not work."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC
from pathlib import Path

import pytest
from msgspec.structs import replace

from quotad.domain.instant import HOUR, MINUTE, SECOND, Millis
from quotad.domain.notice import Notice
from quotad.domain.usage import SessionId
from quotad.sinks.channel import Delivery
from quotad.sinks.command import CommandChannel
from quotad.sinks.desktop import desktop_channel
from quotad.sinks.errand import NEWS_SPAN
from quotad.sinks.log import LogChannel
from quotad.sinks.notifier import (
    BACK_OFF,
    CARRIED_MAX,
    END_SECONDS_MAX,
    OFFERS_MAX,
    PROBE_DELAY,
    PROBE_INTERVAL,
    UNAVAILABLE,
    Channels,
    Notifier,
)
from quotad.sinks.wording import Payload, Words
from tests.sinks.bus import BusDaemon, NotificationServer
from tests.sinks.notices import NOW, problem, reset, session_end, threshold
from tests.sinks.waiting import StandingClock, settled, until

WORKS = Delivery(delivered=True, detail="works")
BROKEN = Delivery(delivered=False, detail="broken")
UNKNOWN = Delivery(delivered=False, detail="no answer", may_have_arrived=True)

needs_bus = pytest.mark.requires("dbus-daemon", "dbus")


class Recorder:
    """A channel that does as it is told and remembers what was asked of it."""

    def __init__(self, name: str, outcome: Delivery | Exception = WORKS) -> None:
        self.name = name
        self.outcome = outcome
        self.titles: list[str] = []
        self.payloads: list[Payload] = []
        self.probes = 0
        self.closed = False
        self.going = asyncio.Event()
        self.going.set()
        self.running = 0
        self.running_most = 0

    async def deliver(self, words: Words, payload: Payload) -> Delivery:
        self.running += 1
        self.running_most = max(self.running, self.running_most)
        try:
            self.titles.append(words.title)
            self.payloads.append(payload)
            await self.going.wait()
            return self._answer()
        finally:
            self.running -= 1

    async def probe(self) -> Delivery:
        self.probes += 1
        return self._answer()

    def close(self) -> None:
        self.closed = True

    def hang(self) -> None:
        """Answer nothing until ``going`` is set."""
        self.going.clear()

    def _answer(self) -> Delivery:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


class House:
    """A notifier with recorders for channels, a clock that stands, and what it says of troubles."""

    def __init__(self, screens: Iterable[Recorder], command: Recorder | None = None) -> None:
        self.clock = StandingClock(NOW)
        self.log = Recorder("log")
        self.troubles: list[str | None] = []
        self.codes: set[str] = set()
        self.notifier = Notifier(
            Channels(tuple(screens), command, self.log), self.clock, UTC, self._on_trouble
        )

    def _on_trouble(self, code: str, message: str | None) -> None:
        self.codes.add(code)
        self.troubles.append(message)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The notifier runs meanwhile."""
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.notifier.run())
            await settled()
            yield
            await settled()
            task.cancel()

    async def pass_time(self, length: Millis) -> None:
        """Time passes, and whoever waited for it has had its turn."""
        self.clock.advance(length)
        await until_naps_are_over()


async def until_naps_are_over() -> None:
    """Whoever naps on a ``StandingClock`` has looked at it, and done what it had to."""
    for _ in range(5):
        loop = asyncio.get_running_loop()
        looked = loop.create_future()
        loop.call_later(0.004, looked.set_result, None)
        await looked
        await settled()


@pytest.fixture
def desktop() -> Recorder:
    """The best screen."""
    return Recorder("desktop")


@pytest.fixture
def osascript() -> Recorder:
    """The screen that stands in for it."""
    return Recorder("osascript")


@pytest.fixture
def command() -> Recorder:
    """The user's program."""
    return Recorder("command")


TITLE = "5-hour quota: 76 % used"


async def test_the_desktop_and_the_command_get_each_notice_once(desktop: Recorder, command: Recorder) -> None:
    """The command is told in addition to the desktop; the log is not needed."""
    house = House([desktop], command)
    async with house.running():
        house.notifier.offer(threshold())
        house.notifier.offer(problem())
        await until(lambda: len(command.titles) == 2 and len(desktop.titles) == 2)
        await house.pass_time(HOUR)
    assert [TITLE, "quotad: settings invalid"] == desktop.titles == command.titles
    assert [] == house.log.titles


async def test_every_notice_is_sent_once_even_of_one_window(desktop: Recorder) -> None:
    """Two thresholds that are crossed at the same time are two notices, in order."""
    house = House([desktop])
    async with house.running():
        house.notifier.offer(threshold(50.0))
        house.notifier.offer(threshold(75.0))
        await until(lambda: len(desktop.titles) == 2)
    assert ["5-hour quota: 50 % used", "5-hour quota: 75 % used"] == desktop.titles


async def test_a_notice_may_be_offered_before_anything_runs(desktop: Recorder) -> None:
    """What is said while the daemon starts is not lost."""
    house = House([desktop])
    house.notifier.offer(threshold())
    async with house.running():
        await until(lambda: desktop.titles)
    assert [TITLE] == desktop.titles


async def test_screens_stand_in_for_one_another(desktop: Recorder, osascript: Recorder) -> None:
    """The second screen is used when the first fails, and the log is not."""
    desktop.outcome = BROKEN
    house = House([desktop, osascript])
    async with house.running():
        house.notifier.offer(threshold())
        await until(lambda: osascript.titles)
        await house.pass_time(HOUR)
    assert ([TITLE], [TITLE], []) == (desktop.titles, osascript.titles, house.log.titles)


async def test_the_log_is_the_last_resort(desktop: Recorder, osascript: Recorder, command: Recorder) -> None:
    """What no channel delivers is said to the log, once, however often it is tried again."""
    desktop.outcome = osascript.outcome = command.outcome = BROKEN
    house = House([desktop, osascript], command)
    async with house.running():
        house.notifier.offer(threshold())
        await until(lambda: house.log.titles)
        await house.pass_time(BACK_OFF[0])
        await until(lambda: len(command.titles) == 2)
    assert [TITLE] == house.log.titles


async def test_without_channels_the_log_says_it_and_that_is_all() -> None:
    """Whoever wants neither desktop nor command has the log; nothing is tried again."""
    house = House([])
    async with house.running():
        house.notifier.offer(threshold())
        await until(lambda: house.log.titles)
        await house.pass_time(2 * HOUR)
    assert [TITLE] == house.log.titles
    assert {"backend": "log", "detail": "no other channel is configured"} == house.notifier.state()
    assert [] == house.troubles


async def test_a_notice_that_the_command_delivered_is_delivered(desktop: Recorder, command: Recorder) -> None:
    """On a machine without a desktop the command is enough: no log, no further attempt."""
    desktop.outcome = BROKEN
    house = House([desktop], command)
    async with house.running():
        house.notifier.offer(threshold())
        await until(lambda: command.titles)
        await house.pass_time(HOUR)
    assert ([TITLE], [TITLE], []) == (desktop.titles, command.titles, house.log.titles)


async def test_attempts_are_further_and_further_apart(desktop: Recorder) -> None:
    """After 5 s, 30 s, 2 min and then every 5 min, as long as the notice is true."""
    desktop.outcome = BROKEN
    house = House([desktop])
    async with house.running():
        house.notifier.offer(threshold())
        await until(lambda: house.log.titles)
        attempts = [1]
        for length in (5 * SECOND, 30 * SECOND, 2 * MINUTE, 5 * MINUTE, 5 * MINUTE):
            await house.pass_time(length - 1)
            attempts.append(len(desktop.titles))
            await house.pass_time(1)
            attempts.append(len(desktop.titles))
    assert [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6] == attempts


async def test_a_desktop_that_comes_back_gets_the_notice_once(desktop: Recorder) -> None:
    """What was only in the log is shown after the login, and then never again."""
    desktop.outcome = BROKEN
    house = House([desktop])
    async with house.running():
        house.notifier.offer(threshold())
        await until(lambda: house.log.titles)
        desktop.outcome = WORKS
        await house.pass_time(BACK_OFF[0])
        await house.pass_time(HOUR)
    assert [TITLE, TITLE] == desktop.titles
    assert {"backend": "desktop", "detail": "works"} == house.notifier.state()


async def test_a_desktop_that_comes_back_gets_only_the_newest_of_a_window(desktop: Recorder) -> None:
    """Nobody wants to read of 50, 75 and 90 % when they log in, but of each window one."""
    desktop.outcome = BROKEN
    house = House([desktop])
    async with house.running():
        house.notifier.offer(threshold(50.0))
        house.notifier.offer(threshold(75.0))
        house.notifier.offer(threshold(50.0, window="seven_day"))
        house.notifier.offer(threshold(90.0))
        await until(lambda: len(house.log.titles) == 4)
        desktop.outcome = WORKS
        desktop.titles.clear()
        await house.pass_time(HOUR)
    assert ["Weekly quota: 50 % used", "5-hour quota: 90 % used"] == desktop.titles


async def test_a_newer_notice_that_arrives_ends_the_older_one(desktop: Recorder) -> None:
    """Once 90 % was shown, 75 % is not shown any more."""
    desktop.outcome = BROKEN
    house = House([desktop])
    async with house.running():
        house.notifier.offer(threshold(75.0))
        await until(lambda: house.log.titles)
        desktop.outcome = WORKS
        house.notifier.offer(threshold(90.0))
        await until(lambda: len(desktop.titles) == 2)
        await house.pass_time(HOUR)
    assert ["5-hour quota: 75 % used", "5-hour quota: 90 % used"] == desktop.titles


async def test_an_older_notice_under_way_is_not_tried_again(desktop: Recorder) -> None:
    """One that fails after a newer one was taken up is over, too."""
    desktop.outcome = BROKEN
    desktop.hang()
    house = House([desktop])
    async with house.running():
        house.notifier.offer(threshold(75.0))
        await until(lambda: desktop.titles)
        house.notifier.offer(threshold(90.0))
        await settled()
        desktop.going.set()
        await until(lambda: len(house.log.titles) == 2)
        desktop.titles.clear()
        await house.pass_time(BACK_OFF[0])
    assert ["5-hour quota: 90 % used"] == desktop.titles


@pytest.mark.parametrize(
    ("older", "newer", "replaced"),
    [
        (threshold(), reset(), True),
        (session_end(60), session_end(30), True),
        (problem("a"), problem("a", "another"), True),
        (problem("a"), problem("b"), False),
        (threshold(), threshold(window="seven_day"), False),
        (threshold(), threshold(account="/home/ana/.claude-work"), False),
        (threshold(), session_end(), False),
        (session_end(60), replace(session_end(30), session=SessionId("another")), False),
    ],
)
async def test_what_a_notice_replaces(
    desktop: Recorder, older: Notice, newer: Notice, *, replaced: bool
) -> None:
    """A newer notice takes the place of one about the same window, session or problem, and of no other."""
    desktop.outcome = BROKEN
    house = House([desktop])
    async with house.running():
        house.notifier.offer(older)
        house.notifier.offer(newer)
        await until(lambda: len(house.log.titles) == 2)
        desktop.titles.clear()
        await house.pass_time(BACK_OFF[0])
    assert (1 if replaced else 2) == len(desktop.titles)


@pytest.mark.parametrize(
    ("notice", "fresh_for"),
    [
        (threshold(resets_at=NOW + 3 * HOUR), 3 * HOUR),
        (session_end(30), 30 * MINUTE),
        (reset(), NEWS_SPAN),
        (problem(), NEWS_SPAN),
    ],
)
async def test_a_notice_is_tried_as_long_as_it_is_true(
    desktop: Recorder, caplog: pytest.LogCaptureFixture, notice: Notice, fresh_for: Millis
) -> None:
    """Until its window resets, its session ends, or for an hour; then it is dropped, and named in the log."""
    desktop.outcome = BROKEN
    house = House([desktop])
    async with house.running():
        house.notifier.offer(notice)
        await until(lambda: house.log.titles)
        await house.pass_time(fresh_for - 1)
        last_attempt = len(desktop.titles)
        assert 0 == house.notifier.dropped
        await house.pass_time(BACK_OFF[-1])
    assert 2 == last_attempt == len(desktop.titles)
    assert 1 == house.notifier.dropped
    assert any("no longer news" in line for line in caplog.messages)


async def test_a_late_notice_is_worded_anew(desktop: Recorder) -> None:
    """Minutes are counted from the attempt that succeeds, while programs get the instant of the fact."""
    desktop.outcome = BROKEN
    house = House([desktop])
    async with house.running():
        house.notifier.offer(session_end(30))
        await until(lambda: house.log.titles)
        desktop.outcome = WORKS
        await house.pass_time(10 * MINUTE)
    assert ["Session in shop_api ends in 30 min", "Session in shop_api ends in 20 min"] == desktop.titles
    assert {"2026-11-22T10:00:00.000Z"} == {said["at"] for said in desktop.payloads}


async def test_what_may_have_been_shown_is_not_shown_again(desktop: Recorder, osascript: Recorder) -> None:
    """A screen that hung with a notice may show it when it comes to itself; the log has it anyway."""
    desktop.outcome = UNKNOWN
    house = House([desktop, osascript])
    async with house.running():
        house.notifier.offer(threshold())
        await until(lambda: house.log.titles)
        desktop.outcome = WORKS
        await house.pass_time(HOUR)
    assert ([TITLE], [], [TITLE]) == (desktop.titles, osascript.titles, house.log.titles)


async def test_what_a_screen_may_have_shown_still_goes_to_the_command(
    desktop: Recorder, command: Recorder
) -> None:
    """Each channel is asked again only where the notice certainly is not."""
    desktop.outcome, command.outcome = UNKNOWN, BROKEN
    house = House([desktop], command)
    async with house.running():
        house.notifier.offer(threshold())
        await until(lambda: house.log.titles)
        command.outcome = WORKS
        await house.pass_time(HOUR)
    assert ([TITLE], [TITLE, TITLE]) == (desktop.titles, command.titles)


@pytest.mark.parametrize("fault", [EOFError("gone"), KeyError("hints"), RuntimeError("any")])
async def test_a_channel_may_raise_anything(desktop: Recorder, fault: Exception) -> None:
    """A fault of a channel is a delivery that failed, and the next notice is right."""
    desktop.outcome = fault
    house = House([desktop])
    async with house.running():
        house.notifier.offer(threshold())
        await until(lambda: house.log.titles)
        assert f"({desktop.name}: {type(fault).__name__}: {fault})" in house.notifier.state()["detail"]
        desktop.outcome = WORKS
        house.notifier.offer(problem())
        await until(lambda: len(desktop.titles) == 2)
    assert [TITLE] == house.log.titles


async def test_a_channel_that_hangs_delays_no_other(desktop: Recorder, command: Recorder) -> None:
    """One gets notice after notice while the other still ponders the first, and so the other way round."""
    house = House([desktop], command)
    async with house.running():
        for number, (hung, other) in enumerate([(desktop, command), (command, desktop)]):
            hung.hang()
            before = 3 * number
            for percent in (50.0, 75.0, 90.0):
                house.notifier.offer(threshold(percent))
            await until(lambda: len(other.titles) == before + 3)  # noqa: B023 - it is awaited right here
            assert before + 1 == len(hung.titles)
            hung.going.set()
            await until(lambda: len(hung.titles) == before + 3)  # noqa: B023 - it is awaited right here
    assert [f"5-hour quota: {percent} % used" for percent in (50, 75, 90)] * 2 == desktop.titles
    assert command.titles == desktop.titles
    assert (1, 1) == (desktop.running_most, command.running_most)


async def test_offers_beyond_the_limit_drop_the_oldest(
    desktop: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    """As many as the queue holds are kept; one more costs the oldest, which is counted and named."""
    house = House([desktop])
    for number in range(OFFERS_MAX):
        house.notifier.offer(problem(f"no {number}"))
    assert (0, []) == (house.notifier.dropped, caplog.messages)
    house.notifier.offer(problem("one more"))
    assert 1 == house.notifier.dropped
    assert ["notice dropped, since there are too many at once: quotad: no 0"] == caplog.messages
    async with house.running():
        await until(lambda: len(desktop.titles) == OFFERS_MAX)
    assert ("quotad: no 1", "quotad: one more") == (desktop.titles[0], desktop.titles[-1])


async def test_notices_that_wait_beyond_the_limit_drop_the_oldest(
    desktop: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    """So many wait for a desktop; one more costs the oldest, and all are tried again but that one."""
    desktop.outcome = BROKEN
    house = House([desktop])
    async with house.running():
        for number in range(CARRIED_MAX):
            house.notifier.offer(problem(f"no {number}"))
        await until(lambda: len(house.log.titles) == CARRIED_MAX)
        await settled()
        assert 0 == house.notifier.dropped
        house.notifier.offer(problem("one more"))
        await until(lambda: len(house.log.titles) == CARRIED_MAX + 1)
        desktop.titles.clear()
        await house.pass_time(BACK_OFF[0])
    assert {*(f"quotad: no {number}" for number in range(1, CARRIED_MAX)), "quotad: one more"} == set(
        desktop.titles
    )
    assert "notice dropped, since too many wait for a channel that works: quotad: no 0" in caplog.messages


async def test_when_everything_hangs_nothing_grows(desktop: Recorder) -> None:
    """Notices under way and notices that wait are limited, whatever comes; none is lost unsaid."""
    desktop.hang()
    house = House([desktop])
    many = CARRIED_MAX + OFFERS_MAX + 10
    async with house.running():
        for number in range(many):
            house.notifier.offer(problem(f"no {number}"))
            await settled()
        assert many - CARRIED_MAX - 1 - OFFERS_MAX == house.notifier.dropped
        desktop.going.set()
        await until(lambda: len(desktop.titles) + house.notifier.dropped == many)


async def test_the_end_names_what_was_not_said(desktop: Recorder, caplog: pytest.LogCaptureFixture) -> None:
    """Notices that are under way or wait when the daemon ends stand in the log."""
    desktop.hang()
    house = House([desktop])
    async with house.running():
        house.notifier.offer(threshold())
        await until(lambda: desktop.titles)
    assert desktop.closed
    house.notifier.offer(problem())
    async with house.running():
        pass
    assert [
        f"notice dropped, since the notifier ends: {TITLE}",
        "notice dropped, since the notifier ends: quotad: settings invalid",
    ] == caplog.messages


async def test_the_end_names_what_nobody_could_take_up(
    desktop: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    """Also those that waited behind as many as can be under way."""
    desktop.hang()
    house = House([desktop])
    many = CARRIED_MAX + 5
    async with house.running():
        for number in range(many):
            house.notifier.offer(problem(f"no {number}"))
    said = {line.partition("the notifier ends: ")[2] for line in caplog.messages}
    assert {f"quotad: no {number}" for number in range(many)} == said
    assert many == len(caplog.messages) == house.notifier.dropped


async def seconds_to_finish(house: House) -> float:
    """How long the end waits."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    await house.notifier.finish()
    return loop.time() - began


async def test_the_end_waits_for_what_was_offered_last(desktop: Recorder, command: Recorder) -> None:
    """What was marked as announced has been attempted when the daemon ends."""
    house = House([desktop], command)
    async with house.running():
        house.notifier.offer(threshold(50.0))
        house.notifier.offer(threshold(75.0))
        await house.notifier.finish()
        assert 2 == len(desktop.titles) == len(command.titles)


async def test_the_end_waits_for_no_second_attempt(desktop: Recorder) -> None:
    """What failed stands in the log, and the end comes at once."""
    desktop.outcome = BROKEN
    house = House([desktop])
    async with house.running():
        house.notifier.offer(threshold())
        assert await seconds_to_finish(house) < END_SECONDS_MAX
        assert ([TITLE], [TITLE]) == (desktop.titles, house.log.titles)


async def test_the_end_waits_only_so_long(desktop: Recorder) -> None:
    """A channel that hangs does not hold up the end for longer than two seconds."""
    desktop.hang()
    house = House([desktop])
    async with house.running():
        house.notifier.offer(threshold())
        assert END_SECONDS_MAX <= await seconds_to_finish(house) < END_SECONDS_MAX + 1


async def test_an_end_after_notices_were_dropped(desktop: Recorder) -> None:
    """Those that nobody took up are not waited for."""
    house = House([desktop])
    for number in range(OFFERS_MAX + 3):
        house.notifier.offer(problem(f"no {number}"))
    async with house.running():
        assert await seconds_to_finish(house) < END_SECONDS_MAX
        assert OFFERS_MAX == len(desktop.titles)


async def test_new_channels_get_what_waited(desktop: Recorder, command: Recorder) -> None:
    """Whoever mends the settings gets at once what nobody had got, and only through the new channels."""
    desktop.outcome = BROKEN
    house = House([desktop])
    async with house.running():
        house.notifier.offer(threshold())
        house.notifier.offer(problem())
        await until(lambda: len(house.log.titles) == 2)
        house.notifier.use(Channels((), command, house.log))
        assert [None] == house.troubles[1:]
        assert {"backend": "command", "detail": "not tried yet"} == house.notifier.state()
        await until(lambda: len(command.titles) == 2)
        await house.pass_time(HOUR)
    assert [TITLE, "quotad: settings invalid"] == desktop.titles == command.titles == house.log.titles
    assert desktop.closed


async def test_new_channels_that_do_not_work_either_are_tried_again_in_time(desktop: Recorder) -> None:
    """A change of channels is one more attempt, and what was known of a channel of that name is forgotten."""
    desktop.outcome = BROKEN
    another = Recorder("desktop", BROKEN)
    house = House([desktop])
    async with house.running():
        house.notifier.offer(threshold())
        await until(lambda: house.log.titles)
        house.notifier.use(Channels((another,), None, house.log))
        assert {"backend": "desktop", "detail": "not tried yet"} == house.notifier.state()
        await settled()
        assert [TITLE] == another.titles
        await house.pass_time(BACK_OFF[1])
        assert [TITLE] * 2 == another.titles
    assert [TITLE] == desktop.titles


async def test_new_channels_are_looked_at_at_once(desktop: Recorder, command: Recorder) -> None:
    """Status says soon whether they work."""
    house = House([desktop])
    async with house.running():
        await house.pass_time(PROBE_DELAY)
        house.notifier.use(Channels((), command, house.log))
        await settled()
        assert {"backend": "command", "detail": "works"} == house.notifier.state()
    assert (1, 1) == (desktop.probes, command.probes)


async def test_a_notice_under_way_is_not_sent_twice_when_channels_change(
    desktop: Recorder, command: Recorder
) -> None:
    """The old channel ends what it is about; if it delivers, the new one is not asked."""
    desktop.hang()
    house = House([desktop])
    async with house.running():
        house.notifier.offer(threshold())
        await until(lambda: desktop.titles)
        house.notifier.use(Channels((), command, house.log))
        desktop.going.set()
        await house.pass_time(HOUR)
    assert ([TITLE], []) == (desktop.titles, command.titles)


async def test_trouble_is_told_when_it_begins_and_when_it_is_over(desktop: Recorder) -> None:
    """Not with every notice: it is a state, with one code, that names the channel and a remedy."""
    desktop.outcome = BROKEN
    house = House([desktop])
    async with house.running():
        house.notifier.offer(threshold())
        house.notifier.offer(problem())
        await until(lambda: len(house.log.titles) == 2)
        desktop.outcome = WORKS
        house.notifier.offer(reset())
        await until(lambda: len(house.troubles) == 2)
    message = "notices reach only the log (desktop: broken); a program in [notify] command can carry them"
    assert [message, None] == house.troubles
    assert {UNAVAILABLE} == house.codes


async def test_a_desktop_that_is_missing_is_no_trouble_when_the_command_works(
    desktop: Recorder, command: Recorder
) -> None:
    """A server has no desktop, and that is well."""
    desktop.outcome = BROKEN
    house = House([desktop], command)
    await house.notifier.probe()
    assert [] == house.troubles
    assert {"backend": "command", "detail": "works"} == house.notifier.state()


async def test_a_command_that_fails_is_trouble_beside_a_desktop_that_works(
    desktop: Recorder, command: Recorder
) -> None:
    """Whoever set a command up wants to know that it does not work."""
    command.outcome = BROKEN
    house = House([desktop], command)
    async with house.running():
        house.notifier.offer(threshold())
        await until(lambda: house.troubles)
    assert ["[notify] command does not work (broken)"] == house.troubles
    assert {"backend": "desktop", "detail": "works"} == house.notifier.state()


async def test_channels_are_looked_at_now_and_then(desktop: Recorder) -> None:
    """Shortly after the start and every five minutes, so that status knows without any notice."""
    house = House([desktop])
    assert {"backend": "desktop", "detail": "not tried yet"} == house.notifier.state()
    probes = []
    async with house.running():
        for length in (PROBE_DELAY - 1, 1, PROBE_INTERVAL - 1, 1):
            await house.pass_time(length)
            probes.append(desktop.probes)
        desktop.outcome = BROKEN
        await house.pass_time(PROBE_INTERVAL)
    assert [0, 1, 1, 2] == probes
    assert ("log", []) == (house.notifier.state()["backend"], desktop.titles)
    assert 1 == len(house.troubles)


async def test_a_probe_tells_of_each_channel(desktop: Recorder, command: Recorder) -> None:
    """Doctor shows what each channel says of itself."""
    desktop.outcome = RuntimeError("any")
    house = House([desktop], command)
    assert [
        {"channel": "desktop", "delivered": False, "detail": "RuntimeError: any"},
        {"channel": "command", "delivered": True, "detail": "works"},
        {"channel": "log", "delivered": True, "detail": "works"},
    ] == await house.notifier.probe()
    assert [] == desktop.titles


async def test_a_test_goes_through_every_channel(
    desktop: Recorder, osascript: Recorder, command: Recorder
) -> None:
    """``quotactl notify test`` tries also those that only stand in for others, and tells of each."""
    osascript.outcome = BROKEN
    house = House([desktop, osascript], command)
    assert [
        {"channel": "desktop", "delivered": True, "detail": "works"},
        {"channel": "osascript", "delivered": False, "detail": "broken"},
        {"channel": "command", "delivered": True, "detail": "works"},
        {"channel": "log", "delivered": True, "detail": "works"},
    ] == await house.notifier.test()
    titles = [channel.titles for channel in (desktop, osascript, command, house.log)]
    assert [["quotad: test notice"]] * 4 == titles


@asynccontextmanager
async def real(channels: Channels, clock: StandingClock) -> AsyncIterator[Notifier]:
    """A notifier with real channels, running."""
    notifier = Notifier(channels, clock, UTC, lambda _code, _message: None)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(notifier.run())
        yield notifier
        task.cancel()


@needs_bus
async def test_a_real_server_gets_each_notice_exactly_once(
    bus: BusDaemon, server: NotificationServer, tmp_path: Path
) -> None:
    """Over a real bus: once each, through a server that dies and a bus that restarts in between."""
    clock = StandingClock(NOW)
    desktop = desktop_channel("linux", bus.address)
    told = CommandChannel(["sh", "-c", "cat >> told; exit 1"], tmp_path)
    log = Recorder("log")
    async with real(Channels((desktop,), told, log), clock) as notifier:
        notifier.offer(threshold(50.0))
        await until(lambda: len(server.shown) == 1 and not notifier._errands)  # noqa: SLF001

        await server.stop()
        notifier.offer(threshold(75.0))
        await until(lambda: len(log.titles) == 1)
        await server.start()
        clock.advance(BACK_OFF[0])
        await until(lambda: len(server.shown) == 2 and not notifier._errands)  # noqa: SLF001

        bus.stop()
        notifier.offer(threshold(90.0))
        await until(lambda: len(log.titles) == 2)
        bus.start()
        await server.start()
        clock.advance(BACK_OFF[0])
        await until(lambda: len(server.shown) == 3)
        clock.advance(HOUR)
        await until_naps_are_over()
    await settled()
    titles = [f"5-hour quota: {percent} % used" for percent in (50, 75, 90)]
    assert titles == [shown.title for shown in server.shown]
    assert titles[1:] == log.titles
    commanded = [json.loads(line)["threshold"] for line in (tmp_path / "told").read_text().splitlines()]
    assert 5 == len(commanded)


@needs_bus
async def test_a_bus_that_comes_up_late_gets_what_still_stands(bus: BusDaemon) -> None:
    """Started at boot, the daemon tells at the login what was crossed before: the newest of each window."""
    bus.stop()
    clock = StandingClock(NOW)
    desktop = desktop_channel("linux", bus.address)
    log = Recorder("log")
    server = NotificationServer(bus.address)
    async with real(Channels((desktop,), None, log), clock) as notifier:
        for percent in (50.0, 75.0, 90.0):
            notifier.offer(threshold(percent))
        await until(lambda: len(log.titles) == 3)
        bus.start()
        await server.start()
        clock.advance(BACK_OFF[0])
        await until(lambda: server.shown)
        clock.advance(HOUR)
        await until_naps_are_over()
    await server.stop()
    assert ["5-hour quota: 90 % used"] == [shown.title for shown in server.shown]


@needs_bus
async def test_a_real_server_that_hangs_harms_nobody(
    bus: BusDaemon, server: NotificationServer, caplog: pytest.LogCaptureFixture
) -> None:
    """While it hangs the log has the notice; once it answers it shows it, once."""
    caplog.set_level(logging.WARNING)
    server.silent = frozenset({"GetCapabilities"})
    clock = StandingClock(NOW)
    desktop = desktop_channel("linux", bus.address, seconds_max=0.3)
    async with real(Channels((desktop,), None, LogChannel(logging.getLogger("notices"))), clock) as notifier:
        notifier.offer(threshold())
        await until(lambda: caplog.messages)
        server.silent = frozenset()
        clock.advance(BACK_OFF[0])
        await until(lambda: server.shown)
        clock.advance(HOUR)
        await until_naps_are_over()
    await settled()
    assert [TITLE] == [shown.title for shown in server.shown]
    assert 1 == len(caplog.messages)
