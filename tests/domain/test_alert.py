"""Each thing worth saying is said once."""

from __future__ import annotations

from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from quotad.domain.effects import Announce, Effect
from quotad.domain.inputs import (
    CaughtUp,
    PolicyChanged,
    ProblemCleared,
    ProblemRaised,
    QuietChanged,
    Remembered,
    Seen,
    Woke,
)
from quotad.domain.instant import HOUR, MINUTE, Instant
from quotad.domain.level import Level
from quotad.domain.notice import Mark, ProblemNotice, ResetNotice, SessionNotice, ThresholdNotice
from quotad.domain.policy import Policy
from quotad.domain.session import LogKind
from quotad.domain.state import State
from quotad.domain.step import step
from quotad.domain.usage import UsageEvent
from tests.domain.build import ANA, T0, announced, call, log, play, reading, started


def thresholds(effects: list[Effect]) -> list[float]:
    """The thresholds announced, in order."""
    return [
        effect.notice.threshold for effect in announced(effects) if isinstance(effect.notice, ThresholdNotice)
    ]


def minutes(effects: list[Effect]) -> list[float]:
    """The session marks announced, in minutes, in order."""
    return [
        effect.notice.mark / MINUTE
        for effect in announced(effects)
        if isinstance(effect.notice, SessionNotice)
    ]


def marks(effects: list[Effect]) -> tuple[Mark, ...]:
    """What is to be remembered."""
    return tuple(mark for effect in announced(effects) for mark in effect.marks)


def spend(state: State, message: str, output: int, now: Instant = T0) -> list[Effect]:
    """One call of ``output`` tokens."""
    return step(state, Seen(ANA, (call(message, now, output=output),)), now)


def test_each_threshold_is_announced_when_it_is_crossed() -> None:
    """50, 75, 90 and 95 per cent, each once, as use rises call by call."""
    state = started()
    effects = [effect for n in range(20) for effect in spend(state, str(n), 10_000, T0 + n)]
    assert [50.0, 75.0, 90.0, 95.0] == thresholds(effects)


def test_a_jump_over_several_announces_only_the_highest() -> None:
    """The lower ones are said with it, and never again."""
    state = started()
    effects = spend(state, "m", 181_000)
    assert [90.0] == thresholds(effects)
    assert [50.0, 75.0, 90.0] == [mark.value for mark in marks(effects)]
    assert [95.0] == thresholds(spend(state, "n", 10_000))


def test_a_notice_carries_what_a_person_needs() -> None:
    """Level, what remains of which limit, when it resets and when it runs out."""
    (found,) = announced(spend(started(), "m", 150_000))
    notice = cast("ThresholdNotice", found.notice)
    assert (75.0, Level.WARNING, 50_000, 200_000, T0 + 5 * HOUR) == (
        notice.percent,
        notice.level,
        notice.remaining,
        notice.limit,
        notice.resets_at,
    )


def test_nothing_is_announced_twice_across_restarts() -> None:
    """What was announced is remembered by the window it was about."""
    before = spend(started(), "m", 100_000)
    state = started(caught_up=False)
    play(state, (Remembered(marks(before)), T0), (Seen(ANA, (call("m", output=100_000),)), T0))
    assert [] == thresholds(step(state, CaughtUp(), T0))


def test_an_anchor_that_moves_a_little_announces_nothing_again() -> None:
    """A line that comes late moves the window's beginning; more than half of it is the same."""
    state = started()
    spend(state, "m", 100_000, T0)
    assert [] == thresholds(step(state, Seen(ANA, (call("late", T0 - HOUR, output=1),)), T0 + 1))


def test_the_next_window_announces_anew() -> None:
    """A threshold is announced once for each window."""
    state = started()
    spend(state, "m", 100_000)
    assert [50.0] == thresholds(spend(state, "n", 100_000, T0 + 5 * HOUR))


def test_nothing_is_announced_while_history_is_being_read() -> None:
    """Once caught up, the highest that stands is."""
    state = started(caught_up=False)
    assert [] == thresholds(spend(state, "m", 190_000))
    assert [95.0] == thresholds(step(state, CaughtUp(), T0))


def test_a_window_that_is_over_announces_nothing() -> None:
    """Usage of a window that ended is history."""
    state = started(now=T0 + 6 * HOUR)
    assert [] == thresholds(step(state, Seen(ANA, (call("m", T0, output=199_000),)), T0 + 6 * HOUR))


def test_in_quiet_hours_nothing_is_said_and_later_once_what_still_holds() -> None:
    """Quiet hours mark nothing: at their end the highest that stands is announced."""
    state = started()
    play(state, (QuietChanged(quiet=True), T0))
    assert [] == thresholds(spend(state, "m", 110_000) + spend(state, "n", 50_000))
    assert [75.0] == thresholds(step(state, QuietChanged(quiet=False), T0 + 1))
    assert [] == thresholds(step(state, Woke(), T0 + 2))


def test_thresholds_are_the_users() -> None:
    """Configured thresholds replace the four."""
    state = started(Policy(thresholds=(10.0,)))
    assert [10.0] == thresholds(spend(state, "m", 199_000))


def test_a_limit_hit_announces_the_highest() -> None:
    """A reading of 100 % is a crossing like any other."""
    state = started()
    effects = step(state, Seen(ANA, readings=(reading(100, T0 + HOUR, T0),)), T0)
    assert [95.0] == thresholds(effects)


