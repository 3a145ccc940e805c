"""A changed queue into the file's words: what did not change keeps its form, what nobody knows its place."""

from __future__ import annotations

import os
from pathlib import Path

from msgspec.structs import fields, replace

from quotad import wire
from quotad.domain.instant import Instant
from quotad.domain.queue import Planned, PlannedId, Queue, Status, checked
from quotad.planning.queue_text import Document


def both(base: Queue, ours: Queue, theirs: Queue) -> Queue:
    """What both made of ``base``, together; where they touched the same field, ours.

    A session that either took away is gone. Raises ``QueueRefused`` if the two do not go together.
    """
    before, changed = _by_id(base), _by_id(ours)
    sessions = []
    for planned in theirs.sessions:
        if planned.id in changed:
            sessions.append(_touched(before.get(planned.id), changed[planned.id], planned))
        elif planned.id not in before:
            sessions.append(planned)
    there = _by_id(theirs)
    sessions += [each for each in ours.sessions if each.id not in before and each.id not in there]
    return checked(sessions)


def _touched(before: Planned | None, ours: Planned, theirs: Planned) -> Planned:
    if before is None:
        return ours
    names = [each.name for each in fields(Planned) if getattr(before, each.name) != getattr(ours, each.name)]
    return replace(theirs, **{name: getattr(ours, name) for name in names})


def _by_id(queue: Queue) -> dict[PlannedId, Planned]:
    return {planned.id: planned for planned in queue.sessions}


def updated(document: Document, there: Queue, queue: Queue) -> Document:
    """The document, which says ``there``, so that it says ``queue``; new sessions come last."""
    before, after = _by_id(there), _by_id(queue)
    entries = []
    said = document["sessions"]
    assert isinstance(said, list)
    for entry in said:
        # By id: new sessions come last in the file, wherever they stand in the queue.
        which = PlannedId(entry["id"])
        if which in after:
            entries.append(_entry(entry, _members(before[which]), _members(after[which])))
    entries += [_entry({}, {}, _members(each)) for each in queue.sessions if each.id not in before]
    document = {**document, "sessions": entries}
    if isinstance(document.get("totalEstimate"), int | float):
        document["totalEstimate"] = _total(queue)
    return document


def _entry(entry: Document, before: Document, after: Document) -> Document:
    """``entry`` with what differs between the two: a null takes the name away."""
    entry = {**entry}
    for name, value in after.items():
        if name not in before or before[name] != value:
            entry[name] = value
            if value is None:
                del entry[name]
    # What the file said of ready and blocked may never have been true.
    if "status" in after and entry.get("status", Status.READY.value) != after["status"]:
        entry["status"] = after["status"]
    return entry


def _members(planned: Planned) -> Document:
    """A session in the file's words, null for what the file does not say then."""
    return {
        "id": planned.id,
        "phase": planned.phase,
        "priority": planned.priority.value,
        "estimatedHours": int(planned.hours) if planned.hours == int(planned.hours) else planned.hours,
        "estimatedTokens": planned.tokens,
        "agent": planned.agent,
        "objectives": list(planned.objectives),
        "status": planned.status.value,
        "dependencies": list(planned.dependencies),
        "scheduledFor": None if planned.scheduled_for is None else wire.iso(planned.scheduled_for),
        "scheduleReason": None if planned.schedule_reason is None else planned.schedule_reason.value,
        "deadline": None if planned.deadline is None else wire.iso(planned.deadline),
        "notes": planned.notes or None,
        "cwd": planned.cwd or None,
    }


def new_document(queue: Queue, path: Path, now: Instant) -> Document:
    """In ``<project>/.claude`` the file speaks of the project; elsewhere, of the directory it lies in."""
    directory = path.parent.parent if path.parent.name == ".claude" else path.parent
    project = os.fsencode(directory).decode("utf-8", "replace")
    entries = [_entry({}, {}, _members(planned)) for planned in queue.sessions]
    return {
        "projectPath": project,
        "projectName": Path(project).name,
        "analyzedAt": wire.iso(now),
        "totalEstimate": _total(queue),
        "sessions": entries,
    }


def _total(queue: Queue) -> int:
    """Tokens."""
    return sum(planned.tokens for planned in queue.sessions)
