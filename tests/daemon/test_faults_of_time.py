"""Timestamps that lie ahead, far back, out of order, or say nothing certain."""

from __future__ import annotations

from benchmarks.recount import recount
from quotad import wire
from tests.daemon.process import Place, wait_until
from tests.daemon.scene import MINUTE_MS, Scene
from tests.daemon.truth import call, current, current_of, demo_clock, sums, windows

NOW_MS = wire.instant("2026-11-02T09:10:00Z")
LIMIT_HIT = (
    b'{"type":"assistant","timestamp":"%b","isApiErrorMessage":true,"error":"rate_limit","message":{"model":'
    b'"<synthetic>","content":[{"type":"text","text":"You\'ve hit your session limit \xc2\xb7 resets 3pm '
    b'(UTC)"}],"usage":{"input_tokens":0,"output_tokens":0}}}\n'
)


def stamped(message: str, at: str) -> bytes:
    """A call with this text for a timestamp."""
    line = call(message, at_ms=NOW_MS, session="time")
    return line.replace(wire.iso(NOW_MS).encode(), at.encode())


def test_what_is_stamped_wrong_never_moves_the_window(place: Place) -> None:
    """The future is kept aside, the far past is past, an uncertain time is a bad line, order is nothing."""
    scene = Scene(place, "time")
    lines = {
        "now": "2026-11-02T09:09:00Z",
        "a clock that is fast": "2026-11-02T09:14:00Z",
        "the near future": "2026-11-02T09:30:00Z",
        "the far future": "9999-12-31T23:59:59Z",
        "earlier, and later in the file": "2026-11-02T08:00:00.123456789Z",
        "with an offset": "2026-11-02T12:45:00+05:45",
        "long past": "1999-12-31T23:59:59Z",
        "the beginning": "0001-01-01T00:00:00Z",
    }
    bad = ("2026-11-02T09:00:00", "2026-11-02", "2026-11-02T24:30:00Z", "2026-11-02T09:00:60Z", "", "now")
    with place.running(*demo_clock(NOW_MS)) as quotad:
        for name, at in lines.items():
            scene.append("a", stamped(name, at))
            counts = recount(place.projects, now_ms=NOW_MS)
            assert (name, current_of(counts, NOW_MS)) == (name, current(quotad.window()))
        for number, at in enumerate(bad, start=1):
            scene.append("a", stamped("bad", at))
            assert (at, number) == (at, quotad.status()["daemon"]["malformed_lines"])
        for at in ("2026-11-02T10:30:00.000Z", "2027-11-02T10:30:00.000Z"):
            scene.append("a", LIMIT_HIT % at.encode())
        expected = recount(place.projects, now_ms=NOW_MS)
        assert len(bad) == expected.malformed
        assert 6 == len(expected.calls)
        assert current_of(expected, NOW_MS) == current(quotad.window())
        assert None is quotad.window()["reported"]
        assert expected.windows() == windows(quotad.history("window"))
        assert expected.by_day() == sums(quotad.history("day", zone="utc"), "day")
        (session,) = quotad.status()["sessions"]
        assert 4 * 111 == session["spent"]


def test_what_is_stamped_ahead_counts_when_its_time_has_come(place: Place) -> None:
    """On a clock that runs twenty times as fast half a minute is soon over."""
    scene = Scene(place, "time")
    scene.append("a", stamped("now", "2026-11-02T09:10:00Z"))
    with place.running(*demo_clock(NOW_MS, rate=20)) as quotad:
        due_ms = wire.instant(quotad.status()["now"]) + 30_000
        scene.append("a", stamped("soon", wire.iso(due_ms + 5 * MINUTE_MS)))
        assert 1 == quotad.window()["messages"]
        wait_until(lambda: quotad.window()["messages"] == 2)
        assert wire.instant(quotad.status()["now"]) >= due_ms
        assert "2026-11-02T09:10:00.000Z" == quotad.window()["opened_at"]
