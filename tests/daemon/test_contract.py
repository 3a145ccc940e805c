"""CONTRACT, word for word, against the real process: what other programs rely on."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import cast

import pytest

from quotad import wire
from tests.daemon.clocks import FastClock
from tests.daemon.process import QUOTAD, SETTINGS, Place, Quotad, new_place, wait_until
from tests.daemon.raw import line_to
from tests.daemon.truth import now_ms
from tests.daemon.work import SESSION, append, hit_limit, log, spend, transcript, work_hard

MINUTE = 60_000
HOUR = 60 * MINUTE

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")

# The fields that the contract names, and after the bar those that we have added since: none may vanish.
FIELDS = {
    "status": "schema now daemon plan windows sessions queue advice |",
    "daemon": "version pid started_at caught_up malformed_lines problems | progress notifier",
    "problem": "code message since |",
    "window": "name account state opened_at resets_at limit limit_basis spent remaining available percent "
    "level basis as_of tokens burn_per_minute runs_out_at next_threshold reported | "
    "messages estimated_tokens lower_bound",
    "reported": "percent resets_at received_at age_seconds source |",
    "tokens": "input output cache_write cache_read |",
    "session": "id state started_at ends_at cwd agent spent basis | account ended_at last_active_at",
    "queue": "ready blocked scheduled in_progress complete | due next_at",
    "history by window": "window opened_at resets_at spent messages tokens | account estimated_tokens",
    "history by day": "day spent messages tokens | account estimated_tokens",
    "history by model": "model spent messages tokens | account estimated_tokens",
    "history by project": "project spent messages tokens | account estimated_tokens",
    "history by session": "session spent messages tokens | account estimated_tokens started_at",
    "hello": "protocol version pid instance |",
    "once": "files bytes lines messages malformed seconds |",
    "quota-tracker.json": "plan limit windowHours currentWindow sessions scheduledSessions | windows",
    "currentWindow": "startTime resetTime tokensUsed remaining |",
    "session-tracker.json": "sessions lastUpdated |",
}

Json = Mapping[str, object]


def fields(what: str) -> set[str]:
    """The names that one kind of object has, neither more nor less."""
    return set(FIELDS[what].replace("|", "").split())


@pytest.fixture(scope="module")
def busy() -> Iterator[tuple[Place, Quotad]]:
    """A daemon that has seen two accounts, sessions, a limit hit, a bad line and bad settings."""
    with new_place() as place:
        other = place.root / "other"
        now = now_ms()
        place.config.write_text(
            f"roots = [{json.dumps(str(other))}]\nthresholds = [1, 50]\n"
            f'[[windows]]\nname = "week"\nhours = 168\n{SETTINGS}'
        )
        spend(place, 7_000, at_ms=now - 30 * HOUR, session="s-old")
        spend(place, 20_000, at_ms=now - 20 * MINUTE)
        hit_limit(place, at_ms=now - 15 * MINUTE, resets_ms=now + 2 * HOUR)
        spend(place, 4_000, at_ms=now - 10 * MINUTE, model="claude-haiku-4-5")
        append(transcript(place), b"no line of ours\n")
        log(
            place, "session_start", at_ms=now - 5 * MINUTE, session="s-log", cwd="/home/ana/a b", agent="x.md"
        )
        log(place, "tool_result", at_ms=now - 4 * MINUTE, session="s-log", tool="Edit")
        log(place, "session_end", at_ms=now - 3 * MINUTE, session="s-log")
        spend(place, 11, at_ms=now - MINUTE, path=other / "projects" / "p" / "s-2.jsonl", session="s-2")
        with place.running() as quotad:
            quotad.sync()
            place.config.write_text("plan = 5\n")
            quotad.sync()
            yield place, quotad


# What a status says.


def test_a_status_has_every_field_and_no_other(busy: tuple[Place, Quotad]) -> None:
    """On every level; a daemon, windows of both accounts with and without reading, sessions, problems."""
    status = busy[1].status()
    objects: list[tuple[str, object]] = [
        ("status", status),
        ("daemon", status["daemon"]),
        ("queue", status["queue"]),
    ]
    objects += [("problem", problem) for problem in status["daemon"]["problems"]]
    objects += [("session", session) for session in status["sessions"]]
    for window in status["windows"]:
        objects += [("window", window), ("tokens", window["tokens"])]
        objects += [("reported", window["reported"])] if window["reported"] else []
    assert set(FIELDS) & {"problem", "session", "reported", "window"} <= {what for what, _ in objects}
    for what, found in objects:
        assert isinstance(found, dict)
        assert fields(what) == set(found), what


def test_a_status_has_the_types_of_the_contract(busy: tuple[Place, Quotad]) -> None:
    """Whole numbers of tokens, numbers of per cent, texts; times in UTC with milliseconds and a Z."""
    status = busy[1].status()
    daemon, window, *_ = status["daemon"], *status["windows"]
    assert 1 == status["schema"]
    assert ("0.1.0", busy[1].pid, True, 1) == (
        daemon["version"],
        daemon["pid"],
        daemon["caught_up"],
        daemon["malformed_lines"],
    )
    counts = {"ready": 0, "blocked": 0, "scheduled": [], "in_progress": [], "complete": 0}
    assert counts | {"due": [], "next_at": None} == status["queue"]
    assert status["advice"]
    assert all(isinstance(line, str) for line in status["advice"])
    values = cast("Json", window)
    for name in ("spent", "limit", "remaining", "available", "messages", "estimated_tokens"):
        assert type(values[name]) is int
    for name in ("percent", "burn_per_minute", "next_threshold"):
        assert values[name] is None or type(values[name]) in {int, float}
    for text in instants(status):
        assert INSTANT.fullmatch(text), text


def instants(found: object) -> Iterator[str]:
    """Every text that is a time, by the name it bears."""
    if isinstance(found, dict):
        for name, value in found.items():
            if isinstance(value, str) and (name.endswith(("_at", "Time", "At")) or name in TIMES):
                yield value
            yield from instants(value)
    elif isinstance(found, list):
        for value in found:
            yield from instants(value)


TIMES = {"now", "as_of", "since", "lastUpdated", "scheduledFor"}


def test_the_first_window_is_the_first_roots_five_hours(busy: tuple[Place, Quotad]) -> None:
    """Whatever other roots and windows there are; each account has each window."""
    place, quotad = busy
    accounts = (str(place.claude), str(place.root / "other"))
    expected = [(account, name) for account in accounts for name in ("five_hour", "week")]
    assert expected == [(window["account"], window["name"]) for window in quotad.status()["windows"]]


def test_a_window_with_a_reading_says_what_was_reported(busy: tuple[Place, Quotad]) -> None:
    """The percentage is the reading's and what was spent since; ``spent`` is what was counted here."""
    status = busy[1].status()
    window = status["windows"][0]
    reported = window["reported"]
    assert reported is not None
    assert (100.0, "reported", "critical", 0) == (
        reported["percent"],
        window["basis"],
        window["level"],
        window["remaining"],
    )
    assert 25_500 == window["spent"]
    assert (window["percent"] or 0) > 100
    assert reported["resets_at"] == window["resets_at"]
    assert reported["source"]
    age_ms = wire.instant(status["now"]) - wire.instant(reported["received_at"])
    assert age_ms == round(reported["age_seconds"] * 1000)
    assert age_ms >= 15 * MINUTE


