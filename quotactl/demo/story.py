"""The made-up day that ``quotactl demo`` plays: pure, and the same each time.

Minutes count from its beginning. Two sessions fill a five-hour window beyond its last threshold, it resets,
and the next one opens; three days before make the seven-day window worth looking at.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from quotad import wire

MINUTES = 350
"""The length of the day that is played."""

_MINUTE = 60_000
_DAYS_BEFORE_MINUTES = 3 * 24 * 60
_STEP_MINUTES = 3.0
_SEED = 5

SETTINGS = """\
plan = "pro"
thresholds = [50, 75, 90, 95]

[[windows]]
name = "seven_day"
hours = 168
limit = 1_000_000

[notify]
desktop = false
on_reset = true
"""


class Work(NamedTuple):
    """A session: where it runs, and how many tokens it has spent by which minute (straight in between)."""

    session: str
    directory: str
    spent: Sequence[tuple[float, float]]


class Scene(NamedTuple):
    """One moment of the story: an API call, or with no tokens only a word to the audience."""

    minute: float
    session: str
    directory: str
    tokens: int
    title: str = ""


SHOP = "5f0c1d2e-0000-4000-8000-0000000000a1"
DOCS = "5f0c1d2e-0000-4000-8000-0000000000b2"

_DAY = (
    Work(
        SHOP,
        "src/shop-api",
        (
            (2, 900),
            (60, 38_000),
            (110, 78_000),
            (170, 120_000),
            (215, 152_000),
            (250, 168_000),
            (298, 173_000),
        ),
    ),
    Work(DOCS, "src/docs-site", ((40, 600), (110, 20_000), (160, 24_000))),
    Work(SHOP, "src/shop-api", ((322, 900), (349, 21_000))),
)

_BEFORE = (
    Work("5f0c1d2e-0000-4000-8000-0000000000c3", "src/shop-api", ((-4200, 500), (-4000, 150_000))),
    Work("5f0c1d2e-0000-4000-8000-0000000000d4", "src/infra", ((-2800, 500), (-2650, 110_000))),
    Work("5f0c1d2e-0000-4000-8000-0000000000e5", "src/docs-site", ((-1400, 500), (-1300, 110_000))),
)


_TITLES = (
    Scene(2, "", "", 0, "a session opens a five-hour window"),
    Scene(40, "", "", 0, "a second session joins in"),
    Scene(116, "", "", 0, "half of it is gone: medium tasks from here on"),
    Scene(150, "", "", 0, "at this pace it will not last until the reset"),
    Scene(178, "", "", 0, "three quarters are gone: small tasks now"),
    Scene(226, "", "", 0, "the last tenth: time to wrap up"),
    Scene(252, "", "", 0, "waiting for the reset, with a call now and then"),
    Scene(302.5, "", "", 0, "the reset: all of it is back, and no window is running"),
    Scene(322, "", "", 0, "the next call opens the next window"),
    Scene(MINUTES, "", "", 0, "the end of the day"),
)


def day() -> list[Scene]:
    """What happens in the day that is played, in order."""
    return sorted([*_calls(_DAY), *_TITLES])


def before() -> list[Scene]:
    """What happened in the three days before."""
    return _calls(_BEFORE)


def _calls(works: Sequence[Work]) -> list[Scene]:
    chance = random.Random(_SEED)  # noqa: S311 - a story, no secret
    return sorted(call for work in works for call in _of(work, chance))


def _of(work: Work, chance: random.Random) -> Iterator[Scene]:
    minute, done = work.spent[0]
    yield Scene(minute, work.session, work.directory, int(done))
    while minute < work.spent[-1][0]:
        minute = min(work.spent[-1][0], minute + _STEP_MINUTES * chance.uniform(0.6, 1.4))
        total = _spent_by(work.spent, minute)
        if int(total) > int(done):
            yield Scene(minute, work.session, work.directory, int(total) - int(done))
        done = total


def _spent_by(points: Sequence[tuple[float, float]], minute: float) -> float:
    for (start, low), (end, high) in pairwise(points):
        if minute <= end:
            return low + (high - low) * (minute - start) / (end - start)
    return points[-1][1]


def transcript_line(call: Scene, at: int, home: str) -> bytes:
    """The call as Claude Code writes one into a transcript (the shape of version 2.1.270)."""
    # Every call of the story has a minute of its own, to the second.
    number = round((call.minute + _DAYS_BEFORE_MINUTES) * 60)
    output, fresh = call.tokens // 4, call.tokens // 50
    usage: Mapping[str, int] = {
        "input_tokens": fresh,
        "cache_creation_input_tokens": call.tokens - output - fresh,
        "cache_read_input_tokens": 20 * call.tokens,
        "output_tokens": output,
    }
    line = {
        "parentUuid": None,
        "isSidechain": False,
        "type": "assistant",
        "uuid": f"00000000-0000-4000-8{call.session[-2:]}0-{number:012}",
        "timestamp": wire.iso(at),
        "userType": "external",
        "cwd": f"{home}/{call.directory}",
        "sessionId": call.session,
        "version": "2.1.270",
        "message": {
            "model": "claude-opus-5",
            "id": f"msg_{call.session[-2:]}_{number}",
            "type": "message",
            "role": "assistant",
            "content": [{"type": "text", "text": ""}],
            "stop_reason": "end_turn",
            "usage": usage,
        },
        "requestId": f"req_{call.session[-2:]}_{number}",
    }
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"


def transcript_name(call: Scene) -> str:
    """Where the call's transcript lies under ``projects``."""
    return f"-{call.directory.replace('/', '-')}/{call.session}.jsonl"


def instant_of(minute: float, beginning: int) -> int:
    """The instant of a minute of the story that began at ``beginning``."""
    return beginning + round(minute * _MINUTE)
