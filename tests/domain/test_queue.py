"""What may become of a planned session, and what a queue never is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from quotad.domain import queue as queues
from quotad.domain.instant import HOUR
from quotad.domain.queue import (
    HOURS_MAX,
    LIFE,
    SESSIONS_MAX,
    TOKENS_MAX,
    Edit,
    Planned,
    PlannedId,
    Priority,
    Queue,
    QueueRefused,
    RefusalCode,
    ScheduleReason,
    Status,
    checked,
)
from tests.domain.build import T0

A, B, C = PlannedId("a"), PlannedId("b"), PlannedId("c")

CHANGES: dict[Status, Callable[[Queue, PlannedId], Queue]] = {
    Status.READY: queues.readied,
    Status.SCHEDULED: lambda queue, which: queues.booked(queue, which, T0, ScheduleReason.LOW_QUOTA),
    Status.IN_PROGRESS: queues.claimed,
    Status.COMPLETE: queues.done,
}
"""How a session comes to each status by somebody's will; to blocked it comes by itself."""


def planned(which: str, *needs: str, status: Status = Status.READY, tokens: int = 1000) -> Planned:
    """A session; a scheduled one is booked for T0."""
    at, why = (T0, ScheduleReason.LOW_QUOTA) if status is Status.SCHEDULED else (None, None)
    return Planned(
        PlannedId(which),
        tokens,
        status=status,
        dependencies=tuple(map(PlannedId, needs)),
        scheduled_for=at,
        schedule_reason=why,
    )


def statuses(queue: Queue) -> dict[str, str]:
    """Each session's status."""
    return {one.id: one.status.value for one in queue.sessions}


def refused(change: Callable[[], object]) -> QueueRefused:
    """How it was refused."""
    with pytest.raises(QueueRefused) as caught:
        change()
    assert caught.value.message == str(caught.value)
    return caught.value


def test_the_table_names_every_status() -> None:
    """From each status something may follow, and never itself."""
    assert set(Status) == set(LIFE)
    assert all(after and status not in after for status, after in LIFE.items())


@pytest.mark.parametrize("after", [*CHANGES])
@pytest.mark.parametrize("before", [*Status])
def test_a_session_becomes_what_the_table_allows_and_nothing_else(before: Status, after: Status) -> None:
    """Each pair of statuses is tried; one that is booked again is moved."""
    needs = ("b",) if before is Status.BLOCKED else ()
    queue = checked([planned("a", *needs, status=before), planned("b")])
    moved = before is after is Status.SCHEDULED
    if moved or (after in LIFE[before] and before is not Status.BLOCKED):
        assert after.value == statuses(CHANGES[after](queue, A))["a"]
    else:
        fault = refused(lambda: CHANGES[after](queue, A))
        assert ("wrong-state", A, "status") == (fault.code, fault.session, fault.field)


def test_only_a_scheduled_session_has_a_time() -> None:
    """Whatever it becomes next, the booking is gone."""
    queue = queues.booked(checked([planned("a")]), A, T0 + HOUR, ScheduleReason.USER_SCHEDULED)
    (booked,) = queue.sessions
    assert (Status.SCHEDULED, T0 + HOUR, ScheduleReason.USER_SCHEDULED) == (
        booked.status,
        booked.scheduled_for,
        booked.schedule_reason,
    )
    for change in (queues.readied, queues.unbooked, queues.claimed, queues.done):
        (changed,) = change(queue, A).sessions
        assert (None, None) == (changed.scheduled_for, changed.schedule_reason)


def test_to_book_again_is_to_move() -> None:
    """The latest time and reason hold, also while a dependency is open."""
    queue = checked([planned("a", "b", status=Status.SCHEDULED), planned("b")])
    (moved, _) = queues.booked(queue, A, T0 + HOUR, ScheduleReason.DEPENDENCY).sessions
    assert (T0 + HOUR, ScheduleReason.DEPENDENCY) == (moved.scheduled_for, moved.schedule_reason)


