"""Settings and the real process: what it refuses, what it prints, and what a file that changes does to it."""

from __future__ import annotations

import json
import signal
import tomllib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from quotad import wire
from tests.daemon.notices import all_said, configure, thresholds
from tests.daemon.process import QUOTAD, SETTINGS, Failed, Place, Quotad, Refused, wait_until
from tests.daemon.raw import line_to
from tests.daemon.truth import now_ms
from tests.daemon.work import append, spend

REFUSED = [
    ('plan = "max"', "plan", '"max"', '"free", "pro" or "team"'),
    ("limit = 0", "limit", "0", "a whole number of tokens"),
    ("thresholds = [50, 40]", "thresholds", "[50, 40]", "each larger than the one before"),
    ('[notify]\nquiet = ["22:00"]', "notify.quiet[0]", '"22:00"', "22:00-08:00"),
    ('[[windows]]\nname = "five_hour"\nhours = 5', "windows[0].name", '"five_hour"', "built in"),
    ('colour = "red"', "colour", "no such key", "thresholds"),
]


# What is printed.


@pytest.mark.parametrize("fault", REFUSED, ids=lambda fault: fault[1])
def test_bad_settings_are_refused_by_file_key_value_and_what_is_allowed(
    place: Place, fault: tuple[str, str, str, str]
) -> None:
    """With 78 and one line, by the check, by printing, and by a start, which makes no ledger."""
    text, key, value, allowed = fault
    place.config.write_text(text + "\n")
    checked = place.run([*QUOTAD, "--check-config"])
    assert (78, "") == (checked.returncode, checked.stdout)
    (line,) = checked.stderr.splitlines()
    assert line.startswith(f"quotad: {place.config}: {key}")
    assert value in line
    assert allowed in line
    if text != REFUSED[0][0]:
        return
    printed = place.run([*QUOTAD, "--print-config"])
    assert (78, "", checked.stderr) == (printed.returncode, printed.stdout, printed.stderr)
    with pytest.raises(Failed) as refused, place.running():
        pass
    assert (78, checked.stderr) == (refused.value.code, refused.value.stderr)
    assert ["quotad.lock"] == [path.name for path in place.state.iterdir()]
    assert not place.socket.exists()


def test_a_good_file_and_a_missing_one_are_checked(place: Place) -> None:
    """With 0 and a line that says which it is; nothing is made."""
    checked = place.run([*QUOTAD, "--check-config"])
    assert (0, f"{place.config} is valid\n", "") == (checked.returncode, checked.stdout, checked.stderr)
    place.config.unlink()
    checked = place.run([*QUOTAD, "--check-config"])
    expected = f"{place.config} does not exist: the defaults hold\n"
    assert (0, expected, "") == (checked.returncode, checked.stdout, checked.stderr)
    assert not place.state.exists()


def test_the_effective_settings_are_printed_with_their_source(place: Place) -> None:
    """As TOML that can be read again, and as JSON; a daemon that runs is no obstacle."""
    place.config.write_text('plan = "team"\n' + SETTINGS)
    with place.running():
        printed = place.run([*QUOTAD, "--print-config"])
        as_json = json.loads(place.run([*QUOTAD, "--print-config", "--json"]).stdout)
    assert 'plan = "team"  # file\n' in printed.stdout
    assert "thresholds = [50, 75, 90, 95]  # default\n" in printed.stdout
    assert tomllib.loads(printed.stdout)["notify"]["desktop"] is False
    assert str(place.config) == as_json["file"]
    assert {"value": "team", "source": "file"} == as_json["settings"]["plan"]
    assert {"value": [50, 75, 90, 95], "source": "default"} == as_json["settings"]["thresholds"]


# What changes a running daemon.

Apply = Callable[[Quotad], object]

ways = pytest.mark.parametrize(
    "apply",
    [
        lambda quotad: quotad.request("reload"),
        lambda quotad: quotad.sync(),
        lambda quotad: quotad.send(signal.SIGHUP),
    ],
    ids=["reload", "sync", "SIGHUP"],
)


