"""What is heard of the provider is sifted, then known, kept and remembered."""

from __future__ import annotations

from quotad.domain.instant import HOUR, MINUTE, Instant
from quotad.domain.reading import Reading, ReadingSource
from quotad.domain.usage import SessionId
from quotad.intake.hearsay import CONFIRMED_EVERY, REMEMBERED_MAX, Hearsay
from tests.domain.build import T0, reading


def idle(_session: SessionId, _since: Instant, _until: Instant) -> Instant | None:
    """Nobody used anything."""
    return None


def at_work(_session: SessionId, _since: Instant, until: Instant) -> Instant | None:
    """Everybody did, just now."""
    return until


def line(percent: float, at: Instant, session: str = "a", resets: Instant = T0 + 4 * HOUR) -> Reading:
    """What a status line said."""
    return reading(percent, resets, at, session=session)


def test_an_idle_terminal_says_a_thing_once() -> None:
    """A status line that is rendered every second for a week makes one reading, not half a million."""
    hearsay = Hearsay()
    said = [line(61, T0 + second * 1000) for second in range(3600)]
    assert said[:1] == [one for each in said for one in hearsay.news([each], idle)]


def test_a_terminal_at_work_confirms_every_few_minutes() -> None:
    """So that the age of what is known stays small."""
    hearsay = Hearsay()
    said = [line(61, T0), line(61, T0 + CONFIRMED_EVERY - 1), line(61, T0 + CONFIRMED_EVERY)]
    assert [said[0], said[2]] == hearsay.news(said, at_work)


def test_another_percentage_reset_session_or_window_is_news() -> None:
    """At once; jitter of the reset is not."""
    first = line(61, T0)
    others = [
        line(62, T0 + 1),
        line(62, T0 + 2, resets=T0 + 4 * HOUR + 2 * MINUTE + 1),
        line(62, T0 + 3, session="b"),
        line(62, T0 + 4)._replace(window="seven_day"),
    ]
    assert [first, *others] == Hearsay().news(
        [first, line(61, T0 + 1, resets=T0 + 4 * HOUR + MINUTE), *others], idle
    )


def test_a_cached_answer_is_news_once() -> None:
    """However often its file changes; fetched anew it is another."""
    cached = Reading("five_hour", 61.0, T0 + HOUR, T0, ReadingSource.CACHED_USAGE)
    again = cached._replace(received_at=T0 + 1)
    assert [cached, again] == Hearsay().news([cached, cached, again, again], idle)


def test_sessions_whose_windows_are_over_are_forgotten() -> None:
    """What is remembered does not grow with the number of sessions there ever were."""
    hearsay = Hearsay()
    over = [line(5, T0, session=str(n), resets=T0 + HOUR) for n in range(REMEMBERED_MAX)]
    assert REMEMBERED_MAX == len(hearsay.news(over, idle))
    assert [] == hearsay.news(over, idle)
    hearsay.news([line(5, T0 + HOUR, session="new")], idle)
    assert REMEMBERED_MAX == len(hearsay.news(over, idle))
