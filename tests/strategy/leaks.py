"""Strategies that use the future, each in its own way, and strategies that only look as if they did.

`LEAKING` says which field each one reads too early; `CLEAN` are honest. Rows are decisions at a bar's close.
"""

import numpy as np
import pandas as pd

from tapebook.data.panel import Bars
from tapebook.strategy.signals import Signals


def market(T=400, seed=3):
    """Three random walks whose five fields differ, one listed late."""
    rng = np.random.default_rng(seed)
    close = 50 * np.exp(np.cumsum(rng.normal(0.0002, 0.02, (T, 3)), axis=0))
    open_ = np.vstack([close[0], close[:-1]]) * np.exp(rng.normal(0, 0.004, (T, 3)))
    blocks = {
        "open": open_,
        "high": np.maximum(open_, close) * np.exp(np.abs(rng.normal(0, 0.005, (T, 3)))),
        "low": np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0, 0.005, (T, 3)))),
        "close": close,
        "volume": rng.lognormal(10, 0.5, (T, 3)),
    }
    for block in blocks.values():
        block[:70, 2] = np.nan
    index = pd.bdate_range("2010-01-04", periods=T, tz="UTC")
    frames = {name: pd.DataFrame(block, index, list("ABC")) for name, block in blocks.items()}
    return Bars.from_frames(**frames, calendars="XNYS")


def _above(one, other):
    """Long while `one` is above `other`."""
    return Signals(one > other, one <= other)


def _months(bars):
    return bars.close.index.tz_localize(None).to_period("M")


def _month_starts(bars):
    months = _months(bars)
    return np.concatenate([[False], months[1:] != months[:-1]])


def _parts(frame):
    """Weights in proportion, the whole at most 1."""
    return frame.div(frame.sum(axis=1).where(lambda total: total > 0), axis=0)


# ---- leaking


def centred_window(bars):
    return _above(bars.close, bars.close.rolling(11, center=True, min_periods=1).mean())


def shifted_back(bars):
    return _above(bars.close.shift(-1), bars.close)


def full_sample_score(bars):
    score = (bars.close - bars.close.mean()) / bars.close.std()
    return Signals(score < -1, score > 0)


def fit_on_all(bars):
    past, following = (
        bars.close.pct_change(fill_method=None),
        bars.open.pct_change(fill_method=None).shift(-1),
    )
    slope = (past * following).sum() / (past**2).sum()
    return _above(past * slope, past * 0)


def filled_from_behind(bars):
    weekly = bars.close.where(pd.Series(np.arange(len(bars)) % 5 == 4, bars.index), axis=0)
    return _above(bars.close, weekly.bfill())


def monthly_at_its_start(bars):
    monthly = bars.close.groupby(_months(bars)).last().reindex(_months(bars)).set_axis(bars.close.index)
    rises = (monthly > bars.close).astype(float) / 3
    return rises.where(pd.Series(_month_starts(bars), bars.index), axis=0)


def high_of_a_running_week(bars):
    weeks = bars.close.index.tz_localize(None).to_period("W")
    return _above(bars.close, bars.high.groupby(weeks).transform("max") * 0.99)


def merged_forward(bars):
    days = pd.DataFrame({"ts": bars.index})
    calls = {}
    for symbol in bars.symbols:
        weekly = bars.close[symbol].iloc[::5].rename("weekly").rename_axis("ts").reset_index()
        merged = pd.merge_asof(days, weekly, on="ts", direction="forward")
        calls[symbol] = merged["weekly"].set_axis(bars.index) > bars.close[symbol]
    up = pd.DataFrame(calls)[list(bars.symbols)]
    return Signals(up, ~up)


def sorted_by_outcome(bars):
    grown = bars.close.ffill().iloc[-1] / bars.close.bfill().iloc[0]
    best = grown.sort_values().index[-1]
    weights = bars.close * np.nan
    weights.iloc[::20] = 0.0
    weights.loc[weights.index[::20], best] = 1.0
    return weights


def high_of_the_next_bar(bars):
    breakout = bars.high.shift(-1) > bars.high.rolling(20).max()
    return Signals(breakout, bars.close < bars.close.rolling(20).mean())


def low_touched_later(bars):
    safe = ~(
        bars.low.shift(-1) < bars.close * 0.98
    )  # true where nothing follows: a cut alone does not show it
    return Signals(safe, ~safe)


def over_the_final_value(bars):
    scaled = bars.close / bars.close.iloc[-1]
    return Signals(scaled < 0.9, scaled > 1.0)


def ranked_on_the_future(bars):
    ahead = bars.close.shift(-5) / bars.close - 1
    return (ahead.rank(axis=1) == 3).astype(float).where(ahead.notna())


