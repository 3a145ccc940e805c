"""The planned sessions as text: pure functions from the daemon's replies and a view to lines.

A session is told the same way wherever it is shown: what it may spend, how long it takes, how urgent it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from quotactl import text, words
from quotactl.text import EMPTY, HARD, Line, Span, Style, View
from quotad import wire

if TYPE_CHECKING:
    from quotad.wire import planning

_HOUR = 3_600_000
_STATE_CELLS_WANTED = 28
_STATE_CELLS_LEAST = 18
"""Below the first there is no column for the priority, below the second no table."""
_ID_CELLS_MOST = 28
_LABEL_CELLS = len("Waits for") + 2
_PRIORITY_STYLES: Mapping[str, Style] = {"HIGH": "bold", "LOW": "dim"}
_STATE_STYLES: Mapping[str, Style] = {"ready": "good", "scheduled": "fair", "in_progress": "bold"}
_ORDER = ("in_progress", "scheduled", "ready", "blocked")
"""What is nearest to now stands first."""
_OUTCOMES: Mapping[str, tuple[str, Style]] = {
    "complete": ("complete", "good"),
    "over_run": ("over its budget", "fair"),
    "abandoned": ("given up", "dim"),
}


def tokens_text(count: int) -> str:
    """``65k tokens``."""
    return f"{words.tokens(count)}{HARD}tokens"


def hours_text(hours: float) -> str:
    """``4 h``, ``1.5 h``, ``20 min``."""
    return f"{round(hours * 60)}{HARD}min" if hours < 1 else f"{round(hours, 1):g}{HARD}h"


def priority_text(planned: planning.PlannedReply) -> str:
    """``high``, ``medium``, ``low``."""
    return planned.get("priority", "MEDIUM").lower()


def name_line(planned: planning.PlannedReply, view: View) -> Line:
    """The id, and what it is about."""
    phase = planned.get("phase", "")
    named = Span(planned.get("id", ""), "bold")
    return (
        (named, Span(f"{view.signs.dot}{phase}", "dim")) if phase and phase != planned.get("id") else (named,)
    )


def facts(planned: planning.PlannedReply, now: int, view: View) -> Iterator[Line]:
    """What a session takes, in the order in which it matters."""
    if "estimatedTokens" in planned:
        yield (Span(tokens_text(planned["estimatedTokens"])),)
    if "estimatedHours" in planned:
        yield (Span(f"about {hours_text(planned['estimatedHours'])}"),)
    if planned.get("priority", "MEDIUM") != "MEDIUM":
        yield (Span(f"{priority_text(planned)} priority"),)
    if planned.get("agent"):
        yield (Span(f"agent {planned['agent']}"),)
    yield from _due(planned, now, view)
    if planned.get("cwd"):
        yield (Span(f"in {text.place(planned['cwd'], view)}"),)


def _due(planned: planning.PlannedReply, now: int, view: View) -> Iterator[Line]:
    if "deadline" in planned:
        at = wire.instant(planned["deadline"])
        style: Style = "bad" if at <= now and planned.get("status") != "complete" else ""
        yield (Span(f"by {words.clock(at, now, view)}", style),)


def bullets(items: Sequence[str], view: View, indent: int = 2) -> Iterator[Line]:
    """A list, each item wrapped under its own beginning; each of its lines is kept."""
    for item in items:
        first, *more = item.splitlines() or [""]
        yield from text.paragraph(Span(" " * indent + "- "), (Span(first),), view)
        for line in more:
            yield from text.paragraph(Span(" " * (indent + 2)), (Span(line),), view)


def hint_lines(words_: str, command: str, view: View) -> Iterator[Line]:
    """What to type next."""
    yield from text.paragraph(
        Span(f"{view.signs.arrow} ", "dim"), (Span(f"{words_} ", "dim"), Span(command)), view
    )


def warning_lines(warning: str, view: View) -> Iterator[Line]:
    """What is odd about something."""
    yield from text.paragraph(Span("! ", "fair"), (Span(warning),), view)


def late_lines(session: planning.PlannedReply, at: int, now: int, view: View) -> Iterator[Line]:
    """A warning if it cannot be done by its deadline when it begins at ``at``."""
    if "deadline" not in session:
        return
    deadline = wire.instant(session["deadline"])
    if at + session.get("estimatedHours", 0.0) * _HOUR > deadline:
        when = words.clock(deadline, now, view)
        missed = "begins" if at > deadline else "ends"
        yield from warning_lines(f"It {missed} after its deadline, {when}.", view)


def problem_lines(problem: str | None, view: View) -> Iterator[Line]:
    """That what follows is not what the queue's file says; nothing if it is."""
    if problem:
        yield from text.paragraphs(Span("! ", "bad"), problem, view)
        yield EMPTY


