"""What a sweep is going to do, checked before anything runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tapebook.errors import BadParameter, NoData
from tapebook.strategy.rules import Rules
from tapebook.strategy.sweep.crew import Job
from tapebook.strategy.sweep.grid import Grid, check, parted

if TYPE_CHECKING:
    from tapebook.data.panel import Bars
    from tapebook.strategy.declare import Strategy

SEARCHES = ("grid", "random", "optuna")


@dataclass(frozen=True)
class Plan:
    """What a sweep is going to do: the work, the combinations, and how they are chosen."""

    job: Job
    grid: Grid
    search: str
    trials: int | None
    metric: str
    seed: int

    @cached_property
    def places(self) -> Sequence[int]:
        """Places of the grid that are tried, ascending; all that may be tried in a guided search."""
        if self.search == "random" and self.trials is not None:
            return self.grid.drawn(self.trials, self.seed)
        return self.grid.places

    @property
    def asked(self) -> int:
        """How many combinations are tried, if all goes well."""
        if self.search != "optuna" or self.trials is None:
            return len(self.places)
        return min(self.trials, len(self.places)) if self.grid.counted else self.trials


def planned(
    strategy: Strategy,
    bars: Bars,
    settings: Mapping[str, Any],
    *,
    rules: Rules | None,
    where: Callable[..., bool] | None,
    search: str,
    trials: int | None,
    metric: str,
    seed: int,
    alone: bool | None,
) -> Plan:
    """Check all that a sweep is given, as `sweep` says it."""
    rules = rules or Rules()
    values, fixed = parted(strategy, settings)
    check(strategy, rules, values, fixed)
    _check_search(search, trials, metric)
    if not len(bars) or not bars.symbols:
        raise NoData("there are no bars to trade: widen start and end, or name other symbols")
    if alone is None:
        alone = not rules.shared_cash or len(bars.symbols) == 1
    grid = Grid(values, where)
    job = Job(strategy, bars, rules, fixed, alone)
    plan = Plan(job, grid, search, trials, metric, seed)
    if not plan.asked:
        raise BadParameter("where", where, "a condition that at least one combination meets")
    return plan


def _check_search(search: str, trials: int | None, metric: str) -> None:
    from tapebook.strategy.sweep.work import names

    if search not in SEARCHES:
        raise BadParameter("search", search, "one of " + ", ".join(SEARCHES))
    if search == "grid" and trials is not None:
        raise BadParameter("trials", trials, "nothing: a grid tries all; give search='random' or 'optuna'")
    if search != "grid" and (trials is None or trials < 1):
        raise BadParameter("trials", trials, f"how many combinations to try, since search is {search!r}")
    if metric not in names():
        raise BadParameter("metric", metric, "one of " + ", ".join(names()))
