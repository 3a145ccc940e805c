"""The real daemon plans: over its socket, by hand in the queue file, and by itself when the time comes."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest

from quotad import wire
from tests.daemon.planning import Answer, add, ask, edit, queue_file, refused, sessions, write
from tests.daemon.process import SETTINGS, Place, Refused, wait_until
from tests.daemon.raw import line_to
from tests.daemon.truth import now_ms
from tests.daemon.work import SESSION, log, spend


def test_what_was_added_is_next_and_starts(place: Place) -> None:
    """add -> next -> start: the session is in the file before each answer, and then in progress."""
    with place.running() as quotad:
        added = add(quotad, "docs", tokens=30_000, hours=2.0, objectives=["Write the guide"])
        assert "ready" == added["status"]
        assert ["docs"] == [one["id"] for one in queue_file(place)["sessions"]]

        decision = ask(quotad, "next")
        assert ("start", "docs") == (decision["action"], decision["session"]["id"])
        assert {"docs": "ready"} == sessions(place)

        started = ask(quotad, "start", claude_session="c-1")
        assert ("start", "in_progress") == (started["action"], started["session"]["status"])
        assert {"docs": "in_progress"} == sessions(place)
        status = quotad.status()
        assert ["docs"] == status["queue"]["in_progress"]
        assert (200_000, 170_000) == (status["windows"][0]["remaining"], status["windows"][0]["available"])


def test_an_edit_by_hand_is_in_the_next_answer(place: Place) -> None:
    """Whoever edits the file and asks has the edit in the answer; ``sync`` takes it in, too."""
    with place.running() as quotad:
        add(quotad, "docs")
        for tokens in range(1, 30):
            edit(place, estimatedTokens=tokens)
            assert tokens == ask(quotad, "next")["session"]["estimatedTokens"]
        edit(place, status="complete")
        quotad.sync()
        assert 1 == quotad.status()["queue"]["complete"]


def test_a_file_that_is_there_before_the_first_start_is_the_queue(place: Place) -> None:
    """Other programs write it; what they say beyond our fields is kept."""
    session = {"id": "docs", "estimatedTokens": 5_000, "estimatedHours": 1, "theirs": {"a": [1]}}
    write(place, {"theirs": True, "sessions": [session]})
    with place.running() as quotad:
        assert "docs" == ask(quotad, "next")["session"]["id"]
        ask(quotad, "queue.edit", id="docs", tokens=6_000)
    assert (True, {"a": [1]}, 6_000) == (
        queue_file(place)["theirs"],
        queue_file(place)["sessions"][0]["theirs"],
        queue_file(place)["sessions"][0]["estimatedTokens"],
    )


def test_an_invalid_edit_is_named_and_refused(place: Place) -> None:
    """``status`` and ``doctor`` name the value; the last good queue stays, and ``sync`` succeeds."""
    with place.running() as quotad:
        add(quotad, "docs")
        edit(place, estimatedTokens="many")
        bad = (place.claude / "session-queue.json").read_bytes()
        quotad.sync()
        assert '"many"' in quotad.problems()["queue-invalid"]
        assert '"many"' in quotad.doctor()["queue"]["message"]
        assert 1 == quotad.status()["queue"]["ready"]
        for method, params in {
            "queue.list": {},
            "queue.show": {"id": "docs"},
            "next": {},
            "plan": {},
        }.items():
            assert quotad.problems()["queue-invalid"] == ask(quotad, method, **params)["problem"], method
        assert "queue-invalid" == refused(quotad, "queue.add", id="b", tokens=1)
        assert bad == (place.claude / "session-queue.json").read_bytes()
        edit(place, estimatedTokens=7)
        assert {} == quotad.problems()
        assert 7 == ask(quotad, "next")["session"]["estimatedTokens"]
        assert ask(quotad, "next")["problem"] is None
        assert (
            f"{place.claude / 'session-queue.json'} holds 1 planned session"
            == quotad.doctor()["queue"]["message"]
        )


def test_what_cannot_be_is_refused_by_name(place: Place) -> None:
    """Each refusal has its code, and the queue stays as it was."""
    with place.running() as quotad:
        add(quotad, "a")
        add(quotad, "b", depends_on=["a"])
        before = queue_file(place)
        assert "duplicate" == refused(quotad, "queue.add", id="a", tokens=1)
        assert "unknown-dependency" == refused(quotad, "queue.add", id="c", tokens=1, depends_on=["x"])
        assert "cycle" == refused(quotad, "queue.edit", id="a", depends_on=["b"])
        assert "needed-by-others" == refused(quotad, "queue.remove", id="a")
        assert "no-such-session" == refused(quotad, "schedule", id="x")
        assert "wrong-state" == refused(quotad, "start", id="b", claude_session="c")
        assert "wrong-state" == refused(quotad, "unschedule", id="a")
        assert "wrong-state" == refused(quotad, "calendar.export", ids=["a"])
        assert "invalid-value" == refused(quotad, "queue.add", id="all", tokens=1)
        assert "invalid-value" == refused(quotad, "queue.add", id="c", tokens=0)
        assert "invalid-value" == refused(quotad, "queue.import", text="no list", form="markdown")
        assert before == queue_file(place)


def test_parameters_are_named_when_they_are_wrong(place: Place) -> None:
    """-32602, before anything is done."""
    wrong: list[tuple[str, str, dict[str, object]]] = [
        ("schedule", "at", {"id": "a", "at": "tomorrow"}),
        ("schedule", "at", {"id": "a", "at": "2030-01-01T10:00:00"}),
        ("queue.add", "deadline", {"id": "a", "tokens": 1, "deadline": "soon"}),
        ("queue.add", "cwd", {"id": "a", "tokens": 1, "cwd": "src"}),
        ("next", "hours", {"hours": 0}),
        ("start", "claude_session", {"claude_session": ""}),
    ]
    with place.running() as quotad:
        for method, name, params in wrong:
            with pytest.raises(Refused) as told:
                ask(quotad, method, **params)
            assert wire.INVALID_PARAMS == told.value.error["code"]
            assert told.value.error["message"].startswith(f"{name}: ")


def test_a_queue_goes_out_and_comes_in_again(place: Place) -> None:
    """What ``queue.export`` gives ``queue.import`` takes; a task list in Markdown, too."""
    with place.running() as quotad:
        add(quotad, "a")
        add(quotad, "b", depends_on=["a"])
        text = ask(quotad, "queue.export")["text"]
        for which in ("b", "a"):
            ask(quotad, "queue.remove", id=which)
        assert ["a", "b"] == ask(quotad, "queue.import", text=text, form="json")["added"]
        assert {"a": "ready", "b": "blocked"} == sessions(place)
        tasks = "- [ ] Write the guide (30k, 2h, high)\n- [ ] Check it (5k, after: write-the-guide)\n"
        added = ask(quotad, "queue.import", text=tasks, form="markdown")["added"]
        assert ["write-the-guide", "check-it"] == added
        again = ask(quotad, "queue.import", text=f"{tasks}- [ ] More\n- [x] Less", form="markdown")
        assert {
            "added": ["more", "less"],
            "kept": ["write-the-guide", "check-it"],
            "assumed": ["more"],
        } == again


def test_the_calendar_is_listed_and_written_anew(place: Place) -> None:
    """A file that somebody spoilt is whole after ``calendar.export``; its UID stays over a restart."""
    with place.running() as quotad:
        add(quotad, "docs")
        booked = ask(quotad, "schedule", id="docs", at="2030-01-01T10:00:00Z")
        [before] = ask(quotad, "calendar.list")["events"]
    with place.running() as quotad:
        Path(booked["ics"]).write_text("spoilt")
        calendar = ask(quotad, "calendar.export")
        assert [before] == calendar["events"]
        assert before["uid"] in Path(booked["ics"]).read_text()
        assert before["uid"] in Path(calendar["all"]).read_text()


def test_a_restart_forgets_nothing(place: Place) -> None:
    """What is in progress, booked and complete is so afterwards, and reserved as before."""
    with place.running() as quotad:
        for which in ("a", "b", "c"):
            add(quotad, which, tokens=30_000)
        ask(quotad, "start", id="a", claude_session="c-1")
        ask(quotad, "schedule", id="b", at="2030-01-01T10:00:00Z")
        ask(quotad, "queue.done", id="c")
        before = (ask(quotad, "queue.list"), quotad.window()["available"])
        quotad.stop()
    with place.running() as quotad:
        assert before == (ask(quotad, "queue.list"), quotad.window()["available"])
        assert 170_000 == before[1]


def test_a_claude_session_that_ends_gives_back_what_it_did_not_spend(place: Place) -> None:
    """The hook's line in the session log is enough; the planned session stays in progress."""
    with place.running() as quotad:
        add(quotad, "docs", tokens=30_000)
        ask(quotad, "start", claude_session=SESSION)
        spend(place, 1_000)
        assert 200_000 - 30_000 == quotad.window()["available"]
        log(place, "session_end", at_ms=now_ms())
        assert 200_000 - 1_000 == quotad.window()["available"]
        assert ["docs"] == quotad.status()["queue"]["in_progress"]
        wait_until(lambda: ask(quotad, "queue.show", id="docs")["runs"][0]["ended_at"])


