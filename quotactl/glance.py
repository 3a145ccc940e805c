"""``quotactl status`` without options: what people and slash commands type most, at the price of its words.

Neither click nor ``json`` nor ``socket`` is imported: they cost thrice Python's own start. Where anything is
in the way nothing is said here, and the command itself (``status``) finds out what it is. Which protocol the
daemon speaks is not asked: a status has a number of its own (``schema``).
"""

import os
import sys

from quotactl import quick
from quotactl.render import status_text
from quotactl.text import View
from quotactl.width import columns
from quotad import wire
from quotad.places import default_places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

ANSWER_SECONDS = 2.0
"""The command waits longer for a daemon that is busy."""


def shown(
    environment: "Mapping[str, str]", platform: str, *, terminal: bool, colour: bool, unicode: bool
) -> bool:
    """Whether the status was printed."""
    uid = os.getuid()
    try:
        socket = default_places(environment, platform, uid)[3]
    except ValueError:
        return False
    reply = quick.ask(socket, uid, "status", "{}", ANSWER_SECONDS)
    if reply is None or reply.get("schema") != wire.STATUS_SCHEMA:
        return False
    width = columns(environment, terminal=terminal)
    view = View(width, colour, unicode, home=environment.get("HOME", ""))
    try:
        sys.stdout.write(status_text(reply, view) + "\n")  # type: ignore[arg-type] # as far as the schema promises
        sys.stdout.flush()
    except OSError:
        return False
    return True
