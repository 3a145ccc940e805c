"""The daemon is killed while the queue is changed by many: what was acknowledged is in the file, whole."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from threading import Timer

import pytest

from tests.daemon.planning import Answer, add, ask, queue_file, sessions, write
from tests.daemon.process import Place, Quotad, Refused, wait_until
from tests.daemon.work import spend

ROUNDS = 5
CLIENTS = 4
LONGEST_SECONDS = 0.4
"""A daemon is killed at some instant within so long of its first change."""
CHANGES = ("done", "edit", "schedule", "remove")


class Acknowledged:
    """What each session must be, as far as the daemon has said ``ok``; of those in work, perhaps."""

    def __init__(self) -> None:
        self.tokens: dict[str, int] = {}
        self.status: dict[str, str] = {}
        self.uncertain: set[str] = set()


@contextmanager
def until_killed(quotad: Quotad, seconds: float) -> Iterator[None]:
    """SIGKILL comes after so long."""
    timer = Timer(seconds, quotad.kill)
    timer.start()
    try:
        yield
    finally:
        timer.join()


def change_on_and_on(quotad: Quotad, chance: random.Random, names: count[int], known: Acknowledged) -> None:
    """Adds sessions and changes each once, until nobody answers."""
    while True:
        which = f"s-{next(names)}"
        known.uncertain.add(which)
        try:
            add(quotad, which, tokens=1_000)
            known.tokens[which], known.status[which] = 1_000, "ready"
            known.uncertain.discard(which)
            doing = chance.choice((*CHANGES, None))
            if doing is None:
                continue
            known.uncertain.add(which)
            change(quotad, which, doing, known)
            known.uncertain.discard(which)
        except (OSError, ValueError):
            return


def change(quotad: Quotad, which: str, doing: str, known: Acknowledged) -> None:
    """One more change of a session that was added."""
    match doing:
        case "done":
            ask(quotad, "queue.done", id=which)
            known.status[which] = "complete"
        case "edit":
            ask(quotad, "queue.edit", id=which, tokens=2_000)
            known.tokens[which] = 2_000
        case "schedule":
            ask(quotad, "schedule", id=which, at="2030-01-01T00:00:00Z")
            known.status[which] = "scheduled"
        case _:
            ask(quotad, "queue.remove", id=which)
            del known.tokens[which], known.status[which]


@pytest.mark.parametrize("seed", range(2))
def test_every_acknowledged_change_outlives_sigkill(place: Place, seed: int) -> None:
    """Four clients change the queue while the daemon is killed again and again."""
    chance = random.Random(seed)
    known, names = Acknowledged(), count()
    for _ in range(ROUNDS):
        with (
            place.running() as quotad,
            until_killed(quotad, chance.uniform(0.01, LONGEST_SECONDS)),
            ThreadPoolExecutor(CLIENTS) as clients,
        ):
            for _ in range(CLIENTS):
                clients.submit(change_on_and_on, quotad, random.Random(chance.random()), names, known)
        if not known.tokens:
            continue
        check(known, {one["id"]: one for one in queue_file(place)["sessions"]})
    assert len(known.tokens) > ROUNDS
    with place.running() as quotad:
        listed = ask(quotad, "queue.list")["sessions"]
        assert queue_file(place)["sessions"] == listed
        events = {one["id"]: one for one in ask(quotad, "calendar.list")["events"]}
        for one in listed:
            confirmed = one["id"] in events and events[one["id"]]["status"] == "CONFIRMED"
            assert (one["status"] == "scheduled") == confirmed


def check(known: Acknowledged, found: dict[str, Answer]) -> None:
    """Everything that is certain is as it was said to be; what was in work is not looked at."""
    for which, tokens in known.tokens.items():
        if which not in known.uncertain:
            one = found[which]
            assert (tokens, known.status[which]) == (one["estimatedTokens"], one["status"])
    assert set(found) <= set(known.tokens) | known.uncertain


def test_many_who_start_at_once_share_what_is_left(place: Place) -> None:
    """Of twelve who want 60,000 of 200,000 tokens at once three start; the others are booked."""
    with place.running() as quotad, ThreadPoolExecutor(12) as clients:
        spend(place, 1)
        for number in range(12):
            add(quotad, f"s-{number}", tokens=60_000)
        asked = [
            clients.submit(ask, quotad, "start", claude_session=f"c-{number}", id=f"s-{number}")
            for number in range(12)
        ]
        actions = sorted(one.result()["action"] for one in asked)
        assert ["schedule"] * 9 + ["start"] * 3 == actions
        assert 3 == sum(status == "in_progress" for status in sessions(place).values())


def test_many_who_want_the_best_at_once_never_get_the_same(place: Place) -> None:
    """Nobody names a session: each start claims another one, as long as there is room."""
    with place.running() as quotad, ThreadPoolExecutor(6) as clients:
        for number in range(6):
            add(quotad, f"s-{number}", tokens=60_000)
        asked = [
            clients.submit(ask, quotad, "start", claude_session=f"c-{number}", only_if_it_fits=True)
            for number in range(6)
        ]
        started = []
        for one in asked:
            try:
                started.append(one.result()["session"]["id"])
            except Refused as refused:
                assert "does-not-fit" == refused.error["data"]["code"]  # noqa: PT017 - who is refused is the point
        assert 3 == len(started) == len(set(started))


def test_edits_by_hand_and_by_request_at_once_are_both_kept(place: Place) -> None:
    """Somebody edits the file while requests come in; no session and no field of anybody is lost."""
    with place.running() as quotad:
        add(quotad, "hand")
        for number in range(30):
            document = queue_file(place)
            document["sessions"][0]["notes"] = f"note {number}"
            document["mine"] = number
            write(place, document)
            add(quotad, f"s-{number}")
        document = queue_file(place)
        assert (31, 29, "note 29") == (
            len(document["sessions"]),
            document["mine"],
            document["sessions"][0]["notes"],
        )
        wait_until(lambda: 31 == len(ask(quotad, "queue.list")["sessions"]))
