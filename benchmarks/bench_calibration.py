"""Do intervals and verdicts hold what they say? Coverage of planted truths, and verdicts on made markets.

    python benchmarks/bench_calibration.py              # both halves
    python benchmarks/bench_calibration.py intervals    # of Backtest.expectancy()
    python benchmarks/bench_calibration.py verdicts     # of Backtest.luck(), after 1,000 trials

Shares are in per cent, ± two Monte Carlo errors.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from itertools import cycle, product
from math import sqrt
from multiprocessing import get_context
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import numpy as np
import pandas as pd

from searches import SEARCHES
from tapebook import Desk
from tapebook.data import synthetic
from tapebook.data.synthetic import Market
from tapebook.strategy import Rules
from tapebook.strategy.luck import odds
from tapebook.strategy.luck.bar_estimates import of_means, of_sharpes
from tapebook.strategy.luck.resampling import block_length
from tapebook.strategy.luck.trade_estimates import of_trades
from tapebook.strategy.luck.verdict import NO_EVIDENCE, WEAK, WORTH
from tapebook.strategy.sweep.sweep import sweep

SIZES = (250, 500, 1250, 2520, 5000)
PROCESSES = ("iid normal", "Student-t(4)", "AR(1) 0.3")
MARKETS, DRAWS, YEAR, EACH = 800, 400, 252.0, 10
"""Markets a cell, draws of a bootstrap, bars a year, bars a trade."""
BAR, TRADE = (0.0006, 0.01), (0.005, 0.03)
"""Mean and deviation of a bar's return (a Sharpe ratio of 0.95 a year) and of a trade's."""
STOP = 0.1
"""The largest loss of a trade: without one, no stake is small enough for Kelly."""
SHOWN = {
    "bar_expectancy_share": "mean return per bar",
    "sharpe": "Sharpe, any moments",
    "sharpe_dependent": "Sharpe, Lo's factor",
    "expectancy": "expectancy per trade",
    "win_rate": "win rate",
    "payoff": "payoff",
    "profit_factor": "profit factor",
    "kelly": "Kelly",
}


def shocks(process: str, T: int, rng: np.random.Generator) -> np.ndarray:
    """Draw T shocks of mean 0 and variance 1."""
    if process == "Student-t(4)":
        return rng.standard_t(4, T) / sqrt(2.0)
    noise = rng.standard_normal(T)
    if process == "iid normal":
        return noise
    from scipy.signal import lfilter

    noise[1:] *= sqrt(1.0 - 0.3**2)
    values: np.ndarray = lfilter([1.0], [1.0, -0.3], noise)
    return values


def traded(process: str, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw returns of n trades; a stop cuts losses."""
    return np.maximum(TRADE[0] + TRADE[1] * shocks(process, n, rng), -STOP)


def backtest(returns: np.ndarray, trades: np.ndarray) -> SimpleNamespace:
    """Stand in for a backtest, as far as the estimates look at it."""
    series = pd.Series(returns, pd.date_range("2000-01-01", periods=len(returns), tz="UTC"))
    rows = {
        "pnl": 10_000.0 * trades,
        "return": trades,
        "units": 100.0,
        "entry_price": 100.0,
        "exit_ts": np.arange(len(trades)),
        "status": "closed",
    }
    equity = 1e5 * (1.0 + series).cumprod()
    return SimpleNamespace(
        returns=series,
        equity=equity,
        trades=pd.DataFrame(rows),
        start_cash=1e5,
        periods_per_year=YEAR,
        rules=Rules(),
    )


