"""The files that other programs read, word for word, and when they are written."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from quotad import wire
from quotad.domain.instant import HOUR, MINUTE
from quotad.domain.level import Level
from quotad.domain.notice import Basis
from quotad.domain.queue import Planned, PlannedId, Queue, ScheduleReason, Status
from quotad.domain.session import SessionStanding, SessionState
from quotad.domain.standing import Standing, WindowStanding
from quotad.domain.usage import AccountId, SessionId, Tokens
from quotad.sinks.snapshot import (
    INTERVAL,
    QUOTA_TRACKER,
    RETRY_INTERVAL,
    SESSION_TRACKER,
    UNWRITABLE,
    Snapshots,
    quota_tracker,
    session_tracker,
)
from tests.sinks.notices import ACCOUNT, NOW, SESSION
from tests.sinks.waiting import StandingClock, names, settled, until

WINDOW = WindowStanding(
    account=ACCOUNT,
    name="five_hour",
    length=5 * HOUR,
    opened_at=NOW - HOUR,
    resets_at=NOW + 4 * HOUR,
    limit=200_000,
    limit_basis="plan",
    spent=12_345,
    tokens=Tokens(1, 2, 3, 4),
    messages=7,
    estimated_tokens=0,
    percent=6.2,
    lower_bound=False,
    remaining=187_655,
    level=Level.PLENTY,
    basis=Basis.MEASURED,
    as_of=NOW,
    burn_per_minute=100.0,
    runs_out_at=None,
    next_threshold=50.0,
    reported=None,
)
IDLE = replace(WINDOW, opened_at=None, resets_at=None, spent=0, remaining=200_000, percent=0.0)

ACTIVE = SessionStanding(
    account=ACCOUNT,
    id=SESSION,
    state=SessionState.ACTIVE,
    opened_at=NOW - HOUR,
    ends_at=NOW + 4 * HOUR,
    last_active_at=NOW,
    ended_at=None,
    cwd="/home/ana/src/shop_api",
    agent="planning-agent.md",
    spent=12_000,
    basis=Basis.MEASURED,
)
COMPLETE = replace(
    ACTIVE,
    id=SessionId("5f0c1d2e-0000-4000-8000-00000000a002"),
    state=SessionState.COMPLETE,
    ended_at=NOW - 10 * MINUTE,
    agent="",
    spent=345,
)
ELSEWHERE = replace(ACTIVE, account=AccountId("/home/ana/.claude-work"), id=SessionId("other"))

STANDING = Standing(
    now=NOW,
    plan="pro",
    caught_up=True,
    windows=(
        WINDOW,
        replace(WINDOW, name="seven_day", limit=None),
        replace(WINDOW, account=ELSEWHERE.account),
    ),
    sessions=(ACTIVE, COMPLETE, ELSEWHERE),
    advice=(),
)

QUOTA_TEXT = """\
{
  "plan": "pro",
  "limit": 200000,
  "windowHours": 5,
  "currentWindow": {
    "startTime": "2026-11-22T09:00:00.000Z",
    "resetTime": "2026-11-22T14:00:00.000Z",
    "tokensUsed": 12345,
    "remaining": 187655
  },
  "sessions": [
    {
      "id": "5f0c1d2e-0000-4000-8000-00000000a001",
      "tokensUsed": 12000,
      "startTime": "2026-11-22T09:00:00.000Z"
    },
    {
      "id": "5f0c1d2e-0000-4000-8000-00000000a002",
      "tokensUsed": 345,
      "startTime": "2026-11-22T09:00:00.000Z",
      "endTime": "2026-11-22T09:50:00.000Z"
    }
  ],
  "scheduledSessions": [],
  "windows": [
    {
      "name": "five_hour",
      "resetTime": "2026-11-22T14:00:00.000Z",
      "tokensUsed": 12345,
      "limit": 200000,
      "remaining": 187655,
      "percent": 6.2
    },
    {
      "name": "seven_day",
      "resetTime": "2026-11-22T14:00:00.000Z",
      "tokensUsed": 12345,
      "limit": null,
      "remaining": 187655,
      "percent": 6.2
    }
  ]
}
"""

SESSIONS_TEXT = """\
{
  "sessions": [
    {
      "id": "5f0c1d2e-0000-4000-8000-00000000a001",
      "startTime": "2026-11-22T09:00:00.000Z",
      "endTime": "2026-11-22T14:00:00.000Z",
      "cwd": "/home/ana/src/shop_api",
      "tokensUsed": 12000,
      "status": "active",
      "agent": "planning-agent.md"
    },
    {
      "id": "5f0c1d2e-0000-4000-8000-00000000a002",
      "startTime": "2026-11-22T09:00:00.000Z",
      "endTime": "2026-11-22T14:00:00.000Z",
      "cwd": "/home/ana/src/shop_api",
      "tokensUsed": 345,
      "status": "complete"
    }
  ],
  "lastUpdated": "2026-11-22T10:00:00.000Z"
}
"""


def test_the_quota_tracker_word_for_word() -> None:
    """The first root's five-hour window and sessions; one that ended says when."""
    assert QUOTA_TEXT == quota_tracker(STANDING).decode()


