"""``quotactl next``: the decision for now, changing nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import click

from quotactl import text
from quotactl.console import Console, json_option
from quotactl.decision_text import decision_lines, what_next_lines
from quotactl.planned_options import hours_option

if TYPE_CHECKING:
    from quotad.wire import planning

_NEXT_EXAMPLES = """\b
Examples:
  quotactl next
  quotactl next --hours 2            what fits into two hours
  quotactl next --json | jq -r .session.id
"""


@click.command("next", epilog=_NEXT_EXAMPLES)
@hours_option
@json_option
@click.pass_obj
def next_(console: Console, *, hours: float | None, as_json: bool) -> None:
    """Say what to do now: start a session, book one for later, or nothing.

    Of the sessions that are ready the most urgent one that fits into what is left of every quota window is to
    be started; if none fits, the most urgent is to be booked for when there is quota again. This only looks;
    `quotactl start` acts on it.
    """
    reply = decided(console, None, hours)
    if as_json:
        console.say_json(reply)
        return
    view = console.view()
    lines = [*decision_lines(reply, console.now(), view), *what_next_lines(reply, view)]
    console.say(text.paint(lines, view))


def decided(console: Console, named: str | None, hours: float | None) -> planning.DecisionReply:
    """What the daemon would do now, with the session of this id or with the best."""
    with console.connect() as client:
        return cast("planning.DecisionReply", client.ask("next", {"hours": hours, "id": named}))
