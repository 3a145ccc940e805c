"""What time does to planned sessions: they come due, and those who work on them come to an end."""

from __future__ import annotations

from msgspec.structs import replace

from quotad.domain.effects import Effect, KeepRuns, Rebook, WakeAt
from quotad.domain.inputs import CaughtUp, Moved, QueueSeen, QuietChanged, Seen, Woke
from quotad.domain.instant import HOUR, MINUTE, Instant
from quotad.domain.notice import DueNotice, MovedNotice
from quotad.domain.policy import Policy
from quotad.domain.queue import Outcome, Planned, PlannedId, Queue, Run, Status
from quotad.domain.session import LogKind
from quotad.domain.standing import standing
from quotad.domain.state import State
from quotad.domain.usage import SessionId
from tests.domain.build import ANA, T0, announced, call, log, play, started

LIMIT = 200_000
AT = T0 + HOUR


def booked(which: str = "docs", tokens: int = 30_000, at: Instant = AT) -> Planned:
    """A session that is scheduled."""
    return Planned(PlannedId(which), tokens, status=Status.SCHEDULED, scheduled_for=at)


def seen(*sessions: Planned, runs: tuple[Run, ...] = ()) -> QueueSeen:
    """The queue is these."""
    return QueueSeen(Queue(sessions), runs)


def spent(tokens: int, at: Instant, session: str = "s") -> Seen:
    """A call."""
    return Seen(ANA, (call(f"m-{session}-{at}", at, output=tokens, session=session),))


def due_ids(effects: list[Effect]) -> list[str]:
    """The sessions that were announced to be due."""
    return [one.notice.session for one in announced(effects) if isinstance(one.notice, DueNotice)]


def moved(effects: list[Effect]) -> list[tuple[Instant, Instant, int]]:
    """Of what was told to be moved: from when, to when, and how many more."""
    notices = [one.notice for one in announced(effects) if isinstance(one.notice, MovedNotice)]
    return [(one.moved_from, one.scheduled_for, one.others) for one in notices]


def rebooked(effects: list[Effect]) -> list[PlannedId]:
    """The sessions that are to be moved."""
    return [which for effect in effects if isinstance(effect, Rebook) for which in effect.ids]


def kept(effects: list[Effect]) -> list[Run]:
    """The runs that are to be remembered as they are now."""
    return [run for effect in effects if isinstance(effect, KeepRuns) for run in effect.runs]


def test_time_is_asked_for() -> None:
    """Nothing happens until a session is due, and yet it is announced in time."""
    effects = play(started(), (seen(booked()), T0))
    assert [WakeAt(AT)] == [effect for effect in effects if isinstance(effect, WakeAt)]


def test_without_an_account_a_queue_waits() -> None:
    """Nobody's quota is known: nothing is announced, and no run ends."""
    state = State(Policy())
    run = Run(PlannedId("docs"), SessionId("s"), T0, 30_000)
    assert [] == kept(play(state, (seen(booked(at=T0), runs=(run,)), T0)))
    assert {} == standing(state, T0).spent


def test_while_the_past_is_read_back_nothing_is_due() -> None:
    """What was spent is not known yet."""
    state = started()
    play(state, (seen(booked()), T0))
    state.accounts[ANA].recalling = True
    assert [] == due_ids(play(state, (Woke(), AT)))


def test_a_session_is_due_from_its_instant_on() -> None:
    """One millisecond before it is not; and it is said once."""
    state = started()
    play(state, (seen(booked()), T0))
    assert [] == due_ids(play(state, (Woke(), AT - 1)))
    assert ["docs"] == due_ids(play(state, (Woke(), AT)))
    assert [] == due_ids(play(state, (Woke(), AT + MINUTE)))


def test_a_session_that_was_moved_is_due_again() -> None:
    """Each time that it is booked for is announced once, also one a minute later."""
    state = started()
    play(state, (seen(booked()), T0), (Woke(), AT))
    play(state, (seen(booked(at=AT + MINUTE)), AT + 1))
    assert ["docs"] == due_ids(play(state, (Woke(), AT + MINUTE)))


def test_without_quota_it_is_to_be_moved_and_asked_for_once() -> None:
    """The effect is not repeated while it is being carried out."""
    state = started()
    play(state, (seen(booked()), T0), (spent(LIMIT - 29_999, T0), T0))
    effects = play(state, (Woke(), AT))
    assert ([], ["docs"]) == (due_ids(effects), rebooked(effects))
    assert [] == rebooked(play(state, (Woke(), AT + 1), (spent(1, AT + 2), AT + 2)))


def test_a_move_is_told_when_quiet_hours_are_over() -> None:
    """Once, with the times; not if it was moved again by somebody meanwhile, or its new time has come."""
    later = booked(at=AT + HOUR)
    for now_booked, told in (
        (later, [(AT, AT + HOUR)]),
        (booked(at=AT), []),
        (replace(later, status=Status.READY), []),
    ):
        state = started()
        play(state, (QuietChanged(quiet=True), T0), (seen(later), AT))
        assert [] == moved(play(state, (Moved({PlannedId("docs"): AT}), AT)))
        play(state, (seen(now_booked), AT))
        expected = [(was, at, 0) for was, at in told]
        assert expected == moved(play(state, (QuietChanged(quiet=False), AT + MINUTE)))
        assert [] == moved(play(state, (Woke(), AT + 2 * MINUTE)))


def test_several_moves_are_one_notice() -> None:
    """It tells of the one that is next, and how many more there are."""
    state = started()
    ids = [PlannedId(one) for one in ("a", "b", "c")]
    play(state, (seen(*(booked(one, at=AT + HOUR - place) for place, one in enumerate(ids))), T0))
    effects = play(state, (Moved(dict.fromkeys(ids, T0)), T0))
    assert [(T0, AT + HOUR - 2, 2)] == moved(effects)


