"""What a status line's text says, and what it is not believed."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotad.domain.instant import DAY, HOUR, MINUTE, SECOND, Instant
from quotad.domain.reading import PERCENT_MOST, RESET_JITTER, Reading, ReadingSource
from quotad.domain.usage import SessionId
from quotad.sources import status_line, usage_cache
from quotad.sources.status_line import QUOTED_CHARACTERS_MAX, SESSION_ID_CHARACTERS_MAX, StatusLine, decode
from tests.domain.build import T0

SAMPLES = Path(__file__).parents[1] / "samples"
ANA_1 = SessionId("5f0c1d2e-0000-4000-8000-00000000a001")
RESET = (T0 + 3 * HOUR) // SECOND


def said(name: str, received_at: Instant = T0) -> StatusLine:
    """A sample, decoded."""
    return decode((SAMPLES / f"{name}.json").read_text(), received_at)


def line(percent: object, resets: object = RESET, window: str = "five_hour") -> StatusLine:
    """A status line with this much of one window, received at T0."""
    limits = {window: {"used_percentage": percent, "resets_at": resets}}
    return decode(json.dumps({"session_id": "s", "rate_limits": limits}), T0)


def percents(decoded: StatusLine) -> list[float]:
    """What was read."""
    return [one.percent for one in decoded.readings]


def test_both_windows_are_read_with_who_said_it() -> None:
    """Percentages 0-100 and epoch seconds; the session and its root stand in the same text."""
    expected = StatusLine(
        ANA_1,
        (
            Reading("five_hour", 61.5, 1_793_624_400_000, T0, ReadingSource.STATUS_LINE, ANA_1),
            Reading("seven_day", 23.0, 1_794_182_400_000, T0, ReadingSource.STATUS_LINE, ANA_1),
        ),
        (),
        "/home/ana/.claude",
    )
    assert expected == said("statusline_full")


def test_anthropics_claude_code_63659_the_limits_are_absent() -> None:
    """Before a session's first answer there are none (#95918 too): no reading and no fault."""
    assert StatusLine(ANA_1, (), (), "/home/ana/.claude") == said("statusline_first_render")


@pytest.mark.parametrize("limits", [None, {}, {"five_hour": None, "seven_day": None}])
def test_absent_limits_may_be_null_or_empty(limits: object) -> None:
    """Each is a way of saying nothing."""
    decoded = decode(json.dumps({"session_id": "s", "rate_limits": limits}), T0)
    assert StatusLine(SessionId("s"), (), ()) == decoded


def test_each_window_may_be_absent_alone_and_money_is_no_window() -> None:
    """A spend limit of a gateway has the same shape and another meaning."""
    assert ["seven_day"] == [one.window for one in said("statusline_seven_day_only").readings]


def test_anthropics_claude_code_60263_an_epoch_in_the_percentage() -> None:
    """It is refused by name, and the other window is read all the same."""
    limits = {
        "five_hour": {"used_percentage": RESET, "resets_at": RESET},
        "seven_day": {"used_percentage": 23, "resets_at": RESET},
    }
    decoded = decode(json.dumps({"session_id": "s", "rate_limits": limits}), T0)
    assert [("seven_day", 23.0)] == [(one.window, one.percent) for one in decoded.readings]
    assert ("five_hour.percentage: must lie between 0 and 110, is 1793620800",) == decoded.refused


@pytest.mark.parametrize("percent", [float("nan"), float("inf"), -float("inf"), True, "61", None, [61], {}])
def test_what_is_no_number_is_refused(percent: object) -> None:
    """NaN and booleans are numbers to a careless reader. The value is quoted."""
    decoded = line(percent)
    reason = f"five_hour.used_percentage: must be a number, is {json.dumps(percent)}"
    assert ((), (reason,)) == (decoded.readings, decoded.refused)


def test_a_long_value_is_quoted_in_part() -> None:
    """A reason is for people to read."""
    reason = f'five_hour.used_percentage: must be a number, is "{"x" * (QUOTED_CHARACTERS_MAX - 1)}...'
    assert (reason,) == line("x" * 1000).refused
    short = "x" * (QUOTED_CHARACTERS_MAX - 2)
    assert (f'five_hour.used_percentage: must be a number, is "{short}"',) == line(short).refused


def test_nan_in_one_window_spares_the_other() -> None:
    """A text with a bare NaN is not JSON to strict readers, who would lose all of it."""
    text = (
        '{"session_id": "s", "rate_limits": {"five_hour": {"used_percentage": NaN, "resets_at": 1},'
        f' "seven_day": {{"used_percentage": 5, "resets_at": {RESET}}}}}}}'
    )
    assert [5.0] == percents(decode(text, T0))


def test_a_little_over_100_is_true_and_much_more_is_not() -> None:
    """105 has been seen: calls in flight are still counted. What lies over 110 is another scale."""
    assert [105.0] == percents(line(105))
    assert [PERCENT_MOST] == percents(line(PERCENT_MOST))
    assert [] == percents(line(PERCENT_MOST + 0.1))
    assert [] == percents(line(6150))


def test_nothing_is_less_than_nothing() -> None:
    """Headers say -0.0; a negative percentage is none."""
    assert ["0.0"] == [str(one) for one in percents(line(-0.0))]
    assert [] == percents(line(-0.1))


