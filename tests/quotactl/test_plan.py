"""The whole queue over the coming windows, as text and as JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotactl import text
from quotactl.plan import plan_lines
from quotad import wire
from quotad.wire import planning
from tests.quotactl.conftest import Surroundings
from tests.quotactl.fake_daemon import FakeDaemon
from tests.quotactl.planned import PLAN, planned
from tests.quotactl.replies import NOW, view
from tests.quotactl.snapshot import assert_snapshot

NOW_MS = wire.instant(NOW)


def shown(reply: planning.PlanReply, width: int) -> str:
    """The plan as text of this width."""
    return text.paint(plan_lines(reply, NOW_MS, view(width)), view(width))


@pytest.mark.parametrize("width", [80, 60, 40, 24])
def test_a_plan_looks_like_its_snapshot(width: int) -> None:
    """Window after window with what is in it; then what is in none, and what is late."""
    assert_snapshot(f"plan-{width}", shown(PLAN, width))


def test_a_plan_of_nothing_says_how_to_begin() -> None:
    """An empty table would look like a fault."""
    said = shown({"windows": PLAN["windows"][2:3], "unplaced": [], "late": [], "problem": None}, 80)
    assert said.startswith("Nothing is planned.\n")
    assert "quotactl queue add" in said


def test_a_queue_that_is_not_the_files_is_said_first() -> None:
    """Even above an empty plan."""
    empty = {"windows": [], "unplaced": [], "late": [], "problem": "line 7: no number"}
    for reply in (PLAN | {"problem": "line 7: no number"}, empty):
        assert shown(reply, 80).startswith("! line 7: no number\n\n")  # type: ignore[arg-type]


def test_what_cannot_hold_its_time_stands_there_and_is_said() -> None:
    """Below the windows, with what moves it."""
    window = PLAN["windows"][1]
    booked = window["placements"][0].copy()
    booked["against"] = "has no room then"
    said = shown(PLAN | {"windows": [window | {"placements": [booked]}]}, 80)
    name = booked["session"]["id"]
    assert f"! {name} has no room then: `quotactl schedule {name}` moves it." in said
    assert "has no room" not in shown(PLAN, 80)


@given(
    st.integers(24, 100), st.text(max_size=70), st.integers(0, 10**12), st.integers(0, 10**9), st.booleans()
)
def test_no_line_is_too_wide(width: int, words: str, tokens: int, room: int, booked: bool) -> None:
    """In no width, with no id, reason or number."""
    odd = planned(words, phase=words, estimatedTokens=tokens, estimatedHours=999.9)
    placement = PLAN["windows"][0]["placements"][0] | {"session": odd, "booked": booked, "against": words}
    windows = [PLAN["windows"][0] | {"placements": [placement], "room": room}, *PLAN["windows"][1:]]
    reply: planning.PlanReply = {
        "windows": windows,
        "unplaced": [{"session": odd, "why": words}],
        "late": [words, "docs"],
        "problem": words,
    }
    assert max(text.cells(line) for line in shown(reply, width).split("\n")) <= width


def test_json_is_exactly_the_result(here: Surroundings) -> None:
    """Empty windows, too."""
    with FakeDaemon(here.socket, {"plan": PLAN}) as daemon:
        assert PLAN == json.loads(here.run("plan", "--json").stdout)
    assert ("plan", {}) == daemon.asked[-1]


def test_without_json_it_is_text(here: Surroundings) -> None:
    """In a pipe at most 80 columns."""
    with FakeDaemon(here.socket, {"plan": PLAN}):
        result = here.run("plan")
    assert result.stdout.rstrip("\n") == shown(PLAN, 80)
