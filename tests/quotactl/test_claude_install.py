"""quotactl inside Claude Code's settings: put in, put in again, taken out, and nothing else touched."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotactl.claude import json_text, settings_text
from quotactl.claude.install import (
    Places,
    commands,
    formers,
    install,
    installing,
    read,
    uninstall,
    uninstalling,
)
from quotactl.claude.json_text import NotJson
from quotactl.claude.settings_text import HOOKS, SettingsRefused

PROGRAM = "/opt/quota tools/bin/quotactl"
ELSEWHERE = "/usr/local/bin/quotactl"

EMPTY = "{}"
FULL = """{
    "$schema": "https://json.schemastore.org/claude-code-settings.json",
    "cleanupPeriodDays": 3650,   "env": {"A": "1", "B": "\\u00e9 \\" {"},
    "permissions": { "allow": [ "Bash(git *)", "Read" ], "deny": [] },
    "model": "opus",
    "numbers": [1.50, -0.0, 1e3]
}
"""
STATUS_LINE = """{
  "statusLine": {"type": "command", "command": "~/bin/line.sh --short", "padding": 1},
  "model": "sonnet"
}
"""
OTHER_HOOKS = """{
\t"hooks": {
\t\t"PostToolUse": [
\t\t\t{"matcher": "Edit|Write", "hooks": [{"type": "command", "command": "prettier --write"}]}
\t\t],
\t\t"Stop": []
\t}
}"""
PLUGIN = """{"enabledPlugins": {"quota@local": true}, "extraKnownMarketplaces": {"local": {"source":
 {"source": "directory", "path": "/src/plugins"}}}, "hooks": {}}"""
FIVE = {
    "empty": EMPTY,
    "full": FULL,
    "status-line": STATUS_LINE,
    "other-hooks": OTHER_HOOKS,
    "plugin": PLUGIN,
}


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A Claude Code directory and a state directory of their own."""
    (tmp_path / "claude").mkdir()
    return Places(tmp_path / "claude", tmp_path / "state")


def put_in(places: Places, program: str = PROGRAM) -> bool:
    """Install; whether anything changed."""
    changes, _ = installing(places, program)
    if changes:
        install(places, changes, program)
    return bool(changes)


def take_out(places: Places) -> bool:
    """Uninstall; whether anything changed."""
    changes, _ = uninstalling(places)
    if changes:
        uninstall(places, changes)
    return bool(changes)


def tree(root: Path) -> dict[str, bytes]:
    """Every file below a directory."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("before", FIVE.values(), ids=FIVE)
def test_twice_in_and_once_out_leaves_every_byte(places: Places, before: str) -> None:
    """Five different settings, each as it was; the second install changes nothing."""
    places.settings.write_text(before)
    assert put_in(places)
    once = tree(places.root)
    assert not put_in(places)
    assert once == tree(places.root)
    assert take_out(places)
    assert {"settings.json": before.encode()} == tree(places.root)
    assert {} == tree(places.state)
    assert not take_out(places)


@pytest.mark.parametrize("before", FIVE.values(), ids=FIVE)
def test_without_what_install_wrote_down_only_ours_goes(places: Places, before: str) -> None:
    """With the record lost, or the file changed since: what is left has the old values, in the old order."""
    places.settings.write_text(before)
    put_in(places)
    changed = places.settings.read_text().replace("{", '{"addedSince": [1,  2],', 1)
    places.settings.write_text(changed)
    take_out(places)
    after = json.loads(places.settings.read_text())
    assert [1, 2] == after.pop("addedSince")
    expected = json.loads(before)
    assert (
        expected | {"hooks": after.get("hooks")} if "hooks" in after else without_empty(expected)
    ) == after


def without_empty(settings: dict[str, object]) -> dict[str, object]:
    """Nobody misses the empty object that our hooks were put into."""
    return {name: value for name, value in settings.items() if (name, value) != ("hooks", {})}


def test_settings_that_install_made_go_with_uninstall(places: Places) -> None:
    """Where there were none there are none again, and no empty directory for commands."""
    put_in(places)
    assert places.settings.is_file()
    take_out(places)
    assert [] == list(places.root.iterdir())


def test_every_hook_runs_quotactl_by_its_absolute_path(places: Places) -> None:
    """Without a shell, with a time limit, and PostToolUse in nobody's way."""
    put_in(places)
    hooks = json.loads(places.settings.read_text())["hooks"]
    assert set(HOOKS) == set(hooks)
    for event, ((group,), hook) in zip(hooks, zip(hooks.values(), HOOKS.values(), strict=True), strict=True):
        (handler,) = group["hooks"]
        assert (PROGRAM, ["hook", event]) == (handler["command"], handler["args"])
        assert hook.matcher == group.get("matcher")
        assert handler["timeout"] <= 5
        assert (event == "PostToolUse") is handler.get("async", False)


def test_a_status_line_that_was_there_is_run_by_ours(places: Places) -> None:
    """Its command is kept where ``quotactl statusline`` looks for it, and put back by uninstall."""
    places.settings.write_text(STATUS_LINE)
    put_in(places)
    line = json.loads(places.settings.read_text())["statusLine"]
    assert [PROGRAM, "statusline"] == shlex.split(line["command"])
    assert {str(places.root.resolve()): "~/bin/line.sh --short"} == json.loads(places.former.read_text())
    take_out(places)
    assert not places.former.exists()


def test_the_former_status_line_of_another_root_is_left_alone(places: Places) -> None:
    """One state directory serves several Claude Code directories."""
    other = Places(places.root.parent / "second", places.state)
    other.root.mkdir()
    for each, settings in ((places, STATUS_LINE), (other, FULL)):
        each.settings.write_text(settings)
        put_in(each)
    assert ["~/bin/line.sh --short"] == list(formers(places).values())
    take_out(other)
    assert ["~/bin/line.sh --short"] == list(formers(places).values())
    take_out(places)
    assert {} == tree(places.state)


@pytest.mark.parametrize("before", [STATUS_LINE, OTHER_HOOKS, PLUGIN], ids=["line", "hooks", "plugin"])
def test_an_install_over_what_somebody_changed_comes_out_as_clean(places: Places, before: str) -> None:
    """Put in, changed by hand, put in from another path, taken out: no hook runs any quotactl."""
    places.settings.write_text(before)
    put_in(places)
    changed = places.settings.read_text().replace("{", '{"addedSince": [1,  2],', 1)
    places.settings.write_text(changed)
    put_in(places, ELSEWHERE)
    take_out(places)
    left = places.settings.read_text()
    assert ((), False) == settings_text.found(left)[:2]
    assert '"addedSince": [1,  2],' in left
    assert json.loads(before).get("statusLine") == json.loads(left).get("statusLine")


def test_a_directory_by_another_name_is_the_same(places: Places, tmp_path: Path) -> None:
    """Put in by a link to it, taken out by its real path."""
    link = tmp_path / "link"
    link.symlink_to(places.root)
    places.settings.write_text(STATUS_LINE)
    put_in(Places(link, places.state))
    take_out(places)
    assert STATUS_LINE == places.settings.read_text()
    assert {} == tree(places.state)


def test_a_status_line_that_was_deleted_since_is_not_brought_back(places: Places) -> None:
    """What ours took the place of is forgotten with it."""
    places.settings.write_text(STATUS_LINE)
    put_in(places)
    places.settings.write_text(FULL)
    put_in(places)
    assert {} == formers(places)
    take_out(places)
    assert FULL == places.settings.read_text()


def test_a_linked_directory_of_commands_stays(places: Places, tmp_path: Path) -> None:
    """Only what is in it is ours."""
    (tmp_path / "dotfiles").mkdir()
    (places.root / "commands").symlink_to(tmp_path / "dotfiles")
    put_in(places)
    take_out(places)
    assert (places.root / "commands").is_symlink()
    assert {} == tree(places.state)


def test_a_mark_before_everything_stays(places: Places) -> None:
    """Some editors write one, and people who use them never see it."""
    places.settings.write_bytes(b'\xef\xbb\xbf{"a": 1}')
    put_in(places)
    assert places.settings.read_bytes().startswith(b"\xef\xbb\xbf{")
    take_out(places)
    assert b'\xef\xbb\xbf{"a": 1}' == places.settings.read_bytes()


def test_a_copy_is_left_beside_the_settings(places: Places) -> None:
    """As they were before the first install, however often it is repeated; gone when they are put back."""
    backup = places.root / "settings.json.before-quotad"
    places.settings.write_text(FULL)
    put_in(places)
    put_in(places, ELSEWHERE)
    assert FULL == backup.read_text()
    take_out(places)
    assert not backup.exists()


def test_another_place_of_quotactl_is_taken_over(places: Places) -> None:
    """Installing from elsewhere changes the paths, adds nothing, and comes out as clean."""
    places.settings.write_text(OTHER_HOOKS)
    put_in(places)
    one = places.settings.read_text()
    assert put_in(places, ELSEWHERE)
    other = places.settings.read_text()
    assert one.count("UserPromptSubmit") == other.count("UserPromptSubmit")
    assert PROGRAM not in other
    take_out(places)
    assert OTHER_HOOKS == places.settings.read_text()


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('{\n  // mine\n  "model": "opus"\n}', "line 2, column 3: there is a comment"),
        ('{"a": 1, /* mine */ "b": 2}', "line 1, column 10: there is a comment"),
        ('{"a": 1,}', "line 1, column 9"),
        ('{"a": 1, "a": 2}', '"a" is there twice'),
        ("[]", "it is not a JSON object"),
        ('{"hooks": []}', '"hooks" is not an object'),
        ('{"hooks": {"Stop": {}}}', '"hooks": "Stop" is not an array'),
        ('{"a": 1} x', "something behind the end"),
        ('{"a": "1}', "a text does not end"),
        ("[" * 200, "nested too deeply"),
    ],
)
def test_what_cannot_be_changed_safely_is_refused(places: Places, text: str, where: str) -> None:
    """By file and place; the file stays as it is, and no command is written."""
    places.settings.write_text(text)
    with pytest.raises(SettingsRefused, match=re.escape(where)) as refused:
        installing(places, PROGRAM)
    assert str(places.settings) in str(refused.value)
    assert {"settings.json": text.encode()} == tree(places.root)


