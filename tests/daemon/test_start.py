"""What a start costs, and that no moment of it loses a signal."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version

from tests.daemon.process import QUOTAD, Place

NEEDED_LATER_OR_NEVER = {
    *("aiofiles", "anyio", "dataclasses", "email", "importlib.metadata", "multiprocessing", "pydantic"),
    *("quotad.planning.queue_document", "quotad.settings.document", "quotad.wire.replies"),
    *("tempfile", "watchfiles", "zipfile", "zoneinfo"),
}
"""What takes as long to import as ten modules of ours, or as all of them."""

IMPORTED = """
import json, sys
from quotad.__main__ import main
try:
    main()
except SystemExit:
    print(json.dumps(sorted(sys.modules)))
"""

SIGNALLED_IN_A_DESTRUCTOR = """
import os, signal
from quotad import instance
from quotad.__main__ import main

class Signalled:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)

really_hold = instance.hold

def hold(state):
    held = really_hold(state)
    Signalled()
    return held

instance.hold = hold
main()
"""
"""The daemon, to which a signal comes where Python swallows every exception."""


def test_it_knows_its_version(place: Place) -> None:
    """The one that it was installed as."""
    assert f"quotad {version('quotad')}\n" == place.run([*QUOTAD, "--version"]).stdout


def test_a_start_imports_nothing_that_it_does_not_need(place: Place) -> None:
    """Neither for its version, nor to judge settings and a queue in which nothing is wrong."""
    (place.claude / "session-queue.json").write_text('{"sessions": [{"id": "a", "estimatedTokens": 5}]}')
    report, modules = place.run([sys.executable, "-c", IMPORTED, "--once"]).stdout.splitlines()
    assert 0 == json.loads(report)["malformed"]
    assert set() == NEEDED_LATER_OR_NEVER & set(json.loads(modules))


def test_a_signal_is_not_lost_in_a_destructor(place: Place) -> None:
    """Nor wherever else an exception is swallowed, as by the compiler of a module that is imported."""
    quotad = place.launch(program=(sys.executable, "-c", SIGNALLED_IN_A_DESTRUCTOR))
    try:
        assert (0, "") == (quotad.wait(), quotad.stderr)
    finally:
        quotad.kill()


def test_a_signal_while_reading_once_begins_is_a_failure(place: Place) -> None:
    """Nothing has been read, and 0 would say that everything was."""
    quotad = place.launch("--once", program=(sys.executable, "-c", SIGNALLED_IN_A_DESTRUCTOR))
    try:
        assert (1, "") == (quotad.wait(), quotad.stderr)
    finally:
        quotad.kill()
