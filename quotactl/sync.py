"""``quotactl sync``: a fence between what is on disk and what the next answer knows."""

from __future__ import annotations

import click

from quotactl import text
from quotactl.console import Console
from quotactl.failure import Undone

TIMEOUT_SECONDS = 60.0


_SYNC_EXAMPLES = """\b
Examples:
  quotactl sync && quotactl history --json
  quotactl sync --timeout 600        after a first start
"""


@click.command(epilog=_SYNC_EXAMPLES)
@click.option(
    "--timeout",
    "seconds",
    type=click.FloatRange(min=0, max=86_400),
    metavar="S",
    default=TIMEOUT_SECONDS,
    help="Wait at most this many seconds (60 if not given).",
)
@click.pass_obj
def sync(console: Console, *, seconds: float) -> None:
    """Return once everything that is on disk now has been counted.

    Logs, transcripts and settings alike; history that is still being read is waited for. When the time
    runs out the exit code is 1. Settings that are refused are told on standard error.
    """
    with console.connect() as client:
        reply = client.sync(seconds)
        problems = client.status()["daemon"]["problems"] if reply["caught_up"] else []
    taken = f"{reply['seconds']:.1f} s"
    if not reply["caught_up"]:
        message = f"Not everything has been read within {taken}; the rest goes on in the background."
        raise Undone("timed-out", message)
    console.say(f"Everything on disk is counted ({taken}).")
    for problem in problems:
        if problem["code"] == "settings-invalid":
            # Whoever syncs after an edit would take the old settings' numbers for the new ones'.
            faults = "\n".join(text.plain(fault) for fault in problem["message"].splitlines())
            click.echo(f"The settings are refused: {faults}", err=True)