def test_only_what_is_booked_can_be_unbooked() -> None:
    """The refusal says what it is."""
    fault = refused(lambda: queues.unbooked(checked([planned("a", status=Status.IN_PROGRESS)]), A))
    assert '"a" is in progress; only what is scheduled can be unscheduled' == fault.message


def test_blocked_follows_from_the_dependencies() -> None:
    """What the file calls blocked or ready is never trusted."""
    queue = checked([planned("a", status=Status.BLOCKED), planned("b", "a", "a"), planned("c", "b")])
    assert {"a": "ready", "b": "blocked", "c": "blocked"} == statuses(queue)
    queue = queues.done(queue, A)
    assert {"a": "complete", "b": "ready", "c": "blocked"} == statuses(queue)
    assert {"a": "ready", "b": "blocked", "c": "blocked"} == statuses(queues.readied(queue, A))


def test_refreshing_changes_nothing_twice() -> None:
    """And leaves every session that is right as it is."""
    queue = checked([planned("a"), planned("b", "a", status=Status.SCHEDULED)])
    assert all(one is two for one, two in zip(queue.sessions, queues.refreshed(queue).sessions, strict=True))


def test_what_waits_for_what() -> None:
    """Each open dependency once; nothing waits any more once it has begun, nor when complete."""
    queue = checked(
        [
            planned("a"),
            planned("b", "a", "a"),
            planned("c", "a", status=Status.COMPLETE),
            planned("d", "a", "c"),
        ]
    )
    assert (A,) == queues.blocked_by(queue, B)
    assert () == queues.blocked_by(queue, C)
    assert (A,) == queues.blocked_by(queue, PlannedId("d"))
    assert (B, PlannedId("d")) == queues.needed_by(queue, A)
    begun = checked([planned("a"), planned("b", "a", status=Status.IN_PROGRESS)])
    assert () == queues.blocked_by(begun, B)


def test_what_waits_cannot_be_started() -> None:
    """Not even when it is booked; the refusal names what it waits for."""
    queue = checked([planned("a"), planned("b", "a", status=Status.SCHEDULED)])
    fault = refused(lambda: queues.claimed(queue, B))
    assert '"b" waits for "a"; finish that first, or change --depends-on' == fault.message


def test_what_is_booked_can_be_done_out_of_turn() -> None:
    """Whoever did it knows better than the queue."""
    queue = checked([planned("a"), planned("b", "a", status=Status.SCHEDULED)])
    assert {"a": "ready", "b": "complete"} == statuses(queues.done(queue, B))


@pytest.mark.parametrize("change", [queues.found, queues.done, queues.removed, queues.blocked_by])
def test_an_unknown_id_is_named(change: Callable[[Queue, PlannedId], object]) -> None:
    """Whatever was to be done with it."""
    fault = refused(lambda: change(checked([planned("a")]), B))
    assert ("no-such-session", B) == (fault.code, fault.session)
    assert 'no session "b"' in fault.message


def test_a_session_is_added_at_the_end() -> None:
    """And is blocked from the start if it waits for something."""
    queue = queues.added(checked([planned("a")]), planned("b", "a"))
    assert [("a", "ready"), ("b", "blocked")] == list(statuses(queue).items())


def test_many_are_added_together_or_not_at_all() -> None:
    """They may depend on each other in any order."""
    queue = checked([planned("a")])
    assert {"a": "ready", "b": "blocked", "c": "ready"} == statuses(
        queues.joined(queue, [planned("b", "c"), planned("c")])
    )
    assert "duplicate" == refused(lambda: queues.joined(queue, [planned("b"), planned("a")])).code


def test_ids_that_differ_in_nothing_but_case_are_the_same() -> None:
    """Their calendar files would have one name on some disks."""
    fault = refused(lambda: checked([planned("Step-b"), planned("step-B")]))
    assert ("duplicate", "step-B", "id") == (fault.code, fault.session, fault.field)
    assert 'there is a session "Step-b" already; choose another id, or edit that one' == fault.message


