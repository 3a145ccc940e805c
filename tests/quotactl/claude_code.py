"""What Claude Code writes to the stdin of a status line and of hooks, in the shapes of version 2.1.270."""

from __future__ import annotations

import json

SESSION = "5f0c1d2e-0000-4000-8000-00000000a001"


def status_line(**rate_limits: tuple[float, int]) -> str:
    """A status line's JSON; each window with its percentage and its reset in epoch seconds."""
    told: dict[str, object] = {
        "session_id": SESSION,
        "transcript_path": f"/home/ana/.claude/projects/-home-ana-src/{SESSION}.jsonl",
        "hook_event_name": "Status",
        "cwd": "/home/ana/src",
        "model": {"id": "claude-opus-5[1m]", "display_name": "Opus 5 (1M context)"},
        "version": "2.1.270",
        "context_window": {"used_percentage": None, "current_usage": None},
    }
    if rate_limits:
        told["rate_limits"] = {
            name: {"used_percentage": percent, "resets_at": resets}
            for name, (percent, resets) in rate_limits.items()
        }
    return json.dumps(told, indent=1)


def hook(event: str, **more: object) -> str:
    """A hook's JSON."""
    told = {
        "session_id": SESSION,
        "transcript_path": f"/home/ana/.claude/projects/-home-ana-src/{SESSION}.jsonl",
        "cwd": "/home/ana/src",
        "hook_event_name": event,
        **more,
    }
    return json.dumps(told, ensure_ascii=False)
