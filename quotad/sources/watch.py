"""Hints that something changed, from the operating system; the scans find what they miss.

A watcher loses events when queues overflow, finds no room where others used up the machine's watches, and
may go silent for ever when its directory is deleted and made again (FAULTS 0.1). So it is only ever a reason
to look sooner: it is armed again when a root is not the directory it was, and its failure is a value, not an
end. Linux is asked directly; elsewhere watchfiles knows how.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import NamedTuple, Protocol, TypeAlias

if sys.platform == "linux":
    from quotad.sources.inotify import armed as usual
else:
    from quotad.sources.portable_watch import armed as usual

TICK_MS = 5_000
"""So often the roots are compared with those that are watched, whether anything happens or not."""
LEISURE_SECONDS = 0.2
"""Changes may be told so much later while nobody is in a hurry; snapshots still follow within a second."""

REARM_SECONDS = 2.0
"""A missing root is looked for, and a root that is not the same any more armed, after so long."""
RETRY_SECONDS = 60.0
"""A watcher that failed is tried again after so long."""

_Identity: TypeAlias = tuple[int, int]


class WatchUnavailable(NamedTuple):
    """Nothing is watched for now, and why; given once for each reason."""

    reason: str


Hint: TypeAlias = frozenset[Path] | WatchUnavailable
"""Files and directories that may have changed, or that nobody watches them.

A root among them says that anything below may have: the watching of it has only begun, or begun again.
"""


class Armed(Protocol):
    """One way to watch: it ends when it is not certain any more what is watched."""

    def __call__(
        self, roots: Sequence[Path], files: Sequence[Path], leisure: Callable[[], float], tick_ms: int
    ) -> AsyncGenerator[frozenset[Path], None]:
        """Give nothing once they are watched, then what changes, and nothing at each tick.

        ``leisure``: so many seconds longer changes may be gathered; it may be called from another thread.
        """


async def hints(  # noqa: PLR0913 - what to watch, how, and for whom
    roots: Sequence[Path],
    files: Sequence[Path],
    sleep: Callable[[float], Awaitable[None]],
    *,
    hurried: Callable[[], bool],
    tick_ms: int = TICK_MS,
    armed: Armed = usual,
) -> AsyncGenerator[Hint, None]:
    """Give what may have changed below ``roots`` and of ``files``, until it is closed.

    The first set after arming, and after arming again, holds the roots: what happened before was not seen.
    It also ends the trouble that ``WatchUnavailable`` told of. ``sleep`` takes seconds. ``hurried`` says
    whether somebody waits for changes; it may be called from another thread.
    """

    def leisure() -> float:
        return 0.0 if hurried() else LEISURE_SECONDS

    places = dict.fromkeys((*roots, *(path.parent for path in files)))
    trouble = ""
    while True:
        pause = REARM_SECONDS
        watched = _identities(places)
        unseen = frozenset(watched)
        try:
            if watched:
                present = [root for root in roots if root in watched]
                reachable = [path for path in files if path.parent in watched]
                async with aclosing(armed(present, reachable, leisure, tick_ms)) as batches:
                    async for paths in batches:
                        trouble = ""
                        if unseen or paths:
                            yield unseen | paths
                        unseen = frozenset()
                        if _identities(places) != watched:
                            break
        except FileNotFoundError:
            pass  # a root that was there a moment ago
        except (OSError, RuntimeError) as error:  # watchfiles has its own kind of RuntimeError
            pause = RETRY_SECONDS
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            if trouble != reason:
                trouble = reason
                yield WatchUnavailable(trouble)
        await sleep(pause)


def _identities(roots: Iterable[Path]) -> dict[Path, _Identity]:
    """Device and inode of each root that exists."""
    identities = {}
    for root in roots:
        try:
            status = os.stat(root)
        except OSError:
            continue
        identities[root] = (status.st_dev, status.st_ino)
    return identities
