"""Stops, shorts and sizes: 4,851 dual moving averages on 2,520 bars, compiled, against plain vectorbt.

With stops and both sides the two mean different things: vectorbt checks stops from the bar after the
entry (tapebook on the entry bar too), and has no reversal for sizes in percent: there it only closes. So
their times are compared, and equality is checked where they agree: without stops, on the long side.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd

from bench_sweep import SETTINGS, WINDOWS, figures
from bench_sweep_market import COSTS, in_numba, machine, market, timed
from tapebook.data.panel import Bars
from tapebook.strategy.rules import Rules
from tapebook.strategy.sweep.sweep import sweep

STOPS = {"stop_loss": 0.05, "take_profit": 0.10}


def ours(bars: Bars, threads: int = 1, **rules: object) -> pd.DataFrame:
    with ThreadPoolExecutor(threads) as pool:
        made = Rules(**COSTS, size=0.5, **rules)  # type: ignore[arg-type]
        return sweep(
            in_numba, bars, SETTINGS, where=lambda fast, slow: fast < slow, rules=made, executor=pool
        ).table


def theirs(bars: Bars, *, stops: bool) -> pd.DataFrame:
    import vectorbt as vbt

    close = bars.close["A"]
    fast, slow = vbt.MA.run_combs(close, window=np.array(WINDOWS), r=2, short_names=["fast", "slow"])
    up = fast.ma_crossed_above(slow).shift(1, fill_value=False)
    down = fast.ma_crossed_below(slow).shift(1, fill_value=False)
    if stops:
        more = {
            "short_entries": down, "open": bars.open["A"], "high": bars.high["A"], "low": bars.low["A"],
            "sl_stop": STOPS["stop_loss"], "tp_stop": STOPS["take_profit"], "upon_opposite_entry": "close",
        }  # fmt: skip
    else:
        more = {"exits": down}
    pf = vbt.Portfolio.from_signals(
        close, up, price=bars.open["A"], init_cash=100_000, freq="1D", size=0.5, size_type="percent",
        **more, **COSTS,
    )  # fmt: skip
    return pd.DataFrame({name: values.to_numpy() for name, values in figures(pf).items()})


def main() -> None:
    bars = market()
    ours(bars.between(end=bars.index[200]))
    theirs(bars, stops=True)
    peer, other = timed(lambda: theirs(bars, stops=True), 3)
    print(f"{machine()}; warm, 4,851 combinations, both sides, half of the equity, stop 5 %, target 10 %")
    print(f"| vectorbt, {other.shape[1]} figures | {peer.wall:.2f} s | |")
    for threads in (1, 2):
        taken, table = timed(lambda: ours(bars, threads, direction="both", **STOPS), 7)  # noqa: B023
        print(f"| tapebook, {threads} thread(s) | {taken.wall:.3f} s | {peer.wall / taken.wall:.0f} × |")
    print(f"mean trades a combination: {table['trades'].mean():.1f}, vectorbt {other['trades'].mean():.1f}")
    mine, other = ours(bars), theirs(bars, stops=False)
    gap = (mine["total_return"].to_numpy() - other["total_return"].to_numpy()).__abs__().max()
    print(f"without stops, long: total returns within {gap:.0e}")


if __name__ == "__main__":
    main()
