"""What the tests of the real process share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.daemon.process import Place, new_place


@pytest.fixture
def place() -> Iterator[Place]:
    """Where a daemon finds everything it needs; gone after the test."""
    with new_place() as made:
        yield made
