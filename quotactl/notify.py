"""``quotactl notify test``: one notice through every channel, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator

import click

from quotactl import text
from quotactl.console import Console
from quotactl.mistyped import HintingGroup
from quotactl.text import Line, Span, View
from quotad import wire

_NOTIFY_EXAMPLES = """\b
Examples:
  quotactl notify test
"""


@click.group(epilog=_NOTIFY_EXAMPLES, cls=HintingGroup)
def notify() -> None:
    """Try the notifications."""


_TEST_EXAMPLES = """\b
Examples:
  quotactl notify test
"""


@notify.command(epilog=_TEST_EXAMPLES)
@click.pass_obj
def test(console: Console) -> None:
    """Send a notice through every channel.

    What each did with it is said; so a desktop that shows nothing is found out before it matters.
    """
    with console.connect() as client:
        reply = client.notify_test()
    view = console.view()
    console.say(text.paint(channel_lines(reply, view), view))


def channel_lines(reply: wire.NotifyTestReply, view: View) -> Iterator[Line]:
    """A line per channel; the detail says why one did not deliver, or through what it did."""
    column = max((text.cells(one["channel"]) for one in reply["channels"]), default=0) + 2
    for one in reply["channels"]:
        name = text.pad(text.plain(one["channel"]), column)
        word = Span("delivered", "good") if one["delivered"] else Span("not delivered", "bad")
        detail = (Span(f": {one['detail']}"),) if one["detail"] else ()
        yield from text.paragraph(Span(name), (word, *detail), view)
    if not reply["channels"]:
        yield (Span("No channel is configured."),)
    elif not any(one["delivered"] for one in reply["channels"]):
        yield (Span("No notice would reach you now.", "bad"),)
