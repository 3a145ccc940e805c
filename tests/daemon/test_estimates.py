"""Session logs without transcripts are worth estimates, which give way to what is measured."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from quotad import wire
from tests.daemon.process import CHECKOUT, Place, Quotad, wait_until
from tests.daemon.truth import Current, current, demo_clock
from tests.daemon.work import append, session_log

SAMPLES = CHECKOUT / "tests" / "samples"
SESSION = "5f0c1d2e-0000-4000-8000-00000000a001"
CWD = "/home/ana/src/shop_api"
OPENED = "2026-11-02T09:00:05.000Z"
"""The one tool result of the seed log."""
NOW_MS = wire.instant("2026-11-02T09:35:00Z")
FIVE_HOURS_MS = 5 * 60 * 60 * 1000
NEWLINE = b"\n"

ESTIMATES = {
    "Edit": 1500,
    "Write": 1200,
    "Read": 800,
    "Task": 2000,
    "WebFetch": 1000,
    "Grep": 500,
    "Glob": 400,
    "Bash": 300,
    "mcp__anything__else": 500,
}


def seed(place: Place) -> Path:
    """The seed log where Claude Code keeps its session log."""
    path = session_log(place)
    path.parent.mkdir(exist_ok=True)
    shutil.copy(SAMPLES / "seed_sessions.jsonl", path)
    return path


def result(tool: str, *, session: str = SESSION, at: str = "2026-11-02T09:20:00Z", **more: str) -> bytes:
    """A line of a session log."""
    line = {"type": "tool_result", "timestamp": at, "session_id": session, "tool": tool, **more}
    return json.dumps(line).encode() + b"\n"


def spent_in_snapshot(place: Place) -> int:
    """What ``quota-tracker.json`` says now."""
    spent: int = snapshot(place, "quota-tracker.json")["currentWindow"]["tokensUsed"]
    return spent


def sessions_in_snapshot(place: Place) -> list[tuple[str, int]]:
    """Sessions of ``session-tracker.json`` and what each has spent."""
    return [(one["id"], one["tokensUsed"]) for one in snapshot(place, "session-tracker.json")["sessions"]]


def snapshot(place: Place, name: str) -> Any:  # noqa: ANN401 - JSON of any shape
    """A snapshot's content, once it is there."""
    path = place.claude / name
    wait_until(path.exists)
    return json.loads(path.read_text())


def spent_everywhere(quotad: Quotad) -> dict[str, list[tuple[int, int, int]]]:
    """What each way of asking says: (spent, estimated tokens, calls) of every row or window."""
    window = quotad.window()
    told = {"status": [(window["spent"], window["estimated_tokens"], window["messages"])]}
    for by in ("day", "window", "session", "model", "project"):
        rows = quotad.history(by, zone="utc")
        told[by] = [(row["spent"], row["estimated_tokens"], row["messages"]) for row in rows]
    return told


def everywhere(row: tuple[int, int, int]) -> dict[str, list[tuple[int, int, int]]]:
    """The same said by all of them."""
    return {asked: [row] for asked in ("status", "day", "window", "session", "model", "project")}


def test_the_seed_log_alone_gives_an_estimate(place: Place) -> None:
    """A Read is worth 800 tokens of no kind; the session is as its log has it, and labelled estimated."""
    seed(place)
    with place.running(*demo_clock(NOW_MS)) as quotad:
        assert everywhere((800, 800, 0)) == spent_everywhere(quotad)
        window = quotad.window()
        opened_ms = wire.instant(OPENED)
        assert Current(opened_ms, opened_ms + FIVE_HOURS_MS, 0, (0, 0, 0, 0)) == current(window)
        assert ("estimated", 199_200) == (window["basis"], window["remaining"])
        (session,) = quotad.status()["sessions"]
        assert (SESSION, CWD, "planning-agent.md") == (session["id"], session["cwd"], session["agent"])
        assert ("complete", 800, "estimated") == (session["state"], session["spent"], session["basis"])
        assert ("2026-11-02T09:00:00.000Z", "2026-11-02T09:30:00.000Z") == (
            session["started_at"],
            session["ended_at"],
        )
        assert [CWD] == [row["project"] for row in quotad.history("project")]
        wait_until(lambda: spent_in_snapshot(place) == 800)
        wait_until(lambda: [(SESSION, 800)] == sessions_in_snapshot(place))


