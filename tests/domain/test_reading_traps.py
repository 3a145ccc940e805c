"""Every way in which what the provider says has misled a tool: each a fact, named after its thread."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotad.domain.inputs import Input, PolicyChanged, Seen
from quotad.domain.instant import DAY, HOUR, MINUTE, SECOND, Instant
from quotad.domain.notice import Basis, Notice, ResetNotice, ThresholdNotice
from quotad.domain.policy import Policy, WindowSpec
from quotad.domain.reading import Reading, ReadingSource
from quotad.domain.reported import (
    OLD_PERCENT_GAP,
    OLD_PERCENT_LEAST,
    OLD_PERCENT_SPAN,
    OTHER_RESET,
    PERCENT_LAG,
    fixed_windows,
)
from quotad.domain.standing import Standing, WindowStanding, standing
from quotad.domain.state import REACH_SLACK, State
from quotad.domain.step import step
from quotad.domain.usage import AccountId, UsageEvent
from quotad.domain.window import Window
from tests.domain.build import ANA, T0, announced, call, play, reading, started

BEN = AccountId("/home/ben/.claude")
R: Instant = T0 + 4 * HOUR
"""The reset of the window that runs; it opened an hour before T0."""
OPENED: Instant = R - 5 * HOUR


Said = Reading | UsageEvent


def told(state: State, *said: Said, now: Instant) -> Standing:
    """The standing at ``now``, after all of this."""
    usage = tuple(one for one in said if isinstance(one, UsageEvent))
    readings = tuple(one for one in said if isinstance(one, Reading))
    step(state, Seen(ANA, usage, (), readings), now)
    return standing(state, now)


def five_hour(*said: Said, now: Instant) -> WindowStanding:
    """The five-hour window at ``now``, after all of this."""
    return told(started(now=now), *said, now=now).windows[0]


def line(percent: float, at: Instant, session: str, resets: Instant = R) -> Reading:
    """What the status line of a session said."""
    return reading(percent, resets, at, session=session)


def use(session: str, at: Instant, output: int = 100) -> Said:
    """A call of that session at that instant."""
    return call(f"{session}{at}", at, session=session, output=output)


def early_reset(after: Instant = T0 + HOUR) -> list[Said]:
    """80 % was used; then two sessions, each after a call of its own, are told that it is 2 and 3 %."""
    return [
        use("a", T0, 50_000),
        line(80, T0 + 1, "a"),
        use("b", after),
        line(2, after + 1, "b"),
        use("c", after + MINUTE),
        line(3, after + MINUTE + 1, "c"),
    ]


# Terminals that disagree.


def test_anthropics_claude_code_75408_an_idle_terminal_repeats_what_it_was_told() -> None:
    """Within one window use never goes down, however late the old percentage is rendered."""
    window = five_hour(
        line(40, T0, "idle"), line(61, T0 + MINUTE, "busy"), line(40, T0 + HOUR, "idle"), now=T0 + HOUR
    )
    assert (61.0, T0 + MINUTE) == (window.percent, window.reported and window.reported.received_at)


def test_anthropics_claude_code_75408_a_repeat_is_no_younger_than_what_it_repeats() -> None:
    """The age is that of the provider's word; a call of the session's own renews it."""
    said = [use("a", T0 - 1), line(61, T0, "a"), line(61, T0 + HOUR, "a")]
    window = five_hour(*said, now=T0 + HOUR)
    assert T0 == (window.reported and window.reported.received_at)
    window = five_hour(*said, use("a", T0 + HOUR), now=T0 + HOUR)
    assert T0 + HOUR == (window.reported and window.reported.received_at)


def test_sirmalloc_ccstatusline_560_an_answer_may_lag_by_a_little() -> None:
    """Two sessions that are one per cent behind are no early reset, up to five per cent."""
    for behind, windows in ((PERCENT_LAG, 1), (PERCENT_LAG + 0.5, 2)):
        said = [
            line(80, T0, "a"),
            use("b", T0 + MINUTE),
            line(80 - behind, T0 + MINUTE + 1, "b"),
            use("c", T0 + 2 * MINUTE),
            line(80 - behind, T0 + 2 * MINUTE + 1, "c"),
        ]
        state = started(now=T0 + HOUR)
        told(state, *said, now=T0 + HOUR)
        (spec,) = Policy().windows
        assert windows == len(state.accounts[ANA].reported(spec, T0 + HOUR))


def test_nikhilsitaram_claude_caliper_265_an_earlier_reset_is_of_a_window_that_is_over() -> None:
    """A stale terminal neither moves the window back nor lends it the old percentage."""
    late = R + HOUR
    window = five_hour(
        line(80, T0, "idle"),
        line(1, T0 + HOUR + 1, "busy", late),
        line(80, T0 + 2 * HOUR, "stale"),
        now=T0 + 2 * HOUR,
    )
    assert (late, 1.0) == (window.resets_at, window.percent)


# Resets.


def test_lobehub_lobehub_18326_the_reset_jitters() -> None:
    """By parts of a second, and up to two minutes: it is one window, and where it was first."""
    said = [
        line(10 + n, T0 + n, "a", R + more) for n, more in enumerate((0, 999, -1, 2 * MINUTE, -2 * MINUTE))
    ]
    window = five_hour(*said, now=T0 + MINUTE)
    assert (OPENED, R, 14.0) == (window.opened_at, window.resets_at, window.percent)


def test_a_reset_that_moves_by_less_than_ten_minutes_is_the_same_window() -> None:
    """It resets when was said last, use goes on, and what it held stays in it."""
    moved = R + OTHER_RESET - 1
    said = [use("a", OPENED), line(60, T0, "a"), line(10, T0 + MINUTE, "b", moved)]
    window = five_hour(*said, now=T0 + MINUTE)
    assert (OPENED, moved, 60.0, 100) == (window.opened_at, window.resets_at, window.percent, window.spent)


def test_a_reset_that_drifts_and_drifts_does_not_stretch_its_window_without_end() -> None:
    """It is never longer than its length and ten minutes."""
    step_by = OTHER_RESET - 1
    said = [line(10 + n, T0 + n, "a", R + n * step_by) for n in range(5)]
    (window,) = fixed_windows(said, 5 * HOUR, lambda *_: None)
    assert Window(R + 4 * step_by - 5 * HOUR - OTHER_RESET, R + 4 * step_by) == window


def test_anthropics_claude_code_52469_the_reset_jumps_by_hours() -> None:
    """The later reset is another window, in which the percentage is what was said with it."""
    jumped = R + 2 * HOUR
    said = [line(60, T0 + HOUR, "a"), line(61, T0 + 3 * HOUR, "a", jumped)]
    window = five_hour(*said, now=T0 + 3 * HOUR)
    assert (jumped - 5 * HOUR, jumped, 61.0) == (window.opened_at, window.resets_at, window.percent)


def test_anthropics_claude_code_69082_the_weekly_reset_drifts() -> None:
    """A week that is said to end a day later ends a day later."""
    weekly = [
        reading(60, T0 + 2 * DAY, T0, window="seven_day", session="a"),
        reading(61, T0 + 3 * DAY, T0 + HOUR, window="seven_day", session="a"),
    ]
    window = told(started(now=T0 + HOUR), *weekly, now=T0 + HOUR).windows[1]
    assert (T0 - 4 * DAY, T0 + 3 * DAY, 61.0) == (window.opened_at, window.resets_at, window.percent)


# The old percentage with the new reset.


@pytest.mark.parametrize("session", ["a", "b"])
def test_antoinedc_mantaui_959_the_old_percentage_with_the_new_reset(session: str) -> None:
    """Right after the reset "97 %" is what was used before it: the window is known, its percentage is not."""
    new = R + 5 * HOUR + MINUTE
    now = R + 2 * MINUTE
    said = [line(97, R - MINUTE, "a"), use("a", R + MINUTE), line(97, R + MINUTE + 1, session, new)]
    window = five_hour(*said, now=now)
    assert (R + MINUTE, new, None) == (window.opened_at, window.resets_at, window.reported)
    assert (Basis.MEASURED, 0.05) == (window.basis, window.percent)
    window = five_hour(*said, line(1, now, "a", new), now=now)
    assert (1.0, Basis.REPORTED) == (window.percent, window.basis)


def test_kylenesium_aibattery_174_no_alarm_right_after_the_reset() -> None:
    """A limit that was reached before is not announced of the window that began."""
    new = R + 5 * HOUR + MINUTE
    state = started(now=R - MINUTE)
    play(state, (Seen(ANA, readings=(line(100, R - MINUTE, "a"),)), R - MINUTE))
    at = R + MINUTE + 1
    assert [] == announced(step(state, Seen(ANA, readings=(line(100, at, "a", new),)), at))


def test_a_window_that_is_ten_minutes_old_may_have_come_as_far_as_the_one_before() -> None:
    """And so may one below twenty per cent, or one that follows an hour's pause, at once."""
    new = R + 5 * HOUR
    edge = R + OLD_PERCENT_SPAN
    assert five_hour(line(50, R - 1, "a"), line(45, edge, "a", new), now=edge).reported is None
    assert 45.0 == five_hour(line(50, R - 1, "a"), line(45, edge + 1, "a", new), now=edge + 1).percent
    low = OLD_PERCENT_LEAST - 1
    assert low == five_hour(line(low, R - 1, "a"), line(low, R + 1, "a", new), now=R + 1).percent
    for pause, percent in ((OLD_PERCENT_GAP, None), (OLD_PERCENT_GAP + 1, 50.0)):
        begins = R + pause
        window = five_hour(line(50, R - 1, "a"), line(50, begins + 1, "a", new + pause), now=begins + 1)
        assert percent == (window.reported and window.reported.percent)
    assert OLD_PERCENT_GAP <= REACH_SLACK


