"""More clients than the process has file descriptors for."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from quotad import wire
from tests.ipc.talking import HELLO, PATIENCE_S, places

CHECKOUT = Path(__file__).parents[2]


@contextmanager
def _crowded(paths: wire.Paths, descriptors: int, spent: int) -> Iterator[subprocess.Popen[str]]:
    """The server's process, which listens."""
    command = [
        sys.executable,
        "-m",
        "tests.ipc.crowded",
        str(paths.root.parent),
        str(descriptors),
        str(spent),
    ]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=CHECKOUT, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            assert process.stdout is not None
            assert "listening\n" == process.stdout.readline()
            yield process
        finally:
            process.kill()


def _asking(paths: wire.Paths, stack: ExitStack) -> socket.socket:
    client = stack.enter_context(socket.socket(socket.AF_UNIX))
    client.settimeout(PATIENCE_S)
    client.connect(str(paths.socket))
    client.sendall(wire.request("hello", {}, 1))
    return client


def _reply(client: socket.socket) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(client.makefile("rb").readline())
    return message


def test_half_of_the_descriptors_are_for_connections() -> None:
    """With 40 descriptors 20 clients are served, 80 are told to come later, and nothing fails."""
    with places() as paths, ExitStack() as stack, _crowded(paths, descriptors=40, spent=0) as process:
        replies = [_reply(_asking(paths, stack)) for _ in range(100)]
        assert [HELLO] * 20 == [reply["result"] for reply in replies if "result" in reply]
        assert ["busy"] * 80 == [reply["error"]["data"]["code"] for reply in replies if "error" in reply]
        _, log = process.communicate("", timeout=PATIENCE_S)
        assert ["refused a connection: 20 are open"] == [
            line.partition("warning ")[2] for line in log.splitlines()
        ]


def test_running_out_of_descriptors_passes() -> None:
    """When descriptors run out all the same, clients wait, the log is no flood, and service comes back."""
    with places() as paths, _crowded(paths, descriptors=40, spent=20) as process:
        with ExitStack() as stack:
            clients = [_asking(paths, stack) for _ in range(30)]
            served = [client for client in clients[:10] if "result" in _reply(client)]
            assert served
            # asyncio tries again after a second: see it fail twice before the crowd goes.
            clients[-1].settimeout(1.2)
            with suppress(TimeoutError):
                assert not clients[-1].recv(1), "the last client must not have been served yet"
        with ExitStack() as stack:
            assert HELLO == _reply(_asking(paths, stack))["result"]
        _, log = process.communicate("", timeout=PATIENCE_S)
        assert "out of system resource" in log
        assert 1 == log.count("out of system resource")
        assert len([line for line in log.splitlines() if not line.startswith(" ")]) < 10
