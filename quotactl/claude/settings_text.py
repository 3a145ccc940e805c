"""What quotactl is in Claude Code's ``settings.json``: pure functions from a text to a text.

Only what is ours is ever put in, changed or taken out; everything else keeps its bytes. Ours is a hook that
runs ``quotactl hook EVENT`` and a status line that runs ``quotactl statusline``, whatever quotactl's path.
The shapes are those of Claude Code's documentation (hooks, status line; version 2.1.240).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import NamedTuple

from quotactl.claude import json_text
from quotactl.claude.json_text import Node, NotJson

PROGRAM = "quotactl"
REFRESH_SECONDS = 30
"""How old a percentage under the prompt may get while nothing happens."""


class Hook(NamedTuple):
    """One event that we listen to: its matcher, how long Claude Code waits, and whether it waits at all."""

    matcher: str | None = None
    seconds: int = 5
    asynchronous: bool = False


HOOKS: Mapping[str, Hook] = MappingProxyType(
    {
        "SessionStart": Hook(),
        "UserPromptSubmit": Hook(seconds=2),
        "PostToolUse": Hook(matcher="*", asynchronous=True),
        "Stop": Hook(),
        "StopFailure": Hook(matcher="rate_limit"),
        "SessionEnd": Hook(seconds=3),
    }
)


class SettingsRefused(Exception):  # noqa: N818 - the file is not what Claude Code reads
    """The settings cannot be changed safely; the message says what is in the way."""


class Found(NamedTuple):
    """What of ours is in the settings; ``other_status_line`` is somebody else's command, if one is there."""

    hooks: tuple[str, ...]
    status_line: bool
    other_status_line: str | None


def found(text: str) -> Found:
    """What of ours stands in the text. Raises ``SettingsRefused``."""
    top = _top(text)
    hooks = tuple(dict.fromkeys(event for event, _, _, _ in _our_handlers(top)))
    command = _status_command(top)
    ours = command is not None and _is_our_status_line(command)
    return Found(hooks, ours, None if ours else command)


def hooks_are_off(text: str) -> bool:
    """Whether a switch in the text keeps Claude Code from running any hook or status line."""
    off = _top(text).members.get("disableAllHooks")
    return off is not None and off.value is True


def with_ours(text: str, program: str) -> str:
    """The text with every hook and the status line, running ``program``, an absolute path.

    Raises ``SettingsRefused``.
    """
    for event, hook in HOOKS.items():
        text = _with_hook(text, event, hook, program)
    wanted = {
        "type": "command",
        "command": f"{shlex.quote(program)} statusline",
        "padding": 0,
        "refreshInterval": REFRESH_SECONDS,
    }
    top = _top(text)
    present = top.members.get("statusLine")
    if present is None:
        return json_text.with_member(text, top, "statusLine", wanted)
    if present.value == wanted:
        return text
    return json_text.with_value(text, present, wanted)


def without_ours(text: str, former_status_line: str | None) -> str:
    """The text without anything of ours; ``former_status_line`` is the JSON that the status line replaced.

    Raises ``SettingsRefused``.
    """
    while True:
        text, more = _without_one(text)
        if not more:
            break
    top = _top(text)
    command = _status_command(top)
    if command is None or not _is_our_status_line(command):
        return text
    if former_status_line is None:
        return json_text.without_member(text, top, "statusLine")
    present = top.members["statusLine"]
    return text[: present.begin] + former_status_line + text[present.end :]


def status_line_text(text: str) -> str | None:
    """The JSON of a status line that is somebody else's, as it stands."""
    top = _top(text)
    present = top.members.get("statusLine")
    command = _status_command(top)
    if present is None or (command is not None and _is_our_status_line(command)):
        return None
    return text[present.begin : present.end]


def _top(text: str) -> Node:
    try:
        top = json_text.parsed(text)
    except NotJson as error:
        raise SettingsRefused(str(error)) from None
    if not isinstance(top.value, dict):
        raise SettingsRefused("it is not a JSON object")
    return top


def _with_hook(text: str, event: str, hook: Hook, program: str) -> str:
    wanted: dict[str, object] = {
        "type": "command",
        "command": program,
        "args": ["hook", event],
        "timeout": hook.seconds,
    }
    if hook.asynchronous:
        wanted["async"] = True
    top = _top(text)
    ours = [handler for name, _, _, handler in _our_handlers(top) if name == event]
    if ours:
        return text if ours[0].value == wanted else json_text.with_value(text, ours[0], wanted)
    group: dict[str, object] = {} if hook.matcher is None else {"matcher": hook.matcher}
    group["hooks"] = [wanted]
    hooks = top.members.get("hooks")
    if hooks is None:
        return json_text.with_member(text, top, "hooks", {event: [group]})
    events = _groups(top, event)
    if events is None:
        return json_text.with_member(text, hooks, event, [group])
    return json_text.with_element(text, events, group)


def _without_one(text: str) -> tuple[str, bool]:
    """The text without the first of our hooks, and without what is empty for it; whether there was one."""
    top = _top(text)
    for event, index, number, _ in _our_handlers(top):
        hooks = top.members["hooks"]
        groups = hooks.members[event]
        handlers = groups.elements[index].members["hooks"]
        if len(handlers.elements) > 1:
            return json_text.without_element(text, handlers, number), True
        if len(groups.elements) > 1:
            return json_text.without_element(text, groups, index), True
        if len(hooks.members) > 1:
            return json_text.without_member(text, hooks, event), True
        return json_text.without_member(text, top, "hooks"), True
    return text, False


def _groups(top: Node, event: str) -> Node | None:
    """The array of one event. Raises ``SettingsRefused`` where Claude Code would not read it either."""
    hooks = top.members.get("hooks")
    if hooks is None:
        return None
    if not isinstance(hooks.value, dict):
        raise SettingsRefused('"hooks" is not an object')
    groups = hooks.members.get(event)
    if groups is not None and not isinstance(groups.value, list):
        raise SettingsRefused(f'"hooks": "{event}" is not an array')
    return groups


def _our_handlers(top: Node) -> Iterator[tuple[str, int, int, Node]]:
    """Each handler of ours: event, number of its group, number in the group, and where it stands."""
    hooks = top.members.get("hooks")
    for event in hooks.members if hooks is not None else ():
        groups = _groups(top, event)
        for index, group in enumerate(groups.elements if groups is not None else ()):
            handlers = group.members.get("hooks")
            for number, handler in enumerate(handlers.elements if handlers is not None else ()):
                if _is_our_hook(handler.value):
                    yield event, index, number, handler


def _is_our_hook(handler: object) -> bool:
    if not isinstance(handler, dict):
        return False
    command, arguments = handler.get("command"), handler.get("args", [])
    if not isinstance(command, str) or not isinstance(arguments, list):
        return False
    words = [command, *arguments] if arguments else _words(command)
    return words[1:2] == ["hook"] and _is_our_program(words[0])


def _status_command(top: Node) -> str | None:
    present = top.members.get("statusLine")
    if present is None:
        return None
    command = present.members.get("command")
    return command.value if command is not None and isinstance(command.value, str) else ""


def _is_our_status_line(command: str) -> bool:
    words = _words(command)
    return words[1:2] == ["statusline"] and _is_our_program(words[0])


def _is_our_program(word: object) -> bool:
    return isinstance(word, str) and PurePosixPath(word).name == PROGRAM


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return []
