"""The queue's commands: what they ask the daemon, and what they show."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from quotactl import text
from quotactl.cli import cli
from quotactl.planned_text import queue_lines, show_lines
from quotad import wire
from quotad.wire import planning
from tests.quotactl.conftest import Surroundings
from tests.quotactl.fake_daemon import Error, FakeDaemon
from tests.quotactl.planned import BOOKED, COMPLETE, EMPTY, ENDED, LISTED, RUNNING, SHOWN, planned, run
from tests.quotactl.replies import NOW, view
from tests.quotactl.snapshot import assert_snapshot
from tests.quotactl.terminal import Terminal

NOW_MS = wire.instant(NOW)

NEEDED = Error(
    code=wire.REFUSED,
    message="api is needed by docs: remove it with --force.",
    data={"code": "needed-by-others"},
)


def listed(reply: planning.QueueListReply, width: int = 80, *, everything: bool = False) -> str:
    """The queue as text of this width."""
    return text.paint(queue_lines(reply, NOW_MS, view(width), everything=everything), view(width))


@pytest.mark.parametrize("width", [80, 60, 40])
def test_a_queue_looks_like_its_snapshot(width: int) -> None:
    """What is nearest to now first; what is complete is counted."""
    assert_snapshot(f"queue-{width}", listed(LISTED, width))


def test_what_is_complete_is_shown_if_asked_for() -> None:
    """At the end, with what it took."""
    assert_snapshot("queue-all", listed(LISTED, everything=True))


def test_a_session_that_has_ended_or_is_due_is_told_so() -> None:
    """An ended Claude session is not a finished one, and a time that has passed is no plan."""
    due = BOOKED | {"scheduledFor": "2026-11-22T09:41:00.000Z"}
    runs = [run(ended_at="2026-11-22T09:30:00.000Z"), run("again", outcome="abandoned")]
    again = planned("again", status="in_progress")
    late = planned("late", deadline="2026-11-21T17:00:00.000Z")
    reply: planning.QueueListReply = EMPTY | {"sessions": [due, RUNNING, again, late], "runs": runs}
    assert_snapshot("queue-ended", listed(reply))


def test_an_empty_queue_says_how_to_begin() -> None:
    """An empty table would look like a fault."""
    said = listed(EMPTY)
    assert said.startswith("Nothing is planned.\n")
    assert "quotactl queue add --id" in said


def test_a_queue_of_what_is_complete_is_not_empty() -> None:
    """But there is nothing to do."""
    said = listed(EMPTY | {"sessions": [COMPLETE]})
    assert said == "Queue · nothing is left to do\n\n1 complete · --all shows them"


@given(
    st.integers(24, 100), st.text(max_size=70), st.integers(0, 10**12), st.floats(0.01, 1000), st.booleans()
)
def test_no_line_is_too_wide(width: int, words: str, tokens: int, hours: float, everything: bool) -> None:
    """In no width, with no id and no number, though the file was edited by hand."""
    odd = planned(words, phase=words, estimatedTokens=tokens, estimatedHours=hours, notes=words, agent=words)
    reply: planning.QueueListReply = LISTED | {
        "sessions": [*LISTED["sessions"], odd],
        "blocked": [{"id": words, "by": [words, words]}],
    }
    assert max(text.cells(line) for line in listed(reply, width, everything=everything).split("\n")) <= width
    one: planning.QueueShowReply = SHOWN | {
        "session": odd | {"objectives": [words, "a\nb"]},
        "needed_by": [words],
    }
    shown = text.paint(show_lines(one, NOW_MS, view(width)), view(width))
    assert max(text.cells(line) for line in shown.split("\n")) <= width


@pytest.mark.parametrize("width", [80, 40])
def test_a_session_looks_like_its_snapshot(width: int) -> None:
    """All that is known of it, and its runs."""
    assert_snapshot(f"queue-show-{width}", text.paint(show_lines(SHOWN, NOW_MS, view(width)), view(width)))


def test_adding_asks_for_what_was_said_and_nothing_else(here: Surroundings) -> None:
    """What is not said is the daemon's to decide."""
    with FakeDaemon(here.socket, {"queue.add": planned(estimatedTokens=30_000)}) as daemon:
        result = here.run("queue", "add", "--id", "api", "--tokens", "30k")
    assert (0, "") == (result.exit_code, result.stderr)
    assert ("queue.add", {"id": "api", "tokens": 30_000}) == daemon.asked[-1]
    assert result.stdout.startswith("api is planned · ready · 30k tokens")


