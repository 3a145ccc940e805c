"""How worried to be at which percentage."""

from __future__ import annotations

import pytest

from quotad.domain.level import ADVICE, USED_UP, Level, advice_of, level_of


@pytest.mark.parametrize(
    ("percent", "expected"),
    [
        (0.0, Level.PLENTY),
        (49.99, Level.PLENTY),
        (50.0, Level.MODERATE),
        (75.0, Level.WARNING),
        (90.0, Level.DANGER),
        (94.99, Level.DANGER),
        (95.0, Level.CRITICAL),
        (370.0, Level.CRITICAL),
    ],
)
def test_each_level_includes_its_lower_end(percent: float, expected: Level) -> None:
    """PLENTY [0,50), MODERATE [50,75), WARNING [75,90), DANGER [90,95), CRITICAL [95,...)."""
    assert expected == level_of(percent)


def test_every_level_says_what_to_do() -> None:
    """No level is without advice."""
    assert set(Level) == set(ADVICE)


def test_what_is_used_up_is_said_to_be() -> None:
    """Nobody is told that the limit is close when it is behind them."""
    assert (ADVICE[Level.CRITICAL], USED_UP) == (advice_of(99.9), advice_of(100.0))
