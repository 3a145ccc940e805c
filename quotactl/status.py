"""``quotactl status``: where we stand now."""

from __future__ import annotations

import click

from quotactl.console import Console, json_option
from quotactl.failure import NoDaemon
from quotactl.last_seen import last_seen_text
from quotactl.render import status_text

_STATUS_EXAMPLES = """\b
Examples:
  quotactl status
  quotactl status --json | jq '.windows[0].remaining'
  quotactl --exit-zero status        for slash commands: never fails
"""


@click.command(epilog=_STATUS_EXAMPLES)
@json_option
@click.pass_obj
def status(console: Console, *, as_json: bool) -> None:
    """Show what is left of each quota window, when it resets, and what to do now.

    Each number says what it stands on: the limit is the plan's label, your setting or calibrated; what was
    spent is measured in the transcripts or estimated from tool use (marked ~ for a session).

    Without a daemon the last numbers that one left are shown, with their age, and the exit code is 69.
    """
    try:
        with console.connect() as client:
            reply = client.status()
    except NoDaemon:
        if not as_json:
            seen = last_seen_text(console.paths.root / "quota-tracker.json", console.now(), console.view())
            if seen:
                console.say(seen + "\n")
        raise
    if as_json:
        console.say_json(reply)
    else:
        console.say(status_text(reply, console.view()))
