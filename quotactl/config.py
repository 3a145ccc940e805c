"""``quotactl config``: the settings as the daemon sees them. It alone can say, so it is run and asked."""

from __future__ import annotations

import click

from quotactl.beside import told_by_quotad
from quotactl.console import Console
from quotactl.mistyped import HintingGroup

_CONFIG_EXAMPLES = """\b
Examples:
  quotactl config show
  quotactl config check && quotactl down && quotactl up
  $EDITOR "$(quotactl config path)"
"""


@click.group(epilog=_CONFIG_EXAMPLES, cls=HintingGroup)
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
    console.say(told_by_quotad(console, "--print-config"))


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
    console.say(told_by_quotad(console, "--check-config"))


_PATH_EXAMPLES = """\b
Examples:
  $EDITOR "$(quotactl config path)"
"""


@config.command(epilog=_PATH_EXAMPLES)
@click.pass_obj
def path(console: Console) -> None:
    """Print where the settings file is, or would be."""
    console.say(str(console.paths.config))
