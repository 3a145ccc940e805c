"""The smaller commands, each against a daemon that answers from a record."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from quotactl import text
from quotactl.doctor import doctor_lines
from quotactl.notify import channel_lines
from quotad import wire
from tests.quotactl.conftest import Surroundings
from tests.quotactl.fake_daemon import FakeDaemon
from tests.quotactl.replies import NOW, status, view
from tests.quotactl.replies import daemon as a_daemon
from tests.quotactl.snapshot import assert_snapshot

HEALTHY: wire.DoctorReply = {
    "ok": True,
    "checks": [{"name": "socket", "ok": True, "message": "ours alone", "remedy": ""}],
}
ILL: wire.DoctorReply = {
    "ok": False,
    "checks": [
        {
            "name": "settings",
            "ok": True,
            "message": "/home/ana/.config/quotad/config.toml is valid",
            "remedy": "",
        },
        {
            "name": "transcripts",
            "ok": False,
            "message": "/home/ana/.claude/projects/-home-ana-secret cannot be read: "
            "Permission denied; 3 files are not counted",
            "remedy": "chmod u+rx /home/ana/.claude/projects/-home-ana-secret",
        },
        {"name": "notices", "ok": True, "message": "through the desktop", "remedy": ""},
    ],
}


def test_status_json_is_exactly_the_result(here: Surroundings) -> None:
    """No field added, none changed."""
    with FakeDaemon(here.socket, {"status": status()}):
        assert status() == json.loads(here.run("status", "--json").stdout)


def snapshot_of(here: Surroundings, content: object, *, age_seconds: int) -> None:
    """The daemon that is gone left this behind, so long ago."""
    file = here.root / "claude" / "quota-tracker.json"
    file.parent.mkdir()
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    at = wire.instant(NOW) // 1000 - age_seconds
    os.utime(file, (at, at))


def tracker(**differing: object) -> dict[str, object]:
    """The file of the contract, with such a current window."""
    current: dict[str, object] = {
        "startTime": "2026-11-22T08:40:00.000Z",
        "resetTime": "2026-11-22T13:40:00.000Z",
        "tokensUsed": 62_345,
        "remaining": 137_655,
    }
    return {
        "plan": "pro",
        "limit": 200_000,
        "windowHours": 5,
        "currentWindow": current | differing,
        "sessions": [],
        "scheduledSessions": [],
    }


WINDOWS: list[object] = [
    {"name": "five_hour", "resetTime": "2026-11-22T13:40:00.000Z", "percent": 100.0},
    {"name": "seven_day", "resetTime": "2026-11-25T08:00:00.000Z", "percent": 76.4},
    {"name": "seven_day_opus", "resetTime": "2026-11-25T08:00:00.000Z", "percent": None},
    {"name": "over", "resetTime": "2026-11-22T10:00:00.000Z", "percent": 50},
    {"name": "odd", "resetTime": "2026-11-25T08:00:00.000Z", "percent": 10**400},
    {"name": "timeless", "resetTime": "soon", "percent": 5},
    7,
]
"""Only the week is to be shown beside the first."""


@pytest.mark.parametrize(
    ("name", "content", "age"),
    [
        ("running", tracker(), 720),
        ("over", tracker(resetTime="2026-11-21T13:40:00.000Z"), 86_400),
        ("limit-hit", tracker(tokensUsed=120_000, remaining=0) | {"windows": WINDOWS}, 60),
        ("idle", tracker(startTime=None, resetTime=None, tokensUsed=0, remaining=200_000), 60),
    ],
)
def test_without_a_daemon_status_shows_what_was_known(
    here: Surroundings, name: str, content: object, age: int
) -> None:
    """With its age; the exit code stays 69, and how to start a daemon stands on standard error."""
    snapshot_of(here, content, age_seconds=age)
    result = here.run("status")
    assert result.exit_code == 69
    assert "quotactl up" in result.stderr
    assert_snapshot(f"last-seen-{name}", result.stdout)


def test_the_provider_may_have_said_less_than_was_counted(here: Surroundings) -> None:
    """What was used and what is left then go together, as they did in the daemon's own answers."""
    windows = [{"name": "five_hour", "resetTime": "2026-11-22T13:40:00.000Z", "percent": 61.5}]
    content = tracker(tokensUsed=162_000, remaining=77_000) | {"windows": windows}
    snapshot_of(here, content, age_seconds=60)
    _, _, used, left, *_ = here.run("status").stdout.splitlines()
    assert used.endswith(" 61 %")
    assert left.startswith("  77k left of 200k")


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"plan": "pro"}', "[" * 100_000, '{"plan": 1, "limit": "x"}']
)
def test_a_snapshot_that_cannot_be_read_is_not_shown(here: Surroundings, content: str) -> None:
    """It is a hint for people, and no reason to fail in another way."""
    snapshot_of(here, content, age_seconds=1)
    result = here.run("status")
    assert (69, "") == (result.exit_code, result.stdout)


