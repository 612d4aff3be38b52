"""Indicators of wide frames (T, N): row t uses bars up to and including t of the same symbol.

A symbol's indicator runs over its own bars: missing ones are left out and stay missing, so that a
hole or a late listing changes nothing but itself. RSI, MACD, ATR and ADX are TA-Lib's (Wilder's
smoothing), imported when first used; means and extremes are pandas'.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from tapebook.data.panel import Bars


class Bands(NamedTuple):
    """Lower, middle and upper line, each a frame (T, N)."""

    lower: pd.DataFrame
    middle: pd.DataFrame
    upper: pd.DataFrame


class Macd(NamedTuple):
    """The line, its signal line and their difference, each a frame (T, N)."""

    line: pd.DataFrame
    signal: pd.DataFrame
    histogram: pd.DataFrame


def sma(prices: pd.DataFrame, window: int) -> pd.DataFrame:
    """Mean of the last `window` bars; missing until there are that many."""
    return _own(prices, lambda x: x.rolling(window).mean())


def ema(prices: pd.DataFrame, window: int) -> pd.DataFrame:
    """Exponential mean with the smoothing 2 / (window + 1), started from the first `window` bars' mean."""
    return _talib(lambda ta, x: ta.EMA(x, window), prices)


def rsi(prices: pd.DataFrame, window: int = 14) -> pd.DataFrame:
    """Relative strength, 0 to 100, with Wilder's smoothing (Wilder 1978)."""
    return _talib(lambda ta, x: ta.RSI(x, window), prices)


def macd(prices: pd.DataFrame, fast: int = 12, slow: int = 26, signal: int = 9) -> Macd:
    """Difference of two exponential means, and the exponential mean of that (Appel 1979)."""
    parts = [_talib(lambda ta, x, i=i: ta.MACD(x, fast, slow, signal)[i], prices) for i in range(3)]
    return Macd(*parts)


def bollinger(prices: pd.DataFrame, window: int = 20, width: float = 2.0) -> Bands:
    """Mean of `window` bars and `width` standard deviations (ddof 0) around it (Bollinger 2001)."""
    middle = sma(prices, window)
    spread = _own(prices, lambda x: x.rolling(window).std(ddof=0)) * width
    return Bands(middle - spread, middle, middle + spread)


def donchian(bars: Bars, window: int = 20) -> Bands:
    """Highest high and lowest low of the `window` bars BEFORE t, and their middle (Donchian 1960)."""
    high = _own(bars.high.fillna(bars.close), lambda x: x.shift().rolling(window).max())
    low = _own(bars.low.fillna(bars.close), lambda x: x.shift().rolling(window).min())
    return Bands(low, (low + high) / 2.0, high)


def atr(bars: Bars, window: int = 14) -> pd.DataFrame:
    """Average true range in the price's unit, with Wilder's smoothing (1978)."""
    return _talib(lambda ta, *x: ta.ATR(*x, window), bars.high, bars.low, bars.close)


def adx(bars: Bars, window: int = 14) -> pd.DataFrame:
    """Average directional movement index, 0 to 100, with Wilder's smoothing (1978)."""
    return _talib(lambda ta, *x: ta.ADX(*x, window), bars.high, bars.low, bars.close)


def simple_returns(prices: pd.DataFrame, bars: int = 1) -> pd.DataFrame:
    """Change over the last `bars` of the symbol's own bars, as a fraction."""
    return _own(prices, lambda x: x / x.shift(bars) - 1.0)


def lagged(values: pd.DataFrame, bars: int) -> pd.DataFrame:
    """Value of so many of the symbol's own bars ago."""
    return _own(values, lambda x: x.shift(bars))


def realised_volatility(prices: pd.DataFrame, window: int, periods_per_year: float) -> pd.DataFrame:
    """Annual standard deviation of the last `window` simple returns, one degree of freedom less."""
    scale = periods_per_year**0.5
    return _own(prices, lambda x: (x / x.shift() - 1.0).rolling(window).std(ddof=1) * scale)


def zscore(values: pd.DataFrame, window: int) -> pd.DataFrame:
    """Distance from the mean of the last `window` bars in their standard deviations (ddof 1)."""
    return _own(
        values,
        lambda x: (x - x.rolling(window).mean()) / x.rolling(window).std(ddof=1).where(lambda s: s > 0),
    )


def crossed_above(one: pd.DataFrame, other: pd.DataFrame | float) -> pd.DataFrame:
    """True in the bar in which `one` is above `other` and was known not to be in the symbol's bar before."""
    return _crossed(one - other)


def crossed_below(one: pd.DataFrame, other: pd.DataFrame | float) -> pd.DataFrame:
    """True in the bar in which `one` is below `other` and was known not to be in the symbol's bar before."""
    return _crossed(other - one)


def _crossed(gap: pd.DataFrame) -> pd.DataFrame:
    before = _own(gap, lambda x: x.shift())
    return (gap > 0) & (before <= 0)


def _own(frame: pd.DataFrame, work: Callable[[Any], Any]) -> pd.DataFrame:
    """Do `work` on each symbol's own bars; all at once where none is missing."""
    if not frame.isna().to_numpy().any():
        answer: pd.DataFrame = work(frame)
        return answer
    done = {name: work(column.dropna()).reindex(frame.index) for name, column in frame.items()}
    return pd.DataFrame(done, index=frame.index).set_axis(frame.columns, axis=1)


def _talib(work: Callable[..., np.ndarray], *frames: pd.DataFrame) -> pd.DataFrame:
    """Do `work` column by column on the bars that all `frames` have."""
    import talib

    first = frames[0]
    answer = np.full(first.shape, np.nan)
    blocks = [frame.to_numpy(dtype=float) for frame in frames]
    for n in range(first.shape[1]):
        columns = [block[:, n] for block in blocks]
        rows = np.flatnonzero(~np.any([np.isnan(c) for c in columns], axis=0))
        if len(rows) > 1:
            answer[rows, n] = work(talib, *(np.ascontiguousarray(c[rows]) for c in columns))
    return pd.DataFrame(answer, first.index, first.columns)
