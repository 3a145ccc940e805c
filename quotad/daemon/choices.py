"""What the user's settings mean to each part of the daemon."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from quotad.domain.instant import HOUR
from quotad.domain.policy import FIVE_HOUR, PLAN_LIMITS, Policy, WindowSpec
from quotad.domain.usage import AccountId
from quotad.domain.working import ALWAYS, WorkingHours
from quotad.intake.files import Places
from quotad.planning.hours import LocalHours, Shift
from quotad.settings import Settings
from quotad.sinks.channel import Channel
from quotad.sinks.command import CommandChannel
from quotad.sinks.desktop import desktop_channel, session_bus_address
from quotad.sinks.log import LogChannel
from quotad.sinks.notifier import Channels
from quotad.sinks.osascript import OsascriptChannel

CACHE_NAME = ".claude.json"
"""Claude Code's own file; of all that it holds only the cached usage is read."""


def policy_of(chosen: Settings) -> Policy:
    """The user's settings as the domain's policy."""
    limit = PLAN_LIMITS[chosen.plan] if chosen.limit is None else chosen.limit
    return Policy(
        plan=chosen.plan,
        windows=(
            WindowSpec(FIVE_HOUR, 5 * HOUR, limit),
            *(WindowSpec(one.name, round(one.hours * HOUR), one.limit) for one in chosen.windows),
        ),
        thresholds=chosen.thresholds,
        weights=chosen.weights,
        family_weights=chosen.family_weights,
        estimates=chosen.estimates,
        notice_on_reset=chosen.notify.on_reset,
    )


def places_of(chosen: Settings, environment: Mapping[str, str]) -> list[Places]:
    """Where each account's files are.

    A session log belongs to the root that it lies in, any other to the first root, and so does Claude Code's
    second place for transcripts. What was rotated away is read to its end under its new name.
    """
    home = Path(environment.get("HOME") or Path.home())
    second = Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "claude"
    places = []
    logs = {
        root: [log for log in chosen.session_logs if log.is_relative_to(root)] for root in chosen.roots[1:]
    }
    others = {log for mine in logs.values() for log in mine}
    first = chosen.roots[0]
    logs[first] = [log for log in chosen.session_logs if log not in others]
    for root in chosen.roots:
        transcripts = [root / "projects"]
        if root == first and second not in chosen.roots:
            transcripts.append(second / "projects")
        session_logs = [name for log in logs[root] for name in (log, log.with_name(f"{log.name}.1"))]
        # Without CLAUDE_CONFIG_DIR Claude Code keeps it beside its directory.
        caches = [root / CACHE_NAME, *([home / CACHE_NAME] if root == home / ".claude" else [])]
        places.append(Places(AccountId(str(root)), tuple(transcripts), tuple(session_logs), tuple(caches)))
    return places


def working_of(chosen: Settings) -> WorkingHours:
    """When the user works, on this machine's clock."""
    if not chosen.working_hours:
        return ALWAYS
    return LocalHours([Shift(one.days, one.span.begin, one.span.end) for one in chosen.working_hours])


def channels_of(chosen: Settings, environment: Mapping[str, str], platform: str) -> Channels:
    """The ways to the user, best first."""
    home = Path(environment.get("HOME") or Path.home())
    runtime = environment.get("XDG_RUNTIME_DIR")
    bus = session_bus_address(environment.get("DBUS_SESSION_BUS_ADDRESS"), Path(runtime) if runtime else None)
    screens: list[Channel] = []
    if chosen.notify.desktop:
        screens.append(desktop_channel(platform, bus))
        if platform == "darwin":
            screens.append(OsascriptChannel(home))
    command = CommandChannel(chosen.notify.command, home) if chosen.notify.command else None
    return Channels(tuple(screens), command, LogChannel(logging.getLogger("quotad.notices")))
