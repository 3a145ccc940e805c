"""The README's three stories, command by command as they stand there, on the real daemon."""

from __future__ import annotations

import re
import sys

import pytest

from quotad.domain.instant import HOUR
from tests.daemon.planning import sessions
from tests.daemon.process import CHECKOUT, Place
from tests.daemon.stand_in import StandIn
from tests.daemon.truth import now_ms
from tests.daemon.work import spend

STORIES = {
    "Much is left: it starts": {"api": "complete"},
    "Little is left: it is booked": {"docs": "scheduled"},
    "Little is left, but something smaller fits": {"rewrite": "scheduled", "tidy": "in_progress"},
}
"""How each story ends."""

CLOCK = re.compile(r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) )?\d\d:\d\d|in \d+ h(?: \d+ min)?")
"""A time tomorrow bears its weekday."""


def story(title: str) -> str:
    """A section of the README."""
    text = (CHECKOUT / "README.md").read_text()
    return text.split(f"### {title}\n", 1)[1].split("\n#", 1)[0]


def blocks(section: str, kind: str) -> list[str]:
    """Its code blocks of one kind."""
    return re.findall(rf"```{kind}\n(.*?)```", section, re.DOTALL)


def without_times(text: str) -> str:
    """What does not depend on the hour at which it is run, in any width."""
    return " ".join(CLOCK.sub("", " ".join(text.split())).split())


@pytest.mark.parametrize("title", STORIES)
def test_a_story_goes_as_the_readme_tells_it(place: Place, title: str) -> None:
    """From the tokens it says are spent, by its very commands, to the words it shows and its end."""
    section = story(title)
    spent = re.search(r"([\d,]+)(?: of 200,000(?: tokens)?)? are spent", section)
    assert spent is not None
    spend(place, int(spent[1].replace(",", "")), at_ms=now_ms() - HOUR)
    claude = StandIn(place, tokens=12_000)
    quotactl = place.root / "bin" / "quotactl"
    quotactl.parent.mkdir(exist_ok=True)
    quotactl.write_text(f'#!/bin/sh\nexec {sys.executable} -m quotactl "$@"\n')
    quotactl.chmod(0o755)
    path = {"PATH": f"{quotactl.parent}:{claude.path['PATH']}"}
    said = ""
    with place.running():
        for block in blocks(section, "sh"):
            done = place.run(["sh", "-e", "-c", block], path)
            assert (0, "") == (done.returncode, done.stderr)
            said += done.stdout
        assert STORIES[title] == sessions(place)
    for shown in blocks(section, "text"):
        assert without_times(shown) in without_times(said)
