"""A process that writes the queue file until it is killed, and says what it was told to be durable.

Run as ``python torture.py FILE SEED``: prints ``ready``, then each change once ``write`` has returned.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from pathlib import Path

from msgspec.structs import replace

from quotad.domain.queue import Planned, PlannedId, Queue
from quotad.planning.queue_file import QueueFile

NOW = 1_795_341_600_000


async def main(path: Path, seed: int) -> None:
    """Add, edit and remove sessions for ever; every change bears a number that only rises."""
    chance = random.Random(seed)
    file = QueueFile(path)
    number = max((each.tokens for each in file.latest().queue.sessions), default=0)
    os.write(1, b"ready\n")
    while True:
        number += 1
        sessions = list(file.latest().queue.sessions)
        place = chance.randrange(len(sessions)) if sessions else 0
        # What is added, edited and removed is seen in the file by its number of tokens.
        if len(sessions) > 20:
            gone = sessions.pop(place)
            said = f"gone {gone.id}"
        elif sessions and chance.random() < 0.5:
            sessions[place] = replace(sessions[place], tokens=number)
            said = f"is {sessions[place].id} {number}"
        else:
            sessions.append(Planned(PlannedId(f"s{number}"), number, notes="ü" * chance.randrange(3000)))
            said = f"is s{number} {number}"
        os.write(1, f"try {said}\n".encode())
        await file.write(Queue(tuple(sessions)), NOW)
        os.write(1, f"did {said}\n".encode())


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