def test_with_json_the_last_snapshot_is_not_shown(here: Surroundings) -> None:
    """A program must not take old numbers for new ones."""
    snapshot_of(here, tracker(), age_seconds=1)
    result = here.run("status", "--json")
    assert (69, "") == (result.exit_code, result.stdout)


def test_with_exit_zero_both_are_on_standard_output(here: Surroundings) -> None:
    """What a slash command shows: the last numbers, and how to get new ones."""
    snapshot_of(here, tracker(), age_seconds=720)
    result = here.run("status", "--exit-zero")
    assert (0, "") == (result.exit_code, result.stderr)
    assert "Last known, 12 min ago" in result.stdout
    assert "quotactl up" in result.stdout


ALL_COUNTED: wire.SyncReply = {"caught_up": True, "seconds": 0.2}


def test_sync_says_that_all_is_counted(here: Surroundings) -> None:
    """The time limit is passed on."""
    with FakeDaemon(here.socket, {"sync": ALL_COUNTED, "status": status()}) as daemon:
        result = here.run("sync", "--timeout", "2.5")
    assert (0, "Everything on disk is counted (0.2 s).\n") == (result.exit_code, result.stdout)
    assert result.stderr == ""
    assert ("sync", {"timeout": 2.5}) in daemon.asked


def test_sync_names_settings_that_are_refused(here: Surroundings) -> None:
    """On standard error, and with 0: everything is counted, by the old settings. No other problem is told."""
    problems = [
        {"code": code, "message": message, "since": NOW}
        for code, message in (
            ("settings-invalid", "config.toml: plan: must be free\x1b[2J\nlimit: too much"),
            ("log-missing", "no log"),
        )
    ]
    reply = status(daemon=a_daemon(problems=problems))
    with FakeDaemon(here.socket, {"sync": ALL_COUNTED, "status": reply}):
        result = here.run("sync")
    assert (0, "Everything on disk is counted (0.2 s).\n") == (result.exit_code, result.stdout)
    assert result.stderr == "The settings are refused: config.toml: plan: must be free?[2J\nlimit: too much\n"


def test_sync_that_runs_out_of_time_is_1(here: Surroundings) -> None:
    """The reason is on standard error."""
    with FakeDaemon(here.socket, {"sync": {"caught_up": False, "seconds": 60.0}}):
        result = here.run("sync")
    assert (1, "") == (result.exit_code, result.stdout)
    assert "Not everything has been read within 60.0 s" in result.stderr


def test_doctor_is_0_when_all_is_well(here: Surroundings) -> None:
    """And says so."""
    with FakeDaemon(here.socket, {"doctor": HEALTHY}):
        result = here.run("doctor")
    assert (0, "") == (result.exit_code, result.stderr)
    assert "Everything is fine." in result.stdout


@pytest.mark.parametrize(("arguments", "code"), [(("doctor",), 1), (("doctor", "--exit-zero"), 0)])
def test_doctor_is_1_when_a_check_fails(here: Surroundings, arguments: tuple[str, ...], code: int) -> None:
    """What failed stands on standard output in any case."""
    with FakeDaemon(here.socket, {"doctor": ILL}):
        result = here.run(*arguments)
    assert (code, "") == (result.exit_code, result.stderr)
    assert "1 of 3 checks failed." in result.stdout


@pytest.mark.parametrize(
    ("arguments", "code"), [(("doctor", "--json"), 1), (("--exit-zero", "doctor", "--json"), 0)]
)
def test_doctor_json_is_exactly_the_result(here: Surroundings, arguments: tuple[str, ...], code: int) -> None:
    """One document, whatever the exit code."""
    with FakeDaemon(here.socket, {"doctor": ILL}):
        result = here.run(*arguments)
    assert (code, ILL) == (result.exit_code, json.loads(result.stdout))


@pytest.mark.parametrize("width", [80, 60, 40])
def test_doctor_looks_like_its_snapshot(width: int) -> None:
    """The remedy stands under what it mends."""
    assert_snapshot(f"doctor-{width}", text.paint(doctor_lines(ILL, view(width)), view(width)))


def test_doctor_without_a_daemon_quotes_its_last_words(here: Surroundings) -> None:
    """Why it is gone is the first thing to know."""
    (here.root / "state").mkdir()
    (here.root / "state" / "quotad.log").write_text("starting\nthe disk is full\x1b[2J\n")
    result = here.run("doctor")
    assert (69, "") == (result.exit_code, result.stdout)
    assert "  the disk is full?[2J" in result.stderr
    assert "quotactl up" in result.stderr


@pytest.mark.parametrize("version", ["0.1.0", "(not installed)"])
def test_doctor_without_a_daemon_quotes_the_last_start_alone(here: Surroundings, version: str) -> None:
    """What went wrong last week is no reason today."""
    (here.root / "state").mkdir()
    start = f"INFO quotad {version} starts"
    (here.root / "state" / "quotad.log").write_text(f"{start}\nlast week\n{start}\nit starts\ntoday\n")
    result = here.run("doctor")
    assert f":\n  {start}\n  it starts\n  today\n" in result.stderr
    assert "last week" not in result.stderr


