"""A decision as text: what to do now, why, and what could be done instead. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from quotactl import text, words
from quotactl.planned_text import (
    bullets,
    facts,
    hint_lines,
    hours_text,
    late_lines,
    name_line,
    priority_text,
    problem_lines,
    tokens_text,
    warning_lines,
)
from quotactl.text import EMPTY, HARD, Line, Span, View
from quotad import wire

if TYPE_CHECKING:
    from quotad.wire import planning

OTHERS_MOST = 9
"""So many alternatives are shown, and can be chosen by a digit."""
_BLOCKED_MOST = 5


def decision_lines(
    reply: planning.DecisionReply, now: int, view: View, *, numbered: bool = False
) -> Iterator[Line]:
    """The decision with its objectives and budget, then what else there is; ``numbered`` for a choice."""
    yield from problem_lines(reply["problem"], view)
    yield from _head(reply, now, view)
    session = reply["session"]
    if session is not None:
        yield from text.flow(facts(session, now, view), view, 2)
        yield from bullets(session.get("objectives", []), view)
    yield EMPTY
    yield from _why(reply, view)
    yield from _others(reply, view, numbered=numbered)
    yield from _blocked(reply["blocked"], view)


def _head(reply: planning.DecisionReply, now: int, view: View) -> Iterator[Line]:
    session = reply["session"]
    if session is None or reply["action"] == "none":
        yield (Span("Nothing to start now", "bold"),)
    elif reply["action"] == "start":
        yield text.cut((Span("Start now: ", "good"), *name_line(session, view)), view)
    else:
        at = reply["schedule_for"]
        when = f" for {when_text(wire.instant(at), now, view)}" if at else ""
        line = (Span(f"Book it{when}: ", "fair"), *name_line(session, view))
        yield from text.paragraph(Span(""), line, view)


def when_text(at: int, now: int, view: View) -> str:
    """``Mon 14:01, in 3 h 40 min``; what is due already is ``now``."""
    return f"{words.clock(at, now, view)}, in{HARD}{words.duration(at - now)}" if at > now else "now"


def _why(reply: planning.DecisionReply, view: View) -> Iterator[Line]:
    arrow = Span(view.signs.arrow + " ")
    yield from text.paragraph(arrow, (Span(reply["reason"], "bold"),), view)
    instead = reply["instead_of"]
    # The reason is the daemon's own sentence, and may have said it.
    if instead is not None and instead.get("id", "") not in reply["reason"]:
        takes = tokens_text(instead.get("estimatedTokens", 0))
        said = f"Instead of {instead.get('id', '')} ({takes}), which does not fit now."
        yield from text.paragraph(arrow, (Span(said),), view)
    if reply["exceeds_window"]:
        said = "It is larger than a whole window"
        said += f"; divided into {reply['parts']} parts it would fit." if reply["parts"] > 1 else "."
        yield from text.paragraph(Span("! ", "fair"), (Span(said),), view)
    chance = reply["fit_probability"]
    if chance is not None:
        yield from text.paragraph(
            arrow, (Span(f"It is likely to fit: {words.percent(100 * chance)}."),), view
        )


def _others(reply: planning.DecisionReply, view: View, *, numbered: bool) -> Iterator[Line]:
    """The alternatives, those that fit now marked."""
    others = reply["alternatives"][:OTHERS_MOST]
    if not others:
        return
    yield EMPTY
    yield (Span("Others", "bold"),)
    sessions = [one["session"] for one in others]
    ids = max(text.cells(one.get("id", "")) for one in sessions)
    rows = [_other(one) for one in sessions]
    tokens, hours, priority = (max(text.cells(row[column]) for row in rows) for column in range(3))
    room = view.width - 5 - tokens - hours - len("does not fit") - 6
    if room >= ids + priority + 2:
        room -= priority + 2
    else:
        priority = 0
    width = min(ids, max(room, 4))
    for number, (one, row) in enumerate(zip(others, rows, strict=True), 1):
        mark = f"  {number}  " if numbered else "  "
        name = text.pad(text.head(text.plain(one["session"].get("id", "")), width, view), width)
        yield (
            Span(mark, "dim"),
            Span(name),
            Span(f"  {text.pad_left(row[0], tokens)}  {text.pad_left(row[1], hours)}"),
            Span(f"  {text.pad(row[2], priority)}" if priority else "", "dim"),
            Span("  fits now", "good") if one["fits"] else Span("  does not fit", "dim"),
        )
    left = len(reply["alternatives"]) - len(others)
    if left:
        yield (Span(f"  and {left} more", "dim"),)


def _other(planned: planning.PlannedReply) -> tuple[str, str, str]:
    return (
        words.tokens(planned.get("estimatedTokens", 0)),
        hours_text(planned.get("estimatedHours", 0.0)),
        priority_text(planned),
    )


def _blocked(blocked: Sequence[planning.BlockedReply], view: View) -> Iterator[Line]:
    if not blocked:
        return
    yield EMPTY
    yield (Span("Blocked", "bold"),)
    for one in blocked[:_BLOCKED_MOST]:
        line = (Span(one["id"]), Span(f" waits for {', '.join(one['by'])}", "dim"))
        yield from text.paragraph(Span("  "), line, view)
    if len(blocked) > _BLOCKED_MOST:
        yield (Span(f"  and {len(blocked) - _BLOCKED_MOST} more", "dim"),)


def what_next_lines(reply: planning.DecisionReply, view: View, option: str = "") -> Iterator[Line]:
    """How to act on a decision that nobody was asked about; ``option`` is what `start` needs for it."""
    session = reply["session"]
    named = session.get("id", "") if session else ""
    tail = f" {option}" if option else ""
    match reply["action"]:
        case "start":
            yield EMPTY
            yield from hint_lines("Start it:", f"quotactl start {named}{tail}", view)
        case "schedule":
            yield EMPTY
            again = session is not None and session.get("status") == "scheduled"
            yield from hint_lines("Move it:" if again else "Book it:", f"quotactl schedule {named}", view)
            fitting = [one["session"].get("id", "") for one in reply["alternatives"] if one["fits"]]
            if fitting:
                yield from hint_lines("Or a smaller one now:", f"quotactl start {fitting[0]}{tail}", view)
        case "none":
            return


def booked_lines(reply: planning.ScheduledReply, now: int, view: View) -> Iterator[Line]:
    """A booking: when, and where its event is."""
    session = reply["session"]
    at = when_text(wire.instant(reply["scheduled_for"]), now, view)
    line = (Span(session.get("id", ""), "bold"), Span(" is booked for "), Span(at, "bold"), Span("."))
    yield from text.paragraph(Span(""), line, view)
    yield from text.flow(facts(session, now, view), view, 2)
    yield from text.flow([(Span(f"calendar: {text.place(reply['ics'], view)}"),)], view, 2)
    if reply["warning"]:
        yield from warning_lines(reply["warning"], view)
    yield from late_lines(session, wire.instant(reply["scheduled_for"]), now, view)
    if wire.instant(reply["scheduled_for"]) <= now:
        yield from hint_lines("Start it:", f"quotactl start {session.get('id', '')}", view)


def untold_lines(planned: planning.PlannedReply, view: View) -> Iterator[Line]:
    """A warning if there is nothing to be done in what Claude is told."""
    if planned.get("objectives") or planned.get("notes"):
        return
    named = planned.get("id", "")
    what = "id and title" if planned.get("phase") else "id"
    said = f"It has no objectives: Claude is told only its {what}."
    yield EMPTY
    yield from warning_lines(f"{said} `quotactl queue edit {named} --objective TEXT` says more.", view)


def prompt_of(planned: planning.PlannedReply) -> str:
    """What Claude Code is told: plain text, and never the beginning of an option or of a slash command."""
    named = planned.get("id", "")
    phase = planned.get("phase", "")
    parts = [f"This is the planned session {named}" + (f": {phase}." if phase and phase != named else ".")]
    if planned.get("objectives"):
        parts.append("Objectives:\n" + "\n".join(f"- {one}" for one in planned["objectives"]))
    if planned.get("notes"):
        parts.append(f"Notes: {planned['notes']}")
    hours = hours_text(planned.get("estimatedHours", 1.0))
    parts.append(
        f"It is planned to take {tokens_text(planned.get('estimatedTokens', 0))} and about {hours}. "
        f"When the objectives are met, run `quotactl queue done {named}`."
    )
    # What no argument of a program can hold; line breaks stay.
    return "\n\n".join(parts).replace(HARD, " ").replace("\0", "")


def claimed_lines(reply: planning.DecisionReply, view: View) -> Iterator[Line]:
    """For the Claude Code session that asked: its work, to be read as it stands."""
    session = reply["session"]
    assert session is not None, "who starts starts something"
    for line in prompt_of(session).split("\n"):
        yield from text.paragraph(Span(""), (Span(line),), view) if line else (EMPTY,)