@ways
def test_every_setting_takes_effect_at_once(place: Place, apply: Apply) -> None:
    """Plan, limit, thresholds, weights and windows: each is seen in ``status``, and the count goes on."""
    with place.running() as quotad:
        spend(place, 30_000, model="claude-opus-5")
        spend(place, 10_000, model="claude-haiku-4-5")
        assert (200_000, "plan", 40_000) == limit_of(quotad)
        for text, window, expected in (
            ('plan = "team"', "five_hour", (500_000, "plan", 40_000)),
            ("limit = 50_000", "five_hour", (50_000, "configured", 40_000)),
            ("[weights]\ninput = 0.5\n[weights.haiku]\ninput = 2", "five_hour", (200_000, "plan", 35_000)),
            ('[[windows]]\nname = "week"\nhours = 168\nlimit = 7', "week", (7, "configured", 40_000)),
        ):
            place.config.write_text(f"{text}\n{SETTINGS}")
            apply(quotad)
            wait_until(lambda: window in names(quotad) and limit_of(quotad, window) == expected)  # noqa: B023
        place.config.write_text(f"thresholds = [10, 33]\n{SETTINGS}")
        apply(quotad)
        wait_until(lambda: ["five_hour"] == names(quotad))
        wait_until(lambda: 33 == quotad.window()["next_threshold"])
        assert {} == quotad.problems()


def limit_of(quotad: Quotad, name: str = "five_hour") -> tuple[int | None, str, int]:
    """The limit of a window, what it stands on, and what is spent."""
    window = quotad.window(name)
    return window["limit"], window["limit_basis"], window["spent"]


def names(quotad: Quotad) -> list[str]:
    """The windows that there are."""
    return [window["name"] for window in quotad.status()["windows"]]


@ways
def test_a_bad_file_changes_nothing_and_is_a_problem(place: Place, apply: Apply) -> None:
    """The old settings stay; the problem names file, key and value, and is gone once the file is mended."""
    place.config.write_text(f"limit = 50_000\n{SETTINGS}")
    with place.running() as quotad:
        place.config.write_text(f"limit = 60_000\nthresholds = [0]\n{SETTINGS}")
        with suppress(Refused):
            apply(quotad)
        wait_until(lambda: "settings-invalid" in quotad.problems())
        assert f"{place.config}: thresholds[0] = 0" in quotad.problems()["settings-invalid"]
        assert 50_000 == quotad.window()["limit"]
        assert not quotad.doctor()["settings-invalid"]["ok"]
        place.config.write_text(f"limit = 60_000\n{SETTINGS}")
        apply(quotad)
        wait_until(lambda: {} == quotad.problems())
        assert 60_000 == quotad.window()["limit"]


def test_reload_refuses_a_bad_file(place: Place) -> None:
    """With the fault in the error's message, and a code that programs know it by."""
    with place.running() as quotad:
        place.config.write_text(f"thresholds = [0]\n{SETTINGS}")
        with pytest.raises(Refused) as refused:
            quotad.request("reload")
    error = refused.value.error
    assert (-32000, {"code": "settings-invalid"}) == (error["code"], error["data"])
    assert f"{place.config}: thresholds[0] = 0" in error["message"]


def test_sync_with_a_bad_file_is_done_all_the_same(place: Place) -> None:
    """``quotactl sync`` exits 0, everything else has been taken in, and ``status`` shows the problem."""
    with place.running() as quotad:
        place.config.write_text("limit = 0\n")
        spend(place, 10)
        synced = place.quotactl("sync")
        assert 0 == synced.returncode
        assert 10 == quotad.window()["spent"]
        assert ["settings-invalid"] == list(quotad.problems())


@pytest.mark.parametrize(
    "also", ["", "[estimates]\nEdit = {}", "[[windows]]\nname = 'day'\nhours = 24\nlimit = {}"]
)
def test_no_answer_in_between_knows_less(place: Place, also: str) -> None:
    """While settings change again and again, whoever asks or listens always hears of every token."""
    spend(place, 30_000)
    limits = range(100_000, 100_010)
    with place.running() as quotad, line_to(place) as line:
        line.subscribe()
        for limit in limits:
            place.config.write_text(f"limit = {limit}\n{also.format(limit)}\n{SETTINGS}")
            quotad.request("reload")
            assert (limit, "configured", 30_000) == limit_of(quotad)
        told = None
        while told != limits[-1]:
            window = line.change()["status"]["windows"][0]
            assert ("open", 30_000) == (window["state"], window["spent"])
            told = window["limit"]