def test_an_edit_changes_what_it_names() -> None:
    """Empty text empties, None leaves, and a deadline can be taken away."""
    before = replace(planned("a"), phase="Build", deadline=T0, notes="n")
    queue = checked([before, planned("b")])
    assert queue == queues.edited(queue, A, Edit())
    whole = Edit(
        tokens=5,
        hours=2.5,
        phase="",
        priority=Priority.HIGH,
        agent="x",
        objectives=("o",),
        dependencies=(B,),
        notes="",
        cwd="/src",
        no_deadline=True,
    )
    assert Planned(
        A, 5, 2.5, "", Priority.HIGH, "x", ("o",), Status.BLOCKED, (B,), None, None, None, "", "/src"
    ) == queues.found(queues.edited(queue, A, whole), A)
    assert T0 + 1 == queues.found(queues.edited(queue, A, Edit(deadline=T0 + 1)), A).deadline


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (Edit(dependencies=(B,)), "cycle"),
        (Edit(dependencies=(A,)), "cycle"),
        (Edit(dependencies=(PlannedId("x"),)), "unknown-dependency"),
        (Edit(tokens=0), "invalid-value"),
    ],
)
def test_an_edit_is_checked_like_a_new_session(edit: Edit, code: RefusalCode) -> None:
    """Nothing comes in by the back door."""
    queue = checked([planned("a"), planned("b", "a")])
    assert code == refused(lambda: queues.edited(queue, A, edit)).code


def test_what_others_wait_for_is_removed_only_by_force() -> None:
    """Then their need of it goes as well."""
    queue = checked([planned("a"), planned("b", "a", "c"), planned("c")])
    fault = refused(lambda: queues.removed(queue, A))
    assert ("needed-by-others", '"a" is needed by "b"; --force removes it, and their need of it') == (
        fault.code,
        fault.message,
    )
    left = queues.removed(queue, A, force=True)
    assert ((C,), "blocked") == (left.sessions[0].dependencies, statuses(left)["b"])


def test_what_is_complete_is_in_nobodys_way() -> None:
    """It can be removed although others have needed it, and so can what only the complete have needed."""
    queue = checked([planned("a", status=Status.COMPLETE), planned("b", "a")])
    assert (planned("b"),) == queues.removed(queue, A).sessions
    queue = checked([planned("a"), planned("b", "a", status=Status.COMPLETE)])
    assert (planned("b", status=Status.COMPLETE),) == queues.removed(queue, A).sessions


def test_a_circle_is_named_in_the_words_of_the_file() -> None:
    """Each depends on the next, the last on the first again; who is outside is not named."""
    outside = [planned("0", "a"), planned("d")]
    fault = refused(lambda: checked([*outside, planned("a", "d", "b"), planned("b", "c"), planned("c", "a")]))
    assert ("cycle", A, "dependencies") == (fault.code, fault.session, fault.field)
    assert fault.message.startswith('"a" depends on "b" depends on "c" depends on "a": a circle')
    fault = refused(lambda: checked([planned("a", "a")]))
    assert fault.message.startswith('"a" depends on "a": a circle')


def test_a_long_chain_is_no_trouble() -> None:
    """Nothing here recurses."""
    chain = [planned(f"s{number}", f"s{number + 1}") for number in range(SESSIONS_MAX - 1)]
    queue = checked([*chain, planned(f"s{SESSIONS_MAX - 1}")])
    assert "s0" == queues.in_sequence(queue)[-1]


def test_a_sequence_knows_nothing_of_what_is_not_there() -> None:
    """Part of a queue can be put in sequence, too."""
    assert ("a", "b") == queues.in_sequence(Queue((planned("b", "a", "x"), planned("a"))))


def test_a_queue_has_an_end() -> None:
    """One more than the most is refused."""
    sessions = [planned(f"s{number}") for number in range(SESSIONS_MAX + 1)]
    assert SESSIONS_MAX == len(checked(sessions[1:]).sessions)
    assert "invalid-value" == refused(lambda: checked(sessions)).code


