"""A ledger that is damaged, empty, or of a later release."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing

import pytest

from tests.daemon.process import Failed, Place, new_place
from tests.daemon.scene import Scene
from tests.daemon.truth import of_calls


def zero(ledger: bytes) -> bytes:
    """All of it."""
    return bytes(len(ledger))


def halve(ledger: bytes) -> bytes:
    """Cut off the second half."""
    return ledger[: len(ledger) // 2]


def scribble(ledger: bytes) -> bytes:
    """Over three pages in the middle."""
    return ledger[:8_192] + b"\xa5" * 12_288 + ledger[20_480:]


def replace(_: bytes) -> bytes:
    """By something else."""
    return b"this is no ledger\n" * 1_000


@pytest.fixture(scope="module")
def sound_ledger() -> bytes:
    """A ledger of several pages of calls."""
    with new_place() as place:
        Scene(place, "ledger").write("a", *range(200))
        assert 200 == place.once().messages
        return (place.state / "ledger.db").read_bytes()


@pytest.mark.parametrize("damage", [zero, halve, scribble, replace], ids=lambda damage: damage.__name__)
def test_a_damaged_ledger_is_set_aside_and_made_anew(
    place: Place, sound_ledger: bytes, damage: Callable[[bytes], bytes]
) -> None:
    """All is counted again from the transcripts, ``status`` says what happened, and the old file is kept."""
    scene = Scene(place, "ledger")
    scene.write("a", *range(200))
    damaged = damage(sound_ledger)
    place.state.mkdir(mode=0o700)
    (place.state / "ledger.db").write_bytes(damaged)
    with place.running() as quotad:
        assert of_calls(200) == scene.counted(quotad)
        (aside,) = place.state.glob("ledger.db.damaged-*")
        assert damaged == aside.read_bytes()
        assert str(aside) in quotad.problems()["ledger-set-aside"]
        assert not quotad.doctor()["ledger-set-aside"]["ok"]


def test_a_ledger_made_anew_is_sound(place: Place) -> None:
    """The next daemon finds nothing wrong with it, and leaves what was set aside where it is."""
    Scene(place, "ledger").write("a", 1)
    place.state.mkdir(mode=0o700)
    (place.state / "ledger.db").write_bytes(b"this is no ledger\n" * 1_000)
    assert [1, 1] == [place.once().messages for _ in range(2)]
    assert 1 == len(list(place.state.glob("ledger.db.damaged-*")))


def test_an_empty_ledger_is_a_new_one(place: Place) -> None:
    """Its maker was stopped before the first word: nothing is lost, nobody need know."""
    Scene(place, "ledger").write("a", 1)
    place.state.mkdir(mode=0o700)
    (place.state / "ledger.db").touch(mode=0o600)
    assert 1 == place.once().messages
    assert {"ledger.db", "quotad.lock"} == {path.name for path in place.state.iterdir()}


@pytest.mark.parametrize("arguments", [(), ("--once",)], ids=["daemon", "once"])
def test_a_newer_ledger_is_refused_untouched(
    place: Place, sound_ledger: bytes, arguments: Sequence[str]
) -> None:
    """A later release's ledger is not ours to change: exit code 1, and a sentence that says what to do."""
    place.state.mkdir(mode=0o700)
    ledger = place.state / "ledger.db"
    ledger.write_bytes(sound_ledger)
    with closing(sqlite3.connect(ledger)) as db:
        version: int = db.execute("PRAGMA user_version").fetchone()[0]
        db.execute(f"PRAGMA user_version = {version + 1}")
    newer = ledger.read_bytes()
    assert newer != sound_ledger
    with pytest.raises(Failed) as failed, place.running(*arguments):
        pass
    assert 1 == failed.value.code
    expected = f"{ledger} has schema version {version + 1}, this quotad understands up to {version}"
    assert expected in failed.value.stderr
    assert newer == ledger.read_bytes()
    assert {"ledger.db", "quotad.lock"} == {path.name for path in place.state.iterdir()}
