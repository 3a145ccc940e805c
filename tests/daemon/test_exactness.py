"""The real process counts what an independent recount counts: to the token, in every order, over restarts."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, timedelta, timezone, tzinfo
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from benchmarks.corpus import CorpusFacts, generate
from benchmarks.recount import FIVE_HOURS_MS, Recount, recount
from quotad import wire
from quotad.intake.readers import PROCESS_BYTES
from quotad.intake.reading import FILE_BYTES
from tests.daemon.process import CHECKOUT, Once, Place, Quotad, new_place
from tests.daemon.truth import current, current_of, demo_clock, sums, tokens_of, total, windows

SAMPLES = CHECKOUT / "tests" / "samples"
SAMPLE_MS = 1_793_610_600_000  # 2026-11-02T09:10:00Z
END_MS = 1_793_610_000_000  # 2026-11-02T09:00:00Z
CLOCK_SLACK_MS = 5 * 60_000
RUN_MS = 120_000
"""For so long no call may change its standing while a daemon's clock runs on from a chosen instant."""
HIT_MS = 20 * 60_000
"""A limit message of the corpus states a reset that is nearer than this."""
SHOWN_MS = 60 * 60_000
"""For so long a session is shown when its five hours are over."""


def test_the_samples_give_what_stands_beside_them(place: Place) -> None:
    """``--once`` counts the expected calls and bad lines, ``history`` and ``status`` the expected tokens."""
    expected = json.loads((SAMPLES / "expected_usage.json").read_text())
    shutil.copytree(SAMPLES / "projects", place.projects, dirs_exist_ok=True)
    counts = recount(place.projects)
    once = place.once()
    assert (len(expected["by_message"]), 1) == (once.messages, once.malformed)
    transcripts = [path for path in place.projects.rglob("*.jsonl") if path.name != "journal.jsonl"]
    whole_lines = sum(path.read_bytes().rfind(b"\n") + 1 for path in transcripts)
    assert (counts.files, whole_lines, counts.lines) == (once.files, once.bytes, once.lines)
    with place.running(*demo_clock(SAMPLE_MS)) as quotad:
        by_day, by_model, by_session = (
            from_quotactl(place, "history", "--json", "--utc", "--by", by)
            for by in ("day", "model", "session")
        )
        window = from_quotactl(place, "status", "--json")["windows"][0]
        assert 1 == quotad.status()["daemon"]["malformed_lines"]
    assert counts.by_day() == sums(by_day, "day")
    assert counts.by(lambda call: call.model) == sums(by_model, "model")
    assert counts.by(lambda call: call.session) == sums(by_session, "session")
    assert (len(expected["by_message"]), tuple(expected["total"])) == total(by_model)
    assert current_of(counts, SAMPLE_MS) == current(window)
    assert (tuple(expected["total"]), sum(expected["total"][:3])) == (
        tokens_of(window["tokens"]),
        window["spent"],
    )


