"""The settings as the rest of the daemon sees them: frozen, complete, with no trace of how they were read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeAlias

from msgspec import Struct, field

from quotad.domain.policy import ESTIMATES, THRESHOLDS, Weights
from quotad.settings.hours import Span, WorkingHours

Plan: TypeAlias = Literal["free", "pro", "team"]

Source: TypeAlias = Literal["default", "file"]


class ExtraWindow(Struct, frozen=True):
    """A further kind of quota window beside the five hours; ``limit`` in tokens, None if not known."""

    name: str
    hours: float
    limit: int | None = None


class Notify(Struct, frozen=True):
    """How notices reach the user; ``command`` is empty if there is none, ``quiet`` is local time."""

    desktop: bool = True
    command: tuple[str, ...] = ()
    on_reset: bool = False
    quiet: tuple[Span, ...] = ()


class Settings(Struct, frozen=True):
    """Every decision of the user's, and what holds where nothing was decided."""

    file: Path
    """Where the settings are read from, whether there is a file or not."""
    roots: tuple[Path, ...]
    """Claude Code's directories, one an account; the first is the one of the environment."""
    session_logs: tuple[Path, ...]
    plan: Plan = "pro"
    limit: int | None = None
    """Tokens per five hours; None: the plan's."""
    thresholds: tuple[float, ...] = THRESHOLDS
    weights: Weights = field(default_factory=Weights)
    family_weights: Mapping[str, Weights] = field(default_factory=dict)
    """By model family; complete: what a family's table leaves out is taken from ``weights``."""
    estimates: Mapping[str, int] = field(default_factory=lambda: ESTIMATES)
    """By tool; complete: the file's over the known ones."""
    windows: tuple[ExtraWindow, ...] = ()
    notify: Notify = Notify()
    working_hours: tuple[WorkingHours, ...] = ()
    """Local time; empty: always."""
    retention_days: int | None = None
    """None: for ever."""
    from_file: frozenset[str] = frozenset()
    """The keys that the file sets, dotted: ``notify.quiet``, ``weights.opus.input``, ``estimates.Edit``."""

    def source(self, key: str) -> Source:
        """Where the value of a dotted key comes from."""
        return "file" if key in self.from_file else "default"