def test_adding_takes_everything_the_wire_takes(here: Surroundings) -> None:
    """Each option is a field; times are UTC instants, directories absolute."""
    words = [
        "--id",
        "docs",
        "--phase",
        "Documentation",
        "--tokens",
        "1.2M",
        "--hours",
        "90m",
        "--priority",
        "low",
    ]
    words += ["--agent", "writer", "--objective", "One", "--objective", "Two", "--depends-on", "api"]
    words += ["--depends-on", "setup", "--deadline", "2026-12-01", "--notes", "N", "--cwd", "/srv/a/../b"]
    with FakeDaemon(here.socket, {"queue.add": planned("docs")}) as daemon:
        assert here.run("queue", "add", *words).exit_code == 0
    expected = {
        "id": "docs",
        "phase": "Documentation",
        "tokens": 1_200_000,
        "hours": 1.5,
        "priority": "LOW",
        "agent": "writer",
        "objectives": ["One", "Two"],
        "depends_on": ["api", "setup"],
        "deadline": "2026-12-01T22:59:00.000Z",
        "notes": "N",
        "cwd": "/srv/b",
    }
    assert ("queue.add", expected) == daemon.asked[-1]
    assert set(expected) == set(planning.AddParams._fields)


def test_a_relative_directory_is_one_of_ours(here: Surroundings) -> None:
    """The daemon stands elsewhere."""
    with FakeDaemon(here.socket, {"queue.add": planned()}) as daemon:
        here.run("queue", "add", "--id", "api", "--tokens", "1", "--cwd", ".")
    assert ("queue.add", {"id": "api", "tokens": 1, "cwd": str(Path.cwd())}) == daemon.asked[-1]


@pytest.mark.parametrize(
    ("arguments", "params"),
    [
        (("--tokens", "80k"), {"tokens": 80_000}),
        (("--ready",), {"ready": True}),
        (("--objective", ""), {"objectives": []}),
        (("--depends-on", "", "--deadline", "", "--cwd", "", "--notes", ""), None),
        (("--priority", "High"), {"priority": "HIGH"}),
    ],
)
def test_editing_names_what_is_to_change(
    here: Surroundings, arguments: tuple[str, ...], params: dict[str, object] | None
) -> None:
    """What is not named stays as it is, and empty text takes away."""
    emptied = {"depends_on": [], "deadline": "", "cwd": "", "notes": ""}
    with FakeDaemon(here.socket, {"queue.edit": planned()}) as daemon:
        assert here.run("queue", "edit", "api", *arguments).exit_code == 0
    expected = {"id": "api", "ready": False} | (emptied if params is None else params)
    assert ("queue.edit", expected) == daemon.asked[-1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("add", "--id", "api"), "Missing option '--tokens'"),
        (("add", "--tokens", "1"), "Missing option '--id'"),
        (("add", "--id", "api", "--tokens", "many"), "'many' is no number of tokens"),
        (("add", "--id", "api", "--tokens", "1", "--deadline", "soon"), "'soon' is no time"),
        (("add", "--id", "api", "--tokens", "1", "--priority", "urgent"), "'urgent' is not one of"),
        (("edit", "api"), "Say what is to change"),
        (("show",), "Missing argument 'ID'"),
        (("import", "/nowhere.md"), "No such file"),
    ],
)
def test_wrong_usage_names_what_is_wrong(here: Surroundings, arguments: tuple[str, ...], said: str) -> None:
    """Before a daemon is looked for."""
    result = here.run("queue", *arguments)
    assert (2, "") == (result.exit_code, result.stdout)
    assert said in result.stderr


@pytest.mark.parametrize(
    ("arguments", "method", "reply"),
    [
        (("list",), "queue.list", LISTED),
        (("show", "docs"), "queue.show", SHOWN),
        (("add", "--id", "api", "--tokens", "1"), "queue.add", planned()),
        (("edit", "api", "--ready"), "queue.edit", planned()),
        (("remove", "api"), "queue.remove", {"ok": True}),
        (("done", "api"), "queue.done", planned()),
        (("export",), "queue.export", {"text": "{}\n"}),
    ],
)
def test_json_is_exactly_the_result(
    here: Surroundings, arguments: tuple[str, ...], method: str, reply: object
) -> None:
    """Nothing added, nothing rounded."""
    with FakeDaemon(here.socket, {method: reply}) as daemon:
        result = here.run("queue", *arguments, "--json")
    assert (0, reply) == (result.exit_code, json.loads(result.stdout))
    assert ["hello", method] == [asked for asked, _ in daemon.asked]


def test_done_tells_what_it_took(here: Surroundings) -> None:
    """The estimate beside what was really spent, and who has waited."""
    shown = SHOWN | {"runs": [ENDED]}
    with FakeDaemon(here.socket, {"queue.done": planned(status="complete"), "queue.show": shown}):
        result = here.run("queue", "done", "api")
    assert result.stdout == "api is complete · 14.1k spent of 12k planned · release-notes waited for it\n"