def test_subscribers_hear_of_the_queue(place: Place) -> None:
    """A change of the queue is a change of the status."""
    with place.running() as quotad, line_to(place) as line:
        line.say(wire.request("subscribe", {}, 1))
        line.hear()
        add(quotad, "docs")
        while True:
            heard: Answer = line.hear()
            status = heard["params"]["status"]
            if status["queue"]["ready"]:
                break
        assert 1 == status["queue"]["ready"]


def test_a_window_without_a_limit_has_nothing_that_could_be_counted(place: Place) -> None:
    """What remains of it and is available are null, and it is in nobody's way until it is used up."""
    now = now_ms() // 1000
    with place.running() as quotad:
        add(quotad, "docs")
        for percent, action in ((40, "start"), (100, "schedule")):
            limits = {"seven_day": {"used_percentage": percent, "resets_at": now + 86_400}}
            text = json.dumps({"session_id": f"c-{percent}", "rate_limits": limits})
            ask(quotad, "statusline", text=text, root=str(place.claude), columns=80)
            decision, (_, week) = ask(quotad, "next"), quotad.status()["windows"]
            assert (None, None, None) == (week["limit"], week["remaining"], week["available"])
            assert action == decision["action"]
        at = wire.instant(ask(quotad, "next")["schedule_for"])
        assert now * 1000 + 86_460_000 == at


