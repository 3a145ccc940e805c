"""What becomes of sessions that come in from a file."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from quotad.domain.queue import Planned, PlannedId, QueueRefused, Status, checked
from quotad.planning.taken_in import unknown
from tests.domain.planning import ready

THERE = checked([ready("a"), ready("b", 50, "a")])


def test_what_is_in_the_queue_is_not_new() -> None:
    """Whatever the file says of it; what is new may need it."""
    new = ready("c", 5, "b")
    assert [new] == unknown([replace(ready("a", 99), dependencies=(PlannedId("x"),)), new], THERE)


@pytest.mark.parametrize(
    ("sessions", "code", "says"),
    [
        (
            [ready("c"), ready("c")],
            "duplicate",
            ['"c" is there twice; give one another id'],
        ),
        ([ready("a"), ready("a")], "duplicate", ['"a" is there twice; give one another id']),
        ([ready("c"), ready("C")], "duplicate", ['"C" is there twice; give one another id']),
        (
            [ready("c", 0, "x"), ready("d", 1, "y", status=Status.SCHEDULED)],
            "invalid-value",
            [
                '"c" has 0 tokens; allowed is 1 to 1000000000000',
                '"c" depends on "x", which is neither there nor in the queue; add it, or leave it out',
                '"d" has no time although it is scheduled; allowed is a time, or another status',
                '"d" depends on "y", which is neither there nor in the queue; add it, or leave it out',
            ],
        ),
    ],
    ids=["twice in it", "twice though known", "twice but for case", "everything at once"],
)
def test_what_contradicts_itself_is_refused(sessions: Sequence[Planned], code: str, says: list[str]) -> None:
    """With all that is wrong, the first of which gives the code."""
    with pytest.raises(QueueRefused) as refused:
        unknown(sessions, THERE)
    assert (code, says) == (refused.value.code, str(refused.value).splitlines())


def test_not_too_many_faults_are_said() -> None:
    """Ten, and how many more."""
    ten = [ready(f"s{number}", 0) for number in range(10)]
    for more, last in (([], '"s9" has 0 tokens'), ([ready("t", 0), ready("u", 0)], "and 2 more")):
        with pytest.raises(QueueRefused) as refused:
            unknown([*ten, *more], THERE)
        assert str(refused.value).splitlines()[-1].startswith(last)
