"""What the user decided: plan, weights, thresholds, windows. Validated at the edge, plain values here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct, field

from quotad.domain.instant import HOUR, Millis
from quotad.domain.usage import Tokens, family

FIVE_HOUR = "five_hour"
SEVEN_DAY = "seven_day"

PLAN_LIMITS = {"free": 50_000, "pro": 200_000, "team": 500_000}
"""Tokens per five hours. Labels until calibrated: the provider publishes no token limits."""

THRESHOLDS = (50.0, 75.0, 90.0, 95.0)
"""Per cent of a window at which it is announced."""

ESTIMATES: Mapping[str, int] = MappingProxyType(
    {
        "Edit": 1500,
        "Write": 1200,
        "Read": 800,
        "Task": 2000,
        "WebFetch": 1000,
        "Grep": 500,
        "Glob": 400,
        "Bash": 300,
    }
)
"""Tokens that one use of a tool is taken to cost while nothing better is known."""
ESTIMATE_OTHERWISE = 500


class Weights(Struct, frozen=True):
    """What a token of each kind costs; the default counts new tokens, the unit of the estimates."""

    input: float = 1.0
    output: float = 1.0
    cache_write: float = 1.0
    cache_read: float = 0.0

    def spent(self, tokens: Tokens) -> float:
        return (
            self.input * tokens.input
            + self.output * tokens.output
            + self.cache_write * tokens.cache_write
            + self.cache_read * tokens.cache_read
        )


class WindowSpec(Struct, frozen=True):
    """A kind of quota window: its name, its length, and its limit in tokens if one is known."""

    name: str
    length: Millis
    limit: int | None

    @property
    def scope(self) -> str | None:
        """The model family that a name such as ``seven_day_opus`` is about; None is every model."""
        scoped = self.name.removeprefix(SEVEN_DAY + "_")
        return scoped if scoped != self.name else None


class Policy(Struct, frozen=True):
    """Every decision of the user's that the domain needs."""

    plan: str = "pro"
    windows: tuple[WindowSpec, ...] = (WindowSpec(FIVE_HOUR, 5 * HOUR, PLAN_LIMITS["pro"]),)
    thresholds: tuple[float, ...] = THRESHOLDS
    weights: Weights = Weights()
    family_weights: Mapping[str, Weights] = field(default_factory=dict)
    estimates: Mapping[str, int] = field(default_factory=lambda: ESTIMATES)
    notice_on_reset: bool = False

    def weights_of(self, model: str) -> Weights:
        return self.family_weights.get(family(model), self.weights)

    def estimate(self, tool: str) -> int:
        """Tokens that one use of ``tool`` is taken to cost."""
        return self.estimates.get(tool, ESTIMATE_OTHERWISE)

    @property
    def plan_window(self) -> WindowSpec:
        """The five-hour window as the plan alone would have it."""
        return WindowSpec(FIVE_HOUR, 5 * HOUR, PLAN_LIMITS[self.plan])


def quota_words(name: str) -> str:
    """A window's name as people say it: ``5-hour quota``, ``weekly quota``, ``weekly Opus quota``."""
    for window, words in ((FIVE_HOUR, "5-hour"), (SEVEN_DAY, "weekly")):
        if name == window:
            return f"{words} quota"
        if name.startswith(f"{window}_"):
            return f"{words} {_spaced(name.removeprefix(f'{window}_')).capitalize()} quota"
    return f"{_spaced(name).removesuffix(' quota')} quota"


def _spaced(name: str) -> str:
    return name.replace("_", " ")
