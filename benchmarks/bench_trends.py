"""What the trend scan finds in markets made for it, in noise, and how long it takes.

    python benchmarks/bench_trends.py                  # false finds, change points, speed
    python benchmarks/bench_trends.py --seeds 30       # faster, rougher
    python benchmarks/bench_trends.py --calibrate      # the constants of tapebook.market.trend.breaks

False finds: share of markets of 5 symbols × 2,520 bars of noise with any finding at 5 % (the AR market is no
random walk: there the variance ratio is right to find it, so the other questions are judged without it).
Change points: planted by
`synthetic.regimes` and by one clear shift, found when told within 10 bars.
"""

from __future__ import annotations

import argparse
from time import perf_counter

import numpy as np
import pandas as pd

from tapebook.data.panel import Bars
from tapebook.data.synthetic import Regime, factor_market, random_walk, regimes
from tapebook.data.synthetic.changing import CALM, CRISIS
from tapebook.data.synthetic.market import Market
from tapebook.market.scan import judged
from tapebook.market.trend.breaks import KINDS, observed
from tapebook.market.trend.series import series_of
from tapebook.market.trend.trends import trends

SYMBOLS, BARS = 5, 2520


def autocorrelated(seed: int, symbols: int = SYMBOLS, phi: float = 0.2) -> Bars:
    """Prices whose returns are an AR(1)."""
    steps = np.random.default_rng(seed).standard_normal((BARS + 50, symbols)) * 0.0126
    for t in range(1, len(steps)):
        steps[t] += phi * steps[t - 1]
    return panel(steps[50:])


def panel(moved: np.ndarray) -> Bars:
    """Bars of log returns (T, N)."""
    index = pd.bdate_range("2001-01-01", periods=len(moved))
    names = [f"S{n}" for n in range(moved.shape[1])]
    return Bars.from_frames(close=pd.DataFrame(100.0 * np.exp(moved.cumsum(axis=0)), index, names))


NOISE = {
    "normal": lambda seed, n=SYMBOLS: random_walk(symbols=n, seed=seed).bars,
    "Student t(4)": lambda seed, n=SYMBOLS: random_walk(symbols=n, seed=seed, tails=4).bars,
    "GARCH(0.1, 0.85)": lambda seed, n=SYMBOLS: random_walk(symbols=n, seed=seed, garch=(0.1, 0.85)).bars,
    "AR(0.2)": autocorrelated,
    "correlated 0.5": lambda seed, n=SYMBOLS: random_walk(symbols=n, seed=seed, correlation=0.5).bars,
    "three factors": lambda seed, n=SYMBOLS: factor_market(symbols=n, seed=seed).bars,
}


def held(findings: pd.DataFrame, skip: str | None) -> set[str]:
    """Questions that hold at 5 % when those of one kind are not asked."""
    asked = judged(findings[findings["question"] != skip].drop(columns=["q", "holds"]))
    return set(asked.loc[asked["holds"], "question"])


def false_finds(seeds: int) -> None:
    """Print the share of noise markets with any finding, by question."""
    print(f"\nMarkets of noise with any finding, {seeds} seeds, {SYMBOLS} symbols x {BARS:,} bars")
    questions = ("trend", "variance ratio", "Hurst", "unit root", "change in mean", "change in volatility")
    print(f"{'':18}" + "".join(f"{q:>22}" for q in (*questions, "any", "any break told")))
    for name, make in NOISE.items():
        told = [trends(make(10_000 + seed)) for seed in range(seeds)]
        skip = "variance ratio" if name == "AR(0.2)" else None
        found = [held(t.findings, skip) for t in told]
        shares = [np.mean([q in f for f in found]) for q in questions]
        shares += [np.mean([bool(f) for f in found]), np.mean([len(t.breaks) > 0 for t in told])]
        print(f"{name:18}" + "".join(f"{s:>22.1%}" for s in shares))


