"""The status as a person reads it, in each width, kept as files; and what must hold for any status."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotactl import text
from quotactl.render import status_lines, status_text, window_label
from quotad import wire
from tests.quotactl.replies import daemon, idle, queue, session, status, view, window
from tests.quotactl.snapshot import assert_snapshot

WEEK = window(
    name="seven_day",
    limit=2_000_000,
    limit_basis="configured",
    opened_at="2026-11-18T08:00:00.000Z",
    resets_at="2026-11-25T08:00:00.000Z",
    spent=1_528_000,
    remaining=472_000,
    percent=76.4,
    level="warning",
    burn_per_minute=412.3,
    runs_out_at="2026-11-23T05:00:00.000Z",
)

STATUSES: Mapping[str, wire.StatusReply] = {
    "ordinary": status(
        windows=[window(), WEEK],
        sessions=[
            session(),
            session(
                cwd="/home/ana/work/clients/northwind/services/inventory/worker",
                agent="reviewer",
                ends_at="2026-11-22T10:24:00.000Z",
                spent=1_200,
                basis="estimated",
            ),
            session(cwd="/home/ana/over", state="complete"),
        ],
        advice=["Take small tasks, under 30k tokens."],
    ),
    "runs-out": status(
        windows=[
            window(
                percent=83.0,
                level="warning",
                spent=166_000,
                remaining=34_000,
                burn_per_minute=1_240.0,
                runs_out_at="2026-11-22T10:27:00.000Z",
            )
        ],
        sessions=[],
        advice=["Take small tasks, under 30k tokens."],
    ),
    "used-up": status(
        windows=[window(percent=104.2, level="critical", spent=208_400, remaining=0)],
        sessions=[session(ends_at="2026-11-22T10:04:10.000Z")],
        advice=["Save your work now; the limit is close."],
    ),
    "idle": status(windows=[idle()], sessions=[]),
    "estimated": status(
        windows=[
            window(basis="estimated", spent=8_300, estimated_tokens=8_300, percent=4.2, remaining=191_700),
            window(
                name="seven_day", limit=None, limit_basis="unknown", remaining=None, percent=None, level=None
            ),
        ],
        sessions=[session(basis="estimated", spent=8_300)],
    ),
    "reported": status(
        windows=[
            window(
                basis="reported",
                percent=64.0,
                level="moderate",
                limit_basis="calibrated",
                limit=230_000,
                remaining=82_800,
                lower_bound=True,
                estimated_tokens=4_000,
                burn_per_minute=0.0,
                reported={
                    "percent": 61.0,
                    "resets_at": "2026-11-22T13:40:00.000Z",
                    "received_at": "2026-11-22T09:58:00.000Z",
                    "age_seconds": 120.0,
                    "source": "status_line",
                },
            ),
            window(
                name="seven_day_opus",
                basis="reported",
                percent=12.0,
                limit=None,
                limit_basis="unknown",
                remaining=None,
                resets_at="2026-11-29T08:00:00.000Z",
                reported={
                    "percent": 12.0,
                    "resets_at": "2026-11-29T08:00:00.000Z",
                    "received_at": "2026-11-22T07:00:00.000Z",
                    "age_seconds": 10_800.0,
                    "source": "status_line",
                },
            ),
        ],
        sessions=[],
    ),
    "reading": status(
        daemon=daemon(
            caught_up=False,
            progress={"files": 4011, "files_done": 812, "bytes": 1_000, "bytes_done": 413},
            notifier={"backend": "desktop", "detail": wire.UNTRIED},
        ),
        sessions=[],
    ),
    "troubled": status(
        daemon=daemon(
            malformed_lines=3,
            notifier={"backend": "log", "detail": ""},
            problems=[
                {
                    "code": "notifier-unavailable",
                    "message": "No desktop shows notices here: set [notify] command in "
                    "/home/ana/.config/quotad/config.toml, or log in to a desktop.",
                    "since": "2026-11-22T08:00:00.000Z",
                },
                {
                    "code": "unreadable",
                    "message": "/home/ana/.claude/projects/-home-ana-secret cannot be read: "
                    "Permission denied.",
                    "since": "2026-11-22T09:59:30.000Z",
                },
            ],
        ),
        queue=queue(
            ready=3,
            blocked=1,
            scheduled=["a", "b"],
            complete=7,
            due=["a"],
            next_at="2026-11-23T09:30:00.000Z",
        ),
    ),
    "two-accounts": status(
        windows=[window(), idle(account="/home/ana/.claude-work", limit=500_000, remaining=500_000)],
        sessions=[session(), session(account="/home/ana/.claude-work", cwd="/home/ana/work/x")],
    ),
}


@pytest.mark.parametrize("width", [80, 60, 40])
@pytest.mark.parametrize("name", STATUSES)
def test_a_status_looks_like_its_snapshot(name: str, width: int) -> None:
    """Each case a person meets, in a wide, a narrow and a very narrow terminal."""
    assert_snapshot(f"status-{name}-{width}", status_text(STATUSES[name], view(width)))


def test_colours_look_like_their_snapshot() -> None:
    """Green, yellow and red follow the level; what is secondary is dim."""
    assert_snapshot("status-ordinary-80-colour", status_text(STATUSES["ordinary"], view(colour=True)))


def test_without_unicode_it_looks_like_its_snapshot() -> None:
    """Everything of ours is ASCII then."""
    shown = status_text(STATUSES["ordinary"], view(unicode=False))
    assert shown.isascii()
    assert_snapshot("status-ordinary-80-ascii", shown)


@pytest.mark.parametrize("name", STATUSES)
def test_colour_changes_no_word(name: str) -> None:
    """Taken off, the same text remains: nothing is said by colour alone."""
    painted = status_text(STATUSES[name], view(colour=True))
    for code in ("1", "2", "31", "32", "33", "1;31", "0"):
        painted = painted.replace(f"\x1b[{code}m", "")
    assert status_text(STATUSES[name], view()) == painted


@given(
    st.sampled_from(sorted(STATUSES)),
    st.integers(24, 100),
    st.booleans(),
    st.text(max_size=80),
    st.text(max_size=200),
)
def test_no_line_is_too_wide(name: str, width: int, unicode: bool, cwd: str, message: str) -> None:
    """In no width, with no directory and no message."""
    reply = STATUSES[name] | {
        "sessions": [session(cwd=cwd, agent=cwd[:20])],
        "daemon": daemon(problems=[{"code": "x", "message": message, "since": "2026-11-22T08:00:00.000Z"}]),
    }
    shown = status_text(reply, view(width, unicode=unicode))
    assert max(text.cells(line) for line in shown.split("\n")) <= width


def test_a_live_view_counts_down_by_itself() -> None:
    """Between two replies the clock, the reset and the session go on; what was spent stays."""
    now = wire.instant("2026-11-22T13:31:50.000Z")
    reply = status(sessions=[session(ends_at="2026-11-22T13:33:00.000Z")])
    shown = text.paint(status_lines(reply, view(live=True), now), view()).replace(text.HARD, " ")
    assert "14:31:50" in shown
    assert "resets 14:40, in 8 min 10 s" in shown
    assert "1 min 10 s left" in shown
    assert "62.3k spent (measured, 3 h 31 min ago)" in shown


def test_a_reset_that_is_due_is_not_negative() -> None:
    """Until the daemon has said what comes next, it is now."""
    now = wire.instant("2026-11-22T13:45:00.000Z")
    shown = text.paint(status_lines(status(sessions=[]), view(live=True), now), view())
    assert "resets 14:40, now" in shown


def test_a_problem_of_several_lines_keeps_them() -> None:
    """Each fault of a file on a line of its own, the code and the age behind the last."""
    problem = {
        "code": "x",
        "message": "line 1: no id\nline 7: no number",
        "since": "2026-11-22T09:00:00.000Z",
    }
    shown = status_text(status(daemon=daemon(problems=[problem])), view())
    assert "! line 1: no id\n  line 7: no number (x, for 1 h)\n" in shown


@pytest.mark.parametrize(
    ("planned", "shown"),
    [
        ({"scheduled": ["a"], "next_at": "2026-11-22T13:41:00.000Z"}, "1 booked for 14:41"),
        ({"scheduled": ["a"], "due": ["a"]}, "due: a · 1 booked"),
    ],
)
def test_a_booking_is_told_with_its_time(planned: dict[str, object], shown: str) -> None:
    """Or that it has come."""
    assert f"Queue\n  {shown}\n" in status_text(status(queue=queue(**planned)), view())


def test_many_sessions_do_not_push_the_windows_away() -> None:
    """Five are listed, the rest is counted; those that have spent nothing are no news."""
    sessions = [session(id=str(number)) for number in range(8)]
    shown = status_text(status(sessions=[*sessions, session(cwd="/idle", spent=0)]), view())
    assert 5 == shown.count("~/src/shop_api")
    assert "  and 3 more" in shown
    assert "/idle" not in shown


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("five_hour", "5 hours"),
        ("seven_day", "7 days"),
        ("seven_day_opus", "7 days opus"),
        ("my_window", "my window"),
    ],
)
def test_a_window_has_a_readable_name(name: str, label: str) -> None:
    """The provider's names in numbers, any other with spaces."""
    assert label == window_label(name)