def test_a_low_percentage_that_proves_old_is_dropped() -> None:
    """What is said of the window later goes down only because the first was not about it."""
    new = R + 5 * HOUR
    said = [line(15, R - 1, "a"), line(15, R + 1, "a", new), line(2, R + 20 * MINUTE, "b", new)]
    assert 2.0 == five_hour(*said, now=R + 20 * MINUTE).percent


def test_a_limit_that_is_hit_right_after_a_reset_is_hit() -> None:
    """A refusal is no percentage: there is nothing old about it."""
    new = R + 5 * HOUR
    assert 100.0 == five_hour(line(97, R - 1, "a"), reading(100, new, R + 1), now=R + 1).percent


# Early resets.


def test_ericandrechek_pacer_38_everyone_is_reset_early_and_the_anchor_stays() -> None:
    """A window begins with the first call that was told so; what was used before it is history."""
    now = T0 + 2 * HOUR
    window = five_hour(*early_reset(), now=now)
    assert (T0 + HOUR, R, 3.0, 200) == (window.opened_at, window.resets_at, window.percent, window.spent)
    assert window.early


def test_calls_that_are_read_after_the_readings_confirm_them_too() -> None:
    """Transcripts lag behind the status line: the answer is that of everything that is known."""
    now = T0 + 2 * HOUR
    state = started(now=now)
    said = early_reset()
    assert 80.0 == told(state, *(one for one in said if isinstance(one, Reading)), now=now).windows[0].percent
    assert (
        3.0 == told(state, *(one for one in said if isinstance(one, UsageEvent)), now=now).windows[0].percent
    )


