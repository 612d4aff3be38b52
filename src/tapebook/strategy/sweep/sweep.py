"""A sweep: one strategy under many settings, each traded as a backtest is, with memory for one at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tapebook.errors import BadParameter, NoData
from tapebook.strategy.performance.figures import MARK
from tapebook.strategy.rules import Rules, divided
from tapebook.strategy.sweep.crew import Crew
from tapebook.strategy.sweep.drive import done
from tapebook.strategy.sweep.grid import Settings, plain
from tapebook.strategy.sweep.plan import planned
from tapebook.strategy.sweep.resume import in_grid_order, taken_over
from tapebook.strategy.sweep.store import joined

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from tapebook.data.panel import Bars
    from tapebook.progress import Report
    from tapebook.strategy.backtest.backtest import Backtest
    from tapebook.strategy.declare import Strategy
    from tapebook.strategy.luck.trials import Tried
    from tapebook.strategy.sweep.estimate import Estimate
    from tapebook.strategy.sweep.sample import Sample


@dataclass(frozen=True, eq=False, repr=False)
class Sweep:
    """What came of a sweep. `table`: one row a combination (and symbol, when each is traded alone).

    Its first columns are the settings that varied, then "symbol" where each is alone, then the
    figures, as a backtest computes them. `values`: what was given of each setting that varied.
    `metric`: what combinations are ranked by unless told otherwise. `asked`: combinations that were
    to be tried; `refused`: those that the strategy itself refused. `complete` is False when it was
    stopped; what was done is there, and `resume=` goes on from it: `taken_over` rows come from before.
    """

    strategy: Strategy
    bars: Bars
    rules: Rules
    fixed: Settings
    values: Mapping[str, list[Any]]
    table: pd.DataFrame
    asked: int
    refused: int
    alone: bool
    seconds: float
    complete: bool
    search: str = "grid"
    metric: str = "sharpe"
    tried: Tried | None = None
    taken_over: int = 0

    @property
    def varied(self) -> tuple[str, ...]:
        """Names of the settings that varied."""
        return tuple(self.values)

    @property
    def done(self) -> int:
        """Combinations that were traded."""
        return len(self.table) // (len(self.bars.symbols) if self.alone else 1)

    @property
    def same_close(self) -> bool:
        """Whether any combination fills at the close that decided it: not tradable as shown."""
        execution = [self.fixed.get("execution", self.rules.execution)]
        return "same_close" in self.values.get("execution", execution)

    @property
    def warning(self) -> str:
        """What every output must carry; empty if there is nothing to warn of."""
        if not self.same_close:
            return ""
        return f"execution=same_close is {MARK}" if "execution" in self.varied else MARK

    @cached_property
    def sample(self) -> Sample | None:
        """Returns of at most 128 combinations (and symbols), drawn evenly, the best Sharpe ratio among them.

        Computed when first asked for, in this process; None if nothing was traded.
        """
        from tapebook.strategy.sweep.sample import sample

        return sample(self)

    def best(self, metric: str | None = None) -> Settings:
        """Return the settings with the highest mean of `metric` over the symbols; luck is not taken out."""
        metric = metric or self.metric
        self._expect_figure(metric)
        each = len(self.bars.symbols) if self.alone else 1
        block = self.table[metric].to_numpy(dtype=float).reshape(-1, each)  # rows of a combination together
        known = np.isfinite(block).sum(axis=1)
        if not known.any():
            raise NoData(f"no combination has a {metric}: none of them traded")
        with np.errstate(invalid="ignore"):
            means = np.where(known > 0, np.nansum(block, axis=1) / np.maximum(known, 1), -np.inf)
        return self.settings_at(int(np.argmax(means)) * each)

    def settings_at(self, row: int) -> Settings:
        """Return the settings that varied, of one row of the table."""
        return {name: plain(self.table[name].iloc[row]) for name in self.varied}

    def ranked(self, metric: str | None = None) -> pd.DataFrame:
        """Return the combinations by `metric`, highest first; symbols that were alone are averaged."""
        metric = metric or self.metric
        self._expect_figure(metric)
        table = self.table.drop(columns="symbol") if self.alone else self.table
        grouped = table.groupby(list(self.varied), sort=False, dropna=False).mean().reset_index()
        return grouped.sort_values(metric, ascending=False, kind="stable", na_position="last").reset_index(
            drop=True
        )

    def _expect_figure(self, metric: str) -> None:
        if metric not in self.table or metric in (*self.varied, "symbol"):
            figures = [str(name) for name in self.table if name not in (*self.varied, "symbol")]
            raise BadParameter("metric", metric, "one of " + ", ".join(figures))

    def backtest(self, settings: Mapping[str, Any] | None = None, *, metric: str | None = None) -> Backtest:
        """Run one combination as a full backtest; the best by `metric` unless settings are given."""
        traded = self.traded(self.best(metric) if settings is None else settings)
        return replace(traded, tried=self._among())

    def traded(self, settings: Mapping[str, Any]) -> Backtest:
        """Run one combination, without a word on what else was tried."""
        from tapebook.strategy.backtest.backtest import run_backtest

        chosen = self.fixed | dict(settings)
        params, ruled = divided(self.strategy.name, self.strategy.parameters, chosen)
        rules = self.rules.changed(**ruled, **({"shared_cash": False} if self.alone else {}))
        return run_backtest(self.strategy, self.bars, params=params, rules=rules)

    def _among(self) -> Tried:
        """What one of these was chosen from: as the desk's ledger knows it, else this sweep alone."""
        from tapebook.strategy.luck.sketch import sketch
        from tapebook.strategy.luck.trials import Tried

        if self.tried is not None or self.sample is None:
            return self.tried or Tried(max(len(self.table), 1))
        return Tried(len(self.table), sketch(self.sample.returns, self.bars.index))

    def robustness(self, metric: str | None = None) -> pd.DataFrame:
        """How the neighbours of each combination do, best first: plateau or spike.

        A neighbour differs by one step in one setting. Columns: the settings, `metric`, neighbours
        (how many), mean and worst (of their `metric`), ratio (their mean over this one's).
        """
        from tapebook.strategy.sweep.robustness import robustness

        return robustness(self.ranked(metric), self.values, metric or self.metric)

    def plateau(self, metric: str | None = None) -> str:
        """Say in a sentence whether the best stands among its like (a plateau) or alone (a spike).

        A plateau keeps, one step away in any setting, half of what the best is above the median of all
        combinations on average, and nowhere falls below the median; a spike keeps less than a quarter.
        """
        from tapebook.strategy.sweep.robustness import plateau

        return plateau(self.ranked(metric), self.values, metric or self.metric)

    def heatmap(
        self,
        x: str | None = None,
        y: str | None = None,
        metric: str | None = None,
        *,
        fixed: Mapping[str, Any] | None = None,
    ) -> go.Figure:
        """Draw `metric` over two settings, where others are as `fixed` says; the rest are averaged over."""
        from tapebook.strategy.sweep.figures import heatmap

        ranked, metric = self.ranked(metric), metric or self.metric
        return heatmap(ranked, self.varied, x, y, metric, fixed=fixed or {}, warning=self.warning)

    def parallel(self, metric: str | None = None) -> go.Figure:
        """Draw every combination as a line across its settings, coloured by `metric`."""
        from tapebook.strategy.sweep.figures import parallel

        return parallel(self.ranked(metric), self.varied, metric or self.metric, warning=self.warning)

    def save(self, path: str | Path) -> Path:
        """Write table and description to a Parquet file, all or nothing; `resume=path` goes on from it."""
        from tapebook.strategy.sweep.store import write

        return write(self, Path(path))

    def __repr__(self) -> str:
        from tapebook.strategy.sweep.words import lines

        return "\n".join(lines(self))

    def _repr_html_(self) -> str:
        from tapebook.strategy.sweep.words import page

        return page(self)


