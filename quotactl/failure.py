"""Why a command ends without having done what was asked, by blame. Free of click: hooks use it too."""

from __future__ import annotations

from typing import ClassVar

EXIT_FAILED = 1
EXIT_NO_DAEMON = 69
"""EX_UNAVAILABLE of sysexits.h."""


class Failure(Exception):  # noqa: N818 - the base of what is named after its cause
    """``reason`` is a stable code for programs, ``message`` a sentence for people (empty: already said)."""

    exit_code: ClassVar[int] = EXIT_FAILED

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class NoDaemon(Failure):
    """No daemon that speaks our language can be reached; the message says how to start one."""

    exit_code = EXIT_NO_DAEMON


class Refused(Failure):
    """The daemon will not do it; ``reason`` is its ``data.code``, or the name of the JSON-RPC error."""


class Undone(Failure):
    """The work was tried and did not succeed: time ran out, a check failed, a process died."""
