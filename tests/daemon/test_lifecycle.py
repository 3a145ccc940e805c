"""How a daemon begins and ends: exit codes, the one lock, the one socket, and what it may touch."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from quotad import wire
from tests.daemon.process import QUOTAD, Failed, Place, Quotad, Refused, wait_until
from tests.daemon.truth import calls, now_ms
from tests.daemon.work import CALLS, append, log, session_log, spend, transcript, work_hard

STARTS = 20
END_SECONDS = 5.0
"""A clean end takes no longer."""
OFTEN = {"WATCHDOG_USEC": "200000"}
"""The daemon looks after itself every tenth of a second, as a watchdog of 0.2 s asks, not every 30 s."""


def ended(quotad: Quotad, number: signal.Signals) -> tuple[int, bool]:
    """The exit code after a signal, and whether it came in time."""
    began = time.monotonic()
    return quotad.stop(number), time.monotonic() - began < END_SECONDS


# The end.


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_ends_it_cleanly(place: Place, number: signal.Signals) -> None:
    """SIGTERM and SIGINT: exit code 0, not a word, no socket left, and one file of a ledger."""
    with place.running() as quotad:
        spend(place, 10)
        assert (0, True) == ended(quotad, number)
        assert quotad.stderr == ""
    assert not place.socket.exists()
    assert {"ledger.db", "quotad.lock"} == {path.name for path in place.state.iterdir()}


def test_a_request_ends_it_cleanly(place: Place) -> None:
    """``shutdown`` is answered, and then does what SIGTERM does."""
    with place.running() as quotad:
        assert {"ok": True} == quotad.request("shutdown")
        assert quotad.wait(END_SECONDS) == 0


def test_signals_that_come_again_and_again_change_nothing(place: Place) -> None:
    """SIGTERM and SIGINT in turn, to the very end of the process: it is a clean one all the same."""
    with place.running() as quotad:

        def insist() -> bool:
            quotad.send(signal.SIGTERM)
            quotad.send(signal.SIGINT)
            return not quotad.alive

        wait_until(insist)
        assert (0, "") == (quotad.wait(), quotad.stderr)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_that_comes_early_ends_it_cleanly(place: Place, number: signal.Signals) -> None:
    """From the moment it holds the lock; it has nothing to say then either."""
    lock = place.state / "quotad.lock"
    quotad = place.launch()
    try:
        wait_until(lambda: lock.exists() and lock.read_text())
        assert ((0, True), "") == (ended(quotad, number), quotad.stderr)
    finally:
        quotad.kill()


def test_reading_once_that_is_interrupted_has_failed(place: Place) -> None:
    """With 1 and without a line; the next one reads on."""
    work_hard(place)
    quotad = place.launch("--once")
    try:
        wait_until((place.state / "ledger.db-wal").exists)
        assert (1, True) == ended(quotad, signal.SIGINT)
        assert quotad.stderr == ""
    finally:
        quotad.kill()
    assert place.once().messages == CALLS


def test_under_load_it_ends_in_time_and_loses_nothing(place: Place) -> None:
    """While history is read in and clients ask on and on, SIGTERM ends it; the next one counts everything."""
    lines = 0
    old_ns = time.time_ns() - 30 * 86_400 * 10**9
    for number in range(12):
        session = f"session-{number}"
        path = transcript(place, session)
        append(path, b"".join(calls(session, range(2_500), at_ms=old_ns // 1_000_000)))
        os.utime(path, ns=(old_ns, old_ns))
        lines += 2_500
    with ThreadPoolExecutor(4) as clients, place.running() as quotad:
        status = quotad.status()
        assert status["daemon"]["progress"] is not None, "everything had been read already"
        answered = [Event() for _ in range(4)]
        asking = [clients.submit(ask_on_and_on, quotad, event) for event in answered]
        assert all(event.wait(10) for event in answered)
        assert (0, True) == ended(quotad, signal.SIGTERM)
        assert all(asked.result() for asked in asking)
    with place.running() as quotad:
        quotad.sync()
        assert lines == sum(row["messages"] for row in quotad.history("model"))


def ask_on_and_on(quotad: Quotad, answered: Event) -> int:
    """How many answers there were until the daemon was gone; ``answered`` is set by the first."""
    answers = 0
    while True:
        try:
            quotad.request("status")
        except (OSError, ValueError):
            return answers
        except Refused as refused:
            if "shutting-down" != refused.error["data"]["code"]:
                raise
            return answers
        answers += 1
        answered.set()


# The beginning.


def test_a_second_daemon_is_turned_away(place: Place) -> None:
    """With 75, and a line that names the first and what to do; the first does not notice."""
    with place.running() as quotad:
        before = quotad.client.hello
        with pytest.raises(Failed) as refused, place.running():
            pass
        assert refused.value.code == 75
        line = f"quotad: another quotad (process {quotad.pid}) holds {place.state}; "
        assert refused.value.stderr == line + "`quotactl status` asks it, `quotactl down` stops it\n"
        with quotad.connect() as client:
            assert before == client.hello


def test_of_many_daemons_that_start_at_once_one_lives(place: Place) -> None:
    """It keeps its lock and its socket; every other one ends with 75."""
    quotads = [place.launch() for _ in range(STARTS)]
    try:
        wait_until(lambda: sum(quotad.alive for quotad in quotads) == 1, seconds=60)
        (living,) = (quotad for quotad in quotads if quotad.alive)
        assert [75] * (STARTS - 1) == [quotad.wait() for quotad in quotads if quotad is not living]
        living.wait_until_it_answers()
        assert living.stop() == 0
    finally:
        for quotad in quotads:
            quotad.kill()
    told = place.stderr.read_text().splitlines()
    assert STARTS - 1 == len(told)
    assert all(line.startswith("quotad: another quotad") and str(place.state) in line for line in told)


def test_the_lock_is_tried_before_the_settings_are_read(place: Place) -> None:
    """Whoever is second hears that, and not that a setting is wrong."""
    with place.running():
        place.config.write_text("plan = 3\n")
        with pytest.raises(Failed) as refused, place.running():
            pass
    assert refused.value.code == 75


def test_a_socket_left_by_a_killed_daemon_is_no_obstacle(place: Place) -> None:
    """The next one takes its place."""
    with place.running() as quotad:
        spend(place, 10)
        assert 10 == quotad.window()["spent"]
        quotad.kill()
        assert place.socket.exists()
    with place.running() as quotad:
        assert 10 == quotad.window()["spent"]
        assert quotad.stderr == ""


def test_what_is_no_socket_is_left_alone(place: Place) -> None:
    """Where a file stands in the socket's place, quotad names it, ends with 1, and leaves it as it is."""
    place.socket.parent.mkdir(mode=0o700)
    place.socket.write_text("mine")
    with pytest.raises(Failed) as refused, place.running():
        pass
    assert (1, 1) == (refused.value.code, refused.value.stderr.count("\n"))
    assert refused.value.stderr.startswith(f"quotad: {place.socket} is a file, not a socket: ")
    assert place.socket.read_text() == "mine"


