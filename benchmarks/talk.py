"""How a conversation goes: prompts, calls of several lines each, tool results, and what lies between.

A talk is one file in the making. It decides what is said and when; ``lines`` knows the bytes, ``stock``
the chances. What counts is tallied as it is said.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from benchmarks.lines import Envelope, Generation, Mark, Usage, message_json, stamp, usage_json
from benchmarks.rhythm import Clock, LimitHit
from benchmarks.stock import Stock
from benchmarks.tools import ToolUse, agent_result, thinking

LINES_PER_CALL = (1,) * 20 + (2,) * 28 + (3,) * 10 + (4,) * 3 + (6, 7, 9)
"""64 equal chances, 2.2 lines on average (ratios of 2.0 to 3 have been seen)."""

CALLS_PER_TURN = (1, 1, 2, 3, 3, 5, 7, 9, 12, 15, 19, 25, 6, 4, 2, 8)
CACHE_WRITES = ((1, 0, 1),) * 6 + ((1, 1, 0),) * 3 + ((0, 1, 0), (0, 0.2, 0.8), (1, 0.97, 0), (1, 0.4, 0.62))
"""Shares of a cache write in the flat field and in the nested 5m and 1h fields: versions before 2.1.152 could
write a flat 0, and small mismatches have been found."""
ASIDES = (
    *("last-prompt", "queue-operation", "mode", "ai-title") * 10,
    *("api-retry", "", "", "") * 3,
    *("silence", "overload", "throttle"),
)
CONTEXT_TOKENS_MAX = 165_000
RECENT_CALLS = 8

STOP_TOOL, STOP_END, STOP_NONE = b'"tool_use"', b'"end_turn"', b"null"


class Call(NamedTuple):
    """One call as it was said, so that it can be said again by a copy."""

    message_id: bytes
    request: bytes
    model: bytes
    usage: Usage
    at_ms: int


class Habits(NamedTuple):
    """What differs from session to session: model, how often a requestId is missing, floors for output."""

    model: bytes
    anonymous: float
    placeholder_only: float = 0.0


Listener = Callable[[Mark, bytes, bytes], None]
"""Hears each assistant line of a subagent: its mark, message and requestId."""


class Talk:
    """One file being written: ``lines`` with their newlines, ``last_ms`` the latest time in them."""

    def __init__(
        self, stock: Stock, envelope: Envelope, clock: Clock, habits: Habits, listener: Listener | None = None
    ) -> None:
        self.stock = stock
        self.envelope = envelope
        self.clock = clock
        self.habits = habits
        self.lines: list[bytes] = []
        self.size = 0
        self.last_ms = clock.now_ms
        self.recent: deque[Call] = deque(maxlen=RECENT_CALLS)
        self._said = envelope.conversation()
        self._parent = b""
        self._context = 12_000 + stock.chance.getrandbits(13)
        self._listener = listener

    def add(self, line: bytes) -> None:
        self.lines.append(line)
        self.size += len(line)

    def mark(self) -> Mark:
        """The next line's place in the chain, now."""
        mark = Mark(self.stock.uuid(), self._parent, self.clock.now_ms)
        self._parent = mark.uuid
        self.last_ms = max(self.last_ms, mark.at_ms)
        return mark

    def pass_time(self, span_ms: float) -> None:
        """Let time pass; if the limit ended the block of work, that was said at its end."""
        self.clock.advance(span_ms)
        if self.clock.hit and not self.envelope.sidechain:
            self._refused(self.clock.hit)

    def last_try(self) -> None:
        """If the limit is what will end this block of work, somebody comes back and meets it."""
        hit = self.clock.blocks[self.clock.index].hit
        if hit and self.stock.happens(0.6):
            self._refused(hit)

    def _refused(self, hit: LimitHit) -> None:
        mark = self.mark()._replace(at_ms=hit.at_ms + 900)
        text = b"You've hit your session limit \xc2\xb7 resets " + hit.clock_text()
        if self.envelope.generation is Generation.OLD:
            text = b"5-hour limit reached \xe2\x88\x99 resets " + hit.clock_text()
        elif self.envelope.generation is Generation.ANCIENT:
            text = b"Claude AI usage limit reached|%d" % (hit.resets_at_ms // 1000)
        self.add(self._said.synthetic(mark, text, b"rate_limit"))
        self.last_ms = max(self.last_ms, mark.at_ms)
        self.stock.tally.limit_resets_ms.add(hit.resets_at_ms)

    def turn(self, until_size: int) -> None:
        """A prompt and the calls that answer it."""
        stock = self.stock
        chance = stock.chance
        self.add(self._said.prompt(self.mark(), stock.text(stock.text_bytes.pick())))
        if stock.happens(0.6):
            self.attach(b"environment", stock.attachment_bytes.pick())
        self._oddments()
        calls = CALLS_PER_TURN[chance.getrandbits(4)]
        for left in reversed(range(calls)):
            self.pass_time(stock.step_ms.pick())
            enough = self.size >= until_size or self.clock.over
            self.call(ends_turn=left == 0 or enough)
            if enough:
                break
        self._aside(
            b'"subtype":"turn_duration","durationMs":%d,"messageCount":%d,"isMeta":false'
            % (calls * 9000, calls)
        )
        if stock.happens(0.25):
            self.metadata(b"file-history-snapshot")

    def attach(self, kind: bytes, size_bytes: int) -> None:
        """An attachment of that size: some are snapshots of 160 KB, a picture can be of megabytes."""
        self.add(self._said.attachment(self.mark(), kind, self.stock.prose.of(size_bytes)))

    def call(self, *, ends_turn: bool) -> Call:
        """One call in one to fourteen lines, and the results of the tools it used."""
        stock = self.stock
        chance = stock.chance
        usage = self._usage()
        habits = self.habits
        request = b"" if stock.happens(habits.anonymous) else stock.request_id()
        call = Call(stock.message_id(), request, habits.model, usage, self.clock.now_ms)
        blocks = LINES_PER_CALL[chance.getrandbits(6)]
        uses = self._blocks(call, blocks, ends_turn=ends_turn)
        self.recent.append(call)
        stock.tally.count(usage)
        for use in uses:
            self.pass_time(stock.step_ms.pick() // 3)
            text, result = use.result(stock, self.envelope.cwd)
            self.add(self._said.tool_result(self.mark(), use.id, text, result))
        if stock.happens(0.6):
            self.attach(b"hook_success", min(stock.text_bytes.pick(), 2000))
        if stock.happens(0.35):
            self._oddments()
        return call

    def _blocks(self, call: Call, blocks: int, *, ends_turn: bool) -> list[ToolUse]:
        stock = self.stock
        chance = stock.chance
        generation = self.envelope.generation
        final = first = usage_json(call.usage, generation)
        if blocks > 1 and stock.happens(0.3):
            early = call.usage._replace(output=min(call.usage.output, 1 + chance.getrandbits(4)))
            first = usage_json(early, generation)
        # In a few calls the early lines lack the requestId that the last one bears.
        patchy = stock.happens(0.01)
        uses: list[ToolUse] = []
        for block in range(blocks):
            last = block == blocks - 1
            if block:
                self.clock.now_ms += min(
                    300 + chance.getrandbits(11), self.block_end_ms() - self.clock.now_ms
                )
            content, use = self._content(block, last=last, ends_turn=ends_turn)
            if use:
                uses.append(use)
            stop = (STOP_END if ends_turn else STOP_TOOL) if last else STOP_NONE
            message = message_json(call.model, call.message_id, content, stop, final if last else first)
            request = b"" if patchy and not last else call.request
            mark = self.mark()
            self.add(self._said.assistant(mark, message, request, block))
            if self._listener:
                self._listener(mark, message, request)
        return uses

    def block_end_ms(self) -> int:
        """When the stretch of work ends in which this talk stands."""
        return self.clock.blocks[self.clock.index].end_ms

    def _usage(self) -> Usage:
        """Cache reads grow with the context, which is compacted when it is full."""
        stock = self.stock
        bits = stock.chance.getrandbits(10)
        write = stock.write.pick()
        read = self._context
        self._context += write
        if self._context > CONTEXT_TOKENS_MAX:
            self._context = 9_000 + bits
            self._aside(
                b'"subtype":"compact_boundary","content":"Conversation compacted","compactMetadata":'
                b'{"trigger":"auto","preTokens":%d,"postTokens":%d}' % (read, self._context)
            )
        output = stock.output.pick()
        if self.habits.placeholder_only and stock.happens(self.habits.placeholder_only):
            output = 1 + bits % 32
        tokens_in = write if stock.happens(0.06) else 1 + bits % 8
        if self.envelope.generation is Generation.ANCIENT:
            return Usage(tokens_in, output, write, 0, 0, read, nested=False)
        flat, short, long = stock.one_of(CACHE_WRITES)
        return Usage(tokens_in, output, int(write * flat), int(write * short), int(write * long), read)

    def _content(self, block: int, *, last: bool, ends_turn: bool) -> tuple[bytes, ToolUse | None]:
        """One content block, and the use of a tool if it is one."""
        stock = self.stock
        first = block == 0 and not last
        if (last and ends_turn) or (first and stock.happens(0.5)):
            return b'{"type":"text","text":"%b"}' % stock.text(stock.text_bytes.pick()), None
        if first:
            return thinking(stock), None
        use = ToolUse.any(stock)
        return use.content(stock, self.envelope.cwd), use

    def agent_result(self, agent: bytes, last_call: Call) -> None:
        """A subagent's return, which states the usage of its last call again."""
        stated = usage_json(last_call.usage, self.envelope.generation)
        tokens = sum(last_call.usage.tokens())
        result = agent_result(self.stock, agent, last_call.model, tokens, stated)
        self.add(self._said.tool_result(self.mark(), self.stock.tool_use_id(), b"ok", result))

    def repeat_progress(self, nested: Mark, message: bytes, request: bytes) -> None:
        """A subagent's line, heard in its parent's file."""
        mark = Mark(self.stock.uuid(), self._parent, nested.at_ms + 1)
        self.add(self._said.progress(mark, nested, message, request))

    def replay(self, call: Call, *, request: bytes, output_factor: float, at_ms: int) -> Usage:
        """Say a call again, in one line; returns the usage the copy states."""
        usage = call.usage._replace(output=int(call.usage.output * output_factor))
        content = b'{"type":"text","text":"%b"}' % self.stock.text(60)
        stated = usage_json(usage, self.envelope.generation)
        message = message_json(call.model, call.message_id, content, STOP_END, stated)
        self.add(self._said.assistant(self.mark()._replace(at_ms=at_ms), message, request))
        return usage

    def raw_call(self, call: Call, content: bytes = b"") -> bytes:
        """A line of a call that is neither added nor tallied, to be damaged or varied."""
        text = b'{"type":"text","text":"%b"}' % (content or self.stock.text(200))
        stated = usage_json(call.usage, self.envelope.generation)
        message = message_json(call.model, call.message_id, text, STOP_END, stated)
        return self._said.assistant(Mark(self.stock.uuid(), b"", call.at_ms), message, call.request)

    def new_call(self) -> Call:
        """A call that has not been said yet, at the talk's last moment."""
        stock = self.stock
        return Call(stock.message_id(), stock.request_id(), self.habits.model, self._usage(), self.last_ms)

    def _aside(self, body: bytes) -> None:
        self.add(self._said.system(self.mark(), body))

    def _oddments(self) -> None:
        """What stands between calls now and then."""
        match self.stock.one_of(ASIDES):
            case "last-prompt" | "queue-operation" | "mode" | "ai-title" as kind:
                self.metadata(kind.encode())
            case "api-retry":
                self._aside(b'"subtype":"api_error","level":"error","retryAttempt":1,"retryInMs":900.5')
            case "silence":
                self.add(self._said.synthetic(self.mark(), b"No response requested.", b""))
            case "overload":
                self.add(self._said.synthetic(self.mark(), b"API Error: 529 Overloaded", b"overloaded"))
            case "throttle":
                # No quota: it must not pass for a limit hit.
                text = b"API Error: Request rejected (429). This is not your usage limit."
                self.add(self._said.synthetic(self.mark(), text, b"rate_limit"))
            case _:
                pass

    def metadata(self, kind: bytes) -> None:
        """A line without the envelope, in the form that ``kind`` has."""
        text = self.stock.text(min(self.stock.text_bytes.pick(), 200))
        session = self.envelope.session
        body = {
            b"queue-operation": b'"operation":"enqueue","timestamp":"%b","content":"%b"'
            % (stamp(self.last_ms), text),
            b"last-prompt": b'"lastPrompt":"%b"' % text,
            b"ai-title": b'"aiTitle":"%b"' % text,
            b"summary": b'"summary":"%b","leafUuid":"%b"' % (text, self._parent),
            b"mode": b'"mode":"normal"',
            b"permission-mode": b'"permissionMode":"default"',
            b"file-history-snapshot": b'"messageId":"%b","snapshot":{"trackedFileBackups":{"a":"%b"}}'
            % (self._parent, text),
            b"usage-report": b'"usage":{"input_tokens":7,"output_tokens":7},"note":"a type from the future"',
            b"cost-state": b'"totalCostUSD":0.21,"modelUsage":{"%b[1m]":{"inputTokens":6,"outputTokens":1052,'
            b'"cacheReadInputTokens":41200,"cacheCreationInputTokens":6000,"costUSD":0.2}}'
            % self.habits.model,
        }[kind]
        self.add(b'{"type":"%b",%b,"sessionId":"%b"}\n' % (kind, body, session))
