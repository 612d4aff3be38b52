"""A portfolio of 100 symbols under 504 combinations of lookback × number held, against plain vectorbt.

Every 21 bars the symbols that rose most are held in equal parts, with one pot of money. Both decide
with the same numpy function. The peer runs 42 combinations at a time: all at once are gigabytes. Equality
is checked without costs: with them, openings that the money does not cover are scaled alike here, and
filled one after the other there.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd

from bench_sweep import figures
from bench_sweep_market import COSTS, machine, mixed, timed
from tapebook.data.panel import Bars
from tapebook.strategy import strategy
from tapebook.strategy.rules import Rules
from tapebook.strategy.sweep.sweep import sweep

SETTINGS = {"lookback": range(20, 260, 10), "top": range(5, 26)}
AT_ONCE = 42
ALIKE = ("total_return", "sharpe", "max_drawdown", "orders")
"""Figures that both define alike; a trade is from flat to flat here, each sale there."""


@strategy
def rotation(bars: Bars, *, lookback: int = 100, top: int = 10):  # type: ignore[no-untyped-def]
    """Hold the `top` symbols by return over `lookback` bars, in equal parts."""
    return weights_of(bars.values["close"], lookback, top)


def weights_of(close: np.ndarray, lookback: int, top: int) -> np.ndarray:
    weights = np.full(close.shape, np.nan)
    rows = np.arange(260, len(close), 21)
    rank = (-close[rows] / close[rows - lookback]).argsort(axis=1).argsort(axis=1)
    weights[rows] = (rank < top) / top
    return weights


def ours(bars: Bars, threads: int = 1) -> pd.DataFrame:
    with ThreadPoolExecutor(threads) as pool:
        return sweep(rotation, bars, SETTINGS, rules=Rules(**COSTS), executor=pool).table


def theirs(bars: Bars) -> pd.DataFrame:
    import vectorbt as vbt

    close, price = bars.close, bars.open
    pairs = [(a, b) for a in SETTINGS["lookback"] for b in SETTINGS["top"]]
    tables = []
    for i in range(0, len(pairs), AT_ONCE):
        chunk = pairs[i : i + AT_ONCE]
        sizes = np.concatenate([weights_of(close.to_numpy(), *pair) for pair in chunk], axis=1)
        sizes = np.vstack([np.full((1, sizes.shape[1]), np.nan), sizes[:-1]])  # decided a bar earlier
        names = pd.MultiIndex.from_tuples([(*p, s) for p in chunk for s in close], names=["a", "b", "s"])
        pf = vbt.Portfolio.from_orders(
            pd.DataFrame(np.tile(close.to_numpy(), len(chunk)), close.index, names),
            pd.DataFrame(sizes, close.index, names), price=np.tile(price.to_numpy(), len(chunk)),
            size_type="targetpercent", cash_sharing=True, group_by=["a", "b"], call_seq="auto",
            init_cash=100_000, freq="1D", val_price=np.tile(price.to_numpy(), len(chunk)), **COSTS,
        )  # fmt: skip
        tables.append(pd.DataFrame({name: values.to_numpy() for name, values in figures(pf).items()}))
    return pd.concat(tables, ignore_index=True)


def main() -> None:
    bars = mixed(100)
    ours(bars.between(end=bars.index[300]))
    peer, other = timed(lambda: theirs(bars), 1)
    print(f"{machine()}; warm, 100 symbols × {len(bars):,} bars, {len(other)} combinations")
    print(f"| vectorbt, {other.shape[1]} figures | {peer.wall:.2f} s | |")
    for threads in (1, 2):
        taken, table = timed(lambda: ours(bars, threads), 3)  # noqa: B023
        print(f"| tapebook, {threads} thread(s) | {taken.wall:.3f} s | {peer.wall / taken.wall:.0f} × |")
    COSTS.update(fees=0.0, slippage=0.0)
    SETTINGS.update(lookback=range(20, 260, 120), top=range(5, 26, 10))
    mine, other = ours(bars), theirs(bars)
    gap = max(np.abs(mine[name] / other[name] - 1).max() for name in ALIKE)
    print(f"without costs: {', '.join(ALIKE)} within {gap:.0e}")


if __name__ == "__main__":
    main()