def test_a_command_of_the_users_own_is_left_alone(places: Places) -> None:
    """Of the same name: install says so and leaves it; uninstall takes the others."""
    mine = places.root / "commands" / "session-status.md"
    mine.parent.mkdir()
    mine.write_text("mine")
    changes, kept = installing(places, PROGRAM)
    install(places, changes, PROGRAM)
    assert [mine] == [one.path for one in kept]
    take_out(places)
    assert {"commands/session-status.md": b"mine"} == tree(places.root)


def test_a_link_and_a_mode_are_kept(places: Places, tmp_path: Path) -> None:
    """People keep their settings in a repository and link to them."""
    real = tmp_path / "dotfiles.json"
    real.write_text(FULL)
    real.chmod(0o640)
    places.settings.symlink_to(real)
    put_in(places)
    assert places.settings.is_symlink()
    assert 0o640 == stat.S_IMODE(real.stat().st_mode)
    take_out(places)
    assert FULL == real.read_text()


@pytest.mark.parametrize("name", ["session-status", "start-next-session", "create-calendar-events"])
def test_a_command_may_run_exactly_what_it_runs(name: str) -> None:
    """Each inline command is covered by a rule of ``allowed-tools``, and fails for nobody."""
    text = commands(PROGRAM)[f"{name}.md"]
    _, front, body = text.split("---\n", 2)
    quoted = shlex.quote(PROGRAM)
    rules = re.findall(r"Bash\(([^)]*) \*\)", front)
    inline = re.findall(r"^!`([^`]*)`$", body, re.MULTILINE)
    assert inline
    for command in inline:
        assert any(command.startswith(rule + " ") for rule in rules)
        assert "--exit-zero" in command
    mentioned = {rule.removeprefix(quoted + " ") for rule in rules}
    assert all(f"{quoted} {what}" in body for what in mentioned), "a permission that nothing needs"
    assert "description: " in front
    assert "$1" not in text


