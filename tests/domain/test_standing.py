"""Where we stand, computed from what is known."""

from __future__ import annotations

from quotad.domain.inputs import PolicyChanged, Seen
from quotad.domain.instant import DAY, HOUR, MINUTE, Instant
from quotad.domain.level import Level
from quotad.domain.notice import Basis
from quotad.domain.policy import FIVE_HOUR, Policy, WindowSpec
from quotad.domain.reading import Reading
from quotad.domain.session import LogEvent, LogKind
from quotad.domain.standing import Standing, WindowStanding, standing
from quotad.domain.state import State
from quotad.domain.step import step
from quotad.domain.usage import AccountId, Tokens, UsageEvent
from tests.domain.build import ANA, T0, call, log, play, reading, started

BEN = AccountId("/home/ben/.claude")


def seen(state: State, *found: UsageEvent | LogEvent | Reading, now: Instant = T0) -> Standing:
    """The standing after these were read."""
    usage = tuple(one for one in found if isinstance(one, UsageEvent))
    logs = tuple(one for one in found if isinstance(one, LogEvent))
    readings = tuple(one for one in found if isinstance(one, Reading))
    step(state, Seen(ANA, usage, logs, readings), now)
    return standing(state, now)


def five_hour(*found: UsageEvent | LogEvent | Reading, now: Instant = T0) -> WindowStanding:
    """The five-hour window after these were read."""
    return seen(started(now=now), *found, now=now).windows[0]


def test_without_events_the_window_is_idle_and_the_quota_whole() -> None:
    """The five-hour window is always there; while none runs it has neither beginning nor end."""
    window = five_hour()
    assert (FIVE_HOUR, False, None, None) == (
        window.name,
        window.is_open,
        window.opened_at,
        window.resets_at,
    )
    assert (0, 200_000, 0.0, 50.0) == (window.spent, window.remaining, window.percent, window.next_threshold)


def test_measured_usage_is_new_tokens_by_default() -> None:
    """Cache reads weigh nothing; input, output and cache writes one each."""
    window = five_hour(call("m", tokens=Tokens(4, 310, 5200, 18000)))
    assert (5514, 194_486, Basis.MEASURED, "plan") == (
        window.spent,
        window.remaining,
        window.basis,
        window.limit_basis,
    )
    assert (Tokens(4, 310, 5200, 18000), 1) == (window.tokens, window.messages)
    assert window.percent is not None
    assert 100 * 5514 / 200_000 == window.percent


def test_a_window_over_its_limit_has_nothing_left() -> None:
    """The percentage may exceed 100, what remains is never negative."""
    window = five_hour(call("m", output=250_000))
    assert (125.0, 0, Level.CRITICAL, None) == (
        window.percent,
        window.remaining,
        window.level,
        window.next_threshold,
    )


def test_the_window_is_over_at_its_end() -> None:
    """At its reset, to the millisecond, the whole quota is back."""
    state = started()
    step(state, Seen(ANA, (call("m"),)), T0)
    assert standing(state, T0 + 5 * HOUR - 1).windows[0].is_open
    assert not standing(state, T0 + 5 * HOUR).windows[0].is_open


def test_estimates_are_labelled() -> None:
    """Tokens that were only estimated enter what is spent, and no kind."""
    window = five_hour(log(LogKind.TOOL_RESULT, tool="Edit"))
    assert (1500, 1500, Basis.ESTIMATED, Tokens()) == (
        window.spent,
        window.estimated_tokens,
        window.basis,
        window.tokens,
    )


def test_events_from_the_future_wait_for_their_time() -> None:
    """More than five minutes ahead does not count, and does not move the window."""
    state = started()
    assert 0 == seen(state, call("m", T0 + 6 * MINUTE)).windows[0].spent
    assert 100 == standing(state, T0 + MINUTE + 1).windows[0].spent


def test_burn_is_per_minute_over_the_last_half_hour() -> None:
    """What was spent earlier in the window does not burn now."""
    now = T0 + 2 * HOUR
    window = five_hour(call("m", T0, output=90_000), call("n", now - 10 * MINUTE, output=60_000), now=now)
    assert 2000.0 == window.burn_per_minute
    assert now + 25 * MINUTE == window.runs_out_at