def queue_lines(
    reply: planning.QueueListReply, now: int, view: View, *, everything: bool = False
) -> Iterator[Line]:
    """The queue as a table: what is nearest to now first; what is complete only if asked for."""
    sessions = reply["sessions"]
    waiting = sorted((one for one in sessions if _state(one) != "complete"), key=_place)
    complete = [one for one in sessions if _state(one) == "complete"]
    yield from problem_lines(reply["problem"], view)
    if not sessions:
        yield (Span("Nothing is planned."),)
        yield from hint_lines("Plan something:", "quotactl queue add --id api --tokens 30k", view)
        return
    yield _queue_head(waiting, view)
    shown = [*waiting, *complete] if everything else waiting
    if shown:
        yield EMPTY
        rows = _Rows(reply, shown, now, view)
        yield from rows.lines()
    if complete and not everything:
        yield EMPTY
        yield from text.flow([(Span(f"{len(complete)} complete"),), (Span("--all shows them"),)], view, 0)


def _queue_head(waiting: Sequence[planning.PlannedReply], view: View) -> Line:
    tokens = sum(one.get("estimatedTokens", 0) for one in waiting)
    hours = sum(one.get("estimatedHours", 0.0) for one in waiting)
    count = f"{len(waiting)} session{'' if len(waiting) == 1 else 's'}"
    if not waiting:
        return (Span("Queue", "bold"), Span(f"{view.signs.dot}nothing is left to do", "dim"))
    sums = f"{count}, {tokens_text(tokens)}, about {hours_text(hours)}"
    return text.columns((Span("Queue", "bold"),), (Span(sums, "dim"),), view.width)


def _state(planned: planning.PlannedReply) -> str:
    return planned.get("status", "ready")


def _place(planned: planning.PlannedReply) -> tuple[int, str]:
    state = _state(planned)
    return _ORDER.index(state) if state in _ORDER else len(_ORDER), planned.get("scheduledFor", "")


class _Cells(NamedTuple):
    """How wide the columns of the table are."""

    id: int
    priority: int
    tokens: int
    hours: int


class _Rows:
    """The rows of the queue's table."""

    def __init__(
        self,
        reply: planning.QueueListReply,
        shown: Sequence[planning.PlannedReply],
        now: int,
        view: View,
    ) -> None:
        self._shown = shown
        self._now = now
        self._view = view
        self._blocked = {one["id"]: one["by"] for one in reply["blocked"]}
        self._runs = {run["id"]: run for run in sorted(reply["runs"], key=lambda run: run["started_at"])}
        self._priority = True
        self._cells = _Cells(
            min(_ID_CELLS_MOST, max(len("Session"), *(text.cells(one.get("id", "")) for one in shown))),
            len("medium"),
            max(len("Tokens"), *(len(words.tokens(one.get("estimatedTokens", 0))) for one in shown)),
            max(len("Hours"), *(len(hours_text(one.get("estimatedHours", 0.0))) for one in shown)),
        )

    def lines(self) -> Iterator[Line]:
        head = ("Session", "", "Tokens", "Time")
        room = self._view.width - 2 - text.cells(self._columns(head))
        if room < _STATE_CELLS_WANTED:
            self._priority = False
            room += self._cells.priority + 2
        narrow = room < _STATE_CELLS_LEAST
        if not narrow:
            yield (Span("  " + self._columns(head), "dim"),)
        for planned in self._shown:
            yield from self._narrow(planned) if narrow else self._wide(planned)

    def _columns(self, words_: tuple[str, str, str, str]) -> str:
        name, priority, tokens, hours = words_
        cells = self._cells
        columns = [
            text.pad(text.head(text.plain(name), cells.id, self._view), cells.id),
            text.pad_left(tokens, cells.tokens),
            text.pad_left(hours, cells.hours),
        ]
        if self._priority:
            columns.append(text.pad(priority, cells.priority))
        return "  ".join([*columns, ""])

    def _wide(self, planned: planning.PlannedReply) -> Iterator[Line]:
        numbers = (
            priority_text(planned),
            words.tokens(planned.get("estimatedTokens", 0)),
            hours_text(planned.get("estimatedHours", 0.0)),
        )
        row = "  " + self._columns((planned.get("id", ""), *numbers))
        name = 2 + self._cells.id
        complete = _state(planned) == "complete"
        urgent = "dim" if complete else _PRIORITY_STYLES.get(planned.get("priority", ""), "")
        prefix = (Span(row[:name], "dim" if complete else "bold"), Span(row[name:], urgent))
        first, *more = text.flow(
            self.state(planned, self._view.width - text.length(prefix)), self._view, text.length(prefix)
        )
        yield (*prefix, *first[1:])
        yield from more

    def _narrow(self, planned: planning.PlannedReply) -> Iterator[Line]:
        yield text.cut((Span("  "), *name_line(planned, self._view)), self._view)
        numbers: list[Line] = [
            (Span(words.tokens(planned.get("estimatedTokens", 0))),),
            (Span(hours_text(planned.get("estimatedHours", 0.0))),),
            (Span(priority_text(planned), _PRIORITY_STYLES.get(planned.get("priority", ""), "")),),
        ]
        yield from text.flow([*numbers, *self.state(planned, self._view.width)], self._view, 4)

    def state(self, planned: planning.PlannedReply, room: int) -> Iterator[Line]:
        """Where it is in its life, and what it waits for; shorter where that saves a line."""
        by = self._blocked.get(planned.get("id", ""), [])
        state = _state(planned)
        run = self._runs.get(planned.get("id", ""))
        match state:
            case "scheduled":
                yield (Span(booked_text(planned, self._now, self._view), "fair"),)
            case "in_progress":
                yield from self._in_progress(run, room)
            case "complete":
                yield (Span("complete", "dim"),)
                if run is not None and run["outcome"] is not None:
                    yield (Span(f"{words.tokens(run['actual'])} spent", "dim"),)
            case "blocked":
                pass
            case _:
                yield (Span(state, _STATE_STYLES.get(state, "")),)
        if state == "blocked" or (by and state != "complete"):
            yield (Span(f"waits for {', '.join(by)}" if by else "blocked", "dim"),)
        if state != "complete":
            yield from _due(planned, self._now, self._view)

    def _in_progress(self, run: planning.RunReply | None, room: int) -> Iterator[Line]:
        said = _running(run, self._now, self._view)
        if run is None or run["outcome"] is not None or not run["actual"]:
            yield (Span(said, "bold"),)
            return
        spent = f"{words.tokens(run['actual'])} spent"
        if run["ended_at"] is None and text.cells(said + self._view.signs.dot + spent) > room:
            said = "in progress"
        yield (Span(said, "bold"),)
        yield (Span(spent),)


