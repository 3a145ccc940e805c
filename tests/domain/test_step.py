"""The one door: anchors, the reach of memory, and time."""

from __future__ import annotations

import itertools
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st

from quotad.domain.effects import Anchor, Changed, Effect, Recall, WakeAt
from quotad.domain.inputs import (
    Anchored,
    CaughtUp,
    FellBehind,
    PolicyChanged,
    Recalled,
    Remembered,
    Seen,
    Woke,
)
from quotad.domain.instant import CLOCK_SLACK, DAY, HOUR, MINUTE, Instant
from quotad.domain.notice import Mark
from quotad.domain.policy import FIVE_HOUR, Policy, WindowSpec
from quotad.domain.session import LogKind
from quotad.domain.standing import standing
from quotad.domain.state import State
from quotad.domain.step import step
from quotad.domain.usage import AccountId, SessionId, UsageEvent
from tests.domain.build import ANA, T0, announced, call, log, play, reading, started

STRANGER = AccountId("/nowhere")
HORIZON = T0 - 6 * HOUR
"""Where memory begins in a state that was started at T0."""
E = TypeVar("E", bound=Effect)


def only(effects: list[Effect], kind: type[E]) -> list[E]:
    """The effects of one kind."""
    return [effect for effect in effects if isinstance(effect, kind)]


def opened(state: State, now: Instant) -> Instant | None:
    """When the running window opened."""
    return standing(state, now).windows[0].opened_at


def test_at_first_the_ledger_on_disk_is_asked() -> None:
    """A policy brings the question for what is known, and for where chains resume."""
    effects = step(State(Policy()), PolicyChanged(Policy(), (ANA,)), T0)
    horizon = T0 - 6 * HOUR
    assert [Recall(ANA, horizon)] == only(effects, Recall)
    (anchor,) = only(effects, Anchor)
    assert (horizon, [FIVE_HOUR]) == (anchor.before, [spec.name for spec in anchor.windows])


def test_an_answer_about_older_events_moves_the_window() -> None:
    """The chain resumes where the last older window ended, so an event before that opens nothing."""
    state = started()
    step(state, Seen(ANA, (call("m", T0 - HOUR), call("n", T0))), T0)
    assert T0 - HOUR == opened(state, T0)
    effects = step(state, Anchored(ANA, HORIZON, {FIVE_HOUR: T0 - MINUTE}, {}), T0)
    assert T0 == opened(state, T0)
    assert [Changed()] == only(effects, Changed)


def test_an_answer_about_another_horizon_is_asked_for_again() -> None:
    """Memory was cut back while the question was open: the old answer would forget the running window."""
    state = started()
    step(state, Seen(ANA, (call("m"), call("old", T0 - 30 * HOUR))), T0)
    (asked,) = only(step(state, Anchored(ANA, HORIZON - 1, {FIVE_HOUR: T0 + HOUR}, {}), T0), Anchor)
    assert HORIZON == asked.before
    assert T0 == opened(state, T0)


def test_nothing_is_announced_while_the_ledger_on_disk_is_asked() -> None:
    """A window that reaches further back is known once everything was recalled: then the highest."""
    state = started()
    policy = Policy(windows=(*Policy().windows, WindowSpec("daily", DAY, 1000)))
    step(state, PolicyChanged(policy, (ANA,)), T0)
    effects = play(
        state,
        *((Seen(ANA, (call(str(n), T0 - 10 * HOUR, output=200),)), T0) for n in range(4)),
        (Anchored(ANA, HORIZON, {}, {}), T0),
    )
    assert [] == announced(effects)
    reach = T0 - DAY - HOUR
    assert [] == announced(step(state, Anchored(ANA, reach, {}, {}), T0))
    (announce,) = announced(step(state, Anchored(ANA, reach, {}, {SessionId("s"): None}), T0))
    assert [50.0, 75.0] == [mark.value for mark in announce.marks]


def test_a_copy_of_a_call_further_back_is_taken_away_again() -> None:
    """A replay comes first; the ledger on disk knows the call that stands, from before memory begins."""
    state = started()
    copy = call("m", T0, request="b", sidechain=True)
    step(state, Seen(ANA, (copy,)), T0)
    assert 100 == standing(state, T0).windows[0].spent
    step(state, Seen(ANA, (call("m", T0 - 9 * HOUR, request="a"), copy)), T0)
    assert not standing(state, T0).windows[0].is_open


def test_falling_behind_is_told() -> None:
    """Until it has caught up again the numbers are provisional."""
    state = started()
    step(state, FellBehind(), T0)
    assert not standing(state, T0).caught_up


def test_the_same_answer_again_changes_nothing() -> None:
    """An anchor that did not move wakes nobody."""
    assert [] == only(step(started(), Anchored(ANA, HORIZON, {}, {}), T0), Changed)


