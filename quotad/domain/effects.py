"""Everything that the domain can want done: a closed union, carried out at the edges."""

from __future__ import annotations

from msgspec import Struct

from quotad.domain.instant import Instant
from quotad.domain.notice import Mark, Notice
from quotad.domain.policy import WindowSpec
from quotad.domain.queue import PlannedId, Run
from quotad.domain.usage import AccountId, SessionId


class Announce(Struct, frozen=True):
    """Remember the marks for good, then show the notice."""

    notice: Notice
    marks: tuple[Mark, ...]


class Changed(Struct, frozen=True):
    """The standing is another one: snapshots and subscribers want to know."""


class WakeAt(Struct, frozen=True):
    """Submit ``Woke`` at this instant, or earlier."""

    at: Instant


class Recall(Struct, frozen=True):
    """Read back what the ledger on disk holds from ``since`` on."""

    account: AccountId
    since: Instant


class Anchor(Struct, frozen=True):
    """Find where the chains resume: follow them through the ledger on disk up to ``before``."""

    account: AccountId
    before: Instant
    windows: tuple[WindowSpec, ...]
    sessions: tuple[SessionId, ...]


class Rebook(Struct, frozen=True):
    """Their time has come, but the quota is not there: move them to the earliest time that has room."""

    ids: tuple[PlannedId, ...]


class KeepRuns(Struct, frozen=True):
    """The Claude Code sessions of these runs ended, or go on after all: remember it for good."""

    runs: tuple[Run, ...]


Effect = Announce | Changed | WakeAt | Recall | Anchor | Rebook | KeepRuns