def shifted(seed: int, *, ratio: float = 1.0, shift: float = 0.0, tails: float | None = None) -> Bars:
    """One shift after 1,000 of 1,500 bars: volatility times `ratio`, mean by `shift` bar volatilities."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal(1500)
    if tails:
        noise = rng.standard_t(tails, 1500) / np.sqrt(tails / (tails - 2.0))
    noise[1000:] = noise[1000:] * ratio + shift
    return panel(0.01 * np.concatenate([[0.0], noise])[:, None])


def recall_of_shifts(seeds: int) -> None:
    """Print how many single shifts are told within 10 bars."""
    print(f"\nOne shift at bar 1,000 of 1,500, {seeds} seeds each: told, within 10 bars, median delay")
    cases = {
        "volatility x 3": ("volatility", {"ratio": 3.0}),
        "volatility / 3": ("volatility", {"ratio": 1 / 3}),
        "volatility x 3, t(4)": ("volatility", {"ratio": 3.0, "tails": 4.0}),
        "volatility x 2": ("volatility", {"ratio": 2.0}),
        "mean + 1.5 sd": ("mean", {"shift": 1.5}),
        "mean + 1 sd": ("mean", {"shift": 1.0}),
        "mean + 1 sd, t(4)": ("mean", {"shift": 1.0, "tails": 4.0}),
        "mean + 0.5 sd": ("mean", {"shift": 0.5}),
    }
    for name, (of, how) in cases.items():
        told, near, delay = 0, 0, []
        for seed in range(seeds):
            scan = trends(shifted(seed, **how))
            own = scan.breaks[scan.breaks["of"] == of]
            off = (scan.closes.index.get_indexer(own["ts"]) - 1001).astype(int)
            told += bool(len(own))
            near += bool((np.abs(off) <= 10).any())
            delay += own["delay"].tolist()[:1]
        print(f"{name:24}{told / seeds:>8.1%}{near / seeds:>8.1%}{np.median(delay or [np.nan]):>8.0f} bars")


def recall_of_regimes(seeds: int) -> None:
    """Print how many changes of `synthetic.regimes` are told within 10 bars, at the time and in hindsight."""
    cases = {
        "volatility 12 -> 36 %": ("volatility", (Regime(0.12, 0.12, 500.0), Regime(-0.25, 0.36, 400.0))),
        "drift +250 -> -250 %": ("mean", (Regime(2.5, 0.15, 500.0), Regime(-2.5, 0.15, 400.0))),
        "short crises, 12 -> 35 %": ("volatility", (CALM, CRISIS)),
    }
    for name, (of, among) in cases.items():
        print(f"\nsynthetic.regimes, {name}, {seeds} seeds: told within 10 bars of those that last")
        markets_told = [(m, trends(m.bars)) for m in (regimes(seed=s, among=among) for s in range(seeds))]
        for table in ("breaks", "hindsight"):
            told = [placed(market, getattr(scan, table), of) for market, scan in markets_told]
            wrong = sum(int((far(p, at) > 10).sum()) for p, at, _ in told)
            line = f"{table:12}{sum(len(p) for p, _, _ in told):>5} told, {wrong} of them wrong;"
            for least in (1, 20, 40, 60, 120):
                near = np.concatenate([far(at[side >= least], p) <= 10 for p, at, side in told])
                line += f"  {least}+ bars {near.mean():.1%} of {len(near)}"
            print(line, flush=True)


def far(places: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Bars from each place to the nearest of the others."""
    return np.abs(np.subtract.outer(places, others)).min(axis=1, initial=9999)


def placed(market: Market, table: pd.DataFrame, of: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of the changes told, rows of those planted, and bars of the shorter level beside each planted."""
    at = np.flatnonzero(np.diff(market.truth.states.to_numpy())) + 1
    edges = np.concatenate([[0], at, [len(market.bars)]])
    side = np.minimum(at - edges[:-2], edges[2:] - at)
    return market.bars.index.get_indexer(table.loc[table["of"] == of, "ts"]), at, side


def speed() -> None:
    """Print seconds for 500 symbols × 2,520 bars, cold and warm, and by part."""
    bars = random_walk(symbols=500, seed=1).bars
    for when in ("first (null tables are simulated)", "again"):
        start = perf_counter()
        trends(bars)
        print(f"500 symbols x {BARS:,} bars, {when}: {perf_counter() - start:.2f} s")


def calibrate(paths: int) -> None:
    """Print quantiles of the largest score of noise and the fitted tail of the worst noise."""
    from tapebook.market.trend.break_kernels import changes

    for kind in KINDS:
        worst = None
        for name in ("normal", "Student t(4)", "GARCH(0.1, 0.85)", "AR(0.2)"):
            every = series_of(NOISE[name](99, paths))
            top = np.array([changes(kind.code, observed(s, kind), np.inf)[1][3] for s in every])
            q = np.quantile(top, [0.5, 0.95, 0.99, 0.999])
            print(f"{kind.name:12}{name:18}" + "".join(f"{x:>8.1f}" for x in q))
            worst = q if worst is None or q[2] > worst[2] else worst
        scale = (worst[3] - worst[1]) / np.log(50.0)
        print(
            f"{kind.name}: at {worst[2] - np.log(100.0) * scale:.1f}, scale {scale:.1f} "
            f"(now {kind.at}, {kind.scale})"
        )


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seeds", type=int, default=200)
    asked.add_argument("--calibrate", action="store_true")
    given = asked.parse_args()
    if given.calibrate:
        calibrate(10 * given.seeds)
    else:
        speed()
        recall_of_shifts(given.seeds)
        recall_of_regimes(given.seeds)
        false_finds(given.seeds)
