"""A backtest: what a strategy's decisions would have made of past bars, and all that says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tapebook.errors import BadInput, NoData, UnknownName
from tapebook.strategy.performance.figures import MARK, figures
from tapebook.strategy.performance.tables import order_frame, trade_frame
from tapebook.strategy.rules import Rules

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from vectorbt import Portfolio

    from tapebook.data.panel import Bars
    from tapebook.strategy.declare import Strategy
    from tapebook.strategy.luck.expectancy import Expectancy
    from tapebook.strategy.luck.luck import Luck
    from tapebook.strategy.luck.trials import Tried
    from tapebook.strategy.performance.metrics import Metrics
    from tapebook.strategy.simulation.simulate import Simulation


@dataclass(frozen=True, eq=False, repr=False)
class Backtest:
    """The result of trading one strategy on one set of bars. An immutable value.

    `equity`: money at each close, one row a bar; `equity_by_symbol` (T, N) when each symbol has its
    own cash. `positions`: units held at each close, (T, N). `orders`: one row a fill, with the bar
    that decided it. `trades`: one row from flat to flat of a symbol, with costs, MAE and MFE (worst
    and best price seen, as a fraction of the entry price). `close`: the bars' closes. `benchmark`:
    money at each close of what it is compared with. `universe`: the version of the
    universe that decided which bars were there ("@sp500@3"), and symbols beside it. Times are the bars'
    stamps, UTC.
    """

    strategy: str
    params: Mapping[str, Any]
    rules: Rules
    equity: pd.Series
    cash: pd.Series
    positions: pd.DataFrame
    close: pd.DataFrame
    orders: pd.DataFrame
    trades: pd.DataFrame
    benchmark: pd.Series | None
    metrics: Metrics
    start_cash: float
    periods_per_year: float
    freq: str
    adjust: str
    snapshot: int | None
    fingerprint: str
    code_hash: str
    equity_by_symbol: pd.DataFrame | None = None
    family: str = "own"
    universe: tuple[str, ...] = ()
    tried: Tried | None = None
    id: str | None = None
    created: str | None = None

    @property
    def symbols(self) -> tuple[str, ...]:
        """What was traded, in the order of the columns."""
        return tuple(self.positions.columns)

    @property
    def same_close(self) -> bool:
        """Whether fills happen at the close that decided them: not tradable as shown."""
        return self.rules.same_close

    @cached_property
    def returns(self) -> pd.Series:
        """Simple return of each bar, the first against the initial cash, shape (T,)."""
        before = self.equity.shift(fill_value=self.start_cash)
        return (self.equity / before - 1.0).rename("return")

    @cached_property
    def drawdown(self) -> pd.Series:
        """Loss from the highest equity so far, the initial cash included, at most 0, shape (T,)."""
        from tapebook.strategy.performance.metrics import drawdowns

        values = drawdowns(self.equity.to_numpy(), self.start_cash)
        return pd.Series(values, self.equity.index, name="drawdown")

    @cached_property
    def weights(self) -> pd.DataFrame:
        """Value of each position at the close as a fraction of all equity, shorts negative, (T, N)."""
        value = self.positions * self.close.ffill().fillna(0.0)
        return value.div(self.equity, axis=0)

    @cached_property
    def portfolio(self) -> Portfolio:
        """These very orders as a `vectorbt.Portfolio`, with its plots and `stats()`."""
        from tapebook.strategy.backtest.portfolio import portfolio

        return portfolio(self)

    def tearsheet(self, *, dark: bool = False) -> go.Figure:
        """Equity against the benchmark, drawdown, rolling Sharpe, months and trades in one figure."""
        from tapebook.strategy.backtest.tearsheet import tearsheet

        return tearsheet(self, dark=dark)

    def expectancy(self, **options: Any) -> Expectancy:
        """What a trade and a bar make, with the interval of each: `tapebook.strategy.luck.expectancy`."""
        from tapebook.strategy.luck.expectancy import expectancy

        return expectancy(self, **options)

    def luck(self, *, trials: int | None = None) -> Luck:
        """Verdict, reasons and odds given all that was tried before (or so many independent `trials`)."""
        from tapebook.strategy.luck.luck import luck

        return self._luck if trials is None else luck(self, trials=trials)

    @cached_property
    def _luck(self) -> Luck:
        from tapebook.strategy.luck.luck import luck

        return luck(self)

    def named(self, id: str, created: str) -> Backtest:
        """Return the same result under an id, with the time at which it was made."""
        return replace(self, id=id, created=created)

    def record(self) -> dict[str, Any]:
        """What the catalogue keeps of it: plain values by name."""
        from tapebook.strategy.backtest.store import record

        return record(self)

    def write(self, folder: Path) -> None:
        """Write everything to `folder` (made here): Parquet tables and record.json."""
        from tapebook.strategy.backtest.store import write

        write(self, folder)

    @classmethod
    def read(cls, folder: Path) -> Backtest:
        """Read what `write` wrote, equal in every value."""
        from tapebook.strategy.backtest.store import read

        return read(folder)

    def __repr__(self) -> str:
        from tapebook.strategy.performance.tables import describe

        return describe(self)

    def _repr_html_(self) -> str:
        from tapebook.strategy.performance.tables import describe_html

        return describe_html(self)


def run_backtest(
    strategy: Strategy | Callable[..., Any],
    bars: Bars,
    *,
    params: Mapping[str, Any] | None = None,
    rules: Rules | None = None,
    benchmark: pd.Series | str | None = None,
) -> Backtest:
    """Trade what `strategy(bars, **params)` decides.

    Parameters
    ----------
    benchmark : Series or str, optional
        Closes indexed by time, or the name of a symbol among `bars`. By default equal parts of the
        bars' own symbols, bought at the first close each has and held, without costs.

    Raises
    ------
    NoData
        If there are no bars.
    """
    from tapebook.strategy.registry import get
    from tapebook.strategy.simulation.simulate import simulate

    found, rules = get(strategy), rules or Rules()
    if not len(bars) or not bars.symbols:
        raise NoData("there are no bars to trade: widen start and end, or name other symbols")
    year = bars.periods_per_year
    full = found.check(dict(params or {}))
    decision = found(bars, **full)
    rules = _resolved(rules, decision)
    done = simulate(bars, decision, rules, periods_per_year=year)
    return assembled(found, full, rules, bars, done, compared(benchmark, bars, done.start_cash), year)


def _resolved(rules: Rules, decision: Any) -> Rules:
    """Write down the direction that was meant, so that the record says it."""
    from tapebook.strategy.simulation.simulate import direction

    return rules.changed(direction=direction(decision, rules))


def assembled(
    found: Strategy,
    params: dict[str, Any],
    rules: Rules,
    bars: Bars,
    done: Simulation,
    benchmark: pd.Series | None,
    year: float,
) -> Backtest:
    """Put what happened, its figures and its origin together."""
    equity = done.equity if done.accounts == 1 else done.equity.sum(axis=1)
    cash = done.cash if done.accounts == 1 else done.cash.sum(axis=1)
    orders, trades = order_frame(done.orders, bars), trade_frame(done.trades, bars)
    measured = figures(
        equity,
        done.start_cash,
        year,
        invested=(done.positions != 0.0).any(axis=1),
        orders=orders,
        trades=trades,
        benchmark=None if benchmark is None else benchmark.to_numpy(),
        benchmark_name="" if benchmark is None else str(benchmark.name),
        same_close=rules.same_close,
    )
    columns = pd.Index(bars.symbols, name="symbol")
    return Backtest(
        strategy=found.name,
        params=params,
        rules=rules,
        equity=pd.Series(equity, bars.index, name="equity"),
        cash=pd.Series(cash, bars.index, name="cash"),
        positions=pd.DataFrame(done.positions, bars.index, columns),
        close=pd.DataFrame(bars.values["close"], bars.index, columns),
        orders=orders,
        trades=trades,
        benchmark=benchmark,
        metrics=measured,
        start_cash=done.start_cash,
        periods_per_year=year,
        freq=str(bars.freq),
        adjust=str(bars.adjust or "none"),
        snapshot=bars.snapshot,
        fingerprint=bars.fingerprint(),
        code_hash=found.source_hash,
        family=found.family,
        universe=bars.universe,
        equity_by_symbol=None if done.accounts == 1 else pd.DataFrame(done.equity, bars.index, columns),
    )


def compared(benchmark: pd.Series | str | None, bars: Bars, cash: float) -> pd.Series | None:
    """Money at each close of the benchmark, starting with the same cash."""
    if benchmark is None:
        closes, name = bars.close, "buy and hold"
        name = f"{name}, equal parts" if len(bars.symbols) > 1 else f"{bars.symbols[0]}, {name}"
    elif isinstance(benchmark, str):
        if benchmark not in bars.symbols:
            raise UnknownName("benchmark", benchmark, bars.symbols, "Or give its closes as a Series.")
        closes, name = bars.close[[benchmark]], benchmark
    else:
        closes, name = _aligned(benchmark, bars), str(benchmark.name or "benchmark")
    known = closes.ffill().to_numpy(dtype=float)
    first = np.array(
        [column[~np.isnan(column)][0] if (~np.isnan(column)).any() else np.nan for column in known.T]
    )
    with np.errstate(invalid="ignore"):
        growth = np.where(np.isnan(known), 1.0, known / first)
    return pd.Series(cash * growth.mean(axis=1), bars.index, name=name)


def _aligned(benchmark: pd.Series, bars: Bars) -> pd.DataFrame:
    if not isinstance(benchmark, pd.Series):
        raise BadInput(f"benchmark is a {type(benchmark).__name__}: expected a symbol or a Series of closes")
    aligned = bars.align(benchmark, freq=bars.freq if benchmark.index.name == "ts" else None)
    if aligned.isna().all():
        raise NoData(f"the benchmark {benchmark.name!r} has no value known before {bars.end}")
    return aligned.to_frame()


__all__ = ["MARK", "Backtest", "run_backtest"]
