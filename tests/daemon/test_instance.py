"""One daemon a state directory, whatever happens to the lock's file."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from quotad.instance import LOCK_NAME, AnotherDaemon, StateRefused, check_state, hold

CHECKOUT = Path(__file__).parents[2]
HOLD = """
import sys, pathlib
from quotad.instance import AnotherDaemon, hold
try:
    held = hold(pathlib.Path(sys.argv[1]))
except AnotherDaemon as fault:
    sys.exit(str(fault))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory that does not exist yet."""
    return tmp_path / "deep" / "state"


@contextmanager
def _holder(state: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that tries to hold the directory, until its stdin ends."""
    command = [sys.executable, "-c", HOLD, str(state)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=CHECKOUT, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_directory_and_lock_are_private(state: Path) -> None:
    """The state directory is made 0700 with its parents, the lock 0600 with our pid in it."""
    held = hold(state)
    lock = state / LOCK_NAME
    assert (0o700, 0o600, f"{os.getpid()}\n") == (_mode(state), _mode(lock), lock.read_text())
    assert held.still_ours()
    held.release()


def test_the_lock_is_not_inherited(state: Path) -> None:
    """A program that the daemon runs does not keep the directory held."""
    held = hold(state)
    descriptors = list(Path("/proc/self/fd").iterdir())
    (lock,) = [path for path in descriptors if path.exists() and path.resolve() == state / LOCK_NAME]
    assert not os.get_inheritable(int(lock.name))
    held.release()


def test_a_second_one_is_told_of_the_first(state: Path) -> None:
    """Another process gets neither the directory nor its lock's content changed, and learns whose it is."""
    held = hold(state)
    with _holder(state) as other:
        _, words = other.communicate("")
        assert f"another quotad (process {os.getpid()}) holds {state}\n" == words
    assert f"{os.getpid()}\n" == (state / LOCK_NAME).read_text()
    held.release()


def test_the_same_process_is_another_one_too(state: Path) -> None:
    """The lock belongs to whoever opened it, not to the process."""
    held = hold(state)
    with pytest.raises(AnotherDaemon) as refused:
        hold(state)
    assert (state, os.getpid()) == (refused.value.path, refused.value.pid)
    held.release()
    hold(state).release()


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff\xfe"])
def test_an_unreadable_pid_is_none(state: Path, content: bytes) -> None:
    """What stands in the lock decides nothing; what is no pid is not shown as one."""
    held = hold(state)
    (state / LOCK_NAME).write_bytes(content)
    with pytest.raises(AnotherDaemon) as refused:
        hold(state)
    assert refused.value.pid is None
    assert f"another quotad holds {state}" == str(refused.value)
    held.release()


def test_a_long_old_pid_leaves_no_digits(state: Path) -> None:
    """The pid replaces what an earlier holder wrote."""
    state.mkdir(mode=0o700, parents=True)
    (state / LOCK_NAME).write_text("999999999999\n")
    held = hold(state)
    assert f"{os.getpid()}\n" == (state / LOCK_NAME).read_text()
    held.release()


def test_a_killed_holder_frees_the_lock(state: Path) -> None:
    """After SIGKILL the next one holds the directory, with the same file."""
    with _holder(state) as first:
        assert "held\n" == _said(first)
        inode = (state / LOCK_NAME).stat().st_ino
        with pytest.raises(AnotherDaemon):
            hold(state)
        first.send_signal(signal.SIGKILL)
        first.wait()
    held = hold(state)
    assert inode == (state / LOCK_NAME).stat().st_ino
    held.release()


def test_of_many_at_once_one_gets_it(state: Path) -> None:
    """Of thirty simultaneous tries exactly one succeeds."""
    with ThreadPoolExecutor(30) as threads:
        tries = [threads.submit(hold, state) for _ in range(30)]
    held = [one.result() for one in tries if one.exception() is None]
    others = [one.exception() for one in tries if one.exception() is not None]
    assert 1 == len(held)
    assert all(isinstance(other, AnotherDaemon) for other in others)
    held[0].release()


def test_a_vanished_lock_is_noticed(state: Path) -> None:
    """A removed or replaced lock is no longer ours, and can be taken again."""
    held = hold(state)
    (state / LOCK_NAME).unlink()
    assert not held.still_ours()
    again = hold(state)
    assert (False, True) == (held.still_ours(), again.still_ours())
    held.release()
    again.release()


@pytest.mark.parametrize("swept", [2, 1000])
def test_a_lock_that_vanishes_in_the_taking_is_not_held(
    state: Path, monkeypatch: pytest.MonkeyPatch, swept: int
) -> None:
    """A file that is unlinked between opening and locking is no lock: try again, up to a limit."""
    state.mkdir(mode=0o700, parents=True)
    lock = state / LOCK_NAME
    times = iter(range(swept))
    really_open = os.open

    def open_and_lose(path: Path, flags: int, mode: int) -> int:
        descriptor = really_open(path, flags, mode)
        if next(times, None) is not None:
            lock.unlink()
        return descriptor

    monkeypatch.setattr(os, "open", open_and_lose)
    if swept > 10:
        with pytest.raises(StateRefused, match="is taken away again and again"):
            hold(state)
    else:
        held = hold(state)
        assert held.still_ours()
        assert [] == list(times)
        held.release()


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o720, 0o702, 0o1777])
def test_a_directory_that_others_can_write_to_is_refused(state: Path, mode: int) -> None:
    """The message names the directory, its mode and the remedy; the mode stays."""
    state.mkdir(parents=True)
    state.chmod(mode)
    with pytest.raises(StateRefused) as refused:
        hold(state)
    assert (
        f"others can write to the state directory {state} (mode {mode:04o}): run `chmod go-w {state}`"
        == str(refused.value)
    )
    assert mode == _mode(state)