def test_as_much_as_processes_are_started_for_is_counted_as_exactly(place: Place) -> None:
    """What is read beside the daemon, in pieces and at once, gives every call, line and byte."""
    shutil.copytree(SAMPLES / "projects", place.projects, dirs_exist_ok=True)
    alone = recount(place.projects)
    lines = b'{"type":"summary"}\n' * (FILE_BYTES // 8)
    files = PROCESS_BYTES // len(lines) + 1
    for number in range(files):
        (place.projects / f"long-{number}.jsonl").write_bytes(lines)
    once = place.once()
    assert (len(alone.calls), alone.malformed) == (once.messages, once.malformed)
    assert alone.files + files == once.files
    assert alone.lines + files * lines.count(b"\n") == once.lines


def from_quotactl(place: Place, *arguments: str) -> Any:  # noqa: ANN401 - JSON of any shape
    """What a command prints as JSON."""
    done = place.quotactl(*arguments)
    assert (0, "") == (done.returncode, done.stderr)
    return json.loads(done.stdout)


# A corpus at once.


@dataclass(frozen=True)
class Case:
    """A corpus and the zone of the machine that reads it, as the C library writes and Python knows it."""

    seed: int
    zone: str
    zone_known: tzinfo
    limit_hits: bool = False


@dataclass(frozen=True)
class Counted:
    """A corpus that was read from nothing by ``--once``, and by a daemon whose clock shows its end."""

    case: Case
    place: Place
    facts: CorpusFacts
    counts: Recount
    once: Once
    quotad: Quotad
    first_status: wire.StatusReply


CASES = (
    Case(1, "KTM-5:45", timezone(timedelta(hours=5, minutes=45))),
    # Half an hour of summer time, which begins in the first days of the corpus.
    Case(2, "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", ZoneInfo("Australia/Lord_Howe")),
    Case(3, "MART9:30", timezone(-timedelta(hours=9, minutes=30)), limit_hits=True),
)


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"seed {case.seed}")
def counted(request: pytest.FixtureRequest) -> Iterator[Counted]:
    """Each corpus, counted once for all tests."""
    case: Case = request.param
    with new_place() as place, ThreadPoolExecutor() as beside:
        facts = corpus(place.claude, case)
        apart = {"QUOTAD_STATE_DIR": str(place.root / "once")}
        once = beside.submit(place.once, extra=apart)
        with place.running(*demo_clock(END_MS), extra={"TZ": case.zone}) as quotad:
            first_status = quotad.status()
            quotad.sync()
            counts = recount(place.projects)
            yield Counted(case, place, facts, counts, once.result(), quotad, first_status)


def corpus(root: Path, case: Case) -> CorpusFacts:
    """Two megabytes below a Claude directory."""
    return generate(
        root,
        seed=case.seed,
        size_bytes=2_000_000,
        files=60,
        end_ms=END_MS,
        limit_hits=case.limit_hits,
    )


def test_a_corpus_has_what_is_hard(counted: Counted) -> None:
    """Flaws, copies and many windows are there, and the recount finds what the making tallied."""
    assert {"torn tail", "duplicate file", "second request", "torn line"} <= set(counted.facts.flaws)
    assert len(counted.counts.windows()) > 15
    assert counted.case.limit_hits == bool(counted.facts.limit_resets_ms)
    assert (counted.facts.calls, counted.facts.tokens) == (
        len(counted.counts.calls),
        counted.counts.tokens(),
    )


def test_once_counts_every_file_line_call_and_bad_line(counted: Counted) -> None:
    """The line of ``quotad --once`` is that of the recount."""
    counts = counted.counts
    assert (counts.files, counts.lines, len(counts.calls), counts.malformed) == (
        counted.once.files,
        counted.once.lines,
        counted.once.messages,
        counted.once.malformed,
    )


def test_days_are_right_in_utc_and_where_the_machine_is(counted: Counted) -> None:
    """Calls fall on the recount's days, also where these begin at a quarter hour or summer time begins."""
    quotad, counts = counted.quotad, counted.counts
    assert counts.by_day(UTC) == sums(quotad.history("day", zone="utc"), "day")
    assert counts.by_day(counted.case.zone_known) == sums(quotad.history("day"), "day")


def test_models_and_sessions_are_right(counted: Counted) -> None:
    """Each call is its model's and its session's."""
    assert counted.counts.by(lambda call: call.model) == sums(counted.quotad.history("model"), "model")
    assert counted.counts.by(lambda call: call.session) == sums(counted.quotad.history("session"), "session")


def test_five_hour_windows_are_right(counted: Counted) -> None:
    """Every window of the chain opens, ends and holds what the recount says, oldest first."""
    expected = counted.counts.windows(counted.facts.limit_resets_ms)
    assert expected == windows(counted.quotad.history("window"))