def test_a_window_without_a_limit_has_none_of_what_follows_from_it(busy: tuple[Place, Quotad]) -> None:
    """Null for limit, what remains, percentage, level and threshold; what was spent is known."""
    window = cast("Json", busy[1].window("week"))
    unknown = ("limit", "remaining", "available", "percent", "level", "next_threshold", "runs_out_at")
    assert [None] * len(unknown) == [window[name] for name in unknown]
    assert (32_500, "unknown") == (window["spent"], window["limit_basis"])


def test_an_idle_window_is_there_all_the_same(place: Place) -> None:
    """Times are null, nothing is spent, all of it is left."""
    spend(place, 10, at_ms=now_ms() - 6 * HOUR)
    with place.running() as quotad:
        status = quotad.status()
    (window,) = status["windows"]
    assert ("idle", None, None, 0) == tuple(
        window[name] for name in ("state", "opened_at", "resets_at", "spent")
    )
    assert (200_000, 200_000, 0, "plenty") == tuple(
        window[name] for name in ("remaining", "available", "percent", "level")
    )
    assert {"input": 0, "output": 0, "cache_write": 0, "cache_read": 0} == window["tokens"]
    assert (0, None, 50, None) == tuple(
        window[name] for name in ("burn_per_minute", "runs_out_at", "next_threshold", "reported")
    )