@pytest.mark.parametrize("mode", [0o755, 0o711, 0o750, 0o700])
def test_a_directory_that_others_can_read_is_accepted(state: Path, mode: int) -> None:
    """An existing directory stays as it is as long as nobody else can write to it."""
    state.mkdir(parents=True)
    state.chmod(mode)
    hold(state).release()
    assert mode == _mode(state)


def test_a_linked_directory_is_accepted(state: Path) -> None:
    """The state may live on another disk: what counts is the directory that the link leads to."""
    real = state.parent.parent / "real"
    real.mkdir(mode=0o700)
    state.parent.mkdir()
    state.symlink_to(real)
    hold(state).release()
    real.chmod(0o777)
    with pytest.raises(StateRefused):
        check_state(state)


def test_somebody_elses_directory_is_refused(state: Path) -> None:
    """A directory of another user is refused although we could write to it."""
    if os.geteuid() == 0:
        state.mkdir(parents=True, mode=0o700)
        os.chown(state, 65534, 65534)
    else:
        state = Path("/")
    with pytest.raises(StateRefused, match=f"the state directory {state} belongs to user"):
        hold(state)


def test_a_file_for_a_directory_is_refused(state: Path) -> None:
    """A file in the directory's place is named."""
    state.parent.mkdir()
    state.touch()
    with pytest.raises(StateRefused, match=f"{state} is not a directory"):
        hold(state)


def test_a_directory_that_cannot_be_made_is_named() -> None:
    """The system's reason is told."""
    with pytest.raises(StateRefused, match="cannot use the state directory /proc/quotad: "):
        hold(Path("/proc/quotad"))


def test_a_linked_lock_is_refused(state: Path) -> None:
    """A symbolic link in the lock's place is not followed."""
    state.mkdir(parents=True, mode=0o700)
    (state / LOCK_NAME).symlink_to(state / "elsewhere")
    with pytest.raises(StateRefused, match="it is a symbolic link"):
        hold(state)
    assert not (state / "elsewhere").exists()


def test_a_directory_for_a_lock_is_refused(state: Path) -> None:
    """What cannot be opened is named."""
    (state / LOCK_NAME).mkdir(parents=True)
    state.chmod(0o700)
    with pytest.raises(StateRefused, match=r"cannot open the lock .*: Is a directory"):
        hold(state)
