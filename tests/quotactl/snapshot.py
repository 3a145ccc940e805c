"""Expected output as files: what a person would see, to be looked at in a review.

``WRITE_SNAPSHOTS=1 pytest tests/quotactl`` writes them anew; the diff then shows what has changed.
"""

from __future__ import annotations

import os
from pathlib import Path

SNAPSHOTS = Path(__file__).parent / "snapshots"


def assert_snapshot(name: str, text: str) -> None:
    """The text is what the snapshot of this name holds."""
    file = SNAPSHOTS / f"{name}.txt"
    if os.environ.get("WRITE_SNAPSHOTS"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text + "\n", encoding="utf-8")
    assert file.read_text(encoding="utf-8") == text + "\n"
