"""A settings file is read whole or refused with a sentence for each thing that is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict, replace

from quotad import wire
from quotad.domain import policy
from quotad.domain.policy import Weights
from quotad.settings import (
    ExtraWindow,
    Notify,
    Settings,
    SettingsInvalid,
    Span,
    as_json,
    as_toml,
    is_quiet,
    load,
    next_change,
)
from quotad.settings.grammar import ENTRIES_MAX, ESTIMATE_MAX, TOKENS_MAX, WEIGHT_MAX
from quotad.settings.load import FILE_BYTES_MAX, effective
from quotad.settings.plain import plainly

EVERYTHING = """
plan = "team"
limit = 88000
roots = ["/one", "~/two", "/one"]
session_logs = ["/logs/a.jsonl", "~/b.jsonl"]
thresholds = [10, 20.5, 100]
working_hours = ["Mon-Fri 09:00-18:00", "Sat,Sun 22:00-02:00"]
retention_days = 90

[weights]
input = 2
cache_read = 0.1

[weights.opus]
input = 5

[weights."gpt-5.1"]
output = 0

[estimates]
Edit = 7
"mcp__a tool" = 3

[[windows]]
name = "seven_day"
hours = 168
limit = 1_000_000

[[windows]]
name = "quarter"
hours = 0.25

