"""The whole queue over the coming windows: what no plan may do, and what a good one does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from quotad.domain.annealing import Chance
from quotad.domain.instant import DAY, HOUR, MINUTE, Instant
from quotad.domain.plan import Layout, Plan, in_progress, lay_out, plan_ahead
from quotad.domain.queue import Planned, PlannedId, Priority, Queue, ScheduleReason, Status
from quotad.domain.room import Room
from quotad.domain.sequence import Turn, begins
from quotad.domain.slots import Capacity, Slot, coming
from quotad.domain.working import ALWAYS, WorkingHours
from tests.domain.build import T0
from tests.domain.planning import Office

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
    return replace(Planned(PlannedId(name), tokens, hours, dependencies=dependencies), **more)


def laid(sessions: list[Planned], windows: tuple[Slot, ...] | None = None) -> Layout:
    """Over these slots, with nothing booked."""
    return lay_out(Queue(tuple(sessions)), slots() if windows is None else windows, T0, moves=MOVES)


def planned(
    sessions: list[Planned],
    remaining: int = 100_000,
    *,
    resets: Instant | None = FIRST_RESET,
    working: WorkingHours = ALWAYS,
    week: Room | None = None,
) -> Plan:
    """With what is booked, over all that comes."""
    rooms = [Room("five_hour", 5 * HOUR, resets, LIMIT, remaining, 0), *([week] if week else [])]
    return plan_ahead(Queue(tuple(sessions)), rooms, working, T0, moves=MOVES)


def booked(name: str, at: Instant, tokens: int = 50_000, hours: float = 1.0, *needs: str) -> Planned:
    """At this time."""
    return one(name, tokens, hours, *needs, status=Status.SCHEDULED, scheduled_for=at)


def against(plan: Plan) -> Mapping[str, str]:
    """Why booked sessions cannot hold their times."""
    return {each.planned.id: each.against for each in plan.layout.placements if each.against}


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
    expected = "needs a session in progress or booked that ends after the windows laid out here"
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
    """For a window with room."""
    assert {"a": "waits: no window with room is in sight"} == why(laid([one("a")], ()))


def test_what_is_booked_stays_where_it_is_booked() -> None:
    """Also beyond the end of a window that something else opens, and with all around it."""
    at = SECOND + 4 * HOUR
    plan = planned([booked("told", at, 50_000, 4.0), one("a", 140_000, 3.0), one("b", 100_000, 5.0)])
    begun = starts(plan.layout)
    assert (SECOND, at) == (begun["a"], begun["told"])
    assert at + 4 * HOUR <= begun["b"]
    assert [None] == [each.slot for each in plan.layout.placements if each.planned.id == "told"]
    assert {} == against(plan)


def test_a_booking_that_nothing_precedes_opens_its_window() -> None:
    """No windows are there in which nothing is done, but for the one that is running."""
    at = T0 + DAY + HOUR
    plan = planned([booked("told", at), booked("far", T0 + 9 * DAY), one("small")])
    assert [(FIRST_RESET, 1), (at + 5 * HOUR, 1), (T0 + 9 * DAY + 5 * HOUR, 1)] == [
        (window.resets, len(window.placements)) for window in plan.windows
    ]
    assert [at, ()] == [plan.windows[1].opens, planned([]).windows[0].placements]
    assert () == planned([], resets=None).windows


def test_openings_are_not_corrected_for_ever() -> None:
    """What comes after the first wrong one is not planned, but for what is booked."""
    told, late = booked("told", T0 + DAY + HOUR), one("late", 1, 1.0, "told")
    rooms = [Room("five_hour", 5 * HOUR, FIRST_RESET, LIMIT, 100_000, 0)]
    plan = plan_ahead(Queue((told, late, one("small"))), rooms, ALWAYS, T0, moves=MOVES, rounds=1)
    assert {"small": T0, "told": T0 + DAY + HOUR} == starts(plan.layout)
    assert ["late"] == list(why(plan.layout))
    assert T0 + DAY + 2 * HOUR == starts(planned([told, late]).layout)["late"]


def test_a_booking_outside_working_hours_stays() -> None:
    """Work that is not booked keeps to them, and shares the window that was opened before them."""
    night = T0 + DAY - 2 * HOUR
    rest = one("rest", 50_000, 2.0)
    plan = planned([booked("told", night, 150_000), rest], 0, working=Office(), resets=T0 + 8 * HOUR)
    assert {"told": night, "rest": T0 + DAY} == starts(plan.layout)
    assert [0, 2] == [len(window.placements) for window in plan.windows]


def test_a_session_whose_time_has_come_stays_booked() -> None:
    """It is shown at its time, and takes its hours from now."""
    plan = planned([booked("told", T0 - HOUR), one("next")])
    assert {"told": T0 - HOUR, "next": T0 + HOUR} == starts(plan.layout)
    assert T0 + HOUR == plan.layout.placements[0].ends


def test_what_is_booked_without_room_stands_there_and_it_is_said() -> None:
    """In its five-hour window, or in its week; what is booked for earlier goes first."""
    plan = planned([booked("a", T0 + HOUR, 60_000), booked("b", T0, 60_000), one("c", 1)])
    assert {"a": "has no room then"} == against(plan)
    assert SECOND <= starts(plan.layout)["c"]
    week = Room("seven_day", 7 * DAY, T0 + 3 * DAY, 5 * LIMIT, 70_000, 0)
    plan = planned([booked("a", T0, 60_000), booked("b", T0 + DAY, 60_000), one("c")], week=week)
    assert {"b": "has no room then"} == against(plan)
    assert T0 + 3 * DAY < starts(plan.layout)["c"]


def test_a_booking_cannot_hold_before_what_it_needs() -> None:
    """What it needs is laid before it if that can be, however unimportant it is; else it is said."""
    high = one("high", 90_000, 1.0, priority=Priority.HIGH)
    first = one("first", 90_000, 1.0, priority=Priority.LOW)
    told = booked("told", FIRST_RESET, 1, 1.0, "first")
    last = one("last", 1, 1.0, "told")
    plan = planned([high, first, told, last])
    assert ({}, T0) == (against(plan), starts(plan.layout)["first"])
    assert FIRST_RESET + HOUR <= starts(plan.layout)["last"]
    plan = planned([replace(first, hours=3.0), told, last])
    assert {"told": "needs first, which ends later"} == against(plan)
    assert starts(plan.layout)["first"] + 3 * HOUR <= starts(plan.layout)["last"]
    running = one("running", 1, 300.0, status=Status.IN_PROGRESS)
    plan = planned([running, replace(first, dependencies=(running.id,)), told])
    assert {"told": "needs first, which has no place"} == against(plan)


def test_a_week_that_resets_within_a_window_leaves_one_window() -> None:
    """Of two slots."""
    week = Room("seven_day", 7 * DAY, SECOND + 2 * HOUR, 5 * LIMIT, 60_000, 0)
    plan = planned([one("a", 40_000, 1.5), one("b", 90_000, 2.0)], 1, week=week)
    assert [(FIRST_RESET, 0), (SECOND + 5 * HOUR, 2)] == [
        (window.resets, len(window.placements)) for window in plan.windows
    ]


def test_the_search_finds_what_the_rules_do_not() -> None:
    """Every window can be filled to the last token, in one way only."""
    tokens = (110, 70, 50, 40, 30, 60, 80, 90, 70)
    sessions = [one(str(number), 1_000 * size, 0.5) for number, size in enumerate(tokens)]
    windows = slots(LIMIT, resets=None, count=3)
    layout = lay_out(Queue(tuple(sessions)), windows, T0)
    assert () == layout.unplaced
    without = lay_out(Queue(tuple(sessions)), windows, T0, moves=0)
    assert len(without.placements) < len(layout.placements)


def test_turns_begin_where_nothing_speaks_against_it() -> None:
    """One that must wait lets others go first; if all must wait, so does the slot."""
    assert {1: 0, 0: 5} == begins([Turn(0, 2, ready=5), Turn(1, 3)])
    assert {0: 5} == begins([Turn(0, 2, ready=5)])


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
@given(queues(), windows_of())
def test_no_plan_breaks_a_promise(sessions: list[Planned], windows: tuple[Slot, ...]) -> None:
    """No window over-committed, no dependency broken, no slot overrun, nobody forgotten or laid out twice."""
    queue = Queue(tuple(sessions))
    layout = lay_out(queue, windows, T0, moves=60)
    assert layout == lay_out(queue, windows, T0, moves=60)
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
        assert placement.slot is not None
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


@settings(max_examples=40, deadline=None)
@given(
    queues(),
    st.lists(st.none() | st.integers(T0 - HOUR, T0 + 7 * DAY), min_size=12, max_size=12),
    st.none() | st.integers(T0 + 1, T0 + 5 * HOUR),
    st.integers(0, LIMIT),
    st.sampled_from([ALWAYS, Office()]),
)
def test_windows_are_those_that_the_plan_itself_opens(
    sessions: list[Planned],
    times: list[Instant | None],
    resets: Instant | None,
    remaining: int,
    working: WorkingHours,
) -> None:
    """Played through, each window opens with its first session, and nothing is laid where it has no room."""
    told = {each.id: at for each, at in zip(sessions, times, strict=False) if at is not None}
    sessions = [
        replace(each, status=Status.SCHEDULED, scheduled_for=told[each.id])
        if each.id in told
        else replace(each, status=Status.READY)
        for each in sessions
    ]
    left = remaining if resets else LIMIT
    plan = planned(sessions, left, resets=resets, working=working)
    assert plan == planned(sessions, left, resets=resets, working=working)
    assert told.items() <= {each.planned.id: each.starts for each in plan.layout.placements}.items()
    ends, left = (resets, remaining) if resets else (T0, 0)
    seen: list[Instant] = []
    for placement in plan.layout.placements:
        at = max(placement.starts, T0)
        if at >= ends:
            ends, left = at + 5 * HOUR, LIMIT
        seen.append(ends)
        tokens = min(placement.planned.tokens, LIMIT)
        assert placement.slot is None or tokens <= left
        left -= tokens * (placement.against != "has no room then")
    assert seen == [window.resets for window in plan.windows for _ in window.placements]
