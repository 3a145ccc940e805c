"""``quotactl``: the edge, where argv, environment, terminal and clock are read, and nowhere else."""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def main() -> None:
    """The entry point. What is run most branches off before anything is imported for the others."""
    # It changes nothing for these, which end with 0 anyway, and for what succeeds.
    arguments = [word for word in sys.argv[1:] if word != "--exit-zero"]
    if arguments[:1] in (["statusline"], ["hook"]) and not {"-h", "--help"} & set(arguments):
        _run_inside(arguments)
    try:
        _run_command(arguments, os.environ)
    except KeyboardInterrupt:
        # Between commands, as it were: while modules are imported or options parsed.
        sys.exit(130)


def _run_inside(arguments: "Sequence[str]") -> None:
    """Ends with 0 whatever happens, and without a word of what went wrong.

    Claude Code shows the user any other end, and takes a 2 for an order to stop. Python's own end, which
    tidies up what the system tidies up anyway, is left out: it costs as much as all that is done here.
    """
    try:
        if arguments[0] == "statusline":
            from quotactl import statusline  # noqa: PLC0415 - see main

            statusline.run(os.environ, sys.platform)
        else:
            from quotactl import hook  # noqa: PLC0415 - see main

            hook.run(arguments[1:], os.environ, sys.platform)
    finally:
        os._exit(0)


def _run_command(arguments: "Sequence[str]", environment: "Mapping[str, str]") -> None:
    for name in ("stdout", "stderr"):
        # Somebody may have closed it (`>&-`): what is said then goes nowhere.
        if getattr(sys, name) is None:
            from io import FileIO, TextIOWrapper  # noqa: PLC0415 - see main

            setattr(sys, name, TextIOWrapper(FileIO(os.devnull, "w"), encoding="utf-8"))
    terminal = sys.stdout.isatty() and environment.get("TERM") != "dumb"
    colour = terminal and not environment.get("NO_COLOR")
    unicode = _speaks_unicode()
    # (How a name is written that the output cannot say is for click to know.)
    if arguments == ["status"] and unicode:
        from quotactl import glance  # noqa: PLC0415 - see main

        if glance.shown(environment, sys.platform, terminal=terminal, colour=colour, unicode=unicode):
            os._exit(0)  # see _run_inside
    import time  # noqa: PLC0415 - see main

    from quotactl.cli import run  # noqa: PLC0415 - see main
    from quotactl.console import Console  # noqa: PLC0415 - see main

    console = Console(
        environment=dict(environment),
        platform=sys.platform,
        uid=os.getuid(),
        program=sys.argv[0],
        now=lambda: time.time_ns() // 1_000_000,
        terminal=terminal,
        colour=colour,
        unicode=unicode,
    )
    run(sys.argv[1:], console)


def _speaks_unicode() -> bool:
    """Also makes sure that a name in a directory cannot end the program where the terminal's set lacks it."""
    from io import TextIOWrapper  # noqa: PLC0415 - see main

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    return sys.stdout.encoding.lower().startswith("utf")


if __name__ == "__main__":
    main()
