"""The benchmark's own arithmetic: a wrong quantile would make a wrong claim."""

from __future__ import annotations

import argparse

import pytest

from benchmarks.__main__ import size
from benchmarks.table import Row, quantile, rendered


@pytest.mark.parametrize(
    ("values", "part", "expected"),
    [
        ([3.0, 1.0, 2.0], 0.5, 2.0),
        ([4.0, 1.0, 2.0, 3.0], 0.5, 2.0),
        ([float(number) for number in range(1, 201)], 0.99, 198.0),
        ([7.0], 0.99, 7.0),
    ],
)
def test_a_quantile_is_one_of_the_values(values: list[float], part: float, expected: float) -> None:
    """It is the smallest that at least this part of them does not exceed."""
    assert expected == quantile(values, part)


def test_sizes_are_powers_of_ten() -> None:
    """A gigabyte of transcripts is what ``ls`` would call 1.0e9 bytes."""
    assert [100_000, 20_000_000, 1_500_000_000] == [size("100KB"), size("20 mb"), size("1.5GB")]
    with pytest.raises(argparse.ArgumentTypeError, match="no size"):
        size("a lot")


def test_a_missed_target_stands_out() -> None:
    """Rows are a Markdown table in which only a miss is in capitals."""
    table = rendered([Row("one", "1 s", "<= 2 s", "", met=True), Row("two", "3 s", "<= 2 s", "", met=False)])
    assert [
        "| step | figure | target | beside it | met |",
        "|------|--------|--------|-----------|-----|",
        "| one  | 1 s    | <= 2 s |           | yes |",
        "| two  | 3 s    | <= 2 s |           | NO  |",
    ] == table.splitlines()
