"""How worried to be, and what to do about it."""

from __future__ import annotations

from enum import StrEnum


class Level(StrEnum):
    """The five levels of a quota window, by the percentage that is used."""

    PLENTY = "plenty"
    MODERATE = "moderate"
    WARNING = "warning"
    DANGER = "danger"
    CRITICAL = "critical"


FULL = 100.0

_FROM_PERCENT = (
    (95.0, Level.CRITICAL),
    (90.0, Level.DANGER),
    (75.0, Level.WARNING),
    (50.0, Level.MODERATE),
)

ADVICE = {
    Level.PLENTY: "Any task fits.",
    Level.MODERATE: "Take medium tasks, 30-60k tokens.",
    Level.WARNING: "Take small tasks, under 30k tokens.",
    Level.DANGER: "Wrap up what is open; start nothing new.",
    Level.CRITICAL: "Save your work now; the limit is close.",
}


USED_UP = "The quota is used up; wait for the reset."


def advice_of(percent: float) -> str:
    """What to do at ``percent`` used."""
    return USED_UP if percent >= FULL else ADVICE[level_of(percent)]


def level_of(percent: float) -> Level:
    """The level at ``percent`` used; each range includes its lower end."""
    for least, level in _FROM_PERCENT:
        if percent >= least:
            return level
    return Level.PLENTY
