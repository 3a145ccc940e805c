"""Planned sessions as a daemon tells of them, made up: what a test does not name is ordinary."""

from __future__ import annotations

from quotad.wire import planning


def planned(name: str = "api", /, **differing: object) -> planning.PlannedReply:
    """A session that is ready, of 65k tokens and four hours."""
    ordinary: dict[str, object] = {
        "id": name,
        "phase": "Implementation",
        "priority": "HIGH",
        "estimatedHours": 4.0,
        "estimatedTokens": 65_000,
        "agent": "backend-dev",
        "objectives": ["Write the endpoints for orders and invoices", "Cover them with tests"],
        "status": "ready",
        "dependencies": [],
        "cwd": "/home/ana/src/shop_api",
    }
    return ordinary | differing  # type: ignore[return-value]


POLISH = planned(
    "polish",
    phase="Polish",
    priority="MEDIUM",
    estimatedTokens=18_000,
    estimatedHours=1.0,
    agent="",
    objectives=[],
)
DOCS = planned(
    *("docs",),
    phase="Documentation",
    priority="LOW",
    estimatedTokens=22_000,
    estimatedHours=1.5,
    agent="",
    objectives=["Describe every endpoint"],
    deadline="2026-11-27T17:00:00.000Z",
)
BOOKED = planned(
    *("search-index",),
    phase="Search",
    priority="MEDIUM",
    estimatedTokens=120_000,
    status="scheduled",
    scheduledFor="2026-11-22T13:41:00.000Z",
    scheduleReason="low_quota",
)
RUNNING = planned(
    "schema", phase="Database", status="in_progress", estimatedTokens=30_000, estimatedHours=2.0
)
WAITING = planned(
    *("release-notes",),
    phase="Release",
    status="blocked",
    priority="LOW",
    estimatedTokens=8_000,
    estimatedHours=0.5,
    dependencies=["api", "docs", "polish"],
)
COMPLETE = planned("setup", phase="Set-up", status="complete", estimatedTokens=12_000, estimatedHours=1.0)


def run(name: str = "schema", /, **differing: object) -> planning.RunReply:
    """A run that began at nine and goes on."""
    ordinary: dict[str, object] = {
        "id": name,
        "claude_session": "5f0c1d2e-0000-4000-8000-00000000a001",
        "started_at": "2026-11-22T08:00:00.000Z",
        "ended_at": None,
        "estimate": 30_000,
        "actual": 11_200,
        "outcome": None,
    }
    return ordinary | differing  # type: ignore[return-value]


ENDED = run(
    "setup",
    started_at="2026-11-20T08:00:00.000Z",
    ended_at="2026-11-20T09:10:00.000Z",
    estimate=12_000,
    actual=14_100,
    outcome="over_run",
)

LISTED: planning.QueueListReply = {
    "path": "/home/ana/.claude/session-queue.json",
    "sessions": [COMPLETE, planned(), POLISH, DOCS, WAITING, BOOKED, RUNNING],
    "blocked": [{"id": "release-notes", "by": ["api", "docs", "polish"]}],
    "runs": [ENDED, run()],
    "problem": None,
}

EMPTY: planning.QueueListReply = {
    "path": "/home/ana/.claude/session-queue.json",
    "sessions": [],
    "blocked": [],
    "runs": [],
    "problem": None,
}

SHOWN: planning.QueueShowReply = {
    "session": DOCS
    | {
        "status": "complete",
        "notes": "The old pages are in the wiki.\nAsk Ben before deleting any.",
        "dependencies": ["api"],
    },
    "blocked_by": ["api"],
    "needed_by": ["release-notes"],
    "runs": [ENDED | {"id": "docs"}],
    "problem": None,
}


