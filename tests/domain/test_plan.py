"""The whole queue over the coming windows: what no plan may do, and what a good one does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from quotad.domain.annealing import Chance
from quotad.domain.instant import DAY, HOUR, MINUTE, Instant
from quotad.domain.plan import Layout, in_progress, lay_out
from quotad.domain.queue import Planned, PlannedId, Priority, Queue, ScheduleReason, Status
from quotad.domain.room import Room
from quotad.domain.sequence import Turn, begins
from quotad.domain.slots import Capacity, Slot, coming
from quotad.domain.working import ALWAYS
from tests.domain.build import T0

LIMIT = 200_000
MOVES = 200
FIRST_RESET = T0 + 2 * HOUR
SECOND = FIRST_RESET + MINUTE
"""When the second slot opens."""


def slots(
    remaining: int = 100_000,
    *,
    week: int | None = None,
    week_resets: Instant = T0 + 3 * DAY,
    resets: Instant | None = FIRST_RESET,
    count: int = 4,
) -> tuple[Slot, ...]:
    """Two hours of the current window, then whole ones; ``week`` is what is left of the week."""
    rooms = [Room("five_hour", 5 * HOUR, resets, LIMIT, remaining, 0)]
    if week is not None:
        rooms.append(Room("seven_day", 7 * DAY, week_resets, 5 * LIMIT, week, 0))
    return coming(rooms, ALWAYS, T0, count=count)


def one(name: str, tokens: int = 50_000, hours: float = 1.0, *needs: str, **more: object) -> Planned:
    """What is not said is as in any session."""
    dependencies = tuple(PlannedId(need) for need in needs)
    return replace(Planned(PlannedId(name), tokens, hours, dependencies=dependencies), **more)  # type: ignore[arg-type]


def laid(sessions: list[Planned], windows: tuple[Slot, ...] | None = None, **announced: Instant) -> Layout:
    """``announced`` by name."""
    told = {PlannedId(name): at for name, at in announced.items()}
    return lay_out(
        Queue(tuple(sessions)), slots() if windows is None else windows, T0, moves=MOVES, announced=told
    )


def starts(layout: Layout) -> Mapping[str, Instant]:
    """When each session begins."""
    return {placement.planned.id: placement.starts for placement in layout.placements}


def why(layout: Layout) -> Mapping[str, str]:
    """Why sessions have no place."""
    return {unplaced.planned.id: unplaced.why for unplaced in layout.unplaced}


def test_nothing_to_do_is_an_empty_plan() -> None:
    """What is complete, or being worked on, is not laid out."""
    sessions = [one("done", status=Status.COMPLETE), one("now", status=Status.IN_PROGRESS)]
    assert Layout((), (), ()) == laid(sessions)
    assert (sessions[1],) == in_progress(Queue(tuple(sessions))).sessions


def test_sessions_of_a_slot_follow_one_another() -> None:
    """The important one first, then the urgent one, then the order of the queue."""
    sessions = [
        one("low", 1_000, 0.5, priority=Priority.LOW),
        one("later", 1_000, 0.25),
        one("soon", 1_000, 0.25, deadline=T0 + HOUR + 1),
        one("high", 1_000, 0.5, priority=Priority.HIGH),
    ]
    expected = {"high": T0, "soon": T0 + HOUR // 2, "later": T0 + HOUR * 3 // 4, "low": T0 + HOUR}
    assert expected == starts(laid(sessions))


def test_what_does_not_fit_now_waits_for_the_next_window() -> None:
    """By its tokens or by its hours."""
    assert {"small": T0, "big": SECOND} == starts(laid([one("big", 120_000), one("small")]))
    assert {"short": T0, "long": SECOND} == starts(laid([one("long", 1, 3.0), one("short", 1)]))


def test_a_session_longer_than_any_slot_takes_a_whole_one() -> None:
    """It goes on after it, for all of its hours."""
    layout = laid([one("long", 1, 7.0), one("other", 1, 3.0)])
    (long,) = (placement for placement in layout.placements if placement.planned.id == "long")
    assert 7 * HOUR == long.ends - long.starts
    assert 1 == Counter(placement.slot for placement in layout.placements)[long.slot]


def test_a_session_larger_than_a_window_has_a_fresh_one_for_itself() -> None:
    """It says into how many parts it could be divided; the current window is not fresh."""
    layout = laid([one("huge", 2 * LIMIT + 1, priority=Priority.HIGH), one("tiny", 1, 3.0)])
    huge, tiny = sorted(layout.placements, key=lambda placement: -placement.parts)
    assert (3, 1, 1) == (huge.parts, huge.slot, tiny.parts)
    assert tiny.slot != huge.slot
    assert 1 == laid([one("whole", LIMIT)]).placements[0].parts


def test_without_a_known_limit_everything_fits() -> None:
    """Nothing is larger than a window of unknown size."""
    (placement,) = laid([one("huge", 10**9)], coming([], ALWAYS, T0, count=1)).placements
    assert 1 == placement.parts


def test_a_session_comes_after_what_it_needs() -> None:
    """In the same slot or in a later one, however important it is."""
    sessions = [one("last", 1, 0.5, "first", priority=Priority.HIGH), one("first", 1, 0.5)]
    assert {"first": T0, "last": T0 + HOUR // 2} == starts(laid(sessions))
    sessions = [one("last", 1, 0.5, "first"), one("first", 150_000)]
    assert {"first": SECOND, "last": SECOND + HOUR} == starts(laid(sessions))


def test_what_needs_a_session_in_progress_waits_for_its_hours() -> None:
    """Others need not; what has been completed holds nothing up."""
    running = one("running", 1, 1.5, status=Status.IN_PROGRESS)
    sessions = [running, one("then", 1, 0.5, "running", priority=Priority.HIGH), one("other", 1, 0.5)]
    assert {"other": T0, "then": T0 + HOUR * 3 // 2} == starts(laid(sessions))
    done = replace(running, status=Status.COMPLETE)
    assert {"then": T0, "other": T0 + HOUR // 2} == starts(laid([done, *sessions[1:]]))


def test_what_needs_a_session_that_is_in_progress_for_long_begins_after_it() -> None:
    """In a later slot, or in none."""
    sessions = [one("running", 1, 4.0, status=Status.IN_PROGRESS), one("then", 1, 1.0, "running")]
    assert {"then": T0 + 4 * HOUR} == starts(laid(sessions))
    sessions[0] = replace(sessions[0], hours=100.0)
    expected = "needs a session in progress that ends after the windows laid out here"
    assert {"then": expected} == why(laid(sessions))


def test_a_deadline_is_kept_where_it_can_be() -> None:
    """The urgent one goes first although the other came first."""
    sessions = [one("any", 90_000), one("due", 90_000, deadline=FIRST_RESET)]
    layout = laid(sessions)
    assert ({"due": T0, "any": SECOND}, ()) == (starts(layout), layout.late)


def test_a_deadline_that_cannot_be_kept_is_said() -> None:
    """The session is laid out all the same."""
    layout = laid([one("due", 150_000, deadline=T0 + HOUR), one("in-time", deadline=T0 + HOUR)])
    assert ({"in-time": T0, "due": SECOND}, ("due",)) == (starts(layout), layout.late)


def test_the_week_is_not_over_committed() -> None:
    """What is left of it goes to the important one; the other waits for the next week."""
    windows = slots(LIMIT, week=60_000, week_resets=T0 + 4 * HOUR)
    assert {"high": T0, "low": T0 + 4 * HOUR + MINUTE} == starts(
        laid([one("low", priority=Priority.LOW), one("high", priority=Priority.HIGH)], windows)
    )


def test_what_has_no_place_is_said_with_the_reason() -> None:
    """Full; too large for all; or in need of what has no place."""
    full = laid([one("a", 150_000, priority=Priority.HIGH), one("b", 150_000)], slots(count=2))
    assert {"b": "waits: the windows laid out here are full"} == why(full)
    huge = laid([one("a", 3 * LIMIT), one("b", 1, 1.0, "a")], slots(week=LIMIT))
    expected = {
        "a": "needs 600000 tokens, more than any window laid out here has left",
        "b": "needs a, which has no place either",
    }
    assert expected == why(huge)


def test_without_any_slot_everything_waits() -> None:
    """Announced or not."""
    layout = laid([one("a"), one("b")], (), b=T0)
    expected = {
        "a": "waits: no window with room is in sight",
        "b": "is scheduled for later than the windows laid out here",
    }
    assert expected == why(layout)


def test_an_announced_time_stays_as_it_is() -> None:
    """Others go around it, although they are more important."""
    sessions = [one("told", 1, 0.5), one("high", 1, 0.5, priority=Priority.HIGH), one("long", 1, 0.75)]
    expected = {"high": T0, "told": T0 + 45 * MINUTE, "long": T0 + 75 * MINUTE}
    assert expected == starts(laid(sessions, told=T0 + 45 * MINUTE))


def test_an_announced_session_is_not_moved_for_a_small_gain() -> None:
    """One slot earlier is not worth a changed calendar; three are."""
    third = slots()[2].opens
    assert {"told": SECOND + HOUR} == starts(laid([one("told")], told=SECOND + HOUR))
    assert {"told": third} == starts(laid([one("told")], told=third))
    assert {"told": T0} == starts(laid([one("told")], told=slots()[3].opens))


def test_a_time_that_the_user_chose_stays() -> None:
    """Unless there is no room at all in its window."""
    sessions = [one("told", schedule_reason=ScheduleReason.USER_SCHEDULED), one("high", 180_000)]
    at = slots()[3].opens + HOUR
    assert at == starts(laid(sessions, told=at))["told"]
    assert {"told": SECOND} == starts(laid([replace(sessions[0], tokens=150_000)], told=T0))


def test_announced_times_yield_where_they_cannot_be_kept() -> None:
    """Two at the same time follow one another; what would end after the slot begins earlier."""
    assert {"a": T0, "b": T0 + HOUR} == starts(laid([one("a"), one("b")], a=T0, b=T0))
    end = FIRST_RESET - 10 * MINUTE
    assert {"a": T0, "b": T0 + HOUR} == starts(laid([one("a"), one("b")], a=end, b=end))


def test_an_overdue_session_is_laid_into_the_first_slot() -> None:
    """And one announced for after the last slot is left to its day."""
    layout = laid([one("over"), one("far"), one("needs", 1, 1.0, "far")], over=T0 - DAY, far=T0 + 9 * DAY)
    assert {"over": T0} == starts(layout)
    assert "is scheduled for later than the windows laid out here" == why(layout)["far"]
    assert "needs far, which has no place either" == why(layout)["needs"]


def test_the_search_finds_what_the_rules_do_not() -> None:
    """Every window can be filled to the last token, in one way only."""
    tokens = (110, 70, 50, 40, 30, 60, 80, 90, 70)
    sessions = [one(str(number), 1_000 * size, 0.5) for number, size in enumerate(tokens)]
    windows = slots(LIMIT, resets=None, count=3)
    layout = lay_out(Queue(tuple(sessions)), windows, T0)
    assert () == layout.unplaced
    without = lay_out(Queue(tuple(sessions)), windows, T0, moves=0)
    assert len(without.placements) < len(layout.placements)


def test_a_plan_that_was_announced_stays() -> None:
    """Asked again, each session has the very time that it was given."""
    sessions = [one(str(number), 37_000, 0.7, priority=[*Priority][number % 3]) for number in range(20)]
    before = starts(laid(sessions))
    assert before == starts(laid(sessions, None, **before))


def test_turns_begin_where_nothing_speaks_against_it() -> None:
    """One that must wait lets others go first; if all must wait, so does the slot."""
    assert {1: 0, 0: 5} == begins([Turn(0, 2, ready=5), Turn(1, 3)], 10)
    assert {0: 5} == begins([Turn(0, 2, ready=5)], 10)


def test_chance_is_the_same_everywhere() -> None:
    """And stays below its end."""
    chance = Chance(0)
    drawn = [chance.below(6) for _ in range(200)]
    assert set(range(6)) == set(drawn)
    again = Chance(0)
    assert drawn == [again.below(6) for _ in range(200)]
    other = Chance(1)
    assert drawn != [other.below(6) for _ in range(200)]


@st.composite
def queues(draw: st.DrawFn) -> list[Planned]:
    """Up to a dozen sessions in any state, needing only those before them, in any order."""
    sessions: list[Planned] = []
    for number in range(draw(st.integers(0, 12))):
        known = [planned.id for planned in sessions]
        sessions.append(
            Planned(
                PlannedId(f"s{number}"),
                tokens=draw(st.integers(1, 90_000) | st.integers(1, 3 * LIMIT)),
                hours=draw(st.sampled_from([0.1, 0.5, 1.0, 2.5, 6.0])),
                priority=draw(st.sampled_from(Priority)),
                status=draw(st.sampled_from([Status.READY, Status.READY, *Status])),
                dependencies=tuple(
                    draw(st.lists(st.sampled_from(known), max_size=2, unique=True)) if known else ()
                ),
                schedule_reason=draw(st.none() | st.sampled_from(ScheduleReason)),
                deadline=draw(st.none() | st.integers(T0 - DAY, T0 + 3 * DAY)),
            )
        )
    return draw(st.permutations(sessions))


@st.composite
def windows_of(draw: st.DrawFn) -> tuple[Slot, ...]:
    """Some slots after the rest of a window, in a week that may bind and may end among them."""
    return slots(
        draw(st.integers(0, LIMIT)),
        week=draw(st.none() | st.integers(0, 5 * LIMIT)),
        week_resets=T0 + draw(st.integers(1, 2 * DAY)),
        count=draw(st.integers(1, 8)),
    )


@settings(max_examples=100, deadline=None)
@given(queues(), windows_of(), st.data())
def test_no_plan_breaks_a_promise(
    sessions: list[Planned], windows: tuple[Slot, ...], data: st.DataObject
) -> None:
    """No window over-committed, no dependency broken, no slot overrun, nobody forgotten or laid out twice."""
    ids = [planned.id for planned in sessions]
    told = (
        data.draw(st.dictionaries(st.sampled_from(ids), st.integers(T0 - DAY, T0 + 3 * DAY))) if ids else {}
    )
    queue = Queue(tuple(sessions))
    layout = lay_out(queue, windows, T0, moves=60, announced=told)
    assert layout == lay_out(queue, windows, T0, moves=60, announced=told)
    placed = {placement.planned.id: placement for placement in layout.placements}
    open_ones = {one.id for one in sessions if one.status not in {Status.COMPLETE, Status.IN_PROGRESS}}
    assert open_ones == placed.keys() | {unplaced.planned.id for unplaced in layout.unplaced}
    assert len(open_ones) == len(layout.placements) + len(layout.unplaced)
    spent: Counter[Capacity] = Counter()
    alone: set[Capacity] = set()
    users: Counter[Capacity] = Counter()
    clock = T0
    longest = max((slot.works for slot in windows), default=0)
    for placement in layout.placements:
        slot, planned = windows[placement.slot], placement.planned
        assert slot.opens <= placement.starts
        assert clock <= placement.starts
        clock = min(placement.ends, placement.starts + longest)
        assert clock <= slot.spans[-1].ends
        for capacity in slot.capacities:
            limit = capacity.limit or 0
            spent[capacity] += min(planned.tokens, limit)
            users[capacity] += 1
            if planned.tokens > limit:
                assert capacity.room == limit
                alone.add(capacity)
        for need in planned.dependencies:
            if need in placed:
                assert placed[need].ends <= placement.starts or placed[need].planned.hours * HOUR > longest
            assert need not in open_ones - placed.keys()
    assert all(spent[capacity] <= capacity.room for capacity in spent)
    assert all(1 == users[capacity] for capacity in alone)
