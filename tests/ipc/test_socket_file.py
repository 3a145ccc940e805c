"""Where the socket may lie, what may be there already, and that it stays ours."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from quotad import wire
from quotad.ipc.socket_file import BACKLOG, SocketRefused, claim
from tests.ipc.talking import places

AS_ROOT = os.geteuid() == 0
SOMEBODY = 65534


@pytest.fixture
def paths() -> Iterator[wire.Paths]:
    """Where a socket could be."""
    with places() as those:
        yield those


def _refusal(paths: wire.Paths) -> str:
    with pytest.raises(SocketRefused) as refused:
        claim(paths)
    return str(refused.value)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.parametrize("umask", [0, 0o077, 0o777])
def test_directory_and_socket_are_private(paths: wire.Paths, umask: int) -> None:
    """The directory is made 0700 and the socket 0600, whatever the umask lets through."""
    before = os.umask(umask & 0o077)
    try:
        paths.socket.parent.mkdir(mode=0o700)
        os.umask(umask)
        file = claim(paths)
    finally:
        os.umask(before)
    assert (0o700, 0o600) == (_mode(paths.socket.parent), _mode(paths.socket))
    file.close()


@pytest.mark.skipif("sys.platform != 'linux'")
def test_the_socket_is_private_from_its_birth(paths: wire.Paths) -> None:
    """On Linux no moment exists at which the socket has another mode: bind alone makes it 0600."""
    with socket.socket(socket.AF_UNIX) as unbound:
        os.fchmod(unbound.fileno(), 0o600)
        before = os.umask(0)
        try:
            path = paths.socket.parent.parent / "born"
            unbound.bind(str(path))
        finally:
            os.umask(before)
        assert 0o600 == _mode(path)


def test_missing_parents_are_made(paths: wire.Paths) -> None:
    """A directory several levels down is created."""
    deep = paths._replace(socket=paths.socket.parent / "a" / "b" / "q.sock")
    file = claim(deep)
    assert 0o700 == _mode(deep.socket.parent)
    file.close()
    assert not deep.socket.exists()


def test_clients_wait_in_a_long_queue(paths: wire.Paths) -> None:
    """Many clients can connect before the first is accepted."""
    file = claim(paths)
    clients = [socket.socket(socket.AF_UNIX) for _ in range(min(BACKLOG, 200))]
    try:
        assert [0] * len(clients) == [client.connect_ex(str(paths.socket)) for client in clients]
    finally:
        for client in clients:
            client.close()
        file.close()


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o770, 0o707, 0o750, 0o705, 0o701, 0o720, 0o740])
def test_a_directory_open_to_others_is_refused(paths: wire.Paths, mode: int) -> None:
    """Any right of group or others on the directory is too much; the message has path, mode and remedy."""
    directory = paths.socket.parent
    directory.mkdir()
    directory.chmod(mode)
    message = _refusal(paths)
    assert f"(mode {mode:04o})" in message
    assert f"run `chmod 0700 {directory}`" in message
    assert not paths.socket.exists()


@pytest.mark.parametrize("mode", [0o700, 0o500 if AS_ROOT else 0o700])
def test_a_private_directory_is_accepted(paths: wire.Paths, mode: int) -> None:
    """A directory that only we can enter is used as it is."""
    paths.socket.parent.mkdir()
    paths.socket.parent.chmod(mode)
    claim(paths).close()
    assert mode == _mode(paths.socket.parent)


@pytest.mark.parametrize(("mode", "accepted"), [(0o755, True), (0o711, True), (0o775, False), (0o757, False)])
def test_the_state_directory_may_be_readable(paths: wire.Paths, mode: int, accepted: bool) -> None:
    """A socket in the state directory follows that directory's rule: others must not be able to write."""
    paths.state.mkdir()
    paths.state.chmod(mode)
    inside = paths._replace(socket=paths.state / "quotad.sock")
    if accepted:
        claim(inside).close()
    else:
        assert "is open to others" in _refusal(inside)


def _symbolic_link(path: Path) -> None:
    path.symlink_to(path.parent / "elsewhere")


def _live_link(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path.parent / "elsewhere"))
    path.symlink_to(path.parent / "elsewhere")


def _fifo(path: Path) -> None:
    os.mkfifo(path)


OCCUPANTS = [
    (_symbolic_link, "a symbolic link"),
    (_live_link, "a symbolic link"),
    (Path.touch, "a file"),
    (Path.mkdir, "a directory"),
    (_fifo, "something else"),
]