def test_sessions_are_told_with_their_five_hours(busy: tuple[Place, Quotad]) -> None:
    """The active ones, and one that its log says has ended; with directory, agent, and what it has spent."""
    sessions = {session["id"]: session for session in busy[1].status()["sessions"]}
    assert {SESSION, "s-log", "s-2"} == set(sessions)
    logged, measured = sessions["s-log"], sessions[SESSION]
    assert ("complete", "/home/ana/a b", "x.md", 1_500, "estimated") == tuple(
        logged[name] for name in ("state", "cwd", "agent", "spent", "basis")
    )
    assert ("active", None, 24_000, "measured") == tuple(
        measured[name] for name in ("state", "agent", "spent", "basis")
    )
    assert 5 * HOUR == wire.instant(measured["ends_at"]) - wire.instant(measured["started_at"])


def test_quotactl_prints_exactly_the_reply(busy: tuple[Place, Quotad]) -> None:
    """``status --json`` is the result of ``status``, but for the time."""
    place, quotad = busy
    printed = place.quotactl("status", "--json")
    assert (0, "") == (printed.returncode, printed.stderr)
    assert timeless(quotad.status()) == timeless(json.loads(printed.stdout))


def timeless(status: Json) -> object:
    """Without what changes by itself from one moment to the next."""
    moving = {"now", "age_seconds", "burn_per_minute", "runs_out_at", "as_of"}

    def still(found: object) -> object:
        if isinstance(found, dict):
            return {name: still(value) for name, value in found.items() if name not in moving}
        return [still(value) for value in found] if isinstance(found, list) else found

    return still(status)


# History.


@pytest.mark.parametrize("by", ["window", "day", "model", "project", "session"])
def test_a_row_of_history_has_its_fields(busy: tuple[Place, Quotad], by: wire.GroupBy) -> None:
    """Whatever it is grouped by: the group, what was spent, calls that count, tokens by kind."""
    rows = busy[1].history(by)
    assert rows
    for row in rows:
        assert fields(f"history by {by}") == set(row)
        assert fields("tokens") == set(row["tokens"])
        assert all(INSTANT.fullmatch(text) for text in instants(row))
    own = [row for row in rows if row["account"] == str(busy[0].claude)]
    if by == "window":
        own = [row for row in own if row["window"] == "five_hour"]
    assert (32_500, 3) == (sum(row["spent"] for row in own), sum(row["messages"] for row in own))


def test_windows_and_days_of_history_come_oldest_first(busy: tuple[Place, Quotad]) -> None:
    """And a day is a date."""
    days = [row["day"] for row in busy[1].history("day", zone="utc")]
    assert sorted(days) == days
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", day) for day in days)
    opened = [row["opened_at"] for row in busy[1].history("window")]
    assert sorted(opened) == opened


# The socket.