@pytest.mark.parametrize("which", ["a", "7", "A.b_c-d", "x" * 64, "ball", "all.", "a.ics"])
def test_ids_that_are_taken(which: str) -> None:
    """Letters, digits, dots, hyphens and underscores."""
    assert which == checked([planned(which)]).sessions[0].id


@pytest.mark.parametrize(
    "which", ["", "all", "All", ".a", "-a", "_a", "a b", "a/b", "x" * 65, "ä", "a\n", "٣"]
)
def test_ids_that_are_refused(which: str) -> None:
    """They become file names, and words on a command line."""
    fault = refused(lambda: checked([planned(which)]))
    assert ("invalid-value", "id") == (fault.code, fault.field)


@pytest.mark.parametrize("tokens", [0, -1, TOKENS_MAX + 1])
def test_tokens_that_are_refused(tokens: int) -> None:
    """From 1 up to a million millions."""
    fault = refused(lambda: checked([planned("a", tokens=tokens)]))
    assert ("invalid-value", A, "tokens") == (fault.code, fault.session, fault.field)
    assert f'"a" has {tokens} tokens; allowed is 1 to {TOKENS_MAX}' == fault.message
    checked([planned("a", tokens=1), planned("b", tokens=TOKENS_MAX)])


@pytest.mark.parametrize("hours", [0.0, -1.0, HOURS_MAX + 0.1, float("nan"), float("inf")])
def test_hours_that_are_refused(hours: float) -> None:
    """More than nothing, a thousand at most."""
    fault = refused(lambda: checked([replace(planned("a"), hours=hours)]))
    assert ("invalid-value", A, "hours") == (fault.code, fault.session, fault.field)
    checked([replace(planned("a"), hours=HOURS_MAX), replace(planned("b"), hours=0.01)])


def test_what_is_scheduled_has_a_time() -> None:
    """Whoever writes the one by hand writes the other."""
    fault = refused(lambda: checked([replace(planned("a"), status=Status.SCHEDULED)]))
    assert ("invalid-value", "scheduled_for") == (fault.code, fault.field)


MOVES = st.tuples(
    st.sampled_from(["done", "readied", "booked", "unbooked", "claimed", "removed", "edited"]),
    st.integers(0, 5),
    st.frozensets(st.integers(0, 5), max_size=3),
)


def moved(queue: Queue, how: str, which: PlannedId, needs: tuple[PlannedId, ...]) -> Queue:
    """One change by its name."""
    match how:
        case "booked":
            return queues.booked(queue, which, T0, ScheduleReason.LOW_QUOTA)
        case "removed":
            return queues.removed(queue, which)
        case "edited":
            return queues.edited(queue, which, Edit(dependencies=needs))
        case _:
            changes = {"done": queues.done, "readied": queues.readied, "unbooked": queues.unbooked}
            return changes.get(how, queues.claimed)(queue, which)


@given(st.lists(MOVES, max_size=40))
def test_whatever_happens_a_queue_stays_sound(moves: list[tuple[str, int, frozenset[int]]]) -> None:
    """Steps follow the table, nothing begins before what it needs, and what stands would be taken again."""
    queue = checked([planned(f"s{number}") for number in range(6)])
    for how, number, needs in moves:
        before = {one.id: one.status for one in queue.sessions}
        which = PlannedId(f"s{number}")
        try:
            queue = moved(queue, how, which, tuple(PlannedId(f"s{one}") for one in sorted(needs)))
        except QueueRefused:
            continue
        assert queue == checked(queue.sessions)
        for one in queue.sessions:
            by_will = Status.READY if one.status is Status.BLOCKED else one.status
            assert {one.status, by_will} & {before[one.id], *LIFE[before[one.id]]}
            if one.status is Status.IN_PROGRESS and before[one.id] is not Status.IN_PROGRESS:
                needed = {queues.found(queue, other).status for other in one.dependencies}
                assert needed <= {Status.COMPLETE}