[notify]
desktop = false
command = ["notify", "--title", "Quota \\u001b[31m \\" \\\\"]
on_reset = true
quiet = ["22:00-08:00", "12:00-24:00"]
"""


@pytest.fixture
def paths(tmp_path: Path) -> wire.Paths:
    """Where the files of the tests are."""
    return wire.Paths(Path("/claude"), tmp_path / "config.toml", tmp_path / "state", tmp_path / "q.sock")


def _loaded(paths: wire.Paths, text: str) -> Settings:
    paths.config.write_text(text, encoding="utf-8")
    return load(paths)


def _faults(paths: wire.Paths, text: str) -> list[str]:
    """What is said about a file, without the file's name."""
    with pytest.raises(SettingsInvalid) as refused:
        _loaded(paths, text)
    prefix = f"{paths.config}: "
    lines = str(refused.value).split("\n")
    assert all(line.startswith(prefix) for line in lines)
    return [line.removeprefix(prefix) for line in lines]


def test_without_a_file_all_is_as_by_default(paths: wire.Paths) -> None:
    """A missing file and an empty one are the same and no fault."""
    settings = load(paths)
    assert (Path("/claude"),) == settings.roots
    assert (Path("/claude/logs/sessions.jsonl"), paths.state / "sessions.jsonl") == settings.session_logs
    assert ("pro", None, None, (), ()) == (
        settings.plan,
        settings.limit,
        settings.retention_days,
        settings.windows,
        settings.working_hours,
    )
    assert settings == _loaded(paths, "# nothing\n")


def test_the_defaults_are_the_domains(paths: wire.Paths) -> None:
    """Settings and domain cannot import each other, so that their defaults are equal is tested."""
    settings, default = load(paths), policy.Policy()
    assert (default.plan, default.thresholds) == (settings.plan, settings.thresholds)
    assert asdict(default.weights) == asdict(settings.weights)
    assert dict(default.estimates) == dict(settings.estimates)
    assert default.notice_on_reset == settings.notify.on_reset


def test_every_key_is_read(paths: wire.Paths) -> None:
    """Each key of the contract arrives as a plain value."""
    settings = _loaded(paths, EVERYTHING)
    home = Path.home()
    assert ("team", 88_000, (10.0, 20.5, 100.0), 90) == (
        settings.plan,
        settings.limit,
        settings.thresholds,
        settings.retention_days,
    )
    assert (Path("/claude"), Path("/one"), home / "two") == settings.roots
    ours = paths.state / "sessions.jsonl"
    assert (Path("/logs/a.jsonl"), home / "b.jsonl", ours) == settings.session_logs
    assert Weights(2.0, 1.0, 1.0, 0.1) == settings.weights
    assert Weights(5.0, 1.0, 1.0, 0.1) == settings.family_weights["opus"]
    assert Weights(2.0, 0.0, 1.0, 0.1) == settings.family_weights["gpt-5.1"]
    assert {**policy.ESTIMATES, "Edit": 7, "mcp__a tool": 3} == settings.estimates
    assert (ExtraWindow("seven_day", 168.0, 1_000_000), ExtraWindow("quarter", 0.25)) == settings.windows
    command = ("notify", "--title", 'Quota \x1b[31m " \\')
    assert Notify(False, command, True, (Span(1320, 480), Span(720, 1440))) == settings.notify
    weekdays, weekend = settings.working_hours
    assert (frozenset(range(5)), Span(540, 1080)) == (weekdays.days, weekdays.span)
    assert (frozenset({5, 6}), Span(1320, 120)) == (weekend.days, weekend.span)


def test_further_roots_bring_their_session_logs(paths: wire.Paths) -> None:
    """Without ``session_logs`` each root's log is tailed, and our own."""
    settings = _loaded(paths, 'roots = ["/one"]')
    expected = (
        Path("/claude/logs/sessions.jsonl"),
        Path("/one/logs/sessions.jsonl"),
        paths.state / "sessions.jsonl",
    )
    assert expected == settings.session_logs


PATHS = 'allowed is a list of absolute paths, or paths that begin with "~"'
TOKENS = f"allowed is a whole number of tokens, 1 to {TOKENS_MAX}"
KINDS = "input, output, cache_write, cache_read"
WEIGHTS = (
    f"allowed is a number from 0 to {WEIGHT_MAX} for {KINDS}; or a table of these named as a model family"
)
ESTIMATES = f"allowed is a table of tools, each with a whole number of tokens, 0 to {ESTIMATE_MAX}"
COMMAND = 'allowed is a program and its arguments as a list of strings, such as ["prog", "arg"]'
HOURS = "allowed is a number of hours, at least a second (0.0003) and at most 8784"
PLANS = 'allowed is "free", "pro" or "team"'
NAMES = "small letters, digits and _, beginning with a letter"
NO_KEY = "there is no such key"

FAULTY = [
    ('plan = "max"', 'plan = "max"', PLANS),
    ("plan = 5", "plan = 5", PLANS),
    ("plan = 2026-11-22", "plan = 2026-11-22", PLANS),
    ("limit = 0", "limit = 0", TOKENS),
    ("limit = true", "limit = true", TOKENS),
    ("limit = 5.0", "limit = 5", TOKENS),
    ("limit = nan", "limit = nan", TOKENS),
    (f"limit = {TOKENS_MAX + 1}", f"limit = {TOKENS_MAX + 1}", TOKENS),
    (f"limit = 0x{'f' * 5000}", "limit = an enormous number", TOKENS),
    ('roots = "/a"', 'roots = "/a"', PATHS),
    ('roots = ["a"]', 'roots[0] = "a"', PATHS),
    ('roots = [""]', 'roots[0] = ""', PATHS),
    ('roots = ["~nobody-here/a"]', 'roots[0] = "~nobody-here/a"', PATHS),
    ('roots = ["/a", "/b\\u0000"]', 'roots[1] = "/b\\U00000000"', PATHS),
    ("session_logs = []", "session_logs = []", f"{PATHS}; at least one"),
    ("[weights]\nopus = 5", "weights.opus", f"{NO_KEY}; there are {KINDS} and tables such as [weights.opus]"),
    ("[weights]\nimput = 5", "weights.imput", f"{NO_KEY}; did you mean input?"),
    ("[weights.opus]\nzz = 5", "weights.opus.zz", f"{NO_KEY}; there are {KINDS}"),
    ("[weights]\ninput = -1", "weights.input = -1", WEIGHTS),
    ("[weights.opus]\ninput = inf", "weights.opus.input = inf", WEIGHTS),
    ("[weights.Opus]\n", "weights.Opus = {}", WEIGHTS),
    ("[weights.input]\n", "weights.input = {}", WEIGHTS),
    ("[estimates]\nEdit = 1.5", "estimates.Edit = 1.5", ESTIMATES),
    ("windows = 5", "windows = 5", "allowed is tables [[windows]] with name, hours and, if known, limit"),
    ("[[windows]]\nhours = 1", "windows[0].name", f"is missing; it is {NAMES}"),
    ('[[windows]]\nname = "Day"\nhours = 1', 'windows[0].name = "Day"', f"allowed is {NAMES}"),
    ('[[windows]]\nname = "a\\n"\nhours = 1', 'windows[0].name = "a\\n"', f"allowed is {NAMES}"),
    ('[[windows]]\nname = "a"\nhours = 0', "windows[0].hours = 0", HOURS),
    ('[[windows]]\nname = "a"\nhours = 8785', "windows[0].hours = 8785", HOURS),
    (
        '[[windows]]\nname = "five_hour"\nhours = 5',
        'windows[0].name = "five_hour"',
        "is built in; the key limit sets its limit",
    ),
    (
        '[[windows]]\nname = "a"\nhours = 1\n[[windows]]\nname = "a"\nhours = 2',
        'windows[1].name = "a"',
        "another window has this name already",
    ),
    (
        'retention_days = 6\n[[windows]]\nname = "a"\nhours = 168',
        "windows[0].hours = 168",
        "longer than events are kept (retention_days)",
    ),
    ("notify = true", "notify = true", "allowed is a table [notify] with desktop, command, on_reset, quiet"),
    ("[notify]\ndesktop = 1", "notify.desktop = 1", "allowed is true or false"),
    ('[notify]\non_reset = "no"', 'notify.on_reset = "no"', "allowed is true or false"),
    ("[notify]\nqiet = []", "notify.qiet", f"{NO_KEY}; did you mean quiet?"),
    ("[notify]\nzz = []", "notify.zz", f"{NO_KEY}; there are desktop, command, on_reset, quiet"),
    ('[notify]\ncommand = "notify"', 'notify.command = "notify"', COMMAND),
    ('[notify]\ncommand = [""]', 'notify.command = [""]', COMMAND),
    (
        "retention_days = 0",
        "retention_days = 0",
        "allowed is a whole number of days, 1 to 36500; without the key it is for ever",
    ),
    ("treshold = [5]", "treshold", f"{NO_KEY}; did you mean thresholds?"),
]


@pytest.mark.parametrize(("text", "place", "says"), FAULTY)
def test_a_fault_is_told_with_key_value_and_what_is_allowed(
    paths: wire.Paths, text: str, place: str, says: str
) -> None:
    """One sentence names the key, the value and what would be allowed there."""
    assert [f"{place}: {says}"] == _faults(paths, text)


@pytest.mark.parametrize(
    "value", ["[50, 40]", "[50, 50]", "[0]", "[100.1]", "[-1]", "[nan]", "[true]", '["50"]', "50"]
)
def test_thresholds_rise_from_above_0_to_100(paths: wire.Paths, value: str) -> None:
    """Thresholds are percentages, each larger than the one before."""
    (sentence,) = _faults(paths, f"thresholds = {value}")
    assert sentence.startswith("thresholds")
    assert sentence.endswith("a list of percentages above 0 and up to 100, each larger than the one before")


@pytest.mark.parametrize("value", ["[100]", "[0.1, 100]", "[]"])
def test_thresholds_at_the_edges(paths: wire.Paths, value: str) -> None:
    """Full is a threshold, nearly nothing is one, and there may be none."""
    assert tuple(map(float, json.loads(value))) == _loaded(paths, f"thresholds = {value}").thresholds


@pytest.mark.parametrize("surplus", [0, 1])
def test_lists_have_a_limit(paths: wire.Paths, surplus: int) -> None:
    """A list of the largest size is read, one more entry is refused."""
    text = f"roots = {json.dumps([f'/{number}' for number in range(ENTRIES_MAX + surplus)])}"
    if surplus:
        (sentence,) = _faults(paths, text)
        assert sentence.startswith("roots = ")
    else:
        assert ENTRIES_MAX + 1 == len(_loaded(paths, text).roots)


def test_all_faults_are_told_at_once(paths: wire.Paths) -> None:
    """A file with several faults has a line for each of them."""
    text = 'plan = "max"\nlimit = 0\nsurplus = 1\n[notify]\ndesktop = 1\n[weights]\ninput = -1\n'
    keys = [sentence.partition(" ")[0].rstrip(":") for sentence in _faults(paths, text)]
    assert ["limit", "notify.desktop", "plan", "surplus", "weights.input"] == sorted(keys)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a = = 1", "(at line 1, column 5)"),
        ("\n\nplan 5", "(at line 3, column 6)"),
        ('plan = "', "(at end of document)"),
        ("[weights]\n[weights]", "(at line 2, column 9)"),
    ],
)
def test_what_is_not_toml_is_told_with_its_place(paths: wire.Paths, text: str, place: str) -> None:
    """A syntax error names line and column."""
    (sentence,) = _faults(paths, text)
    assert sentence.startswith("is not TOML: ")
    assert sentence.endswith(place)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (f"limit = {'9' * 5000}", "holds a number of thousands of digits"),
        (f"plan = {'[' * 5000}", "is nested too deeply"),
    ],
)
def test_extremes_are_refused(paths: wire.Paths, text: str, sentence: str) -> None:
    """What Python's reader of TOML gives up on is a fault of the file."""
    assert [sentence] == _faults(paths, text)


