"""The command: sets the stage, plays the day, tells what was seen."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import click

from quotactl import text, words
from quotactl.client import Client
from quotactl.console import Console
from quotactl.demo import story
from quotactl.demo.show import Show, lines_show, screen_show
from quotactl.demo.stage import Stage, stage_of
from quotactl.text import EMPTY, Line, Span, View

FRAME_SECONDS = 0.12
LAST_NOTICES_SECONDS = 1.0
"""A notice is on its way for a moment; those of the day's last minutes are waited for."""

_EXAMPLES = """\b
Examples:
  quotactl demo
  quotactl demo --speed 0.5          more slowly
  quotactl demo | cat                one line per event
"""


@click.command(epilog=_EXAMPLES)
@click.option(
    "--speed",
    type=click.FloatRange(0.2, 5),
    metavar="N",
    default=1.0,
    help="Play this many times as fast (0.2 to 5; 1 takes twenty seconds).",
)
@click.pass_obj
def demo(console: Console, *, speed: float) -> None:
    """Watch a made-up day: windows fill, notices come, a window resets.

    A private daemon in a temporary directory reads made-up transcripts, on a clock that makes a day of
    twenty seconds. Your own files are neither read nor changed, and nothing is left behind. Leave with q
    or Ctrl-C.
    """
    with ExitStack() as stack:
        stack.enter_context(_signals_end_us())
        stage = stack.enter_context(stage_of(console, speed))
        client = stack.enter_context(stage.daemon())
        show = stack.enter_context(screen_show(console) if console.terminal else lines_show(console))
        finished = _play(stage, client, show)
    # The stage is gone, and so is the other screen: this stays on the terminal.
    view = console.view()
    console.say(text.paint(closing(stage, finished=finished, view=view), view))


@contextmanager
def _signals_end_us() -> Iterator[None]:
    """SIGTERM and SIGHUP, too, take the way out that leaves nothing behind."""

    def leave(number: int, _: object) -> None:
        sys.exit(128 + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _play(stage: Stage, client: Client, show: Show) -> bool:
    """The day from its first minute to its last; false when the user left before."""
    beginning = stage.clock.now()
    show.event(beginning, "quotad counts what Claude Code writes")
    pending = story.day()
    while pending:
        now = stage.clock.now()
        while pending and story.instant_of(pending[0].minute, beginning) <= now:
            scene = pending.pop(0)
            at = story.instant_of(scene.minute, beginning)
            if scene.title:
                show.event(at, scene.title)
            if scene.tokens:
                stage.append(scene, at)
        if not _frame(stage, client, show):
            return False
    curtain = time.monotonic() + LAST_NOTICES_SECONDS
    while time.monotonic() < curtain:
        if not _frame(stage, client, show):
            return False
    return True


def _frame(stage: Stage, client: Client, show: Show) -> bool:
    reply = client.status()
    for notice in stage.hear():
        show.notice(notice)
    return show.frame(reply, FRAME_SECONDS)


def closing(stage: Stage, *, finished: bool, view: View) -> Iterator[Line]:
    """What was seen, and where to go from here."""
    yield EMPTY
    if finished:
        yield (Span("What you have seen", "bold"),)
        for fact in (
            f"{stage.calls} calls counted, {words.tokens(stage.spent)} tokens",
            f"{len(stage.notices)} notices, each of them once",
            "a window that filled, reset, and opened again",
        ):
            yield from text.paragraph(Span(f"  {view.signs.yes} ", "good"), (Span(fact),), view)
        yield EMPTY
    gone = Span("The demo's daemon has ended, and its files are gone.", "dim")
    yield from text.paragraph(Span(""), (gone,), view)
    # The command is for copying, and stays in one line as far as there is room.
    command = Span("quotactl up && quotactl status".replace(" ", text.HARD), "bold")
    yield from text.paragraph(Span(""), (Span("With your own quota: "), command), view)
