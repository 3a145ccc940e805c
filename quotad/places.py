"""Where everything is by default, and what the environment says instead.

Plain strings and no import but ``os``: a status line runs many times a minute and must know the socket at the
price of Python's own start. ``quotad.wire.paths`` is the same for everybody else.
"""
# ruff: noqa: PTH111, PTH112 - pathlib costs a quarter of Python's start

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

SOCKET_PATH_BYTES_MAX = 103
"""macOS takes 103 bytes, Linux 107: one limit, so that a path that works here works there."""


def default_places(environment: "Mapping[str, str]", platform: str, uid: int) -> tuple[str, str, str, str]:
    """Claude Code's directory, the settings file, the state directory and the socket.

    Pure but for looking at ``/run/user`` and for the home directory of whoever has no HOME. Raises
    ``ValueError`` naming the variable when a path is not absolute or the socket's is too long.
    """
    home = _plain(environment.get("HOME") or os.path.expanduser("~"))
    mac = _under(home, "Library/Application Support/quotad") if platform == "darwin" else ""
    root = _absolute(environment, "CLAUDE_CONFIG_DIR") or _under(home, ".claude")
    state = (
        _absolute(environment, "QUOTAD_STATE_DIR") or mac or _xdg(environment, "STATE", home, ".local/state")
    )
    config = _absolute(environment, "QUOTAD_CONFIG") or _under(
        mac or _xdg(environment, "CONFIG", home, ".config"), "config.toml"
    )
    socket = _absolute(environment, "QUOTAD_SOCKET") or _under(
        _socket_directory(environment, state, uid), "quotad.sock"
    )
    length = len(os.fsencode(socket))
    if length > SOCKET_PATH_BYTES_MAX:
        raise ValueError(
            f"the socket's path {socket} has {length} bytes, {SOCKET_PATH_BYTES_MAX} are possible: "
            "set QUOTAD_SOCKET to a shorter one"
        )
    return root, config, state, socket


def _absolute(environment: "Mapping[str, str]", name: str) -> str | None:
    value = environment.get(name)
    if not value:
        return None
    path = os.path.expanduser(value)
    if not path.startswith("/"):
        raise ValueError(f"{name} must be an absolute path, not {value!r}")
    return _plain(path)


def _plain(path: str) -> str:
    """The path as ``pathlib`` writes it: without empty steps and ``.``, but with every ``..``."""
    if "//" not in path and "/." not in path and not path.endswith("/"):
        return path
    steps = [step for step in path.split("/") if step not in {"", "."}]
    return ("/" if path.startswith("/") else "") + "/".join(steps)


def _under(directory: str, name: str) -> str:
    return f"{directory.rstrip('/')}/{name}"


def _xdg(environment: "Mapping[str, str]", kind: str, home: str, otherwise: str) -> str:
    return _under(_absolute(environment, f"XDG_{kind}_HOME") or _under(home, otherwise), "quotad")


def _socket_directory(environment: "Mapping[str, str]", state: str, uid: int) -> str:
    runtime = _absolute(environment, "XDG_RUNTIME_DIR")
    if runtime is not None:
        return _under(runtime, "quotad")
    conventional = f"/run/user/{uid}"
    return _under(conventional, "quotad") if os.path.isdir(conventional) else state
