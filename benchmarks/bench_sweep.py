"""4,851 dual moving averages on 2,520 bars, warm: tapebook's sweep against plain vectorbt, same results.

The peer's time is taken twice: with the six figures that one looks at first, and with all that it has
of tapebook's 23. Ours always has all. `python benchmarks/bench_sweep.py fresh` measures new processes.
"""

import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations

import numpy as np
import pandas as pd

from bench_sweep_market import COSTS, YEAR, in_numba, machine, market, mixed, timed
from tapebook.data.panel import Bars
from tapebook.strategy import registry, strategy
from tapebook.strategy.rules import Rules
from tapebook.strategy.sweep.sweep import sweep

WINDOWS = range(2, 101)
SETTINGS = {"fast": WINDOWS, "slow": WINDOWS}


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


def ours(found, bars: Bars, threads: int = 1, symbols: int = 1) -> pd.DataFrame:  # type: ignore[no-untyped-def]
    with ThreadPoolExecutor(threads) as pool:
        rules = Rules(**COSTS, shared_cash=symbols == 1)
        return sweep(
            found, bars, SETTINGS, where=lambda fast, slow: fast < slow, rules=rules, executor=pool
        ).table


def plain(bars: Bars, every: bool = True) -> pd.DataFrame:
    """vectorbt as its users write it, over all columns at once."""
    import vectorbt as vbt

    close, price = bars.close["A"], bars.open["A"]
    fast, slow = vbt.MA.run_combs(close, window=np.array(WINDOWS), r=2, short_names=["fast", "slow"])
    entries = fast.ma_crossed_above(slow).shift(1, fill_value=False)
    exits = fast.ma_crossed_below(slow).shift(1, fill_value=False)
    pf = vbt.Portfolio.from_signals(close, entries, exits, price=price, init_cash=100_000, freq="1D", **COSTS)
    found = figures(pf) if every else six(pf)
    pairs = pd.MultiIndex.from_tuples(list(combinations(WINDOWS, 2)), names=["fast", "slow"])
    return pd.DataFrame({name: values.to_numpy() for name, values in found.items()}, pairs)


def six(pf) -> dict[str, pd.Series]:  # type: ignore[no-untyped-def]
    """What one looks at first."""
    closed = pf.trades.closed
    return {
        "total_return": pf.total_return(),
        "sharpe": pf.sharpe_ratio(year_freq=YEAR),
        "max_drawdown": pf.max_drawdown(),
        "trades": closed.count(),
        "win_rate": closed.win_rate(),
        "expectancy": closed.expectancy(),
    }


def figures(pf) -> dict[str, pd.Series]:  # type: ignore[no-untyped-def]
    """All that vectorbt has of tapebook's figures, each over all columns at once, nothing computed twice."""
    closed, returns = pf.trades.closed, pf.returns_acc(year_freq=YEAR)
    total, drawdown, shares = returns.total(), returns.max_drawdown(), closed.returns
    growth, bars = returns.annualized(), closed.duration
    return {
        "total_return": total,
        "annual_return": growth,
        "annual_volatility": returns.annualized_volatility(),
        "sharpe": returns.sharpe_ratio(),
        "sortino": returns.sortino_ratio(),
        "calmar": returns.calmar_ratio(),
        "max_drawdown": drawdown,
        "orders": pf.orders.count(),
        "fees_paid": pf.orders.fees.sum(),
        "trades": closed.count(),
        "open_trades": pf.trades.open.count(),
        "win_rate": closed.win_rate(),
        "payoff": closed.winning.pnl.mean() / -closed.losing.pnl.mean(),
        "profit_factor": closed.profit_factor(),
        "expectancy": closed.expectancy(),
        "expectancy_share": shares.mean(),
        "best_trade": shares.max(),
        "worst_trade": shares.min(),
        "average_bars": bars.mean(),
    }


LOOSE = ("total_return", "sharpe", "max_drawdown", "trades", "win_rate", "expectancy")
"""Figures that both define alike, to be equal to 1e-9."""


def worst(mine: pd.DataFrame, theirs: pd.DataFrame) -> tuple[str, float]:
    """The figure that differs most, and by how much."""
    mine = mine.set_index(["fast", "slow"]).loc[theirs.index]
    gaps = {}
    for name in theirs:
        if name in LOOSE:
            one, other = mine[name].to_numpy(float), theirs[name].to_numpy(float)
            gaps[name] = float(np.nanmax(np.abs(one - other) / np.maximum(np.abs(other), 1.0)))
    name = max(gaps, key=gaps.__getitem__)
    return name, gaps[name]


def warm() -> None:
    bars = market()
    library = registry.get("sma_cross")
    for found in (library, plain_numpy, in_numba):
        ours(found, bars.between(end=bars.index[200]))  # loads and compiles
    plain(bars)
    few, theirs_few = timed(lambda: plain(bars, every=False), 3)
    peer, theirs = timed(lambda: plain(bars), 3)
    print(f"{machine()}; warm, {len(theirs):,} combinations × {len(bars):,} bars, one thread unless said")
    print("| what | wall s | CPU s | vs peer, 6 figures | vs peer, all figures |\n|---|---:|---:|---:|---:|")
    print(f"| vectorbt, 6 figures | {few.wall:.2f} | {few.cpu:.2f} | | |")
    print(f"| vectorbt, {theirs.shape[1]} figures | {peer.wall:.2f} | {peer.cpu:.2f} | | |")
    kinds = {
        "library strategy (pandas)": (library, 1), "ordinary numpy": (plain_numpy, 1),
        "compiled": (in_numba, 1), "compiled, two threads": (in_numba, 2),
    }  # fmt: skip
    for name, (found, threads) in kinds.items():
        taken, table = timed(lambda: ours(found, bars, threads), 7)  # noqa: B023
        ratios = f"{few.wall / taken.wall:.0f} × | {peer.wall / taken.wall:.0f} ×"
        print(f"| tapebook, {name}, 23 figures | {taken.wall:.3f} | {taken.cpu:.3f} | {ratios} |")
        figure, gap = worst(table, theirs)
        assert gap < 1e-9, (figure, gap)
    print(f"largest difference of {', '.join(LOOSE)}: {gap:.0e} ({figure})")
    wide = mixed(20)
    one, two = (timed(lambda: ours(in_numba, wide, n, 20), 3)[0] for n in (1, 2))  # noqa: B023
    print(f"20 symbols: one thread {one.wall:.2f} s, two {two.wall:.2f} s: {one.wall / two.wall:.2f} ×")


def fresh() -> None:
    """From nothing to the table, everything that can be cached on disk is: CPU of a new process."""
    taken = {}
    for kind in ("ours", "numpy", "plain", "six"):
        runs = []
        for _ in range(3):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, __file__, "child", kind], check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            runs.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        taken[kind] = min(runs)
    print(f"{machine()}; new process, import to table, user + system CPU seconds")
    for kind, seconds in taken.items():
        print(
            f"  {kind:6}{seconds:6.2f}   {taken['plain'] / seconds:5.1f} ×, {taken['six'] / seconds:5.1f} ×"
        )


def child(kind: str) -> None:
    bars = market()
    if kind in ("plain", "six"):
        plain(bars, every=kind == "plain")
    else:
        ours(plain_numpy if kind == "numpy" else in_numba, bars)


if __name__ == "__main__":
    if sys.argv[1:2] == ["child"]:
        child(sys.argv[2])
    elif sys.argv[1:] == ["fresh"]:
        fresh()
    else:
        warm()