@pytest.mark.parametrize(
    ("source", "verdict"),
    [
        ("import sys; print(sys.argv[1], 'finds no fault')", "--check-config finds no fault"),
        ("import sys; print('plan: must be free', file=sys.stderr); sys.exit(78)", "plan: must be free"),
    ],
)
def test_doctor_without_a_daemon_checks_the_settings(here: Surroundings, source: str, verdict: str) -> None:
    """Whether quotad would start with them is what it says itself."""
    here.install("quotad", source)
    result = here.run("doctor")
    assert (69, "") == (result.exit_code, result.stdout)
    assert result.stderr.endswith(f"The settings, by quotad --check-config:\n  {verdict}\n")


def test_doctor_notes_another_version(here: Surroundings) -> None:
    """After an upgrade the old daemon runs on until it is restarted."""
    hello = {"protocol": wire.PROTOCOL, "version": "0.0.1", "pid": 1, "instance": "x"}
    with FakeDaemon(here.socket, {"hello": hello, "doctor": HEALTHY}):
        assert "quotad 0.0.1 runs" in here.run("doctor").stdout


CHANNELS: wire.NotifyTestReply = {
    "channels": [
        {
            "channel": "desktop",
            "delivered": False,
            "detail": "no notification service answers on the session bus",
        },
        {"channel": "command", "delivered": True, "detail": "notify-phone"},
    ]
}


def test_notify_test_tells_what_each_channel_did(here: Surroundings) -> None:
    """Delivered or not, and why."""
    with FakeDaemon(here.socket, {"notify.test": CHANNELS}):
        result = here.run("notify", "test")
    assert result.exit_code == 0
    assert_snapshot("notify-test", result.stdout.rstrip("\n"))


@pytest.mark.parametrize(
    ("channels", "said"),
    [([], "No channel is configured."), (CHANNELS["channels"][:1], "No notice would reach you")],
)
def test_notify_test_says_when_nothing_reaches_anybody(channels: list[wire.ChannelReply], said: str) -> None:
    """A silent desktop must not look like a working one."""
    assert said in text.paint(channel_lines({"channels": channels}, view()), view())


def test_config_show_asks_the_quotad_beside(here: Surroundings) -> None:
    """In our environment, without a daemon."""
    here.install("quotad", "import os, sys; print(sys.argv[1:], os.environ['QUOTAD_CONFIG'])")
    result = here.run("config", "show")
    assert (0, f"['--print-config'] {here.root}/config.toml\n") == (result.exit_code, result.stdout)


def test_config_check_is_1_when_the_settings_are_wrong(here: Surroundings) -> None:
    """quotad's 78 is no exit code of quotactl's; its message is passed on."""
    here.install(
        "quotad",
        "import sys; print('config.toml: plan: must be free, pro or team', file=sys.stderr); sys.exit(78)",
    )
    result = here.run("config", "check")
    assert (1, "") == (result.exit_code, result.stdout)
    assert result.stderr == "config.toml: plan: must be free, pro or team\n"


def test_config_path_needs_nobody(here: Surroundings) -> None:
    """For an editor."""
    assert f"{here.root}/config.toml\n" == here.run("config", "path").stdout


def test_a_quotad_that_cannot_be_run_is_named(here: Surroundings) -> None:
    """Instead of a traceback."""
    here.program.parent.mkdir()
    program = here.program.with_name("quotad")
    program.write_text("#!/no/such/interpreter\n")
    program.chmod(0o755)
    result = here.run("config", "check")
    assert result.exit_code == 1
    assert str(program) in result.stderr


def test_without_a_quotad_beside_it_is_run_as_a_module(tmp_path: Path) -> None:
    """By the same interpreter, and not from the directory we stand in."""
    from quotactl.beside import quotad_command  # noqa: PLC0415 - the only test of it

    found = quotad_command(str(tmp_path / "quotactl"))
    beside_python = Path(sys.executable).with_name("quotad")
    assert found in ([sys.executable, "-P", "-m", "quotad"], [str(beside_python)])


def test_a_link_to_quotactl_finds_the_quotad_beside_the_real_one(tmp_path: Path) -> None:
    """As a tool that is installed by pipx has it."""
    from quotactl.beside import quotad_command  # noqa: PLC0415 - see above

    (tmp_path / "venv").mkdir()
    for name in ("quotactl", "quotad"):
        (tmp_path / "venv" / name).touch(0o755)
    (tmp_path / "quotactl").symlink_to(tmp_path / "venv" / "quotactl")
    assert [str(tmp_path / "venv" / "quotad")] == quotad_command(str(tmp_path / "quotactl"))
