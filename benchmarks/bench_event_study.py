"""Size and power of the tests of an event study: rejections at 5 % of markets without, and with, an effect.

python benchmarks/bench_event_study.py [markets]
"""

import sys

import numpy as np
import pandas as pd

from tapebook.data.panel import Bars
from tapebook.market.explanation.event_study import TESTS, event_study

T, N = 330, 40


def market(seed, *, tails, industry, storm=1.0, effect=0.0, clustered=True):
    """Half of the symbols share an industry; one event each, on one day or on separate days."""
    rng = np.random.default_rng(seed)
    own = rng.standard_normal((T, N)) if tails is None else rng.standard_t(tails, (T, N))
    returns = 0.01 * (rng.standard_normal((T, 1)) + own)
    returns[:, : N // 2] += 0.01 * industry * rng.standard_normal((T, 1))
    rows = np.full(N // 2, 300) if clustered else rng.integers(280, 325, N // 2)
    for n, row in enumerate(rows):
        returns[row, n] = returns[row, n] + (storm - 1.0) * 0.01 * own[row, n] + effect
    index = pd.bdate_range("2010-01-04", periods=T)
    bars = Bars.from_frames(
        close=pd.DataFrame(100.0 * np.exp(returns.cumsum(axis=0)), index, [f"S{n}" for n in range(N)])
    )
    return bars, [(f"S{n}", index[row]) for n, row in enumerate(rows)]


CASES = {
    "separate days, normal": {"tails": None, "industry": 0.0, "clustered": False},
    "separate days, t(4)": {"tails": 4, "industry": 0.0, "clustered": False},
    "separate days, storm x2": {"tails": None, "industry": 0.0, "clustered": False, "storm": 2.0},
    "one day, normal": {"tails": None, "industry": 0.0},
    "one day, industry": {"tails": None, "industry": 0.5},
    "one day, industry, t(4)": {"tails": 4, "industry": 0.5},
    "effect 1 deviation, separate": {"tails": None, "industry": 0.0, "clustered": False, "effect": 0.01},
    "effect 1 deviation, one day, industry": {"tails": None, "industry": 0.5, "effect": 0.01},
}


def main(markets):
    """Print one line a case: share of markets in which each test rejects at 5 %."""
    print(f"{'case':40s}", *(f"{name[:12]:>13s}" for name in TESTS))
    for name, case in CASES.items():
        said = []
        for seed in range(markets):
            bars, events = market(seed, **case)
            told = event_study(bars, events, estimation=200, window=(0, 0))
            said.append((told.tests["p"] <= 0.05).to_numpy())
        print(f"{name:40s}", *(f"{share:13.1%}" for share in np.mean(said, axis=0)), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