def test_one_session_alone_resets_nothing() -> None:
    """However often it says so: it may be wrong."""
    said = early_reset()[:4]
    again = [use("b", T0 + 2 * HOUR), line(4, T0 + 2 * HOUR + 1, "b")]
    window = five_hour(*said, *again, now=T0 + 3 * HOUR)
    assert 80.0 == (window.reported and window.reported.percent)


def test_sessions_that_used_nothing_since_reset_nothing() -> None:
    """Two idle terminals with an old percentage are as old as one."""
    said = [one for one in early_reset() if isinstance(one, Reading)]
    assert 80.0 == five_hour(*said, now=T0 + 2 * HOUR).percent


def test_a_session_that_was_told_the_higher_percentage_again_ends_the_doubt() -> None:
    """One answer was wrong: the second lower one begins anew."""
    said = early_reset()
    between = [use("a", T0 + HOUR + 2), line(81, T0 + HOUR + 3, "a")]
    window = five_hour(*said, *between, now=T0 + 2 * HOUR)
    assert (OPENED, 81.0) == (window.opened_at, window.reported and window.reported.percent)


def test_after_an_early_reset_idle_terminals_do_not_bring_the_old_percentage_back() -> None:
    """Neither by repeating it nor by saying it for the first time here; nor while the reset is in doubt."""
    for idle in ("a", "d"):
        for at in (T0 + HOUR + 2, T0 + HOUR + 2 * MINUTE):
            window = five_hour(*early_reset(), line(80, at, idle), now=T0 + 2 * HOUR)
            assert (T0 + HOUR, 3.0) == (window.opened_at, window.percent)


