"""Walk forward: choose settings on bars that are past, trade them on bars that are not, again and again.

Rolling and expanding folds make one account that trades on through all of them (`stitched`). Combinatorial
folds make several histories, each traded throughout with settings that were chosen elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from tapebook.errors import BadInput, BadParameter, NoData
from tapebook.strategy.performance import metrics as m
from tapebook.strategy.performance.metrics import Metrics
from tapebook.strategy.rules import Rules
from tapebook.strategy.walk_forward import splits as cut
from tapebook.strategy.walk_forward.stitched import Stretch, trade
from tapebook.strategy.walk_forward.windowed import Windowed

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from tapebook.data.panel import Bars
    from tapebook.progress import Report
    from tapebook.strategy.backtest.backtest import Backtest
    from tapebook.strategy.declare import Strategy
    from tapebook.strategy.sweep.plan import Plan

Scheme = Literal["rolling", "expanding", "combinatorial"]
SCHEMES = ("rolling", "expanding", "combinatorial")
SAMPLE = 64
"""Combinations whose returns are kept for the odds."""


@dataclass(frozen=True, eq=False, repr=False)
class WalkForward:
    """What settings that were chosen before (or elsewhere) earned on bars that they were not chosen on.

    `folds`: one row a fold: when it learned and traded, the settings chosen, and `metric`,
    annual return and Sharpe ratio inside (learning) and outside (trading). `paths`: simple bar returns
    outside, one column a path (one only, unless combinatorial), NaN where nothing was traded yet.
    `traded`: the stitched account as a `Backtest`; None of a combinatorial walk. `tried`: combinations
    of `values`. `sample`: returns of some of them on all bars, (K, T), for the ledger of trials.
    """

    strategy: Strategy
    bars: Bars
    rules: Rules
    fixed: dict[str, Any]
    values: Mapping[str, list[Any]]
    scheme: str
    told: str
    metric: str
    folds: pd.DataFrame
    paths: pd.DataFrame
    traded: Backtest | None
    tried: int
    sample: np.ndarray
    seconds: float

    @property
    def varied(self) -> tuple[str, ...]:
        """Names of the settings that varied."""
        return tuple(self.values)

    @property
    def backtest(self) -> Backtest:
        """The account that traded on through all folds, with tear sheet, expectancy and odds.

        Raises
        ------
        BadInput
            Of a combinatorial walk: it has several histories, in `paths`.
        """
        if self.traded is None:
            raise BadInput("a combinatorial walk has several histories and no one account: see `paths`")
        return self.traded

    @property
    def same_close(self) -> bool:
        """Whether fills happen at the close that decided them: not tradable as shown."""
        return self.rules.same_close or self.fixed.get("execution") == "same_close"

    @property
    def equity(self) -> pd.DataFrame:
        """Growth of 1 outside, one column a path."""
        return (1.0 + self.paths.fillna(0.0)).cumprod()

    @property
    def sharpes(self) -> pd.Series:
        """Annual Sharpe ratio of each path."""
        year = self.bars.periods_per_year
        return pd.Series({name: m.sharpe(self.paths[name].to_numpy(), year) for name in self.paths})

    @cached_property
    def metrics(self) -> Metrics:
        """All figures outside; of a combinatorial walk the median over the paths, and from where to where."""
        from tapebook.strategy.walk_forward.words import of_paths

        return self.traded.metrics if self.traded is not None else of_paths(self)

    @property
    def efficiency(self) -> float:
        """Annual return outside over the mean annual return inside of what was chosen; NaN if that lost.

        Pardo (2008), "The Evaluation and Optimization of Trading Strategies", chapter 11: walk-forward
        efficiency. Near 1 the rules do as well as they did when chosen; near 0 the choice was luck.
        """
        inside = float(self.folds["inside_annual_return"].mean())
        outside = float(self.metrics["annual_return"].value)
        return outside / inside if inside > 0.0 else np.nan

    @property
    def changes(self) -> int:
        """How often the chosen settings changed from one fold to the next."""
        chosen = [tuple(map(str, row)) for row in self.folds[list(self.varied)].itertuples(index=False)]
        return sum(one != other for one, other in zip(chosen, chosen[1:], strict=False))

    def figure(self) -> go.Figure:
        """Draw equity outside with the folds' borders, and under it the settings each fold chose."""
        from tapebook.strategy.walk_forward.words import figure

        return figure(self)

    def __repr__(self) -> str:
        from tapebook.strategy.walk_forward.words import lines

        return "\n".join(lines(self))

    def _repr_html_(self) -> str:
        from html import escape

        from tapebook.strategy.walk_forward.words import lines

        first, *rest = lines(self)
        said = "<br>".join(escape(line.strip()) for line in rest)
        return f"<p><b>{escape(first)}</b><br>{said}</p>{self.folds.to_html(index=False, border=0)}"


