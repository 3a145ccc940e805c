"""The log is one entry a line, no flood, and quotes nobody."""

from __future__ import annotations

import io
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from quotad.logs import (
    MESSAGES_REMEMBERED_MAX,
    REPEATS_SECONDS,
    Formatter,
    RepeatsSummed,
    configure,
    described,
    under_journal,
)


def _record(
    message: str = "hello %s", *arguments: object, at: float = 0.0, level: int = logging.WARNING
) -> logging.LogRecord:
    record = logging.LogRecord("quotad.test", level, "file.py", 1, message, arguments, None)
    record.created = at
    return record


@pytest.fixture
def log(tmp_path: Path) -> Iterator[TextIO]:
    """A file in stderr's place; logging is as before afterwards."""
    root = logging.getLogger()
    before = (root.level, tuple(root.handlers), logging.getLogger("watchfiles").level)
    with (tmp_path / "log").open("w+", encoding="utf-8") as stream:
        yield stream
    root.setLevel(before[0])
    for handler in tuple(root.handlers):
        root.removeHandler(handler)
    for handler in before[1]:
        root.addHandler(handler)
    logging.getLogger("watchfiles").setLevel(before[2])


def _lines(log: TextIO) -> list[str]:
    log.seek(0)
    return log.read().splitlines()


def _raised(error: BaseException) -> BaseException:
    try:
        raise error  # noqa: TRY301 - here is where it comes from
    except BaseException as caught:  # noqa: BLE001 - any error is to be described
        return caught


def test_entries_have_time_and_level(log: TextIO) -> None:
    """For people an entry begins with a UTC time and the level."""
    configure(None, stream=log)
    logging.getLogger("quotad.test").warning("disk is %s", "full")
    logging.getLogger("quotad.test").debug("not shown")
    (line,) = _lines(log)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z warning disk is full", line)


def test_the_journal_gets_priorities(log: TextIO) -> None:
    """When stderr is the journal's own stream each line begins with its priority."""
    seen = os.fstat(log.fileno())
    configure(f"{seen.st_dev}:{seen.st_ino}", logging.DEBUG, log)
    logger = logging.getLogger("quotad.test")
    for level in (logging.CRITICAL, logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG, 1):
        logger.log(level, "level %d", level)
    logger.error("two\nlines")
    assert [
        "<3>level 50",
        "<3>level 40",
        "<4>level 30",
        "<6>level 20",
        "<7>level 10",
        "<3>two",
        "<3>lines",
    ] == _lines(log)


@pytest.mark.parametrize("stream", [None, "", "1:2", "nonsense"])
def test_another_stream_is_not_the_journal(log: TextIO, stream: str | None) -> None:
    """A variable that was inherited by a redirected program means nothing."""
    assert not under_journal(stream, log)
    assert not under_journal(stream, io.StringIO())


def test_configuring_again_replaces(log: TextIO) -> None:
    """Each entry is written once."""
    configure(None, stream=log)
    configure(None, stream=log)
    logging.getLogger("quotad.test").warning("once")
    assert 1 == len(_lines(log))


def test_the_watcher_is_quiet(log: TextIO) -> None:
    """The library that watches our own writing does not log each of them."""
    configure(None, logging.DEBUG, log)
    logging.getLogger("watchfiles.main").info("3 changes detected")
    assert [] == _lines(log)


def test_a_log_that_cannot_be_written_stops_nothing(log: TextIO, capfd: pytest.CaptureFixture[str]) -> None:
    """A full disk or a closed pipe is no reason to fail, nor to complain elsewhere."""
    configure(None, stream=log)
    log.close()
    logging.getLogger("quotad.test").warning("nobody hears")
    assert ("", "") == capfd.readouterr()


def test_control_characters_are_shown_escaped() -> None:
    """A message cannot break its line or act on a terminal."""
    text = Formatter(journal=True).format(_record("path %s", "/a\x1b[31m\r\u2028\udcff"))
    assert "<4>path /a\\x1b[31m\\r\\u2028\\udcff" == text