@cache
def truths(process: str) -> dict[str, float]:
    """What the intervals should cover; of trades by four million draws."""
    one = "iid normal" if process == "AR(1) 0.3" else process  # of the same distribution, each by itself
    trades = traded(one, 4_000_000, np.random.default_rng(99))
    won, lost = trades[trades > 0.0], trades[trades < 0.0]
    ratio, rho = BAR[0] / BAR[1], 0.3 if process == "AR(1) 0.3" else 0.0
    return {
        "bar_expectancy_share": BAR[0],
        "sharpe": ratio * sqrt(YEAR),
        "sharpe_dependent": ratio * odds.annual_factor(YEAR, rho),
        "expectancy": 10_000.0 * trades.mean(),
        "win_rate": len(won) / len(trades),
        "payoff": won.mean() / -lost.mean(),
        "profit_factor": won.sum() / -lost.sum(),
        "kelly": float(odds.kelly(trades[None, :], -STOP)[0]),
    }


def estimated(process: str, T: int, seed: int) -> dict:
    """All estimates of one made backtest."""
    rng = np.random.default_rng(seed)
    bt = backtest(BAR[0] + BAR[1] * shocks(process, T, rng), traded(process, T // EACH, rng))
    found = of_trades(bt, DRAWS, seed, 0.95)
    returns = bt.returns.to_numpy()
    found |= of_means(bt, block=block_length(returns), draws=DRAWS, seed=seed, confidence=0.95)
    return found | of_sharpes(returns, YEAR, 0.95)


def covered(process: str, T: int, first: int, markets: int) -> dict[str, tuple[int, int]]:
    """Of each interval: how many cover the truth, and of how many."""
    true, hits = truths(process), dict.fromkeys(SHOWN, (0, 0))
    for seed in range(first, first + markets):
        found = estimated(process, T, seed)
        for name in SHOWN:
            e, (hit, of) = found[name], hits[name]
            high = np.inf if np.isnan(e.high) else e.high
            hits[name] = hit + (e.low <= true[name] <= high), of + (not np.isnan(e.low))
    return hits


def intervals(markets: int = MARKETS) -> None:
    """Print the table of coverage: one row a figure, one column a number of bars, for each process."""
    jobs = [
        (process, T, first)
        for T in reversed(SIZES)
        for process in PROCESSES
        for first in range(0, markets, 50)
    ]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        done = list(pool.map(covered, *zip(*jobs, strict=True), [50] * len(jobs)))
    total: dict[tuple[str, int, str], tuple[int, int]] = {}
    for (process, T, _), hits in zip(jobs, done, strict=True):
        for name, (hit, of) in hits.items():
            before = total.get((process, T, name), (0, 0))
            total[process, T, name] = before[0] + hit, before[1] + of
    for process in PROCESSES:
        print(f"\n**{process}**, 95 % intervals, {markets:,} markets; a trade every {EACH} bars\n")
        print("| covered, % | " + " | ".join(f"{T:,} bars" for T in SIZES) + " |")
        print("|---|" + "---:|" * len(SIZES))
        for name, shown in SHOWN.items():
            print(f"| {shown} | " + " | ".join(_cell(*total[process, T, name]) for T in SIZES) + " |")


def _cell(hit: int, of: int) -> str:
    share = hit / of
    mark = "" if 0.92 <= share <= 0.98 else " **!**"
    return f"{share:.1%} ± {200.0 * sqrt(share * (1.0 - share) / of):.1f}{mark}".replace("%", "")


# ---- verdicts


NULLS = {
    "random walk": {},
    "with a premium of 6 % a year": {"drift": 0.06},
    "fat tails, premium": {"drift": 0.06, "tails": 4.0},
    "volatility in clusters, premium": {"drift": 0.06, "garch": (0.08, 0.90)},
}
BY_LUCK = ("moving averages", "RSI reversion", "1,000 coins")
FREE = Rules(fees=0.0, slippage=0.0)
"""Costs would only help the verdict: without them the best of a search looks best."""


def null(kind: str, seed: int) -> Market:
    """Twenty years of a market without an edge."""
    return synthetic.random_walk(bars=5040, seed=seed, volatility=0.18, **NULLS[kind])


def judge(market: Market, search: str) -> str:
    """Search 1,000 settings, take the best by its Sharpe ratio, and ask for the verdict as a user does."""
    strategy, settings = SEARCHES[search]
    return sweep(strategy, market.bars, settings, rules=FREE).backtest().luck().verdict


def judge_on_desk(market: Market, search: str) -> str:
    """The same on a desk of its own, whose ledger counts the trials."""
    strategy, settings = SEARCHES[search]
    with TemporaryDirectory() as home, Desk.open(home) as desk:
        best = desk.sweep(strategy, market.bars, rules=FREE, **settings).best()
        fixed = {name: value for name, value in settings.items() if name not in best}
        return desk.backtest(strategy, market.bars, rules=FREE, save=False, **fixed, **best).luck().verdict


def asked(case: tuple[str, str, int, bool]) -> str:
    """Verdict of one case: kind of market, search, seed, and whether on a desk."""
    kind, search, seed, desk = case
    market = planted(kind, seed) if kind.startswith("Sharpe") else null(kind, seed)
    return (judge_on_desk if desk else judge)(market, search)


def planted(kind: str, seed: int) -> Market:
    """Twenty years with an edge, on top of a premium of 6 % a year: "Sharpe 1.5"."""
    return synthetic.planted_edge(annual_sharpe=float(kind.split()[1]), years=20, seed=seed, drift=0.06)


def verdicts(markets: int = 500, edges: int = 100) -> None:
    """Print how often each verdict is given: by the kind of market, and by the search."""
    cases = [
        (kind, BY_LUCK[(seed // len(NULLS)) % len(BY_LUCK)], 1000 + seed, False)
        for seed, kind in zip(range(markets), cycle(NULLS), strict=False)
    ]
    cases += [
        (kind, "volume", seed, False) for kind in ("Sharpe 1.5", "Sharpe 0.75") for seed in range(edges)
    ]
    desks = [(kind, search, 1000, True) for kind, search in product(NULLS, BY_LUCK)]
    desks += [("Sharpe 1.5", "volume", seed, True) for seed in range(4)]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        said = list(pool.map(asked, cases, chunksize=5))
        on_desk = list(pool.map(asked, desks))
        alike = list(pool.map(asked, [(*case[:3], False) for case in desks]))
    print(f"\n**Verdicts after a search of 1,000 settings, 20 years of days** ({len(cases):,} markets)\n")
    print("| market | search | markets | no evidence | weak | worth a forward test |")
    print("|---|---|---:|---:|---:|---:|")
    nulls = [(case, verdict) for case, verdict in zip(cases, said, strict=True) if case[0] in NULLS]
    _row("all without an edge", "any", [verdict for _, verdict in nulls])
    for kind in NULLS:
        _row(kind, "any", [verdict for case, verdict in nulls if case[0] == kind])
    for search in BY_LUCK:
        _row("all without an edge", search, [verdict for case, verdict in nulls if case[1] == search])
    for kind in ("Sharpe 1.5", "Sharpe 0.75"):
        _row(f"planted {kind}", "volume", [v for case, v in zip(cases, said, strict=True) if case[0] == kind])
    same = sum(one == other for one, other in zip(on_desk, alike, strict=True))
    print(f"\nOn a desk of their own, with its ledger: {same} of {len(desks)} verdicts the same.")


def _row(market: str, search: str, said: list[str]) -> None:
    n = len(said)
    shares = [sum(verdict == name for verdict in said) / n for name in (NO_EVIDENCE, WEAK, WORTH)]
    cells = [f"{100 * share:.1f} ± {200.0 * sqrt(share * (1.0 - share) / n):.1f}" for share in shares]
    print(f"| {market} | {search} | {n} | " + " | ".join(cells) + " |")


def main() -> None:
    for half in (intervals, verdicts):
        if not sys.argv[1:] or half.__name__ in sys.argv[1:]:
            started = time.perf_counter()
            half()
            print(f"\n{time.perf_counter() - started:,.0f} s")


if __name__ == "__main__":
    main()