def test_bytes_that_are_no_text_are_told_with_their_line(paths: wire.Paths) -> None:
    """Bad UTF-8 names its line."""
    paths.config.write_bytes(b'plan = "pro"\n# \xff\n')
    with pytest.raises(SettingsInvalid, match=r"config\.toml: line 2 is not UTF-8"):
        load(paths)


def test_a_byte_order_mark_is_passed_over(paths: wire.Paths) -> None:
    """Files of editors that write a BOM are read."""
    paths.config.write_bytes(b'\xef\xbb\xbfplan = "free"\n')
    assert "free" == load(paths).plan


def test_a_file_has_a_limit(paths: wire.Paths) -> None:
    """A file of the largest size is read, one byte more is refused."""
    paths.config.write_bytes(b"#" * FILE_BYTES_MAX)
    load(paths)
    paths.config.write_bytes(b"#" * (FILE_BYTES_MAX + 1))
    with pytest.raises(SettingsInvalid, match="is longer than 1048576 bytes"):
        load(paths)


def test_a_directory_is_no_file(paths: wire.Paths) -> None:
    """A directory in the file's place is refused."""
    paths.config.mkdir()
    with pytest.raises(SettingsInvalid, match=r"config\.toml: is not a file"):
        load(paths)


def test_a_pipe_is_not_waited_for(paths: wire.Paths) -> None:
    """A FIFO in the file's place is refused at once."""
    os.mkfifo(paths.config)
    with pytest.raises(SettingsInvalid, match=r"config\.toml: is not a file"):
        load(paths)


