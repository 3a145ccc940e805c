"""Acting on a decision: what is asked, what is claimed, and how Claude Code is run."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from quotactl.decision_text import prompt_of
from quotad import wire
from quotad.wire import planning
from tests.quotactl.conftest import Surroundings
from tests.quotactl.fake_daemon import Error, FakeDaemon
from tests.quotactl.planned import DOCS, decision, later, nothing, planned, run, scheduled, smaller
from tests.quotactl.replies import status
from tests.quotactl.snapshot import assert_snapshot
from tests.quotactl.terminal import Terminal, wait_until

CLAUDE = """
import json, os, signal, sys
with open(os.path.join(os.path.dirname(__file__), "called.json"), "w") as file:
    json.dump({"argv": sys.argv, "cwd": os.getcwd(), "environment": dict(os.environ),
               "pipe": signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN}, file)
print("Claude Code here.")
sys.exit(7)
"""
"""Python ignores SIGPIPE when it starts, so the last line of the record says nothing; see the shell below."""

DOES_NOT_FIT = Error(
    code=wire.REFUSED, message="api no longer fits: 12k are available.", data={"code": "does-not-fit"}
)
STILL = (
    "api is still in progress · 12k of 65k spent. `quotactl queue done api` when it is finished, or "
    "`quotactl queue edit api --ready` to take it back."
)
SESSION = "5f0c1d2e-0000-4000-8000-00000000a001"


class Called:
    """What the stand-in for Claude Code has recorded."""

    def __init__(self, here: Surroundings) -> None:
        record = json.loads((here.root / "bin" / "called.json").read_text(encoding="utf-8"))
        self.arguments: list[str] = record["argv"][1:]
        self.cwd = Path(record["cwd"])
        self.environment: dict[str, str] = record["environment"]


def with_claude(here: Surroundings, source: str = CLAUDE) -> None:
    """A program named ``claude`` is the first on the PATH."""
    here.install("claude", source)
    here.environment["PATH"] = f"{here.root / 'bin'}:{here.environment['PATH']}"


def without_claude(here: Surroundings) -> None:
    """Whatever this machine has, there is no ``claude`` on the PATH."""
    here.environment["PATH"] = str(here.root)


def at_home(here: Surroundings, **differing: object) -> planning.PlannedReply:
    """A session that runs in a directory that exists."""
    directory = here.root / "a shop"
    directory.mkdir(exist_ok=True)
    return planned(cwd=str(directory), **differing)


def ends_with(daemon: FakeDaemon, actual: int = 12_000, **differing: object) -> None:
    """What the daemon knows of the session that was claimed once Claude Code has ended."""

    def shown() -> planning.QueueShowReply:
        claim = asked(daemon, "start")[-1]
        mine = run("api", claude_session=claim["claude_session"], estimate=65_000, actual=actual)
        session = planned(status="in_progress") | differing.pop("session", {})  # type: ignore[operator]
        return {
            "session": session,
            "blocked_by": [],
            "needed_by": [],
            "runs": [run("api"), mine | differing],  # type: ignore[list-item]
            "problem": None,
        }

    daemon.replies["queue.show"] = shown


def asked(daemon: FakeDaemon, method: str) -> list[dict[str, object]]:
    """The parameters of each request of this method."""
    return [dict(params) for name, params in daemon.asked if name == method and isinstance(params, dict)]


def test_without_a_terminal_nothing_is_done_unasked(here: Surroundings) -> None:
    """The decision is shown, and what to type to act on it."""
    with FakeDaemon(here.socket, {"next": decision()}) as daemon:
        result = here.process("start")
    assert (0, "") == (result.returncode, result.stderr)
    assert "Start now: api" in result.stdout
    assert "quotactl start api --yes" in result.stdout
    assert ["hello", "next"] == [method for method, _ in daemon.asked]


def test_an_id_and_hours_are_decided_about(here: Surroundings) -> None:
    """As the claim would be."""
    with FakeDaemon(here.socket, {"next": decision()}) as daemon:
        here.run("start", "api", "--hours", "4")
    assert [{"id": "api", "hours": 4.0}] == asked(daemon, "next")


@pytest.mark.parametrize("reply", [decision(), later(), nothing()])
def test_json_is_the_decision_and_nothing_is_done(here: Surroundings, reply: planning.DecisionReply) -> None:
    """Exactly what `next --json` prints."""
    with FakeDaemon(here.socket, {"next": reply}) as daemon:
        result = here.run("start", "--json")
    assert (0, reply) == (result.exit_code, json.loads(result.stdout))
    assert ["hello", "next"] == [method for method, _ in daemon.asked]


def test_yes_claims_and_runs_claude(here: Surroundings) -> None:
    """Under the claim's id, with agent and objectives, in the session's directory; its exit code is ours."""
    with_claude(here)
    session = at_home(here)
    with FakeDaemon(here.socket, {"start": decision(session=session)}) as daemon:
        ends_with(daemon)
        result = here.process("start", "--yes", "--hours", "4")
    assert result.returncode == 7
    assert result.stdout.endswith("Claude Code here.\n")
    assert " ".join(result.stderr.split()) == STILL
    (claim,) = asked(daemon, "start")
    called = Called(here)
    assert [
        "--session-id",
        claim["claude_session"],
        "--agent",
        "backend-dev",
        prompt_of(session),
    ] == called.arguments
    assert uuid.UUID(str(claim["claude_session"])).version == 4
    assert (here.root / "a shop").samefile(called.cwd)
    del claim["claude_session"]
    expected = {
        "id": None,
        "hours": 4.0,
        "only_if_it_fits": False,
    }
    assert expected == claim
    assert [] == asked(daemon, "release")


def test_without_agent_and_directory_it_runs_where_we_stand(here: Surroundings) -> None:
    """And with Claude Code's own agent."""
    with_claude(here)
    session = planned(agent="", cwd="")
    with FakeDaemon(here.socket, {"start": decision(session=session)}):
        here.process("start", "api", "--yes")
    called = Called(here)
    assert ["--session-id", prompt_of(session)] == [called.arguments[0], called.arguments[2]]
    assert here.root.samefile(called.cwd)


