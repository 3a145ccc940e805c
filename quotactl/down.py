"""``quotactl down``: the end of the daemon, whoever started it."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

import click

from quotactl.console import Console
from quotactl.failure import NoDaemon, Refused, Undone

STOP_SECONDS_MAX = 15.0

_LOOK_SECONDS = 0.05

_EXAMPLES = """\b
Examples:
  quotactl down
  quotactl down && quotactl up       restart, after an upgrade
"""


@click.command(epilog=_EXAMPLES)
@click.pass_obj
def down(console: Console) -> None:
    """Stop the daemon, and return once it is gone.

    Nothing is lost: what it has counted is on disk, and what happens meanwhile is read at its next start.
    Where no daemon runs there is nothing to do, and the exit code is 0.
    """
    try:
        client = console.connect(any_protocol=True)
    except NoDaemon as failure:
        if failure.reason != "no-daemon":
            raise
        console.say("quotad is not running: nothing to stop.")
        return
    with client:
        pid = client.hello["pid"]
        kept_by = _service_of(pid, console)
        with suppress(NoDaemon):
            # It may hang up before it has answered.
            client.shutdown()
    wait_until_gone(console, pid)
    console.say(f"quotad is stopped (pid {pid} is gone).")
    if kept_by:
        console.say(f"{kept_by} starts it again at the next login; `quotactl service uninstall` ends that.")


def _service_of(pid: int, console: Console) -> str:
    """Who started it and will again, empty if nobody."""
    if console.platform == "darwin":
        agent = Path(console.home) / "Library" / "LaunchAgents" / "dev.quotad.plist"
        return "launchd" if agent.exists() else ""
    try:
        groups = Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8")
    except OSError:
        return ""
    return "systemd" if "/quotad.service" in groups else ""


def wait_until_gone(console: Console, pid: int, seconds: float = STOP_SECONDS_MAX) -> None:
    """Until neither its socket answers nor its process lives; raises ``Undone`` when time is up."""
    deadline = time.monotonic() + seconds
    while _answers(console) or _lives(pid):
        if time.monotonic() >= deadline:
            message = f"quotad (pid {pid}) was told to stop, and has not within {seconds:.0f} s."
            raise Undone("timed-out", message)
        time.sleep(_LOOK_SECONDS)


def _answers(console: Console) -> bool:
    try:
        console.connect(any_protocol=True).close()
    except NoDaemon:
        return False
    except Refused:
        # It is on its way out and takes nobody any more.
        return True
    return True


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True