def test_a_file_that_cannot_be_read_is_named(paths: wire.Paths) -> None:
    """An unreadable file is refused with the system's reason, not taken for a missing one."""
    paths.config.symlink_to(paths.config)
    with pytest.raises(SettingsInvalid, match=r"config\.toml: cannot be read: "):
        load(paths)


def test_the_null_device_is_an_empty_file(paths: wire.Paths) -> None:
    """``QUOTAD_CONFIG=/dev/null`` means the defaults."""
    null = paths._replace(config=Path(os.devnull))
    assert replace(load(paths), file=null.config) == load(null)


def test_what_the_user_wrote_cannot_act_on_a_terminal(paths: wire.Paths) -> None:
    """Control characters of keys and values are escaped, newlines too, and long values cut."""
    (key,) = _faults(paths, '"evil\\u001b[31m\\nkey" = 1')
    assert key.startswith('"evil\\U0000001B[31m\\nkey": there is no such key')
    (value,) = _faults(paths, f'plan = "\\u009b31m{"x" * 1000}"')
    assert value.startswith('plan = "\\U0000009B31mxxx')
    assert len(value) < 120
    (deep,) = _faults(paths, f"plan = {'[' * 50}{']' * 50}")
    assert 'plan = [[[[...]]]]: allowed is "free", "pro" or "team"' == deep


def test_the_effective_settings_can_be_read_again(paths: wire.Paths) -> None:
    """What is printed is itself a settings file, and says the same."""
    settings = _loaded(paths, EVERYTHING)
    printed = as_toml(settings)
    again = _loaded(paths, printed)
    assert replace(settings, from_file=frozenset()) == replace(again, from_file=frozenset())
    assert as_toml(again).count("# default") == 0


def test_printed_values_tell_their_source(paths: wire.Paths) -> None:
    """Each value says whether the file set it."""
    lines = as_toml(
        _loaded(paths, "limit = 5\n[notify]\non_reset = true\n[weights.opus]\ninput = 3")
    ).splitlines()
    for line in (
        'plan = "pro"  # default',
        "limit = 5  # file",
        "on_reset = true  # file",
        "desktop = true  # default",
        "input = 3  # file",
        "input = 1  # default",
        "# command is not set: there is none",
    ):
        assert line in lines


