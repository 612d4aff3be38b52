"""What the pattern scan finds where nothing is and where something is, and how long it takes.

    python benchmarks/bench_patterns.py              # all of it, about ten minutes
    python benchmarks/bench_patterns.py --seeds 50   # faster, rougher
    python benchmarks/bench_patterns.py --only speed

False finds: markets of 2,520 bars with nothing planted, every kind of pattern asked at horizons of 1, 5 and
20 bars at a false-discovery rate of 5 %; returns with memory are asked of seasons only, since a pattern of
prices does foresee those. Found: a weekday that pays, in deviations of one bar. Speed: after a first call
that compiles, the best of three.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from time import perf_counter

import numpy as np
import pandas as pd

from tapebook.data.panel import Bars
from tapebook.data.synthetic import factor_market, random_walk
from tapebook.market.pattern.events import KINDS
from tapebook.market.pattern.judgement import answered
from tapebook.market.pattern.kernels import FIELDS, follow
from tapebook.market.pattern.patterns import ALL, patterns

BARS = 2520


def panel(steps: np.ndarray) -> Bars:
    """Bars that open where the bar before closed, of log returns (T, N)."""
    like = random_walk(symbols=steps.shape[1], bars=len(steps), seed=0).bars
    close = pd.DataFrame(100.0 * np.exp(steps.cumsum(axis=0)), like.index, list(like.symbols))
    opens = close.shift(1).fillna(100.0)
    high, low = np.maximum(opens, close) * 1.004, np.minimum(opens, close) / 1.004
    return Bars.from_frames(open=opens, high=high, low=low, close=close, calendars="XNYS")


def remembering(seed: int) -> Bars:
    """Returns that are an AR(1) of 0.2."""
    steps = np.random.default_rng(seed).standard_normal((BARS, 4)) * 0.0126
    for t in range(1, BARS):
        steps[t] += 0.2 * steps[t - 1]
    return panel(steps)


def storms(seed: int) -> Bars:
    """Uncorrelated returns whose volatility rises in all symbols at once, far more than GARCH has it."""
    rng = np.random.default_rng(seed)
    h = np.zeros(BARS)
    for t in range(1, BARS):
        h[t] = 0.97 * h[t - 1] + 0.2 * rng.standard_normal()
    return panel(0.01 * np.exp(h)[:, None] * rng.standard_normal((BARS, 4)))


def crashes(seed: int) -> Bars:
    """Returns of which one in a hundred is a fall by five deviations more."""
    rng = np.random.default_rng(seed)
    return panel(0.01 * (rng.standard_normal((BARS, 4)) - 5.0 * (rng.random((BARS, 4)) < 0.01)))


NULLS: dict[str, tuple[Callable[[int], Bars], Sequence[str]]] = {
    "normal": (lambda seed: random_walk(symbols=4, seed=seed).bars, KINDS),
    "Student t(4)": (lambda seed: random_walk(symbols=4, seed=seed, tails=4).bars, KINDS),
    "Student t(3)": (lambda seed: random_walk(symbols=4, seed=seed, tails=3).bars, KINDS),
    "GARCH(0.1, 0.85)": (lambda seed: random_walk(symbols=4, seed=seed, garch=(0.1, 0.85)).bars, KINDS),
    "10 of 3 factors": (lambda seed: factor_market(symbols=10, seed=seed).bars, KINDS),
    "storms": (storms, KINDS),
    "crashes": (crashes, KINDS),
    "AR(0.2), seasons": (remembering, ("seasons",)),
    "one symbol, 500 bars": (lambda seed: random_walk(bars=500, seed=seed, tails=4).bars, KINDS),
}


def false_finds(seeds: int) -> None:
    columns = f"{'markets':>8}{'any find':>10}{'questions':>11}{'p < 0.05':>10}{'p < 0.001':>11}"
    print(f"\n{'nothing planted':<22}{columns}")
    for name, (make, kinds) in NULLS.items():
        hits, p = 0, []
        for seed in range(seeds):
            scan = patterns(make(seed), kinds=kinds)
            hits += len(scan.found) > 0
            p.append(scan.findings["p"].dropna().to_numpy())
        told = np.concatenate(p)
        print(
            f"{name:<22}{seeds:>8}{hits / seeds:>10.1%}{len(told) // seeds:>11,}"
            f"{(told < 0.05).mean():>10.2%}{(told < 0.001).mean():>11.3%}",
            flush=True,
        )


def recall(seeds: int) -> None:
    """A Wednesday that pays in all of four symbols, asked among everything."""
    print(f"\n{'Wednesdays pay':<22}{'found, one':>11}{'found, all':>11}{'others found':>14}")
    like = random_walk(symbols=4, seed=0).bars
    middle = like.index.day_of_week == 2
    for gain in (0.05, 0.1, 0.2, 0.3):
        one = both = others = 0.0
        for seed in range(seeds):
            steps = np.random.default_rng(seed).standard_normal((BARS, 4)) * 0.01
            steps[middle] += gain * 0.01
            found = patterns(panel(steps), horizons=(1,)).found
            mine = found[found["pattern"] == "Wednesday"]
            both += ALL in set(mine["symbol"])
            one += (mine["symbol"] != ALL).sum() / 4
            others += (found["kind"] != "seasons").sum()
        print(
            f"{gain:>10.2f} deviations {one / seeds:>11.0%}{both / seeds:>11.0%}{others / seeds:>14.2f}",
            flush=True,
        )


def exact() -> None:
    """Rejections of 20 events of one bar in 200,000 series: the ratio is Student's."""
    print(f"\n{'20 events, one bar':<22}{'p < 0.05':>10}{'p < 0.001':>11}{'p < 1e-4':>10}")
    rng = np.random.default_rng(0)
    for name, draw in (
        ("normal", lambda: rng.standard_normal(400)),
        ("Student t(3)", lambda: rng.standard_t(3, 400)),
        ("1 − exponential", lambda: 1.0 - rng.exponential(size=400)),
    ):
        count, told = 200_000, np.zeros((200_000, 1, FIELDS))
        mask, paid = np.zeros((1, 400), dtype=bool), np.zeros((1, 1, 400))
        mask[0, 5:385:19] = True
        rows, horizons = np.arange(400), np.array([1])
        for n in range(count):
            step = draw()
            step[-1] = np.nan
            follow(mask, step, rows, horizons, told[n : n + 1], paid, paid)
        p = answered(told, 5).p
        print(f"{name:<22}{(p < 0.05).mean():>10.2%}{(p < 1e-3).mean():>11.3%}{(p < 1e-4).mean():>10.4%}")