def booked_text(planned: planning.PlannedReply, now: int, view: View) -> str:
    """When it is booked for, or since when it is due."""
    if "scheduledFor" not in planned:
        return "scheduled"
    at = wire.instant(planned["scheduledFor"])
    return f"due since {words.clock(at, now, view)}" if at <= now else f"booked {words.clock(at, now, view)}"


def _running(run: planning.RunReply | None, now: int, view: View) -> str:
    if run is None or run["outcome"] is not None:
        return "in progress"
    since = words.clock(wire.instant(run["started_at"]), now, view)
    if run["ended_at"] is not None:
        return f"ended {words.clock(wire.instant(run['ended_at']), now, view)}, not done"
    return f"in progress since {since}"


def show_lines(reply: planning.QueueShowReply, now: int, view: View) -> Iterator[Line]:
    """All there is to know about one planned session."""
    planned = reply["session"]
    state = _state(planned)
    yield from problem_lines(reply["problem"], view)
    said = {"scheduled": booked_text(planned, now, view), "in_progress": "in progress"}.get(state, state)
    right = (Span(said, _STATE_STYLES.get(state, "dim")),)
    yield text.columns(text.cut(name_line(planned, view), view), right, view.width)
    yield EMPTY
    yield from _field("Budget", f"{tokens_text(planned.get('estimatedTokens', 0))}, "
        f"about {hours_text(planned.get('estimatedHours', 0.0))}", view)  # fmt: skip
    yield from _field("Priority", priority_text(planned), view)
    yield from _field("Agent", planned.get("agent", ""), view)
    yield from _field("Directory", text.place(planned.get("cwd", ""), view), view)
    if "deadline" in planned:
        at = wire.instant(planned["deadline"])
        left = f", in {words.duration(at - now)}" if at > now else ", which is past"
        yield from _field("Deadline", words.clock(at, now, view) + left, view)
    yield from _field("Needs", ", ".join(planned.get("dependencies", [])), view)
    yield from _field("Waits for", ", ".join(reply["blocked_by"]), view)
    yield from _field("Needed by", ", ".join(reply["needed_by"]), view)
    yield from _field("Notes", planned.get("notes", ""), view)
    if planned.get("objectives"):
        yield EMPTY
        yield (Span("Objectives", "bold"),)
        yield from bullets(planned["objectives"], view)
    if reply["runs"]:
        yield EMPTY
        yield (Span("Runs", "bold"),)
        for run in reply["runs"]:
            yield from text.flow(run_facts(run, now, view), view, 2)


def _field(label: str, value: str, view: View) -> Iterator[Line]:
    if not value:
        return
    first, *more = value.splitlines()
    mark = text.pad(label, _LABEL_CELLS)
    for line in (first, *more):
        yield from text.paragraph(Span("  " + mark, "dim"), (Span(line),), view)
        mark = " " * _LABEL_CELLS


def run_facts(run: planning.RunReply, now: int, view: View) -> Iterator[Line]:
    """When it began, how it ended, and what it spent of what was planned."""
    yield (Span(words.clock(wire.instant(run["started_at"]), now, view)),)
    if run["outcome"] is None:
        ended = run["ended_at"] is not None
        yield (Span("its Claude session has ended" if ended else "running", "bold"),)
    else:
        yield (Span(*_OUTCOMES[run["outcome"]]),)
    yield (Span(f"{words.tokens(run['actual'])} spent of {words.tokens(run['estimate'])} planned"),)
