"""What every command has in common: exit codes, the streams, help, and how little it imports."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from quotactl.cli import COMMANDS, cli
from quotad import wire
from tests.quotactl.conftest import Surroundings
from tests.quotactl.fake_daemon import Error, FakeDaemon
from tests.quotactl.replies import status

REFUSAL = Error(code=wire.REFUSED, message="The ledger cannot be read.", data={"code": "ledger-unavailable"})

ASKING = [
    *(
        "status",
        "watch",
        "sync",
        "history",
        "doctor",
        "next",
        "start",
        "start --yes",
        "start --print",
        "plan",
    ),
    *("schedule api", "unschedule api", "queue list", "queue show api", "queue add --id api --tokens 1"),
    *(
        "queue edit api --tokens 1",
        "queue remove api",
        "queue done api",
        "queue export",
        "start --here --session x",
    ),
]


def all_commands() -> dict[str, click.Command]:
    """Every command and subcommand under the words that call it."""
    found: dict[str, click.Command] = {}
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        found[name] = command
        if isinstance(command, click.Group):
            found |= {f"{name} {inner}": one for inner, one in command.commands.items()}
    return found


@pytest.mark.parametrize("words", [*ASKING, "notify test"])
def test_without_a_daemon_it_is_69_and_says_how_to_start_one(here: Surroundings, words: str) -> None:
    """The message is on standard error, and standard output stays empty."""
    result = here.run(*words.split())
    assert (69, "") == (result.exit_code, result.stdout)
    assert "quotactl up" in result.stderr


@pytest.mark.parametrize("arguments", [("--exit-zero", "sync"), ("sync", "--exit-zero")])
def test_exit_zero_stands_before_or_after_the_command(here: Surroundings, arguments: tuple[str, ...]) -> None:
    """It turns 69 into 0, and the reason goes to standard output."""
    result = here.run(*arguments)
    assert (0, "") == (result.exit_code, result.stderr)
    assert "quotactl up" in result.stdout


@pytest.mark.parametrize("arguments", [("--exit-zero", "notify", "test"), ("notify", "test", "--exit-zero")])
def test_exit_zero_stands_after_a_command_of_two_words(
    here: Surroundings, arguments: tuple[str, ...]
) -> None:
    """Wherever it stands, it is the same."""
    result = here.run(*arguments)
    assert (0, "") == (result.exit_code, result.stderr)


def test_exit_zero_with_json_tells_the_reason_as_json(here: Surroundings) -> None:
    """A program finds one object with a code, and nothing else."""
    result = here.run("status", "--json", "--exit-zero")
    assert result.exit_code == 0
    error = json.loads(result.stdout)["error"]
    assert error["code"] == "no-daemon"
    assert "quotactl up" in error["message"]


def test_a_refusal_is_1_and_the_reason_is_on_standard_error(here: Surroundings) -> None:
    """Nothing is on standard output."""
    with FakeDaemon(here.socket, {"status": REFUSAL}):
        result = here.run("status")
    assert (1, "", "The ledger cannot be read.\n") == (result.exit_code, result.stdout, result.stderr)


def test_a_refusal_keeps_its_code_in_json(here: Surroundings) -> None:
    """The daemon's own words, for programs."""
    with FakeDaemon(here.socket, {"status": REFUSAL}):
        result = here.run("--exit-zero", "status", "--json")
    expected = {"error": {"code": "ledger-unavailable", "message": "The ledger cannot be read."}}
    assert (0, expected) == (result.exit_code, json.loads(result.stdout))


@pytest.mark.parametrize(
    "arguments",
    [
        ("statsu",),
        ("status", "--jsn"),
        ("status", "now"),
        ("sync", "--timeout", "soon"),
        ("sync", "--timeout", "-1"),
        ("history", "--by", "year"),
        ("history", "--since", "then"),
        ("history", "--json", "--csv"),
        ("completion", "tcsh"),
        ("config",),
        ("demo", "--speed", "0"),
    ],
)
def test_wrong_usage_is_2_even_with_exit_zero(here: Surroundings, arguments: tuple[str, ...]) -> None:
    """A mistake in a slash command should be found by whoever writes it."""
    result = here.run("--exit-zero", *arguments)
    assert (2, "") == (result.exit_code, result.stdout)


def test_a_wrong_environment_is_wrong_usage(here: Surroundings) -> None:
    """The variable is named."""
    here.environment["QUOTAD_SOCKET"] = "relative.sock"
    result = here.run("status")
    assert result.exit_code == 2
    assert "QUOTAD_SOCKET" in result.stderr


