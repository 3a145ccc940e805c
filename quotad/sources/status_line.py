"""What Claude Code hands to a status line: JSON text, and in it what the provider says of the quota.

``rate_limits.five_hour`` and ``seven_day`` bear ``used_percentage`` (0-100) and ``resets_at`` (epoch
seconds), since 2.1.80 and only for subscribers. Each is absent until the session's first answer, and may be
absent for ever (anthropics/claude-code#63659). Other places state the same in other scales (the cached
response 0-100 with ISO times, headers and the SDK 0-1 with epoch seconds): those have names of their own, and
are never guessed by value.
"""

from __future__ import annotations

import json
import math
import re
from typing import NamedTuple

from quotad.domain.instant import SECOND, Instant
from quotad.domain.policy import FIVE_HOUR, SEVEN_DAY
from quotad.domain.reading import OVER, Reading, ReadingSource, unfit
from quotad.domain.usage import SessionId

NUMBER_MAX = 1e15
"""Seconds or per cent beyond this are nonsense, and no milliseconds are made of them."""
SESSION_ID_CHARACTERS_MAX = 128
"""A session's id is a UUID; what is longer, or bears other signs than ids do, is none."""

QUOTED_CHARACTERS_MAX = 40
"""Of a value that is refused so much is shown."""

_SESSION_ID = re.compile(rf"[\w.:-]{{1,{SESSION_ID_CHARACTERS_MAX}}}", re.ASCII)
_WINDOW = re.compile(rf"{FIVE_HOUR}|{SEVEN_DAY}(?:_[a-z0-9_]{{1,40}})?")


class StatusLine(NamedTuple):
    """One status line's text, decoded.

    ``session`` is empty when the text names none. ``refused`` says of each value that was there and is no
    reading which and why; a value that is absent is no fault. ``root`` is the ``CLAUDE_CONFIG_DIR`` in which
    the session's transcript lies, empty when that cannot be told.
    """

    session: SessionId
    readings: tuple[Reading, ...]
    refused: tuple[str, ...]
    root: str = ""


def decode(text: str, received_at: Instant) -> StatusLine:
    """What ``text``, received at ``received_at``, says; never raises."""
    try:
        document: object = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return StatusLine(SessionId(""), (), ("the text is not JSON",))
    if not isinstance(document, dict):
        return StatusLine(SessionId(""), (), ("the text is no JSON object",))
    session = _session(document.get("session_id"))
    limits: object = document.get("rate_limits")
    readings: list[Reading] = []
    refused: list[str] = []
    if isinstance(limits, dict):
        for name, value in limits.items():
            # Others, such as `spend_limit`, are about money and not about a window of use.
            if value is None or not _WINDOW.fullmatch(name):
                continue
            found = _reading(name, value, received_at, session)
            if isinstance(found, Reading):
                readings.append(found)
            else:
                refused.append(found)
    elif limits is not None:
        refused.append(f"rate_limits: must be an object, is {quoted(limits)}")
    return StatusLine(session, tuple(readings), tuple(refused), _root(document.get("transcript_path")))


def _reading(name: str, value: object, received_at: Instant, session: SessionId) -> Reading | str:
    """The reading of one window, or why there is none."""
    if not isinstance(value, dict):
        return f"{name}: must be an object, is {quoted(value)}"
    percent, resets = _number(value.get("used_percentage")), _number(value.get("resets_at"))
    if percent is None:
        return f"{name}.used_percentage: must be a number, is {quoted(value.get('used_percentage'))}"
    if resets is None:
        return f"{name}.resets_at: must be epoch seconds, is {quoted(value.get('resets_at'))}"
    reading = Reading(
        name, percent + 0.0, int(resets * SECOND), received_at, ReadingSource.STATUS_LINE, session
    )
    reason = unfit(reading)
    if reason is None:
        return reading
    if reason.startswith("reset") and reason != OVER:
        reason += f", is {quoted(value.get('resets_at'))}"
    return f"{name}.{reason}"


def quoted(value: object) -> str:
    """A value as it stood there, if it is short."""
    text = json.dumps(value)
    return text if len(text) <= QUOTED_CHARACTERS_MAX else f"{text[:QUOTED_CHARACTERS_MAX]}..."


def _number(value: object) -> float | None:
    """A finite number that a date or a percentage may be; JSON's booleans are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if math.isfinite(value) and abs(value) < NUMBER_MAX else None


def _session(value: object) -> SessionId:
    return SessionId(value if isinstance(value, str) and _SESSION_ID.fullmatch(value) else "")


def _root(transcript: object) -> str:
    """``<root>/projects/<slug>/<session>.jsonl`` lies in ``<root>``."""
    if not isinstance(transcript, str):
        return ""
    root, projects, _ = transcript.rpartition("/projects/")
    return root if projects else ""
