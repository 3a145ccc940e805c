"""Help for what Claude Code runs: ``statusline`` and ``hook``, which themselves go past click.

(``quotactl.__main__`` sees to that; whoever asks for help comes by here.)
"""

from __future__ import annotations

import click

from quotactl import hook as hooks
from quotactl import statusline as line
from quotactl.console import Console

_STATUSLINE_EXAMPLES = """\b
Examples:
  quotactl statusline < status.json
  quotactl claude install
"""


@click.command(epilog=_STATUSLINE_EXAMPLES)
@click.pass_obj
def statusline(console: Console) -> None:
    """Print Claude Code's status line.

    Claude Code's JSON comes on standard input, one line goes out, as wide as COLUMNS says. What Claude Code
    says of your limits is handed to the daemon. It always exits with 0, with or without a daemon.
    """
    line.run(console.environment, console.platform)


_HOOK_EXAMPLES = """\b
Examples:
  quotactl hook SessionStart < event.json
  quotactl claude install
"""


@click.command(epilog=_HOOK_EXAMPLES, context_settings={"ignore_unknown_options": True})
@click.argument("event", nargs=-1, metavar="EVENT", type=click.UNPROCESSED)
@click.pass_obj
def hook(console: Console, event: tuple[str, ...]) -> None:
    """Take in one of Claude Code's events.

    SessionStart, UserPromptSubmit, PostToolUse, Stop, StopFailure or SessionEnd, with its JSON on standard
    input. It always exits with 0, and says something only when there is something to say.
    """
    hooks.run(event, console.environment, console.platform)