def test_a_session_started_from_within_claude_code_is_not_nested(here: Surroundings) -> None:
    """anthropics/claude-code 72347: it would keep no transcript, and nothing of it could be counted."""
    with_claude(here)
    around = {"CLAUDECODE": "1", "CLAUDE_CODE_CHILD_SESSION": "1", "CLAUDE_CODE_SESSION_ID": "other"}
    with FakeDaemon(here.socket, {"start": decision(session=at_home(here))}):
        here.process("start", "--yes", **around)
    environment = Called(here).environment
    assert set() == set(around) & set(environment)
    assert str(here.root / "claude") == environment["CLAUDE_CONFIG_DIR"]
    assert str(here.root / "a shop") == environment["PWD"]


def test_claude_gets_its_signals_as_a_shell_gives_them(here: Surroundings) -> None:
    """Python ignores two, and what is ignored would stay so in every program that Claude Code runs."""
    program = here.root / "bin" / "claude"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\ngrep SigIgn /proc/$$/status\n", encoding="utf-8")
    program.chmod(0o755)
    here.environment["PATH"] = f"{program.parent}:{here.environment['PATH']}"
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux tells")
    with FakeDaemon(here.socket, {"start": decision(session=at_home(here))}):
        result = here.process("start", "--yes")
    ignored = int(result.stdout.split("SigIgn:")[1].split()[0], 16)
    assert not ignored & (1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1)


def test_json_and_yes_print_the_result_first(here: Surroundings) -> None:
    """One line for the program that asked, then Claude Code speaks."""
    with_claude(here)
    reply = decision(session=at_home(here))
    with FakeDaemon(here.socket, {"start": reply}) as daemon:
        ends_with(daemon)
        result = here.process("start", "--yes", "--json")
    first, *rest = result.stdout.splitlines()
    assert " ".join(result.stderr.split()) == STILL
    assert (reply, ["Claude Code here."]) == (json.loads(first), rest)


@pytest.mark.parametrize("reply", [later(), nothing()])
def test_yes_runs_nothing_when_there_is_nothing_to_start(
    here: Surroundings, reply: planning.DecisionReply
) -> None:
    """The daemon has booked it, or there is nothing; both are no failure."""
    with_claude(here)
    with FakeDaemon(here.socket, {"start": reply}):
        result = here.process("start", "--yes")
    assert (0, "") == (result.returncode, result.stderr)
    assert not (here.root / "bin" / "called.json").exists()
    assert ("is booked for" in result.stdout) == (reply["action"] == "schedule")
    assert reply["reason"].split()[0] in result.stdout


