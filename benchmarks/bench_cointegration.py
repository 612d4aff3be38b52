"""What the cointegration scan finds in planted pairs and in independent random walks, and how long it takes.

python benchmarks/bench_cointegration.py              # 200 markets of each kind, a few minutes
python benchmarks/bench_cointegration.py --seeds 20   # faster, rougher
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from time import perf_counter

import numpy as np
import pandas as pd

from tapebook.data.panel import Bars
from tapebook.data.synthetic import cointegrated, random_walk
from tapebook.market.cointegration.cointegration import cointegration


def remembering(seed: int, symbols: int, bars: int) -> Bars:
    """Returns that are an AR(1) of 0.2."""
    steps = np.random.default_rng(seed).standard_normal((bars, symbols)) * 0.0126
    for t in range(1, bars):
        steps[t] += 0.2 * steps[t - 1]
    index = pd.bdate_range("2001-01-01", periods=bars)
    names = [f"S{n}" for n in range(symbols)]
    return Bars.from_frames(close=pd.DataFrame(100.0 * np.exp(steps.cumsum(axis=0)), index, names))


NULLS: dict[str, Callable[[int, int, int], Bars]] = {
    "normal": lambda seed, n, T: random_walk(symbols=n, bars=T, seed=seed).bars,
    "Student t(4)": lambda seed, n, T: random_walk(symbols=n, bars=T, seed=seed, tails=4).bars,
    "GARCH(0.1, 0.85)": lambda seed, n, T: random_walk(symbols=n, bars=T, seed=seed, garch=(0.1, 0.85)).bars,
    "AR(0.2)": remembering,
    "correlated 0.5": lambda seed, n, T: random_walk(symbols=n, bars=T, seed=seed, correlation=0.5).bars,
}


def nulls(seeds: int, symbols: int, bars: int) -> None:
    """Print the share of markets without a bond in which the scan finds any."""
    print(f"\nmarkets of {symbols} independent symbols, {bars:,} bars, level 5 %, {seeds} markets each")
    for name, make in NULLS.items():
        held, single = [], []
        for seed in range(seeds):
            told = cointegration(make(seed, symbols, bars))
            held.append(len(told.found) > 0)
            single.append((told.findings["p"] < 0.05).mean())
        print(f"  {name:18} any finding {np.mean(held):5.1%}; single pairs below 5 % {np.mean(single):5.1%}")


def recall(seeds: int) -> None:
    """Print how many planted pairs are found, what else is, and how true hedge and half-life are."""
    print(f"\n5 pairs planted beside 20 others, 2,520 bars, {seeds} markets each")
    ratios = (0.5, 0.8, 1.0, 1.2, 1.5)
    for half in (5, 10, 20, 40):
        got, false, inside, ratio = [], [], [], []
        for seed in range(seeds):
            made = cointegrated(pairs=5, bars=2520, seed=seed, hedge=ratios, half_life=half, others=20)
            planted = {frozenset((row.y, row.x)): row for row in made.truth.pairs.itertuples()}
            found = cointegration(made.bars).found
            told = {frozenset((row.a, row.b)): row for row in found.itertuples()}
            got.append(len(planted.keys() & told.keys()) / len(planted))
            false.append(len(told.keys() - planted.keys()) / max(len(told), 1))
            for key in planted.keys() & told.keys():
                row, truth = told[key], planted[key]
                hedge = truth.hedge if row.a == truth.y else 1.0 / truth.hedge
                inside.append(row.hedge_low <= hedge <= row.hedge_high)
                ratio.append(row.half_life / half)
        print(
            f"  half-life {half:2}: recall {np.mean(got):6.1%}, false {np.mean(false):5.1%}, hedge inside "
            f"{np.mean(inside):5.1%}, half-life told / true {np.median(ratio):.2f}"
        )


def speed() -> None:
    """Print how long all pairs take beside statsmodels' test in a loop."""
    from statsmodels.tsa.stattools import coint

    bars = random_walk(symbols=100, bars=2520, seed=1).bars
    cointegration(bars)  # compiled
    start = perf_counter()
    cointegration(bars)
    ours, logs = perf_counter() - start, np.log(bars.close.to_numpy())
    start = perf_counter()
    for n in range(10):
        coint(logs[:, n], logs[:, n + 1])
    theirs = (perf_counter() - start) / 10 * 9_900
    print(
        f"\n4,950 pairs of 2,520 bars, both ways: {ours:.1f} s; statsmodels in a loop: about {theirs:,.0f} s"
    )


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--symbols", type=int, default=20)
    seeds, symbols = parser.parse_args().seeds, parser.parse_args().symbols
    speed()
    recall(max(seeds // 4, 5))
    nulls(seeds, symbols, 1260)


if __name__ == "__main__":
    main()
