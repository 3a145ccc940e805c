"""Lines are measured in cells, broken between words, and obeyed by no terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotactl import text
from quotactl.text import Span
from tests.quotactl.replies import view


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("/home/ana/über", "/home/ana/über"),
        ("red\x1b[31m", "red?[31m"),
        ("two\nlines", "two?lines"),
        ("turned\u202eround", "turnedround"),
        ("half\udc80a", "half?a"),
        ("c1\x9b2J", "c1?2J"),
    ],
)
def test_nothing_that_a_terminal_obeys_is_shown(raw: str, shown: str) -> None:
    """Controls become question marks, invisible formatting vanishes, letters stay."""
    assert shown == text.plain(raw)


@pytest.mark.parametrize(("word", "width"), [("abc", 3), ("héé", 3), ("e\u0301", 1), ("日本", 4), ("█░", 2)])
def test_width_is_counted_in_cells(word: str, width: int) -> None:
    """East Asian signs take two cells, combining marks none."""
    assert width == text.cells(word)


@pytest.mark.parametrize(
    ("path", "width", "shown"),
    [
        ("~/src/shop", 10, "~/src/shop"),
        ("~/work/clients/northwind/inventory/worker", 30, "~/work/…/inventory/worker"),
        ("~/work/clients/northwind/inventory/worker", 12, "~/…/worker"),
        ("~/a-very-long-directory-name", 14, "~/a-…tory-name"),
        ("/x", 1, "/"),
    ],
)
def test_a_path_is_shortened_in_its_middle(path: str, width: int, shown: str) -> None:
    """Whole directories are left out first; both ends stay."""
    assert shown == text.middle(path, width, view())


@given(st.text(max_size=60), st.integers(1, 40))
def test_a_shortened_path_fits(path: str, width: int) -> None:
    """Whatever the path and the room are."""
    assert text.cells(text.middle(path, width, view())) <= width


def test_a_home_directory_is_a_tilde() -> None:
    """Only a whole directory name counts as the home directory."""
    assert ["~", "~/src", "/home/anabel", "/"] == [
        text.place(path, view()) for path in ("/home/ana", "/home/ana/src", "/home/anabel", "/")
    ]


def test_facts_stand_side_by_side_as_far_as_they_fit() -> None:
    """The next line begins with a whole fact, and a fact that is too long goes on further in."""
    facts = [(Span("one two"),), (Span("three"),), (Span("four five six seven eight nine"),)]
    lines = text.paint(text.flow(facts, view(18), 2), view(18)).split("\n")
    assert ["  one two · three", "  four five six", "    seven eight", "    nine"] == lines


def test_a_number_is_not_parted_from_its_unit() -> None:
    """A hard space breaks no line, and is shown as an ordinary one."""
    line = (Span(f"it takes 3{text.HARD}h 10"),)
    assert ["> it takes", "  3 h 10"] == [
        text.paint([one], view(11)) for one in text.paragraph(Span("> "), line, view(11))
    ]


def test_a_word_longer_than_a_line_is_broken() -> None:
    """Nothing ever runs over the edge; of a path whole directories stay together if they can."""
    words = Span("see /a/longish/path unbelievable")
    lines = text.paint(text.paragraph(Span("- "), (words,), view(9)), view(9))
    assert ["- see", "  /a/", "  longish", "  /path", "  unbelie", "  vable"] == lines.split("\n")


@given(
    st.lists(st.lists(st.tuples(st.text(max_size=30), st.just("")), max_size=3), max_size=5),
    st.integers(12, 80),
    st.integers(0, 8),
)
def test_no_line_is_wider_than_the_view(facts: list[list[tuple[str, str]]], width: int, indent: int) -> None:
    """Whatever the facts are, in whatever script."""
    lines = text.flow([[Span(word) for word, _ in fact] for fact in facts], view(width), indent)
    painted = text.paint(lines, view(width))
    assert all(text.cells(line) <= width for line in painted.split("\n"))


def test_a_line_that_is_cut_says_so() -> None:
    """The last cell is an ellipsis; a line that fits is left alone."""
    long = (Span("warning: "), Span("half of it is gone"))
    assert ["warning: half …", "warning: half of it is gone"] == [
        text.paint([text.cut(long, view(width))], view(width)) for width in (15, 27)
    ]


def test_two_ends_share_a_line_if_there_is_room() -> None:
    """Otherwise the right one is left out."""
    ends = (Span("left"),), (Span("right"),)
    assert ["left  right", "left"] == [text.paint([text.columns(*ends, width)], view()) for width in (11, 9)]


@pytest.mark.parametrize(
    ("fraction", "shown"),
    [(0.0, "░░░░"), (0.001, "█░░░"), (0.5, "██░░"), (0.999, "███░"), (1.0, "████"), (9, "████")],
)
def test_a_bar_is_empty_at_nothing_and_full_at_all(fraction: float, shown: str) -> None:
    """Something used is always seen, and something left is too."""
    assert shown == text.paint([text.bar(fraction, 4, "good", view())], view())


def test_without_unicode_a_bar_is_plain() -> None:
    """It is still a bar where the terminal has no blocks."""
    assert text.paint([text.bar(0.5, 4, "good", view(unicode=False))], view()) == "##.."


def test_colours_are_the_terminals_own_and_end_with_their_span() -> None:
    """Spaces stay uncoloured, and without colour there is no escape at all."""
    line = (Span("a", "good"), Span("  "), Span("b", "worst"))
    assert ["\x1b[32ma\x1b[0m  \x1b[1;31mb\x1b[0m", "a  b"] == [
        text.paint([line], view(colour=colour)) for colour in (True, False)
    ]


def test_no_line_ends_in_spaces() -> None:
    """What is copied from a terminal stays clean."""
    assert text.paint([(Span("a  "), Span("   ")), ()], view()) == "a\n"
