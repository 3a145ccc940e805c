"""Task lists in Markdown."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotad.domain.queue import (
    SESSIONS_MAX,
    Planned,
    PlannedId,
    Priority,
    QueueRefused,
    Status,
    checked,
    is_id,
)
from quotad.planning.markdown import HOURS_ASSUMED, TOKENS_ASSUMED, tasks

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
    (parser, measure, docs, core, second), assumed = tasks(LIST)
    assert [] == assumed
    assert parser == Planned(
        PlannedId("write-the-parser"),
        40_000,
        2.5,
        "Phase 1: the core",
        Priority.HIGH,
        "python-pro",
        ("Write the Parser!", "the grammar", "tests that run fast"),
        notes="Done: the samples",
        cwd="/src/app",
    )
    assert measure == Planned(
        PlannedId("grosse-messen"),
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
        ("\n- [ ] (30k)", "line 2: has no title"),
        ("- [ ]", "line 1: has no title"),
        ("- [ ] Title (30k, model: opus)", 'says "model:"; there are after:'),
        ("- [ ] Title (0k)", 'says "0k"; allowed is 1 to'),
        ("- [ ] Title (1000001M)", 'says "1000001M"; allowed is 1 to 1000000000000 tokens'),
        (f"- [ ] Title ({'9' * 400})", "allowed is 1 to"),
        ("- [ ] Title (30k, 0h)", 'says "0h"; allowed is more than 0'),
        ("- [ ] Title (1001h)", "at most 1000 hours"),
        ("- [ ] Title (after: nobody)", 'is after "nobody", which is neither in this list nor'),
        ("- [ ] Title (30k, 40k)", 'says "40k" after it has said its tokens already'),
        ("- [ ] Title (30k, urgent)", 'says "urgent", which is not understood'),
        ("- [ ] Title (30k, agent:)", 'says "agent:", which is not understood'),
        ("- [ ] Title (30k, due: soon)", 'is due "soon"; allowed is a day'),
        ("- [ ] Title (30k, id: all)", '"all" is no id'),
        ("- [ ] Title (30k, after: a/b)", '"a/b" is no id'),
        ("- [ ] A (1k, id: x)\r\n- [ ] B (1k, id: x)", 'line 2: the id "x" is another task'),
        ("- [ ] A (1k, id: x)\n- [ ] B (1k, id: X)", 'line 2: the id "X" is another task'),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, says: str) -> None:
    """And what would be right."""
    with pytest.raises(QueueRefused) as refused:
        tasks(text)
    assert says in str(refused.value)
    assert refused.value.code == "invalid-value"


def test_everything_that_is_wrong_is_said_at_once() -> None:
    """Each word of each task; a task with a fault is there for those that need it."""
    with pytest.raises(QueueRefused) as refused:
        tasks("- [ ] One (30k, urgent, due: soon)\n- [ ] Two (0k, after: one nobody)")
    lines = [line.split(";")[0] for line in str(refused.value).splitlines()]
    assert [
        'line 1: says "urgent", which is not understood',
        'line 1: is due "soon"',
        'line 2: says "0k"',
        'line 2: is after "nobody", which is neither in this list nor in the queue',
    ] == lines


def test_not_too_many_faults_are_said() -> None:
    """Ten, and how many more."""
    with pytest.raises(QueueRefused) as refused:
        tasks("- [ ] A (0k)\n" * 12)
    assert "and 2 more" == str(refused.value).splitlines()[-1]
    assert 11 == len(str(refused.value).splitlines())


def test_a_list_is_no_longer_than_a_queue() -> None:
    """To the task; and so many of one title have their ids at once."""
    made = tasks("- [ ] A\n" * SESSIONS_MAX).sessions
    assert ("a", f"a-{SESSIONS_MAX}") == (made[0].id, made[-1].id)
    with pytest.raises(QueueRefused, match="there are 5001 tasks"):
        tasks("- [ ] A\n" * (SESSIONS_MAX + 1))


@pytest.mark.parametrize(
    ("line", "title", "hours", "priority"),
    [
        ("Write the guide", "Write the guide", HOURS_ASSUMED, Priority.MEDIUM),
        (
            "Write the guide (see the plan: all)",
            "Write the guide (see the plan: all)",
            HOURS_ASSUMED,
            Priority.MEDIUM,
        ),
        ("Write the guide (urgent!)", "Write the guide (urgent!)", HOURS_ASSUMED, Priority.MEDIUM),
        ("Write the guide ()", "Write the guide", HOURS_ASSUMED, Priority.MEDIUM),
        ("Write the guide (30k", "Write the guide (30k", HOURS_ASSUMED, Priority.MEDIUM),
        ("Write the guide (2h, low)", "Write the guide", 2.0, Priority.LOW),
    ],
)
def test_a_plain_list_says_no_tokens(line: str, title: str, hours: float, priority: Priority) -> None:
    """Then they are assumed, and told; brackets without any word for us are the title's."""
    (made,), assumed = tasks(f"- [ ] {line}")
    assert Planned(made.id, TOKENS_ASSUMED, hours, objectives=(title,), priority=priority) == made
    assert [made.id] == assumed


def test_nothing_is_assumed_of_what_is_done() -> None:
    """Whatever it took, it takes no more."""
    made, assumed = tasks("- [x] Done")
    assert (["done"], []) == ([one.id for one in made], assumed)


def test_a_task_may_need_what_is_in_the_queue() -> None:
    """Which only the one who asks knows."""
    made, _ = tasks("- [ ] Title (30k, after: there)", {PlannedId("there")})
    assert (PlannedId("there"),) == made[0].dependencies


@pytest.mark.parametrize(
    ("title", "which"),
    [
        ("Größe messen", "grosse-messen"),
        ("STRAẞE", "strasse"),
        ("Łódź, Ærø & Þingvellir", "lodz-aero-thingvellir"),
        ("naïve café", "naive-cafe"),
        ("No. 5 — done?", "no-5-done"),
        ("課題", "task-331890e6"),
        ("Задача 5", "5-8982b026"),
        ("a" * 70, "a" * 64),
        ("—", "task"),
    ],
)
def test_a_title_makes_an_id(title: str, which: str) -> None:
    """Letters that ASCII has not in any form become a number, the same in each list."""
    assert [which] == [one.id for one in tasks(f"- [ ] {title}").sessions]


@given(st.lists(st.text(st.characters(exclude_characters="()\r\n"), max_size=90), min_size=1, max_size=5))
def test_every_title_makes_an_id_of_its_own(titles: list[str]) -> None:
    """Whatever it is written in, the tasks make a sound queue."""
    titles = [f"{title}x".strip() for title in [*titles, "ALL", "課題", "課題"]]
    made, _ = tasks("\n".join(f"- [ ] {title} (1k)" for title in titles))
    assert len(titles) == len(checked(made).sessions)
    assert all(is_id(each.id) for each in made)


def test_the_title_all_is_no_id() -> None:
    """``all.ics`` holds every event."""
    assert ["all-2"] == [each.id for each in tasks("- [ ] All (1k)").sessions]


@given(st.text(st.sampled_from("- []x()#`\n\t:,_.1khma"), max_size=60))
def test_any_text_is_a_list_or_refused(text: str) -> None:
    """Nothing else comes of it."""
    with suppress(QueueRefused):
        assert checked(tasks(text).sessions).sessions