def test_hello_names_protocol_version_process_and_run(busy: tuple[Place, Quotad]) -> None:
    """The instance is another one at each start."""
    _, quotad = busy
    hello = cast("wire.Hello", quotad.request("hello"))
    assert fields("hello") == set(hello)
    assert (1, "0.1.0", quotad.pid) == (hello["protocol"], hello["version"], hello["pid"])
    with new_place() as other, other.running() as another:
        assert hello["instance"] != another.client.hello["instance"]


ERRORS = [
    (b"{", -32700, None, ""),
    (b"\xff", -32700, None, ""),
    (b"[" * 100_000, -32700, None, ""),
    (b'[{"jsonrpc":"2.0","id":1,"method":"status"}]', -32600, None, "batch"),
    (b"7", -32600, None, ""),
    (b'{"jsonrpc":"1.0","id":3,"method":"status"}', -32600, 3, ""),
    (b'{"jsonrpc":"2.0","id":"a","method":"no.such"}', -32601, "a", "no such method"),
    (b'{"jsonrpc":"2.0","id":1,"method":"sync","params":{"timeout":"5"}}', -32602, 1, "timeout"),
    (b'{"jsonrpc":"2.0","id":1,"method":"history","params":{"by":"moon"}}', -32602, 1, "by"),
    (b'{"jsonrpc":"2.0","id":1,"method":"history","params":{"since":"soon"}}', -32602, 1, "since"),
    (b'{"jsonrpc":"2.0","id":1,"method":"status","params":{"verbose":true}}', -32602, 1, "verbose"),
    (b'{"jsonrpc":"2.0","id":1,"method":"status","params":[]}', -32602, 1, "params"),
]


@pytest.mark.parametrize(("line", "code", "identity", "says"), ERRORS, ids=lambda value: str(value)[:40])
def test_what_is_wrong_is_answered_with_its_code(
    busy: tuple[Place, Quotad], line: bytes, code: int, identity: object, says: str
) -> None:
    """The id comes back where there is one, the message names the field, and the connection goes on."""
    with line_to(busy[0]) as connection:
        reply = connection.ask(line + b"\n")
        error = cast("wire.ErrorReply", reply["error"])
        assert ({"jsonrpc", "id", "error"}, "2.0", identity, code) == (
            set(reply),
            reply["jsonrpc"],
            reply["id"],
            error["code"],
        )
        assert says in error["message"]
        assert "result" in connection.ask(wire.request("status", {}, 2))


def test_a_refusal_has_a_code_of_the_list(busy: tuple[Place, Quotad]) -> None:
    """-32000, and ``data.code`` says why."""
    with line_to(busy[0]) as connection:
        error = cast("wire.ErrorReply", connection.ask(wire.request("reload", {}, 1))["error"])
    assert (-32000, {"code": "settings-invalid"}) == (error["code"], error["data"])


@pytest.mark.parametrize(
    ("size", "code"), [(wire.REQUEST_BYTES_MAX, -32602), (wire.REQUEST_BYTES_MAX + 1, -32600)]
)
def test_a_request_may_have_a_mebibyte(busy: tuple[Place, Quotad], size: int, code: int) -> None:
    """One byte more is too large."""
    begin, end = b'{"jsonrpc":"2.0","id":1,"method":"history","params":{"since":"', b'"}}'
    with line_to(busy[0]) as connection:
        reply = connection.ask(begin + b"x" * (size - len(begin) - len(end)) + end + b"\n")
    error = cast("wire.ErrorReply", reply["error"])
    assert code == error["code"]
    assert ("data" in error) == (code == -32600)


def test_256_connections_are_served_at_once(busy: tuple[Place, Quotad]) -> None:
    """Each gets its answer while all the others are open."""
    with ExitStack() as stack:
        lines = [stack.enter_context(line_to(busy[0])) for _ in range(256)]
        for line in lines:
            line.say(wire.request("status", {}, 1))
        assert all("result" in line.hear() for line in lines)