def walk_forward(
    strategy: Strategy,
    bars: Bars,
    settings: Mapping[str, Any],
    *,
    rules: Rules | None = None,
    scheme: Scheme = "rolling",
    train: int | None = None,
    test: int | None = None,
    groups: int = 6,
    tests: int = 2,
    purge: int = 0,
    embargo: int = 0,
    metric: str = "sharpe",
    where: Callable[..., bool] | None = None,
    alone: bool | None = None,
    seed: int = 0,
    executor: Executor | None = None,
    progress: Report | None = None,
) -> WalkForward:
    """Choose among combinations of `settings` in each fold, and trade the chosen one outside it.

    Parameters
    ----------
    settings : mapping
        As for a sweep: several values vary, one is fixed; rules such as stops too.
    scheme : "rolling", "expanding" or "combinatorial"
        See `tapebook.strategy.walk_forward.splits`.
    train, test : int, optional
        Bars to learn from and to trade, of rolling and expanding folds; three years and one by default
        (as many bars as that has).
    groups, tests : int
        Of combinatorial folds.
    purge, embargo : int
        Bars left out of learning next to what is traded; see `splits`.
    metric : str
        What a fold chooses by: any figure; of combinatorial folds "sharpe" or "total_return".

    Learning sees no bar after its last one. Indicators know the bars before a fold; its account begins
    flat when it learns, and in the position that the settings' last decision asks for when it trades.

    Raises
    ------
    BadParameter, UnknownName, NoData
        Before anything runs.
    """
    from tapebook.strategy.sweep.plan import planned

    begun = time.perf_counter()
    if scheme not in SCHEMES:
        raise BadParameter("scheme", scheme, "one of " + ", ".join(SCHEMES))
    if scheme == "combinatorial" and metric not in ("sharpe", "total_return"):
        raise BadParameter("metric", metric, "sharpe or total_return: learning is in several pieces of time")
    plan = planned(
        strategy, bars, settings, rules=rules, where=where, search="grid", trials=None, metric=metric,
        seed=seed, alone=alone,
    )  # fmt: skip
    year = bars.periods_per_year
    train, test = round(3 * year) if train is None else train, round(year) if test is None else test
    walk = _Walk(strategy, plan, executor, progress or (lambda *_: None))
    if scheme == "combinatorial":
        found = cut.combinatorial(len(bars), groups=groups, tests=tests, purge=purge, embargo=embargo)
        told = f"{groups} groups of time, {tests} traded at once"
        folds, paths, traded = walk.across(found)
    else:
        make = cut.rolling if scheme == "rolling" else cut.expanding
        found = make(len(bars), train=train, test=test, purge=purge, embargo=embargo)
        told = f"{scheme} {train:,} bars to learn from, {test:,} to trade"
        folds, paths, traded = walk.forward(found, told)
    told += f", purge {purge}, embargo {embargo}" if purge or embargo else ""
    return WalkForward(
        strategy, bars, plan.job.rules, dict(plan.job.fixed), dict(plan.grid.values), scheme, told, metric,
        folds, paths, traded, plan.asked, walk.sample(seed), time.perf_counter() - begun,
    )  # fmt: skip