def test_roots_that_come_and_go(place: Place) -> None:
    """A further root brings windows and sums of its own; what the first has spent stays as it was."""
    other = place.root / "other"
    path = other / "projects" / "p" / "s.jsonl"
    spend(place, 7, path=path)
    with place.running() as quotad:
        spend(place, 10)
        assert [10] == spent(quotad)
        place.config.write_text(f"roots = [{json.dumps(str(other))}]\n{SETTINGS}")
        quotad.sync()
        assert [10, 7] == spent(quotad)
        spend(place, 10)
        spend(place, 7, path=path)
        assert [20, 14] == spent(quotad)
        assert [str(place.claude), str(other)] == [one["account"] for one in quotad.status()["windows"]]
        place.config.write_text(SETTINGS)
        quotad.sync()
        spend(place, 10)
        spend(place, 7, path=path)
        assert [30] == spent(quotad)
        assert quotad.status()["daemon"]["caught_up"]
        place.config.write_text(f"roots = [{json.dumps(str(other))}]\n{SETTINGS}")
        quotad.sync()
        assert [30, 21] == spent(quotad)


def spent(quotad: Quotad) -> list[int]:
    """What is spent in each account's five hours."""
    return [window["spent"] for window in quotad.status()["windows"]]


def test_a_session_log_that_is_named_later_is_followed(place: Place) -> None:
    """Its estimates count from then on."""
    path = place.root / "elsewhere.jsonl"
    line = {"type": "tool_result", "timestamp": wire.iso(now_ms()), "session_id": "s", "tool": "Edit"}
    append(path, json.dumps(line).encode() + b"\n")
    with place.running() as quotad:
        assert [0] == spent(quotad)
        place.config.write_text(f"session_logs = [{json.dumps(str(path))}]\n{SETTINGS}")
        quotad.sync()
        assert [1500] == spent(quotad)


def test_a_command_that_is_named_later_gets_what_comes_then(place: Place) -> None:
    """And one that is named no more gets nothing."""
    with place.running() as quotad:
        configure(place)
        quotad.request("reload")
        spend(place, 120_000)
        wait_until(lambda: thresholds(place))
        place.config.write_text(SETTINGS)
        quotad.request("reload")
        spend(place, 40_000)
        all_said(quotad)
        assert 160_000 == quotad.window()["spent"]
    assert [50] == thresholds(place)


def test_a_lower_limit_is_one_notice(place: Place) -> None:
    """However many calls there are: the highest threshold that they reach under it, and no other."""
    configure(place)
    for _ in range(1_500):
        spend(place, 50)
    with place.running() as quotad:
        configure(place, "limit = 76_000")
        quotad.request("reload")
        wait_until(lambda: thresholds(place))
        all_said(quotad)
    assert [95] == thresholds(place)


def test_reloading_over_and_over_leaves_nothing_behind(place: Place) -> None:
    """Of sixty earlier files' watchers, threads and descriptors only those of the last moment linger."""
    other = place.root / "other"
    with place.running() as quotad:
        before = things(quotad, "task"), things(quotad, "fd")
        for number in range(60):
            text = f"roots = [{json.dumps(str(other))}]\n{SETTINGS}" if number % 2 else SETTINGS
            place.config.write_text(text)
            quotad.sync()
        after = things(quotad, "task"), things(quotad, "fd")
    assert [True, True] == [now < then + 30 for then, now in zip(before, after, strict=True)]


def things(quotad: Quotad, kind: str) -> int:
    """How many threads (``task``) or descriptors (``fd``) the process has."""
    return sum(1 for _ in Path(f"/proc/{quotad.pid}/{kind}").iterdir())
