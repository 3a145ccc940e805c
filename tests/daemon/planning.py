"""Short ways to ask a real daemon about planned sessions, and to look at what it wrote."""

from __future__ import annotations

import json
from typing import Any

from tests.daemon.process import Place, Quotad, Refused

Answer = Any
"""A reply as it stands: what is in it is what the tests are about."""


def ask(quotad: Quotad, method: str, **params: object) -> Answer:
    """The result of a request; raises ``Refused``."""
    return quotad.request(method, params)


def add(quotad: Quotad, which: str, **params: object) -> Answer:
    """A new session of 10,000 tokens, if nothing else is said."""
    return ask(quotad, "queue.add", **{"id": which, "tokens": 10_000, **params})


def queue_file(place: Place) -> Answer:
    """What the queue's file says."""
    return json.loads((place.claude / "session-queue.json").read_text())


def write(place: Place, document: Answer) -> None:
    """Somebody else writes the queue's file: beside it, then in its place."""
    swap = place.claude / "mine.json"
    swap.write_text(json.dumps(document))
    swap.replace(place.claude / "session-queue.json")


def edit(place: Place, **changes: object) -> None:
    """Somebody changes fields of the first session by hand."""
    document = queue_file(place)
    document["sessions"][0].update(changes)
    write(place, document)


def refused(quotad: Quotad, method: str, **params: object) -> str:
    """The code of the refusal that the request is answered with."""
    try:
        ask(quotad, method, **params)
    except Refused as told:
        return told.error["data"]["code"]
    raise AssertionError(f"{method} was not refused")


def sessions(place: Place) -> dict[str, str]:
    """Every session's status, by its id, as the file says."""
    return {one["id"]: one["status"] for one in queue_file(place)["sessions"]}
