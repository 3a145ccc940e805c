"""How wide to write."""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

COLUMNS_IN_A_PIPE = 80
COLUMNS_MOST = 100
"""Longer lines are hard to read: the rest of a wide terminal stays empty."""
COLUMNS_LEAST = 24


def columns(environment: "Mapping[str, str]", *, terminal: bool) -> int:
    """What the environment says, or the terminal, within reason."""
    asked = environment.get("COLUMNS", "")
    said = int(asked) if asked.isdecimal() and int(asked) else _terminal_columns(terminal=terminal)
    return max(COLUMNS_LEAST, min(said, COLUMNS_MOST if terminal else COLUMNS_IN_A_PIPE))


def _terminal_columns(*, terminal: bool) -> int:
    if not terminal:
        return COLUMNS_IN_A_PIPE
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or COLUMNS_IN_A_PIPE
    except (OSError, ValueError):
        return COLUMNS_IN_A_PIPE