def test_json_tells_value_and_source(paths: wire.Paths) -> None:
    """The same as JSON, under dotted keys."""
    shown = json.loads(json.dumps(as_json(_loaded(paths, EVERYTHING))))
    assert str(paths.config) == shown["file"]
    assert {"value": 88_000, "source": "file"} == shown["settings"]["limit"]
    assert {"value": 5.0, "source": "file"} == shown["settings"]["weights.opus.input"]
    assert {"value": 1.0, "source": "default"} == shown["settings"]["weights.output"]
    assert {"value": ["22:00-08:00", "12:00-24:00"], "source": "file"} == shown["settings"]["notify.quiet"]
    assert [168.0, 0.25] == [window["hours"] for window in shown["settings"]["windows"]["value"]]


@given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8"), min_size=1))
def test_any_text_survives_printing(tmp_path_factory: pytest.TempPathFactory, word: str, tool: str) -> None:
    """Whatever the user's strings hold, what is printed reads back the same."""
    base = tmp_path_factory.getbasetemp()
    settings = load(wire.Paths(Path("/claude"), base / "none.toml", base, base / "q.sock"))
    odd = replace(settings, estimates={tool: 5}, notify=Notify(command=("prog", word)))
    printed = tomllib.loads(as_toml(odd))
    assert (["prog", word], {tool: 5}) == (printed["notify"]["command"], printed["estimates"])


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.dates()
KEYS = st.sampled_from(["plan", "limit", "roots", "thresholds", "weights", "windows", "notify", "quiet", "x"])
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=3), inner, max_size=4)
    ),
)


@given(st.dictionaries(KEYS, DOCUMENTS, max_size=5))
def test_no_document_fails(document: dict[str, object]) -> None:
    """Whatever a file says, it is checked without an error of ours, and each fault has one line."""
    from quotad.settings.document import check  # noqa: PLC0415 - what costs time is not for collection
    from quotad.settings.show import brief, key_text  # noqa: PLC0415

    checked = check(document)
    if isinstance(checked, list):
        for fault in checked:
            assert "\n" not in f"{key_text(fault.key)} {brief(document)} {fault.says}"


@pytest.mark.parametrize(
    "text",
    [
        "9:00-10:00",
        "09:00",
        "09:00-09:00",
        "24:00-01:00",
        "09:00-24:01",
        "09:60-10:00",
        "25:00-08:00",
        "a",
        "",
        "09:00-10:00 ",
    ],
)
def test_odd_hours_are_refused(paths: wire.Paths, text: str) -> None:
    """A span is two different times of day in full digits."""
    (sentence,) = _faults(paths, f"[notify]\nquiet = [{json.dumps(text)}]")
    assert sentence.startswith(
        f'notify.quiet[0] = "{text}": allowed is a list of spans such as "22:00-08:00"'
    )


@pytest.mark.parametrize(
    "text",
    [
        "09:00-18:00",
        "Mon",
        "Mon-Foo 09:00-18:00",
        "mon 09:00-18:00",
        "Mon- 09:00-18:00",
        " 09:00-18:00",
        "Mon,, 09:00-18:00",
    ],
)
def test_odd_working_hours_are_refused(paths: wire.Paths, text: str) -> None:
    """Working hours are days and a span."""
    (sentence,) = _faults(paths, f"working_hours = [{json.dumps(text)}]")
    assert sentence.startswith(f'working_hours[0] = "{text}": allowed is a list of days and spans such as')


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("Mon", {0}),
        ("Fri-Mon", {4, 5, 6, 0}),
        ("Sun-Sun", {6}),
        ("Mon,Wed-Fri", {0, 2, 3, 4}),
        ("Mon-Sun", set(range(7))),
    ],
)
def test_days_are_single_or_ranges(paths: wire.Paths, text: str, days: set[int]) -> None:
    """Days can be listed, and a range may go over the weekend."""
    (hours,) = _loaded(paths, f'working_hours = ["{text} 09:00-18:00"]').working_hours
    assert days == hours.days


@pytest.mark.parametrize(
    ("minute", "quiet"), [(1319, False), (1320, True), (1439, True), (0, True), (479, True), (480, False)]
)
def test_quiet_over_midnight(minute: int, quiet: bool) -> None:
    """A span that ends before it begins goes over midnight; its end is not in it."""
    assert quiet == is_quiet((Span(1320, 480),), minute)


SPANS = st.lists(
    st.tuples(st.integers(0, 1439), st.integers(0, 1440))
    .filter(lambda edges: edges[0] != edges[1])
    .map(lambda edges: Span(*edges)),
    max_size=4,
)


