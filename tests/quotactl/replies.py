"""Replies as a daemon gives them, made up: what a test does not name is ordinary."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from quotactl.text import View
from quotad import wire

NOW = "2026-11-22T10:00:00.000Z"
ACCOUNT = "/home/ana/.claude"
BERLIN = ZoneInfo("Europe/Berlin")


def view(width: int = 80, **others: object) -> View:
    """A view of fixed clock zone and home."""
    return View(width=width, zone=BERLIN, home="/home/ana", **others)  # type: ignore[arg-type]


def window(**differing: object) -> wire.WindowReply:
    """A five-hour window with 31.2 % used, 14 calls, last one four seconds ago."""
    ordinary: dict[str, object] = {
        "name": "five_hour",
        "account": ACCOUNT,
        "state": "open",
        "opened_at": "2026-11-22T08:40:00.000Z",
        "resets_at": "2026-11-22T13:40:00.000Z",
        "limit": 200_000,
        "limit_basis": "plan",
        "spent": 62_345,
        "remaining": 137_655,
        "available": 137_655,
        "percent": 31.2,
        "level": "plenty",
        "basis": "measured",
        "as_of": "2026-11-22T09:59:56.000Z",
        "tokens": {"input": 345, "output": 12_000, "cache_write": 50_000, "cache_read": 900_000},
        "messages": 14,
        "estimated_tokens": 0,
        "lower_bound": False,
        "burn_per_minute": 412.3,
        "runs_out_at": None,
        "next_threshold": 50,
        "reported": None,
    }
    return ordinary | differing  # type: ignore[return-value]


def idle(**differing: object) -> wire.WindowReply:
    """No window is running."""
    return window(
        **{
            "state": "idle",
            "opened_at": None,
            "resets_at": None,
            "spent": 0,
            "remaining": 200_000,
            "available": 200_000,
            "percent": 0.0,
            "as_of": NOW,
            "messages": 0,
            "burn_per_minute": 0.0,
        }
        | differing
    )


def session(**differing: object) -> wire.SessionReply:
    """An active session with three hours and twelve minutes left."""
    ordinary: dict[str, object] = {
        "id": "5f0c1d2e-0000-4000-8000-00000000a001",
        "account": ACCOUNT,
        "state": "active",
        "started_at": "2026-11-22T08:12:00.000Z",
        "ends_at": "2026-11-22T13:12:00.000Z",
        "ended_at": None,
        "last_active_at": "2026-11-22T09:59:56.000Z",
        "cwd": "/home/ana/src/shop_api",
        "agent": None,
        "spent": 48_100,
        "basis": "measured",
    }
    return ordinary | differing  # type: ignore[return-value]


def daemon(**differing: object) -> wire.DaemonReply:
    """A daemon that is three hours up and well."""
    ordinary: dict[str, object] = {
        "version": "0.1.0",
        "pid": 4242,
        "started_at": "2026-11-22T07:00:00.000Z",
        "caught_up": True,
        "malformed_lines": 0,
        "progress": None,
        "notifier": {"backend": "desktop", "detail": "org.freedesktop.Notifications"},
        "problems": [],
    }
    return ordinary | differing  # type: ignore[return-value]


def queue(**differing: object) -> wire.QueueReply:
    """Nothing planned."""
    ordinary: dict[str, object] = {
        "ready": 0,
        "blocked": 0,
        "scheduled": [],
        "in_progress": [],
        "complete": 0,
        "due": [],
        "next_at": None,
    }
    return ordinary | differing  # type: ignore[return-value]


def status(**differing: object) -> wire.StatusReply:
    """One window, one session, nothing planned, nothing wrong."""
    ordinary: dict[str, object] = {
        "schema": 1,
        "now": NOW,
        "daemon": daemon(),
        "plan": "pro",
        "windows": [window()],
        "sessions": [session()],
        "queue": queue(),
        "advice": ["Any task fits."],
    }
    return ordinary | differing  # type: ignore[return-value]


def row(**differing: object) -> wire.HistoryRow:
    """The totals of one group."""
    ordinary: dict[str, object] = {
        "account": ACCOUNT,
        "spent": 62_345,
        "messages": 14,
        "estimated_tokens": 0,
        "tokens": {"input": 345, "output": 12_000, "cache_write": 50_000, "cache_read": 900_000},
    }
    return ordinary | differing  # type: ignore[return-value]
