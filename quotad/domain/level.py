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


def level_of(percent: float) -> Level:
    """The level at ``percent`` used; each range includes its lower end."""
    for least, level in _FROM_PERCENT:
        if percent >= least:
            return level
    return Level.PLENTY