def sweep(
    strategy: Strategy,
    bars: Bars,
    settings: Mapping[str, Any],
    *,
    rules: Rules | None = None,
    where: Callable[..., bool] | None = None,
    search: str = "grid",
    trials: int | None = None,
    metric: str = "sharpe",
    seed: int = 0,
    alone: bool | None = None,
    executor: Executor | None = None,
    resume: Sweep | str | Path | None = None,
    progress: Report | None = None,
) -> Sweep:
    """Trade `strategy` under many combinations of `settings`.

    Parameters
    ----------
    settings : mapping
        Parameters and rules by name; a list, range or array of values varies, anything else is fixed.
    where : function, optional
        Called with the varied settings by name; combinations for which it is false are left out.
    search : "grid", "random" or "optuna"
        Every combination; `trials` of them, drawn without replacement by `seed`; or `trials` of them,
        each batch chosen by what the earlier ones made (tree-structured Parzen estimator, Bergstra et
        al. 2011, "Algorithms for Hyper-Parameter Optimization"). None is tried twice.
    metric : str
        What combinations are ranked by, and what a guided search looks for: the highest.
    alone : bool, optional
        Trade each symbol with cash of its own (True), or all in one pot. By default as the rules say,
        alone where there is one symbol.
    executor : concurrent.futures.Executor, optional
        Where the work is done: threads of this process by default; a Dask client's executor will do.
    resume : Sweep or path, optional
        An earlier one, or where it was saved: combinations of it that are asked for are taken over.

    Raises
    ------
    BadParameter, UnknownName
        Before anything runs, if a value is out of bounds, nothing varies, or `resume` was a sweep of
        other bars, rules, fixed settings or other code; the message says which.
    """
    begun = time.perf_counter()
    plan = planned(
        strategy, bars, settings, rules=rules, where=where, search=search, trials=trials, metric=metric,
        seed=seed, alone=alone,
    )  # fmt: skip
    job, varied = plan.job, tuple(plan.grid.values)
    before = taken_over(resume, plan)
    rows, complete = done(plan, before, executor, progress or (lambda *_: None))
    table = rows.table(bars.symbols if job.alone else None)
    if len(before.table):
        table = joined(before.table, table, varied)
        table = table if search == "optuna" else in_grid_order(table, plan)
    return Sweep(
        strategy=strategy, bars=bars, rules=job.rules, fixed=job.fixed, values=plan.grid.values, table=table,
        asked=plan.asked, refused=rows.refused, alone=job.alone, seconds=time.perf_counter() - begun,
        complete=complete, search=search, metric=metric, taken_over=len(before.table),
    )  # fmt: skip


def estimate(
    strategy: Strategy,
    bars: Bars,
    settings: Mapping[str, Any],
    *,
    rules: Rules | None = None,
    where: Callable[..., bool] | None = None,
    search: str = "grid",
    trials: int | None = None,
    metric: str = "sharpe",
    seed: int = 0,
    alone: bool | None = None,
    executor: Executor | None = None,
) -> Estimate:
    """Say what `sweep` would take, from trading a few combinations, spread evenly over all; see there."""
    from tapebook.strategy.sweep.estimate import pilot

    plan = planned(
        strategy, bars, settings, rules=rules, where=where, search=search, trials=trials, metric=metric,
        seed=seed, alone=alone,
    )  # fmt: skip
    todo = plan.grid.drawn(plan.asked, seed) if search == "optuna" else plan.places
    crew = Crew(plan.job, executor)
    try:
        found = pilot(plan, todo, crew, thorough=True).estimate
    finally:
        crew.leave()
    assert found is not None  # a plan tries at least one
    return found
