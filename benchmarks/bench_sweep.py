"""4,851 dual moving averages on 2,520 bars, warm: tapebook's sweep against plain vectorbt, same figures."""

import os
import sys
import time
from itertools import combinations

import numpy as np
import pandas as pd

from tapebook.data.panel import Bars
from tapebook.strategy import registry, strategy
from tapebook.strategy.compiled import ENTER, LEAVE, compiled
from tapebook.strategy.rules import Rules
from tapebook.strategy.sweep import sweep

COSTS = {"fees": 0.001, "slippage": 0.0005}


def market() -> Bars:
    steps = np.random.default_rng(0).normal(0.0003, 0.015, 2_520)
    days = pd.bdate_range("2010-01-04", periods=2_520, tz="UTC")
    close = pd.DataFrame({"A": 100 * np.exp(np.cumsum(steps))}, days)
    start = close.shift().fillna(100.0)
    return Bars.from_frames(open=start, high=close * 1.01, low=close * 0.99, close=close, calendars="XNYS")


@strategy
def plain_numpy(bars: Bars, *, fast: int = 10, slow: int = 50):  # type: ignore[no-untyped-def]
    """Written in numpy, without an indicator that is remembered."""
    sums = np.concatenate([[0.0], np.cumsum(bars.values["close"][:, 0])])
    gap = np.full(len(bars), np.nan)
    gap[slow - 1 :] = (sums[slow:] - sums[:-slow]) / slow
    gap[slow - 1 :] = (sums[slow:] - sums[slow - fast : -fast]) / fast - gap[slow - 1 :]
    up = np.zeros((len(bars), 1), bool)
    down = up.copy()
    up[1:, 0] = (gap[1:] > 0) & (gap[:-1] <= 0)
    down[1:, 0] = (gap[1:] < 0) & (gap[:-1] >= 0)
    return up, down


@compiled(fast=10, slow=50)
def in_numba(open, high, low, close, volume, p, flags):  # type: ignore[no-untyped-def]  # noqa: ARG001
    """Written for numba."""
    fast, slow = int(p[0]), int(p[1])
    one, other, before = 0.0, 0.0, np.nan
    for t in range(close.shape[0]):
        one += close[t] - (close[t - fast] if t >= fast else 0.0)
        other += close[t] - (close[t - slow] if t >= slow else 0.0)
        if t >= slow - 1:
            gap = one / fast - other / slow
            if gap > 0 and before <= 0:
                flags[t] = ENTER
            elif gap < 0 and before >= 0:
                flags[t] = LEAVE
            before = gap


def ours(found, bars: Bars) -> tuple[float, pd.DataFrame]:  # type: ignore[no-untyped-def]
    start, settings = time.perf_counter(), {"fast": range(2, 100), "slow": range(3, 101)}
    done = sweep(found, bars, settings, where=lambda fast, slow: fast < slow, rules=Rules(**COSTS))
    return time.perf_counter() - start, done.table


def plain(bars: Bars) -> tuple[float, pd.DataFrame]:
    import vectorbt as vbt

    close, price = bars.close["A"], bars.open["A"]
    start = time.perf_counter()
    fast, slow = vbt.MA.run_combs(close, window=np.arange(2, 101), r=2, short_names=["fast", "slow"])
    entries = fast.ma_crossed_above(slow).shift(1, fill_value=False)
    exits = fast.ma_crossed_below(slow).shift(1, fill_value=False)
    pf = vbt.Portfolio.from_signals(close, entries, exits, price=price, init_cash=100_000, freq="1D", **COSTS)
    closed = pf.trades.closed
    figures = {
        "total_return": pf.total_return(),
        "sharpe": pf.sharpe_ratio(year_freq="252 days"),
        "max_drawdown": pf.max_drawdown(),
        "trades": closed.count(),
        "win_rate": closed.win_rate(),
        "expectancy": closed.expectancy(),
    }
    pairs = pd.MultiIndex.from_tuples(list(combinations(range(2, 101), 2)), names=["fast", "slow"])
    table = pd.DataFrame({name: values.to_numpy() for name, values in figures.items()}, pairs)
    return time.perf_counter() - start, table


def main() -> None:
    bars = market()
    library = registry.get("sma_cross")
    for found in (library, plain_numpy, in_numba):
        ours(found, bars.between(end=bars.index[200]))  # loads and compiles
    plain(bars)
    peer, theirs = min((plain(bars) for _ in range(3)), key=lambda done: done[0])
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}; seconds, warm, {len(theirs):,} settings")
    print(f"  plain vectorbt, 6 figures           {peer:7.2f}")
    kinds = {"library strategy (pandas)": library, "the same in numpy": plain_numpy, "compiled": in_numba}
    for name, found in kinds.items():
        taken, table = min((ours(found, bars) for _ in range(3)), key=lambda done: done[0])
        mine = table.set_index(["fast", "slow"]).loc[theirs.index]
        worst = np.nanmax(np.abs(mine["total_return"] / theirs["total_return"] - 1))
        same = f"total returns within {worst:.0e}"
        times = f"{taken:7.2f}   {peer / taken:5.1f} × faster"
        print(f"  tapebook, {name:26}{times}, 23 figures, {same}")


if __name__ == "__main__":
    main()