def test_the_session_tracker_word_for_word() -> None:
    """The first root's sessions, each until its five hours are over; an agent only where there is one."""
    assert SESSIONS_TEXT == session_tracker(STANDING).decode()


def test_what_is_booked_is_in_the_quota_tracker() -> None:
    """Only what is scheduled, with its time and reason; a booking by hand without a reason is the user's."""
    booked = Planned(PlannedId("docs"), 30_000, status=Status.SCHEDULED, scheduled_for=NOW + HOUR)
    low = replace(booked, id=PlannedId("tests"), schedule_reason=ScheduleReason.LOW_QUOTA)
    queue = Queue((booked, low, Planned(PlannedId("ready"), 1)))
    at = wire.iso(NOW + HOUR)
    assert [
        {"id": "docs", "scheduledFor": at, "estimatedTokens": 30_000, "reason": "user_scheduled"},
        {"id": "tests", "scheduledFor": at, "estimatedTokens": 30_000, "reason": "low_quota"},
    ] == json.loads(quota_tracker(replace(STANDING, queue=queue)))["scheduledSessions"]


def test_while_no_window_runs_everything_is_left() -> None:
    """An idle window has no times, nothing used, and its whole limit."""
    said = json.loads(quota_tracker(replace(STANDING, windows=(IDLE,))))
    assert {"startTime": None, "resetTime": None, "tokensUsed": 0, "remaining": 200_000} == said[
        "currentWindow"
    ]


def test_without_a_limit_nothing_is_made_up() -> None:
    """Limit and remaining are null when no limit is known."""
    unknown = replace(WINDOW, limit=None, remaining=None)
    said = json.loads(quota_tracker(replace(STANDING, windows=(unknown,))))
    assert (None, None) == (said["limit"], said["currentWindow"]["remaining"])


def test_any_path_can_be_written() -> None:
    """A directory's name in Greek is readable, and one that is no text does no harm."""
    sessions = (replace(ACTIVE, cwd="/home/ana/έργο"), replace(ACTIVE, cwd="/\ud800"))
    said = session_tracker(replace(STANDING, sessions=sessions))
    assert "/home/ana/έργο".encode() in said
    assert "/?" == json.loads(said)["sessions"][1]["cwd"]


class House:
    """Snapshots in a directory, of a standing that the test changes."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = StandingClock(NOW)
        self.standing = STANDING
        self.looked = 0
        self.troubles: list[str | None] = []
        self.codes: set[str] = set()
        self.snapshots = Snapshots(directory, self._stand, self.clock, self._on_trouble)

    @property
    def spent(self) -> int | None:
        """What the quota tracker says now; None where there is none."""
        try:
            said = json.loads((self.directory / QUOTA_TRACKER).read_bytes())
        except FileNotFoundError:
            return None
        spent = said["currentWindow"]["tokensUsed"]
        assert isinstance(spent, int)
        return spent

    def spend(self, spent: int) -> None:
        """The standing changes, and the snapshots are told."""
        self.standing = replace(self.standing, now=self.clock.now(), windows=(replace(WINDOW, spent=spent),))
        self.snapshots.changed()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Snapshots are written meanwhile."""
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.snapshots.run())
            yield
            task.cancel()

    async def looked_again(self, before: int) -> None:
        """Whoever waited has looked at the standing since ``before`` times."""
        await until(lambda: self.looked > before)
        await settled()

    def _stand(self) -> Standing:
        self.looked += 1
        return self.standing

    def _on_trouble(self, code: str, message: str | None) -> None:
        self.codes.add(code)
        self.troubles.append(message)


@pytest.fixture
def house(tmp_path: Path) -> House:
    """Snapshots in an existing directory."""
    return House(tmp_path)


async def test_a_change_is_written_at_once(house: House) -> None:
    """The first change after a quiet time waits for nothing."""
    async with house.running():
        house.spend(1)
        await until(lambda: house.spent == 1)
        await until((house.directory / SESSION_TRACKER).exists)
    assert {QUOTA_TRACKER, SESSION_TRACKER} == names(house.directory)


async def test_nothing_is_written_without_a_change(house: House) -> None:
    """Until it is told of a change it does not even look."""
    async with house.running():
        await settled()
    assert (0, None) == (house.looked, house.spent)


async def test_changes_are_written_at_most_once_a_second(house: House) -> None:
    """Of many changes within a second the last is written, when the second is over."""
    async with house.running():
        house.spend(1)
        await until(lambda: house.spent == 1)
        for spent in range(2, 100):
            house.spend(spent)
            await settled()
        await house.clock.pass_time(INTERVAL - 1)
        await settled()
        assert (1, 1) == (house.looked, house.spent)
        await house.clock.pass_time(1)
        await until(lambda: house.spent == 99)
    assert 2 == house.looked