def failing_claude(here: Surroundings) -> None:
    """A program of the name that cannot be run."""
    with_claude(here)
    (here.root / "bin" / "claude").write_text("#!/no/such/interpreter\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("prepare", "session", "said"),
    [
        (without_claude, {"cwd": ""}, "there is no `claude` on your PATH. api is ready again."),
        (
            with_claude,
            {"cwd": "/no/such/place"},
            "cannot be started in /no/such/place: No such file or directory.",
        ),
        (failing_claude, {"cwd": ""}, "Claude Code cannot be started: [Errno 2]"),
        (with_claude, {"cwd": "", "agent": "a\0b"}, "Claude Code cannot be started: embedded null byte."),
    ],
)
def test_what_cannot_run_gives_its_claim_back(
    here: Surroundings, prepare: object, session: dict[str, object], said: str
) -> None:
    """The reason is told, and the session is as it was."""
    assert callable(prepare)
    command = here.command("start", "--yes")
    prepare(here)
    with FakeDaemon(
        here.socket, {"start": decision(session=planned(**session)), "release": {"ok": True}}
    ) as daemon:
        result = subprocess.run(
            command, env=here.environment, cwd=here.root, capture_output=True, text=True, check=False
        )
    assert result.returncode == 1
    assert said in result.stderr
    assert "api is ready again." in result.stderr
    (claim,) = asked(daemon, "start")
    assert [{"id": "api", "claude_session": claim["claude_session"]}] == asked(daemon, "release")


def test_a_claim_that_cannot_be_given_back_is_told(here: Surroundings) -> None:
    """With the command that does it by hand."""
    refusal = Error(code=wire.REFUSED, message="The disk is full.", data={"code": "queue-unwritable"})
    command = here.command("start", "--yes")
    without_claude(here)
    with FakeDaemon(here.socket, {"start": decision(session=planned(cwd="")), "release": refusal}):
        result = subprocess.run(
            command, env=here.environment, cwd=here.root, capture_output=True, text=True, check=False
        )
    assert "api is still claimed (The disk is full.): quotactl queue edit api --ready" in result.stderr


def test_print_prints_a_command_line_and_nothing_else(here: Surroundings) -> None:
    """A shell runs it as it stands: in the directory, quoted; nothing is claimed, even with --yes."""
    session = at_home(here, objectives=['Don\'t "panic"; $HOME `id`'])
    with FakeDaemon(here.socket, {"next": decision(session=session)}) as daemon:
        result = here.run("start", "--print", "--yes")
    assert (0, "") == (result.exit_code, result.stderr)
    assert ["hello", "next"] == [method for method, _ in daemon.asked]
    words = shlex.split(result.stdout)
    assert ["cd", str(here.root / "a shop"), "&&", "claude", "--session-id"] == words[:5]
    assert uuid.UUID(words[5]).version == 4
    assert ["--agent", "backend-dev", prompt_of(session)] == words[6:]


@pytest.mark.parametrize("reply", [later(), nothing()])
def test_print_says_on_standard_error_why_there_is_nothing(
    here: Surroundings, reply: planning.DecisionReply
) -> None:
    """So that a shell that runs the output runs nothing."""
    with FakeDaemon(here.socket, {"next": reply}):
        result = here.run("start", "--print")
    assert (0, "", reply["reason"] + "\n") == (result.exit_code, result.stdout, result.stderr)


@pytest.mark.parametrize(
    "arguments", [("--print", "--here"), ("--print", "--json"), ("--session", SESSION), ("--hours", "0")]
)
def test_what_contradicts_itself_is_wrong_usage(here: Surroundings, arguments: tuple[str, ...]) -> None:
    """Before a daemon is looked for."""
    result = here.run("start", *arguments)
    assert (2, "") == (result.exit_code, result.stdout)


@pytest.mark.parametrize(
    ("environment", "arguments"),
    [
        ({"CLAUDE_CODE_SESSION_ID": SESSION, "CLAUDE_SESSION_ID": "other"}, ()),
        ({"CLAUDE_SESSION_ID": SESSION}, ()),
        ({"CLAUDE_CODE_SESSION_ID": "other"}, ("--session", SESSION)),
    ],
)
def test_here_claims_for_the_session_that_asks(
    here: Surroundings, environment: dict[str, str], arguments: tuple[str, ...]
) -> None:
    """And prints what it is to do, for Claude to read."""
    here.environment |= environment
    with FakeDaemon(here.socket, {"next": decision(), "start": decision()}) as daemon:
        result = here.run("start", "--here", *arguments)
    assert (0, "") == (result.exit_code, result.stderr)
    (claim,) = asked(daemon, "start")
    assert (SESSION, "api", True) == (claim["claude_session"], claim["id"], claim["only_if_it_fits"])
    assert_snapshot("start-here", result.stdout.rstrip("\n"))


