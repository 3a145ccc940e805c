"""The three stories of the README, from end to end: real daemon, real client, a stand-in for Claude Code."""

from __future__ import annotations

import json
import shutil
from itertools import pairwise
from typing import Any

from quotad import wire
from quotad.domain.instant import HOUR, MINUTE, SECOND
from tests.daemon.notices import configure, heard
from tests.daemon.planning import queue_file, sessions
from tests.daemon.process import Place, wait_until
from tests.daemon.stand_in import StandIn
from tests.daemon.truth import now_ms
from tests.daemon.work import spend


def ok(place: Place, *arguments: str, claude: StandIn | None = None) -> str:
    """What ``quotactl`` says; it must succeed."""
    done = place.quotactl(*arguments, extra=None if claude is None else claude.path)
    assert 0 == done.returncode, done.stderr + done.stdout
    return done.stdout


def as_json(place: Place, *arguments: str) -> Any:  # noqa: ANN401 - JSON as it stands
    """What it says to programs."""
    return json.loads(ok(place, *arguments, "--json"))


def test_full_quota_so_it_starts(place: Place) -> None:
    """What fits runs with its agent, objectives and directory; what it really spends is booked against it."""
    claude = StandIn(place, tokens=12_000)
    project = claude.made_directory(place)
    with place.running():
        docs = ("docs", "--tokens", "30000", "--hours", "2", "--agent", "writer", "--cwd", str(project))
        ok(place, "queue", "add", "--id", *docs, "--objective", "Write the guide", "--priority", "high")
        assert ("start", "docs") == _decided(as_json(place, "next"))

        said = ok(place, "start", "--yes", claude=claude)
        assert "docs" in said
        called = claude.called
        assert called is not None
        assert str(project) == called.cwd
        assert ("--agent", "writer") in pairwise(called.argv)
        assert "Write the guide" in called.prompt

        [run] = as_json(place, "queue", "show", "docs")["runs"]
        assert (called.session, 30_000, 12_000, None) == (
            run["claude_session"],
            run["estimate"],
            run["actual"],
            run["outcome"],
        )
        window = as_json(place, "status")["windows"][0]
        assert (12_000, 188_000, 170_000) == (window["spent"], window["remaining"], window["available"])

        ok(place, "queue", "done", "docs")
        [run] = as_json(place, "queue", "show", "docs")["runs"]
        assert ("complete", 12_000) == (run["outcome"], run["actual"])
        assert 188_000 == as_json(place, "status")["windows"][0]["available"]
        assert {"docs": "complete"} == sessions(place)


def due_titles(place: Place) -> list[str]:
    """What was told of planned sessions whose time has come."""
    return [notice["title"] for notice in heard(place) if notice["kind"] == "due"]


def test_low_quota_so_it_is_scheduled(place: Place) -> None:
    """What does not fit is booked for the minute after the reset, with an event that follows every change."""
    configure(place)
    claude = StandIn(place, tokens=1)
    opened = now_ms() - HOUR
    spend(place, 185_000, at_ms=opened)
    with place.running() as quotad:
        ok(place, "queue", "add", "--id", "docs", "--tokens", "30000", "--objective", "Write the guide")
        said = ok(place, "start", "--yes", claude=claude)
        assert "booked" in said
        assert claude.called is None

        reset = wire.instant(quotad.window()["resets_at"] or "")
        [docs] = queue_file(place)["sessions"]
        assert ("scheduled", wire.iso(reset + MINUTE), "low_quota") == (
            docs["status"],
            docs["scheduledFor"],
            docs["scheduleReason"],
        )
        ics = place.claude / "calendar" / "docs.ics"
        assert "Write the guide" in ics.read_text()
        assert "SEQUENCE:0" in ics.read_text()
        assert "docs" in ok(place, "calendar", "list")
        tracker = place.claude / "quota-tracker.json"
        wait_until(lambda: json.loads(tracker.read_text())["scheduledSessions"])
        [scheduled] = json.loads(tracker.read_text())["scheduledSessions"]
        assert ("docs", wire.iso(reset + MINUTE), 30_000, "low_quota") == tuple(scheduled.values())

        # A time that is better for people; then there is no quota, and the daemon moves it by itself.
        ok(place, "schedule", "docs", "--at", wire.iso(now_ms() + SECOND))
        wait_until(lambda: wire.iso(reset + MINUTE) == queue_file(place)["sessions"][0]["scheduledFor"])
        wait_until(lambda: "SEQUENCE:2" in ics.read_text())
        wait_until(lambda: ["Moved: docs"] == due_titles(place))

        # What is small enough is announced at its time.
        ok(place, "queue", "edit", "docs", "--tokens", "5000")
        ok(place, "schedule", "docs", "--at", wire.iso(now_ms() + SECOND))
        wait_until(lambda: ["Moved: docs", "Time for docs"] == due_titles(place))
        assert "docs is due" in " ".join(quotad.status()["advice"])

        ok(place, "unschedule", "docs")
        assert "STATUS:CANCELLED" in ics.read_text()


def test_low_quota_so_something_smaller_starts(place: Place) -> None:
    """The important one does not fit: a smaller one that does is started, and it is said instead of what."""
    claude = StandIn(place, tokens=18_000)
    spend(place, 160_000, at_ms=now_ms() - HOUR)
    with place.running():
        ok(place, "queue", "add", "--id", "rewrite", "--tokens", "60000", "--priority", "high")
        ok(place, "queue", "add", "--id", "tidy", "--tokens", "15000", "--priority", "low")
        decided = as_json(place, "next")
        assert ("start", "tidy") == _decided(decided)
        assert "rewrite" == decided["instead_of"]["id"]
        assert [("rewrite", False)] == [
            (one["session"]["id"], one["fits"]) for one in decided["alternatives"]
        ]

        ok(place, "start", "--yes", claude=claude)
        assert claude.called is not None
        assert {"rewrite": "ready", "tidy": "in_progress"} == sessions(place)
        ok(place, "queue", "done", "tidy")
        [run] = as_json(place, "queue", "show", "tidy")["runs"]
        assert ("over_run", 18_000) == (run["outcome"], run["actual"])

        windows = as_json(place, "plan")["windows"]
        laid = [one["session"]["id"] for window in windows[1:] for one in window["placements"]]
        assert ["rewrite"] == laid


def test_a_claude_that_cannot_be_started_leaves_no_claim(place: Place) -> None:
    """There is none on the PATH: the session is ready again, and nothing is held."""
    nowhere = place.root / "nowhere"
    nowhere.mkdir()
    assert shutil.which("claude", path=str(nowhere)) is None
    with place.running() as quotad:
        ok(place, "queue", "add", "--id", "docs", "--tokens", "30000")
        done = place.quotactl("start", "--yes", extra={"PATH": str(nowhere)})
        assert 1 == done.returncode
        assert {"docs": "ready"} == sessions(place)
        assert 200_000 == quotad.window()["available"]


def _decided(decision: Any) -> tuple[str, str]:  # noqa: ANN401 - JSON as it stands
    return decision["action"], decision["session"]["id"]