def test_what_a_session_log_says_of_the_future_waits(place: Place) -> None:
    """At 09:10 the session that ends at 09:30 is active."""
    seed(place)
    with place.running(*demo_clock(wire.instant("2026-11-02T09:10:00Z"))) as quotad:
        (session,) = quotad.status()["sessions"]
        assert ("active", None, 800) == (session["state"], session["ended_at"], session["spent"])


def test_every_tool_has_its_price(place: Place) -> None:
    """What is not in the table costs 500; equal lines are different events, unless an id says otherwise."""
    path = session_log(place)
    for number, tool in enumerate(ESTIMATES):
        append(path, result(tool, session=f"s{number}"))
    append(path, result("Bash", session="twice") * 2)
    append(path, result("Bash", session="named", tool_use_id="toolu_1") * 2)
    expected = {f"s{number}": price for number, price in enumerate(ESTIMATES.values())}
    with place.running(*demo_clock(NOW_MS)) as quotad:
        by_session = {row["session"]: row["spent"] for row in quotad.history("session")}
        assert expected | {"twice": 600, "named": 300} == by_session
        assert sum(by_session.values()) == quotad.window()["spent"]


def test_transcripts_of_the_session_replace_its_estimates(place: Place) -> None:
    """At once, everywhere, for good, and not those of other sessions."""
    log = seed(place)
    append(log, result("Bash", session="another", cwd=CWD))
    expected = json.loads((SAMPLES / "expected_usage.json").read_text())["total"]
    measured = sum(expected[:3])
    with place.running(*demo_clock(NOW_MS)) as quotad:
        assert 1100 == quotad.window()["spent"]
        shutil.copytree(SAMPLES / "projects", place.projects, dirs_exist_ok=True)
        assert measured + 300 == quotad.window()["spent"]
        append(log, result("Edit"))
        assert [(measured + 300, 300, 6)] == spent_everywhere(quotad)["day"]
        assert [(measured, 0, 6), (300, 300, 0)] == spent_everywhere(quotad)["session"]
        sessions = {one["id"]: (one["spent"], one["basis"]) for one in quotad.status()["sessions"]}
        assert {SESSION: (measured, "measured"), "another": (300, "estimated")} == sessions
        wait_until(lambda: spent_in_snapshot(place) == measured + 300)
        shutil.rmtree(place.projects)
        quotad.sync()
        assert measured + 300 == quotad.window()["spent"]


def test_a_log_that_is_read_again_adds_nothing(place: Place) -> None:
    """Neither by the next daemon nor under the other name that logs are read from; what is new counts."""
    log = seed(place)
    append(log, result("Bash") * 2)
    with place.running(*demo_clock(NOW_MS)) as quotad:
        assert 1400 == quotad.window()["spent"]
    shutil.copy(log, place.state / "sessions.jsonl")
    with place.running(*demo_clock(NOW_MS)) as quotad:
        assert 1400 == quotad.window()["spent"]
        append(log, result("Bash"))
        assert everywhere((1700, 1700, 0)) == spent_everywhere(quotad)


def test_foreign_lines_are_skipped_and_counted(place: Place) -> None:
    """Other programs' shapes are no usage and nobody's fault; ``doctor`` says how many there were."""
    log = seed(place)
    foreign = (SAMPLES / "foreign_sessions.jsonl").read_bytes()
    append(log, foreign + b"{torn\n")
    with place.running(*demo_clock(NOW_MS)) as quotad:
        assert everywhere((800, 800, 0)) == spent_everywhere(quotad)
        message = quotad.doctor()["lines"]["message"]
        assert f"{foreign.count(NEWLINE)} lines of other programs in session logs were skipped" in message
        assert 1 == quotad.status()["daemon"]["malformed_lines"]
