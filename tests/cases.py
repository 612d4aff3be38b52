"""Random markets, decisions and rules, by seed: what the simulator and its twins are compared on."""

import numpy as np
import pandas as pd

from tapebook.data.panel import Bars
from tapebook.strategy.rules import Rules


def market(rng, T, N, holes):
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.03, (T, N)), axis=0))
    start = np.vstack([close[0], close[:-1]]) * np.exp(rng.normal(0, 0.02, (T, N)))
    high = np.maximum(start, close) * np.exp(np.abs(rng.normal(0, 0.01, (T, N))))
    low = np.minimum(start, close) * np.exp(-np.abs(rng.normal(0, 0.01, (T, N))))
    if holes:
        gone = rng.random((T, N)) < 0.1
        for block in (start, high, low, close):
            block[gone] = np.nan
        start[rng.random((T, N)) < 0.05] = np.nan
        high[rng.random((T, N)) < 0.05] = np.nan
    index = pd.date_range("2010-01-01", periods=T, freq="D", tz="UTC")
    named = {"open": start, "high": high, "low": low, "close": close}
    return Bars.from_frames(
        **{n: pd.DataFrame(v, index, [f"S{i}" for i in range(N)]) for n, v in named.items()}
    )


def some_rules(rng, weighted):
    def maybe(low, high):
        return float(rng.uniform(low, high)) if rng.random() < 0.4 else None

    sizing = "percent" if weighted else str(rng.choice(["percent", "value", "units", "volatility"]))
    size = {
        "percent": None if weighted else maybe(0.05, 1),
        "value": 9_000.0,
        "units": 150.0,
        "volatility": 0.2,
    }[sizing]
    whole = rng.random() < 0.3
    return Rules(
        fees=float(rng.choice([0, 0.002])),
        fixed_fee=float(rng.choice([0, 3.0])),
        slippage=float(rng.choice([0, 0.001])),
        size=size,
        sizing=sizing,
        direction=rng.choice(["long", "short", "both", None]),
        execution=str(rng.choice(["next_open", "same_close"])),
        stop_loss=maybe(0.01, 0.1),
        take_profit=maybe(0.01, 0.15),
        trailing_stop=maybe(0.01, 0.1),
        fractional=not whole,
        lot=float(rng.choice([1, 10])) if whole else 1.0,
        volatility_bars=5,
    )


def case(seed):
    rng = np.random.default_rng(seed)
    T, N = 60, int(rng.integers(1, 4))
    bars = market(rng, T, N, holes=seed % 3 == 0)
    weighted = seed % 4 == 0
    rules = some_rules(rng, weighted)
    frame = lambda block: pd.DataFrame(block, bars.close.index, bars.close.columns)  # noqa: E731
    if weighted:
        weights = rng.normal(0, 0.7, (T, N))
        weights[rng.random((T, N)) < 0.6] = np.nan
        return bars, rules, {"weights": frame(weights)}
    parts = ["entries", "exits", "short_entries", "short_exits"][: 4 if seed % 5 == 0 else 2]
    return bars, rules, {part: frame(rng.random((T, N)) < 0.15) for part in parts}
