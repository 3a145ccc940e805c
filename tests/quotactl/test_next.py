"""The decision as people and programs see it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotactl import text
from quotactl.decision_text import booked_lines, decision_lines, prompt_of, what_next_lines
from quotactl.text import HARD
from quotad import wire
from quotad.wire import planning
from tests.quotactl.conftest import Surroundings
from tests.quotactl.fake_daemon import Error, FakeDaemon
from tests.quotactl.planned import decision, later, nothing, planned, scheduled, smaller
from tests.quotactl.replies import NOW, view
from tests.quotactl.snapshot import assert_snapshot

NOW_MS = wire.instant(NOW)

DECISIONS: dict[str, planning.DecisionReply] = {
    "start": decision(),
    "schedule": later(),
    "smaller": smaller(),
    "nothing": nothing(),
    "huge": later(
        session=planned("rewrite", estimatedTokens=900_000, estimatedHours=30.0),
        reason="rewrite needs 900k tokens, a whole window holds 200k.",
        exceeds_window=True,
        parts=5,
        fit_probability=0.873,
        alternatives=[{"session": planned(f"part-{number}"), "fits": False} for number in range(12)],
        blocked=[{"id": f"after-{number}", "by": ["rewrite"]} for number in range(7)],
    ),
}


def shown(name: str, width: int, *, numbered: bool = False) -> str:
    """A decision of this width as text, with what to do next."""
    reply, wide = DECISIONS[name], view(width)
    lines = [*decision_lines(reply, NOW_MS, wide, numbered=numbered), *what_next_lines(reply, wide)]
    return text.paint(lines, wide)


@pytest.mark.parametrize("width", [80, 60, 40])
@pytest.mark.parametrize("name", DECISIONS)
def test_a_decision_looks_like_its_snapshot(name: str, width: int) -> None:
    """What to do, with what budget and why; then what else there is."""
    assert_snapshot(f"decision-{name}-{width}", shown(name, width))


def test_for_a_choice_the_others_bear_numbers() -> None:
    """As many as one digit can name."""
    assert_snapshot("decision-choice", shown("huge", 80, numbered=True))


@given(
    st.sampled_from(sorted(DECISIONS)),
    st.integers(24, 100),
    st.text(max_size=70),
    st.integers(0, 10**12),
    st.booleans(),
)
def test_no_line_is_too_wide(name: str, width: int, words: str, tokens: int, numbered: bool) -> None:
    """In no width, with no id, objective or number, though the file was edited by hand."""
    odd = planned(words, phase=words, estimatedTokens=tokens, objectives=[words], agent=words, cwd=words)
    reply = DECISIONS[name] | {
        "session": odd,
        "alternatives": [*DECISIONS[name]["alternatives"], {"session": odd, "fits": True}],
    }
    wide = view(width)
    said = text.paint(decision_lines(reply, NOW_MS, wide, numbered=numbered), wide)
    assert max(text.cells(line) for line in said.split("\n")) <= width


def test_the_daemon_is_asked_with_the_hours(here: Surroundings) -> None:
    """In hours, however they were written, and for no session in particular."""
    with FakeDaemon(here.socket, {"next": decision()}) as daemon:
        result = here.run("next", "--hours", "90m")
    assert (0, "") == (result.exit_code, result.stderr)
    assert ("next", {"hours": 1.5, "id": None}) == daemon.asked[-1]
    assert result.stdout.startswith("Start now: api")


@pytest.mark.parametrize("word", ["", " "])
def test_no_hours_are_any(here: Surroundings, word: str) -> None:
    """A slash command passes on what it was given, which may be nothing."""
    with FakeDaemon(here.socket, {"next": decision()}) as daemon:
        assert here.run("next", "--hours", word).exit_code == 0
    assert ("next", {"hours": None, "id": None}) == daemon.asked[-1]


@pytest.mark.parametrize("reply", DECISIONS.values(), ids=DECISIONS)
def test_json_is_exactly_the_result(here: Surroundings, reply: planning.DecisionReply) -> None:
    """Whatever is decided: none is an answer, and no failure."""
    with FakeDaemon(here.socket, {"next": reply}):
        result = here.run("next", "--json")
    assert (0, reply) == (result.exit_code, json.loads(result.stdout))


@pytest.mark.parametrize("word", ["0", "-1", "1001", "soon"])
def test_hours_that_are_none_are_wrong_usage(here: Surroundings, word: str) -> None:
    """They are found before a daemon is looked for, with the forms that are possible."""
    result = here.run("next", "--hours", word)
    assert (2, "") == (result.exit_code, result.stdout)
    assert "is no number of hours. Say 4, 1.5, 90m" in " ".join(result.stderr.split())


def test_a_refusal_is_1(here: Surroundings) -> None:
    """With the daemon's own words."""
    refusal = Error(code=wire.REFUSED, message="line 7: tokens", data={"code": "queue-invalid"})
    with FakeDaemon(here.socket, {"next": refusal}):
        result = here.run("next")
    assert (1, "", "line 7: tokens\n") == (result.exit_code, result.stdout, result.stderr)


def test_the_prompt_says_all_that_claude_needs() -> None:
    """What, to which end, within what, and how to call it done."""
    assert_snapshot("prompt", prompt_of(planned(notes="Ask Ben about invoices.")))


@given(st.text(max_size=30), st.lists(st.text(max_size=30), max_size=3))
def test_a_prompt_is_never_an_option_or_a_command(name: str, objectives: list[str]) -> None:
    """Whatever the file holds, it begins as a sentence and can be an argument of a program."""
    prompt = prompt_of(planned(name, objectives=objectives))
    assert prompt.startswith("This is the planned session ")
    assert "\0" not in prompt
    assert HARD not in prompt


def test_a_booking_names_its_time_and_its_file() -> None:
    """And says what is odd about it."""
    warning = "rewrite is larger than a window: it is alone in a fresh one."
    lines = booked_lines(scheduled(warning=warning), NOW_MS, view())
    assert_snapshot("booked", text.paint(lines, view()))


def test_a_booking_for_now_says_how_to_start() -> None:
    """Nothing starts by itself."""
    reply = scheduled(scheduled_for=NOW)
    said = text.paint(booked_lines(reply, NOW_MS, view()), view())
    assert "api is booked for now." in said
    assert said.endswith("Start it: quotactl start api")


@pytest.mark.parametrize(
    ("deadline", "warning"),
    [
        ("2026-11-22T13:00:00.000Z", "! It begins after its deadline, 14:00."),
        ("2026-11-22T17:40:59.999Z", "! It ends after its deadline, 18:40."),
        ("2026-11-22T17:41:00.000Z", ""),
    ],
)
def test_a_booking_after_the_deadline_is_warned_about(deadline: str, warning: str) -> None:
    """It begins at 14:41 and takes four hours."""
    reply = scheduled(session=planned(deadline=deadline))
    said = text.paint(booked_lines(reply, NOW_MS, view()), view()).split("\n")
    assert [warning] * bool(warning) == [line for line in said if line.startswith("!")]


def test_a_queue_that_is_not_the_files_is_said_first() -> None:
    """Before a decision that may be about sessions that are gone."""
    lines = decision_lines(decision(problem="line 7: tokens: must be a number"), NOW_MS, view())
    assert text.paint(lines, view()).startswith("! line 7: tokens: must be a number\n\nStart now: api")
