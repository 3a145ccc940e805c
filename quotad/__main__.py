"""The command line of the daemon: what to do, and the environment it is done in."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quotad.daemon.start import Options

COLLECTED_OBJECTS = 100_000
"""Reading makes millions of tuples and hardly a cycle: looking for cycles more often costs 7 % of it, and 4 %
of all imports, which therefore come after this is set."""

SWITCH_SECONDS = 0.001
"""So long the thread that writes the ledger keeps the interpreter from the loop: with Python's 5 ms whoever
asks while history is read waited twice as long at worst, and reading costs the same."""

DESCRIPTION = """\
quotad keeps count of your Claude Code quota. It runs in the foreground until
SIGTERM or SIGINT; `quotactl up` starts it in the background,
`quotactl service install` at every login."""


def main() -> None:
    """Run the daemon and leave with its exit code: 0, 75 (another one runs), 78 (bad settings) or 1."""
    gc.set_threshold(COLLECTED_OBJECTS)
    sys.setswitchinterval(SWITCH_SECONDS)
    from quotad.daemon import start  # noqa: PLC0415 - only now

    sys.exit(start.main(_options(sys.argv[1:]), os.environ, sys.platform))


def _options(arguments: list[str]) -> Options:
    from quotad.daemon.start import Options  # noqa: PLC0415 - see main

    if not arguments:
        return Options("serve", as_json=False, demo_clock=None, version=_version())
    import argparse  # noqa: PLC0415 - 9 ms, which no start without arguments needs

    parser = argparse.ArgumentParser(
        prog="quotad",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"quotad {_version()}")
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
    return Options(parsed.does or "serve", parsed.json, parsed.demo_clock, _version())


def _version() -> str:
    """Ours, as the directory of an installed project is named by the packaging standard: name and version.

    importlib.metadata looks there too, but importing it takes a tenth of our start.
    """
    places = (found for place in sys.path for found in Path(place).glob("quotad-*.dist-info"))
    found = next(places, None)
    if found is not None:
        return found.name.removeprefix("quotad-").removesuffix(".dist-info")
    from importlib.metadata import version  # noqa: PLC0415 - see above

    return version("quotad")


if __name__ == "__main__":
    main()
