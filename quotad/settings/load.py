"""From the file to the settings, or to one sentence for each thing that is wrong with it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

from quotad import wire
from quotad.domain.policy import ESTIMATES, Weights
from quotad.settings.plain import Kinds, Notifying, Plain, plainly
from quotad.settings.show import brief, key_text, plain
from quotad.settings.values import ExtraWindow, Notify, Settings

if TYPE_CHECKING:
    from quotad.settings.document import Checked, KindWeights, NotifyTable
    from quotad.settings.grammar import Fault, Key

FILE_BYTES_MAX = 1024 * 1024

_T = TypeVar("_T")


class SettingsInvalid(Exception):  # noqa: N818 - the user is wrong, not the program
    """The file cannot be used; the message has a line for each fault: file, key, value, what is allowed."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


def load(paths: wire.Paths) -> Settings:
    """The settings of ``paths.config``; without such a file everything is as by default.

    Raises ``SettingsInvalid``.
    """
    raw = _decoded(paths)
    if not raw:
        return _defaults(paths)
    return effective(paths, raw, plainly(raw) or _judged(paths, raw))


def _judged(paths: wire.Paths, raw: Mapping[str, object]) -> Checked:
    from quotad.settings.document import check  # noqa: PLC0415 - pydantic: only where something may be wrong

    checked = check(raw)
    if isinstance(checked, list):
        raise SettingsInvalid([_sentence(paths, raw, fault) for fault in checked])
    return checked


def _decoded(paths: wire.Paths) -> Mapping[str, object]:
    try:
        content = _read(paths)
    except FileNotFoundError:
        return {}
    except OSError as fault:
        raise SettingsInvalid([f"{_file(paths)}: cannot be read: {fault.strerror}"]) from fault
    if len(content) > FILE_BYTES_MAX:
        raise SettingsInvalid([f"{_file(paths)}: is longer than {FILE_BYTES_MAX} bytes"])
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = content.count(b"\n", 0, fault.start) + 1
        raise SettingsInvalid([f"{_file(paths)}: line {line} is not UTF-8"]) from fault
    import tomllib  # noqa: PLC0415 - not for those who have no file

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise SettingsInvalid([f"{_file(paths)}: is not TOML: {plain(str(fault))}"]) from fault
    except ValueError as fault:
        # Python reads no decimal number of more than 4,300 digits, and does not say where it stands.
        raise SettingsInvalid([f"{_file(paths)}: holds a number of thousands of digits"]) from fault
    except RecursionError as fault:
        raise SettingsInvalid([f"{_file(paths)}: is nested too deeply"]) from fault


def _file(paths: wire.Paths) -> str:
    return plain(str(paths.config))


def _read(paths: wire.Paths) -> bytes:
    """The file's bytes, one more than allowed at most. A pipe is never waited for."""
    descriptor = os.open(paths.config, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(descriptor).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISCHR(mode)):
            raise SettingsInvalid([f"{_file(paths)}: is not a file"])
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(FILE_BYTES_MAX + 1)
    finally:
        os.close(descriptor)


def _defaults(paths: wire.Paths) -> Settings:
    ours = paths.state / "sessions.jsonl"
    return Settings(paths.config, (paths.root,), (paths.root / "logs" / "sessions.jsonl", ours))


def effective(paths: wire.Paths, raw: Mapping[str, object], checked: Checked | Plain) -> Settings:
    """The defaults, and what the file says instead."""
    default = _defaults(paths)
    said, weights = checked.document, _weights(checked.weights, Weights())
    roots = tuple(dict.fromkeys((*default.roots, *(said.roots or ()))))
    ours = default.session_logs[-1]
    given_logs = said.session_logs or tuple(root / "logs" / "sessions.jsonl" for root in roots)
    return Settings(
        file=paths.config,
        roots=roots,
        session_logs=tuple(dict.fromkeys((*given_logs, ours))),
        plan=_said(said.plan, default.plan),
        limit=said.limit,
        thresholds=_said(said.thresholds, default.thresholds),
        weights=weights,
        family_weights={name: _weights(table, weights) for name, table in checked.families.items()},
        estimates={**ESTIMATES, **(said.estimates or {})},
        windows=tuple(ExtraWindow(window.name, window.hours, window.limit) for window in said.windows or ()),
        notify=_notify(said.notify),
        working_hours=said.working_hours or (),
        retention_days=said.retention_days,
        from_file=frozenset(_dotted(raw)),
    )


def _said(value: _T | None, otherwise: _T) -> _T:
    return otherwise if value is None else value


def _weights(said: KindWeights | Kinds, otherwise: Weights) -> Weights:
    return Weights(
        _said(said.input, otherwise.input),
        _said(said.output, otherwise.output),
        _said(said.cache_write, otherwise.cache_write),
        _said(said.cache_read, otherwise.cache_read),
    )


def _notify(said: NotifyTable | Notifying | None) -> Notify:
    default = Notify()
    if said is None:
        return default
    return Notify(
        _said(said.desktop, default.desktop),
        _said(said.command, default.command),
        _said(said.on_reset, default.on_reset),
        _said(said.quiet, default.quiet),
    )


def _dotted(table: Mapping[str, object], around: str = "") -> Iterator[str]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _dotted(value, f"{around}{name}.")
        else:
            yield around + name


def _sentence(paths: wire.Paths, raw: Mapping[str, object], fault: Fault) -> str:
    place = key_text(fault.key)
    if fault.shown:
        place += f" = {brief(_at(raw, fault.key))}"
    return f"{_file(paths)}: {place}: {fault.says}"


def _at(raw: object, key: Key) -> object:
    """The value at the key, or the innermost around it that is there."""
    value = raw
    for part in key:
        members = dict(enumerate(value)) if isinstance(value, list) else value
        if isinstance(members, dict):
            value = members.get(part, value)
    return value