def test_only_the_command_that_takes_hours_takes_arguments() -> None:
    """``$ARGUMENTS`` and its hint stand where there is an argument."""
    assert ["start-next-session.md"] == [
        name for name, text in commands(PROGRAM).items() if "$ARGUMENTS" in text and "argument-hint" in text
    ]


def test_commands_are_in_the_wheel() -> None:
    """They travel with the package, as files beside the module."""
    assert 3 == len(commands(PROGRAM))


# Texts that keep their other bytes.

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text('aé"\\\n\u2028', max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=8,
)
INDENTS = st.sampled_from([None, 0, 2, 4, "\t"])


@given(VALUES, INDENTS)
def test_a_tree_says_what_the_text_says(value: object, indent: int | str | None) -> None:
    """The same value as the standard library finds, and every node stands where it says."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    node = json_text.parsed(text)
    assert json.loads(text) == node.value
    for inner in (*node.members.values(), *node.elements):
        assert json.loads(text[inner.begin : inner.end]) == inner.value


@given(st.dictionaries(st.text("abc", max_size=2), VALUES, max_size=4), VALUES, INDENTS)
def test_what_was_put_in_last_comes_out_without_a_trace(
    members: dict[str, object], value: object, indent: int | str | None
) -> None:
    """A member behind others, and an element: the bytes before are the bytes after."""
    text = json.dumps(members | {"list": [1]}, indent=indent, ensure_ascii=False)
    more = json_text.with_member(text, json_text.parsed(text), "new", value)
    assert members | {"list": [1], "new": value} == json.loads(more)
    assert text == json_text.without_member(more, json_text.parsed(more), "new")
    longer = json_text.with_element(text, json_text.parsed(text).members["list"], value)
    assert [1, value] == json.loads(longer)["list"]
    assert text == json_text.without_element(longer, json_text.parsed(longer).members["list"], 1)


@given(st.text('{}[],:"\\ \n1ae/t', max_size=12))
def test_no_text_is_read_that_json_is_not(text: str) -> None:
    """What the standard library refuses is refused, by line and column."""
    try:
        json.loads(text)
    except ValueError:
        with pytest.raises(NotJson, match=r"^line \d+, column \d+: "):
            json_text.parsed(text)


def test_ours_is_known_by_what_it_runs() -> None:
    """Also as one command with a shell, as it may have been written by hand; others' are not ours."""
    by_hand = {
        "hooks": {
            "Stop": [{"hooks": [{"type": "command", "command": "quotactl hook Stop"}, {"type": "http"}]}]
        },
        "statusLine": {"type": "command", "command": "quotactl statusline"},
    }
    found = settings_text.found(json.dumps(by_hand))
    assert (("Stop",), True, None) == found
    assert {"hooks": {"Stop": [{"hooks": [{"type": "http"}]}]}} == json.loads(
        settings_text.without_ours(json.dumps(by_hand), None)
    )
    assert ((), False, "line") == settings_text.found(json.dumps({"statusLine": {"command": "line"}}))


