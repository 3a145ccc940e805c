"""What each rival answers, what we answer, and why they differ: each reason with its share of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks import rules
from benchmarks.corpus import generate
from benchmarks.ground import now_ms
from benchmarks.process import run
from benchmarks.reading import blocks, by_day
from benchmarks.recount import Call, Recount, recount
from benchmarks.rivals import Rival, Rivals
from benchmarks.rules import Block, Count, Write
from benchmarks.table import tabled

SIZE_BYTES = 20_000_000
MONITOR_HOURS = 192
"""claude-monitor answers for the last eight days alone."""

HEADS = ("who", "asked for", "theirs", "ours", "difference", "because", "these rules give theirs")


class Reason(NamedTuple):
    """A way in which a rival counts otherwise than the one before it, and the rule with all so far in it."""

    why: str
    lines: Count
    write: Write


class Habit(NamedTuple):
    """How a rival counts: its reasons, one upon the other, and its blocks."""

    reasons: Sequence[Reason]
    block: Block | None


SPLIT_KEY = "lines without a requestId are a call beside the lines of the same call that have one"
AT_ONCE = "a side question's repeat of a call counts again, unless it bears the very time of the call"
ANONYMOUS = "each line without a requestId counts, though one call is said in several"
REPLAYS = "a side question repeats earlier calls under new requestIds, and they count again"
SPLIT = (
    "of the two statements of cache writes the split one is believed, even where it is 0 and the other is not"
)
FLAT = "of the two statements of cache writes only the flat one is read, even where it is 0"
FIRST = "of a call's lines the first counts, when most of its output was still to come"
HOURS = "blocks begin at the full hour before their first call, not at the call"

CCUSAGE_BLOCKS = Habit(
    [
        Reason(SPLIT_KEY, rules.by_ids, rules.larger),
        Reason(AT_ONCE, rules.by_ids_at_once, rules.larger),
        Reason(SPLIT, rules.by_ids_at_once, rules.split_first),
    ],
    rules.longer,
)
CCUSAGE_DAILY = Habit(
    [
        Reason(ANONYMOUS, rules.by_ids_or_time, rules.larger),
        Reason(SPLIT, rules.by_ids_or_time, rules.split_first),
    ],
    None,
)
AIBURN = Habit(
    [
        Reason(ANONYMOUS, rules.by_ids_or_line, rules.larger),
        Reason(REPLAYS, rules.by_ids_alone, rules.larger),
        Reason(SPLIT, rules.by_ids_alone, rules.split_first),
    ],
    None,
)
MONITOR = Habit(
    [
        Reason(ANONYMOUS, rules.by_ids_or_line, rules.larger),
        Reason(REPLAYS, rules.by_ids_alone, rules.larger),
        Reason(FIRST, rules.first_said, rules.larger),
        Reason(FLAT, rules.first_said, rules.flat_only),
    ],
    rules.as_long,
)


class Answer(NamedTuple):
    """What a rival said: tokens since ``since_ms``, by day, and in the running block, as far as it says."""

    total: int
    days: dict[str, int] | None
    block: int | None
    since_ms: int = 0


class Judge:
    """One corpus without flaws, counted by us, by the recount and by each rival."""

    def __init__(self, folder: Path) -> None:
        self._home = folder / "home"
        self._home.mkdir(parents=True)
        self._claude = folder / "claude"
        generate(self._claude, seed=1, size_bytes=SIZE_BYTES, end_ms=now_ms(), flaws=False)
        self._counts: Recount = recount(self._claude / "projects")
        self._lines = rules.said(self._claude / "projects")

    def table(self, rivals: Rivals) -> tuple[str, bool]:
        """The whole comparison; false when a difference could not be explained to the token."""
        asked: list[tuple[str, Rival | None, Habit, Callable[[Rival], Answer]]] = [
            ("ccusage blocks", rivals.ccusage, CCUSAGE_BLOCKS, self._ccusage_blocks),
            ("ccusage daily", rivals.ccusage, CCUSAGE_DAILY, self._ccusage_daily),
            ("aiburn", rivals.aiburn, AIBURN, self._aiburn),
            ("claude-monitor", rivals.claude_monitor, MONITOR, self._monitor),
        ]
        lines: list[Sequence[str]] = [HEADS]
        for name, rival, habit, ask in asked:
            if rival is None:
                lines.append((name, "", "missing", "", "", "it could not be fetched", ""))
            else:
                lines += ([name, *cells] for cells in self._compared(ask(rival), habit))
        return tabled(lines), all(line[-1] != "NO" for line in lines)

    def _compared(self, answer: Answer, habit: Habit) -> Iterator[list[str]]:
        since = answer.since_ms
        ours = [call for call in self._counts.calls if call.at_ms >= since]
        last = habit.reasons[-1]
        counted = [one for one in last.lines(self._lines, last.write) if one.at_ms >= since]
        total = sum(one.total(last.write) for one in counted)
        asked = f"tokens of the last {MONITOR_HOURS} hours" if since else "tokens, all of history"
        yield _cells(
            asked, answer.total, _tokens(ours), self._shares(habit, since), proved=total == answer.total
        )
        if answer.days is not None:
            mine = {day: sum(tokens) for day, (_, tokens) in self._counts.by_day().items() if sum(tokens)}
            differ = sum(answer.days.get(day, 0) != tokens for day, tokens in mine.items())
            proved = answer.days == rules.by_day(counted, last.write)
            why = "the same reasons, day by day"
            yield [
                f"tokens of each of {len(mine)} days",
                f"{differ} differ",
                "",
                "",
                why,
                _yes(proved=proved),
            ]
        if answer.block is not None and habit.block is not None:
            block = rules.last_block(counted, last.write, habit.block)
            window = sum(self._counts.windows()[-1].tokens)
            yield _cells(
                "current block",
                answer.block,
                window,
                f"{HOURS}; and the same reasons",
                proved=block == answer.block,
            )

    def _shares(self, habit: Habit, since_ms: int) -> str:
        """Each reason with what it adds to the total, or takes from it."""
        before = self._sum(rules.largest, rules.larger, since_ms)
        shares = []
        for reason in habit.reasons:
            now = self._sum(reason.lines, reason.write, since_ms)
            shares.append(f"{reason.why} ({now - before:+,})")
            before = now
        return "; ".join(shares)

    def _sum(self, count: Count, write: Write, since_ms: int) -> int:
        return sum(one.total(write) for one in count(self._lines, write) if one.at_ms >= since_ms)

    def _said(self, rival: Rival, *words: str) -> bytes:
        surroundings = {"HOME": str(self._home), "CLAUDE_CONFIG_DIR": str(self._claude), "TZ": "UTC"}
        return run([*rival.program, *words], {**surroundings, **rival.environment}).output

    def _ccusage_blocks(self, rival: Rival) -> Answer:
        found = json.loads(self._said(rival, *blocks()))["blocks"]
        running = [block["totalTokens"] for block in found if block["isActive"]]
        return Answer(sum(block["totalTokens"] for block in found), None, sum(running))

    def _ccusage_daily(self, rival: Rival) -> Answer:
        words = ("claude", "daily", "--offline", "--json", "--timezone", "UTC")
        days = {day["date"]: day["totalTokens"] for day in json.loads(self._said(rival, *words))["daily"]}
        return Answer(sum(days.values()), {day: tokens for day, tokens in days.items() if tokens}, None)

    def _aiburn(self, rival: Rival) -> Answer:
        days: dict[str, int] = {}
        for group in json.loads(self._said(rival, *by_day()))["groups"]:
            days[group["period"]] = days.get(group["period"], 0) + sum(
                group[kind] for kind in ("input", "output", "cache")
            )
        return Answer(sum(days.values()), {day: tokens for day, tokens in days.items() if tokens}, None)

    def _monitor(self, rival: Rival) -> Answer:
        words = ("--once", "--output", "json", "--timezone", "UTC")
        output = self._said(rival, *words, "--data-paths", str(self._claude / "projects"))
        found = json.loads(output[output.index(b"{") :])
        since_ms = time.time_ns() // 1_000_000 - MONITOR_HOURS * rules.HOUR_MS
        block = found["local"]["tokens"]["total_tokens"]
        return Answer(found["local_history"]["total_tokens"], None, block, since_ms)


def _cells(asked: str, theirs: int, ours: int, why: str, *, proved: bool) -> list[str]:
    difference = theirs - ours
    part = f"{difference:+,} ({difference / ours:+.1%})"
    return [asked, f"{theirs:,}", f"{ours:,}", part, why, _yes(proved=proved)]


def _yes(*, proved: bool) -> str:
    return "yes" if proved else "NO"


def _tokens(calls: Sequence[Call]) -> int:
    return sum(sum(call.tokens) for call in calls)