def test_an_event_older_than_memory_asks_for_new_anchors_once() -> None:
    """While the question is open it is not repeated; afterwards it is, if more came."""
    state = started()
    old = Seen(ANA, (call("m", T0 - 30 * HOUR),), (log(LogKind.START, T0 - 30 * HOUR),))
    assert 1 == len(only(step(state, old, T0), Anchor))
    assert [] == only(step(state, old, T0), Anchor)
    assert 1 == len(only(step(state, Anchored(ANA, HORIZON, {}, {}), T0), Anchor))


def test_an_old_reading_asks_for_new_anchors_too() -> None:
    """Readings act on history."""
    old = Seen(ANA, readings=(reading(100, T0 - 20 * HOUR, T0 - 22 * HOUR),))
    assert 1 == len(only(step(started(), old, T0), Anchor))


def test_an_old_usage_line_measures_a_session_that_is_estimated() -> None:
    """The session's estimates give way, however old its usage is."""
    state = started()
    step(state, Seen(ANA, logs=(log(LogKind.TOOL_RESULT, tool="Edit"),)), T0)
    assert 1500 == standing(state, T0).windows[0].spent
    old = (call("m", T0 - 30 * HOUR), call("n", T0 - 30 * HOUR, session="x"))
    assert [Changed()] == only(step(state, Seen(ANA, old), T0), Changed)
    step(state, Seen(ANA, logs=(log(LogKind.TOOL_RESULT, session="x", tool="Edit"),)), T0)
    assert 0 == standing(state, T0).windows[0].spent


def test_what_the_ledger_on_disk_recalls_counts() -> None:
    """Events, readings and measured sessions come back after a restart."""
    state = started()
    recalled = Recalled(
        ANA,
        T0 - 6 * HOUR,
        (call("m", T0 - HOUR),),
        (log(LogKind.TOOL_RESULT, T0, session="other", tool="Edit"),),
        (reading(40, T0 + 3 * HOUR, T0 - MINUTE),),
        frozenset({SessionId("other")}),
    )
    step(state, recalled, T0)
    window = standing(state, T0).windows[0]
    assert (100, 40.0) == (window.spent, window.percent)


def test_news_of_an_unknown_account_is_let_go() -> None:
    """Settings may have dropped the account while its files were being read."""
    state = started()
    before = standing(state, T0)
    play(
        state,
        (Seen(STRANGER, (call("m"),)), T0),
        (Recalled(STRANGER, T0, (call("m"),), (), (), frozenset()), T0),
        (Anchored(STRANGER, HORIZON, {}, {}), T0),
    )
    assert before == standing(state, T0)


def test_memory_is_cut_back_and_the_window_stays() -> None:
    """Hours later old events are gone, and the running window is still the same."""
    state = started()
    events = tuple(call(str(n), T0 + n * HOUR, session=f"s{n % 2}") for n in range(13))
    for event in events:
        step(state, Seen(ANA, (event,)), event.at)
    step(state, Seen(ANA, readings=(reading(10, T0 - HOUR, T0 - 2 * HOUR),)), T0 + 12 * HOUR)
    now = T0 + 12 * HOUR + 30 * MINUTE
    step(state, Woke(), now)
    account = state.accounts[ANA]
    assert account.horizon > T0 + 4 * HOUR
    assert {} == account.readings
    assert (T0 + 10 * HOUR, 300) == (opened(state, now), standing(state, now).windows[0].spent)
    assert [(T0 + 7 * HOUR, 300), (T0 + 12 * HOUR, 100)] == sorted(
        (one.opened_at, one.spent) for one in standing(state, now).sessions
    )


@given(st.lists(st.integers(0, 40 * 12), min_size=1, max_size=40), st.integers(1, 7))
def test_trimming_never_moves_a_window(fives: list[int], pause: int) -> None:
    """A state that forgets as it goes stands where one that saw everything at once stands."""
    events = [call(str(n), T0 + five * 5 * MINUTE) for n, five in enumerate(sorted(fives))]
    going = started()
    for event in events:
        step(going, Seen(ANA, (event,)), event.at)
    now = events[-1].at + pause * HOUR
    step(going, Woke(), now)
    patient = started(now=T0)
    step(patient, Seen(ANA, tuple(events)), T0)
    assert standing(patient, now).windows[0] == standing(going, now).windows[0]


def test_a_longer_window_reaches_further_back() -> None:
    """The first weekly reading asks the ledger on disk for the week."""
    state = started()
    seen = Seen(ANA, readings=(reading(23, T0 + DAY, T0, window="seven_day"),))
    (recall,) = only(step(state, seen, T0), Recall)
    assert T0 - 7 * DAY - HOUR == recall.since