def decision(**differing: object) -> planning.DecisionReply:
    """There is quota for the most urgent session."""
    ordinary: dict[str, object] = {
        "action": "start",
        "session": planned(),
        "instead_of": None,
        "schedule_for": None,
        "reason": "api needs 65k tokens and 137.7k are available until 14:40.",
        "available": 137_655,
        "fit_probability": None,
        "alternatives": [{"session": POLISH, "fits": True}, {"session": DOCS, "fits": True}],
        "blocked": [{"id": "release-notes", "by": ["api", "docs", "polish"]}],
        "exceeds_window": False,
        "parts": 1,
        "problem": None,
    }
    return ordinary | differing  # type: ignore[return-value]


def later(**differing: object) -> planning.DecisionReply:
    """There is not enough for it before the reset, and none that is smaller fits."""
    return decision(
        **{
            "action": "schedule",
            "schedule_for": "2026-11-22T13:41:00.000Z",
            "reason": "api needs 65k tokens and 18k are available; there is room again after the reset.",
            "available": 18_000,
            "alternatives": [{"session": POLISH, "fits": True}, {"session": DOCS, "fits": False}],
        }
        | differing
    )


def smaller(**differing: object) -> planning.DecisionReply:
    """The most urgent does not fit, another one does."""
    return decision(
        **{
            "session": POLISH,
            "instead_of": planned(),
            "reason": "polish is the most urgent session that fits into the 25k tokens that are available.",
            "available": 25_000,
            "alternatives": [{"session": planned(), "fits": False}, {"session": DOCS, "fits": True}],
        }
        | differing
    )


def nothing(**differing: object) -> planning.DecisionReply:
    """All that is left waits for something."""
    return decision(
        **{
            "action": "none",
            "session": None,
            "reason": "Every planned session waits for another one.",
            "alternatives": [],
        }
        | differing
    )


def scheduled(**differing: object) -> planning.ScheduledReply:
    """A booking for a minute after the reset."""
    ordinary: dict[str, object] = {
        "session": planned(
            status="scheduled", scheduledFor="2026-11-22T13:41:00.000Z", scheduleReason="low_quota"
        ),
        "scheduled_for": "2026-11-22T13:41:00.000Z",
        "ics": "/home/ana/.claude/calendar/api.ics",
        "warning": None,
    }
    return ordinary | differing  # type: ignore[return-value]


def _placed(
    session: planning.PlannedReply, at: str, ends_at: str, *, booked: bool = False
) -> planning.PlacementReply:
    return {"session": session, "at": at, "ends_at": ends_at, "booked": booked, "against": None}


PLAN: planning.PlanReply = {
    "windows": [
        {
            "opens_at": "2026-11-22T08:40:00.000Z",
            "resets_at": "2026-11-22T13:40:00.000Z",
            "room": 107_655,
            "placements": [_placed(planned(), "2026-11-22T10:00:00.000Z", "2026-11-22T14:00:00.000Z")],
        },
        {
            "opens_at": "2026-11-22T13:41:00.000Z",
            "resets_at": "2026-11-22T18:41:00.000Z",
            "room": 200_000,
            "placements": [
                _placed(BOOKED, "2026-11-22T13:41:00.000Z", "2026-11-22T17:41:00.000Z", booked=True),
                _placed(POLISH, "2026-11-22T17:41:00.000Z", "2026-11-22T18:41:00.000Z"),
            ],
        },
        {
            "opens_at": "2026-11-22T18:42:00.000Z",
            "resets_at": "2026-11-22T23:42:00.000Z",
            "room": 200_000,
            "placements": [],
        },
        {
            "opens_at": "2026-11-28T08:00:00.000Z",
            "resets_at": "2026-11-28T13:00:00.000Z",
            "room": None,
            "placements": [
                _placed(DOCS, "2026-11-28T08:00:00.000Z", "2026-11-28T09:30:00.000Z"),
                _placed(WAITING, "2026-11-28T09:30:00.000Z", "2026-11-28T10:00:00.000Z"),
            ],
        },
    ],
    "unplaced": [
        {
            "session": planned("rewrite", estimatedTokens=900_000, estimatedHours=30.0),
            "why": "it needs 900k tokens and a whole window holds 200k; divide it into 5 parts",
        }
    ],
    "late": ["docs"],
    "problem": None,
}
