"""``quotactl statusline``: what Claude Code shows under its prompt, many times a minute.

Claude Code's JSON goes to the daemon as it is, the daemon's line comes back. Without a daemon the line says
what Claude Code itself said. It never fails: a status line that does is an empty one.
"""
# ruff: noqa: PTH110 - pathlib costs a quarter of Python's start

import os
import time

from quotactl import quick
from quotad.places import default_places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

TEXT_BYTES_MAX = quick.REQUEST_BYTES_MAX - 64 * 1024
"""Claude Code says a few thousand. What no request can hold is not told, but the line is asked for."""
ANSWER_SECONDS = 0.15
"""The daemon answers in a few milliseconds; Claude Code must not wait for one that does not."""
FORMER_FILE = "statusline-before.json"
"""In the state directory: the command of the status line that there was before ours, by the real path of
Claude Code's directory: people keep an account in each."""
CHAINED = "QUOTAD_STATUSLINE_CHAINED"
"""Set for the former status line, so that two that call each other come to an end."""
COLUMNS = 80


def run(environment: "Mapping[str, str]", platform: str) -> None:
    """Stdin to stdout, whatever comes."""
    text = quick.stdin()
    uid = os.getuid()
    try:
        root, _, state, socket = default_places(environment, platform, uid)
    except ValueError as fault:
        quick.say(f"quotactl: {fault}\n")
        return
    former = None
    if os.path.exists(f"{state}/{FORMER_FILE}") and not environment.get(CHAINED):
        from quotactl.former import Former  # noqa: PLC0415 - most have none

        former = Former.of(f"{state}/{FORMER_FILE}", root, {**environment, CHAINED: "1"})
    if former is not None:
        former.begin(text)
    line = _told(environment, socket, uid, text)
    quick.say((_own(environment, text) if line is None else line) + "\n")
    if former is not None:
        quick.say(former.output())


def columns_of(environment: "Mapping[str, str]") -> int:
    """The width that Claude Code says its terminal has."""
    asked = environment.get("COLUMNS", "")
    return int(asked) if asked.isdecimal() and 0 < len(asked) <= 4 and int(asked) else COLUMNS  # noqa: PLR2004


def root_of(environment: "Mapping[str, str]") -> str:
    """The account that we are run for, as JSON: nothing else names it."""
    root = environment.get("CLAUDE_CONFIG_DIR")
    return quick.quoted(root) if root else "null"


def _told(environment: "Mapping[str, str]", socket: str, uid: int, text: str) -> str | None:
    """The daemon's line; None without a daemon that answers."""
    told = quick.quoted(text)
    if len(told) > TEXT_BYTES_MAX:
        told = '""'
    colour = "false" if environment.get("NO_COLOR") else "true"
    params = (
        f'{{"text":{told},"root":{root_of(environment)},'
        f'"columns":{columns_of(environment)},"colour":{colour}}}'
    )
    reply = quick.ask(socket, uid, "statusline", params, ANSWER_SECONDS)
    line = None if reply is None else reply.get("line")
    return line if isinstance(line, str) else None


def _own(environment: "Mapping[str, str]", text: str) -> str:
    """The line that needs no daemon."""
    from quotad import status_line  # noqa: PLC0415 - only then

    view = status_line.View(
        time.time_ns() // 1_000_000,
        columns_of(environment),
        colour=not environment.get("NO_COLOR"),
        ahead=lambda at: time.localtime(at // 1000).tm_gmtoff,
    )
    return status_line.alone(quick.decoded(text), view)