def test_ingo_eichhorst_irrlicht_309_percentages_are_floats() -> None:
    """Hundredths times 100 are not whole."""
    assert [14.000000000000002] == percents(line(14.000000000000002))


def test_the_three_scales_are_told_apart_by_name_and_never_by_value() -> None:
    """0.61 in a status line is less than one per cent; another scale's names are not looked at."""
    assert [0.61] == percents(line(0.61))
    headers = {"five_hour": {"utilization": 0.61, "resetsAt": RESET}}
    cached = {"five_hour": {"utilization": 61, "resets_at": "2026-11-02T13:00:00+00:00"}}
    for limits in (headers, cached):
        assert [] == percents(decode(json.dumps({"rate_limits": limits}), T0))


@pytest.mark.parametrize("resets", ["2026-11-02T13:00:00+00:00", None, True, float("nan"), 1e300, []])
def test_a_reset_is_epoch_seconds(resets: object) -> None:
    """ISO times belong to the cached response."""
    decoded = line(61, resets)
    reason = f"five_hour.resets_at: must be epoch seconds, is {json.dumps(resets)}"
    assert ((), (reason,)) == (decoded.readings, decoded.refused)


def test_a_reset_in_milliseconds_lies_too_far_ahead() -> None:
    """No window is fifty thousand years long."""
    expected = (f"five_hour.reset: lies further ahead than the window is long, is {RESET * 1000}",)
    assert expected == line(61, RESET * 1000).refused


def test_nikhilsitaram_claude_caliper_265_a_window_of_three_weeks_ago_stamped_fresh() -> None:
    """An idle terminal renders what it was told once: its reset is over."""
    decoded = line(97, RESET - 21 * DAY // SECOND)
    assert ((), ("five_hour.reset: lies in the past",)) == (decoded.readings, decoded.refused)


def test_a_reset_lies_ahead_by_a_window_at_most() -> None:
    """To the second; jitter may add two minutes."""
    now, length = T0 // SECOND, (5 * HOUR + RESET_JITTER) // SECOND
    assert [[], [61.0], [61.0], []] == [
        percents(line(61, now + ahead)) for ahead in (0, 1, length, length + 1)
    ]
    assert [[61.0], []] == [
        percents(line(61, now + (7 * DAY + 2 * MINUTE) // SECOND + more, "seven_day")) for more in (0, 1)
    ]


@pytest.mark.parametrize(
    "identity", ["", "a/b", "a\nb", "x" * (SESSION_ID_CHARACTERS_MAX + 1), 7, None, "\ud800"]
)
def test_what_is_no_session_id_names_no_session(identity: object) -> None:
    """The reading counts; it only cannot vouch for another."""
    limits = {"five_hour": {"used_percentage": 5, "resets_at": RESET}}
    decoded = decode(json.dumps({"session_id": identity, "rate_limits": limits}), T0)
    assert (SessionId(""), [5.0]) == (decoded.session, percents(decoded))
    assert "x" * SESSION_ID_CHARACTERS_MAX == decode(json.dumps({"session_id": "x" * 128}), T0).session


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the text is not JSON"),
        ("{", "the text is not JSON"),
        ("[" * 100_000, "the text is not JSON"),
        ('{"a": ' + "1" * 5000 + "}", "the text is not JSON"),
        ("[]", "the text is no JSON object"),
        ('{"rate_limits": []}', "rate_limits: must be an object, is []"),
        ('{"rate_limits": {"five_hour": 61}}', "five_hour: must be an object, is 61"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, reason: str) -> None:
    """One reason, and never an exception."""
    assert StatusLine(SessionId(""), (), (reason,)) == decode(text, T0)


@pytest.mark.parametrize("text", ['\ufeff{"session_id": "s"}\n', '{\n "session_id":\n "s"\n}'])
def test_the_text_may_be_one_line_or_many(text: str) -> None:
    """And begin with a mark that some shells put there."""
    assert SessionId("s") == decode(text, T0).session


@pytest.mark.parametrize("path", ["/elsewhere/s.jsonl", 7, None])
def test_a_transcript_that_lies_elsewhere_names_no_root(path: object) -> None:
    """The root is what lies before ``projects``."""
    assert not decode(json.dumps({"transcript_path": path}), T0).root


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["rate_limits", "five_hour", "used_percentage", "resets_at", "session_id"]), inner
        )
    ),
)


@given(st.text() | json_values.map(json.dumps))
def test_decoding_never_raises_and_never_invents(text: str) -> None:
    """Whatever is read is fit to be a reading."""
    for one in decode(text, T0).readings:
        assert 0 <= one.percent <= PERCENT_MOST
        assert T0 < one.resets_at <= T0 + 7 * DAY + RESET_JITTER


@pytest.mark.parametrize("module", [status_line, usage_cache])
def test_anthropics_claude_code_30930_nobody_is_asked_over_the_network(module: object) -> None:
    """The provider refuses for hours those who ask often (#31021, #31637): we read what is here."""
    tree = ast.parse(Path(str(vars(module)["__file__"])).read_text())
    nodes = list(ast.walk(tree))
    imported = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    imported |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    roots = {name.partition(".")[0] for name in imported}
    assert "quotad" in roots
    assert set() == roots & {"socket", "ssl", "http", "urllib", "asyncio", "subprocess"}
