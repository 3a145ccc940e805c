"""The user's calendar of planned sessions: which event each one has, and how RFC 5545 writes it.

An event is kept for the life of its session under one UID. What a calendar shows of it has a fingerprint:
while that is the same, so is every byte; when it changes, SEQUENCE rises by one and the time of the change
becomes DTSTAMP and LAST-MODIFIED. Times are UTC, since neither an hour that a clock shows twice nor a time
zone's definition survives every calendar. METHOD is left out: it belongs to invitations, and a calendar
server must refuse it (RFC 4791, 4.1).

icalendar takes long to import, so only what writes an event does.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from quotad.domain.event import EventRow, EventStatus
from quotad.domain.instant import HOUR, MINUTE, SECOND, Instant, Millis
from quotad.domain.queue import Planned, Priority, Queue, ScheduleReason, Status

if TYPE_CHECKING:
    from icalendar import Alarm, Calendar, Event

CONFIRMED: EventStatus = "CONFIRMED"
CANCELLED: EventStatus = "CANCELLED"

ALARMS: tuple[Millis, ...] = (30 * MINUTE, 5 * MINUTE)
"""How long before a session its calendar reminds of it."""
REFRESH: Millis = HOUR
"""How often a subscriber is asked to look again; many look less often."""
SUMMARY_CHARS_MAX = 200
DESCRIPTION_CHARS_MAX = 8_000
"""Some calendars cut longer ones without a word."""
LATEST: Instant = 253_402_300_799_000
"""The last second that four digits of a year can say."""

PRODID = "-//quotad//planned sessions//EN"
NAME = "Claude Code sessions"
CONTENT = "X-QUOTAD-CONTENT"
"""A file's digest of the rows it was made of: what is up to date is known without writing it again."""

_FORM = 1
"""Part of each fingerprint: raised when events come to be written differently."""
_DIGEST_CHARS = 32
_LINE_END = b"\r\n"
_END = b"END:VCALENDAR\r\n"
_REASONS: dict[ScheduleReason, str] = {
    ScheduleReason.QUOTA_EXCEEDED: "the quota was used up",
    ScheduleReason.LOW_QUOTA: "too little of the quota was left",
    ScheduleReason.USER_SCHEDULED: "this time was asked for",
    ScheduleReason.DEPENDENCY: "another session comes first",
}
_PRIORITIES: dict[Priority, int] = {Priority.HIGH: 1, Priority.MEDIUM: 5, Priority.LOW: 9}
"""RFC 5545, 3.8.1.9."""

NewUid: TypeAlias = Callable[[], str]


def new_uid() -> str:
    """A UID that no other event in the world has."""
    return f"{uuid.uuid4()}@quotad"


class Shown(NamedTuple):
    """What a calendar shows of an event."""

    starts: Instant
    ends: Instant | None
    summary: str
    description: str
    priority: int


def reconciled(
    queue: Queue, rows: Iterable[EventRow], now: Instant, uid: NewUid = new_uid
) -> tuple[EventRow, ...]:
    """The rows of the events that the queue calls for, those given first; one that is right comes back equal.

    A scheduled session's event is confirmed. One whose time had come when its session was taken up stays,
    as a record; every other one whose session is not scheduled any more is cancelled. Rows are to be kept
    before files are written, or a crash between the two could say two things under one SEQUENCE.
    """
    planned = {one.id: one for one in queue.sessions}
    known = tuple(rows)
    have = {row.planned for row in known}
    new = (one for one in queue.sessions if one.id not in have and _booked(one) is not None)
    return (
        *(_continued(planned.get(row.planned), row, now) for row in known),
        *(confirmed(one, None, now, uid) for one in new),
    )


def _continued(planned: Planned | None, row: EventRow, now: Instant) -> EventRow:
    starts = None if planned is None else _booked(planned)
    if planned is not None and (starts is not None or _is_record(planned, row, now)):
        return confirmed(planned, row, now)
    return cancelled(row, now)


def _booked(planned: Planned) -> Instant | None:
    return planned.scheduled_for if planned.status is Status.SCHEDULED else None


def _is_record(planned: Planned, row: EventRow, now: Instant) -> bool:
    taken_up = planned.status in {Status.IN_PROGRESS, Status.COMPLETE}
    return taken_up and row.status == CONFIRMED and row.starts <= now