# The command itself.


def quotactl(places: Places, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs ``quotactl claude``, for a person who looks at a pipe."""
    environment = {
        **os.environ,
        "CLAUDE_CONFIG_DIR": str(places.root),
        "QUOTAD_STATE_DIR": str(places.state),
        "QUOTAD_SOCKET": str(places.state / "s"),
    }
    return subprocess.run(
        [sys.executable, "-m", "quotactl", "claude", *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_change_is_shown_before_it_is_made(places: Places) -> None:
    """Without a terminal nothing is asked and nothing done, but with --yes it is; --dry-run only shows."""
    places.settings.write_text(STATUS_LINE)
    for arguments, code in ((("--dry-run",), 0), ((), 2)):
        shown = quotactl(places, "install", *arguments)
        assert code == shown.returncode
        assert '  +   "hooks": {' in shown.stdout
        assert "status line  ours, and below it what yours says: ~/bin/line.sh" in shown.stdout
        assert STATUS_LINE == read(places.settings)
    assert 0 == quotactl(places, "install", "--yes").returncode
    assert "6 of 6" in quotactl(places, "status").stdout
    assert "with the one that was there before" in quotactl(places, "status").stdout
    assert "Nothing has to change" in quotactl(places, "install", "--yes").stdout
    assert 0 == quotactl(places, "uninstall", "--yes").returncode
    assert STATUS_LINE == read(places.settings)
    assert "another: ~/bin/line.sh" in quotactl(places, "status").stdout


def test_what_was_taken_out_by_hand_leaves_no_trace_either(places: Places) -> None:
    """Settings put back from the copy, commands deleted: uninstall forgets what install wrote down."""
    places.settings.write_text(STATUS_LINE)
    put_in(places)
    places.settings.write_text(STATUS_LINE)
    shutil.rmtree(places.root / "commands")
    assert 0 == quotactl(places, "uninstall", "--dry-run").returncode
    assert places.record.exists()
    assert "Nothing has to change" in quotactl(places, "uninstall", "--yes").stdout
    assert {} == tree(places.state)
    assert {"settings.json": STATUS_LINE.encode()} == tree(places.root)


def test_a_long_line_is_shown_whole(places: Places) -> None:
    """Settings of one line are common; tabs are spaces there."""
    long = f'{{"env": {{"A": "{"word " * 60}end"}},\n\t"hooks": {{}}, "z": "{"x" * 200}"}}'
    places.settings.write_text(long)
    shown = quotactl(places, "install", "--dry-run").stdout
    assert "?" not in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert 60 == shown.replace("\n", " ").count("word")
    assert 200 == max(map(len, re.findall("x+", re.sub(r"\n +", "", shown))))


def test_status_says_what_keeps_hooks_from_running(places: Places) -> None:
    """A switch of Claude Code's own; put in, and yet nothing happens."""
    places.settings.write_text('{"disableAllHooks": true}')
    quotactl(places, "install", "--yes")
    told = quotactl(places, "status").stdout
    assert "6 of 6" in told
    assert '"disableAllHooks" is set' in told
    assert "puts it right" not in told


def test_status_says_what_cannot_be_read(places: Places) -> None:
    """By name, and without a traceback."""
    places.settings.write_text("{")
    broken = quotactl(places, "status")
    assert (1, str(places.settings)) == (broken.returncode, broken.stderr.partition(": ")[0])
    places.settings.unlink()
    places.settings.mkdir()
    unreadable = quotactl(places, "status")
    assert (1, f"{places.settings} cannot be read: Is a directory.\n") == (
        unreadable.returncode,
        unreadable.stderr,
    )


def test_comments_are_refused_by_the_command(places: Places) -> None:
    """With 1, the place and the remedy."""
    places.settings.write_text("{\n  // mine\n}")
    refused = quotactl(places, "install", "--yes")
    assert 1 == refused.returncode
    assert "line 2, column 3: there is a comment" in " ".join(refused.stderr.split())
