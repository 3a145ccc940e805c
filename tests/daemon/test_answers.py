"""No answer of the real process is older than its question, and asking costs it nothing that stays."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Semaphore
from typing import cast

from quotad import wire
from tests.daemon.process import Place, Quotad
from tests.daemon.raw import line_to
from tests.daemon.work import spend, transcript

WRITES = 200
CLIENTS = 20
CROWD = 200
ANSWERS = 25
REQUESTS = 5_000
GROWTH_KB_MAX = 3_000
POOL = (os.cpu_count() or 1) + 4
"""Threads that asyncio keeps for files."""


def test_every_line_is_in_the_next_answer(place: Place) -> None:
    """Two hundred times: a line is appended, to a known file or to a new one, and the answer has it."""
    with place.running() as quotad:
        for number in range(1, WRITES + 1):
            spend(place, 1, session=f"s-{number % 7}")
            assert number == quotad.window()["spent"]


def test_a_directory_that_is_new_is_in_the_next_answer(place: Place) -> None:
    """Also when it appears with everything in it, three levels deep, between two questions."""
    with place.running() as quotad:
        for number in range(1, 21):
            new = place.projects / f"-p-{number}" / f"s-{number}" / "subagents" / "agent-a1.jsonl"
            spend(place, 1, path=new)
            assert number == quotad.window()["spent"]


def test_every_answer_lies_between_what_was_written_before_and_after(place: Place) -> None:
    """Twenty clients ask while lines are appended: none hears too little, or of what was never written."""
    written = Written()
    turns = Semaphore(0)

    def ask(quotad: Quotad) -> list[tuple[int, int, int]]:
        found = []
        with quotad.connect() as client:
            for _ in range(ANSWERS):
                before = written.finished
                spent = client.status()["windows"][0]["spent"]
                found.append((before, spent, written.begun))
                turns.release()
        return found

    with ThreadPoolExecutor(CLIENTS) as clients, place.running() as quotad:
        asking = [clients.submit(ask, quotad) for _ in range(CLIENTS)]
        for _ in range(CLIENTS * ANSWERS):
            turns.acquire()
            written.begun += 7
            spend(place, 7)
            written.finished += 7
        answers = [answer for asked in asking for answer in asked.result()]
        assert written.finished == quotad.window()["spent"]
    assert len({spent for _, spent, _ in answers}) > ANSWERS
    assert [] == [answer for answer in answers if not answer[0] <= answer[1] <= answer[2]]


def test_a_crowd_that_asks_at_once_is_answered(place: Place) -> None:
    """Two hundred connect, and then all ask: each answer has what was written before and bears its number."""
    with place.running() as quotad, ExitStack() as connections:
        crowd = [connections.enter_context(line_to(place)) for _ in range(CROWD)]
        spend(place, 7)
        for number, line in enumerate(crowd):
            line.say(wire.request("status", {}, number))
        replies = [line.hear() for line in crowd]
        assert 7 == quotad.window()["spent"]
    statuses = [cast("wire.StatusReply", reply["result"]) for reply in replies]
    assert [*range(CROWD)] == [reply["id"] for reply in replies]
    assert {7} == {status["windows"][0]["spent"] for status in statuses}


@dataclass
class Written:
    """Tokens of all lines that were begun, and of all that have been written."""

    begun: int = 0
    finished: int = 0


def test_what_goes_into_history_is_there_as_soon(place: Place) -> None:
    """``history`` has the line that was appended right before it was asked for."""
    with place.running() as quotad:
        for number in range(1, 51):
            spend(place, 1)
            assert number == sum(row["spent"] for row in quotad.history("model"))


def test_thousands_of_questions_leave_nothing_behind(place: Place) -> None:
    """Memory stays within a few megabytes, descriptors are as many as before, threads within their pools."""
    spend(place, 10)
    with place.running() as quotad, line_to(place) as line:
        request = wire.request("status", {}, 1)

        def ask(times: int) -> None:
            for _ in range(times // 50):
                line.say(request * 50)
                assert all("result" in line.hear() for _ in range(50))
            for _ in range(times // 50):
                with quotad.connect() as client:
                    client.history(wire.HistoryParams())

        ask(REQUESTS // 5)
        before = held(quotad)
        ask(REQUESTS)
        after = held(quotad)
    assert after[0] - before[0] <= GROWTH_KB_MAX
    assert after[1] <= before[1] + 1
    assert after[2] - before[2] < POOL


def held(quotad: Quotad) -> tuple[int, int, int]:
    """Resident memory in kB, descriptors, and threads."""
    process = Path(f"/proc/{quotad.pid}")
    status = dict(re.findall(r"^(\w+):\s+(\d+)", (process / "status").read_text(), re.MULTILINE))
    return int(status["VmRSS"]), len(list((process / "fd").iterdir())), int(status["Threads"])


def test_a_line_without_its_end_is_not_counted_yet(place: Place) -> None:
    """Its first half is in no answer, its second half makes it one."""
    spend(place, 7)
    path = transcript(place)
    line = path.read_bytes()
    with place.running() as quotad:
        assert 7 == quotad.window()["spent"]
        other = line.replace(b'"id": "msg', b'"id": "another msg')
        with path.open("ab", buffering=0) as file:
            file.write(other[:100])
            assert 7 == quotad.window()["spent"]
            file.write(other[100:])
            assert 14 == quotad.window()["spent"]