@dataclass
class _Walk:
    """The work of one walk."""

    strategy: Strategy
    plan: Plan
    executor: Executor | None
    report: Report

    def forward(self, found: list[cut.Split], told: str) -> tuple[pd.DataFrame, pd.DataFrame, Backtest]:
        """Rolling and expanding folds: learn, then trade all of them in one account."""
        job, rows, parts = self.plan.job, [], []
        for number, split in enumerate(found):
            self.report(number, len(found), "folds")
            chosen, inside = self._learn(split.train[0])
            rows.append(self._row(number, split, chosen, inside))
            parts.append(Stretch(split.test[0], dict(job.fixed) | chosen))
        self.report(len(found), len(found), "folds")
        traded = self._trade(parts, told)
        returns = traded.returns.reindex(job.bars.index[parts[0].rows.start : parts[-1].rows.stop])
        folds = self._frame(rows)
        self._outside(folds, [returns.loc[self._span(split.test)] for split in found])
        return folds, returns.rename("walk forward").to_frame(), traded

    def across(self, found: list[cut.Split]) -> tuple[pd.DataFrame, pd.DataFrame, None]:
        """Combinatorial folds: every combination is traded once, on all bars; then each fold chooses."""
        job, index = self.plan.job, self.plan.job.bars.index
        settings, returns = self._everything()
        chosen, rows, outside = [], [], []
        for number, split in enumerate(found):
            learn = np.concatenate([np.arange(run.start, run.stop) for run in split.train])
            scores = np.array([self._score(each[:, learn]) for each in returns])
            if not np.isfinite(scores).any():
                raise NoData(
                    f"no combination traded in fold {number + 1}: widen the settings, or learn longer"
                )
            best = int(np.nanargmax(scores))
            chosen.append(best)
            year = job.bars.periods_per_year
            inside = returns[best][:, learn].mean(axis=0)
            told = {
                self.plan.metric: float(scores[best]),
                "annual_return": m.annual_return(inside, year),
                "sharpe": m.sharpe(inside, year),
            }
            rows.append(self._row(number, split, settings[best], told))
            mine = pd.Series(returns[best].mean(axis=0), index)
            outside.append(mine.loc[self._span(split.test)])
        folds = self._frame(rows)
        self._outside(folds, outside)
        columns = {}
        for number, path in enumerate(cut.paths(found)):
            whole = np.empty(len(index))
            for block, fold in path.items():
                whole[block.start : block.stop] = returns[chosen[fold]].mean(axis=0)[block.start : block.stop]
            columns[f"path {number + 1}"] = whole
        return folds, pd.DataFrame(columns, index), None

    def sample(self, seed: int) -> np.ndarray:
        """Returns on all bars of some combinations, (K, T)."""
        from tapebook.strategy.memory import Memory, remembering
        from tapebook.strategy.sweep.work import returns_of

        job = self.plan.job
        with remembering(Memory()):
            drawn = [
                returns_of(
                    self.strategy,
                    job.bars,
                    job.rules,
                    dict(job.fixed) | self.plan.grid.at(place),
                    alone=job.alone,
                )
                for place in self.plan.grid.drawn(min(SAMPLE, self.plan.asked), seed)
            ]
        kept = [each for each in drawn if each is not None]
        return np.concatenate(kept) if kept else np.empty((0, len(job.bars)))

    # ---- learning

    def _learn(self, rows: range) -> tuple[dict[str, Any], dict[str, float]]:
        """The best combination on these rows, and what it did there."""
        from tapebook.strategy.sweep.sweep import sweep

        job, plan = self.plan.job, self.plan
        known = job.bars.between(end=job.bars.index[rows.stop - 1])
        window = known.between(start=known.index[rows.start])
        strategy = Windowed(self.strategy, known, slice(rows.start, rows.stop))
        done = sweep(
            strategy, window, dict(plan.grid.values) | dict(job.fixed), rules=job.rules,
            where=plan.grid.where, metric=plan.metric, alone=job.alone, executor=self.executor,
        )  # fmt: skip
        ranked = done.ranked(plan.metric)
        best = ranked.iloc[0] if len(ranked) else None
        if best is None or not np.isfinite(best[plan.metric]):
            first, last = (f"{known.index[row]:%Y-%m-%d}" for row in (rows.start, rows.stop - 1))
            raise NoData(f"no combination traded from {first} to {last}: widen the settings, or learn longer")
        names = dict.fromkeys((plan.metric, "annual_return", "sharpe"))
        return done.best(plan.metric), {name: float(best[name]) for name in names}

    def _everything(self) -> tuple[list[dict[str, Any]], list[np.ndarray]]:
        """Every combination on all bars: settings, and returns of each, (symbols or 1, T)."""
        from tapebook.strategy.memory import Memory, remembering
        from tapebook.strategy.sweep.work import returns_of

        job, settings, returns = self.plan.job, [], []
        places = self.plan.places
        with remembering(Memory()):
            for number, place in enumerate(places):
                if number % 50 == 0:
                    self.report(number, len(places), "combinations")
                chosen = self.plan.grid.at(place)
                made = returns_of(
                    self.strategy, job.bars, job.rules, dict(job.fixed) | chosen, alone=job.alone
                )
                if made is not None:
                    settings.append(chosen)
                    returns.append(made.astype(np.float64))
        if not settings:
            raise NoData(f"{self.strategy.name} refused every combination")
        return settings, returns

    def _score(self, returns: np.ndarray) -> float:
        """What a fold chooses by, averaged over symbols that are alone."""
        year = self.plan.job.bars.periods_per_year
        if self.plan.metric == "sharpe":
            return float(np.mean([m.sharpe(each, year) for each in returns]))
        return float(np.mean([m.total_return(each) for each in returns]))

    # ---- trading

    def _trade(self, parts: list[Stretch], told: str) -> Backtest:
        from tapebook.strategy.backtest.backtest import assembled, compared

        job, plan = self.plan.job, self.plan
        shown, done, rules = trade(self.strategy, job.bars, job.rules, parts, alone=job.alone)
        spans = {name: f"{values[0]} to {values[-1]}" for name, values in plan.grid.values.items()}
        fixed = {name: value for name, value in job.fixed.items() if name in self.strategy.parameters}
        params = {"walk_forward": told, "chosen_by": plan.metric, **fixed, **spans}
        year, benchmark = job.bars.periods_per_year, compared(None, shown, done.start_cash)
        return assembled(self.strategy, params, rules, shown, done, benchmark, year)

    def _row(
        self, number: int, split: cut.Split, chosen: Mapping[str, Any], inside: Mapping[str, float]
    ) -> dict[str, Any]:
        index = self.plan.job.bars.index
        times = {
            "fold": number + 1,
            "train_start": index[split.train[0].start],
            "train_end": index[split.train[-1].stop - 1],
            "test_start": index[split.test[0].start],
            "test_end": index[split.test[-1].stop - 1],
        }
        return times | dict(chosen) | {f"inside_{name}": value for name, value in inside.items()}

    def _frame(self, rows: list[dict[str, Any]]) -> pd.DataFrame:
        """Folds as a table; a setting that was None stays None."""
        folds = pd.DataFrame(rows)
        for name in self.plan.grid.values:
            folds[name] = pd.Series([row[name] for row in rows], dtype=object).infer_objects()
        return folds

    def _outside(self, folds: pd.DataFrame, returns: list[pd.Series]) -> None:
        """Add what each fold made outside."""
        year = self.plan.job.bars.periods_per_year
        values = [each.to_numpy(dtype=float) for each in returns]
        folds["outside_annual_return"] = [m.annual_return(each, year) for each in values]
        folds["outside_sharpe"] = [m.sharpe(each, year) for each in values]

    def _span(self, runs: tuple[range, ...]) -> pd.DatetimeIndex:
        index = self.plan.job.bars.index
        return index[np.concatenate([np.arange(run.start, run.stop) for run in runs])]
