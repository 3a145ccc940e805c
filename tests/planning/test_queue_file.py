"""The queue file: what it means, what of it is kept, and what is said of one that is wrong."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from quotad.domain.queue import (
    HOURS_MAX,
    SESSIONS_MAX,
    TOKENS_MAX,
    Planned,
    PlannedId,
    Priority,
    Queue,
    QueueRefused,
    ScheduleReason,
    Status,
    in_any_case,
    is_id,
)
from quotad.planning.queue_file import QueueFile, QueueInvalid, QueueRead, Stamp, file_text, sessions_in
from quotad.planning.queue_plain import plainly
from quotad.planning.queue_text import FILE_BYTES_MAX

NOW = 1_795_341_600_000
"""2026-11-22T10:00:00Z."""

ENTRY: dict[str, object] = {"id": "parser", "estimatedTokens": 30_000}

FULL = """{
  "colour": {"of": ["the", "wall"]},
  "projectPath": "/src/app",
  "totalEstimate": 48000,
  "sessions": [
    {
      "owner": "Ana",
      "id": "parser",
      "phase": "Phase 1",
      "priority": "HIGH",
      "estimatedHours": 2.5,
      "estimatedTokens": 40000,
      "agent": "python-pro",
      "objectives": ["Größe", "tests"],
      "status": "complete",
      "dependencies": [],
      "x": 1.50
    },
    {
      "id": "docs",
      "estimatedTokens": 8000,
      "status": "scheduled",
      "dependencies": ["parser"],
      "scheduledFor": "2026-11-22T16:01:00+01:00",
      "scheduleReason": "low_quota",
      "deadline": "2026-12-01T00:00:00Z",
      "notes": null,
      "cwd": "/src/docs"
    }
  ],
  "analyzedAt": "yesterday"
}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the queue is."""
    return tmp_path / ".claude" / "session-queue.json"


@pytest.fixture
def full(path: Path) -> QueueFile:
    """The file above, not read yet."""
    path.parent.mkdir()
    path.write_text(FULL)
    return QueueFile(path)


def plan(name: str, tokens: int = 30_000, *needs: str) -> Planned:
    """A session of which little is said."""
    return Planned(PlannedId(name), tokens, dependencies=tuple(map(PlannedId, needs)))


def write(file: QueueFile, queue: Queue) -> QueueRead:
    """Write in a loop of its own."""
    return asyncio.run(file.write(queue, NOW))


def with_changed(queue: Queue, name: str, changed: Planned | None) -> Queue:
    """The queue with one of its sessions changed, or without it."""
    sessions = ((changed if each.id == name else each) for each in queue.sessions)
    return Queue(tuple(each for each in sessions if each is not None))


def test_a_file_means_what_the_contract_says(full: QueueFile) -> None:
    """Every field of it, with defaults for what it leaves out; times with an offset are instants."""
    parser, docs = full.read().queue.sessions
    assert parser == Planned(
        PlannedId("parser"),
        40_000,
        2.5,
        "Phase 1",
        Priority.HIGH,
        "python-pro",
        ("Größe", "tests"),
        Status.COMPLETE,
    )
    assert docs == Planned(
        PlannedId("docs"),
        8_000,
        status=Status.SCHEDULED,
        dependencies=(PlannedId("parser"),),
        scheduled_for=NOW + (5 * 60 + 1) * 60_000,
        schedule_reason=ScheduleReason.LOW_QUOTA,
        deadline=1_796_083_200_000,
        cwd="/src/docs",
    )


def test_without_a_file_the_queue_is_empty_and_the_first_change_makes_it(path: Path) -> None:
    """With everything that the contract names, for the user alone, in a directory that is made."""
    file = QueueFile(path)
    assert Queue() == file.latest().queue
    assert not file.changed()
    read = write(file, Queue((plan("parser"),)))
    assert path.read_text() == (
        f"""{{
  "projectPath": "{path.parent.parent}",
  "projectName": "{path.parent.parent.name}",
  "analyzedAt": "2026-11-22T10:00:00.000Z",
  "totalEstimate": 30000,
  "sessions": [
    {{
      "id": "parser",
      "phase": "",
      "priority": "MEDIUM",
      "estimatedHours": 1,
      "estimatedTokens": 30000,
      "agent": "",
      "objectives": [],
      "status": "ready",
      "dependencies": []
    }}
  ]
}}
"""
    )
    assert path.stat().st_mode & 0o777 == 0o600
    assert read == QueueFile(path).read() == file.latest()
    assert not file.changed()


def test_a_change_touches_nothing_else(full: QueueFile, path: Path) -> None:
    """What nobody knows stays in its place, as do times, nulls and notations that did not change."""
    queue = full.latest().queue
    changed = with_changed(queue, "docs", replace(queue.sessions[1], tokens=9_000))
    write(full, changed)
    before, after = json.loads(FULL), json.loads(path.read_text())
    before["sessions"][1]["estimatedTokens"] = 9_000
    before["totalEstimate"] = 49_000
    assert before == after
    assert list(before) == list(after)
    assert list(before["sessions"][0]) == list(after["sessions"][0])
    assert '"objectives": [\n        "Größe"' in path.read_text()


def test_what_is_no_longer_said_is_taken_away_and_a_new_time_is_in_utc(full: QueueFile, path: Path) -> None:
    """A field that a session has no more vanishes, a removed session with all that was in it."""
    queue = full.latest().queue
    moved = replace(queue.sessions[1], scheduled_for=NOW, schedule_reason=None, dependencies=(), cwd="")
    write(full, Queue((moved, plan("new"))))
    docs, new = json.loads(path.read_text())["sessions"]
    assert docs == {
        "id": "docs",
        "estimatedTokens": 8000,
        "status": "scheduled",
        "dependencies": [],
        "scheduledFor": "2026-11-22T10:00:00.000Z",
        "deadline": "2026-12-01T00:00:00Z",
        "notes": None,
    }
    assert new["id"] == "new"


def test_a_blocked_session_is_written_as_such_whatever_the_file_said(path: Path) -> None:
    """Ready and blocked follow from the dependencies; they stand in the file for its readers."""
    path.parent.mkdir()
    entries = [{"id": "a", "estimatedTokens": 1}, {"id": "b", "estimatedTokens": 1, "dependencies": ["a"]}]
    path.write_text(json.dumps({"sessions": [entries[0], {**entries[1], "status": "ready"}]}))
    file = QueueFile(path)
    queue = file.latest().queue
    assert [Status.READY, Status.BLOCKED] == [each.status for each in queue.sessions]
    write(file, Queue((*queue.sessions, plan("c"))))
    written = json.loads(path.read_text())["sessions"]
    assert [None, "blocked", "ready"] == [each.get("status") for each in written]


def test_a_total_in_somebody_elses_words_is_theirs(path: Path) -> None:
    """A number is kept right, in tokens; an absent one is not made."""
    path.parent.mkdir()
    for said, after in [({"totalEstimate": "12 h"}, {"totalEstimate": "12 h"}), ({}, {})]:
        path.write_text(json.dumps({**said, "sessions": []}))
        file = QueueFile(path)
        file.latest()
        write(file, Queue((plan("a"),)))
        written = json.loads(path.read_text())
        assert after == {name: value for name, value in written.items() if name != "sessions"}


def test_a_change_by_hand_between_reading_and_writing_stays(full: QueueFile, path: Path) -> None:
    """Both are in the file, and in the queue that is answered."""
    queue = full.latest().queue
    by_hand = json.loads(FULL)
    by_hand["sessions"][1]["notes"] = "by hand"
    by_hand["sessions"].append({"id": "hand", "estimatedTokens": 5})
    by_hand["new"] = True
    path.write_text(json.dumps(by_hand))
    docs = replace(queue.sessions[1], tokens=9_000, dependencies=())
    read = write(full, Queue((docs, plan("ours"))))
    assert [(each.id, each.tokens, each.notes) for each in read.queue.sessions] == [
        ("docs", 9_000, "by hand"),
        ("hand", 5, ""),
        ("ours", 30_000, ""),
    ]
    assert json.loads(path.read_text())["new"] is True
    assert QueueFile(path).read() == read


def test_the_same_session_made_twice_is_one(full: QueueFile, path: Path) -> None:
    """By hand and by us at once: ours counts, and what else stands in it stays."""
    queue = full.latest().queue
    by_hand = json.loads(FULL)
    by_hand["sessions"].append({"id": "new", "estimatedTokens": 5, "colour": "red"})
    path.write_text(json.dumps(by_hand))
    read = write(full, Queue((*queue.sessions, plan("new"))))
    assert plan("new") == read.queue.sessions[-1]
    assert json.loads(path.read_text())["sessions"][-1]["colour"] == "red"


def test_what_was_taken_away_by_hand_stays_away(full: QueueFile, path: Path) -> None:
    """A change of it is void; a new session that needs it is refused by name, and the file left."""
    queue = full.latest().queue
    by_hand = '{"sessions": [{"id": "docs", "estimatedTokens": 1}]}'
    path.write_text(by_hand)
    needy = Queue((*queue.sessions, plan("needy", 1, "parser")))
    with pytest.raises(QueueRefused, match="parser") as refused:
        write(full, needy)
    assert refused.value.code == "unknown-dependency"
    assert by_hand == path.read_text()


def test_the_same_queue_is_not_written_again(full: QueueFile, path: Path) -> None:
    """Other programs that watch the file are not woken for nothing."""
    before = path.stat().st_ino
    assert full.latest() == write(full, full.latest().queue)
    assert before == path.stat().st_ino


def test_every_kind_of_change_is_seen(full: QueueFile, path: Path) -> None:
    """Inode, size or time: each alone tells; an untouched file is not read again."""
    first = full.latest()
    assert first is full.latest()
    found = path.stat()
    path.write_text(FULL.replace("Ana", "Ben"))
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns + 1))
    assert full.changed()
    second = full.latest()
    assert second.document != first.document
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    os.utime(other, ns=(found.st_atime_ns, found.st_mtime_ns + 1))
    other.replace(path)
    assert full.changed()
    full.latest()
    path.write_text(FULL + " ")
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns + 1))
    assert full.changed()
    found = path.stat()
    assert full.latest().stamp == Stamp(found.st_ino, found.st_size, found.st_mtime_ns)
    path.unlink()
    assert full.changed()
    assert Queue() == full.latest().queue
    assert not full.changed()


def entry(**said: object) -> str:
    """A file with one session that says this too, on line 2."""
    return '{"sessions": [\n' + json.dumps({**ENTRY, **said}) + "\n]}"


@pytest.mark.parametrize(
    ("content", "line", "says"),
    [
        ("", None, "is empty"),
        ("{\n oops", 2, "is not JSON"),
        ('{"sessions": [],\n "a": NaN}', None, "NaN"),
        ('{"sessions": [],\n "a": 1e999}', None, "too large: 1e999"),
        ('{"a": ' + "9" * 5000 + "}", None, "thousands of digits"),
        ("[" * 100_000, None, "nested too deeply"),
        ('{"sessions": [],\n "x": {"b": 1,\n "b": 2}}', 3, 'says "b" twice'),
        ("[]", 1, "allowed is an object with sessions"),
        ("{}", 1, "sessions: is missing"),
        ('{\n"sessions": 5}', 2, "sessions = 5: allowed is a list of objects"),
        ('{"sessions": [\n5]}', 2, "sessions[0] = 5: allowed is"),
        ('{"sessions": [\n{"id": "a"}]}', 2, "sessions[0].estimatedTokens: is missing"),
        (entry(id="all"), 2, 'sessions[0].id = "all": allowed is'),
        (entry(id="All"), 2, 'sessions[0].id = "All": allowed is'),
        (entry(id="-a"), 2, 'sessions[0].id = "-a"'),
        (entry(id="a" * 65), 2, "sessions[0].id"),
        (entry(estimatedTokens=0), 2, "sessions[0].estimatedTokens = 0: allowed is a whole number"),
        (entry(estimatedTokens=TOKENS_MAX + 1), 2, "sessions[0].estimatedTokens"),
        (entry(estimatedTokens="9"), 2, 'sessions[0].estimatedTokens = "9"'),
        (entry(estimatedTokens=True), 2, "sessions[0].estimatedTokens = true"),
        (entry(estimatedHours=0), 2, "sessions[0].estimatedHours = 0: allowed is a number of hours"),
        (entry(estimatedHours=HOURS_MAX + 1), 2, "sessions[0].estimatedHours"),
        (entry(priority="URGENT"), 2, 'priority = "URGENT": allowed is one of "HIGH", "MEDIUM", "LOW"'),
        (entry(phase=[1]), 2, "sessions[0].phase = [1]: allowed is a text"),
        (entry(objectives=["a", 1]), 2, "sessions[0].objectives[1] = 1: allowed is a list of texts"),
        (entry(objectives="a"), 2, 'sessions[0].objectives = "a"'),
        (entry(status="done"), 2, 'sessions[0].status = "done": allowed is one of "ready"'),
        (entry(dependencies=["a b"]), 2, 'sessions[0].dependencies[0] = "a b": allowed is'),
        (entry(scheduledFor="2026-11-22T10:00"), 2, 'scheduledFor = "2026-11-22T10:00": allowed is an inst'),
        (entry(scheduledFor=5), 2, "scheduledFor = 5"),
        (entry(scheduleReason="tired"), 2, 'scheduleReason = "tired"'),
        (entry(deadline="soon"), 2, 'deadline = "soon": allowed is a day such as'),
        (entry(deadline=5), 2, "deadline = 5"),
        (entry(notes=5), 2, "notes = 5"),
        (entry(status="scheduled"), 2, "no time although it is scheduled"),
        (entry(dependencies=["no-one"]), 2, '"parser" depends on "no-one"'),
        (entry(dependencies=["parser"]), 2, "a circle"),
        ('{"sessions": [{"id": "a", "estimatedTokens": 1},\n {"id": "a", "estimatedTokens": 1}]}', 2, '"a"'),
    ],
)
def test_a_file_that_is_wrong_is_named_and_left(
    path: Path, content: str, line: int | None, says: str
) -> None:
    """File, line, field, value and what is allowed; it is never written over, and read once."""
    path.parent.mkdir()
    path.write_text(content)
    file = QueueFile(path)
    with pytest.raises(QueueInvalid) as wrong:
        file.read()
    where = f"{path}: " if line is None else f"{path}: line {line}: "
    assert str(wrong.value).startswith(where)
    assert says in str(wrong.value)
    assert not file.changed()
    with pytest.raises(QueueInvalid) as again:
        write(file, Queue((plan("a"),)))
    assert again.value is wrong.value
    assert content == path.read_text()


def test_a_file_that_became_wrong_is_mended_by_hand(full: QueueFile, path: Path) -> None:
    """What was good before is not written over what is wrong; once mended, it counts again."""
    good = full.latest().queue
    path.write_text("{")
    with pytest.raises(QueueInvalid):
        write(full, Queue((*good.sessions, plan("new"))))
    assert path.read_text() == "{"
    path.write_text(FULL)
    read = write(full, Queue((*good.sessions, plan("new"))))
    assert ["parser", "docs", "new"] == [each.id for each in read.queue.sessions]


def test_every_fault_has_a_line_and_there_are_not_too_many(path: Path) -> None:
    """Ten, and how many more."""
    path.parent.mkdir()
    path.write_text(json.dumps({"sessions": [{"id": "!"}] * 12}, indent=1))
    with pytest.raises(QueueInvalid) as wrong:
        QueueFile(path).read()
    lines = str(wrong.value).splitlines()
    assert 11 == len(lines)
    assert lines[0].startswith(f"{path}: line 4: sessions[0].id")
    assert lines[-1].endswith("and 14 more")


def test_what_is_no_file_or_no_text_or_too_long_is_said(path: Path) -> None:
    """A pipe is not waited for."""
    path.mkdir(parents=True)
    with pytest.raises(QueueInvalid, match="is not a file"):
        QueueFile(path).read()
    path.rmdir()
    os.mkfifo(path)
    with pytest.raises(QueueInvalid, match="is not a file"):
        QueueFile(path).read()
    path.unlink()
    path.symlink_to(path)
    unreadable = QueueFile(path)
    with pytest.raises(QueueInvalid, match="cannot be read: Too many levels"):
        unreadable.latest()
    assert unreadable.changed()
    path.unlink()
    path.write_bytes(b'{"sessions": [],\n"a": "\xff"}')
    with pytest.raises(QueueInvalid, match="line 2: is not UTF-8"):
        QueueFile(path).read()
    room = FILE_BYTES_MAX - len('{"sessions":[]}')
    path.write_text('{"sessions":[]}' + " " * room)
    assert Queue() == QueueFile(path).read().queue
    path.write_text('{"sessions":[]}' + " " * (room + 1))
    with pytest.raises(QueueInvalid, match="is longer than"):
        QueueFile(path).read()


def test_a_file_that_nobody_could_read_again_is_not_written(path: Path) -> None:
    """The change is refused, and the file stays."""
    path.parent.mkdir()
    path.write_text('{"sessions": []}')
    file = QueueFile(path)
    file.latest()
    with pytest.raises(QueueRefused, match="longer than"):
        write(file, Queue((replace(plan("a"), notes="n" * FILE_BYTES_MAX),)))
    assert path.read_text() == '{"sessions": []}'


def test_a_queue_of_too_many_sessions_is_refused(path: Path) -> None:
    """So many may be in it, and not one more."""
    path.parent.mkdir()
    entries = [{"id": f"s{number}", "estimatedTokens": 1} for number in range(SESSIONS_MAX + 1)]
    path.write_text(json.dumps({"sessions": entries[1:]}))
    assert SESSIONS_MAX == len(QueueFile(path).read().queue.sessions)
    path.write_text(json.dumps({"sessions": entries}))
    with pytest.raises(QueueInvalid, match="line 1: sessions: a queue holds at most"):
        QueueFile(path).read()


def test_what_could_not_be_written_leaves_the_old_file(full: QueueFile, path: Path) -> None:
    """And the change can be made again."""
    queue = Queue((*full.latest().queue.sessions, plan("new")))
    target = path.with_name("elsewhere")
    path.rename(target)
    path.symlink_to(target)
    full.latest()
    target.rename(path.with_name("kept"))
    target.mkdir()
    with pytest.raises(QueueInvalid, match="is not a file"):
        write(full, queue)
    target.rmdir()
    path.with_name("kept").rename(target)
    read = write(full, queue)
    assert read.queue == QueueFile(target).read().queue == queue
    assert path.is_symlink()


def test_half_a_character_and_a_byte_order_mark_do_no_harm(path: Path) -> None:
    """What JSON can say and UTF-8 cannot stays an escape."""
    path.parent.mkdir()
    path.write_text('\ufeff{"a\\ud800": "\\udfff \U0001f600", "sessions": []}')
    file = QueueFile(path)
    file.latest()
    write(file, Queue((plan("a"),)))
    text = path.read_text()
    assert '"a\\ud800": "\\udfff \U0001f600"' in text
    assert QueueFile(path).read() == file.latest()


def test_an_import_may_need_sessions_that_are_there_already() -> None:
    """Its faults are refused with their lines."""
    needy = '{"sessions": [{"id": "b", "estimatedTokens": 5, "dependencies": ["a"]}]}'
    assert (plan("b", 5, "a"),) == sessions_in(needy)
    with pytest.raises(QueueRefused, match=r"the import: line 2: sessions\[0\].id: is missing") as refused:
        sessions_in('{"sessions": [\n{"estimatedTokens": 5}]}')
    assert refused.value.code == "invalid-value"


def test_an_export_is_the_file_or_the_one_that_would_be_made(full: QueueFile, path: Path) -> None:
    """With everything in it that nobody knows."""
    assert json.loads(FULL) == json.loads(file_text(full.latest(), path, NOW))
    path.unlink()
    assert json.loads(file_text(full.latest(), path, NOW))["sessions"] == []


def test_new_sessions_may_stand_before_old_ones(path: Path) -> None:
    """In the queue; in the file they come last, and the next change finds each by its id."""
    file = QueueFile(path)
    for ids in (("a", "b"), ("new", "b"), ("a", "b")):
        write(file, Queue(tuple(plan(one) for one in ids)))
        assert set(ids) == {each.id for each in QueueFile(path).read().queue.sessions}


texts = st.text(st.characters(), max_size=8)
names = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,9}\Z").filter(is_id)
instants = st.integers(0, 4_000_000_000_000)
planned_sessions = st.builds(
    Planned,
    id=names.map(PlannedId),
    tokens=st.integers(1, TOKENS_MAX),
    hours=st.floats(0, HOURS_MAX, exclude_min=True),
    phase=texts,
    priority=st.sampled_from(Priority),
    agent=texts,
    objectives=st.lists(texts, max_size=3).map(tuple),
    status=st.sampled_from([Status.READY, Status.IN_PROGRESS, Status.COMPLETE]),
    scheduled_for=st.none() | instants,
    schedule_reason=st.none() | st.sampled_from(ScheduleReason),
    deadline=st.none() | instants,
    notes=texts,
    cwd=texts,
)
queues = st.lists(planned_sessions, max_size=4, unique_by=lambda each: in_any_case(each.id)).map(
    lambda sessions: Queue(tuple(sessions))
)


@given(st.lists(queues, min_size=1, max_size=3))
def test_what_is_written_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Queue]
) -> None:
    """Any queue after any other; only the order of sessions that were there is the file's."""
    path = tmp_path_factory.mktemp("queue") / "session-queue.json"
    file = QueueFile(path)
    for queue in steps:
        write(file, queue)
        there = QueueFile(path).read()
        assert {each.id: each for each in queue.sessions} == {each.id: each for each in there.queue.sessions}
        assert there.document == file.latest().document


