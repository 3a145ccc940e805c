"""What becomes of sessions that come in from a file: whoever changes a list imports it again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from quotad.domain.queue import Planned, PlannedId, Queue, QueueRefused, checked, in_any_case
from quotad.planning.queue_file import FAULTS_SHOWN_MAX


class TakenIn(NamedTuple):
    """The ids that are new, and those that were in the queue already and were left as they are."""

    added: list[PlannedId]
    kept: list[PlannedId]


def unknown(sessions: Sequence[Planned], queue: Queue) -> list[Planned]:
    """Those that are not in the queue.

    Raises ``QueueRefused`` with a line for each fault, if the sessions contradict each other or need what is
    nowhere; circles are not looked for.
    """
    there = frozenset(one.id for one in queue.sessions)
    faults = list(_faults(sessions, there))
    if faults:
        says = [fault.message for fault in faults[:FAULTS_SHOWN_MAX]]
        if len(faults) > FAULTS_SHOWN_MAX:
            says.append(f"and {len(faults) - FAULTS_SHOWN_MAX} more")
        raise QueueRefused(faults[0].code, "\n".join(says), faults[0].session, faults[0].field)
    return [one for one in sessions if one.id not in there]


def _faults(sessions: Sequence[Planned], there: frozenset[PlannedId]) -> Iterator[QueueRefused]:
    known = there.union(one.id for one in sessions)
    seen: set[str] = set()
    for one in sessions:
        if in_any_case(one.id) in seen:
            yield QueueRefused("duplicate", f'"{one.id}" is there twice; give one another id', one.id, "id")
            continue
        seen.add(in_any_case(one.id))
        if one.id in there:
            continue
        try:
            checked((replace(one, dependencies=()),))
        except QueueRefused as refused:
            yield refused
        for needed in one.dependencies:
            if needed not in known:
                yield QueueRefused(
                    "unknown-dependency",
                    f'"{one.id}" depends on "{needed}", which is neither there nor in the queue; add it, '
                    "or leave it out",
                    one.id,
                    "dependencies",
                )