def confirmed(planned: Planned, row: EventRow | None, now: Instant, uid: NewUid = new_uid) -> EventRow:
    """The row of a session's event: ``row`` itself if a calendar would show nothing else.

    The event is at the time the session is booked for, or stays where ``row`` has it.
    """
    starts = _booked(planned)
    if starts is None:
        if row is None:
            message = f"{planned.id} is not scheduled and has no event"
            raise ValueError(message)
        starts = row.starts
    fingerprint = _fingerprint(CONFIRMED, shown(planned, starts))
    if row is None:
        return EventRow(planned.id, uid(), 0, fingerprint, CONFIRMED, starts, now)
    if row.fingerprint == fingerprint:
        return row
    return _changed(row, now)._replace(fingerprint=fingerprint, status=CONFIRMED, starts=starts)


def cancelled(row: EventRow, now: Instant) -> EventRow:
    """The row of an event that does not take place: ``row`` itself if it says so already."""
    if row.status == CANCELLED:
        return row
    fingerprint = _fingerprint(CANCELLED, _shown_cancelled(row))
    return _changed(row, now)._replace(fingerprint=fingerprint, status=CANCELLED)


def _changed(row: EventRow, now: Instant) -> EventRow:
    # A clock that was set back must not make the later version look like the earlier one.
    return row._replace(sequence=row.sequence + 1, changed=max(now, row.changed))


def shown(planned: Planned, starts: Instant) -> Shown:
    """What a calendar shows of a session at that time."""
    starts = _second(starts)
    length = max(1, round(planned.hours * HOUR / MINUTE)) * MINUTE
    name = f"{planned.id}, {planned.phase}" if planned.phase else planned.id
    return Shown(
        starts=starts,
        ends=min(starts + length, LATEST),
        summary=_one_line(f"Claude Code: {name}", f" ({_short(planned.tokens)} tokens)"),
        description=_clipped(_clean("\n".join(_description(planned))), DESCRIPTION_CHARS_MAX),
        priority=_PRIORITIES[planned.priority],
    )


def _shown_cancelled(row: EventRow) -> Shown:
    """Of an event that does not take place there is only the row: its session may be gone."""
    return Shown(_second(row.starts), None, f"Cancelled: Claude Code: {row.planned}", "", 0)


def _description(planned: Planned) -> Iterable[str]:
    if planned.objectives:
        yield "Objectives:"
        yield from (f"- {objective}" for objective in planned.objectives)
        yield ""
    yield f"Token budget: {planned.tokens:,} (estimate)"
    yield f"Time: {planned.hours:g} h (estimate)"
    yield f"Priority: {planned.priority.lower()}"
    if planned.agent:
        yield f"Agent: {planned.agent}"
    if planned.cwd:
        yield f"Directory: {planned.cwd}"
    if planned.dependencies:
        yield f"Comes after: {', '.join(planned.dependencies)}"
    if planned.deadline is not None:
        yield f"Deadline: {_moment(planned.deadline):%Y-%m-%d %H:%M} UTC"
    if planned.schedule_reason is not None:
        yield f"Why then: {_REASONS[planned.schedule_reason]}"
    if planned.notes:
        yield ""
        yield planned.notes
    yield ""
    yield f"Start it with: quotactl start {planned.id}"


def _fingerprint(status: str, content: Shown) -> bytes:
    return hashlib.sha256(json.dumps([_FORM, status, *content]).encode()).digest()


def digest(rows: Iterable[EventRow]) -> bytes:
    """The value of ``CONTENT`` in a file made of these rows, in this order."""
    content = [[row.uid, row.sequence, row.fingerprint.hex(), row.changed] for row in rows]
    # Short enough that its line is not folded.
    return hashlib.sha256(json.dumps([_FORM, content]).encode()).hexdigest()[:_DIGEST_CHARS].encode()


def is_made_of(file: bytes, rows: Iterable[EventRow]) -> bool:
    """Whether a file is whole and was made of exactly these rows."""
    mark = _LINE_END.join((b"", CONTENT.encode() + b":" + digest(rows), b""))
    return mark in file and file.endswith(_LINE_END + _END)


def event_text(row: EventRow, planned: Planned | None) -> bytes:
    """The VEVENT of a row; of a cancelled one the session may be gone."""
    written: bytes = _component(row, planned).to_ical()
    return written


def file_of(row: EventRow, event: bytes) -> bytes:
    """A file with one event: what is imported."""
    return _filled(_calendar([row]), [event])