def test_working_hours_are_kept_to(place: Place) -> None:
    """A booking without a time lies inside them; a reload of the settings changes them."""
    place.config.write_text(f'working_hours = ["Mon 03:00-04:00"]\n{SETTINGS}')
    with place.running() as quotad:
        spend(place, 200_000)
        add(quotad, "docs")
        at = datetime.fromisoformat(ask(quotad, "schedule", id="docs")["scheduled_for"]).astimezone()
        assert (0, 3) == (at.weekday(), at.hour)
        place.config.write_text(f'working_hours = ["Tue 05:00-06:00"]\n{SETTINGS}')
        quotad.request("reload")
        at = datetime.fromisoformat(ask(quotad, "schedule", id="docs")["scheduled_for"]).astimezone()
        assert (1, 5) == (at.weekday(), at.hour)


def test_once_changes_nothing_of_the_plan(place: Place) -> None:
    """``quotad --once`` writes what is booked into the snapshot, and neither queue nor calendar."""
    session = {"id": "docs", "estimatedTokens": 5_000, "status": "scheduled"}
    write(place, {"sessions": [session | {"scheduledFor": "2030-01-01T10:00:00Z"}]})
    before = (place.claude / "session-queue.json").read_bytes()
    place.once()
    assert before == (place.claude / "session-queue.json").read_bytes()
    assert not (place.claude / "calendar").exists()
    [scheduled] = json.loads((place.claude / "quota-tracker.json").read_text())["scheduledSessions"]
    assert "docs" == scheduled["id"]