@pytest.mark.parametrize(
    ("typed", "meant"), [("statsu", "status"), ("histroy", "history"), ("wacth", "watch")]
)
def test_a_mistyped_command_is_recognised(here: Surroundings, typed: str, meant: str) -> None:
    """The nearest one is offered."""
    assert f"Did you mean `quotactl {meant}`?" in here.run(typed).stderr


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("run", "quotactl start"),
        ("restart", "quotactl down && quotactl up"),
        ("stop", "quotactl down"),
        ("help", "quotactl -h"),
        ("version", "quotactl --version"),
        ("config chekc", "quotactl config check"),
        ("config help", "quotactl config -h"),
        ("notify tset", "quotactl notify test"),
        ("service instal", "quotactl service install"),
        ("service stop", "quotactl down"),
        ("ls", "quotactl queue list"),
        ("add", "quotactl queue add"),
        ("queue rm", "quotactl queue remove"),
    ],
)
def test_what_others_call_a_command_is_recognised(here: Surroundings, typed: str, meant: str) -> None:
    """In the same words at the top and in a group."""
    result = here.run(*typed.split())
    said = f"Error: There is no command {typed.rsplit(maxsplit=1)[-1]!r}. Did you mean `{meant}`?\n"
    assert (2, "") == (result.exit_code, result.stdout)
    assert result.stderr.endswith(said)


def test_a_strange_command_gets_no_guess(here: Surroundings) -> None:
    """A guess far off would only confuse."""
    assert "Did you mean" not in here.run("xyzzy").stderr


def test_alone_it_prints_its_help(here: Surroundings) -> None:
    """On standard output, and that is no error: whoever types a name to see what it is gets told."""
    alone, asked = here.run(), here.run("--help")
    assert (0, asked.stdout) == (alone.exit_code, alone.stdout)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_lists_every_command_in_one_line(here: Surroundings, name: str) -> None:
    """With what it does, uncut."""
    assert re.search(rf"^  {name} +{re.escape(COMMANDS[name].help)}$", here.run("-h").stdout, re.MULTILINE)


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize("words", all_commands())
def test_every_command_explains_itself(here: Surroundings, words: str, option: str) -> None:
    """In lines of at most 80 columns."""
    result = here.run(*words.split(), option)
    assert result.exit_code == 0
    assert max(map(len, result.stdout.splitlines())) <= 80


@pytest.mark.parametrize("words", [words for words in all_commands() if not words.startswith("service")])
def test_every_command_has_examples_that_call_it(here: Surroundings, words: str) -> None:
    """Each on a line of its own."""
    _, _, examples = here.run(*words.split(), "-h").stdout.partition("Examples:\n")
    assert f"quotactl {words}" in examples


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_the_shell(here: Surroundings, shell: str) -> None:
    """Click's own, under our name."""
    result = here.process("completion", shell)
    assert result.returncode == 0
    assert "_QUOTACTL_COMPLETE" in result.stdout


def test_completion_completes(here: Surroundings) -> None:
    """As the script of bash asks."""
    asked = {"_QUOTACTL_COMPLETE": "bash_complete", "COMP_WORDS": "quotactl hi", "COMP_CWORD": "1"}
    result = subprocess.run(
        [sys.executable, "-c", "from quotactl.__main__ import main; main()"],
        env=here.environment | asked,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.split() == ["plain,history"]


def test_the_version_is_the_distributions(here: Surroundings) -> None:
    """Or says that nothing is installed, as in a bare checkout."""
    assert re.fullmatch(r"quotactl (\d+\.\d+\.\d+\S*|\(not installed\))\n", here.run("--version").stdout)


IMPORTED = """
import runpy, sys
sys.argv = ["quotactl", *{arguments}]
try:
    runpy.run_module("quotactl", run_name="__main__", alter_sys=True)
except SystemExit:
    pass
print("\\n".join(sorted(sys.modules)), file=sys.stderr)
"""


@pytest.mark.parametrize(
    "arguments",
    [
        *([word] for word in ("history", "doctor", "next", "plan", "-h")),
        ["status", "--json"],
        ["watch", "-h"],
        ["demo", "-h"],
    ],
)
def test_a_command_imports_little(here: Surroundings, arguments: list[str]) -> None:
    """Neither asyncio nor pydantic nor rich, of quotad the wire only, and of the commands only its own."""
    with FakeDaemon(here.socket, {"status": status(), "history": [], "doctor": {"ok": True, "checks": []}}):
        result = subprocess.run(
            [sys.executable, "-c", IMPORTED.format(arguments=arguments)],
            env=here.environment,
            capture_output=True,
            text=True,
            check=True,
        )
    modules = set(result.stderr.split())
    assert "quotactl.cli" in modules
    heavy = {"asyncio", "pydantic", "rich", "watchfiles", "msgspec", "sqlite3", "importlib.metadata"}
    if arguments == ["doctor"]:
        heavy.remove("importlib.metadata")
    assert set() == heavy & modules
    assert {"quotad", "quotad.places", "quotad.wire"} == {
        name for name in modules if name.split(".")[0] == "quotad"
    }
    foreign = {entry.module for name, entry in COMMANDS.items() if name != arguments[0]}
    if arguments == ["doctor"]:
        foreign.remove("quotactl.up")
    if arguments[0] == "demo":
        foreign.remove("quotactl.up")
    assert set() == foreign & modules


def test_the_environment_is_read_at_the_edge_only() -> None:
    """Everything else gets it handed in."""
    package = Path(__file__).parents[2] / "quotactl"
    readers = {
        str(file.relative_to(package))
        for file in package.rglob("*.py")
        if re.search(r"os\.(environ|getenv)", file.read_text(encoding="utf-8"))
    }
    assert {"__main__.py"} == readers
