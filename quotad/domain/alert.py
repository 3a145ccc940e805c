"""What is worth announcing now, each thing once: thresholds, the end of a session's hours, resets.

Nothing here remembers by itself: what was announced is the list of marks, which outlives restarts.
"""

from __future__ import annotations

from collections.abc import Iterator

from quotad.domain.effects import Announce
from quotad.domain.instant import MINUTE, Instant, Millis
from quotad.domain.level import level_of
from quotad.domain.notice import Mark, Marks, ProblemNotice, ResetNotice, SessionNotice, ThresholdNotice
from quotad.domain.policy import WindowSpec
from quotad.domain.reported import OTHER_RESET
from quotad.domain.session import SessionStanding, SessionState
from quotad.domain.standing import Standing, WindowStanding
from quotad.domain.state import Account, State
from quotad.domain.window import Window

THRESHOLD = "threshold"
SESSION = "session"
RESET = "reset"

SESSION_MARKS: tuple[Millis, ...] = (60 * MINUTE, 30 * MINUTE, 5 * MINUTE)
"""How long before the end of a session's five hours it is warned."""
SESSION_ACTIVE_SPAN: Millis = 30 * MINUTE
"""Only sessions that were active within this span are warned: nobody waits for the others."""
RESET_NEWS_SPAN: Millis = 10 * MINUTE
"""A reset that lies further back is no news (the daemon was off, or the machine asleep)."""

SILENT_PROBLEMS = frozenset({"notifier-unavailable"})
"""A notifier that is missing cannot tell of it, and one that comes and goes must not."""


def announcements(state: State, standing: Standing, now: Instant) -> list[Announce]:
    """What is due: empty while history is being read and in quiet hours, when nothing is marked either."""
    if not state.caught_up or state.quiet:
        return []
    found = list(_problems(state, now))
    known = {account.id for account in state.accounts.values() if not account.recalling}
    for window in standing.windows:
        if window.account in known:
            found += _thresholds(window, state, now)
    for session in standing.sessions:
        if session.ends_at - now <= SESSION_MARKS[0] and session.account in known:
            found += _session_end(session, state, now)
    if state.policy.notice_on_reset:
        for identity in known:
            account = state.accounts[identity]
            for spec in account.specs(state.policy):
                found += _reset(account, spec, state, now)
    return found


def _announced(marks: Marks, mark: Mark, after: Instant | None = None) -> bool:
    """Whether it was said of this window before; of windows that opened ``after`` that, if asked so.

    One that overlaps by more than half is the same one: a line that arrives late may move its beginning.
    """
    span = Window(mark.opened, mark.resets)
    return any(
        2 * span.overlap(Window(one.opened, one.resets)) > span.resets - span.opened
        for one in marks.like(mark)
        if after is None or one.opened > after
    )


def _thresholds(window: WindowStanding, state: State, now: Instant) -> Iterator[Announce]:
    """The highest threshold that was crossed; the lower ones are said with it."""
    percent, opened, resets = window.percent, window.opened_at, window.resets_at
    if percent is None or opened is None or resets is None:
        return
    crossed = [threshold for threshold in state.policy.thresholds if threshold <= percent]
    after = opened - OTHER_RESET if window.early else None
    marks = [Mark(window.account, THRESHOLD, window.name, threshold, opened, resets) for threshold in crossed]
    if not marks or _announced(state.marks, marks[-1], after):
        return
    notice = ThresholdNotice(
        account=window.account,
        window=window.name,
        threshold=crossed[-1],
        percent=percent,
        level=level_of(percent),
        remaining=window.remaining,
        limit=window.limit,
        resets_at=resets,
        runs_out_at=window.runs_out_at,
        basis=window.basis,
        at=now,
    )
    yield Announce(notice, tuple(mark for mark in marks if not _announced(state.marks, mark, after)))


def _session_end(session: SessionStanding, state: State, now: Instant) -> Iterator[Announce]:
    """The nearest mark that was passed, as one was; the earlier ones are said with it."""
    left = session.ends_at - now
    active = session.state is SessionState.ACTIVE and now - session.last_active_at <= SESSION_ACTIVE_SPAN
    passed = [mark for mark in SESSION_MARKS if left <= mark]
    if not active:
        return
    marks = [
        Mark(session.account, SESSION, session.id, length / MINUTE, session.opened_at, session.ends_at)
        for length in passed
    ]
    if _announced(state.marks, marks[-1]):
        return
    notice = SessionNotice(
        account=session.account,
        session=session.id,
        cwd=session.cwd,
        mark=passed[-1],
        left=left,
        ends_at=session.ends_at,
        at=now,
    )
    yield Announce(notice, tuple(mark for mark in marks if not _announced(state.marks, mark)))


def _reset(account: Account, spec: WindowSpec, state: State, now: Instant) -> Iterator[Announce]:
    """A window that ended just now."""
    for window in account.quota_windows(spec, now):
        if not now - RESET_NEWS_SPAN <= window.resets <= now:
            continue
        mark = Mark(account.id, RESET, spec.name, 0, window.opened, window.resets)
        if not _announced(state.marks, mark):
            yield Announce(ResetNotice(account.id, spec.name, window.resets), (mark,))


def _problems(state: State, now: Instant) -> Iterator[Announce]:
    """Problems that were not announced since they arose."""
    for problem in state.problems.values():
        if problem.code not in state.announced_problems and problem.code not in SILENT_PROBLEMS:
            yield Announce(ProblemNotice(problem.code, problem.message, now), ())


def next_announcement(standing: Standing, now: Instant) -> Instant | None:
    """When time alone will make something due: a mark of a session, the end of a session or window."""
    due = [at for window in standing.windows if (at := window.resets_at) is not None and at > now]
    for session in standing.sessions:
        left = session.ends_at - now
        if left > 0:
            due.append(session.ends_at - next((mark for mark in SESSION_MARKS if mark < left), 0))
    return min(due, default=None)