def test_a_subscriber_hears_of_every_change(place: Place) -> None:
    """First a full status, then one for each change, numbered without a gap while it listens."""
    with place.running() as quotad, line_to(place) as line:
        first = line.subscribe()
        assert {"seq", "status"} == set(first)
        assert fields("status") == set(first["status"])
        number = first["seq"]
        for spent in range(100, 600, 100):
            spend(place, 100)
            quotad.status()
            change = line.change()
            number += 1
            assert (number, spent) == (change["seq"], change["status"]["windows"][0]["spent"])
            assert fields("status") == set(change["status"])


def test_a_subscriber_hears_what_nobody_asks_for(place: Place) -> None:
    """A line that is appended reaches it by itself, within a second or two."""
    spend(place, 100)
    with place.running(), line_to(place) as line:
        line.subscribe()
        spend(place, 100)
        assert 200 == line.change()["status"]["windows"][0]["spent"]


def test_notifications_get_no_reply(busy: tuple[Place, Quotad]) -> None:
    """The next thing on the connection is the answer to the next request."""
    with line_to(busy[0]) as connection:
        connection.say(b'{"jsonrpc":"2.0","method":"status"}\n')
        assert 2 == connection.ask(wire.request("hello", {}, 2))["id"]


# Snapshots.


def read(place: Place, name: str) -> Json:
    """A snapshot as another program reads it."""
    return cast("Json", json.loads((place.claude / name).read_bytes()))


def test_snapshots_have_the_shape_of_the_contract(busy: tuple[Place, Quotad]) -> None:
    """Of the first root alone, with the names that other programs look for."""
    place, quotad = busy
    window = quotad.window()
    tracker = read(place, "quota-tracker.json")
    assert fields("quota-tracker.json") == set(tracker)
    assert ("pro", 200_000, 5, []) == tuple(
        tracker[name] for name in ("plan", "limit", "windowHours", "scheduledSessions")
    )
    assert {
        "startTime": window["opened_at"],
        "resetTime": window["resets_at"],
        "tokensUsed": 25_500,
        "remaining": 0,
    } == tracker["currentWindow"]
    spending = {
        one["id"]: set(one) - {"id"} for one in cast("Sequence[dict[str, object]]", tracker["sessions"])
    }
    assert {
        SESSION: {"tokensUsed", "startTime"},
        "s-log": {"tokensUsed", "startTime", "endTime"},
    } == spending
    tracked = read(place, "session-tracker.json")
    assert fields("session-tracker.json") == set(tracked)
    sessions = {one["id"]: one for one in cast("Sequence[dict[str, object]]", tracked["sessions"])}
    assert {SESSION, "s-log"} == set(sessions)
    assert {"id", "startTime", "endTime", "cwd", "tokensUsed", "status"} == set(sessions[SESSION])
    assert ("complete", "x.md") == (sessions["s-log"]["status"], sessions["s-log"]["agent"])
    for text in (*instants(tracker), *instants(tracked)):
        assert INSTANT.fullmatch(text), text


def test_snapshots_are_whole_at_every_instant_and_new_within_a_second(place: Place) -> None:
    """Whoever reads them all the while sees each state whole, never an older one after a newer."""
    path = place.claude / "quota-tracker.json"
    with place.running() as quotad:
        wait_until(path.exists)
        seen: list[int] = []
        late: list[float] = []
        for round_number in range(1, 4):
            spend(place, 100)
            assert 100 * round_number == quotad.window()["spent"]
            changed = time.monotonic()

            def is_new(expected: int = 100 * round_number) -> bool:
                seen.append(cast("dict[str, int]", read(place, path.name)["currentWindow"])["tokensUsed"])
                return seen[-1] == expected

            wait_until(is_new)
            late.append(time.monotonic() - changed)
    assert sorted(seen) == seen
    assert {0, 100, 200, 300} >= set(seen)
    # A second, and a little for a machine that does other things as well.
    assert max(late) < 1.5