def test_here_books_nothing_unasked(here: Surroundings) -> None:
    """What does not fit is told, with what to type; it is no failure."""
    with FakeDaemon(here.socket, {"next": later()}) as daemon:
        result = here.run("start", "--here", "--session", SESSION)
    assert result.exit_code == 0
    assert "quotactl schedule api" in result.stdout
    assert "quotactl start polish --here\n" in result.stdout
    assert [] == asked(daemon, "start")


def test_here_with_yes_books_what_does_not_fit(here: Surroundings) -> None:
    """In one request: the daemon decides and acts."""
    with FakeDaemon(here.socket, {"next": later(), "start": later()}) as daemon:
        result = here.run("start", "--here", "--session", SESSION, "--yes")
    assert "api is booked for 14:41" in result.stdout
    assert [False] == [claim["only_if_it_fits"] for claim in asked(daemon, "start")]


def test_here_needs_to_know_which_session_it_is(here: Surroundings) -> None:
    """A slash command shows why: it is no wrong usage, which would abort it."""
    result = here.run("start", "--here", "--exit-zero")
    assert (0, "") == (result.exit_code, result.stderr)
    assert "CLAUDE_CODE_SESSION_ID is not set" in result.stdout


def test_what_no_longer_fits_is_refused(here: Surroundings) -> None:
    """Two that start at once never both get the last tokens; who comes second is told why."""
    with FakeDaemon(here.socket, {"next": decision(), "start": DOES_NOT_FIT}):
        result = here.run("start", "--here", "--session", SESSION)
    assert (1, "", "api no longer fits: 12k are available.\n") == (
        result.exit_code,
        result.stdout,
        result.stderr,
    )


def test_at_a_terminal_it_asks_for_hours_and_before_it_starts(here: Surroundings) -> None:
    """Where you stand first; hours that are none are asked for again; then the claim, only if it fits."""
    with_claude(here)
    reply = decision(session=at_home(here))
    with (
        FakeDaemon(here.socket, {"status": status(), "next": reply, "start": reply}) as daemon,
        Terminal(here, "start", rows=60) as terminal,
    ):
        terminal.shows("How many hours do you have?")
        assert "137.7k left" in terminal.text
        terminal.press(b"many\r")
        terminal.shows("Say 4, 1.5 or 90m.")
        terminal.press(b"4\r")
        terminal.shows("Start it now? [Y/n or a number]")
        assert [] == asked(daemon, "start")
        terminal.press(b"\r")
        assert terminal.wait() == 7
        assert "Claude Code here." in terminal.text
    assert [{"hours": None, "id": None}, {"hours": 4.0, "id": None}] == asked(daemon, "next")
    (claim,) = asked(daemon, "start")
    assert ("api", True) == (claim["id"], claim["only_if_it_fits"])
    assert Called(here).arguments[1] == claim["claude_session"]


def test_at_a_terminal_a_number_chooses_another(here: Surroundings) -> None:
    """The daemon decides about that one, and it is shown before anything is done."""
    with_claude(here)
    docs = decision(session=DOCS | {"cwd": ""}, alternatives=[])
    with (
        FakeDaemon(here.socket, {"status": status(), "next": smaller(), "start": docs}) as daemon,
        Terminal(here, "start", "--hours", "2", rows=60) as terminal,
    ):
        terminal.shows("Start it now? [Y/n or a number]")
        terminal.press(b"3\r")
        terminal.shows("Say y, n or the number of another session.")
        daemon.replies["next"] = docs
        terminal.press(b"2\r")
        terminal.shows("Start it now? [Y/n]")
        terminal.press(b"y\r")
        assert terminal.wait() == 7
    assert [{"hours": 2.0, "id": None}, {"hours": 2.0, "id": "docs"}] == asked(daemon, "next")
    assert ["docs"] == [claim["id"] for claim in asked(daemon, "start")]


@pytest.mark.parametrize(
    ("outcome", "said"), [(nothing(), "Nothing to start now"), (later(), "is booked for")]
)
def test_what_was_not_claimed_is_not_run(
    here: Surroundings, outcome: planning.DecisionReply, said: str
) -> None:
    """While the question stood, it was called done elsewhere, or the quota was spent."""
    with_claude(here)
    replies = {"status": status(), "next": decision(session=at_home(here)), "start": outcome}
    with FakeDaemon(here.socket, replies), Terminal(here, "start", "api", rows=60) as terminal:
        terminal.shows("[Y/n or a number]")
        terminal.press(b"y\r")
        assert terminal.wait() == 0
        assert said in "\n".join(terminal.lines())
    assert not (here.root / "bin" / "called.json").exists()


