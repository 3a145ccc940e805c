"""Whether the file at the ledger's place is a ledger, and what happens to one that is not.

The transcripts are the truth for what they still hold, so a damaged ledger is no reason to stop: it is put
aside under a new name for whoever wants to look, and a new one is begun. A *newer* ledger is not damaged:
it belongs to a later release, and is refused untouched.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

from quotad.store.schema import APPLICATION_ID, SCHEMA_VERSION, shape, shape_of, version

QUICK_CHECK_BYTES_MAX = 8 * 2**20
"""A larger file is not read through at start: 12 MB took an eighth of it. What is damaged in it shows when it
is touched (see ``is_damage``)."""

COMPANIONS = ("-wal", "-shm")


class NewerLedger(Exception):  # noqa: N818 - the name says what was found, and it is nobody's error
    """The file was written by a later release; it was not touched."""

    def __init__(self, path: Path, found: int, supported: int) -> None:
        super().__init__(
            f"{path} has schema version {found}, this quotad understands up to {supported}:"
            " install the later quotad again, or move the file away"
        )
        self.path = path
        self.found = found
        self.supported = supported


def is_damage(error: sqlite3.DatabaseError) -> bool:
    """Whether SQLite says that the file itself is broken, and not the disk full, the file locked or so."""
    return _code(error) in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def _code(error: sqlite3.DatabaseError) -> int:
    # Extended codes bear the plain one in their lowest byte; an error of Python's own has none.
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF


def is_damaged(path: Path, *, checked_bytes_max: int = QUICK_CHECK_BYTES_MAX) -> bool:
    """Looks at the file without changing it; one that is not there, or empty, is sound.

    A file larger than ``checked_bytes_max`` is not read through. Raises NewerLedger; FileExistsError for
    what is no regular file; sqlite3.OperationalError when the file cannot be looked at now (locked,
    input/output error).
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(found.st_mode):
        raise FileExistsError(
            errno.EEXIST, "the ledger's place is taken by what is no regular file", str(path)
        )
    wal = _companion(path, "-wal")
    logged = wal.exists() and wal.stat().st_size > 0
    if not found.st_size:
        return logged  # SQLite would throw away the log of an emptied file
    # Without a log SQLite need not make one in order to look.
    options = "mode=ro" if logged else "mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?{options}", uri=True)) as db:
            return not (_is_ours(db, path) and (found.st_size > checked_bytes_max or _is_whole(db)))
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            return True
        raise


def _is_ours(db: sqlite3.Connection, path: Path) -> bool:
    number = version(db)
    application: tuple[int] = db.execute("PRAGMA application_id").fetchone()
    there = shape(db)
    if not there and number == 0:
        return True  # its maker was stopped before the first transaction
    if application[0] != APPLICATION_ID or number < 1:
        return False
    if number > SCHEMA_VERSION:
        raise NewerLedger(path, number, SCHEMA_VERSION)
    return shape_of(number) <= there


def _is_whole(db: sqlite3.Connection) -> bool:
    verdict: tuple[str] = db.execute("PRAGMA quick_check(1)").fetchone()
    return verdict[0] == "ok"


def put_aside(path: Path, stamp: str) -> Path:
    """Renames the file and its log to ``<name>.damaged-<stamp>``, never over an older one."""
    name = f"{path.name}.damaged-{stamp}"
    aside = next(free for free in _numbered(path.with_name(name)) if not free.exists())
    path.rename(aside)
    for suffix in COMPANIONS:
        if _companion(path, suffix).exists():
            _companion(path, suffix).rename(_companion(aside, suffix))
    return aside


def _numbered(path: Path) -> Iterator[Path]:
    yield path
    for number in count(2):
        yield path.with_name(f"{path.name}-{number}")


def _companion(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def create(path: Path) -> None:
    """Makes the file if there is none, for the user alone, and its name durable."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    directory = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
