"""The benchmark's own arithmetic: a wrong quantile would make a wrong claim."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from benchmarks import held, results
from benchmarks.__main__ import size
from benchmarks.growth_table import shaped
from benchmarks.stage import ratio
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


def test_a_target_is_met_up_to_its_line() -> None:
    """A figure may be as large as what was asked for, and no larger."""
    rows = [Row.most("one", value, 0.3, "{:.2f} s") for value in (0.3, 0.31)]
    assert [("0.30 s", "<= 0.30 s", True), ("0.31 s", "<= 0.30 s", False)] == [
        (row.figure, row.target, row.met) for row in rows
    ]


def test_a_ratio_is_taken_of_each_pair() -> None:
    """A busy minute hits both of a pair, so that it leaves their ratio as it is."""
    assert pytest.approx(0.5) == ratio([1.0, 10.0, 1.5], [2.0, 20.0, 3.0])


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        ([1.0, 1.1, 1.2], "flat"),
        ([1.0, None, 1.2], "flat"),
        ([1.0, 10.0, 100.0], "linear"),
        ([1.0, 3.0, 9.0], "less than linear: 9.0x for 100x"),
        ([1.0, 30.0, 900.0], "MORE than linear: 900x for 100x"),
        ([9.0, 3.0, 1.0], "flat, but uneven"),
    ],
)
def test_the_shape_of_a_growth_is_named(figures: list[float | None], expected: str) -> None:
    """A quarter more or less is what one run differs from the next; beyond that the sizes decide."""
    assert expected == shaped(figures, [1.0, 10.0, 100.0])


def test_tables_are_written_between_the_marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The prose before and behind them is somebody's, and stays."""
    file = tmp_path / "RESULTS.md"
    file.write_text(f"# Results\n\nbefore\n\n{results.BEGIN}\nold\n{results.END}\n\nbehind\n")
    monkeypatch.setattr(results, "FILE", file)
    results.write("new")
    results.write("newer")
    expected = f"# Results\n\nbefore\n\n{results.BEGIN}\n\nnewer\n\n{results.END}\n\nbehind\n"
    assert expected == file.read_text()


def test_what_was_spent_between_a_question_and_its_answer() -> None:
    """Turns that began after the question count, up to the one that answered; no others do."""
    turns = [
        held.Turn(began, wall_s=0.1, cpu_s=0.1, spent_s=spent)
        for began, spent in ((1.0, 10.0), (2.0, 11.0), (3.0, 13.0), (4.0, 17.0))
    ]
    assert [3.0, 0.0, 7.0] == [
        held.spent_s(turns, 1.5, 3.5),
        held.spent_s(turns, 1.2, 1.8),
        held.spent_s(turns, 0.5, 9.0),
    ]
