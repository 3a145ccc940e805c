"""What people, models and tools say in the transcripts: prebuilt text, already escaped for JSON.

Making text is the slow part of making a corpus, so pieces of every size are made once and used many times.
The pieces hold what trips naive readers: escaped quotes around words that look like keys, raw characters
beyond ASCII, the line separator U+2028 (a newline to ``str.splitlines``, none to JSON), terminal colours.
"""

from __future__ import annotations

from random import Random

PIECES_PER_SIZE = 12
LARGE_BITS = 17
"""From 64 KB on there is one piece of a size: they are long enough to be alike."""

WORDS = (
    b"the route returns a health object and the tests cover it; refactor handler into parse emit retry lock "
    b"import from class def self return await async None True result value error cache token window quota "
    b"queue session index cursor offset ledger reader writer chunk batch commit schema table column please "
    b"why does this fail when two requests arrive at once - it should wait for the lock to be released (see "
    b"app.py, line 42) and then answer 200 OK {} [] => -> == != <div> </div> &nbsp; npm run build cargo test"
).split()

ODD_PIECES = (
    rb"\n",
    rb"\n    ",
    rb"\n\n- ",
    rb"\t",
    rb"\"usage\":{\"input_tokens\":999999,\"output_tokens\":999999}",
    rb"{\"type\":\"assistant\",\"message\":{\"id\":\"msg_quoted\",\"usage\":{}}}",
    rb"\\\"type\\\":\\\"user\\\"",
    rb"C:\\Users\\ana\\src",
    rb"\u001b[32mpassed\u001b[0m",
    rb"\u0000",
    "größer — naïve “quotes” 完了しました".encode(),
    "🙂✓".encode(),
    "line\u2028separator\u0085next".encode(),
    b"0123456789abcdef" * 4,
)


class Prose:
    """Pieces of JSON string content in sizes that double, from 16 bytes to 4 MB."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._by_bits: dict[int, list[bytes]] = {}

    def of(self, size_bytes: int) -> bytes:
        """A piece within a factor of two of that size."""
        bits = max(5, size_bytes.bit_length())
        pieces = self._pieces(bits)
        return pieces[int(self._chance.random() * len(pieces))]

    def _pieces(self, bits: int) -> list[bytes]:
        pieces = self._by_bits.get(bits)
        if pieces is None:
            pieces = self._by_bits[bits] = self._make(bits)
        return pieces

    def _make(self, bits: int) -> list[bytes]:
        # Their own source of chance, so that the moment at which a size is first needed changes nothing.
        chance = Random(bits)
        if bits >= LARGE_BITS:
            half = self._pieces(bits - 1)[0]
            return [half + b" " + half]
        return [
            _text(chance, (1 << (bits - 1)) + chance.getrandbits(bits - 1)) for _ in range(PIECES_PER_SIZE)
        ]


def _text(chance: Random, size_bytes: int) -> bytes:
    words: list[bytes] = []
    size = 0
    while size < size_bytes:
        odd = chance.random() < 1 / 24
        word = (ODD_PIECES if odd else WORDS)[int(chance.random() * len(ODD_PIECES if odd else WORDS))]
        words.append(word)
        size += len(word) + 1
    return b" ".join(words)
