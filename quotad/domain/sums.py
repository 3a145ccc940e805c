"""Sums over spans of time that cost the same however long the span is and however much is known.

They are integers, so that they are exact and do not depend on the order in which calls came and went. What
each model used stands in the order of time, with a running sum before each step: a span is one difference. A
call that comes last, as nearly all do, leaves the running sums as they were.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TypeAlias

from msgspec import Struct, field

from quotad.domain.instant import Instant, Millis
from quotad.domain.policy import Policy
from quotad.domain.usage import NO_TOKENS, Tokens, UsageEvent, family

ESTIMATED = ""
"""The model, and the family, of what was only estimated: no model is named so."""

_Part: TypeAlias = tuple[int, int, int, int, int, int]
"""What was used: the four kinds of tokens, calls, and tokens that were only estimated."""

_NOTHING: _Part = (0, 0, 0, 0, 0, 0)


class Totals(Struct):
    """What was used in a span: tokens by model, calls, and tokens that were only estimated."""

    models: dict[str, Tokens] = field(default_factory=dict)
    messages: int = 0
    estimated: int = 0

    def add(self, model: str, part: _Part) -> None:
        if part[4]:
            tokens = Tokens(*part[:4])
            known = self.models.get(model)
            self.models[model] = tokens if known is None else known.plus(tokens)
            self.messages += part[4]
        self.estimated += part[5]

    @property
    def tokens(self) -> Tokens:
        return Tokens(*map(sum, zip(NO_TOKENS, *self.models.values(), strict=True)))

    def spent(self, policy: Policy) -> int:
        """The weighted sum; rounded once, over models in a fixed order, so that it is always the same."""
        weighted = sum(policy.weights_of(model).spent(self.models[model]) for model in sorted(self.models))
        return round(weighted) + self.estimated


class _Course(Struct, eq=False):
    """What one model used at each step of time, in order, and what it used before each."""

    steps: list[int] = field(default_factory=list)
    parts: list[_Part] = field(default_factory=list)
    before: list[_Part] = field(default_factory=lambda: [_NOTHING])
    """As far as it is known: what comes or goes makes it unknown behind its step."""

    def move(self, step: int, part: _Part) -> None:
        """Add a part; to take something away, add what is below nothing."""
        steps = self.steps
        index = len(steps) if not steps or step > steps[-1] else bisect_left(steps, step)
        if index < len(steps) and steps[index] == step:
            self.parts[index] = _plus(self.parts[index], part)
        else:
            steps.insert(index, step)
            self.parts.insert(index, part)
        del self.before[index + 1 :]

    def between(self, first: int, end: int) -> _Part:
        """The sum of the steps in ``[first, end)``."""
        begin, behind = bisect_left(self.steps, first), bisect_left(self.steps, end)
        if begin >= behind:
            return _NOTHING
        before = self.before
        for index in range(len(before), behind + 1):
            before.append(_plus(before[-1], self.parts[index - 1]))
        return _minus(before[behind], before[begin])

    def trim(self, first: int) -> None:
        """Forget the steps before one."""
        begin = bisect_left(self.steps, first)
        if begin:
            del self.steps[:begin], self.parts[:begin], self.before[1:]


class Sums(Struct, eq=False):
    """What was used when, by model; steps of time are so many milliseconds long."""

    step: Millis
    _courses: dict[str, _Course] = field(default_factory=dict)

    def enter(self, call: UsageEvent) -> None:
        self._move(call.model, call.at, (*call.tokens, 1, 0))

    def leave(self, call: UsageEvent) -> None:
        self._move(call.model, call.at, (*NO_TOKENS.minus(call.tokens), -1, 0))

    def estimate(self, at: Instant, tokens: int) -> None:
        """Add to what is estimated; a negative number is taken away."""
        self._move(ESTIMATED, at, (0, 0, 0, 0, 0, tokens))

    def _move(self, model: str, at: Instant, part: _Part) -> None:
        course = self._courses.get(model)
        if course is None:
            course = self._courses[model] = _Course()
        course.move(at // self.step, part)

    def add_to(self, totals: Totals, since: Instant, until: Instant, scope: str | None) -> None:
        """Add what was used in ``[since, until)``, both beginnings of steps, by one family if asked so."""
        first, end = since // self.step, until // self.step
        for model, course in self._courses.items():
            if scope is None or family(model) == scope:
                totals.add(model, course.between(first, end))

    def trim(self, before: Instant) -> None:
        """Forget the steps before the one that begins there."""
        for course in self._courses.values():
            course.trim(before // self.step)


def _plus(one: _Part, other: _Part) -> _Part:
    a, b, c, d, e, f = one
    u, v, w, x, y, z = other
    return (a + u, b + v, c + w, d + x, e + y, f + z)


def _minus(one: _Part, other: _Part) -> _Part:
    a, b, c, d, e, f = one
    u, v, w, x, y, z = other
    return (a - u, b - v, c - w, d - x, e - y, f - z)