def best(work: Callable[[], object]) -> float:
    took = []
    for _ in range(3):
        start = perf_counter()
        work()
        took.append(perf_counter() - start)
    return min(took)


def speed() -> None:
    small = random_walk(symbols=2, bars=600, seed=0).bars
    patterns(small)
    bars = random_walk(symbols=500, seed=0).bars
    print(f"\n{'500 symbols × 2,520 bars, horizons 1, 5, 20':<46}{'seconds':>9}{'questions':>11}")
    for kinds in (*((kind,) for kind in KINDS), KINDS):
        asked = patterns(bars, kinds=kinds).findings["p"].notna().sum()
        took = best(lambda kinds=kinds: patterns(bars, kinds=kinds))
        print(f"{kinds[0] if len(kinds) == 1 else 'everything':<46}{took:>9.2f}{asked:>11,}", flush=True)
    scan = patterns(bars)
    start = perf_counter()
    print(f"{'events, a row each (' + format(len(scan.events), ',') + ')':<46}{perf_counter() - start:>9.2f}")
    print(f"{'what occurs now':<46}{best(lambda: scan.recent(5)):>9.2f}")
    print(f"{'figure of a pooled finding':<46}{best(lambda: scan.figure(0)):>9.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--only", choices=("speed", "false", "recall", "exact"))
    asked = parser.parse_args()
    if asked.only in (None, "speed"):
        speed()
    if asked.only in (None, "exact"):
        exact()
    if asked.only in (None, "recall"):
        recall(max(asked.seeds // 10, 5))
    if asked.only in (None, "false"):
        false_finds(asked.seeds)


if __name__ == "__main__":
    main()
