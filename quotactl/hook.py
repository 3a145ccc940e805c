"""``quotactl hook EVENT``: what Claude Code tells of a session, noted; and a fact in return where one helps.

A hook must never be in the way: it is silent unless there is something to say, it waits for nothing long, and
what goes wrong is nobody's business but ``quotactl doctor``'s.
"""

import os
import time

from quotactl import quick, session_log
from quotactl.statusline import root_of
from quotad.places import default_places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ANSWER_SECONDS = 0.2
ASKING = ("SessionStart", "UserPromptSubmit")
"""After these Claude Code takes facts in."""
SHOWING = (*ASKING, "Stop")
"""After these it shows the user what there is to say. Context given to ``Stop`` would make Claude go on."""
TELLING = (*SHOWING, "StopFailure")
"""The daemon hears of these; of everything else it reads in the session log."""
TEXT_CHARACTERS_MAX = 4096
"""Of any one field: a directory is not longer, nor is the sentence that names a limit."""
ANSWER_CHARACTERS_MAX = 10_000
"""Claude Code cuts longer ones."""

_ASKED = ("session_id", "cwd", "source", "agent_id")
"""What the daemon is told of a hook's input: the prompt, for one, is none of its business."""
_ASKED_OF_FAILURE = (*_ASKED, "error", "error_type", "last_assistant_message")
"""Of a failure that message is Claude Code's own, and says which limit was hit."""


def run(arguments: "Sequence[str]", environment: "Mapping[str, str]", platform: str) -> None:
    """Note the event, and print what there is to say. Without an event's name Claude Code's JSON has it."""
    text = quick.stdin()
    said = quick.fields(quick.decoded(text))
    event = arguments[0] if arguments else _text(said, "hook_event_name")
    uid = os.getuid()
    _, _, state, socket = default_places(environment, platform, uid)
    line = _line(event, said, time.time_ns() // 1_000_000)
    if line:
        try:  # noqa: SIM105 - contextlib costs as much as all of this
            session_log.append(state, line, uid)
        except OSError:
            # A full disk, a directory of somebody else: the daemon, which needs the same place, says so.
            pass
    if event in TELLING:
        answer = quick.ask(socket, uid, "hook", _params(event, said, environment), ANSWER_SECONDS)
        if answer is not None and event in SHOWING:
            quick.say(_printed(event, answer))


def _text(said: "Mapping[str, object]", name: str) -> str:
    value = said.get(name)
    return value[:TEXT_CHARACTERS_MAX] if isinstance(value, str) else ""


def _line(event: str, said: "Mapping[str, object]", now: int) -> str:
    """The line for the session log, in the shape that its reader knows; empty for what it does not need."""
    session = _text(said, "session_id")
    if not session:
        return ""
    if event == "SessionStart":
        kind = "session_start"
        more = {"cwd": "cwd", "agent": "agent_type", "source": "source"}
    elif event == "PostToolUse":
        kind = "tool_result"
        more = {"tool": "tool_name", "tool_use_id": "tool_use_id"}
    elif event == "SessionEnd":
        kind = "session_end"
        more = {"reason": "reason"}
    else:
        return ""
    members = {"type": kind, "timestamp": _iso(now), "session_id": session}
    members.update((name, _text(said, theirs)) for name, theirs in more.items() if _text(said, theirs))
    return _json(members)


def _iso(now: int) -> str:
    moment = time.gmtime(now // 1000)
    return (
        f"{moment.tm_year:04}-{moment.tm_mon:02}-{moment.tm_mday:02}T"
        f"{moment.tm_hour:02}:{moment.tm_min:02}:{moment.tm_sec:02}.{now % 1000:03}Z"
    )


def _json(members: "Mapping[str, str]") -> str:
    return (
        "{" + ",".join(f"{quick.quoted(name)}:{quick.quoted(text)}" for name, text in members.items()) + "}"
    )


def _params(event: str, said: "Mapping[str, object]", environment: "Mapping[str, str]") -> str:
    asked = _ASKED_OF_FAILURE if event == "StopFailure" else _ASKED
    text = _json({name: _text(said, name) for name in asked if _text(said, name)})
    return f'{{"event":{quick.quoted(event)},"text":{quick.quoted(text)},"root":{root_of(environment)}}}'


def _printed(event: str, answer: "Mapping[str, object]") -> str:
    """What Claude Code takes in; empty when there is nothing to say."""
    parts = []
    message, context = answer.get("message"), answer.get("context")
    if isinstance(message, str) and message:
        parts.append(f'"systemMessage":{quick.quoted(message[:ANSWER_CHARACTERS_MAX])}')
    if isinstance(context, str) and context and event in ASKING:
        parts.append(
            f'"hookSpecificOutput":{{"hookEventName":"{event}",'
            f'"additionalContext":{quick.quoted(context[:ANSWER_CHARACTERS_MAX])}}}'
        )
    return "{" + ",".join(parts) + "}\n" if parts else ""
