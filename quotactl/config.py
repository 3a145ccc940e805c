"""``quotactl config``: the settings as the daemon sees them. It alone can say, so it is run and asked."""

from __future__ import annotations

import subprocess

import click

from quotactl.beside import quotad_command
from quotactl.console import Console
from quotactl.failure import Undone

SECONDS_MAX = 30.0


_CONFIG_EXAMPLES = """\b
Examples:
  quotactl config show
  quotactl config check && quotactl down && quotactl up
  $EDITOR "$(quotactl config path)"
"""


@click.group(epilog=_CONFIG_EXAMPLES)
def config() -> None:
    """Show or check the settings; no daemon need be running."""


_SHOW_EXAMPLES = """\b
Examples:
  quotactl config show
"""


@config.command(epilog=_SHOW_EXAMPLES)
@click.pass_obj
def show(console: Console) -> None:
    """Print the settings in force, and where each comes from."""
    _ask(console, "--print-config")


_CHECK_EXAMPLES = """\b
Examples:
  quotactl config check
"""


@config.command(epilog=_CHECK_EXAMPLES)
@click.pass_obj
def check(console: Console) -> None:
    """Say whether the settings are valid.

    If not, the file, the key and what is allowed are named, and the exit code is 1.
    """
    _ask(console, "--check-config")


_PATH_EXAMPLES = """\b
Examples:
  $EDITOR "$(quotactl config path)"
"""


@config.command(epilog=_PATH_EXAMPLES)
@click.pass_obj
def path(console: Console) -> None:
    """Print where the settings file is, or would be."""
    console.say(str(console.paths.config))


def _ask(console: Console, option: str) -> None:
    command = [*quotad_command(console.program), option]
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            command,
            env=dict(console.environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS_MAX,
            check=False,
        )
    except OSError as error:
        raise Undone("no-quotad", f"{command[0]} cannot be run: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise Undone("timed-out", f"{command[0]} {option} took more than {SECONDS_MAX:.0f} s") from error
    if done.returncode:
        raise Undone("settings-invalid", done.stderr.strip() or f"quotad ended with {done.returncode}")
    console.say(done.stdout.rstrip("\n") or done.stderr.strip())
