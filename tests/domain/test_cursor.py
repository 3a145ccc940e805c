"""What one reading took in."""

from __future__ import annotations

from quotad.domain.cursor import Batch
from tests.domain.build import ANA, call


def test_batches_share_nothing() -> None:
    """Each batch has lists of its own."""
    one, other = Batch(ANA), Batch(ANA)
    one.usage.append(call("m"))
    assert [] == other.usage