def test_a_repeated_message_is_logged_once_a_minute() -> None:
    """The first of equal messages passes; a minute later one says how many there were."""
    repeats, formatter = RepeatsSummed(), Formatter(journal=True)
    assert [True] + [False] * 99 == [
        repeats.filter(_record("full %s", "a", at=number / 100)) for number in range(100)
    ]
    assert not repeats.filter(_record("full %s", "a", at=REPEATS_SECONDS - 0.001))
    later = _record("full %s", "a", at=REPEATS_SECONDS)
    assert repeats.filter(later)
    assert "<4>full a (100 more like this were left out)" == formatter.format(later)
    again = _record("full %s", "a", at=3 * REPEATS_SECONDS)
    assert repeats.filter(again)
    assert "<4>full a" == formatter.format(again)


def test_different_messages_do_not_hide_each_other() -> None:
    """Another argument or level makes another message; a difference behind the first line does not."""
    repeats = RepeatsSummed()
    assert repeats.filter(_record("full %s", "a"))
    assert repeats.filter(_record("full %s", "b"))
    assert repeats.filter(_record("full %s", "a", level=logging.ERROR))
    assert repeats.filter(_record("accept\nsocket 5"))
    assert not repeats.filter(_record("accept\nsocket 6"))


def test_a_clock_that_is_set_back_hides_nothing() -> None:
    """When time goes backwards the message is logged again."""
    repeats = RepeatsSummed()
    assert repeats.filter(_record("full", at=1000.0))
    assert repeats.filter(_record("full", at=10.0))


def test_memory_of_messages_is_bounded() -> None:
    """Ever new messages do not pile up: after so many of them the first is new again."""
    repeats = RepeatsSummed()
    for number in range(MESSAGES_REMEMBERED_MAX):
        assert repeats.filter(_record("message %d", number))
    assert not repeats.filter(_record("message %d", 0))
    assert repeats.filter(_record("one more"))
    assert repeats.filter(_record("message %d", 0))


def test_a_message_whose_arguments_do_not_fit_stops_nothing() -> None:
    """A mistake in logging is not one of its caller."""
    assert RepeatsSummed().filter(_record("only %s", "a", "b"))


@pytest.mark.parametrize(
    "error", [ValueError("secret"), KeyError("secret"), UnicodeEncodeError("utf-8", "secret", 0, 1, "x")]
)
def test_errors_that_quote_data_are_not_quoted(error: Exception) -> None:
    """Of an error that repeats what it was given, kind and place are enough."""
    text = "\n".join(described(_raised(error)))
    assert "secret" not in text.replace('ValueError("secret")', "")
    assert text.endswith(type(error).__name__)
    assert "in _raised" in text


def test_other_errors_say_what_they_have_to() -> None:
    """The system's reasons are worth reading."""
    assert described(_raised(OSError(28, "No space left")))[-1] == "OSError: [Errno 28] No space left"


def test_causes_come_first() -> None:
    """A chain is told in the order in which it happened, without what was suppressed on purpose."""

    def chain(*, hidden: bool) -> BaseException:
        try:
            try:
                raise OSError(5, "deep")  # noqa: TRY301 - see above
            except OSError as deep:
                if hidden:
                    raise RuntimeError("above") from None
                raise RuntimeError("above") from deep
        except RuntimeError as above:
            return above

    lines = described(chain(hidden=False))
    assert (
        lines.index("OSError: [Errno 5] deep") < lines.index("and then:") < lines.index("RuntimeError: above")
    )
    assert "and then:" not in described(chain(hidden=True))


def test_each_error_of_a_group_is_told() -> None:
    """What several tasks died of is all there."""
    lines = described(_raised(ExceptionGroup("several", [OSError("one"), ValueError("secret")])))
    assert "  OSError: one" in lines
    assert "  ValueError" in lines
    assert not any("secret" in line for line in lines)


def test_tracebacks_stay_in_their_entry(log: TextIO) -> None:
    """A logged exception is one entry: the lines that follow its first are indented."""
    configure(None, stream=log)
    try:
        raise ZeroDivisionError("by zero")  # noqa: TRY301 - see above
    except ZeroDivisionError:
        logging.getLogger("quotad.test").exception("it failed")
    first, *rest = _lines(log)
    assert first.endswith("Z error it failed")
    assert all(line.startswith("  ") for line in rest)
    assert "  ZeroDivisionError: by zero" == rest[-1]
