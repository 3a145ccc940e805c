"""Where the demo is shown: drawn on a terminal, or told in lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from quotactl import text, words
from quotactl.console import Console
from quotactl.demo.stage import Notice
from quotactl.render import status_lines
from quotactl.text import EMPTY, Line, Span, View
from quotad import wire

NOTICES_SHOWN = 4


class Show(Protocol):
    """What the play asks of it."""

    def event(self, at: int, title: str) -> None:
        """Something that happens in the story."""

    def notice(self, notice: Notice) -> None:
        """Something that the daemon has to say."""

    def frame(self, reply: wire.StatusReply, seconds: float) -> bool:
        """Shows the state for a while; false when the user wants to leave."""


@contextmanager
def lines_show(console: Console) -> Iterator[Show]:
    """One line per event, for a pipe."""
    yield _Lines(console)


@contextmanager
def screen_show(console: Console) -> Iterator[Show]:
    """The live status with the last notices below, on the terminal's other screen."""
    from quotactl.screen import Screen  # noqa: PLC0415 - rich is for those who watch

    with Screen(colour=console.colour) as screen:
        yield _Picture(console, screen.show, lambda seconds: not screen.wait((), seconds).leave)


def notice_line(notice: Notice, view: View, mark: str = "") -> Line:
    """A notice in one line, its end left out if it is longer."""
    time_of_day = f"{words.moment(notice.at, view):%H:%M}  "
    line = (Span(time_of_day, "dim"), Span(mark), Span(notice.title, "bold"), Span(f". {notice.body}"))
    return text.cut(line, view)


class _Lines:
    """What is told late bears the time of the line before it: a notice is on its way for a moment."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told_until = 0

    def event(self, at: int, title: str) -> None:
        view = self._console.view()
        at = self._not_back(at)
        time_of_day = f"{words.moment(at, view):%H:%M}  "
        self._tell(text.cut((Span(time_of_day, "dim"), Span(title)), view), view)

    def notice(self, notice: Notice) -> None:
        view = self._console.view()
        heard = notice._replace(at=self._not_back(notice.at))
        self._tell(notice_line(heard, view, "notice: "), view)

    def frame(self, reply: wire.StatusReply, seconds: float) -> bool:  # noqa: ARG002 - nothing is drawn
        time.sleep(seconds)
        return True

    def _not_back(self, at: int) -> int:
        self._told_until = max(self._told_until, at)
        return self._told_until

    def _tell(self, line: Line, view: View) -> None:
        self._console.say(text.paint([line], view))
        sys.stdout.flush()


class _Picture:
    def __init__(self, console: Console, show: Callable[[str], None], wait: Callable[[float], bool]) -> None:
        self._console = console
        self._show = show
        self._wait = wait
        self._notices: list[Notice] = []
        self._title = ""

    def event(self, at: int, title: str) -> None:  # noqa: ARG002 - the clock stands above
        self._title = title

    def notice(self, notice: Notice) -> None:
        self._notices = [*self._notices, notice][-NOTICES_SHOWN:]

    def frame(self, reply: wire.StatusReply, seconds: float) -> bool:
        view = self._console.view()
        self._show(text.paint(self._lines(reply, view), view))
        return self._wait(seconds)

    def _lines(self, reply: wire.StatusReply, view: View) -> Iterator[Line]:
        """What happens stands at the top, where nothing moves it."""
        leave = Span("  q to leave", "dim")
        title = text.head(f"Demo: {self._title}", view.width - text.cells(leave.text) - 1, view)
        yield text.columns((Span(title, "fair"),), (leave,), view.width)
        yield EMPTY
        yield from status_lines(reply, view)[:-1]
        yield (Span("Notices", "bold"),)
        for notice in self._notices:
            yield notice_line(notice, view)
