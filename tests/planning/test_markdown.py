"""Task lists in Markdown."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotad.domain.queue import ID, ID_TAKEN, Planned, PlannedId, Priority, QueueRefused, Status, checked
from quotad.planning.markdown import tasks

DUE = 1_796_119_200_000
"""2026-12-01T10:00:00Z."""

LIST = """# Plan of the week

Some words first (30k).

## Phase 1: the core ##

- [ ] Write the Parser! (40k, 2.5h, HIGH, agent: python-pro, in: /src/app)
  - the grammar
  - [x] the samples
  - [ ] tests
    that run fast
- [x] Größe messen (8_000, 90m)
  - [x] done
prose that ends a task
  - nobody's
- an item that is no task
  1. [ ] Docs (1.5M tokens, low, after: write-the-parser core, due: 2026-12-01T10:00:00Z)

```
- [ ] not this one (30k)
```
## Later
* [ ] Write the parser (again)
  (30k, id: core)
+ [ ] Write the parser (30)
"""


def test_a_list_as_people_write_it() -> None:
    """Headings are phases, indented items objectives, ticked tasks complete; prose and code are nothing."""
    parser, measure, docs, core, second = tasks(LIST)
    assert parser == Planned(
        PlannedId("write-the-parser"),
        40_000,
        2.5,
        "Phase 1: the core",
        Priority.HIGH,
        "python-pro",
        ("Write the Parser!", "the grammar", "tests that run fast"),
        cwd="/src/app",
    )
    assert measure == Planned(
        PlannedId("groe-messen"),
        8_000,
        1.5,
        "Phase 1: the core",
        objectives=("Größe messen", "done"),
        status=Status.COMPLETE,
    )
    assert docs == Planned(
        PlannedId("docs"),
        1_500_000,
        phase="Phase 1: the core",
        priority=Priority.LOW,
        objectives=("Docs",),
        dependencies=(PlannedId("write-the-parser"), PlannedId("core")),
        deadline=DUE,
    )
    assert core == Planned(PlannedId("core"), 30_000, phase="Later", objectives=("Write the parser (again)",))
    assert second.id == "write-the-parser-2"
    assert 30 == second.tokens


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "there is no task in it"),
        ("- no box (30k)", "there is no task in it"),
        ("\n- [ ] Title", "line 2: says no tokens"),
        ("- [ ] Title (2h)", "line 1: says no tokens"),
        ("- [ ] Title ()", "line 1: says no tokens"),
        ("- [ ] (30k)", "line 1: has no title"),
        ("- [ ] Title (30k, 40k)", 'says "40k" after it has said its tokens already'),
        ("- [ ] Title (30k, urgent)", 'says "urgent", which is not understood'),
        ("- [ ] Title (30k, agent:)", 'says "agent:", which is not understood'),
        ("- [ ] Title (30k, model: opus)", 'says "model:"; there are after:'),
        ("- [ ] Title (30k, due: soon)", 'is due "soon"; allowed is a day'),
        ("- [ ] Title (30k, id: all)", '"all" is no id'),
        ("- [ ] Title (30k, after: a/b)", '"a/b" is no id'),
        ("- [ ] A (1k, id: x)\r\n- [ ] B (1k, id: x)", 'line 2: the id "x" is another task'),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, says: str) -> None:
    """And what would be right."""
    with pytest.raises(QueueRefused) as refused:
        tasks(text)
    assert says in str(refused.value)
    assert refused.value.code == "invalid-value"


def test_not_too_many_faults_are_said() -> None:
    """Ten, and how many more."""
    with pytest.raises(QueueRefused) as refused:
        tasks("- [ ] A\n" * 12)
    assert "and 2 more" == str(refused.value).splitlines()[-1]
    assert 11 == len(str(refused.value).splitlines())


@given(st.lists(st.text(st.characters(exclude_characters="()\r\n"), max_size=90), min_size=1, max_size=5))
def test_every_title_makes_an_id_of_its_own(titles: list[str]) -> None:
    """Whatever it is written in, the tasks make a sound queue."""
    titles = [f"{title}x".strip() for title in [*titles, "ALL", "課題", "課題"]]
    made = tasks("\n".join(f"- [ ] {title} (1k)" for title in titles))
    assert len(titles) == len(checked(made).sessions)
    assert all(ID.fullmatch(each.id) and each.id != ID_TAKEN for each in made)


def test_the_title_all_is_no_id() -> None:
    """``all.ics`` holds every event."""
    assert ["all-2"] == [each.id for each in tasks("- [ ] All (1k)")]


@given(st.text(st.sampled_from("- []x()#`\n\t:,1kha"), max_size=60))
def test_any_text_is_a_list_or_refused(text: str) -> None:
    """Nothing else comes of it."""
    with suppress(QueueRefused):
        assert checked(tasks(text)).sessions
