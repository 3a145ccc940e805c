"""What is said of a command that does not exist, in the same words wherever it is typed."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

import click

MEANT: Mapping[str, str] = {
    "restart": "quotactl down && quotactl up",
    "run": "quotactl start",
    "stop": "quotactl down",
    "version": "quotactl --version",
}
"""What other programs call it. A command of that name, once there is one, goes first."""

SAME: Mapping[str, str] = {
    "complete": "done",
    "create": "add",
    "delete": "remove",
    "finish": "done",
    "ls": "list",
    "new": "add",
    "rm": "remove",
    "update": "edit",
}
"""Other words for what groups have; offered where the group has it."""

OF_THE_QUEUE = frozenset({"add", "done", "edit", "export", "import", "list", "remove", "show"})
"""What is often typed without ``queue``."""


class HintingGroup(click.Group):
    """A group that offers what was probably meant."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(ctx)
        if args[0] not in known and not args[0].startswith("-") and not ctx.resilient_parsing:
            meant = _meant(args[0], known, ctx.command_path)
            hint = f" Did you mean `{meant}`?" if meant else ""
            ctx.fail(f"There is no command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)


def _meant(typed: str, known: list[str], path: str) -> str:
    """The whole command line, empty if nothing is near."""
    if typed == "help":
        return f"{path} -h"
    if typed in MEANT:
        return MEANT[typed]
    same = SAME.get(typed, typed)
    if same in known:
        return f"{path} {same}"
    if "queue" in known and same in OF_THE_QUEUE:
        return f"{path} queue {same}"
    close = get_close_matches(typed, known, n=1)
    return f"{path} {close[0]}" if close else ""
