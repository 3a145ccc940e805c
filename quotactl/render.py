"""Where we stand, as text: pure functions from the daemon's reply and a view to lines.

What a person wants first is left of the window and when it comes back; the basis and the age of each number
stand behind it. Nothing is longer than the view is wide, and without colour nothing is lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from quotactl import text, words
from quotactl.text import EMPTY, Line, Span, Style, View
from quotad import wire

LEVEL_STYLES: dict[str, Style] = {
    "plenty": "good",
    "moderate": "fair",
    "warning": "fair",
    "danger": "bad",
    "critical": "worst",
}

_LIMIT_WORDS = {
    "plan": "plan label",
    "configured": "your setting",
    "calibrated": "calibrated",
}

_LEVEL_CELLS = max(len(level) for level in LEVEL_STYLES)
_PERCENT_CELLS = len("100 %")
_BAR_CELLS_LEAST = 8
_NARROW_COLUMNS = 60
_PLACE_CELLS_LEAST = 12
_SESSIONS_MOST = 5
"""More than these would push the advice off a small terminal."""
_SOON = 30 * 60_000
_VERY_SOON = 5 * 60_000
_COUNTDOWN = 10 * 60_000
"""Below this a live view shows seconds."""


def status_text(reply: wire.StatusReply, view: View) -> str:
    """The whole status."""
    return text.paint(status_lines(reply, view), view)


def status_lines(reply: wire.StatusReply, view: View, now: int | None = None) -> list[Line]:
    """The same as lines; with ``now`` everything is counted down to that instant."""
    at = wire.instant(reply["now"]) if now is None else now
    lines: list[Line] = [_header(reply, at, view), EMPTY]
    lines += _progress(reply, view)
    accounts = list(dict.fromkeys(window["account"] for window in reply["windows"]))
    for account in accounts:
        if len(accounts) > 1:
            lines += [(Span(text.middle(text.place(account, view), view.width, view), "bold"),), EMPTY]
        for window in reply["windows"]:
            if window["account"] == account:
                lines += [*_window(window, reply, at, view), EMPTY]
        lines += _sessions([one for one in reply["sessions"] if one["account"] == account], at, view)
    lines += _queue(reply["queue"], at, view)
    lines += _advice(reply["advice"], view)
    lines += _problems(reply["daemon"]["problems"], at, view)
    lines += text.flow(_footer(reply, at), view, 0)
    return lines


def window_label(name: str) -> str:
    """``five_hour`` -> ``5 hours``, ``seven_day_opus`` -> ``7 days opus``."""
    match name.split("_"):
        case ["five", "hour", *rest]:
            return " ".join(["5 hours", *rest])
        case ["seven", "day", *rest]:
            return " ".join(["7 days", *rest])
        case parts:
            return " ".join(parts)


def _header(reply: wire.StatusReply, at: int, view: View) -> Line:
    left = (Span("Claude Code quota", "bold"), Span(f"{view.signs.dot}{reply['plan']} plan", "dim"))
    local = words.moment(at, view)
    time = f"{local:%H:%M:%S}" if view.live else f"{local:%H:%M}"
    for right in (f"{words.weekday(local)} {words.date(local)}, {time}", time):
        line = text.columns(left, (Span(right, "dim"),), view.width)
        if len(line) > len(left):
            return line
    return left


def _progress(reply: wire.StatusReply, view: View) -> Iterator[Line]:
    progress = reply["daemon"]["progress"]
    if reply["daemon"]["caught_up"] or progress is None:
        return
    yield from text.flow([(Span(reading_history(progress), "fair"),)], view, 0)
    yield EMPTY


def reading_history(progress: wire.ProgressReply) -> str:
    """How far the reading of history has come, as a sentence."""
    done, files = progress["files_done"], progress["files"]
    share = words.percent(100 * _share(progress))
    return f"Reading history: {done} of {files} files, {share}; numbers are provisional"


def _share(progress: wire.ProgressReply) -> float:
    """By bytes: one file may be as large as a thousand others."""
    return progress["bytes_done"] / progress["bytes"] if progress["bytes"] else 0.0


def _window(window: wire.WindowReply, reply: wire.StatusReply, at: int, view: View) -> Iterator[Line]:
    label_cells = max(text.cells(window_label(one["name"])) for one in reply["windows"])
    percent_cells = max(_PERCENT_CELLS, *(text.cells(_percent(one, view)) for one in reply["windows"]))
    yield _bar_line(window, label_cells, percent_cells, view)
    indent = label_cells + 2 if view.width >= _NARROW_COLUMNS else 2
    if window["state"] == "idle":
        yield from text.flow([_left(window)] if window["limit"] is not None else [], view, indent)
        return
    yield from text.flow(_amounts(window, reply, at), view, indent)
    yield from text.flow(_course(window, at, view), view, indent)


def _bar_line(window: wire.WindowReply, label_cells: int, percent_cells: int, view: View) -> Line:
    label = Span(text.pad(window_label(window["name"]), label_cells + 2), "bold")
    if window["state"] == "idle":
        room = view.width - label_cells - 2
        said = ("no window is running; the next call opens one", "idle until the next call", "idle")
        return (label, Span(next((one for one in said if len(one) <= room), said[-1]), "dim"))
    percent = window["percent"]
    if percent is None:
        return (label, Span("no limit is known", "dim"))
    style = _level_style(window)
    tail = (
        Span("  " + text.pad_left(_percent(window, view), percent_cells), style),
        Span("  " + text.pad(window["level"] or "", _LEVEL_CELLS), style),
    )
    room = view.width - label_cells - 2 - text.length(tail)
    return (label, *text.bar(percent / 100, max(room, _BAR_CELLS_LEAST), style, view), *tail)


def _percent(window: wire.WindowReply, view: View) -> str:
    if window["percent"] is None:
        return ""
    return (view.signs.least if window["lower_bound"] else "") + words.percent(window["percent"])


def _level_style(window: wire.WindowReply) -> Style:
    return LEVEL_STYLES.get(window["level"] or "", "")


def _alarm_style(window: wire.WindowReply) -> Style:
    """A window that will not last is a warning, however little of it is used."""
    style = _level_style(window)
    return "fair" if style in {"", "good"} else style


def _amounts(window: wire.WindowReply, reply: wire.StatusReply, at: int) -> Iterator[Line]:
    """What is left of what limit, what was spent, and what each number stands on."""
    if window["limit"] is not None:
        yield _left(window)
    spent, estimated = window["spent"], window["estimated_tokens"]
    if not estimated:
        basis = "measured"
    elif estimated >= spent:
        basis = "estimated"
    else:
        basis = f"{words.tokens(estimated)} of it estimated"
    age = words.ago(at - wire.instant(window["as_of"]))
    yield (Span(f"{words.tokens(spent)} spent"), Span(f" ({basis}, {age})", "dim"))
    reported = window["reported"]
    if reported is not None:
        late = at - wire.instant(reply["now"]) + 1000 * reported["age_seconds"]
        who = "you" if reported["source"] == "by_hand" else "Claude Code"
        yield (Span(f"{who} said {words.percent(reported['percent'])} {words.ago(late)}", "dim"),)


def _left(window: wire.WindowReply) -> Line:
    limit, remaining = window["limit"] or 0, window["remaining"] or 0
    basis = Span(f" ({_LIMIT_WORDS.get(window['limit_basis'], window['limit_basis'])})", "dim")
    if window["state"] == "idle":
        return (Span(f"{words.tokens(remaining)} to spend", "bold"), basis)
    return (Span(f"{words.tokens(remaining)} left", "bold"), Span(f" of {words.tokens(limit)}"), basis)


def _course(window: wire.WindowReply, at: int, view: View) -> Iterator[Line]:
    """When the window resets, against when it runs out at the pace of now."""
    if window["resets_at"] is None:
        return
    resets = wire.instant(window["resets_at"])
    back = f"{words.clock(resets, at, view)}, {_in(resets - at, view)}"
    burn = f"{words.tokens(window['burn_per_minute'])}/min"
    runs_out = window["runs_out_at"]
    if window["remaining"] == 0:
        yield (Span(f"used up until the reset at {back}", "worst"),)
    elif runs_out is not None:
        out = wire.instant(runs_out)
        early = words.duration(resets - out)
        yield (
            Span(f"at {burn} it "),
            Span(f"runs out {words.clock(out, at, view)}", _alarm_style(window)),
            Span(f", {early} before the reset ({words.clock(resets, at, view)})"),
        )
    else:
        yield (Span(f"resets {back}"),)
        if not window["burn_per_minute"]:
            yield (Span("nothing spent lately", "dim"),)
        elif window["remaining"] is None:
            yield (Span(f"spending {burn}", "dim"),)
        else:
            yield (Span(f"at {burn} it lasts until the reset", "dim"),)


def _in(millis: int, view: View) -> str:
    return f"in{text.HARD}{_countdown(millis, view)}" if millis > 0 else "now"


def _countdown(millis: int, view: View) -> str:
    return words.duration(millis, seconds_below=_COUNTDOWN) if view.live else words.duration(millis)


class _Row(NamedTuple):
    """A session: the time it has left, until when, what it has spent, and how the time left looks."""

    left: str
    until: str
    spent: str
    style: Style


def _sessions(sessions: Sequence[wire.SessionReply], at: int, view: View) -> Iterator[Line]:
    # By a time that does not change: in a live view no row jumps.
    active = sorted(
        (one for one in sessions if one["state"] == "active" and one["spent"]), key=lambda one: one["ends_at"]
    )
    if not active:
        return
    yield (Span("Sessions", "bold"),)
    rows = [_row(one, at, view) for one in active[:_SESSIONS_MOST]]
    left, until, spent = (max(text.cells(row[column]) for row in rows) for column in range(3))
    room = view.width - 8 - left - until - spent
    if room < _PLACE_CELLS_LEAST:
        room += until + 2
        until = 0
    for session, row in zip(active, rows, strict=False):
        yield (
            Span("  " + text.pad(_where(session, room, view), room)),
            Span("  " + text.pad_left(row.left, left), row.style),
            Span("  " + text.pad(row.until, until) if until else "", "dim"),
            Span("  " + text.pad_left(row.spent, spent)),
        )
    if len(active) > _SESSIONS_MOST:
        yield (Span(f"  and {len(active) - _SESSIONS_MOST} more", "dim"),)
    yield EMPTY


def _row(session: wire.SessionReply, at: int, view: View) -> _Row:
    ends = wire.instant(session["ends_at"])
    about = "~" if session["basis"] == "estimated" else ""
    style: Style = "bad" if ends - at <= _VERY_SOON else "fair" if ends - at <= _SOON else ""
    return _Row(
        f"{_countdown(ends - at, view)} left",
        f"until {words.clock(ends, at, view)}",
        about + words.tokens(session["spent"]),
        style,
    )


def _where(session: wire.SessionReply, room: int, view: View) -> str:
    """The directory, and the agent if that leaves room for it."""
    path = text.place(session["cwd"], view) or session["id"][:8]
    agent = f" ({text.plain(session['agent'])})" if session["agent"] else ""
    left = room - text.cells(agent)
    if left < _PLACE_CELLS_LEAST:
        return text.middle(path, room, view)
    return text.middle(path, left, view) + agent


def _queue(queue: wire.QueueReply, at: int, view: View) -> Iterator[Line]:
    count = len(queue["scheduled"])
    booked = f"{count} booked"
    if queue["next_at"] is not None:
        booked += ", the next " if count > 1 else " for "
        booked += words.clock(wire.instant(queue["next_at"]), at, view)
    facts: list[Line] = [
        (Span(shown),)
        for count, shown in (
            (queue["ready"], f"{queue['ready']} ready"),
            (queue["blocked"], f"{queue['blocked']} blocked"),
            (len(queue["scheduled"]), booked),
            (len(queue["in_progress"]), f"{len(queue['in_progress'])} in progress"),
        )
        if count
    ]
    if queue["due"]:
        facts.insert(0, (Span(f"due: {', '.join(queue['due'])}", "good"),))
    if facts:
        yield (Span("Queue", "bold"),)
        yield from text.flow(facts, view, 2)
        yield EMPTY


def _advice(advice: Sequence[str], view: View) -> Iterator[Line]:
    for one in advice:
        yield from text.paragraph(Span(view.signs.arrow + " "), (Span(one, "bold"),), view)
    if advice:
        yield EMPTY


def _problems(problems: Sequence[wire.ProblemReply], at: int, view: View) -> Iterator[Line]:
    for problem in problems:
        age = words.duration(at - wire.instant(problem["since"]))
        *lines, last = problem["message"].split("\n")
        told = (Span(last), Span(f" ({problem['code']}, for {age})", "dim"))
        yield from text.paragraphs(Span("! ", "bad"), "\n".join(lines), view)
        yield from text.paragraph(Span("  ") if lines else Span("! ", "bad"), told, view)
    if problems:
        yield EMPTY


def _footer(reply: wire.StatusReply, at: int) -> Iterator[Line]:
    daemon = reply["daemon"]
    up = words.duration(at - wire.instant(daemon["started_at"]))
    yield (Span(f"quotad {daemon['version']}, pid {daemon['pid']}, up {up}", "dim"),)
    notifier = daemon["notifier"]
    doubt = f", {wire.UNTRIED}" if notifier["detail"] == wire.UNTRIED else ""
    yield (Span(f"notices: {notifier['backend']}{doubt}", "dim"),)
    malformed = daemon["malformed_lines"]
    if malformed:
        lines = "1 unreadable line" if malformed == 1 else f"{malformed} unreadable lines"
        yield (Span(f"{lines}: quotactl doctor", "dim"),)
