"""What a person writes on a command line about a planned session, and what the wire wants instead.

Tokens as ``30k``, hours as ``90m``, times as they are on the wall: every form is a short one for the numbers
and UTC instants of the wire, which are taken too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from datetime import time as Time  # noqa: N812 - `time` is a word here
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

from quotactl.console import Console
from quotad import wire

P = ParamSpec("P")
R = TypeVar("R")

PRIORITIES = ("HIGH", "MEDIUM", "LOW")

HOURS_MAX = 1000.0
TOKENS_MAX = 10**12
"""More than any quota: beyond it somebody has mistyped."""

_TOKENS = re.compile(r"(\d+(?:\.\d+)?|\d{1,3}(?:[,_]\d{3})+)\s*([km]?)", re.IGNORECASE)
_SIZES = {"": 1, "k": 1_000, "m": 1_000_000}
_H, _M = r"h(?:(?:ou)?rs?)?", r"m(?:in(?:ute)?s?)?"
_HOURS = re.compile(
    rf"(\d+(?:\.\d+)?)\s*(?:{_H})?|(\d+)\s*{_M}|(\d+)\s*{_H}\s*(\d{{1,2}})\s*(?:{_M})?", re.IGNORECASE
)
_DAYS = {"today": 0, "tomorrow": 1}
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})|(\d{1,2})(?::(\d{2}))?\s*([ap])m", re.IGNORECASE)

_LAST_MINUTE = Time(23, 59)


def tokens_of(word: str) -> int:
    """``30000``, ``30,000``, ``30k``, ``1.2M``. Raises ``ValueError`` for anything else, and for 0."""
    found = _TOKENS.fullmatch(word.strip())
    if not found:
        raise ValueError(word)
    count = round(float(re.sub(r"[,_]", "", found[1])) * _SIZES[found[2].lower()])
    if not 1 <= count <= TOKENS_MAX:
        raise ValueError(word)
    return count


def hours_of(word: str) -> float:
    """``4``, ``1.5``, ``4h``, ``90m``, ``1h30``. Raises ``ValueError`` for what else, for 0 and over 1000."""
    found = _HOURS.fullmatch(word.strip())
    if not found:
        raise ValueError(word)
    alone, minutes, whole, rest = found.groups()
    hours = float(alone) if alone else (int(minutes) if minutes else int(whole) * 60 + int(rest)) / 60
    if not 0 < hours <= HOURS_MAX:
        raise ValueError(word)
    return hours


def instant_of(word: str, now: int, zone: tzinfo | None, *, day_ends: bool) -> str:
    """What the person means, as a UTC instant of the wire.

    An ISO time with its offset or in ``zone`` (None: the system's), ``14:30`` or ``2:30pm`` (the next time
    that it is), or ``today`` and ``tomorrow`` with a time of day. A day alone is its last minute if
    ``day_ends`` (a deadline). Raises ``ValueError`` for anything else.
    """
    here = datetime.fromtimestamp(now / 1000, UTC).astimezone(zone)
    day, _, rest = word.strip().partition(" ")
    if _CLOCK.fullmatch(word):
        local = datetime.combine(here.date(), _clock(word))
        if local <= here.replace(tzinfo=None):
            local += timedelta(days=1)
    elif day.lower() in _DAYS and (rest or day_ends):
        date = here.date() + timedelta(days=_DAYS[day.lower()])
        local = datetime.combine(date, _clock(rest) if rest else _LAST_MINUTE)
    else:
        local = datetime.fromisoformat(word)
        if re.fullmatch(r"\d{4}-?\d{2}-?\d{2}", word):
            if not day_ends:
                raise ValueError(word)
            local = datetime.combine(local.date(), _LAST_MINUTE)
    if local.tzinfo is None:
        local = local.astimezone() if zone is None else local.replace(tzinfo=zone)
    return wire.iso(wire.instant(local.isoformat()))


def _clock(word: str) -> Time:
    found = _CLOCK.fullmatch(word)
    if not found:
        raise ValueError(word)
    hour, minute, twelfth, beyond, half = found.groups()
    if twelfth is None:
        return Time(int(hour), int(minute))
    if not 1 <= int(twelfth) <= 12:  # noqa: PLR2004 - the hours of a clock
        raise ValueError(word)
    return Time(int(twelfth) % 12 + (12 if half.lower() == "p" else 0), int(beyond or 0))


def tokens(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """For options that are a number of tokens."""
    try:
        return None if value is None else tokens_of(value)
    except ValueError as error:
        said = f"{value!r} is no number of tokens. Say 30000, 30k or 1.2M."
        raise click.BadParameter(said, ctx, param) from error


def hours(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """For options that are a number of hours; empty text (a slash command without arguments) is none."""
    try:
        return hours_of(value) if value and value.strip() else None
    except ValueError as error:
        said = (
            f"{value!r} is no number of hours. Say 4, 1.5, 90m or 1h30; more than 0, at most {HOURS_MAX:.0f}."
        )
        raise click.BadParameter(said, ctx, param) from error


hours_option = click.option("--hours", callback=hours, metavar="H", help="How long you have: 4, 1.5, 90m.")


def time_of_day(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """For options that are an instant."""
    return _instant(ctx, param, value, day_ends=False)


def deadline(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """For options that a day is enough for; empty text takes a deadline away."""
    return value if value == "" else _instant(ctx, param, value, day_ends=True)


def _instant(ctx: click.Context, param: click.Parameter, value: str | None, *, day_ends: bool) -> str | None:
    if value is None:
        return None
    console = ctx.find_object(Console)
    assert console is not None, "the edge passes one in"
    try:
        return instant_of(value, console.now(), console.zone, day_ends=day_ends)
    except (ValueError, OverflowError) as error:
        days = "2026-12-01, " if day_ends else ""
        forms = f"{days}2026-12-01T14:00, 14:00 or 'tomorrow 9:00'"
        raise click.BadParameter(f"{value!r} is no time. Say {forms}.", ctx, param) from error


def _directory(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """As an absolute path: the daemon stands elsewhere."""
    return os.path.abspath(Path(value).expanduser()) if value else value  # noqa: PTH100 - `..` goes, links stay


def _words(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...] | None:
    """None when the option was not given; ``""`` alone is an empty list."""
    return tuple(value for value in values if value) if values else None


def described_options(*, new: bool) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """The options that describe a session; ``new`` is one that is added."""
    kept = "" if new else " '' takes them all away."
    options = [
        click.option("--phase", metavar="TEXT", help="What it is about, in a few words."),
        click.option(
            "--tokens",
            callback=tokens,
            metavar="N",
            required=new,
            help="What it may spend: 30000, 30k or 1.2M.",
        ),
        click.option("--hours", callback=hours, metavar="H", help="How long it takes: 4, 1.5, 90m."),
        click.option(
            "--priority",
            type=click.Choice(PRIORITIES, case_sensitive=False),
            metavar="P",
            help="high, medium or low.",
        ),
        click.option("--agent", metavar="NAME", help="The agent that Claude Code is started with."),
        click.option(
            "--objective",
            "objectives",
            multiple=True,
            callback=_words,
            metavar="TEXT",
            help=f"What it is to reach; as often as you like.{kept}",
        ),
        click.option(
            "--depends-on",
            "depends_on",
            multiple=True,
            callback=_words,
            metavar="ID",
            help=f"What must be complete before; as often as you like.{kept}",
        ),
        click.option(
            "--deadline",
            callback=deadline,
            metavar="TIME",
            help="2026-12-01 (its last minute), or a time such as 2026-12-01T14:00.",
        ),
        click.option("--notes", metavar="TEXT", help="Whatever else is worth knowing."),
        click.option(
            "--cwd",
            callback=_directory,
            metavar="DIR",
            help="Where it runs; if not said, where you start it.",
        ),
    ]

    def describe(command: Callable[P, R]) -> Callable[P, R]:
        for option in reversed(options):
            command = option(command)
        return command

    return describe


def given(described: Mapping[str, object]) -> dict[str, object]:
    """What the command line names, as the wire's parameters."""
    return {name: value for name, value in described.items() if value is not None}
