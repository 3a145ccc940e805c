"""The command line of the daemon: what to do, and the environment it is done in."""

from __future__ import annotations

import argparse
import os
import sys
from importlib.metadata import version

from quotad.daemon.start import Options
from quotad.daemon.start import main as run

DESCRIPTION = """\
quotad keeps count of your Claude Code quota. It runs in the foreground until SIGTERM or SIGINT;
`quotactl up` starts it in the background, `quotactl service install` at every login."""


def main() -> None:
    """Run the daemon and leave with its exit code: 0, 75 (another one runs), 78 (bad settings) or 1."""
    sys.exit(run(_options(sys.argv[1:]), os.environ, sys.platform))


def _options(arguments: list[str]) -> Options:
    parser = argparse.ArgumentParser(
        prog="quotad",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"quotad {version('quotad')}")
    does = parser.add_mutually_exclusive_group()
    does.add_argument(
        "--once",
        action="store_const",
        dest="does",
        const="once",
        help="read everything there is, write ledger and snapshots, print one line of JSON, and end",
    )
    does.add_argument(
        "--check-config", action="store_const", dest="does", const="check", help="check the settings, and end"
    )
    does.add_argument(
        "--print-config",
        action="store_const",
        dest="does",
        const="print",
        help="print the effective settings with their source, and end",
    )
    parser.add_argument("--json", action="store_true", help="with --print-config: as JSON")
    parser.add_argument("--demo-clock", help=argparse.SUPPRESS)
    parsed = parser.parse_args(arguments)
    return Options(parsed.does or "serve", parsed.json, parsed.demo_clock, version("quotad"))


if __name__ == "__main__":
    main()
