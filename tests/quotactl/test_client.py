"""The client tells what is wrong with whom: with the place, with the daemon, or with the request."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from quotactl import client
from quotactl.client import connect
from quotactl.failure import NoDaemon, Refused
from quotad import wire
from tests.quotactl.conftest import Surroundings
from tests.quotactl.fake_daemon import HELLO, Error, FakeDaemon, Raw, Silence
from tests.quotactl.replies import row, status

UID = os.getuid()


def why_not(path: Path, uid: int = UID) -> NoDaemon:
    """How connecting fails; every such message says how to have a daemon."""
    with pytest.raises(NoDaemon) as caught:
        connect(path, uid)
    assert "quotactl up" in caught.value.message
    assert str(path) in caught.value.message or caught.value.reason not in {"no-daemon", "unreachable"}
    return caught.value


def test_it_asks_and_is_answered(here: Surroundings) -> None:
    """One line out, one line in; hello comes first."""
    with FakeDaemon(here.socket, {"status": status()}) as daemon, connect(here.socket, UID) as one:
        assert status() == one.status()
        assert [("hello", {}), ("status", {})] == daemon.asked
        assert HELLO == one.hello


def test_parameters_are_passed_on(here: Surroundings) -> None:
    """As the wire's types name them."""
    replies = {"history": [row(day="2026-11-22")], "sync": {"caught_up": True, "seconds": 0.1}}
    with FakeDaemon(here.socket, replies) as daemon, connect(here.socket, UID) as one:
        one.sync(2.5)
        assert [row(day="2026-11-22")] == one.history(wire.HistoryParams(by="day", since="2026-11-01"))
        asked = {"by": "day", "since": "2026-11-01", "until": None, "utc": False}
        assert [("sync", {"timeout": 2.5}), ("history", asked)] == daemon.asked[1:]


def test_without_a_socket_there_is_no_daemon(here: Surroundings) -> None:
    """The path is named."""
    assert "there is no" in why_not(here.socket).message


def test_a_file_in_the_sockets_place_is_no_daemon(here: Surroundings) -> None:
    """Nothing is sent to it."""
    here.socket.write_text("")
    assert "is not a socket" in why_not(here.socket).message


def test_a_socket_without_a_listener_is_no_daemon(here: Surroundings) -> None:
    """A daemon that was killed leaves its socket behind."""
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(here.socket))
    assert "nobody listens" in why_not(here.socket).message


def test_a_socket_of_somebody_else_is_not_asked(here: Surroundings) -> None:
    """Whoever owns it might be after what we send."""
    with FakeDaemon(here.socket, {}) as daemon:
        assert "belongs to uid" in why_not(here.socket, UID + 1).message
        assert daemon.asked == []


def test_a_socket_of_somebody_else_is_not_even_dialled(here: Surroundings) -> None:
    """Its owner is looked at first, wherever the system tells no more than that."""
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(here.socket))
    assert "belongs to uid" in why_not(here.socket, UID + 1).message


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who listens before anything is sent")
def test_a_listener_of_somebody_else_is_not_asked(here: Surroundings, tmp_path: Path) -> None:
    """The file may be ours and its listener not."""
    with FakeDaemon(here.socket, {}), socket.socket(socket.AF_UNIX) as raw:
        raw.connect(str(here.socket))
        with pytest.raises(NoDaemon, match="belongs to uid"):
            client._check_peer(raw, tmp_path, UID + 1)  # noqa: SLF001 - no test can change who it is


def test_a_directory_that_may_not_be_searched_is_said(here: Surroundings) -> None:
    """A path through a file cannot lead to a socket."""
    (here.root / "file").write_text("")
    assert "Not a directory" in why_not(here.root / "file" / "quotad.sock").message


def test_another_protocol_is_not_spoken(here: Surroundings) -> None:
    """After an upgrade the old daemon still runs: both versions are named."""
    with FakeDaemon(here.socket, {"hello": HELLO | {"protocol": 2, "version": "9.9"}}):
        failure = why_not(here.socket)
    assert failure.reason == "protocol-mismatch"
    assert "quotad 9.9 speaks protocol 2" in failure.message