def test_a_session_is_warned_at_sixty_thirty_and_five_minutes() -> None:
    """Each mark once, as time passes, while the session is in use."""
    state = started()
    effects = step(state, Seen(ANA, logs=(log(LogKind.START),)), T0)
    for minute in range(0, 301, 5):
        now = T0 + minute * MINUTE
        effects += step(state, Seen(ANA, logs=(log(LogKind.MESSAGE, now),)), now)
    assert [60.0, 30.0, 5.0] == minutes(effects)


def test_time_alone_makes_a_mark_due() -> None:
    """The domain asks to be woken at the mark and warns when it is."""
    state = started()
    now = T0 + 4 * HOUR - MINUTE
    play(state, (Seen(ANA, logs=(log(LogKind.START), log(LogKind.MESSAGE, now))), now))
    assert T0 + 4 * HOUR == state.wake_at
    assert [60.0] == minutes(step(state, Woke(), T0 + 4 * HOUR))


def test_after_a_start_only_the_nearest_mark_is_said() -> None:
    """Twenty minutes before the end the sixty-minute warning is no news."""
    state = started()
    now = T0 + 5 * HOUR - 20 * MINUTE
    effects = step(state, Seen(ANA, logs=(log(LogKind.START), log(LogKind.MESSAGE, now))), now)
    assert [30.0] == minutes(effects)
    assert [60.0, 30.0] == [mark.value for mark in marks(effects)]


def test_an_idle_session_is_not_warned() -> None:
    """Nobody waits for a session that was last active more than half an hour ago."""
    state = started()
    step(state, Seen(ANA, logs=(log(LogKind.START),)), T0)
    assert [] == minutes(step(state, Woke(), T0 + 4 * HOUR))


def test_an_ended_session_is_not_warned() -> None:
    """``session_end`` ends it."""
    state = started()
    now = T0 + 4 * HOUR
    logs = (log(LogKind.START), log(LogKind.MESSAGE, now), log(LogKind.END, now))
    assert [] == minutes(step(state, Seen(ANA, logs=logs), now))


def test_a_reset_is_announced_only_if_wanted() -> None:
    """It is a setting, off by default, and said once."""
    wanted = started(Policy(notice_on_reset=True))
    unwanted = started()
    for state, expected in ((wanted, 1), (unwanted, 0)):
        spend(state, "m", 100)
        effects = step(state, Woke(), T0 + 5 * HOUR) + step(state, Woke(), T0 + 5 * HOUR + 1)
        found = [one for one in announced(effects) if isinstance(one.notice, ResetNotice)]
        assert expected == len(found)


def test_a_reset_long_ago_is_no_news() -> None:
    """After a night's sleep nobody is told of it."""
    state = started(Policy(notice_on_reset=True))
    spend(state, "m", 100)
    assert [] == announced(step(state, Woke(), T0 + 5 * HOUR + 11 * MINUTE))


def test_a_problem_is_announced_when_it_arises() -> None:
    """Again only after it was gone; never that the notifier is missing."""
    state = started()
    raised = ProblemRaised("ledger-unavailable", "the disk is full")
    effects = play(
        state,
        (raised, T0),
        (raised, T0 + 1),
        (ProblemRaised("ledger-unavailable", "the disk is still full"), T0 + 2),
        (ProblemCleared("ledger-unavailable"), T0 + 3),
        (ProblemCleared("ledger-unavailable"), T0 + 4),
        (ProblemRaised("notifier-unavailable", "no bus"), T0 + 5),
        (raised, T0 + 6),
    )
    said = [one.notice for one in announced(effects)]
    assert [
        ProblemNotice("ledger-unavailable", "the disk is full", T0),
        ProblemNotice("ledger-unavailable", "the disk is full", T0 + 6),
    ] == said


@given(steps=st.lists(st.integers(1, 60_000), max_size=12), cuts=st.sets(st.integers(0, 12)))
def test_over_any_run_with_restarts_each_threshold_comes_at_most_once(
    steps: list[int], cuts: set[int]
) -> None:
    """Restarts, which forget everything but events and marks, repeat nothing and miss nothing."""
    policy = Policy()
    state = started(policy)
    said: list[Announce] = []
    events: list[UsageEvent] = []
    for n, output in enumerate(steps):
        if n in cuts:
            state = started(policy, caught_up=False)
            kept = tuple(mark for one in said for mark in one.marks)
            said += announced(
                play(state, (Remembered(kept), T0), (Seen(ANA, tuple(events)), T0), (CaughtUp(), T0))
            )
        events.append(call(str(n), T0 + n, output=output))
        said += announced(step(state, Seen(ANA, (events[-1],)), T0 + n))
    values = [mark.value for one in said for mark in one.marks]
    spent = sum(steps)
    assert [one for one in policy.thresholds if one <= spent / 2000] == values


def test_policy_change_keeps_what_was_announced() -> None:
    """Reloading settings repeats nothing."""
    state = started()
    spend(state, "m", 100_000)
    effects = play(
        state,
        (PolicyChanged(state.policy, (ANA,)), T0),
        (Seen(ANA, (call("m", output=100_000),)), T0),
    )
    assert [] == thresholds(effects)
