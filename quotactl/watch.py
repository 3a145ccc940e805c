"""``quotactl watch``: the status, drawn again whenever it changes and counted down in between."""

from __future__ import annotations

import select
import signal
import sys
import time
from typing import NamedTuple

import click

from quotactl import text
from quotactl.client import Client, Subscription
from quotactl.console import Console
from quotactl.failure import NoDaemon
from quotactl.render import status_lines, status_text
from quotactl.text import EMPTY, Span
from quotad import wire

AGAIN_SECONDS = 1.0
"""How often a daemon that has gone is looked for."""


_WATCH_EXAMPLES = """\b
Examples:
  quotactl watch
  quotactl watch | grep --line-buffered left
"""


@click.command(epilog=_WATCH_EXAMPLES)
@click.pass_obj
def watch(console: Console) -> None:
    """Show the status live: it changes when you spend, and counts down each second.

    Leave with q or Ctrl-C. When the daemon is restarted, watch waits for it. In a pipe it prints the
    status once and then again at each change.
    """
    client = console.connect()
    if console.terminal:
        _Live(console, client).run()
    else:
        _print_changes(console, client)


class _Sight(NamedTuple):
    """A status, and when it was received on the monotonic clock."""

    reply: wire.StatusReply
    at: float

    def now(self) -> int:
        """The daemon's time now, as far as can be told without asking it."""
        return wire.instant(self.reply["now"]) + round(1000 * (time.monotonic() - self.at))


class _Live:
    """One watch on a terminal, from the first connection to the last key."""

    def __init__(self, console: Console, client: Client) -> None:
        self._console = console
        self._subscription: Subscription | None = None
        self._follow(client)
        self._again = 0.0
        self._lost = ""

    def run(self) -> None:
        from quotactl.screen import Screen  # noqa: PLC0415 - rich is for those who watch

        with Screen(colour=self._console.colour) as screen:
            while True:
                screen.show(self._picture())
                files = [self._subscription.fileno()] if self._subscription else []
                ready = screen.wait(files, 1.0 - time.time() % 1.0)
                if ready.leave:
                    return
                self._catch_up()

    def _follow(self, client: Client) -> None:
        self._subscription = client.subscribe()
        self._sight = _Sight(self._subscription.first, time.monotonic())

    def _catch_up(self) -> None:
        """Takes in what has come, or looks whether the daemon is back."""
        try:
            if self._subscription is None:
                if time.monotonic() >= self._again:
                    self._follow(self._console.connect())
                return
            while (reply := self._subscription.next(0.0)) is not None:
                self._sight = _Sight(reply, time.monotonic())
        except NoDaemon as failure:
            self._lost = failure.message
            if self._subscription is not None:
                self._subscription.close()
            self._subscription = None
            self._again = time.monotonic() + AGAIN_SECONDS

    def _picture(self) -> str:
        view = self._console.view(live=True)
        lines = status_lines(self._sight.reply, view, self._sight.now())
        if self._subscription is None:
            lost = (Span(self._lost, "bold"), Span(" Waiting; above is what was known last.", "dim"))
            lines += [EMPTY, *text.paragraph(Span("! ", "bad"), lost, view)]
        else:
            lines += [(Span("q to leave", "dim"),)]
        return text.paint(lines, view)


def _print_changes(console: Console, client: Client) -> None:
    """A status at each change; ends when nobody reads on, or by a signal."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    while True:
        try:
            _print_until_lost(console, client)
        except NoDaemon as failure:
            click.echo(failure.message, err=True)
        client = _found_again(console)


def _print_until_lost(console: Console, client: Client) -> None:
    with client:
        subscription = client.subscribe()
        reply: wire.StatusReply | None = subscription.first
        while True:
            if reply is not None:
                console.say(status_text(reply, console.view()) + "\n")
                sys.stdout.flush()
            _wait_for_either(subscription)
            reply = subscription.next(0.0)


def _wait_for_either(subscription: Subscription) -> None:
    """Until the daemon speaks; raises ``BrokenPipeError`` when nobody listens to us any more."""
    poll = select.poll()
    poll.register(subscription.fileno(), select.POLLIN)
    poll.register(sys.stdout.fileno(), 0)
    for file, events in poll.poll():
        if file == sys.stdout.fileno() and events & (select.POLLERR | select.POLLNVAL):
            raise BrokenPipeError


def _found_again(console: Console) -> Client:
    while True:
        try:
            return console.connect()
        except NoDaemon:
            time.sleep(AGAIN_SECONDS)
