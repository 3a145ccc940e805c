"""``quotactl limit-hit``: a reading by hand, where Claude Code told the user and not quotad."""

from __future__ import annotations

import click

from quotactl.console import Console
from quotactl.planned_options import time_of_day

_LIMIT_HIT_EXAMPLES = """\b
Examples:
  quotactl limit-hit
  quotactl limit-hit --resets 15:00
  quotactl limit-hit --resets 2026-12-01T14:00
"""


@click.command("limit-hit", epilog=_LIMIT_HIT_EXAMPLES)
@click.option(
    "--resets", callback=time_of_day, metavar="TIME", help="When it resets, as Claude Code said: 15:00."
)
@click.pass_obj
def limit_hit(console: Console, *, resets: str | None) -> None:
    """Say that you hit the limit just now.

    Without --resets the five-hour window that is running is taken to be used up until its end. A reset more
    than five hours ahead is that of the weekly limit.
    """
    with console.connect() as client:
        client.ask(
            "limit-hit", {"resets": resets, "root": console.environment.get("CLAUDE_CONFIG_DIR") or None}
        )
    console.say("Noted: the limit is reached. `quotactl status` shows when it resets.")
