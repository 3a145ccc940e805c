"""A server in a process of its own, for tests that use up what the process may have.

``python -m tests.ipc.crowded ROOT DESCRIPTORS SPENT``: at most DESCRIPTORS descriptors, SPENT of them taken
beforehand. It says on stdout when it listens, and ends when its stdin does.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from pathlib import Path

from quotad import logs, wire
from quotad.ipc.server import Server
from tests.ipc.talking import METHODS


async def _serve(root: Path, spent: int) -> None:
    paths = wire.Paths(root / "claude", root / "config.toml", root / "state", root / "run" / "q.sock")
    async with Server(paths, METHODS):
        taken = [os.open("/", os.O_RDONLY) for _ in range(spent)]
        sys.stdout.write("listening\n")
        sys.stdout.flush()
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        for descriptor in taken:
            os.close(descriptor)


if __name__ == "__main__":
    logs.configure(None)
    resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[2]),) * 2)
    asyncio.run(_serve(Path(sys.argv[1]), int(sys.argv[3])))
