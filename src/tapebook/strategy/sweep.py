"""A sweep: one strategy under many settings, each traded as a backtest is, with memory for one at a time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice, product
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tapebook.errors import BadParameter, NoData
from tapebook.strategy.figures import MARK
from tapebook.strategy.memory import Memory, remembering
from tapebook.strategy.rules import Rules, divided

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from tapebook.data.panel import Bars
    from tapebook.strategy.backtest import Backtest
    from tapebook.strategy.declare import Strategy

Settings = dict[str, Any]
Report = Callable[[int, int, str], None]
CHUNK = 200
"""Combinations that are handed out together."""


@dataclass(frozen=True, eq=False, repr=False)
class Sweep:
    """What came of a sweep. `table`: one row a combination (and symbol, when each is traded alone).

    Its first columns are the settings that varied (`varied`), then "symbol" where each is alone, then
    the figures, as a backtest computes them. `refused`: combinations that the strategy itself refused.
    `complete` is False when it was stopped; what was done is there, and `resume=` goes on from it.
    """

    strategy: Strategy
    bars: Bars
    rules: Rules
    fixed: Settings
    varied: tuple[str, ...]
    table: pd.DataFrame
    asked: int
    refused: int
    alone: bool
    seconds: float
    complete: bool

    @property
    def same_close(self) -> bool:
        """Whether any combination fills at the close that decided it: not tradable as shown."""
        return "same_close" in (self.rules.execution, self.fixed.get("execution")) or (
            "execution" in self.varied and bool((self.table["execution"] == "same_close").any())
        )

    @property
    def warning(self) -> str:
        """What every output must carry; empty if there is nothing to warn of."""
        if not self.same_close:
            return ""
        return f"execution=same_close is {MARK}" if "execution" in self.varied else MARK

    def best(self, metric: str = "sharpe") -> Settings:
        """Return the settings with the highest mean of `metric` over the symbols; luck is not taken out."""
        ranked = self.ranked(metric)
        if ranked.empty or ranked[metric].isna().all():
            raise NoData(f"no combination has a {metric}: none of them traded")
        return {name: _plain(ranked[name].iloc[0]) for name in self.varied}

    def ranked(self, metric: str = "sharpe") -> pd.DataFrame:
        """Return the combinations by `metric`, highest first; symbols that were alone are averaged."""
        if metric not in self.table or metric in (*self.varied, "symbol"):
            figures = [str(name) for name in self.table if name not in (*self.varied, "symbol")]
            raise BadParameter("metric", metric, "one of " + ", ".join(figures))
        table = self.table.drop(columns="symbol") if self.alone else self.table
        grouped = table.groupby(list(self.varied), sort=False, dropna=False).mean().reset_index()
        return grouped.sort_values(metric, ascending=False, kind="stable", na_position="last").reset_index(
            drop=True
        )

    def backtest(self, settings: Mapping[str, Any] | None = None, *, metric: str = "sharpe") -> Backtest:
        """Run one combination as a full backtest; the best by `metric` unless settings are given."""
        from tapebook.strategy.backtest import run_backtest

        chosen = self.fixed | dict(self.best(metric) if settings is None else settings)
        params, ruled = divided(self.strategy.name, self.strategy.parameters, chosen)
        rules = self.rules.changed(**ruled, **({"shared_cash": False} if self.alone else {}))
        return run_backtest(self.strategy, self.bars, params=params, rules=rules)

    def robustness(self, metric: str = "sharpe") -> pd.DataFrame:
        """How the neighbours of each combination do, best first: plateau or spike.

        A neighbour differs by one step in one setting. Columns: the settings, `metric`, neighbours
        (how many), mean and worst (of their `metric`), ratio (their mean over this one's).
        """
        from tapebook.strategy.robustness import robustness

        return robustness(self.ranked(metric), self.varied, metric)

    def heatmap(self, x: str | None = None, y: str | None = None, metric: str = "sharpe") -> go.Figure:
        """Draw `metric` over two settings; others are averaged over."""
        from tapebook.strategy.robustness import heatmap

        return heatmap(self.ranked(metric), self.varied, x, y, metric, warning=self.warning)

    def parallel(self, metric: str = "sharpe") -> go.Figure:
        """Draw every combination as a line across its settings, coloured by `metric`."""
        from tapebook.strategy.robustness import parallel

        return parallel(self.ranked(metric), self.varied, metric, warning=self.warning)

    def __repr__(self) -> str:
        from tapebook.strategy.sweep_words import lines

        return "\n".join(lines(self))

    def _repr_html_(self) -> str:
        from tapebook.strategy.sweep_words import page

        return page(self)


def sweep(
    strategy: Strategy,
    bars: Bars,
    settings: Mapping[str, Any],
    *,
    rules: Rules | None = None,
    where: Callable[..., bool] | None = None,
    sample: int | None = None,
    seed: int = 0,
    alone: bool | None = None,
    executor: Executor | None = None,
    resume: Sweep | None = None,
    progress: Report | None = None,
) -> Sweep:
    """Trade `strategy` under every combination of `settings`.

    Parameters
    ----------
    settings : mapping
        Parameters and rules by name; a list, range or array of values varies, anything else is fixed.
    where : function, optional
        Called with the varied settings by name; combinations for which it is false are left out.
    sample : int, optional
        Try only so many, drawn without replacement by `seed`.
    alone : bool, optional
        Trade each symbol with cash of its own (True), or all in one pot. By default as the rules say,
        alone where there is one symbol.
    executor : concurrent.futures.Executor, optional
        Where the work is done: threads of this process by default; a Dask client's executor will do.
    resume : Sweep, optional
        An earlier one that was stopped: what it has is taken over.

    Raises
    ------
    BadParameter, UnknownName
        Before anything runs, if a value is out of bounds or nothing varies.
    """
    begun, rules = time.perf_counter(), rules or Rules()
    values, fixed = _parted(strategy, settings)
    combinations = _drawn(_allowed(values, where), sample, seed)
    _checked(strategy, rules, values, fixed)
    if not len(bars) or not bars.symbols:
        raise NoData("there are no bars to trade: widen start and end, or name other symbols")
    if alone is None:
        alone = not rules.shared_cash or len(bars.symbols) == 1
    done = _taken_over(resume, tuple(values))
    todo = [c for c in combinations if tuple(c.values()) not in done]
    job = _Job(_reference(strategy), bars, rules, fixed, alone)
    rows, refused, complete = _run(job, todo, executor, progress or (lambda *_: None))
    table = _table(rows, tuple(values), alone, bars)
    if resume is not None and len(done):
        table = pd.concat([resume.table, table], ignore_index=True) if len(table) else resume.table
        refused += resume.refused
    seconds = time.perf_counter() - begun
    return Sweep(
        strategy,
        bars,
        rules,
        fixed,
        tuple(values),
        table,
        len(combinations),
        refused,
        alone,
        seconds,
        complete,
    )


# ---- what is tried


def _parted(strategy: Strategy, settings: Mapping[str, Any]) -> tuple[dict[str, list[Any]], Settings]:
    divided(strategy.name, strategy.parameters, settings)  # an unknown name is refused here
    values = {name: _values(v) for name, v in settings.items() if _varies(v)}
    for name, found in values.items():
        if not found:
            raise BadParameter(name, settings[name], "at least one value")
    if not values:
        raise BadParameter(
            "settings", dict(settings), "at least one with several values, such as fast=range(5, 50)"
        )
    return values, {name: v for name, v in settings.items() if not _varies(v)}


def _varies(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping))


def _values(value: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(_plain(v) for v in value))


def _plain(value: Any) -> Any:
    plain = value.item() if hasattr(value, "item") else value
    return None if isinstance(plain, float) and plain != plain else plain


def _allowed(values: Mapping[str, list[Any]], where: Callable[..., bool] | None) -> list[Settings]:
    every = (dict(zip(values, chosen, strict=True)) for chosen in product(*values.values()))
    found = [c for c in every if where is None or where(**c)]
    if not found:
        raise BadParameter("where", where, "a condition that at least one combination meets")
    return found


def _drawn(combinations: list[Settings], sample: int | None, seed: int) -> list[Settings]:
    if sample is None or sample >= len(combinations):
        return combinations
    if sample < 1:
        raise BadParameter("sample", sample, "at least 1 combination")
    rows = np.random.default_rng(seed).choice(len(combinations), sample, replace=False)
    return [combinations[i] for i in sorted(rows)]


def _checked(strategy: Strategy, rules: Rules, values: Mapping[str, list[Any]], fixed: Settings) -> None:
    """Refuse a value that its own declaration does not allow, before anything runs."""
    for name, found in values.items():
        for value in found:
            if name in strategy.parameters:
                strategy.parameters[name].check(value)
            else:
                rules.changed(**{name: value})
    params, ruled = divided(strategy.name, strategy.parameters, fixed)
    strategy.check(params)
    rules.changed(**ruled)


def _taken_over(resume: Sweep | None, varied: tuple[str, ...]) -> set[tuple[Any, ...]]:
    if resume is None or resume.table.empty:
        return set()
    if resume.varied != varied:
        raise BadParameter("resume", resume.varied, f"a sweep of the same settings: {', '.join(varied)}")
    return {tuple(_plain(v) for v in row) for row in resume.table[list(varied)].itertuples(index=False)}


# ---- the work


@dataclass(frozen=True)
class _Job:
    """What every chunk of work needs; it can be sent to another process."""

    strategy: Any
    bars: Bars
    rules: Rules
    fixed: Settings
    alone: bool


def _reference(strategy: Strategy) -> Any:
    """A strategy as another process can receive it: its name in the library, else its function."""
    from tapebook.strategy import registry
    from tapebook.strategy.compiled import Compiled

    if isinstance(strategy, Compiled):
        return strategy
    return strategy.name if strategy.name in registry.names() else strategy.function


def _run(
    job: _Job, todo: Sequence[Settings], executor: Executor | None, report: Report
) -> tuple[list[tuple[Settings, np.ndarray]], int, bool]:
    """Do all chunks, in order; stopped by Ctrl-C it keeps what is done."""
    chunks = [list(todo[i : i + CHUNK]) for i in range(0, len(todo), CHUNK)]
    memory = Memory() if executor is None else None
    pool = executor or ThreadPoolExecutor(os.cpu_count() or 1)
    rows: list[tuple[Settings, np.ndarray]] = []
    refused, done = 0, 0
    try:
        for answers in _in_order(pool, job, chunks, memory):
            done += len(answers)
            rows += [(c, a) for c, a in answers if a is not None]
            refused += sum(a is None for _, a in answers)
            report(done, len(todo), "combinations")
    except KeyboardInterrupt:
        return rows, refused, False
    finally:
        if executor is None:
            pool.shutdown(wait=False, cancel_futures=True)
    return rows, refused, True


def _in_order(
    pool: Executor, job: _Job, chunks: list[list[Settings]], memory: Memory | None
) -> Iterator[list[tuple[Settings, np.ndarray | None]]]:
    """Hand out a few chunks ahead, so that memory stays the same however many there are."""
    ahead = iter(chunks)
    running: list[Future[list[tuple[Settings, np.ndarray | None]]]] = []
    running += [pool.submit(work, job, chunk, memory) for chunk in islice(ahead, 2 * (os.cpu_count() or 1))]
    while running:
        yield running.pop(0).result()
        running += [pool.submit(work, job, chunk, memory) for chunk in islice(ahead, 1)]


def work(
    job: _Job, chunk: Sequence[Settings], memory: Memory | None
) -> list[tuple[Settings, np.ndarray | None]]:
    """Trade each combination of a chunk: its figures, (symbols, figures); None where it was refused."""
    from tapebook.strategy import registry
    from tapebook.strategy.compiled import Compiled
    from tapebook.strategy.sweep_work import figures_of, figures_of_all

    found = registry.get(job.strategy)
    with remembering(memory or Memory()):
        if isinstance(found, Compiled) and job.alone:
            return list(zip(chunk, figures_of_all(found, job.bars, job.rules, job.fixed, chunk), strict=True))
        return [(c, figures_of(found, job.bars, job.rules, job.fixed | c, alone=job.alone)) for c in chunk]


def _table(
    rows: list[tuple[Settings, np.ndarray]], varied: tuple[str, ...], alone: bool, bars: Bars
) -> pd.DataFrame:
    from tapebook.strategy.sweep_work import names

    each = len(bars.symbols) if alone else 1
    columns: dict[str, Any] = {
        n: np.repeat(np.array([c[n] for c, _ in rows], dtype=object), each) for n in varied
    }
    table = pd.DataFrame(columns).infer_objects()
    if alone:
        table["symbol"] = pd.Series(list(bars.symbols) * len(rows), dtype="str")
    figures = np.concatenate([a for _, a in rows]) if rows else np.empty((0, len(names())))
    return pd.concat([table, pd.DataFrame(figures, columns=list(names()))], axis=1)
