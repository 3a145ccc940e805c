"""``quotactl limit-hit``: a reading by hand, where Claude Code told the user and not quotad."""

from __future__ import annotations

from typing import cast

import click

from quotactl import text, words
from quotactl.console import Console
from quotactl.planned_options import time_of_day
from quotactl.render import window_label
from quotactl.text import Span
from quotad import wire

_LIMIT_HIT_EXAMPLES = """\b
Examples:
  quotactl limit-hit
  quotactl limit-hit --resets 3pm
  quotactl limit-hit --resets 2026-12-01T14:00
  quotactl limit-hit --undo
"""


@click.command("limit-hit", epilog=_LIMIT_HIT_EXAMPLES)
@click.option(
    "--resets", callback=time_of_day, metavar="TIME", help="When it resets, as Claude Code said: 15:00."
)
@click.option("--undo", is_flag=True, help="Take back what you said: no limit was hit.")
@click.pass_obj
def limit_hit(console: Console, *, resets: str | None, undo: bool) -> None:
    """Say that you hit the limit just now.

    Without --resets the five-hour window that is running is taken to be used up until its end. A reset more
    than five hours ahead is that of the weekly limit. What you say last holds: a wrong time is mended by the
    right one.
    """
    root = console.environment.get("CLAUDE_CONFIG_DIR") or None
    with console.connect() as client:
        reply = cast(
            "wire.LimitHitReply", client.ask("limit-hit", {"resets": resets, "root": root, "undo": undo})
        )
    view = console.view()
    names = " and ".join(f"the {window_label(name)}" for name in reply["windows"])
    if reply["resets_at"] is None:
        sentence = f"Taken back: {names} are not used up."
    else:
        at = wire.instant(reply["resets_at"])
        when = f"{words.clock(at, console.now(), view)}, in {words.duration(at - console.now())}"
        sentence = f"Noted: {names} are used up. They reset {when}."
    console.say(text.paint(text.paragraph(Span(""), (Span(sentence),), view), view))
