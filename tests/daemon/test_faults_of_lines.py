"""What may stand in a file: torn, bad, odd and huge lines, and too many of them at once.

One daemon serves all of these tests; each has a session of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from benchmarks.process import high_water_bytes
from benchmarks.recount import recount
from quotad.sources.tail import LINE_BYTES_MAX
from tests.daemon.process import Quotad, new_place, wait_until
from tests.daemon.scene import MINUTE_MS, START_MS, Scene
from tests.daemon.truth import call, of_calls


@pytest.fixture(scope="module")
def live() -> Iterator[Quotad]:
    """The one daemon."""
    with new_place() as place, place.running() as quotad:
        yield quotad


@pytest.fixture
def scene(live: Quotad, request: pytest.FixtureRequest) -> Scene:
    """A session named after the test."""
    return Scene(live.place, request.node.name)


def test_a_line_counts_when_its_newline_comes_and_not_before(live: Quotad, scene: Scene) -> None:
    """Wherever it was cut: at its ends, inside a character, anywhere."""
    text = "ö\u2028🙂"
    length = len(call("msg 100", at_ms=START_MS, session=scene.name, text=text))
    wide = length - 60
    cuts = sorted({1, 2, *range(5, length, 23), *range(length - 4, length)})
    for number, cut in enumerate(cuts, start=100):
        line = call(f"msg {number}", at_ms=START_MS, session=scene.name, text=text)
        scene.append("a", line[:cut])
        before = scene.counted(live)
        scene.append("a", line[cut:])
        assert (of_calls(number - 100), of_calls(number - 99)) == (before, scene.counted(live)), line[:cut]
    assert wide > 0


def bad_lines(scene: Scene) -> dict[str, bytes]:
    """By what is wrong with each."""
    line = call("msg bad", at_ms=START_MS, session=scene.name, text="text")

    def instead(old: bytes, new: bytes) -> bytes:
        assert old in line
        return line.replace(old, new, 1)

    return {
        "bad UTF-8": instead(b'"text": "text"', b'"text": "\xff\xfe"'),
        "half a character": instead(b'"text": "text"', b'"text": "\xe2\x82"'),
        "a NUL": instead(b'{"type"', b'\0{"type"'),
        "100,000 brackets": instead(
            b'"content": [', b'"content": [' + b"[" * 100_000 + b"]" * 100_000 + b","
        ),
        "100,000 unclosed brackets": instead(b'"content": [', b'"content": [' + b"[" * 100_000),
        "a number of 5,000 digits": instead(b'"input_tokens": 1', b'"input_tokens": ' + b"9" * 5_000),
        "NaN": instead(b'"input_tokens": 1', b'"input_tokens": NaN'),
        "1e400": instead(b'"input_tokens": 1', b'"input_tokens": 1e400'),
        "a fraction": instead(b'"input_tokens": 1', b'"input_tokens": 1.5'),
        "a negative count": instead(b'"input_tokens": 1', b'"input_tokens": -1'),
        "text for a count": instead(b'"input_tokens": 1', b'"input_tokens": "1"'),
        "a list for usage": instead(b'"usage": {', b'"usage": [], "meant": {'),
        "no object": b'[{"usage": 1}]\n',
        "torn and glued": line[:60] + line,
        "a hole": bytes(4096) + b"\n",
    }


def odd_lines(scene: Scene) -> dict[str, bytes]:
    """Lines that count, by what is unusual about each."""

    def odd(message: str, text: str = "") -> bytes:
        return call(message, at_ms=START_MS, session=scene.name, text=text)

    return {
        "a byte order mark": b"\xef\xbb\xbf" + odd("msg BOM"),
        "Windows' line end": odd("msg CRLF").replace(b"\n", b"\r\n"),
        "other line ends": odd("msg U+2028", "\u2028 \u2029 \u0085 \x0c"),
        "a lone surrogate": odd("msg surrogate", "XX").replace(b"XX", b"\\ud83d"),
        "an escaped NUL": odd("msg NUL", "\0"),
        "a key twice": odd("msg twice").replace(
            b'"input_tokens": 1', b'"input_tokens": 7, "input_tokens": 1'
        ),
        "200 brackets": odd("msg deep").replace(
            b'"content": [', b'"content": [' + b"[" * 200 + b"]" * 200 + b","
        ),
    }


def test_each_bad_line_is_counted_and_the_next_line_is_right(live: Quotad, scene: Scene) -> None:
    """Whatever is wrong with it, it is one malformed line, and nothing else happens."""
    malformed = live.status()["daemon"]["malformed_lines"]
    for number, (name, line) in enumerate(bad_lines(scene).items(), start=1):
        scene.append("a", line)
        scene.write("a", number)
        assert (name, of_calls(number)) == (name, scene.counted(live))
        assert (name, malformed + number) == (name, live.status()["daemon"]["malformed_lines"])
    assert len(bad_lines(scene)) == recount(scene.directory).malformed


def test_each_odd_line_counts(live: Quotad, scene: Scene) -> None:
    """Unusual is not bad."""
    malformed = live.status()["daemon"]["malformed_lines"]
    for number, (name, line) in enumerate(odd_lines(scene).items(), start=1):
        scene.append("a", line)
        assert (name, of_calls(number)) == (name, scene.counted(live))
    assert malformed == live.status()["daemon"]["malformed_lines"]
    assert of_calls(len(odd_lines(scene))) == recount(scene.directory).by(lambda one: one.session)[scene.name]


def test_a_line_of_128_mb_is_passed_over(live: Quotad, scene: Scene) -> None:
    """It is one bad line, its end too, it never lies in memory as a whole, and the next line is right."""
    malformed = live.status()["daemon"]["malformed_lines"]
    before = high_water_bytes(live.pid)
    scene.write("a", 1)
    for _ in range(8):
        scene.append("a", b"x" * (16 << 20))
    live.sync()
    assert scene.path().stat().st_size > 128 << 20
    assert malformed + 1 == live.status()["daemon"]["malformed_lines"]
    scene.append("a", b'"usage"}\n')
    scene.write("a", 2)
    assert of_calls(2) == scene.counted(live)
    assert malformed + 1 == live.status()["daemon"]["malformed_lines"]
    assert high_water_bytes(live.pid) - before < 3 * LINE_BYTES_MAX


def waits_until(live: Quotad, condition: Callable[[], object]) -> list[float]:
    """How many seconds each of many questions waited that were asked one after the other until then."""
    stop = Event()

    def ask() -> list[float]:
        waits: list[float] = []
        with live.connect() as client:
            while not (waits and stop.is_set()):
                asked = time.perf_counter()
                client.status()
                waits.append(time.perf_counter() - asked)
        return waits

    with ThreadPoolExecutor() as pool:
        asking = pool.submit(ask)
        try:
            wait_until(condition)
        finally:
            stop.set()
        return asking.result()


def test_a_line_of_20_mb_counts_and_holds_up_nobody(live: Quotad, scene: Scene) -> None:
    """While it is read others are answered."""
    line = call("msg large", at_ms=START_MS, session=scene.name, text="x" * (20 << 20))
    scene.write("a", 1)
    scene.append("a", line)
    waits = waits_until(live, lambda: scene.counted(live) == of_calls(2))
    assert max(waits) < 0.5


def test_a_burst_of_calls_is_counted_while_it_answers(live: Quotad, scene: Scene) -> None:
    """A restored transcript of 20,000 calls is all there in the end, and no question waits long meanwhile."""
    minutes = range(START_MS - 20_000 * MINUTE_MS, START_MS, MINUTE_MS)
    lines = [call(f"msg {at_ms}", at_ms=at_ms, session=scene.name) for at_ms in minutes]
    scene.append("a", b"".join(lines))
    waits = waits_until(live, lambda: scene.counted(live) == of_calls(20_000))
    assert sorted(waits)[len(waits) * 99 // 100] < 0.2
