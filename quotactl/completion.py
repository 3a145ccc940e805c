"""``quotactl completion``: click's own script for the shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from quotactl.console import Console

SHELLS = ("bash", "zsh", "fish")


_COMPLETION_EXAMPLES = """\b
Examples:
  bash:  quotactl completion bash >> ~/.bashrc
  zsh:   quotactl completion zsh >> ~/.zshrc
  fish:  quotactl completion fish > ~/.config/fish/completions/quotactl.fish
"""


@click.command(epilog=_COMPLETION_EXAMPLES)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that teaches your shell to complete quotactl."""
    complete = get_completion_class(shell)
    assert complete is not None, "click knows the shells we offer"
    root = ctx.find_root()
    console = ctx.find_object(Console)
    assert console is not None, "the edge passes one in"
    console.say(complete(root.command, {}, "quotactl", "_QUOTACTL_COMPLETE").source())