def feed_of(rows: Sequence[EventRow], events: Iterable[bytes]) -> bytes:
    """One file with all the events: what is subscribed to."""
    calendar = _calendar(rows)
    calendar.add("NAME", NAME)
    calendar.add("X-WR-CALNAME", NAME)
    calendar.add("REFRESH-INTERVAL", timedelta(milliseconds=REFRESH), parameters={"VALUE": "DURATION"})
    calendar.add("X-PUBLISHED-TTL", f"PT{REFRESH // HOUR}H")
    return _filled(calendar, events)


def _calendar(rows: Iterable[EventRow]) -> Calendar:
    from icalendar import Calendar  # noqa: PLC0415 - see above

    calendar = Calendar()
    calendar.add("PRODID", PRODID)
    calendar.add("VERSION", "2.0")
    calendar.add("CALSCALE", "GREGORIAN")
    calendar.add(CONTENT, digest(rows).decode())
    return calendar


def _filled(calendar: Calendar, events: Iterable[bytes]) -> bytes:
    """Events are written once and put together as text: each costs half a millisecond."""
    written: bytes = calendar.to_ical()
    return written.removesuffix(_END) + b"".join(events) + _END


def _component(row: EventRow, planned: Planned | None) -> Event:
    from icalendar import Event  # noqa: PLC0415 - see above

    off = planned is None or row.status == CANCELLED
    content = _shown_cancelled(row) if planned is None or off else shown(planned, row.starts)
    event = Event()
    event.add("UID", row.uid)
    event.add("SEQUENCE", row.sequence)
    event.add("DTSTAMP", _moment(_second(row.changed)))
    event.add("LAST-MODIFIED", _moment(_second(row.changed)))
    event.add("DTSTART", _moment(content.starts))
    if content.ends is not None:
        event.add("DTEND", _moment(content.ends))
    event.add("SUMMARY", content.summary)
    event.add("STATUS", row.status)
    # Planned work of a program must not make its user look busy.
    event.add("TRANSP", "TRANSPARENT")
    event.add("CATEGORIES", ["quotad"])
    if not off:
        event.add("DESCRIPTION", content.description)
        event.add("PRIORITY", content.priority)
        for before in ALARMS:
            event.add_component(_alarm(row, content, before))
    return event


def _alarm(row: EventRow, content: Shown, before: Millis) -> Alarm:
    from icalendar import Alarm  # noqa: PLC0415 - see above

    # Its own UID, which what a calendar notes of it (dismissed, snoozed) hangs on (RFC 9074, 4).
    name = f"{row.uid}/{before // MINUTE}"
    return Alarm.new_display(
        f"{content.summary} in {before // MINUTE} minutes",
        timedelta(milliseconds=-before),
        uid=str(uuid.uuid5(uuid.NAMESPACE_URL, name)),
    )


def _second(instant: Instant) -> Instant:
    """The instant as precisely as a calendar can say it; what no calendar can say becomes what it can."""
    return max(0, min(instant, LATEST - MINUTE)) // SECOND * SECOND


def _moment(instant: Instant) -> datetime:
    return datetime.fromtimestamp(max(0, min(instant, LATEST)) // SECOND, UTC)


def _one_line(text: str, rest: str) -> str:
    return _clipped(" ".join(_clean(text).split()), SUMMARY_CHARS_MAX - len(rest)) + rest


def _clipped(text: str, chars_max: int) -> str:
    return text if len(text) <= chars_max else text[: chars_max - 1] + "…"


def _clean(text: str) -> str:
    """Without the signs that icalendar writes and no calendar reads: controls, lone surrogates."""
    if text.replace("\n", "").isprintable():
        return text
    return "".join(map(_clean_sign, text.replace("\r\n", "\n").replace("\r", "\n")))


def _clean_sign(sign: str) -> str:
    match unicodedata.category(sign):
        case "Cc":
            return sign if sign in "\n\t" else ""
        case "Zl" | "Zp":
            return "\n"
        case "Cs":
            return "?"
        case _:
            return sign


def _short(tokens: int) -> str:
    """``45k``, ``1.2M``, below a thousand exact."""
    for unit, size in (("M", 1_000_000), ("k", 1_000)):
        if tokens >= size:
            return f"{tokens / size:.1f}".removesuffix(".0") + unit
    return str(tokens)