FLOATS = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(max_size=3) | st.just("\ud800")
WORDS = st.lists(TEXTS, max_size=2)
TIMES = st.sampled_from(["2026-11-22T10:00:00Z", "2026-12-01T10:00+01:00"])
IDS = st.sampled_from(["a", "b.1", "C-d_e"])
RIGHT: Mapping[str, st.SearchStrategy[object]] = {
    "id": IDS,
    "estimatedTokens": st.integers(1, TOKENS_MAX),
    "estimatedHours": st.floats(0, HOURS_MAX, exclude_min=True) | st.integers(1, 1000),
    "phase": TEXTS | st.integers(),
    "priority": st.sampled_from(Priority).map(str),
    "agent": TEXTS,
    "objectives": WORDS,
    "status": st.sampled_from(Status).map(str),
    "dependencies": st.lists(IDS, max_size=2),
    "scheduledFor": TIMES,
    "scheduleReason": st.sampled_from(ScheduleReason).map(str),
    "deadline": TIMES | st.just("2026-12-01"),
    "notes": TEXTS,
    "cwd": TEXTS,
}
ODD: st.SearchStrategy[object] = st.one_of(
    *(st.none(), st.booleans(), st.integers(), FLOATS, TEXTS, WORDS, st.lists(st.none(), max_size=1)),
    st.sampled_from(["all", "ALL", "-a", "x" * 65, "ä", "2026-11-22T10:00", "0001-01-01", "soon", {}]),
    *(st.just(TOKENS_MAX + 1), st.just(HOURS_MAX + 1), st.just(["a b"])),
)
NEARLY_RIGHT = st.builds(
    lambda right, odd: {**right, **odd},
    st.fixed_dictionaries(
        {name: right for name, right in RIGHT.items() if name in ENTRY},
        optional={name: right for name, right in RIGHT.items() if name not in ENTRY},
    ),
    st.dictionaries(st.sampled_from([*RIGHT, "tokens", "colour"]), ODD, max_size=1),
)


