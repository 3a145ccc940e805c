"""A process that reads for the daemon: orders come in, batches go out, until there is no more to come.

Python runs one thread at a time, so that a thread that decodes a gigabyte would keep the loop waiting, and
one core idle. What crosses is a message in msgpack behind its length; this process knows no clock, no
ledger and no loop, and starts in a few hundredths of a second.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from typing import IO, NamedTuple

import msgspec

from quotad.domain.cursor import Cursor
from quotad.domain.usage import AccountId
from quotad.intake.reading import Order, Taken, read

NICENESS = 5
"""Who asks the daemon, and whoever else works here, goes first where there are too few processors."""

_SIZE_BYTES = 8


class Request(NamedTuple):
    """Files of one account that are to be read as transcripts, each from its cursor on."""

    account: AccountId
    files: list[tuple[str, Cursor | None]]


def send(stream: IO[bytes], content: bytes) -> None:
    """Write one message. Raises OSError when nobody is there to read it."""
    stream.write(len(content).to_bytes(_SIZE_BYTES, "big"))
    stream.write(content)
    stream.flush()


def receive(stream: IO[bytes]) -> bytes | None:
    """The next message, None at the end of the stream. Raises EOFError where it ends inside one."""
    size = stream.read(_SIZE_BYTES)
    if not size:
        return None
    content = stream.read(int.from_bytes(size, "big"))
    if len(size) < _SIZE_BYTES or len(content) < int.from_bytes(size, "big"):
        raise EOFError("the stream ends inside a message")
    return content


def main() -> None:
    """Serve the process that started this one."""
    # Ctrl-C and a service manager's stop are for the daemon: it says when to end, by ending the stream.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.nice(NICENESS)
    gc.disable()  # events are tuples and hold no cycles
    requests = msgspec.msgpack.Decoder(Request)
    replies = msgspec.msgpack.Encoder()
    try:
        while (message := receive(sys.stdin.buffer)) is not None:
            request = requests.decode(message)
            taken: Taken = read(request.account, (Order(path, cursor) for path, cursor in request.files))
            send(sys.stdout.buffer, replies.encode(taken))
    except (BrokenPipeError, EOFError):
        os._exit(0)  # the daemon is gone, and what is left in the stream can go nowhere
