"""``quotactl``: the edge, where argv, environment, terminal and clock are read, and nowhere else."""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Mapping


def main() -> None:
    """The entry point. A command that must not pay for click branches off here, by ``sys.argv[1]``."""
    try:
        _run_click(os.environ)
    except KeyboardInterrupt:
        # Between commands, as it were: while modules are imported or options parsed.
        sys.exit(130)


def _run_click(environment: Mapping[str, str]) -> None:
    from quotactl.cli import run  # noqa: PLC0415 - see main
    from quotactl.console import Console  # noqa: PLC0415

    for name in ("stdout", "stderr"):
        # Somebody may have closed it (`>&-`): what is said then goes nowhere.
        if getattr(sys, name) is None:
            setattr(sys, name, io.TextIOWrapper(io.FileIO(os.devnull, "w"), encoding="utf-8"))
    terminal = sys.stdout.isatty() and environment.get("TERM") != "dumb"
    console = Console(
        environment=dict(environment),
        platform=sys.platform,
        uid=os.getuid(),
        program=sys.argv[0],
        now=lambda: time.time_ns() // 1_000_000,
        terminal=terminal,
        colour=terminal and not environment.get("NO_COLOR"),
        unicode=_speaks_unicode(),
    )
    run(sys.argv[1:], console)


def _speaks_unicode() -> bool:
    """Also makes sure that a name in a directory cannot end the program where the terminal's set lacks it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    return sys.stdout.encoding.lower().startswith("utf")


if __name__ == "__main__":
    main()
