"""The times that planned sessions were worked on: what each was thought to cost, and what it did."""

from __future__ import annotations

import sqlite3

from quotad.domain.instant import Instant
from quotad.domain.queue import Outcome, PlannedId, Run
from quotad.domain.usage import AccountId, SessionId
from quotad.store.names import account_id, account_key

_KEEP = """
    INSERT OR REPLACE INTO run (account, planned, session, started, estimate, spent_before, ended, actual,
                                outcome)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""

_FORGET = """
    DELETE FROM run WHERE account = (SELECT id FROM account WHERE name = ?) AND planned = ? AND session = ?
       AND started = ?"""

_RUNS = """
    SELECT planned, session, started, estimate, spent_before, ended, actual, outcome FROM run
     WHERE account = (SELECT id FROM account WHERE name = ?) ORDER BY started, planned, session"""


def keep_run(db: sqlite3.Connection, account: AccountId, run: Run) -> None:
    """Keeps a run in place of what was known of it; within a transaction.

    A Claude Code session may have several with one planned session, each started at another instant.
    """
    outcome = None if run.outcome is None else run.outcome.value
    columns = (run.started, run.estimate, run.spent_before, run.ended, run.actual, outcome)
    db.execute(_KEEP, (account_id(db, account), run.planned, run.session, *columns))


def forget_run(db: sqlite3.Connection, account: AccountId, run: Run) -> None:
    """Drops a run as if it had never been; within a transaction."""
    db.execute(_FORGET, (account_key(account), run.planned, run.session, run.started))


def runs_of(db: sqlite3.Connection, account: AccountId) -> list[Run]:
    """All of an account's runs, in the order in which they were started."""
    return [_run(*row) for row in db.execute(_RUNS, (account_key(account),))]


def _run(  # noqa: PLR0913, PLR0917 - the columns of a row
    planned: str,
    session: str,
    started: Instant,
    estimate: int,
    spent_before: int,
    ended: Instant | None,
    actual: int | None,
    outcome: str | None,
) -> Run:
    how = None if outcome is None else Outcome(outcome)
    return Run(PlannedId(planned), SessionId(session), started, estimate, spent_before, ended, actual, how)
