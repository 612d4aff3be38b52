"""How long a sweep will take and how much memory, from trading a few of its combinations."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from tapebook.strategy.memory import Memory
from tapebook.strategy.sweep.grid import Part

if TYPE_CHECKING:
    from tapebook.strategy.sweep.crew import Crew
    from tapebook.strategy.sweep.plan import Plan

LONG = 10.0
"""Seconds; a sweep that will take longer says so before it starts."""
BUDGET = 1.0
"""Seconds that are spent on measuring, unless one combination takes longer."""
PILOT = 0.1
"""Seconds of work that are enough to tell."""
MOST = 1000
"""Combinations that are traded to measure, at most."""
SETTLING = 6e-6
"""Seconds to make a combination's settings and its row."""
GUIDANCE = 0.01
"""Seconds that a guided search takes to choose a combination."""
BOOKKEEPING = 900
"""Bytes for each combination besides its figures, while the table is made."""


@dataclass(frozen=True)
class Estimate:
    """What a sweep will take. `seconds` of time and bytes of `memory` (besides the bars), about.

    `measured` says how it was found out.
    """

    combinations: int
    seconds: float
    memory: int
    measured: str

    def __str__(self) -> str:
        return f"{self.combinations:,} combinations: about {duration(self.seconds)} and {size(self.memory)}"

    def __repr__(self) -> str:
        return f"{self} ({self.measured})"


@dataclass
class Pilot:
    """Combinations that were traded to measure; their answers are kept, so that nothing is done twice.

    `each`: seconds that one takes one worker.
    """

    estimate: Estimate | None = None
    each: float = 0.0
    answers: dict[int, np.ndarray | None] = field(default_factory=dict)


def pilot(plan: Plan, todo: Sequence[int], crew: Crew, *, thorough: bool) -> Pilot:
    """Trade a few combinations of `todo` (places), spread evenly over all, and time them.

    Without `thorough` it ends after the first one if that shows that a sweep is no long one.
    """
    found, told = Pilot(), _Clock()
    if not len(todo):
        return found
    trade = _Trade(plan, crew, found.answers)
    alone = trade(_spread(todo, 1), Memory())  # what is compiled or loaded first is in here
    if len(todo) == 1 or (not thorough and alone * len(todo) / crew.count < LONG):
        seconds = alone * len(todo) / min(crew.count, len(todo))
        found.estimate = _estimate(plan, len(todo), seconds, 1, alone, Memory())
        found.each = alone
        return found
    many = min(crew.count, len(todo))
    while True:
        memory = Memory()
        cold = trade(_spread(todo, many), memory)
        if cold > PILOT or many >= min(len(todo), MOST) or told() + 5 * cold > BUDGET:
            break
        many = min(4 * many, len(todo), MOST)
    warm = trade(_spread(todo, many), memory) if memory.size and told() + cold < BUDGET else cold
    seconds = _seconds(plan, len(todo), many, cold, min(warm, cold), memory)
    found.each = seconds * crew.count / len(todo)
    found.estimate = _estimate(plan, len(todo), seconds, many, told(), memory)
    return found


class _Trade:
    """Trades some combinations on all workers and says how long it took."""

    def __init__(self, plan: Plan, crew: Crew, answers: dict[int, np.ndarray | None]) -> None:
        self.grid, self.crew, self.answers = plan.grid, crew, answers

    def __call__(self, places: Sequence[int], memory: Memory) -> float:
        begun = time.perf_counter()
        parts = [part for part in np.array_split(np.asarray(places), self.crew.count) if len(part)]
        running = [self.crew.submit(Part.of(self.grid, part), memory) for part in parts]
        for part, future in zip(parts, running, strict=True):
            self.answers.update(zip(part.tolist(), future.result(), strict=True))
        return time.perf_counter() - begun


class _Clock:
    def __init__(self) -> None:
        self._begun = time.perf_counter()

    def __call__(self) -> float:
        return time.perf_counter() - self._begun


def _spread(todo: Sequence[int], many: int) -> list[int]:
    """So many of them, from the middles of equal parts: the first ones are not like the rest."""
    return [int(todo[int((i + 0.5) * len(todo) / many)]) for i in range(many)]


def _seconds(plan: Plan, asked: int, many: int, cold: float, warm: float, memory: Memory) -> float:
    """All combinations as `warm` ones, and each distinct value's indicators once.

    `many` combinations took `cold` seconds when none of their indicators was known and `warm` when all
    were; among them were so many distinct values of each setting.
    """
    seen = sum(min(many, n) for n in plan.grid.sizes)
    first = sum(min(asked, n) for n in plan.grid.sizes) / seen
    if memory.size * first > memory.limit:  # they do not fit, and are computed again and again
        first = asked / many
    return warm * asked / many + (cold - warm) * min(first, asked / many)


def _estimate(plan: Plan, asked: int, seconds: float, many: int, spent: float, memory: Memory) -> Estimate:
    from tapebook.strategy.sweep.work import names

    each = len(plan.job.bars.symbols) if plan.job.alone else 1
    rows = asked * (2 * 8 * each * (len(names()) + len(plan.grid.sizes)) + BOOKKEEPING)
    seen = sum(min(many, n) for n in plan.grid.sizes)
    kept = memory.size * sum(plan.grid.sizes) / seen
    besides = asked * (GUIDANCE if plan.search == "optuna" else SETTLING)
    how = f"measured on {many:,} of them, spread evenly, in {duration(spent)}"
    return Estimate(asked, seconds + besides, int(rows + min(kept, memory.limit)), how)


def duration(seconds: float) -> str:
    """Say a time the short way.

    >>> [duration(s) for s in (0.04, 12.3, 200, 9000)]
    ['0.04 s', '12 s', '3.3 min', '2.5 h']
    """
    for unit, length in (("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return (
                f"{seconds / length:,.2g} {unit}"
                if seconds < 100 * length
                else f"{seconds / length:,.0f} {unit}"
            )
    return f"{seconds:.2g} s" if seconds < 100 else f"{seconds:.0f} s"


def size(count: float) -> str:
    """Say a number of bytes the short way.

    >>> size(2_500_000)
    '2.5 MB'
    """
    for unit, length in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= length:
            return f"{count / length:.3g} {unit}"
    return f"{count:.0f} bytes"
