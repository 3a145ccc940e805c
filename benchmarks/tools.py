"""What tools are asked and what they answer: the bulk of a transcript's bytes, and none of its usage."""

from __future__ import annotations

from typing import NamedTuple

from benchmarks.stock import Stock

TOOLS = (b"Read",) * 4 + (b"Bash",) * 4 + (b"Edit",) * 3 + (b"Grep", b"Glob", b"Write", b"WebFetch")
WRITING = {b"Edit", b"Write"}


class ToolUse(NamedTuple):
    """One use of a tool, as a content block and as the structure of its result."""

    id: bytes
    name: bytes

    @classmethod
    def any(cls, stock: Stock) -> ToolUse:
        return cls(stock.tool_use_id(), stock.one_of(TOOLS))

    def content(self, stock: Stock, cwd: bytes) -> bytes:
        asked = b'"pattern":"%b"' % stock.text(120)
        if self.name in WRITING:
            text = stock.text(stock.edit_bytes.pick())
            asked = b'"file_path":"%b/app.py","new_string":"%b"' % (cwd, text)
        return b'{"type":"tool_use","id":"%b","name":"%b","input":{%b}}' % (self.id, self.name, asked)

    def result(self, stock: Stock, cwd: bytes) -> tuple[bytes, bytes]:
        """The text the model sees and the JSON of ``toolUseResult``, which holds it again."""
        if self.name in WRITING:
            original = stock.text(stock.result_bytes.pick())
            return b"The file has been updated.", (
                b'{"filePath":"%b/app.py","originalFile":"%b","structuredPatch":[],"userModified":false}'
                % (cwd, original)
            )
        text = stock.text(stock.result_bytes.pick())
        if self.name == b"Bash":
            return text, b'{"stdout":"%b","stderr":"","interrupted":false,"isImage":false}' % text
        return text, b'{"type":"text","file":{"filePath":"%b/app.py","content":"%b","numLines":42}}' % (
            cwd,
            text,
        )


def thinking(stock: Stock) -> bytes:
    """A thinking block: its text is not kept, its signature is."""
    return b'{"type":"thinking","thinking":"","signature":"%b"}' % stock.text(stock.signature_bytes.pick())


def agent_result(stock: Stock, agent: bytes, model: bytes, tokens: int, usage: bytes) -> bytes:
    """``toolUseResult`` of a subagent; its ``usage`` is that of its last call, which its own file has."""
    return (
        b'{"status":"completed","agentId":"%b","agentType":"general-purpose","resolvedModel":"%b","content":'
        b'[{"type":"text","text":"%b"}],"totalDurationMs":47000,"totalTokens":%d,"totalToolUseCount":2,'
        b'"usage":%b}'
    ) % (agent, model, stock.text(stock.text_bytes.pick()), tokens, usage)
