"""The commands: a literal table, so that one command imports its own module and no other."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import NamedTuple

import click

from quotactl.console import EXIT_ZERO_ASKED, JSON_ASKED, Console, silence_output
from quotactl.failure import Failure
from quotactl.mistyped import HintingGroup

EXIT_INTERRUPTED = 130
EXIT_PIPE_CLOSED = 141
"""What a shell shows for a program that SIGPIPE ended: the usual fate of whoever feeds ``head``."""


class Entry(NamedTuple):
    """Where a command is, what it does in one line, and under which heading the help lists it."""

    module: str
    attribute: str
    help: str
    heading: str


_LOOK, _PLAN, _RUN, _SETUP = "Where you stand", "What to do next", "The daemon", "Set-up and trouble"

COMMANDS: Mapping[str, Entry] = {
    "status": Entry("quotactl.status", "status", "What is left, when it comes back, what to do now.", _LOOK),
    "watch": Entry("quotactl.watch", "watch", "The same, live.", _LOOK),
    "history": Entry("quotactl.history", "history", "What was spent: by day, window, model, project.", _LOOK),
    "demo": Entry("quotactl.demo.command", "demo", "A tour of twenty seconds, on made-up data.", _LOOK),
    "next": Entry("quotactl.next", "next_", "What to do now: start, schedule, or none.", _PLAN),
    "start": Entry("quotactl.start", "start", "Start a planned session, or book it.", _PLAN),
    "queue": Entry("quotactl.queue", "queue", "The planned sessions: add, list, edit, done.", _PLAN),
    "schedule": Entry("quotactl.schedule", "schedule", "Book a session for when there is quota.", _PLAN),
    "unschedule": Entry("quotactl.schedule", "unschedule", "Take a booking back.", _PLAN),
    "plan": Entry("quotactl.plan", "plan", "The whole queue over the coming windows.", _PLAN),
    "calendar": Entry("quotactl.calendar", "calendar", "What is booked, as calendar files.", _PLAN),
    "limit-hit": Entry("quotactl.limit_hit", "limit_hit", "Say that you hit the limit just now.", _LOOK),
    "up": Entry("quotactl.up", "up", "Start the daemon in the background.", _RUN),
    "down": Entry("quotactl.down", "down", "Stop the daemon.", _RUN),
    "service": Entry("quotactl.service", "service", "Start the daemon at every login.", _RUN),
    "sync": Entry("quotactl.sync", "sync", "Wait until everything on disk is taken in.", _RUN),
    "claude": Entry("quotactl.claude.command", "claude", "Put quotactl into Claude Code.", _SETUP),
    "doctor": Entry("quotactl.doctor", "doctor", "What is wrong, and what to do about it.", _SETUP),
    "statusline": Entry("quotactl.inside", "statusline", "Claude Code's status line.", _SETUP),
    "hook": Entry("quotactl.inside", "hook", "Claude Code's hooks.", _SETUP),
    "config": Entry("quotactl.config", "config", "Show or check the settings.", _SETUP),
    "notify": Entry("quotactl.notify", "notify", "Try the notifications.", _SETUP),
    "completion": Entry("quotactl.completion", "completion", "Tab completion for your shell.", _SETUP),
}


def _remember_exit_zero(ctx: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click's
    if value:
        ctx.meta[EXIT_ZERO_ASKED] = True


def _exit_zero_option() -> click.Option:
    return click.Option(
        ["--exit-zero"],
        is_flag=True,
        expose_value=False,
        callback=_remember_exit_zero,
        help="Exit with 0 even if that fails; say why on standard output.",
    )


def _print_version(ctx: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click's
    if value and not ctx.resilient_parsing:
        click.echo(f"quotactl {version()}")
        ctx.exit()


def version() -> str:
    """The installed distribution's version; slow to find out, so only when asked."""
    metadata = import_module("importlib.metadata")
    try:
        return str(metadata.version("quotad"))
    except metadata.PackageNotFoundError:
        return "(not installed)"


class LazyGroup(HintingGroup):
    """A group over ``COMMANDS``; it also turns every way a command can fail into words and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command = getattr(import_module(entry.module), entry.attribute)
        assert isinstance(command, click.Command), f"{entry.module}.{entry.attribute} is a command"
        _take_exit_zero(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The table as it stands: a help text need not import what it lists."""
        for heading in dict.fromkeys(entry.heading for entry in COMMANDS.values()):
            with formatter.section(heading):
                formatter.write_dl(
                    [(name, entry.help) for name, entry in COMMANDS.items() if entry.heading == heading],
                    col_max=max(map(len, COMMANDS)),
                )

    def invoke(self, ctx: click.Context) -> object:
        try:
            result: object = super().invoke(ctx)
            sys.stdout.flush()
        except Failure as failure:
            ctx.exit(_tell(ctx, failure))
        except BrokenPipeError:
            silence_output()
            ctx.exit(EXIT_PIPE_CLOSED)
        except KeyboardInterrupt:
            ctx.exit(EXIT_INTERRUPTED)
        return result


def _take_exit_zero(command: click.Command) -> None:
    """``--exit-zero`` stands before or after any subcommand, so each gets it, whoever wrote it."""
    if not any("--exit-zero" in parameter.opts for parameter in command.params):
        command.params.append(_exit_zero_option())
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            _take_exit_zero(inner)


def _tell(ctx: click.Context, failure: Failure) -> int:
    """Says why, on the stream and in the form that was asked for; the exit code."""
    console = ctx.find_object(Console)
    if not ctx.meta.get(EXIT_ZERO_ASKED):
        if failure.message:
            click.echo(failure.message, err=True)
        return failure.exit_code
    if failure.message and ctx.meta.get(JSON_ASKED) and console is not None:
        console.say_json({"error": {"code": failure.reason, "message": failure.message}})
    elif failure.message:
        click.echo(failure.message)
    return 0


_CLI_EXAMPLES = """\b
Examples:
  quotactl up        start the daemon that counts
  quotactl status    see where you stand
  quotactl demo      see all of it on made-up data, in twenty seconds
"""


@click.group(
    epilog=_CLI_EXAMPLES,
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 88},
    params=[_exit_zero_option()],
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_print_version,
    help="Show the version.",
)
@click.pass_context
def cli(ctx: click.Context) -> None:
    """How much of your Claude Code quota is left, when it comes back, what to do meanwhile.

    `quotactl COMMAND -h` explains a command with examples.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def run(arguments: Sequence[str], console: Console) -> None:
    """Runs one command line; ends in ``SystemExit``."""
    cli.main(list(arguments), prog_name="quotactl", obj=console)