def test_a_span_of_history_is_cut_to_the_millisecond(counted: Counted) -> None:
    """``since`` is within, ``until`` is not, wherever in a quarter hour they lie."""
    calls = counted.counts.calls
    first, last = calls[len(calls) // 4], calls[len(calls) // 4 * 3]
    within = Recount(0, 0, 0, 0, [call for call in calls if first.at_ms <= call.at_ms < last.at_ms])
    since, until = wire.iso(first.at_ms), wire.iso(last.at_ms)
    rows = counted.quotad.history("model", since=since, until=until)
    assert within.by(lambda call: call.model) == sums(rows, "model")


def test_the_current_window_is_right_in_the_first_answer(counted: Counted) -> None:
    """What the current window needs is read before the daemon answers at all."""
    expected = current_of(counted.counts, END_MS, counted.facts.limit_resets_ms)
    assert expected == current(counted.first_status["windows"][0])
    assert expected == current(counted.quotad.window())


def test_bad_lines_are_counted(counted: Counted) -> None:
    """``status`` and ``doctor`` say how many there are, and in which file most of them."""
    malformed = counted.counts.malformed
    assert malformed == counted.quotad.status()["daemon"]["malformed_lines"]
    message = counted.quotad.doctor()["lines"]["message"]
    assert message.startswith(f"{malformed} lines could not be read and were skipped, ")
    assert str(counted.place.projects) in message


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"seed {case.seed}")
def test_at_any_instant_and_in_any_order_of_files_the_past_is_the_same(place: Place, case: Case) -> None:
    """With shuffled file times and a clock set back, what lies ahead is not there and the rest is right."""
    chance = Random(case.seed)
    facts = corpus(place.claude, case)
    paths = sorted(place.projects.rglob("*.jsonl"))
    stamps = [path.stat().st_mtime_ns for path in paths]
    chance.shuffle(stamps)
    for path, stamp in zip(paths, stamps, strict=True):
        os.utime(path, ns=(stamp, stamp))
    now_ms = an_instant(recount(place.projects), facts.limit_resets_ms, chance)
    resets = [reset for reset in facts.limit_resets_ms if reset <= now_ms]
    counts = recount(place.projects, now_ms=now_ms)
    with place.running(*demo_clock(now_ms), extra={"TZ": case.zone}) as quotad:
        quotad.sync()
        status = quotad.status()
        assert current_of(counts, now_ms, resets) == current(status["windows"][0])
        assert counts.windows(resets) == windows(quotad.history("window"))
        assert counts.by_day() == sums(quotad.history("day", zone="utc"), "day")
        assert counts.by(lambda call: call.session) == sums(quotad.history("session"), "session")
        expected = last_five_hours(counts, now_ms)
        assert expected == {one["id"]: (one["started_at"], one["spent"]) for one in status["sessions"]}


def an_instant(counts: Recount, resets_ms: Iterable[int], chance: Random) -> int:
    """In the midst of a window that holds more later; nothing turns from future to past soon after it."""
    times = [call.at_ms for call in counts.calls]
    while True:
        window = chance.choice(counts.windows(resets_ms))
        at_ms = chance.randrange(window.opened_ms, window.resets_ms)
        soon = range(at_ms, at_ms + CLOCK_SLACK_MS + RUN_MS)
        later = any(soon.stop <= time < window.resets_ms for time in times)
        near = [time for time in times if time - CLOCK_SLACK_MS in soon or time in soon]
        stated = [reset for reset in resets_ms if at_ms <= reset <= soon.stop + HIT_MS]
        if later and not near and not stated and window.resets_ms not in soon:
            return at_ms


def last_five_hours(counts: Recount, now_ms: int) -> dict[str, tuple[str, int]]:
    """When the latest five hours of each session began and what it spent in them, if not long over."""
    spans: dict[str, tuple[int, int]] = {}
    for call in counts.calls:
        opened, spent = spans.get(call.session, (call.at_ms, 0))
        if call.at_ms >= opened + FIVE_HOURS_MS:
            opened, spent = call.at_ms, 0
        spans[call.session] = (opened, spent + sum(call.tokens[:3]))
    return {
        session: (wire.iso(opened), spent)
        for session, (opened, spent) in spans.items()
        if opened + FIVE_HOURS_MS + SHOWN_MS > now_ms
    }
