"""Everything that the domain can want done: a closed union, carried out at the edges."""

from __future__ import annotations

from dataclasses import dataclass

from quotad.domain.instant import Instant
from quotad.domain.notice import Mark, Notice
from quotad.domain.policy import WindowSpec
from quotad.domain.queue import PlannedId, Run
from quotad.domain.usage import AccountId, SessionId


@dataclass(frozen=True, slots=True)
class Announce:
    """Remember the marks for good, then show the notice."""

    notice: Notice
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Changed:
    """The standing is another one: snapshots and subscribers want to know."""


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Submit ``Woke`` at this instant, or earlier."""

    at: Instant


@dataclass(frozen=True, slots=True)
class Recall:
    """Read back what the ledger on disk holds from ``since`` on."""

    account: AccountId
    since: Instant


@dataclass(frozen=True, slots=True)
class Anchor:
    """Find where the chains resume: follow them through the ledger on disk up to ``before``."""

    account: AccountId
    before: Instant
    windows: tuple[WindowSpec, ...]
    sessions: tuple[SessionId, ...]


@dataclass(frozen=True, slots=True)
class Rebook:
    """Their time has come, but the quota is not there: move them to the earliest time that has room."""

    ids: tuple[PlannedId, ...]


@dataclass(frozen=True, slots=True)
class KeepRuns:
    """The Claude Code sessions of these runs ended, or go on after all: remember it for good."""

    runs: tuple[Run, ...]


Effect = Announce | Changed | WakeAt | Recall | Anchor | Rebook | KeepRuns