def test_a_socket_path_that_is_too_long_is_foretold(place: Place) -> None:
    """The message names the path, its length and the variable to set."""
    long = place.root / ("x" * 100) / "quotad.sock"
    with pytest.raises(Failed) as refused, place.running(extra={"QUOTAD_SOCKET": str(long)}):
        pass
    assert refused.value.code == 78
    assert str(long) in refused.value.stderr
    assert f"{len(bytes(long))} bytes" in refused.value.stderr
    assert "QUOTAD_SOCKET" in refused.value.stderr


def test_a_state_directory_that_others_can_write_to_is_refused(place: Place) -> None:
    """With 1, and the command that mends it; one that others can only read is accepted."""
    place.state.mkdir()
    place.state.chmod(0o777)
    with pytest.raises(Failed) as refused, place.running():
        pass
    assert refused.value.code == 1
    assert f"chmod go-w {place.state}" in refused.value.stderr
    place.state.chmod(0o755)
    with place.running():
        pass


def test_a_machine_without_home_will_do(place: Place) -> None:
    """The paths that are set in the environment are enough."""
    with place.running(program=("env", "-u", "HOME", *QUOTAD)) as quotad:
        assert quotad.status()["daemon"]["problems"] == []


# What it touches.


def test_whatever_the_umask_nobody_else_can_read(place: Place) -> None:
    """Directories are made 0700 and files 0600: ledger, lock, socket, snapshots."""
    program = ("sh", "-c", 'umask 0; exec "$@"', "sh", *QUOTAD)
    with place.running(program=program) as quotad:
        spend(place, 10)
        quotad.sync()
        wait_until((place.claude / "session-tracker.json").exists)
        modes = {
            path.name: stat.S_IMODE(path.stat().st_mode)
            for top in (place.state, place.socket.parent)
            for path in (top, *top.iterdir())
        }
        modes |= {path.name: stat.S_IMODE(path.stat().st_mode) for path in place.claude.glob("*.json")}
    assert {name: 0o700 if name in {"state", "s"} else 0o600 for name in modes} == modes
    assert {"ledger.db", "quotad.lock", "quotad.sock", "quota-tracker.json", "session-tracker.json"} < set(
        modes
    )


