"""``quotactl history``: what was spent, from the ledger, as a table, JSON or CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import get_args

import click

from quotactl import text
from quotactl.console import Console, json_option
from quotactl.history_table import history_lines
from quotad import wire

_RELATIVE = re.compile(r"(\d{1,5})([hdw])")
_SPANS = {"d": 1, "w": 7}

_DATE_FORMS = "7d (days), 2w (weeks), 12h (hours), today, yesterday, 2026-11-01, or 2026-11-01T14:00"

_CSV_KEYS: Mapping[wire.GroupBy, Sequence[str]] = {
    "day": ("day", "account"),
    "window": ("window", "account", "opened_at", "resets_at"),
    "model": ("model", "account"),
    "project": ("project", "account"),
    "session": ("session", "account", "started_at"),
}
"""Fixed, so that a program finds the same columns in an answer without rows."""
_CSV_COUNTS = ("spent", "messages", "estimated_tokens")
_CSV_TOKENS = ("input", "output", "cache_write", "cache_read")


def _when(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """A date or an instant, absolute or back from now, in the zone that ``--utc`` chooses."""
    if value is None:
        return None
    console = ctx.find_object(Console)
    assert console is not None, "the edge passes one in"
    zone = UTC if ctx.params.get("utc") else console.zone
    try:
        return iso_of(value, console.now(), zone)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is no time. Say {_DATE_FORMS}.", ctx, param) from error


def iso_of(word: str, now: int, zone: tzinfo | None) -> str:
    """What the person means, as the wire wants it: a date, or an instant with its offset.

    Whole days for days and weeks back, so that no day of a table is cut; an instant for hours. A time
    without an offset is one of ``zone`` (None: the system's). Raises ``ValueError`` for anything else.
    """
    here = datetime.fromtimestamp(now / 1000, UTC).astimezone(zone)
    relative = _RELATIVE.fullmatch(word)
    if word in {"today", "yesterday"}:
        return (here.date() - timedelta(days=word == "yesterday")).isoformat()
    if relative and relative[2] == "h":
        return wire.iso(now - int(relative[1]) * 3_600_000)
    if relative:
        return (here.date() - timedelta(days=int(relative[1]) * _SPANS[relative[2]])).isoformat()
    moment = datetime.fromisoformat(word)
    if re.fullmatch(r"\d{4}-?\d{2}-?\d{2}", word):
        return moment.date().isoformat()
    return _placed(moment, zone).isoformat()


def _placed(moment: datetime, zone: tzinfo | None) -> datetime:
    """The moment with an offset: its own, or that of ``zone`` (None: the system's)."""
    if moment.tzinfo is not None:
        return moment
    # Without a zone of its own `astimezone` takes the system's, as it was on that day.
    return moment.astimezone() if zone is None else moment.replace(tzinfo=zone)


def _is_before(one: str, other: str, zone: tzinfo | None) -> bool:
    """Of two of ``iso_of``; a date is its midnight."""
    first, second = datetime.fromisoformat(one), datetime.fromisoformat(other)
    if first.tzinfo is None and second.tzinfo is None:
        return first < second
    try:
        return _placed(first, zone) < _placed(second, zone)
    except (ValueError, OverflowError):
        # At the ends of the calendar a zone has no midnight: the daemon judges.
        return False


_HISTORY_EXAMPLES = """\b
Examples:
  quotactl history --since 7d
  quotactl history --by project --since 2026-11-01 --until 2026-12-01
  quotactl history --by window --since yesterday --json
  quotactl history --by model --csv > models.csv
"""


@click.command(epilog=_HISTORY_EXAMPLES)
@click.option(
    "--by",
    type=click.Choice(get_args(wire.GroupBy)),
    default="day",
    metavar="KEY",
    help="One row for each day (the default), window, model, project or session.",
)
@click.option("--since", callback=_when, metavar="D", help="From here on, inclusive.")
@click.option("--until", callback=_when, metavar="D", help="Up to here, exclusive.")
@click.option("--utc", is_flag=True, is_eager=True, help="Days and times in UTC, not in your time zone.")
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print all columns as CSV.")
@click.pass_obj
def history(  # noqa: PLR0913 - one argument an option
    console: Console,
    *,
    by: wire.GroupBy,
    since: str | None,
    until: str | None,
    utc: bool,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Show what was spent, for as long as the ledger goes back.

    D is 7d (whole days), 2w, 12h, today, yesterday, a date such as 2026-11-01, or a time such as
    2026-11-01T14:00 (yours, or with an offset). The table is rounded; JSON and CSV are exact. A number
    marked ~ is wholly or partly an estimate.
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other.")
    if since is not None and until is not None and _is_before(until, since, UTC if utc else console.zone):
        raise click.BadParameter(f"{until} lies before --since, {since}.", param_hint="'--until'")
    with console.connect() as client:
        rows = client.history(wire.HistoryParams(by=by, since=since, until=until, utc=utc))
    if as_json:
        console.say_json(rows)
    elif as_csv:
        console.say(csv_text(rows, by).rstrip("\n"))
    else:
        view = console.view(zone=UTC) if utc else console.view()
        console.say(text.paint(history_lines(rows, by, view), view))


def csv_text(rows: Sequence[wire.HistoryRow], by: wire.GroupBy) -> str:
    """Every field of every row: what names the group, then the counts."""
    keys = _CSV_KEYS[by]
    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\n")
    writer.writerow([*keys, *_CSV_COUNTS, *_CSV_TOKENS])
    for row in rows:
        fields = dict(row)
        tokens = dict(row["tokens"])
        writer.writerow(
            [
                *(fields.get(key, "") for key in keys),
                *(fields.get(key, 0) for key in _CSV_COUNTS),
                *(tokens[key] for key in _CSV_TOKENS),
            ]
        )
    return output.getvalue()