def test_at_a_terminal_a_booking_is_asked_about(here: Surroundings) -> None:
    """And made by `schedule`, which writes the calendar's file."""
    replies = {"status": status(), "next": later(), "schedule": scheduled()}
    with FakeDaemon(here.socket, replies) as daemon, Terminal(here, "start", "api", rows=60) as terminal:
        terminal.shows("[Y/n or a number]")
        assert "Book it for " in terminal.text
        terminal.press(b"y\r")
        assert terminal.wait() == 0
        assert "api is booked for" in "\n".join(terminal.lines())
    assert [{"id": "api", "at": None}] == asked(daemon, "schedule")
    assert [{"hours": None, "id": "api"}] == asked(daemon, "next")


@pytest.mark.parametrize(("keys", "code"), [(b"n\r", 0), (b"\x04", 0), (b"q\r", 0)])
def test_a_no_changes_nothing(here: Surroundings, keys: bytes, code: int) -> None:
    """Neither does the end of input."""
    with (
        FakeDaemon(here.socket, {"status": status(), "next": decision()}) as daemon,
        Terminal(here, "start", "api", rows=60) as terminal,
    ):
        terminal.shows("[Y/n or a number]")
        terminal.press(keys)
        assert code == terminal.wait()
        assert "Nothing was started or booked." in terminal.text
    assert {"hello", "status", "next"} == {method for method, _ in daemon.asked}


def test_interrupted_it_changes_nothing(here: Surroundings) -> None:
    """With the code of any interrupted program, and without a traceback."""
    with (
        FakeDaemon(here.socket, {"status": status(), "next": decision()}) as daemon,
        Terminal(here, "start", "api", rows=60) as terminal,
    ):
        terminal.shows("[Y/n or a number]")
        terminal.process.send_signal(2)
        assert terminal.wait() == 130
        assert "Traceback" not in terminal.text
    assert {"hello", "status", "next"} == {method for method, _ in daemon.asked}


def test_with_nothing_to_start_nothing_is_asked(here: Surroundings) -> None:
    """The reason is shown, and that is an answer."""
    with (
        FakeDaemon(here.socket, {"status": status(), "next": nothing()}),
        Terminal(here, "start", rows=60) as terminal,
    ):
        assert terminal.wait() == 0
        wait_until(lambda: "Every planned session waits" in terminal.drawn())
        assert "[Y/n" not in terminal.text
        assert "How many hours" not in terminal.text


def ending(here: Surroundings, source: str) -> None:
    """A ``claude`` that ends as the line of Python says."""
    with_claude(here, f"import os, signal, sys\n{source}\n")


@pytest.mark.parametrize(
    ("source", "how", "code"),
    [("sys.exit(3)", "with 3", 3), ("os.kill(os.getpid(), signal.SIGKILL)", "by SIGKILL", 137)],
)
def test_a_failure_that_spent_nothing_gives_the_claim_back(
    here: Surroundings, source: str, how: str, code: int
) -> None:
    """Its tokens would stay promised to a session that nobody works on."""
    ending(here, source)
    with FakeDaemon(here.socket, {"start": decision(session=at_home(here)), "release": planned()}) as daemon:
        ends_with(daemon, actual=0)
        result = here.process("start", "--yes")
    assert result.returncode == code
    assert f"claude ended {how} before it spent anything: api is ready again.\n" == result.stderr
    (claim,) = asked(daemon, "start")
    assert [{"id": "api", "claude_session": claim["claude_session"]}] == asked(daemon, "release")


@pytest.mark.parametrize(("source", "actual"), [("sys.exit(3)", 12_000), ("", 12_000), ("", 0)])
def test_what_spent_or_did_not_fail_stays_in_progress(here: Surroundings, source: str, actual: int) -> None:
    """It can be resumed; what there is to type is said."""
    ending(here, source)
    with FakeDaemon(here.socket, {"start": decision(session=at_home(here))}) as daemon:
        ends_with(daemon, actual=actual)
        result = here.process("start", "--yes")
    said = " ".join((result.stderr or result.stdout).split())
    assert said.endswith(STILL if actual else STILL.replace("12k", "0"))
    assert (bool(source)) == bool(result.stderr)
    assert [] == asked(daemon, "release")