async def test_the_same_content_is_not_written_again(house: House) -> None:
    """Time alone is no change: the file, and its ``lastUpdated``, stay as they are."""
    async with house.running():
        house.spend(1)
        await until((house.directory / SESSION_TRACKER).exists)
        before = [(house.directory / name).stat() for name in (QUOTA_TRACKER, SESSION_TRACKER)]
        await house.clock.pass_time(HOUR)
        house.spend(1)
        await house.looked_again(1)
        await house.clock.pass_time(INTERVAL)
        house.snapshots.changed()
        await house.looked_again(2)
    after = [(house.directory / name).stat() for name in (QUOTA_TRACKER, SESSION_TRACKER)]
    assert [(one.st_ino, one.st_mtime_ns) for one in before] == [
        (one.st_ino, one.st_mtime_ns) for one in after
    ]


async def test_last_updated_moves_with_the_content(house: House) -> None:
    """When a session spends, ``lastUpdated`` is the instant of that standing."""
    async with house.running():
        house.spend(1)
        await until(lambda: house.spent == 1)
        await house.clock.pass_time(MINUTE)
        house.standing = replace(house.standing, sessions=(replace(ACTIVE, spent=13_000),))
        house.spend(2)
        await until(lambda: house.spent == 2)
        await until(lambda: b"13000" in (house.directory / SESSION_TRACKER).read_bytes())
    said = json.loads((house.directory / SESSION_TRACKER).read_bytes())
    assert "2026-11-22T10:01:00.000Z" == said["lastUpdated"]


async def test_a_missing_directory_is_waited_for_and_never_made(tmp_path: Path) -> None:
    """Without Claude Code there is nobody to tell, which is no trouble; when it comes, it finds the files."""
    house = House(tmp_path / ".claude")
    async with house.running():
        house.spend(1)
        await settled()
        await house.clock.pass_time(RETRY_INTERVAL)
        await settled()
        assert set() == names(tmp_path)
        house.directory.mkdir()
        await house.clock.pass_time(RETRY_INTERVAL)
        await until(lambda: house.spent == 1)
    assert [] == house.troubles


async def test_a_directory_that_is_made_anew_gets_the_files_again(house: House) -> None:
    """What was written into a directory that is gone counts as not written."""
    place = house.directory / ".claude"
    house = House(place)
    place.mkdir()
    async with house.running():
        house.spend(1)
        await until((place / SESSION_TRACKER).exists)
        await until(lambda: len(house.snapshots._written) == 2)  # noqa: SLF001
        for path in place.iterdir():
            path.unlink()
        place.rmdir()
        await house.clock.pass_time(INTERVAL)
        house.snapshots.changed()
        await until(lambda: not house.snapshots._written)  # noqa: SLF001
        place.mkdir()
        await house.clock.pass_time(RETRY_INTERVAL)
        await until((place / SESSION_TRACKER).exists)
    assert 1 == house.spent


async def test_an_unwritable_place_is_told_once_and_tried_again(house: House) -> None:
    """While it cannot be written the file's name and the reason are a problem, until it can."""
    obstacle = house.directory / QUOTA_TRACKER
    obstacle.mkdir()
    async with house.running():
        house.spend(1)
        await until(lambda: house.troubles)
        await until((house.directory / SESSION_TRACKER).exists)
        for attempts in (1, 2):
            await house.clock.pass_time(RETRY_INTERVAL)
            await house.looked_again(attempts)
        assert 1 == len(house.troubles)
        obstacle.rmdir()
        await house.clock.pass_time(RETRY_INTERVAL)
        await until(lambda: house.spent == 1)
        await until(lambda: len(house.troubles) == 2)
    message = f"{obstacle} cannot be written: not a regular file; it shows an older state until it can"
    assert [message, None] == house.troubles
    assert {UNWRITABLE} == house.codes


async def test_the_end_of_the_daemon_writes_what_changed_last(house: House) -> None:
    """``flush`` does not wait for the second to be over."""
    async with house.running():
        house.spend(1)
        await until(lambda: house.spent == 1)
        house.spend(2)
    await house.snapshots.flush()
    assert 2 == house.spent


async def test_the_end_of_the_daemon_writes_over_a_write_that_was_cut_short(house: House) -> None:
    """Whenever ``run`` is cancelled, ``flush`` has the last word."""
    for spent in range(2, 12):
        async with house.running():
            house.spend(1000 + spent)
            for _ in range(spent):
                await settled()
        house.spend(spent)
        await house.snapshots.flush()
        assert spent == house.spent


async def test_the_end_of_the_daemon_needs_no_directory(tmp_path: Path) -> None:
    """``flush`` neither raises nor makes what is not there."""
    house = House(tmp_path / "none")
    await house.snapshots.flush()
    assert set() == names(tmp_path)


async def test_a_snapshot_is_never_half_written(house: House) -> None:
    """A reader beside many writes always finds a whole document."""
    async with house.running():
        for spent in range(1, 50):
            house.spend(spent)
            await until(lambda spent=spent: house.spent == spent)  # type: ignore[misc]
            await house.clock.pass_time(INTERVAL)
    assert {QUOTA_TRACKER, SESSION_TRACKER} == names(house.directory)
