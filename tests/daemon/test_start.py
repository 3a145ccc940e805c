"""What a start costs, and that no moment of it loses a signal."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version

from tests.daemon.process import QUOTAD, Place

NEEDED_LATER_OR_NEVER = {"email", "importlib.metadata", "pydantic", "tomllib", "zipfile"}
"""What takes as long to import as all that is ours."""

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
    """Neither for its version, nor what reads a settings file when there is none."""
    place.config.unlink()
    told = place.run(
        [sys.executable, "-c", "import json, sys, quotad.__main__; print(json.dumps(sorted(sys.modules)))"]
    )
    assert set() == NEEDED_LATER_OR_NEVER & set(json.loads(told.stdout))


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