def test_the_last_token_suffices() -> None:
    """A session of exactly what is left is due."""
    state = started()
    play(state, (seen(booked()), T0), (spent(LIMIT - 30_000, T0), T0))
    assert ["docs"] == due_ids(play(state, (Woke(), AT)))


def test_quota_that_others_hold_is_not_there() -> None:
    """What a session in progress has not spent yet is promised."""
    state = started()
    run = Run(PlannedId("other"), SessionId("c"), T0, 180_000)
    other = Planned(PlannedId("other"), 180_000, status=Status.IN_PROGRESS)
    play(state, (seen(booked(), other, runs=(run,)), T0))
    assert ["docs"] == rebooked(play(state, (Woke(), AT)))


def test_quota_that_comes_back_makes_it_due_after_all() -> None:
    """It was to be moved and nobody could; when the reset comes first it is announced."""
    state = started()
    play(state, (seen(booked()), T0), (spent(LIMIT, T0), T0), (Woke(), AT))
    assert ["docs"] == due_ids(play(state, (Woke(), T0 + 5 * HOUR)))


def test_a_session_that_waits_for_another_is_not_due() -> None:
    """It could not start: it is to be moved."""
    state = started()
    first = Planned(PlannedId("first"), 1)
    waiting = replace(booked(), dependencies=(first.id,))
    play(state, (seen(first, waiting), T0))
    effects = play(state, (Woke(), AT))
    assert ([], ["docs"]) == (due_ids(effects), rebooked(effects))


def test_nothing_is_due_while_history_is_being_read() -> None:
    """How much is left is not known yet; once it is, what is due is said."""
    state = started(caught_up=False)
    play(state, (seen(booked()), T0))
    effects = play(state, (Woke(), AT))
    assert ([], []) == (due_ids(effects), rebooked(effects))
    assert ["docs"] == due_ids(play(state, (CaughtUp(), AT + MINUTE)))


def test_quiet_hours_delay_the_notice() -> None:
    """It is said when they end."""
    state = started()
    play(state, (seen(booked()), T0), (QuietChanged(quiet=True), T0))
    assert [] == due_ids(play(state, (Woke(), AT)))
    assert ["docs"] == due_ids(play(state, (QuietChanged(quiet=False), AT + HOUR)))


def test_the_advice_names_what_is_due() -> None:
    """``status`` says what to type."""
    state = started()
    play(state, (seen(booked()), T0))
    assert 1 == len(standing(state, AT - 1).advice)
    assert "quotactl start docs" in standing(state, AT).advice[1]


# Runs.

RUN = Run(PlannedId("docs"), SessionId("c"), T0, 30_000)
WORKING = Planned(PlannedId("docs"), 30_000, status=Status.IN_PROGRESS)


def at_work() -> State:
    """A session was started at T0."""
    state = started()
    play(state, (seen(WORKING, runs=(RUN,)), T0))
    return state


def test_what_a_run_has_spent_is_known() -> None:
    """From its start on, and only by its own Claude Code session."""
    state = at_work()
    play(state, (spent(7, T0 - 1, "c"), T0), (spent(5, T0 + 1, "c"), T0 + 1), (spent(9, T0 + 2), T0 + 2))
    assert {"c": 5} == dict(standing(state, T0 + 2).spent)


def test_a_run_counts_from_the_start_of_its_second() -> None:
    """Who writes a transcript may cut its times to seconds: what status shows is what ``done`` remembers."""
    state, run = started(), replace(RUN, started=T0 + 999)
    play(state, (seen(WORKING, runs=(run,)), T0 + 999))
    play(state, (spent(7, T0 - 1, "c"), T0 + 999), (spent(5, T0, "c"), T0 + 999))
    assert {"c": 5} == dict(standing(state, T0 + 999).spent)


def test_a_run_ends_with_its_log() -> None:
    """The end is remembered, once."""
    state = at_work()
    end = Seen(ANA, logs=(log(LogKind.END, T0 + 5, session="c"),))
    assert [replace(RUN, ended=T0 + 5)] == kept(play(state, (end, T0 + 5)))
    assert [] == kept(play(state, (Woke(), T0 + 6)))


def test_a_run_that_goes_on_has_not_ended() -> None:
    """A Claude Code session can be resumed."""
    state = at_work()
    play(state, (Seen(ANA, logs=(log(LogKind.END, T0 + 5, session="c"),)), T0 + 5))
    assert [RUN] == kept(play(state, (spent(1, T0 + 6, "c"), T0 + 6)))


def test_a_run_ends_when_its_five_hours_are_over() -> None:
    """Counted from the start, or from the five hours that its last call opened."""
    state = at_work()
    assert [] == kept(play(state, (Woke(), T0 + 5 * HOUR - 1)))
    assert [T0 + 5 * HOUR] == [run.ended for run in kept(play(state, (Woke(), T0 + 5 * HOUR)))]
    state = at_work()
    play(state, (spent(1, T0 + HOUR, "c"), T0 + HOUR))
    assert [] == kept(play(state, (Woke(), T0 + 6 * HOUR - 1)))
    assert [T0 + 6 * HOUR] == [run.ended for run in kept(play(state, (Woke(), T0 + 6 * HOUR)))]


def test_a_run_that_is_over_stays_as_it_is() -> None:
    """What happens to its Claude Code session afterwards is another matter."""
    state = started()
    over = replace(RUN, ended=T0, actual=1, outcome=Outcome.COMPLETE)
    play(state, (seen(WORKING, runs=(over,)), T0))
    assert [] == kept(play(state, (spent(1, T0 + 1, "c"), T0 + 1)))
