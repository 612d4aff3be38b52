"""What the correlation scan finds in markets made for it, in noise, and how long it takes.

    python benchmarks/bench_correlations.py              # truth and speed, about ten minutes
    python benchmarks/bench_correlations.py --seeds 20   # faster, rougher
    python benchmarks/bench_correlations.py --only speed

Truth: 5 leaders planted among 200 noise series of 2,520 bars, asked at every lag −10 … 10 at a
false-discovery rate of 10 %; markets with nothing planted, asked at 5 %. Speed: each beside its peer in the
same run, the best of three.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from time import perf_counter

import numpy as np
import pandas as pd

from tapebook.data.panel import Bars
from tapebook.data.synthetic import lead_lag, random_walk
from tapebook.market.correlation.correlations import correlations
from tapebook.market.correlation.null import permuted
from tapebook.market.correlation.products import correlation_matrix, products, standardised
from tapebook.market.correlation.rolling import rolling
from tapebook.market.correlation.search import every_lag, joined, kept, robust

BARS, NOISE, LAGS = 2520, 200, 10


def panel(moved: np.ndarray) -> Bars:
    """Bars of log returns (T, N)."""
    index = pd.bdate_range("2001-01-01", periods=len(moved))
    names = [f"S{n}" for n in range(moved.shape[1])]
    return Bars.from_frames(close=pd.DataFrame(100.0 * np.exp(moved.cumsum(axis=0)), index, names))


def remembering(seed: int, symbols: int) -> Bars:
    """Returns that are an AR(1) of 0.2."""
    steps = np.random.default_rng(seed).standard_normal((BARS, symbols)) * 0.0126
    for t in range(1, BARS):
        steps[t] += 0.2 * steps[t - 1]
    return panel(steps)


def storms(seed: int, symbols: int) -> Bars:
    """Uncorrelated returns whose volatility rises in all symbols at once."""
    rng = np.random.default_rng(seed)
    h = np.zeros(BARS)
    for t in range(1, BARS):
        h[t] = 0.97 * h[t - 1] + 0.2 * rng.standard_normal()
    return panel(0.01 * np.exp(h)[:, None] * rng.standard_normal((BARS, symbols)))


NULLS: dict[str, Callable[[int, int], Bars]] = {
    "normal": lambda seed, n: random_walk(symbols=n, seed=seed).bars,
    "Student t(3)": lambda seed, n: random_walk(symbols=n, seed=seed, tails=3).bars,
    "GARCH(0.1, 0.85)": lambda seed, n: random_walk(symbols=n, seed=seed, garch=(0.1, 0.85)).bars,
    "AR(0.2)": remembering,
    "volatility in common": storms,
}


def truth(seeds: int) -> None:
    """Print recall and realised false discoveries of planted leaders, and markets of noise with a finding."""
    print(f"\nleaders planted in {NOISE} noise series, lags −{LAGS} … {LAGS}, level 10 %, {seeds} markets")
    for strength in (0.15, 0.3):
        recall, false = [], []
        for seed in range(seeds):
            made = lead_lag(pairs=5, others=NOISE, lag=[1, 2, 3, 5, 8], strength=strength, seed=seed)
            found = correlations(made.bars, lags=LAGS, level=0.1).found
            planted = {(p.leader, p.follower, p.lag) for p in made.truth.pairs.itertuples()}
            told = {(row.a, row.b, row.lag) for row in found.itertuples()}
            recall.append(len(planted & told) / len(planted))
            false.append(len(told - planted) / max(len(told), 1))
        print(f"  strength {strength:4.2f}: recall {np.mean(recall):6.1%}, false {np.mean(false):5.1%}")
    print(f"\nmarkets of 40 symbols with nothing planted, lags −{LAGS} … {LAGS}, level 5 %, {seeds} markets")
    for name, make in NULLS.items():
        any_found = [len(correlations(make(seed, 40), lags=LAGS).found) > 0 for seed in range(seeds)]
        print(f"  {name:22}: no finding in {1 - np.mean(any_found):6.1%}")


def best(run: Callable[[], object]) -> float:
    """Seconds of the fastest of three."""
    times = []
    for _ in range(3):
        begin = perf_counter()
        run()
        times.append(perf_counter() - begin)
    return min(times)


def told(what: str, ours: float, peer: float, name: str) -> None:
    print(f"  {what:58} {ours:8.2f} s; {name:34} {peer:8.2f} s; {peer / ours:7.2f} ×")


def speed() -> None:
    """Print each job beside its peer."""
    rng = np.random.default_rng(0)
    print("\nspeed")
    wide = 0.01 * rng.standard_normal((BARS, 2000))
    told(
        "all pairs, 2,000 symbols × 2,520 bars",
        best(lambda: correlation_matrix(wide)),
        best(lambda: np.corrcoef(wide, rowvar=False)),
        "numpy.corrcoef",
    )
    X = 0.01 * rng.standard_normal((BARS, 500))
    Y, Z, frame = X.copy(), standardised(X), pd.DataFrame(X)
    rolling(frame.iloc[:, :4], 60)  # compiles
    pairs = 500 * 499 / (50 * 49)
    told(
        "rolling 60 bars, all pairs of 500 symbols",
        best(lambda: rolling(frame, 60)),
        pairs * best(lambda: frame.iloc[:, :50].rolling(60).corr()),
        "pandas, 50 symbols extrapolated",
    )
    told(
        "lead–lag ±20, 500 symbols, with p-values",
        best(lambda: joined([kept(made, lag, 60, robust) for lag, made in every_lag(Z, 20)])),
        best(lambda: [X.T @ Y for _ in range(41)]),
        "41 products of matrices",
    )
    begin = perf_counter()
    permuted(Z, products(Z, 0, np.zeros((1, 500))), 999, 0)
    print(f"  {'124,750 pairs, 999 orders of blocks':58} {perf_counter() - begin:8.2f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--only", choices=["truth", "speed"])
    asked = parser.parse_args()
    if asked.only != "speed":
        truth(asked.seeds)
    if asked.only != "truth":
        speed()