def test_what_claude_called_done_is_done(here: Surroundings) -> None:
    """Then there is nothing left to type."""
    ending(here, "")
    with FakeDaemon(here.socket, {"start": decision(session=at_home(here))}) as daemon:
        ends_with(daemon, outcome="complete", session={"status": "complete"})
        result = here.process("start", "--yes")
    assert (0, "") == (result.returncode, result.stderr)
    assert result.stdout.endswith("\napi is complete.\n")


def test_a_daemon_that_is_gone_meanwhile_is_no_failure_of_claude(here: Surroundings) -> None:
    """Its exit code is passed on; what became of the session is to be looked up."""
    ending(here, f"os.unlink({str(here.socket)!r}); sys.exit(4)")
    with FakeDaemon(here.socket, {"start": decision(session=at_home(here))}):
        result = here.process("start", "--yes")
    assert result.returncode == 4
    said = " ".join(result.stderr.split())
    assert said.startswith("api may still be in progress (")
    assert said.endswith("): quotactl queue show api")


SLEEPER = """
import os, signal
def ended(number, frame):
    # Nothing that the signal may have come in the midst of.
    os.write(1, b"claude got " + signal.Signals(number).name.encode() + b"\\n")
    os._exit(5)
for one in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
    signal.signal(one, ended)
print("claude is up", os.getpgid(0) == os.getpgid(os.getppid()), flush=True)
while True:
    signal.pause()
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_what_ends_us_ends_claude(here: Surroundings, name: str) -> None:
    """It is passed on, and we say what there is to say when Claude Code has ended."""
    with_claude(here, SLEEPER)
    with FakeDaemon(here.socket, {"start": decision(session=at_home(here))}) as daemon:
        ends_with(daemon)
        with Terminal(here, "start", "--yes", rows=60) as terminal:
            terminal.shows("claude is up True")
            terminal.process.send_signal(signal.Signals[name])
            assert terminal.wait() == 5
            assert f"claude got {name}" in terminal.text
            assert "api is still in progress" in terminal.text


def test_an_interrupt_is_for_claude_alone(here: Surroundings) -> None:
    """From the keyboard both get it; one that only we get does nothing."""
    with_claude(here, SLEEPER)
    with FakeDaemon(here.socket, {"start": decision(session=at_home(here))}) as daemon:
        ends_with(daemon)
        with Terminal(here, "start", "--yes", rows=60) as terminal:
            terminal.shows("claude is up True")
            terminal.process.send_signal(signal.SIGINT)
            terminal.process.send_signal(signal.SIGQUIT)
            os.killpg(terminal.process.pid, signal.SIGINT)
            assert terminal.wait() == 5
            assert "claude got SIGINT" in terminal.text
            assert "Traceback" not in terminal.text


def test_when_claude_stops_so_do_we_and_go_on_with_it(here: Surroundings) -> None:
    """Otherwise the shell would not get its terminal back."""
    with_claude(
        here, "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)\nprint('claude goes on', flush=True)"
    )
    with FakeDaemon(here.socket, {"start": decision(session=at_home(here))}) as daemon:
        ends_with(daemon)
        with Terminal(here, "start", "--yes", rows=60) as terminal:
            pid, status = os.waitpid(terminal.process.pid, os.WUNTRACED)
            assert (terminal.process.pid, True) == (pid, os.WIFSTOPPED(status))
            os.killpg(pid, signal.SIGCONT)
            assert terminal.wait() == 0
            assert "claude goes on" in terminal.text


def test_a_session_without_objectives_is_warned_about(here: Surroundings) -> None:
    """Claude would begin without knowing what to do."""
    bare = at_home(here, objectives=[], phase="")
    with FakeDaemon(here.socket, {"next": decision(session=bare)}):
        said = " ".join(here.run("start").stdout.split())
    assert "! It has no objectives: Claude is told only its id. `quotactl queue edit api --objective" in said


def test_a_booked_session_is_moved_and_not_booked_again(here: Surroundings) -> None:
    """It has its time; the hint does not pretend otherwise."""
    booked = planned(status="scheduled", scheduledFor="2026-11-22T13:41:00.000Z")
    with FakeDaemon(here.socket, {"next": later(session=booked)}):
        said = here.run("start", "api").stdout
    assert "Move it: quotactl schedule api" in said
    assert "quotactl start polish --yes" in said