def test_what_others_need_is_removed_only_by_force(here: Surroundings) -> None:
    """Without a terminal nobody can be asked: it is refused."""
    with FakeDaemon(here.socket, {"queue.remove": NEEDED}) as daemon:
        result = here.run("queue", "remove", "api")
    assert (1, "") == (result.exit_code, result.stdout)
    assert "--force" in result.stderr
    assert [("queue.remove", {"id": "api", "force": False})] == daemon.asked[1:]


def test_force_removes(here: Surroundings) -> None:
    """Without a question."""
    with FakeDaemon(here.socket, {"queue.remove": {"ok": True}}) as daemon:
        result = here.run("queue", "remove", "api", "--force")
    assert (0, "api is no longer planned.\n") == (result.exit_code, result.stdout)
    assert ("queue.remove", {"id": "api", "force": True}) == daemon.asked[-1]


@pytest.mark.parametrize("key", [b"n\r", b"\r", b"what\r", b"\x04"])
def test_at_a_terminal_what_others_need_is_asked_about(here: Surroundings, key: bytes) -> None:
    """And stays unless somebody says yes."""
    with (
        FakeDaemon(here.socket, {"queue.remove": NEEDED}) as daemon,
        Terminal(here, "queue", "remove", "api") as terminal,
    ):
        terminal.shows("[y/N]")
        terminal.press(key)
        assert terminal.wait() == 0
        assert "Nothing was changed." in terminal.text
    assert [("queue.remove", {"id": "api", "force": False})] == daemon.asked[1:]


def test_at_a_terminal_a_yes_removes(here: Surroundings) -> None:
    """The daemon is asked again, by force."""
    with (
        FakeDaemon(here.socket, {"queue.remove": NEEDED}) as daemon,
        Terminal(here, "queue", "remove", "api") as terminal,
    ):
        terminal.shows("[y/N]")
        daemon.replies["queue.remove"] = {"ok": True}
        terminal.press(b"y\r")
        assert terminal.wait() == 0
        assert "api is no longer planned." in terminal.text
    assert ("queue.remove", {"id": "api", "force": True}) == daemon.asked[-1]


@pytest.mark.parametrize(
    ("name", "content", "options", "form"),
    [
        ("tasks.md", "- [ ] One (30k)\n", (), "markdown"),
        ("tasks.md", "{not a queue}", (), "markdown"),
        ("session-queue.json", ' \n{"sessions": []}', (), "json"),
        ("tasks", "# Tasks\n- [ ] One", (), "markdown"),
        ("tasks", '{"sessions": []}', ("--form", "markdown"), "markdown"),
        ("tasks", "\ufeff{}", (), "json"),
    ],
)
def test_a_file_is_taken_for_what_it_looks_like(
    here: Surroundings, name: str, content: str, options: tuple[str, ...], form: str
) -> None:
    """By its suffix, else by its beginning, unless it is said."""
    file = here.root / name
    file.write_text(content, encoding="utf-8")
    with FakeDaemon(
        here.socket, {"queue.import": {"added": ["one", "two"], "kept": [], "assumed": []}}
    ) as daemon:
        result = here.run("queue", "import", str(file), *options)
    assert (0, "2 sessions planned: one, two.\n") == (result.exit_code, result.stdout)
    assert ("queue.import", {"text": content.removeprefix("\ufeff"), "form": form}) == daemon.asked[-1]


def test_an_import_says_what_is_not_as_the_file_says(here: Surroundings) -> None:
    """What stays as it was in the queue, and what got a number of tokens that nobody had said."""
    file = here.root / "tasks.md"
    file.write_text("- [ ] One")
    reply = {"added": ["one", "two"], "kept": ["old", "older"], "assumed": ["two"]}
    with FakeDaemon(here.socket, {"queue.import": reply}):
        said = here.run("queue", "import", str(file)).stdout
    assert said.splitlines() == [
        "2 sessions planned: one, two.",
        "In the queue already, and left as it is there: old, older.",
        "Without a number of tokens, so 30k are assumed: two.",
        "→ Say it better: quotactl queue edit two --tokens 60k",
    ]


def test_standard_input_is_a_file_too(here: Surroundings) -> None:
    """By the name that other programs give it."""
    with FakeDaemon(here.socket, {"queue.import": {"added": [], "kept": [], "assumed": []}}) as daemon:
        result = CliRunner().invoke(cli, ["queue", "import", "-"], obj=here.console(), input="- [ ] One")
    assert (0, "There is no new session in it.\n") == (result.exit_code, result.stdout)
    assert ("queue.import", {"text": "- [ ] One", "form": "markdown"}) == daemon.asked[-1]


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"\xff\xfe", "is no text in UTF-8 (byte 1)"), (b"x" * 2**20, "is larger than 1 MiB")],
)
def test_what_cannot_be_sent_is_said(here: Surroundings, content: bytes, said: str) -> None:
    """The daemon is not even asked."""
    file = here.root / "tasks.md"
    file.write_bytes(content)
    result = here.run("queue", "import", str(file))
    assert (1, "") == (result.exit_code, result.stdout)
    assert said in result.stderr


