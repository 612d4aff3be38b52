"""What `explain` says of moves with a planted cause and of moves without one, and how long it takes.

    python benchmarks/bench_explain.py [markets]

Planted: volume is three times as high for five bars, three bars later the price jumps 8 % (20 times a symbol,
and 10 times nothing follows). Without a cause: jumps that nothing announces, and the extremes of noise with
heavy tails, clustered volatility, autocorrelation and common factors. 'Distinguished' is what the summary
turns on: a precursor or a rule that holds on moves not used to find it, of those that went as the largest.
Speed: every move of the sample's four long histories, warm.
"""

import sys
from time import perf_counter, process_time

import numpy as np
import pandas as pd

from tapebook.data.panel import Bars
from tapebook.data.synthetic import factor_market, precursors, random_walk
from tapebook.market.explanation import explain, rules
from tapebook.market.explanation import precursors as before
from tapebook.market.move.moves import marks, moves

BARS = 2520


def autocorrelated(seed):
    """Returns that are an AR(1)."""
    steps = 0.0126 * np.random.default_rng(seed).standard_t(5, (BARS, 5))
    for t in range(1, BARS):
        steps[t] += 0.2 * steps[t - 1]
    index = pd.bdate_range("2001-01-01", periods=BARS)
    close = pd.DataFrame(100.0 * np.exp(steps.cumsum(axis=0)), index, [f"S{n}" for n in range(5)])
    return Bars.from_frames(close=close)


NO_CAUSE = {
    "jumps": lambda seed: precursors(seed=seed, symbols=3, surge=1.0).bars,
    "Student t(3)": lambda seed: random_walk(symbols=5, seed=seed, tails=3).bars,
    "GARCH(0.08, 0.85), t(5)": lambda seed: (
        random_walk(symbols=5, seed=seed, tails=5, garch=(0.08, 0.85)).bars
    ),
    "AR(0.2), t(5)": autocorrelated,
    "three factors, t(4)": lambda seed: factor_market(symbols=8, seed=seed, tails=4).bars,
}


def asked(bars, way):
    """Precursors and the rule of the moves that went one way, or as the largest did."""
    found = moves(bars)
    way = way or found.table["direction"].iloc[0]
    told = marks(found.table[found.table["direction"] == way], found.bars)
    return before.precursors(found.states, *told), rules.rules(found.states, *told)


def planted(markets):
    """Print how often the planted precursor is ranked first and holds, and the rule is of it and holds."""
    told = []
    for seed in range(markets):
        first, rule = asked(precursors(seed=seed, symbols=2).bars, "up")
        row = first.table.iloc[0]
        is_volume = str(row["feature"]).startswith("volume")
        told.append((is_volume, is_volume and row["holds"], "volume" in str(rule.rule) and rule.holds))
    share = np.mean(np.array(told, dtype=float), axis=0)
    print(f"planted ({markets}): ranked first {share[0]:.1%}, and holds {share[1]:.1%}; rule {share[2]:.1%}")


def nothing(markets):
    """Print how often nothing is said to distinguish moves without a cause."""
    for kind, make in NO_CAUSE.items():
        told, start = [], perf_counter()
        for seed in range(markets):
            first, rule = asked(make(seed), None)
            told.append((len(first.found) == 0 and not rule.holds, len(first.found) > 0, rule.holds))
        share = np.mean(np.array(told, dtype=float), axis=0)
        print(
            f"{kind:24s} ({markets}): nothing distinguishes it {share[0]:.1%}; false precursor {share[1]:.1%}"
            f", false rule {share[2]:.1%} [{perf_counter() - start:.0f} s]",
            flush=True,
        )


def speed(count=12):
    """Print the seconds that one explanation of the sample's moves takes, with and without its figures."""
    from tempfile import TemporaryDirectory

    from tapebook import Desk

    with TemporaryDirectory() as folder:
        desk = Desk.open(folder)
        desk.ingest("sample")
        bars = desk.bars("AAPL,IBM,MSFT,GOOG")
        explain.explain(moves(bars), 0).figures()
        seconds, drawn, busy = [], [], []
        for number in range(count):
            found = moves(bars)  # a new scan: nothing is kept from the move before
            start, used = perf_counter(), process_time()
            told = explain.explain(found, number)
            seconds.append(perf_counter() - start)
            busy.append(process_time() - used)
            told.figures()
            drawn.append(perf_counter() - start)
        desk.close()
    print(f"explain, warm: median {np.median(seconds):.2f} s, slowest {max(seconds):.2f} s", end="; ")
    print(f"CPU {np.median(busy):.2f} s", end="; ")
    print(f"with figures {np.median(drawn):.2f} s, {max(drawn):.2f} s")


if __name__ == "__main__":
    markets = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    speed()
    planted(markets)
    nothing(markets)