@given(st.lists(NEARLY_RIGHT | ODD, max_size=2) | ODD)
def test_what_is_taken_in_unjudged_would_be_judged_right(sessions: object) -> None:
    """What passes without pydantic passes pydantic, and means the same."""
    from quotad.planning.queue_document import sessions_of  # noqa: PLC0415 - what costs time is not for collection

    for raw in ({"sessions": sessions}, sessions):
        taken = plainly(raw)
        assert taken is None or sessions_of(raw) == taken


PYDANTIC_UNTOUCHED = """
import sys
from pathlib import Path
from quotad.planning.queue_file import QueueFile, QueueInvalid
try:
    QueueFile(Path(sys.argv[1])).latest()
except QueueInvalid:
    pass
sys.exit("pydantic" in sys.modules)
"""


def test_where_nothing_is_wrong_nobody_waits_for_pydantic(tmp_path: Path) -> None:
    """It is imported when something may be wrong with the file."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    for content, imported in ((None, 0), ('{"sessions": []}', 0), (FULL, 0), (entry(id="all"), 1)):
        path = tmp_path / "session-queue.json"
        if content is not None:
            path.write_text(content)
        ran = subprocess.run([sys.executable, "-c", PYDANTIC_UNTOUCHED, path], check=False, env=environment)
        assert imported == ran.returncode