def test_a_young_window_burns_over_ten_minutes_at_least() -> None:
    """One large call at once says little about the pace."""
    assert 10.0 == five_hour(call("m", output=100)).burn_per_minute


def test_a_quota_that_lasts_until_the_reset_does_not_run_out() -> None:
    """There is no moment of running out behind the reset."""
    assert five_hour(call("m", output=100)).runs_out_at is None


def test_a_reading_outranks_the_local_count() -> None:
    """The provider's percentage is the basis, the window is its window, the local sum stays what it is."""
    now = T0 + HOUR
    window = five_hour(call("m", T0, output=1000), reading(61.5, T0 + 3 * HOUR, now), now=now)
    assert (61.5, Basis.REPORTED, 77_000, 1000) == (
        window.percent,
        window.basis,
        window.remaining,
        window.spent,
    )
    assert (T0 - 2 * HOUR, T0 + 3 * HOUR, now) == (window.opened_at, window.resets_at, window.as_of)
    assert not window.lower_bound


def test_what_was_spent_since_a_reading_counts_at_its_slope() -> None:
    """1,000 tokens were 50 %, so 200 more are 10 %."""
    now = T0 + HOUR
    window = five_hour(
        call("m", T0, output=1000),
        reading(50, T0 + 3 * HOUR, T0 + MINUTE),
        call("n", T0 + 2 * MINUTE, output=200),
        now=now,
    )
    assert (60.0, False) == (window.percent, window.lower_bound)


def test_use_that_no_local_log_shows_makes_no_steep_slope() -> None:
    """Of 60 % only 10 were used here, by 1,000 tokens: so are 1,000 more. Under five per cent say nothing."""
    for first, percent in ((50.0, 70.0), (56.0, 90.0)):
        window = five_hour(
            call("l", T0, output=1000),
            reading(first, T0 + 3 * HOUR, T0 + 1),
            call("m", T0 + 2, output=1000),
            reading(60, T0 + 3 * HOUR, T0 + 3),
            call("n", T0 + 4, output=1000),
            now=T0 + MINUTE,
        )
        assert percent == window.percent


def test_without_a_slope_the_percentage_is_a_lower_bound() -> None:
    """Nothing was spent here before the reading, so nobody knows what spending here means."""
    window = five_hour(
        reading(50, T0 + 3 * HOUR, T0), call("n", T0 + MINUTE, output=200), now=T0 + 2 * MINUTE
    )
    assert (50.0, True) == (window.percent, window.lower_bound)


def test_within_a_window_the_highest_reading_holds() -> None:
    """A percentage never goes down within one reset: idle terminals repeat old ones."""
    told = [reading(70, T0 + 3 * HOUR, T0 - 2), reading(60, T0 + 3 * HOUR, T0 - 1)]
    window = five_hour(*told)
    assert window.reported == told[0]


def test_a_window_known_only_by_readings_has_no_limit() -> None:
    """The weekly window comes into being with its first reading."""
    stands = seen(started(), reading(23, T0 + 3 * DAY, T0, window="seven_day"), call("m"))
    window = stands.windows[1]
    assert ("seven_day", None, None, "unknown", 23.0) == (
        window.name,
        window.limit,
        window.remaining,
        window.limit_basis,
        window.percent,
    )


def test_a_window_without_limit_or_reading_has_no_percentage() -> None:
    """A configured window may have no limit: then only tokens are shown."""
    policy = Policy(windows=(*Policy().windows, WindowSpec("daily", DAY, None)))
    state = started(policy)
    idle = standing(state, T0).windows[1]
    assert (None, None, None) == (idle.percent, idle.level, idle.next_threshold)
    running = seen(state, call("m")).windows[1]
    assert (None, None, 100) == (running.percent, running.level, running.spent)


