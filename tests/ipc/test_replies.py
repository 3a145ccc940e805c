"""A reply says what stands now, whatever was put into words before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from quotad import wire
from quotad.domain.instant import HOUR, MINUTE
from quotad.domain.notice import Basis
from quotad.domain.session import SessionStanding, SessionState
from quotad.domain.standing import Standing
from quotad.domain.usage import SessionId
from quotad.ipc import replies
from tests.domain.build import ANA, T0

FACTS = replies.DaemonFacts("0.1.0", 1, T0, 0, None, {"backend": "log", "detail": ""})

instants = st.integers(-5, 5).map(lambda minutes: T0 + minutes * MINUTE)
sessions = st.builds(
    SessionStanding,
    account=st.just(ANA),
    id=st.sampled_from("ab").map(SessionId),
    state=st.sampled_from(SessionState),
    opened_at=instants,
    ends_at=instants.map(lambda at: at + 5 * HOUR),
    last_active_at=instants,
    ended_at=st.none() | instants,
    cwd=st.sampled_from(["", "/src"]),
    agent=st.sampled_from(["", "reviewer"]),
    spent=st.integers(0, 3),
    basis=st.sampled_from(Basis),
)


def worded(session: SessionStanding) -> dict[str, object]:
    """A session in the words of CONTRACT."""
    ended_at = session.ended_at
    return {
        "id": session.id,
        "account": session.account,
        "state": session.state,
        "started_at": wire.iso(session.opened_at),
        "ends_at": wire.iso(session.ends_at),
        "ended_at": None if ended_at is None else wire.iso(ended_at),
        "last_active_at": wire.iso(session.last_active_at),
        "cwd": session.cwd,
        "agent": session.agent or None,
        "spent": session.spent,
        "basis": session.basis,
    }


@given(st.lists(st.lists(sessions, max_size=4), max_size=4))
def test_each_session_is_told_as_it_stands(steps: list[list[SessionStanding]]) -> None:
    """Those that changed in one thing alone, and those that are again as they once were."""
    for now, found in enumerate(steps, T0):
        stands = Standing(now, "pro", caught_up=True, windows=(), sessions=tuple(found), advice=())
        reply = replies.status(stands, FACTS, ())
        assert wire.iso(now) == reply["now"]
        assert [worded(one) for one in found] == reply["sessions"]