@pytest.mark.parametrize(
    "reply",
    [
        b"SSH-2.0-OpenSSH_9.2\n",
        b"[]\n",
        b'{"jsonrpc":"2.0","id":7,"result":{}}\n',
        b'{"jsonrpc":"2.0","id":1}\n',
        b'{"jsonrpc":"2.0","id":1,"result":[]}\n',
        b"[" * 100_000 + b"\n",
        b'{"jsonrpc":"2.0","id":1,"error":"no"}\n',
    ],
)
def test_nonsense_is_no_daemon(here: Surroundings, reply: bytes) -> None:
    """Something else listens, or something is badly broken: no traceback, and a way out."""
    with FakeDaemon(here.socket, {"hello": Raw(reply)}):
        assert why_not(here.socket).reason == "bad-reply"


def test_a_daemon_that_hangs_up_is_gone(here: Surroundings) -> None:
    """In the middle of a call."""
    with (
        FakeDaemon(here.socket, {"status": Raw()}),
        connect(here.socket, UID) as one,
        pytest.raises(NoDaemon, match="hung up"),
    ):
        one.status()


def test_a_daemon_that_is_gone_takes_no_request(here: Surroundings) -> None:
    """Writing to it fails instead of killing us."""
    daemon = FakeDaemon(here.socket, {})
    with daemon:
        one = connect(here.socket, UID)
    with pytest.raises(NoDaemon), one:
        one.status()


def test_a_daemon_that_does_not_answer_is_not_waited_for_for_ever(here: Surroundings) -> None:
    """A call has a deadline, which a sync sets itself; the process is named."""
    with FakeDaemon(here.socket, {"sync": Silence()}), connect(here.socket, UID) as one:
        with pytest.raises(NoDaemon, match=r"pid 4242\) did not answer") as caught:
            one.sync(0.05 - client.SYNC_GRACE_SECONDS)
        assert caught.value.reason == "no-answer"


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_line_over_the_limit_is_not_taken_in(here: Surroundings, end: bytes) -> None:
    """Memory is bounded whatever is at the other end."""
    with (
        FakeDaemon(here.socket, {"status": Raw(b"x" * (wire.REPLY_BYTES_MAX + 1) + end)}),
        connect(here.socket, UID) as one,
        pytest.raises(NoDaemon, match="16 MiB"),
    ):
        one.status()


def test_a_line_at_the_limit_is_taken_in(here: Surroundings) -> None:
    """The longest reply there may be is one."""
    head, tail = b'{"jsonrpc":"2.0","id":2,"result":{"x":"', b'"}}'
    filling = b"x" * (wire.REPLY_BYTES_MAX - len(head) - len(tail))
    replies = {"status": Raw(head + filling + tail + b"\n")}
    with FakeDaemon(here.socket, replies), connect(here.socket, UID) as one:
        assert one.status()["x"] == filling.decode()  # type: ignore[typeddict-item]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Error(code=wire.REFUSED, message="no", data={"code": "busy"}), "busy"),
        (Error(code=wire.INVALID_PARAMS, message="no"), "invalid-params"),
        (Error(code=wire.NO_SUCH_METHOD, message="no"), "no-such-method"),
        (Error(code=-32099, message="no"), "refused"),
    ],
)
def test_a_refusal_has_a_reason_for_programs(here: Surroundings, error: Error, reason: str) -> None:
    """The daemon's own code, or the name of the JSON-RPC error."""
    with FakeDaemon(here.socket, {"status": error}), connect(here.socket, UID) as one:
        with pytest.raises(Refused, match="no") as caught:
            one.status()
        assert reason == caught.value.reason


def test_a_subscription_begins_with_the_state_and_brings_the_changes(here: Surroundings) -> None:
    """What comes in one packet is told apart; when nothing comes, the wait ends."""
    with FakeDaemon(here.socket, {"subscribe": status()}) as daemon, connect(here.socket, UID) as one:
        subscription = one.subscribe()
        assert status() == subscription.first
        assert subscription.next(0.0) is None
        assert daemon.subscribed.wait(5)
        daemon.change(status(plan="team"))
        daemon.change(status(plan="free"))
        found = [subscription.next(5.0), subscription.next(5.0)]
        assert ["team", "free"] == [one["plan"] for one in found if one is not None]


def test_a_subscription_ends_with_the_daemon(here: Surroundings) -> None:
    """Its end is an error, because a stream has none."""
    daemon = FakeDaemon(here.socket, {"subscribe": status()})
    with daemon:
        one = connect(here.socket, UID)
        subscription = one.subscribe()
    with one, pytest.raises(NoDaemon, match="hung up"):
        subscription.next(5.0)