def test_settings_can_add_a_window() -> None:
    """A policy with a longer window recalls what it needs; what is in memory stays there."""
    state = started()
    step(state, Seen(ANA, (call("m"),)), T0)
    policy = Policy(windows=(*Policy().windows, WindowSpec("daily", DAY, 10)))
    (recall,) = only(step(state, PolicyChanged(policy, (ANA,)), T0), Recall)
    assert T0 - DAY - HOUR == recall.since
    assert [100, 100] == [window.spent for window in standing(state, T0).windows]


def test_other_prices_hold_for_what_is_there_already() -> None:
    """Estimates in memory are priced anew, at once and without asking the ledger on disk."""
    state = started()
    edits = tuple(log(LogKind.TOOL_RESULT, tool="Edit", key=key) for key in "ab")
    step(state, Seen(ANA, (call("m", session="t"),), edits), T0)
    effects = step(state, PolicyChanged(Policy(estimates={"Edit": 7}), (ANA,)), T0)
    assert ([], 114) == (only(effects, Recall), standing(state, T0).windows[0].spent)
    step(state, Seen(ANA, logs=(log(LogKind.TOOL_RESULT, tool="Edit", key="c"),)), T0)
    assert 121 == standing(state, T0).windows[0].spent
    assert state.caught_up


def test_a_new_account_has_to_catch_up() -> None:
    """Nothing is announced while its history is being read."""
    state = started()
    step(state, PolicyChanged(state.policy, (ANA, STRANGER)), T0)
    assert not state.caught_up


def test_a_future_event_is_waited_for() -> None:
    """The domain asks to be woken when its time has come."""
    state = started()
    effects = step(state, Seen(ANA, (call("m", T0 + HOUR),)), T0)
    (wake,) = only(effects, WakeAt)
    assert not standing(state, wake.at - 1).windows[0].is_open
    assert standing(state, wake.at).windows[0].is_open


def test_a_reading_of_the_future_is_waited_for() -> None:
    """Until its time has come it fixes no window and cuts none short; the domain asks to be woken then."""
    state = started()
    told = reading(100, T0 + 6 * HOUR, T0 + 3 * HOUR)
    effects = step(state, Seen(ANA, (call("m"),), (), (told,)), T0)
    assert T0 + 5 * HOUR == standing(state, T0).windows[0].resets_at
    due = told.received_at - CLOCK_SLACK + 1
    assert [due] == [wake.at for wake in only(effects, WakeAt)]
    assert T0 + 5 * HOUR == standing(state, due - 1).windows[0].resets_at
    assert T0 + 6 * HOUR == standing(state, due).windows[0].resets_at


def test_the_same_moment_is_not_asked_for_twice() -> None:
    """A wake-up that is set stays set until it came or another is nearer."""
    state = started()
    step(state, Seen(ANA, (call("m"),)), T0)
    assert [] == only(step(state, Seen(ANA, (call("n"),)), T0), WakeAt)
    assert 1 == len(only(step(state, Woke(), T0 + 1), WakeAt))


def test_a_repeat_changes_nothing() -> None:
    """Reading the same lines again makes no new version."""
    state = started()
    step(state, Seen(ANA, (call("m"),)), T0)
    version = state.version
    assert [] == step(state, Seen(ANA, (call("m"),)), T0)
    assert version == state.version


def test_marks_of_long_ago_are_not_kept() -> None:
    """Two months after a window's end nobody asks what was said of it."""
    state = started()
    recent = Mark(ANA, "threshold", FIVE_HOUR, 50.0, T0 - HOUR, T0 + 4 * HOUR)
    old = Mark(ANA, "threshold", FIVE_HOUR, 50.0, T0 - 90 * DAY, T0 - 89 * DAY)
    step(state, Remembered((recent, old)), T0)
    assert [recent] == list(state.marks)


def test_catching_up_is_told() -> None:
    """From then on the numbers are final."""
    state = started(caught_up=False)
    step(state, CaughtUp(), T0)
    assert standing(state, T0).caught_up


@given(st.permutations([call(str(n), T0 + n * 50 * MINUTE) for n in range(8)]), st.sets(st.integers(1, 7)))
def test_order_and_cuts_do_not_matter(events: list[UsageEvent], cuts: set[int]) -> None:
    """Any order in any portions gives the same standing."""
    now = T0 + 7 * HOUR
    expected = started(now=now)
    step(expected, Seen(ANA, tuple(sorted(events, key=lambda one: one.at))), now)
    state = started(now=now)
    edges = [0, *sorted(cuts), len(events)]
    for begin, end in itertools.pairwise(edges):
        step(state, Seen(ANA, tuple(events[begin:end])), now)
    assert standing(expected, now) == standing(state, now)
