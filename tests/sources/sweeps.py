"""Sweeps in one go, without anybody between their steps."""

from __future__ import annotations

from collections.abc import Generator

from quotad.sources.tree import Care, Seen, Tree


def sweep(tree: Tree, now_ns: int, care: Care = Care.EVERYTHING) -> Seen:
    """A look everywhere."""
    return completed(tree.compare(tree.scan(now_ns, care)))


def completed(steps: Generator[None, None, Seen]) -> Seen:
    """What comes of the steps that are left."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            seen: Seen = end.value
            return seen