def test_a_model_scoped_window_counts_its_family_only() -> None:
    """``seven_day_opus`` is about Opus."""
    policy = Policy(windows=(*Policy().windows, WindowSpec("seven_day_opus", 7 * DAY, 1000)))
    stands = seen(started(policy), call("m"), call("n", model="claude-haiku-4-5"))
    assert [200, 100] == [window.spent for window in stands.windows]
    assert "configured" == stands.windows[1].limit_basis


def test_accounts_do_not_leak_into_each_other() -> None:
    """Two configuration directories are two quotas (ccstatusline#266)."""
    state = started()
    step(state, PolicyChanged(state.policy, (ANA, BEN)), T0)
    play(state, (Seen(ANA, (call("m"),)), T0), (Seen(BEN, (call("m"), call("n"))), T0))
    assert [(ANA, 100), (BEN, 200)] == [(one.account, one.spent) for one in standing(state, T0).windows]


def test_a_session_opens_five_hours_with_its_first_event() -> None:
    """A session log's start opens them, and says where and with which agent."""
    (session,) = seen(started(), log(LogKind.START, cwd="/src/shop", agent="planner")).sessions
    assert ("active", T0, T0 + 5 * HOUR, "/src/shop", "planner", 0) == (
        session.state,
        session.opened_at,
        session.ends_at,
        session.cwd,
        session.agent,
        session.spent,
    )


def test_an_event_after_five_hours_opens_the_next_five() -> None:
    """Only the latest five hours are the session's now, and only they count as spent."""
    now = T0 + 5 * HOUR
    (session,) = seen(started(now=now), call("m"), call("n", now, output=7), now=now).sessions
    assert (now, 7) == (session.opened_at, session.spent)


def test_a_session_that_ended_is_complete_unless_it_goes_on() -> None:
    """A resumed session is active again."""
    state = started()
    ended = seen(state, call("m"), log(LogKind.END, T0 + 1)).sessions[0]
    assert ("complete", T0 + 1) == (ended.state, ended.ended_at)
    resumed = seen(state, call("n", T0 + 2)).sessions[0]
    assert ("active", None) == (resumed.state, resumed.ended_at)


def test_what_a_session_will_do_has_not_happened_yet() -> None:
    """Neither the end nor the calls that are stamped ahead of their time are told."""
    state = started()
    stands = seen(state, call("m"), call("n", T0 + HOUR), log(LogKind.END, T0 + 2 * HOUR))
    (session,) = stands.sessions
    assert ("active", None, T0, 100) == (
        session.state,
        session.ended_at,
        session.last_active_at,
        session.spent,
    )
    (session,) = standing(state, T0 + 2 * HOUR).sessions
    assert ("complete", T0 + 2 * HOUR, 200) == (session.state, session.ended_at, session.spent)


def test_an_expired_session_is_shown_for_an_hour() -> None:
    """Then it is only history."""
    state = started()
    seen(state, call("m"))
    assert ["expired"] == [one.state for one in standing(state, T0 + 5 * HOUR).sessions]
    assert () == standing(state, T0 + 6 * HOUR).sessions
    seen(state, call("n", T0 + HOUR))
    assert () == standing(state, T0 + 6 * HOUR).sessions


def test_active_sessions_come_first_the_most_lately_active_before() -> None:
    """The one that a person is in stands at the top."""
    stands = seen(
        started(),
        call("1", T0 - 3, session="older"),
        call("2", T0 - 2, session="newer"),
        log(LogKind.END, T0, session="ended"),
    )
    assert ["newer", "older", "ended"] == [one.id for one in stands.sessions]


def test_copied_lines_open_no_session() -> None:
    """A fork's copies belong to the session they were copied from."""
    stands = seen(started(), call("m", session="a"), call("m", session="b"))
    assert ["a"] == [one.id for one in stands.sessions]


def test_advice_is_that_of_the_worst_level() -> None:
    """While nothing runs, any task fits; when all is used, only the reset helps."""
    state = started()
    assert ("Any task fits.",) == standing(state, T0).advice
    assert ("Wrap up what is open; start nothing new.",) == seen(state, call("m", output=182_000)).advice
    assert ("The quota is used up; wait for the reset.",) == seen(state, call("n", output=18_000)).advice