def test_a_start_takes_nothing_back(place: Place) -> None:
    """While a daemon reads what there is, and when it is ended before it has, the old snapshot stands."""
    spend(place, 100)
    place.once()
    (place.state / "ledger.db").unlink()
    spent = 100 + work_hard(place)
    seen = []

    def used() -> int:
        seen.append(cast("dict[str, int]", read(place, "quota-tracker.json")["currentWindow"])["tokensUsed"])
        return seen[-1]

    quotad = place.launch()
    try:
        wait_until((place.state / "ledger.db-wal").exists)
        assert 100 == used()
        assert 0 == quotad.stop()
        assert 100 == used()
    finally:
        quotad.kill()
    with place.running():
        wait_until(lambda: used() == spent)
    assert {100, spent} == set(seen)


def test_snapshots_that_say_the_same_are_not_written_again(place: Place) -> None:
    """The files stay as they are while nothing changes, however often one asks or what is read again."""
    spend(place, 100)
    with place.running() as quotad:
        quotad.sync()
        wait_until((place.claude / "session-tracker.json").exists)
        assert read(place, "session-tracker.json")["sessions"]
        files = sorted(place.claude.glob("*.json"))
        before = [(path.stat().st_ino, path.stat().st_mtime_ns) for path in files]
        append(transcript(place), transcript(place).read_bytes())
        for _ in range(20):
            quotad.status()
        with line_to(place) as line:
            line.subscribe()
            place.config.write_text("limit = 0")
            quotad.sync()
            assert line.change()["status"]["daemon"]["problems"]
        quotad.stop()
    assert before == [(path.stat().st_ino, path.stat().st_mtime_ns) for path in files]
    assert ["quota-tracker.json", "session-tracker.json"] == [path.name for path in files]


def test_a_reset_empties_the_snapshot(place: Place) -> None:
    """While no window runs its times are null and everything is left; nobody has to ask."""
    clock = FastClock(1200)
    with place.running(*clock.arguments) as quotad:
        spend(place, 100, at_ms=clock.now() - 5 * HOUR + 10 * MINUTE)
        quotad.sync()
        expected = {"startTime": None, "resetTime": None, "tokensUsed": 0, "remaining": 200_000}
        wait_until(
            lambda: 100 == cast("Json", read(place, "quota-tracker.json")["currentWindow"])["tokensUsed"]
        )
        wait_until(lambda: expected == read(place, "quota-tracker.json")["currentWindow"])


# quotad --once.


def test_once_prints_one_line_and_writes_everything(place: Place) -> None:
    """Of exactly these fields; ledger and snapshots are there afterwards, and no socket ever was."""
    spend(place, 10)
    for bad in (b"no line of ours\n", b"{no end\n", b'{"usage": "assistant", }\n', b"\n"):
        append(transcript(place), bad)
    done = place.run([*QUOTAD, "--once"])
    assert (0, "") == (done.returncode, done.stderr)
    (line,) = done.stdout.splitlines()
    said = json.loads(line)
    assert fields("once") == set(said)
    assert (1, transcript(place).stat().st_size, 4, 1, 3) == tuple(
        said[name] for name in ("files", "bytes", "lines", "messages", "malformed")
    )
    assert 0 < said["seconds"] < 10
    assert (place.state / "ledger.db").exists()
    assert 10 == cast("Json", read(place, "quota-tracker.json")["currentWindow"])["tokensUsed"]
    assert not place.socket.parent.exists()


def test_once_beside_a_daemon_is_turned_away(place: Place) -> None:
    """With 75, like any second one; with bad settings it says 78."""
    with place.running():
        assert 75 == place.run([*QUOTAD, "--once"]).returncode
    place.config.write_text("limit = 0\n")
    assert 78 == place.run([*QUOTAD, "--once"]).returncode