@given(SPANS, st.integers(0, 1439))
def test_the_next_change_is_the_first_minute_that_differs(spans: list[Span], minute: int) -> None:
    """Counting on minute by minute finds the same change, or none within a day."""
    now = is_quiet(spans, minute)
    counted = next((wait for wait in range(1, 1441) if is_quiet(spans, (minute + wait) % 1440) != now), None)
    assert counted == next_change(spans, minute)


ODD = (
    SCALARS | st.sampled_from([[], {}, "", "/a", "~/b", ["/a", 1], 0, 1, 1.0, 2**53, 2**63, 2**64, -0.0])
).flatmap(st.just)
"""One strategy, so that it is chosen as often as what is right, and not as often as each of its own."""
HOURS_SAID = st.lists(st.sampled_from(["22:00-08:00", "09:00-24:00"]) | st.just("24:00-01:00"), max_size=2)
DAYS_SAID = st.lists(st.sampled_from(["Mon 09:00-18:00", "Sat,Sun 22:00-02:00", "22:00-08:00"]), max_size=2)
PATHS_SAID = st.lists(
    st.sampled_from(["/a", "~/b", "/c d"]) | st.sampled_from(["c", "/\0", "~nobody-here/a"])
)
FAMILY = st.dictionaries(st.sampled_from(["input", "output"]), st.floats(0, 1000) | ODD, max_size=2)
NEARLY_RIGHT = st.fixed_dictionaries(
    {},
    optional={
        "plan": st.sampled_from(["free", "pro", "team"]) | ODD,
        "limit": st.integers(1, 5) | st.integers(1) | ODD,
        "roots": PATHS_SAID | ODD,
        "session_logs": PATHS_SAID | ODD,
        "thresholds": st.lists(st.integers(1, 100) | st.floats(0, 100), max_size=3) | ODD,
        "weights": st.dictionaries(
            st.sampled_from(["input", "cache_read", "opus", "a b"]) | st.sampled_from(["Opus", "x" * 65]),
            st.floats(0, 1000) | st.integers(0, 1001) | FAMILY | ODD,
            max_size=2,
        ),
        "estimates": st.dictionaries(st.text(max_size=2), st.integers(0, 10**7 + 1) | ODD, max_size=2),
        "windows": st.lists(
            st.fixed_dictionaries(
                {
                    "name": st.sampled_from(["a", "b_1"])
                    | st.sampled_from(["five_hour", "A", "a\n", "x" * 65]),
                    "hours": st.floats(0.1, 8784) | st.integers(1, 200) | ODD,
                },
                optional={"limit": st.integers(1) | ODD, "x": ODD},
            ),
            max_size=2,
        ),
        "notify": st.fixed_dictionaries(
            {},
            optional={
                "desktop": st.booleans() | ODD,
                "command": st.lists(st.text(max_size=2), max_size=2) | ODD,
                "on_reset": st.booleans() | ODD,
                "quiet": HOURS_SAID | ODD,
                "qiet": ODD,
            },
        ),
        "working_hours": DAYS_SAID | ODD,
        "retention_days": st.integers(1, 10) | ODD,
    },
)


@given(NEARLY_RIGHT)
def test_what_is_taken_in_unjudged_would_be_judged_right(document: dict[str, object]) -> None:
    """What passes without pydantic passes pydantic, and says the same."""
    from quotad.settings.document import Checked, check  # noqa: PLC0415 - what costs time is not for collection

    taken = plainly(document)
    if taken is not None:
        judged = check(document)
        assert isinstance(judged, Checked)
        paths = wire.Paths(Path("/claude"), Path("/c.toml"), Path("/state"), Path("/q.sock"))
        assert effective(paths, document, judged) == effective(paths, document, taken)


def test_a_file_that_is_right_is_right_plainly() -> None:
    """Every key there is can be taken in without pydantic."""
    assert plainly(tomllib.loads(EVERYTHING)) is not None


@pytest.mark.parametrize("text", ["", EVERYTHING])
def test_where_nothing_is_wrong_pydantic_is_not_imported(paths: wire.Paths, text: str) -> None:
    """Who has no settings file, or one without faults, does not pay for judging it."""
    paths.config.write_text(text, encoding="utf-8")
    code = (
        "import sys; from pathlib import Path; from quotad import settings, wire; "
        f"settings.load(wire.Paths(*map(Path, {list(map(str, paths))!r}))); "
        "sys.exit('pydantic' in sys.modules)"
    )
    assert (
        0
        == subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode
    )
