"""A stand-in for Claude Code: a program that notes how it was called and leaves a transcript, like it."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path
from typing import NamedTuple

from tests.daemon.process import Place

PROGRAM = """\
#!{python}
import json, os, sys
from datetime import UTC, datetime
from pathlib import Path

called = {{"argv": sys.argv[1:], "cwd": os.getcwd(), "environment": dict(os.environ)}}
Path({record!r}).write_text(json.dumps(called))
session = sys.argv[sys.argv.index("--session-id") + 1]
at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
line = {{
    "type": "assistant", "timestamp": at, "sessionId": session, "cwd": os.getcwd(),
    "requestId": "r-" + session,
    "message": {{
        "id": "msg-" + session, "model": "claude-opus-5", "role": "assistant", "content": [],
        "usage": {{"input_tokens": {tokens}, "output_tokens": 0}},
    }},
}}
directory = Path(os.environ["CLAUDE_CONFIG_DIR"]) / "projects" / "-stand-in"
directory.mkdir(parents=True, exist_ok=True)
with (directory / (session + ".jsonl")).open("a") as transcript:
    transcript.write(json.dumps(line) + "\\n")
"""


class Called(NamedTuple):
    """How the program was called the last time."""

    argv: list[str]
    cwd: str
    environment: dict[str, str]

    @property
    def session(self) -> str:
        """The id that the Claude Code session was given."""
        return self.argv[self.argv.index("--session-id") + 1]

    @property
    def prompt(self) -> str:
        return self.argv[-1]


class StandIn:
    """The program ``claude`` of one place; each call of it spends ``tokens``."""

    def __init__(self, place: Place, tokens: int) -> None:
        self._record = place.root / "called.json"
        directory = place.root / "bin"
        directory.mkdir()
        program = directory / "claude"
        program.write_text(PROGRAM.format(python=sys.executable, record=str(self._record), tokens=tokens))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        self.path = {"PATH": f"{directory}{os.pathsep}{os.environ['PATH']}"}
        """The environment in which it is found."""

    @property
    def called(self) -> Called | None:
        """None if it was never called."""
        if not self._record.exists():
            return None
        return Called(**json.loads(self._record.read_text()))

    def made_directory(self, place: Place) -> Path:
        """A project to work in."""
        project = place.root / "project"
        project.mkdir()
        return project
