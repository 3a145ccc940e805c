"""up returns once the daemon answers, and says why if it never will; down returns once it is gone."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from quotactl import up
from quotactl.down import wait_until_gone
from quotactl.failure import Undone
from quotad import wire
from tests.quotactl.conftest import Surroundings
from tests.quotactl.fake_daemon import HELLO, Error, FakeDaemon, Raw
from tests.quotactl.replies import daemon, status
from tests.quotactl.terminal import Terminal, wait_until

SERVING = """
import json, os, sys, time
from pathlib import Path
from tests.quotactl.fake_daemon import HELLO, Error, FakeDaemon, Raw
from tests.quotactl.terminal import wait_until

print("quotad begins", file=sys.stderr, flush=True)
Path("{pids}").open("a").write(str(os.getpid()) + " ")
status = json.loads({status!r})
status["daemon"]["pid"] = os.getpid()
replies = {{"hello": HELLO | {{"pid": os.getpid()}}, "status": status, "shutdown": {{"ok": True}}}}
with FakeDaemon(Path(os.environ["QUOTAD_SOCKET"]), replies) as daemon:
    wait_until(lambda: ("shutdown", {{}}) in daemon.asked, 60)
"""


class Installed:
    """A quotad beside quotactl, which remembers the processes it was."""

    def __init__(self, here: Surroundings) -> None:
        self._here = here
        self.pids_file = here.root / "pids"
        here.install("quotactl", "from quotactl.__main__ import main; main()")

    def that_serves(self, reply: wire.StatusReply, after: str = "") -> None:
        """It answers ``status`` with this, until it is told to shut down."""
        self.that_does(after + SERVING.format(pids=self.pids_file, status=json.dumps(reply)))

    def that_does(self, source: str) -> None:
        self._here.install("quotad", source)

    def pids(self) -> list[int]:
        """Every process that was started so far."""
        return [int(pid) for pid in self.pids_file.read_text().split()] if self.pids_file.exists() else []


@pytest.fixture
def quotad(here: Surroundings) -> Iterator[Installed]:
    """An installed quotad; whatever it leaves running is ended."""
    installed = Installed(here)
    yield installed
    for pid in installed.pids():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)


def test_up_returns_once_the_daemon_answers(here: Surroundings, quotad: Installed) -> None:
    """It runs in a session of its own, so that it outlives the terminal."""
    quotad.that_serves(status())
    result = here.process("up")
    (pid,) = quotad.pids()
    assert (0, "") == (result.returncode, result.stderr)
    assert result.stdout.startswith(f"quotad is running (pid {pid}).\nNext: `quotactl status`")
    assert os.getsid(pid) == pid
    assert here.run("status").exit_code == 0


def test_what_the_daemon_says_goes_to_a_log_that_only_we_can_read(
    here: Surroundings, quotad: Installed
) -> None:
    """Its directory is made if need be, for us alone too."""
    quotad.that_serves(status())
    here.process("up")
    log = here.root / "state" / "quotad.log"
    assert log.read_text() == "quotad begins\n"
    assert [0o600, 0o700] == [stat.S_IMODE(path.stat().st_mode) for path in (log, log.parent)]


def test_up_says_how_far_the_reading_is(here: Surroundings, quotad: Installed) -> None:
    """It does not wait for it."""
    progress = {"files": 4011, "files_done": 812, "bytes": 1_000, "bytes_done": 413}
    quotad.that_serves(status(daemon=daemon(caught_up=False, progress=progress)))
    assert "Reading history: 812 of 4011 files, 41 %; numbers are provisional." in here.process("up").stdout


def test_up_twice_starts_one(here: Surroundings, quotad: Installed) -> None:
    """The second says that it runs, and that is no error."""
    quotad.that_serves(status())
    here.process("up")
    result = here.process("up")
    (pid,) = quotad.pids()
    assert (0, f"quotad is running already (pid {pid}).\n") == (result.returncode, result.stdout)


def test_up_does_not_start_a_second_beside_one_of_another_protocol(
    here: Surroundings, quotad: Installed
) -> None:
    """It says what runs, and how to restart it."""
    quotad.that_serves(status())
    with FakeDaemon(here.socket, {"hello": HELLO | {"protocol": 2}}):
        result = here.process("up")
    assert (69, []) == (result.returncode, quotad.pids())
    assert "quotactl down" in result.stderr


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (1, "quotad ended at once (exit code 1). Its last words"),
        (75, "Another quotad holds this state directory, but does not answer here:"),
        (78, "quotad did not start, because its settings are not valid:"),
    ],
)
def test_a_daemon_that_does_not_start_is_quoted(
    here: Surroundings, quotad: Installed, code: int, said: str
) -> None:
    """Only its own words, and not those of an earlier start."""
    (here.root / "state").mkdir(mode=0o700)
    (here.root / "state" / "quotad.log").write_text("said long ago\n")
    quotad.that_does(
        f"import sys; print('config.toml: plan: no such plan', file=sys.stderr); sys.exit({code})"
    )
    result = here.process("up")
    assert (1, "") == (result.returncode, result.stdout)
    assert said in result.stderr
    assert "\n  config.toml: plan: no such plan\n" in result.stderr
    assert "long ago" not in result.stderr


def test_a_daemon_that_is_killed_is_said(here: Surroundings, quotad: Installed) -> None:
    """By which signal, and that it had nothing to say."""
    quotad.that_does("import os; os.kill(os.getpid(), 9)")
    result = here.process("up")
    assert result.returncode == 1
    assert "was ended by signal 9" in result.stderr
    assert "(nothing)" in result.stderr


IMPATIENT = """
import os, sys
from quotactl import up
from quotactl.console import Console