@pytest.mark.parametrize(("occupy", "kind"), OCCUPANTS)
def test_what_is_no_socket_is_left_alone(
    paths: wire.Paths, occupy: Callable[[Path], None], kind: str
) -> None:
    """A thing at the socket's path that is no socket is named and stays."""
    paths.socket.parent.mkdir(mode=0o700)
    occupy(paths.socket)
    before = paths.socket.lstat()
    assert f"{paths.socket} is {kind}, not a socket" in _refusal(paths)
    assert os.path.samestat(before, paths.socket.lstat())


def test_a_linked_directory_is_refused(paths: wire.Paths) -> None:
    """A symbolic link in place of the directory is not followed."""
    real = paths.socket.parent.parent / "real"
    real.mkdir(mode=0o700)
    paths.socket.parent.symlink_to(real)
    assert f"{paths.socket.parent} is a symbolic link" in _refusal(paths)
    assert [] == list(real.iterdir())


def test_a_file_for_a_directory_is_refused(paths: wire.Paths) -> None:
    """A file in place of the directory is named."""
    paths.socket.parent.touch()
    assert f"{paths.socket.parent} is not a directory" in _refusal(paths)


def test_a_directory_that_cannot_be_made_is_named(paths: wire.Paths) -> None:
    """When the directory cannot be created the message says which and why."""
    message = _refusal(paths._replace(socket=Path("/proc/quotad/q.sock")))
    assert "cannot use the socket's directory /proc/quotad: " in message


def test_somebody_elses_directory_is_refused(paths: wire.Paths) -> None:
    """A directory that is not ours is refused although we could write to it."""
    directory = paths.socket.parent
    if AS_ROOT:
        directory.mkdir(mode=0o700)
        os.chown(directory, SOMEBODY, SOMEBODY)
    else:
        directory = Path("/")
    message = _refusal(paths._replace(socket=directory / "q.sock"))
    assert f"the socket's directory {directory} belongs to user" in message
    assert "set QUOTAD_SOCKET" in message


def test_somebody_elses_socket_is_left_alone(paths: wire.Paths) -> None:
    """A dead socket of another user is not removed."""
    paths.socket.parent.mkdir(mode=0o700)
    _abandon(paths.socket)
    if AS_ROOT:
        os.lchown(paths.socket, SOMEBODY, SOMEBODY)
        assert f"the socket {paths.socket} belongs to user {SOMEBODY}" in _refusal(paths)
        assert paths.socket.is_socket()


def _abandon(path: Path) -> None:
    """What a killed daemon leaves."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
        dead.listen()


def test_a_dead_socket_is_replaced(paths: wire.Paths) -> None:
    """What a killed daemon left behind is no obstacle."""
    paths.socket.parent.mkdir(mode=0o700)
    _abandon(paths.socket)
    file = claim(paths)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(paths.socket))
    file.close()


def test_a_living_socket_is_left_alone(paths: wire.Paths) -> None:
    """Somebody who answers there keeps the place."""
    first = claim(paths)
    assert f"another program answers on {paths.socket}" in _refusal(paths)
    assert first.still_ours()
    first.close()


def test_a_living_socket_with_a_full_queue_is_left_alone(paths: wire.Paths) -> None:
    """Somebody too busy to take one more connection is alive."""
    paths.socket.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as busy:
        busy.bind(str(paths.socket))
        busy.listen(0)
        clients = [socket.socket(socket.AF_UNIX) for _ in range(8)]
        for client in clients:
            client.settimeout(0)
        refused = [client.connect_ex(str(paths.socket)) for client in clients]
        assert any(refused), "the queue must be full for this test to mean anything"
        assert "another program answers" in _refusal(paths)
        for client in clients:
            client.close()


def test_still_ours_until_the_file_changes(paths: wire.Paths) -> None:
    """A removed or replaced file is noticed, and closing leaves a stranger's file alone."""
    file = claim(paths)
    assert file.still_ours()
    kept = paths.socket.rename(paths.socket.parent / "kept")
    assert not file.still_ours()
    paths.socket.touch()
    assert not file.still_ours()
    file.close()
    assert paths.socket.is_file()
    assert kept.is_socket()


def test_closing_takes_the_file_away(paths: wire.Paths) -> None:
    """After closing nobody can connect and nothing lies around; closing again does no harm."""
    file = claim(paths)
    file.close()
    assert [] == list(paths.socket.parent.iterdir())
    file.close()


def test_a_path_that_is_too_long_says_so(paths: wire.Paths) -> None:
    """The kernel's limit is reported with the path, should it ever be smaller than ours."""
    long = paths._replace(socket=paths.socket.parent / ("x" * 200))
    assert f"cannot make the socket {long.socket}: " in _refusal(long)
