"""What a command knows of the world around it: handed in once, at the edge, so that nobody looks it up."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import tzinfo

import click

from quotactl.client import Client, connect
from quotactl.failure import Undone
from quotactl.text import View
from quotactl.width import columns
from quotad import wire

JSON_ASKED = "quotactl.json"
EXIT_ZERO_ASKED = "quotactl.exit-zero"


@dataclass(frozen=True, slots=True)
class Console:
    """The environment, who runs us, and what our output goes to.

    ``terminal`` is true when output goes to a terminal that can be drawn on; ``now`` tells the time in
    milliseconds since the epoch; ``zone`` is None for the system's own time zone.
    """

    environment: Mapping[str, str]
    platform: str
    uid: int
    program: str
    now: Callable[[], int]
    terminal: bool = False
    colour: bool = False
    unicode: bool = True
    zone: tzinfo | None = None

    @property
    def paths(self) -> wire.Paths:
        """Where everything is; a wrong environment is wrong usage."""
        try:
            return wire.paths(self.environment, self.platform, self.uid)
        except ValueError as error:
            raise click.UsageError(f"{error}") from error

    @property
    def home(self) -> str:
        return self.environment.get("HOME", "")

    def connect(self, *, any_protocol: bool = False) -> Client:
        """A connection to the daemon; raises ``NoDaemon``."""
        return connect(self.paths.socket, self.uid, any_protocol=any_protocol)

    def view(self, *, zone: tzinfo | None = None, live: bool = False) -> View:
        """How to write now: a terminal may have been resized since the last time."""
        width = columns(self.environment, terminal=self.terminal)
        return View(width, self.colour, self.unicode, zone or self.zone, self.home, live)

    def say(self, text: str) -> None:
        """Text for standard output, coloured or not as it comes."""
        self._write(text)

    def say_json(self, result: object) -> None:
        """JSON for programs: one line in a pipe, indented where a person looks at it."""
        text = json.dumps(result, ensure_ascii=False, indent=2 if self.terminal else None)
        # In JSON a lone surrogate is legal and in UTF-8 it is not: its escape is both.
        self._write(text.encode(errors="backslashreplace"))

    def _write(self, output: str | bytes) -> None:
        try:
            click.echo(output, color=self.colour)
        except BrokenPipeError:
            raise
        except OSError as error:
            silence_output()
            message = f"Standard output cannot be written: {error.strerror}."
            raise Undone("output-failed", message) from error


def silence_output() -> None:
    """Nobody can read on: what is still buffered goes nowhere, and not into a traceback at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def remember_json(ctx: click.Context, _: click.Parameter, value: bool) -> bool:  # noqa: FBT001 - click's shape
    """Keeps for the edge that a failure, too, is to be told as JSON."""
    if value:
        ctx.meta[JSON_ASKED] = True
    return value


json_option = click.option(
    "--json", "as_json", is_flag=True, callback=remember_json, help="Print the daemon's answer as JSON."
)
