"""Markets without anything planted that have a move called more than chance, and planted jumps found.

python benchmarks/bench_moves.py [markets]
"""

import sys

import numpy as np
import pandas as pd

from tapebook.data.panel import Bars
from tapebook.market.move.moves import moves

T, N = 1000, 4


def returns(kind, rng):
    """Log returns (T, N) of one kind of noise, 1 % a bar, half of it common."""
    common, own = rng.standard_normal((T, 1)), rng.standard_normal((T, N))
    if kind == "t(4)":
        common, own = rng.standard_t(4, (T, 1)) / np.sqrt(2.0), rng.standard_t(4, (T, N)) / np.sqrt(2.0)
    X = np.sqrt(0.5) * (common + own)
    if kind == "GARCH":
        h = np.ones((T, N))
        for t in range(1, T):
            h[t] = h[t - 1] * (0.1 * X[t - 1] ** 2 + 0.85) + 0.05
        X = X * np.sqrt(h)
    if kind == "AR(0.2)":
        for t in range(1, T):
            X[t] += 0.2 * X[t - 1]
    return 0.01 * X


def panel(X):
    """Bars of these log returns."""
    index = pd.bdate_range("2010-01-04", periods=T)
    close = pd.DataFrame(100.0 * np.exp(X.cumsum(axis=0)), index, [f"S{n}" for n in range(N)])
    return Bars.from_frames(close=close)


def main(markets):
    """Print one line a kind: markets with a move that holds; jumps of 8 and 15 deviations found and held."""
    heads = ("noise", "moves", "any holds", "8: found", "held", "15: found", "held")
    print(*(f"{head:>10s}" for head in heads))
    for kind in ("normal", "t(4)", "GARCH", "AR(0.2)"):
        told = []
        for seed in range(markets):
            rng = np.random.default_rng(seed)
            X = returns(kind, rng)
            table = moves(panel(X)).table
            row = [len(table), table["holds"].any()]
            for jump in (8.0, 15.0):
                planted = X.copy()
                planted[700, 1] = -0.01 * jump
                bars = panel(planted)
                found = moves(bars).table
                hit = found[(found["symbol"] == "S1") & (found["end"] == bars.index[700])]
                row += [len(hit) > 0, hit["holds"].any()]
            told.append(row)
        mean = np.mean(np.array(told, dtype=float), axis=0)
        said = [f"{mean[0]:10.1f}", *(f"{share:10.1%}" for share in mean[1:])]
        print(f"{kind:>10s}", *said, flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
