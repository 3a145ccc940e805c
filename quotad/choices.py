"""What the user's settings mean to each part of the daemon."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from quotad.domain.instant import HOUR
from quotad.domain.policy import FIVE_HOUR, PLAN_LIMITS, Policy, WindowSpec
from quotad.domain.usage import AccountId
from quotad.intake.files import Places
from quotad.settings import Settings
from quotad.sinks.channel import Channel
from quotad.sinks.command import CommandChannel
from quotad.sinks.desktop import desktop_channel, session_bus_address
from quotad.sinks.log import LogChannel
from quotad.sinks.notifier import Channels
from quotad.sinks.osascript import OsascriptChannel


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
    """Where each account's files are; Claude Code's second place for transcripts belongs to the first."""
    home = Path(environment.get("HOME") or Path.home())
    second = Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "claude"
    places = []
    for number, root in enumerate(chosen.roots):
        transcripts = [root / "projects"]
        if number == 0 and second not in chosen.roots:
            transcripts.append(second / "projects")
        session_logs = chosen.session_logs if number == 0 else (root / "logs" / "sessions.jsonl",)
        places.append(Places(AccountId(str(root)), tuple(transcripts), session_logs))
    return places


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