def test_after_an_early_reset_use_goes_up_again() -> None:
    """By whoever is at work; and by a refusal."""
    said = [*early_reset(), use("a", T0 + 2 * HOUR), line(30, T0 + 2 * HOUR + 1, "a")]
    assert 30.0 == five_hour(*said, now=T0 + 2 * HOUR + 1).percent
    assert 100.0 == five_hour(*said, reading(100, R, T0 + 2 * HOUR + 2), now=T0 + 3 * HOUR).percent


def test_everyone_may_be_reset_early_twice() -> None:
    """Each time a window ends where the next begins."""
    second = early_reset(T0 + 3 * HOUR)[2:]
    more = [use("a", T0 + 2 * HOUR), line(60, T0 + 2 * HOUR + 1, "a")]
    state = started(now=T0 + 3 * HOUR + 30 * MINUTE)
    told(state, *early_reset(), *more, *second, now=T0 + 3 * HOUR + 30 * MINUTE)
    (spec,) = Policy().windows
    assert [
        Window(OPENED, T0 + HOUR),
        Window(T0 + HOUR, T0 + 3 * HOUR),
        Window(T0 + 3 * HOUR, R),
    ] == list(state.accounts[ANA].quota_windows(spec, T0 + 3 * HOUR + 30 * MINUTE))


def test_ericandrechek_pacer_39_an_early_reset_with_a_new_anchor() -> None:
    """A lower percentage with a reset ten minutes later or more: the window before ends where it begins."""
    later = R + OTHER_RESET
    said = [line(80, T0, "a"), line(0, T0 + 20 * MINUTE, "b", later)]
    window = five_hour(*said, now=T0 + 20 * MINUTE)
    assert (OPENED + OTHER_RESET, later, 0.0) == (window.opened_at, window.resets_at, window.percent)


def test_a_new_anchor_after_an_early_reset_replaces_what_it_overlaps() -> None:
    """The provider's later word about the window's beginning holds, and no two windows overlap."""
    later = R + 30 * MINUTE
    said = [*early_reset(T0 + 20 * MINUTE), line(4, T0 + 3 * HOUR, "b", later)]
    assert (Window(OPENED, OPENED + 30 * MINUTE), Window(OPENED + 30 * MINUTE, later)) == fixed_windows(
        [one for one in said if isinstance(one, Reading)],
        5 * HOUR,
        lambda session, since, until: T0 + 20 * MINUTE if since < T0 + 20 * MINUTE <= until else None,
    )


def notices(effects_of: list[tuple[Input, Instant]], policy: Policy | None = None) -> list[Notice]:
    """What is announced."""
    state = started(policy, now=OPENED)
    return [announce.notice for announce in announced(play(state, *effects_of))]


def each(said: list[Said]) -> list[tuple[Input, Instant]]:
    """Everything at its instant."""
    return [
        (Seen(ANA, readings=(one,)), one.received_at)
        if isinstance(one, Reading)
        else (Seen(ANA, usage=(one,)), one.at)
        for one in said
    ]


def test_vtmocanu_uzi_1114_an_early_reset_is_told() -> None:
    """If resets are told at all (lugia19/Claude-Usage-Extension#79)."""
    said = notices(each(early_reset()), Policy(notice_on_reset=True))
    assert [T0 + HOUR] == [one.at for one in said if isinstance(one, ResetNotice)]


def test_hamed_elfayome_claude_usage_tracker_107_a_threshold_is_told_once_a_window() -> None:
    """Not at every reading; and again after an early reset, in what is another window."""
    again = [use("b", T0 + 2 * HOUR), line(78, T0 + 2 * HOUR + 1, "b"), line(79, T0 + 2 * HOUR + 2, "c")]
    repeats = [line(80, T0 + 2, "d"), line(81, T0 + 3, "e")]
    said = notices(each([*early_reset()[:2], *repeats, *early_reset()[2:], *again]))
    assert [(75.0, T0 + 1), (75.0, T0 + 2 * HOUR + 1)] == [
        (one.threshold, one.at) for one in said if isinstance(one, ThresholdNotice)
    ]