def test_the_logs_of_claude_code_are_only_read(place: Place) -> None:
    """Neither ``logs`` nor what is in it is changed, at a start, at work or at an end."""
    log(place, "session_start", at_ms=now_ms())
    before = looks(session_log(place).parent)
    with place.running() as quotad:
        assert len(quotad.status()["sessions"]) == 1
        spend(place, 10)
        quotad.sync()
        quotad.stop()
    assert before == looks(session_log(place).parent)


def looks(directory: Path) -> dict[str, tuple[int, int, int]]:
    """What would differ if anybody had written there."""
    return {
        path.name: (seen.st_ino, seen.st_size, seen.st_mtime_ns)
        for path in (directory, *directory.iterdir())
        for seen in [path.stat()]
    }


def test_a_missing_claude_directory_is_waited_for_and_never_made(place: Place) -> None:
    """Once it is there its transcripts count, and it gets its snapshots."""
    shutil.rmtree(place.claude)
    with place.running() as quotad:
        assert "idle" == quotad.window()["state"]
        quotad.sync()
        quotad.stop()
    assert not place.claude.exists()
    with place.running() as quotad:
        spend(place, 10)
        quotad.sync()
        assert 10 == quotad.window()["spent"]
        quotad.stop()
    assert (place.claude / "quota-tracker.json").exists()


# Upkeep.


def test_a_socket_that_is_swept_away_is_made_again(place: Place) -> None:
    """Tidy programs do that; clients that are connected stay so, and new ones find their way."""
    with place.running(extra=OFTEN) as quotad:
        subscribed = quotad.connect()
        place.socket.unlink()
        wait_until(quotad.answers)
        assert quotad.pid == subscribed.status()["daemon"]["pid"]
        subscribed.close()
        assert stat.S_IMODE(place.socket.stat().st_mode) == 0o600
        assert "had vanished and was made again" in quotad.stderr


def test_a_lock_that_is_swept_away_is_taken_again(place: Place) -> None:
    """Otherwise a second daemon could start on the same ledger."""
    lock = place.state / "quotad.lock"
    with place.running(extra=OFTEN) as quotad:
        lock.unlink()
        wait_until(lambda: lock.exists() and lock.read_text() == f"{quotad.pid}\n")
        with pytest.raises(Failed) as refused, place.running():
            pass
        assert refused.value.code == 75
        assert f"process {quotad.pid}" in refused.value.stderr


def test_a_place_that_is_taken_away_from_a_living_socket_is_a_problem(place: Place) -> None:
    """The daemon lives on, says so, and listens again once the place is free."""
    with place.running(extra=OFTEN) as quotad:
        client = quotad.connect()
        place.socket.unlink()
        place.socket.write_text("mine")
        wait_until(lambda: "socket-unavailable" in codes(client.status()))
        place.socket.unlink()
        wait_until(quotad.answers)
        wait_until(lambda: codes(client.status()) == [])
        client.close()


def codes(status: wire.StatusReply) -> list[str]:
    """The codes of the problems there are."""
    return [problem["code"] for problem in status["daemon"]["problems"]]