def volume_to_come(bars):
    quiet = bars.volume[::-1].rolling(5, min_periods=1).mean()[::-1]
    return _above(quiet, bars.volume.rolling(20).mean())


def global_quantile(bars):
    moved = bars.close.pct_change(fill_method=None)
    return Signals(moved < moved.quantile(0.1), moved > moved.quantile(0.9))


def backwards_expanding(bars):
    return _above(bars.close, bars.close[::-1].expanding().mean()[::-1])


def interpolated(bars):
    sparse = bars.close.where(pd.Series(np.arange(len(bars)) % 7 == 0, bars.index), axis=0)
    return _above(bars.close, sparse.interpolate())


def bought_at_the_low(bars):
    trough = bars.low == bars.low.rolling(21, center=True, min_periods=11).min()
    peak = bars.high == bars.high.rolling(21, center=True, min_periods=11).max()
    return Signals(trough, peak)


def open_to_come(bars):
    return _parts((bars.open.shift(-1) > bars.close).astype(float))


def last_day_of_the_sample(bars):
    out = bars.close.notna() & False
    out.iloc[-1] = True
    return Signals(bars.close > bars.close.rolling(10).mean(), out)


def survivors(bars):
    alive = bars.close.columns[bars.close.iloc[-1].notna()]
    weights = bars.close * np.nan
    weights.iloc[::20] = 0.0
    weights.loc[weights.index[::20], alive] = 1.0 / max(len(alive), 1)
    return weights


LEAKING = {
    centred_window: "close",
    shifted_back: "close",
    full_sample_score: "close",
    fit_on_all: "open, close",
    filled_from_behind: "close",
    monthly_at_its_start: "close",
    high_of_a_running_week: "high",
    merged_forward: "close",
    sorted_by_outcome: "close",
    high_of_the_next_bar: "high",
    low_touched_later: "low",
    over_the_final_value: "close",
    ranked_on_the_future: "close",
    volume_to_come: "volume",
    global_quantile: "close",
    backwards_expanding: "close",
    interpolated: "close",
    bought_at_the_low: None,  # the first cut that shows it may read the low, the high or both
    open_to_come: "open",
    last_day_of_the_sample: "times",
    survivors: "close",
}


# ---- clean


def expanding_mean(bars):
    return _above(bars.close, bars.close.expanding().mean())


def exponential_mean(bars):
    return _above(bars.close, bars.close.ewm(span=10).mean())


def high_of_the_month_so_far(bars):
    return _above(bars.close, bars.high.groupby(_months(bars)).cummax() * 0.98)


def last_value_filled(bars):
    weekly = bars.close.where(pd.Series(np.arange(len(bars)) % 5 == 4, bars.index), axis=0)
    return _above(bars.close, weekly.ffill())


def strictly_shifted(bars):
    return _above(bars.close.shift(1), bars.close.shift(1).rolling(10).mean())


def monthly_from_the_past(bars):
    past = (bars.close / bars.close.shift(20) - 1).clip(lower=0)
    return _parts(past).where(pd.Series(_month_starts(bars), bars.index), axis=0)


def own_high(bars):
    return Signals(bars.high >= bars.high.rolling(20).max(), bars.low <= bars.low.rolling(20).min())


def merged_backward(bars):
    days = pd.DataFrame({"ts": bars.index})
    calls = {}
    for symbol in bars.symbols:
        weekly = bars.close[symbol].iloc[::5].rename("weekly").rename_axis("ts").reset_index()
        merged = pd.merge_asof(days, weekly, on="ts")
        calls[symbol] = merged["weekly"].set_axis(bars.index) > bars.close[symbol]
    up = pd.DataFrame(calls)[list(bars.symbols)]
    return Signals(up, ~up)


def weekly_bars_aligned(bars):
    weekly = bars.resample("1w")
    mean = bars.align(weekly.close.rolling(4).mean(), freq="1w")
    return _above(bars.close, mean)


def expanding_quantile(bars):
    moved = bars.close.pct_change(fill_method=None)
    return Signals(moved < moved.expanding(30).quantile(0.1), moved > moved.expanding(30).quantile(0.9))


def fixed_seed(bars):
    draw = np.random.default_rng(5).random(bars.shape)
    return Signals(pd.DataFrame(draw, bars.index, bars.close.columns) < 0.1, bars.close < 0)


CLEAN = [
    expanding_mean, exponential_mean, high_of_the_month_so_far, last_value_filled, strictly_shifted,
    monthly_from_the_past, own_high, merged_backward, weekly_bars_aligned, expanding_quantile, fixed_seed,
]  # fmt: skip