console = Console(dict(os.environ), sys.platform, os.getuid(), sys.argv[0], lambda: 0)
try:
    up.started(console, up.log_file(console.paths.state), seconds=0.5)
except up.Undone as failure:
    print(failure.message)
"""


def test_a_daemon_that_takes_too_long_is_left_alone(here: Surroundings, quotad: Installed) -> None:
    """It may have much to read; its log is named."""
    quotad.that_serves(status(), after="import threading; threading.Event().wait(2.0)")
    here.install("impatient", IMPATIENT)
    said = subprocess.run(
        [here.program.with_name("impatient")],
        env=here.environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "has not answered within 0 s; it goes on trying" in said
    assert f"Its log: {here.root}/state/quotad.log" in said
    wait_until(lambda: here.run("status").exit_code == 0)


def test_a_long_log_makes_room(here: Surroundings, quotad: Installed) -> None:
    """One older log is kept, and a log at the limit is not yet long."""
    state = here.root / "state"
    state.mkdir(mode=0o700)
    (state / "quotad.log").write_bytes(b"x" * (up.LOG_BYTES_MAX + 1))
    assert up.log_file(state).stat().st_size == 0
    assert (state / "quotad.log.1").stat().st_size == up.LOG_BYTES_MAX + 1
    (state / "quotad.log").write_bytes(b"x" * up.LOG_BYTES_MAX)
    assert up.log_file(state).stat().st_size == up.LOG_BYTES_MAX


def test_a_log_that_is_a_link_is_not_written_to(here: Surroundings, quotad: Installed) -> None:
    """Somebody could have made it point anywhere."""
    quotad.that_serves(status())
    (here.root / "state").mkdir(mode=0o700)
    (here.root / "state" / "quotad.log").symlink_to(here.root / "elsewhere")
    result = here.process("up")
    assert (1, []) == (result.returncode, quotad.pids())
    assert "quotad.log" in result.stderr


def test_last_words_are_short(tmp_path: Path) -> None:
    """A traceback's end says most; twelve lines of it are shown."""
    log = tmp_path / "quotad.log"
    log.write_text("".join(f"line {number}\n" for number in range(20)))
    assert up.last_words(log).split("\n") == [f"  line {number}" for number in range(8, 20)]


def test_on_a_terminal_a_slow_start_shows_signs_of_life(here: Surroundings, quotad: Installed) -> None:
    """And takes them away when it is done."""
    quotad.that_serves(status(), after="import threading; threading.Event().wait(1.0)")
    with Terminal(here, "up") as terminal:
        terminal.shows("quotad is looking at what there is")
        assert terminal.wait() == 0
    assert "\r\x1b[Kquotad is running" in terminal.text


def test_down_returns_once_the_daemon_is_gone(here: Surroundings, quotad: Installed) -> None:
    """Its socket, and its process."""
    quotad.that_serves(status())
    # By a process of its own: the child of this one would stay as a zombie when it ends.
    here.process("up")
    (pid,) = quotad.pids()
    result = here.run("down")
    assert (0, "") == (result.exit_code, result.stderr)
    assert result.stdout == f"quotad is stopped (pid {pid} is gone).\n"
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_down_without_a_daemon_has_nothing_to_do(here: Surroundings) -> None:
    """Whoever wants it gone has what they want: 0."""
    result = here.run("down")
    assert (0, "quotad is not running: nothing to stop.\n") == (result.exit_code, result.stdout)


NO_PROCESS = 2**22 + 1
"""One more than Linux gives out."""


@pytest.mark.parametrize("reply", [{"ok": True}, Raw()])
def test_down_stops_a_daemon_of_another_protocol(here: Surroundings, reply: object) -> None:
    """After an upgrade that is the only way on; and it may hang up before it answers."""
    replies = {"hello": HELLO | {"protocol": 2, "pid": NO_PROCESS}, "shutdown": reply}
    with FakeDaemon(here.socket, replies) as fake:
        fake.last_call = "shutdown"
        result = here.run("down")
    assert (0, "") == (result.exit_code, result.stderr)
    assert ("shutdown", {}) in fake.asked


def test_down_gives_up_on_a_daemon_that_stays(here: Surroundings) -> None:
    """Which process it is stands in the message."""
    with FakeDaemon(here.socket, {}), pytest.raises(Undone, match=r"pid 4194305\) was told to stop"):
        wait_until_gone(here.console(), NO_PROCESS, seconds=0.2)


def test_down_that_is_refused_says_so(here: Surroundings) -> None:
    """And waits for nothing."""
    refusal = Error(code=wire.REFUSED, message="not now", data={"code": "busy"})
    with FakeDaemon(here.socket, {"shutdown": refusal}):
        result = here.run("down")
    assert (1, "", "not now\n") == (result.exit_code, result.stdout, result.stderr)