# Windows and accounts.


def test_xueshiqiao_ccswitcher_34_a_models_own_week_stops_work_while_the_others_are_low() -> None:
    """The status line does not speak of it: a limit that was hit does, and the advice follows the worst."""
    said = [
        line(2, T0, "a"),
        reading(61, T0 + 3 * DAY, T0, window="seven_day", session="a"),
        reading(100, T0 + 2 * DAY, T0, window="seven_day_opus"),
    ]
    stands = told(started(), *said, now=T0)
    assert [("five_hour", 2.0), ("seven_day", 61.0), ("seven_day_opus", 100.0)] == [
        (one.name, one.percent) for one in stands.windows
    ]
    assert ("The quota is used up; wait for the reset.",) == stands.advice[:1]


def test_sirmalloc_ccstatusline_266_two_accounts_are_two_quotas() -> None:
    """A reading of one root says nothing of the other (jarrodwatts/claude-hud#97), nor does its use."""
    state = started(now=T0 + 2 * HOUR)
    step(state, PolicyChanged(state.policy, (ANA, BEN)), T0 + 2 * HOUR)
    said = early_reset()
    readings = tuple(one for one in said if isinstance(one, Reading))
    usage = tuple(one for one in said if isinstance(one, UsageEvent))
    play(
        state,
        (Seen(ANA, readings=readings), T0 + 2 * HOUR),
        (Seen(BEN, usage=usage, readings=(line(7, T0, "a"),)), T0 + 2 * HOUR),
    )
    stands = standing(state, T0 + 2 * HOUR)
    assert [(ANA, 80.0), (BEN, 7.0)] == [
        (one.account, one.reported.percent) for one in stands.windows if one.reported
    ]
    step(state, Seen(AccountId("/elsewhere"), readings=(line(99, T0, "a"),)), T0 + 2 * HOUR)
    assert [80.0, 7.0] == [
        one.reported.percent for one in standing(state, T0 + 2 * HOUR).windows if one.reported
    ]


def test_a_cached_answer_counts_as_of_when_it_was_fetched() -> None:
    """An old one does not lower what a status line said since, nor does it look younger than it is."""
    cached = Reading("five_hour", 90.0, R, T0, ReadingSource.CACHED_USAGE)
    window = five_hour(line(10, T0 - MINUTE, "a"), cached, now=T0 + HOUR)
    assert (90.0, T0) == (window.percent, window.as_of)


# Order, repeats, restarts.

lines = st.builds(
    lambda minute, percent, session, resets: line(
        percent,
        T0 + minute * MINUTE + ord(session),
        session,
        R + resets,
    ),
    st.integers(0, 230),
    st.sampled_from([0, 1, 3, 30, 78, 80, 97, 100]),
    st.sampled_from("abc"),
    st.sampled_from([0, 0, 0, SECOND, MINUTE, 5 * MINUTE, 20 * MINUTE, HOUR, 5 * HOUR]),
)
uses = st.builds(
    lambda minute, session: use(session, T0 + minute * MINUTE), st.integers(0, 230), st.sampled_from("abc")
)


@given(st.lists(lines | uses, max_size=25), st.integers(0, 2**32))
def test_readings_in_any_order_and_repeated_give_the_same_standing(said: list[Said], seed: int) -> None:
    """And windows stay disjoint, each no longer than its length and what a reset drifts."""
    now = T0 + 231 * MINUTE
    expected = told(started(now=now), *said, now=now)
    shuffled = said * 2
    random.Random(seed).shuffle(shuffled)
    state = started(now=now)
    for one in shuffled:
        told(state, one, now=now)
    assert expected == standing(state, now)
    windows = list(state.accounts[ANA].quota_windows(WindowSpec("five_hour", 5 * HOUR, 200_000), now))
    assert all(one.resets <= other.opened for one, other in itertools.pairwise(windows))
    assert all(0 < one.resets - one.opened <= 5 * HOUR + OTHER_RESET for one in windows)