def test_what_just_fits_is_sent(here: Surroundings) -> None:
    """At its most the request is as long as a request may be, and no longer."""
    file = here.root / "tasks.md"
    most = (
        wire.REQUEST_BYTES_MAX - 1024 - len(wire.request("queue.import", {"text": "", "form": "markdown"}, 1))
    )
    with FakeDaemon(here.socket, {"queue.import": {"added": [], "kept": [], "assumed": []}}):
        file.write_bytes(b"x" * most)
        assert here.run("queue", "import", str(file)).exit_code == 0
        file.write_bytes(b"x" * (most + 1))
        assert here.run("queue", "import", str(file)).exit_code == 1


def test_an_export_is_the_file_as_it_is(here: Surroundings) -> None:
    """To the last sign."""
    content = '{\n  "sessions": [],\n  "mine": "ä"\n}\n'
    with FakeDaemon(here.socket, {"queue.export": {"text": content}}):
        assert content == here.run("queue", "export").stdout


def test_list_and_show_are_text_without_json(here: Surroundings) -> None:
    """In a pipe at most 80 columns; what is complete is listed if asked for."""
    with FakeDaemon(here.socket, {"queue.list": LISTED, "queue.show": SHOWN}):
        assert here.run("queue", "list").stdout.rstrip("\n") == listed(LISTED)
        assert here.run("queue", "list", "--all").stdout.rstrip("\n") == listed(LISTED, everything=True)
        assert "Documentation" in here.run("queue", "show", "docs").stdout


def test_what_is_added_but_blocked_says_what_it_waits_for(here: Surroundings) -> None:
    """Nobody should wonder why it is not offered."""
    with FakeDaemon(here.socket, {"queue.add": planned(status="blocked", dependencies=["setup", "schema"])}):
        result = here.run("queue", "add", "--id", "api", "--tokens", "1")
    assert "waits for setup, schema" in result.stdout


def test_a_queue_that_is_not_the_files_is_said_first() -> None:
    """In the list, whether it is empty or not, and beside one session."""
    problem: dict[str, object] = {"problem": "session-queue.json, line 7: no number"}
    for reply in (LISTED | problem, EMPTY | problem):
        assert listed(reply).startswith("! session-queue.json, line 7: no number\n\n")  # type: ignore[arg-type]
    lines = show_lines(SHOWN | problem, NOW_MS, view())  # type: ignore[arg-type]
    assert text.paint(lines, view()).startswith("! session-queue.json, line 7: no number\n\ndocs")


def test_a_long_id_breaks_no_line_of_what_is_in_progress() -> None:
    """When it began gives way to what it has spent."""
    name = "a-session-with-a-very-long-id"
    reply = LISTED | {"sessions": [RUNNING | {"id": name}], "runs": [run(name)]}
    shown = listed(reply)
    assert "in progress · 11.2k spent" in shown
    assert len(shown.split("\n")) == 4


@pytest.mark.parametrize(
    ("session", "warning"),
    [
        ({"cwd": "/no/such/place"}, "! /no/such/place is no directory now; `start` needs it to be one."),
        ({"cwd": "/"}, ""),
        ({"cwd": "/", "deadline": "2026-11-21T10:00:00.000Z"}, "! Its deadline, Sat 11:00, has passed."),
        ({"cwd": "/", "deadline": "2026-11-21T10:00:00.000Z", "status": "complete"}, ""),
        ({"cwd": "/", "deadline": "2026-11-22T18:00:00.000Z"}, ""),
        (
            {
                "cwd": "/",
                "deadline": "2026-11-22T18:00:00.000Z",
                "status": "scheduled",
                "scheduledFor": "2026-11-22T17:00:00.000Z",
            },
            "! It ends after its deadline, 19:00.",
        ),
    ],
)
@pytest.mark.parametrize(
    ("command", "arguments"), [("add", ("--id", "api", "--tokens", "1")), ("edit", ("api", "--ready"))]
)
def test_what_may_have_been_meant_otherwise_is_said(
    here: Surroundings, session: dict[str, object], warning: str, command: str, arguments: tuple[str, ...]
) -> None:
    """It is done all the same: a disk may not be mounted, and a deadline may be missed knowingly."""
    with FakeDaemon(here.socket, {f"queue.{command}": planned(**session)}):
        result = here.run("queue", command, *arguments)
    assert (0, "") == (result.exit_code, result.stderr)
    assert [warning] * bool(warning) == [line for line in result.stdout.split("\n") if line.startswith("!")]
