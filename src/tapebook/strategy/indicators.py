"""Indicators of wide frames (T, N), or of one symbol's Series: row t uses bars up to and including t.

A symbol's indicator runs over its own bars: missing ones are left out and stay missing, so that a
hole or a late listing changes nothing but itself. RSI, MACD, EMA, ATR and ADX are TA-Lib's (Wilder's
smoothing), imported when first used; means and extremes are pandas'. Those with a memory (EMA, RSI,
MACD, ATR, ADX) start with a symbol's first bar: of more history they say something slightly different.
A window that is no whole number, or too short, is a BadParameter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from tapebook.strategy.memory import remembered
from tapebook.strategy.parameters import Parameter

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


# ---- means


@remembered
def sma(prices: pd.DataFrame, window: int) -> pd.DataFrame:
    """Mean of the last `window` bars; missing until there are that many."""
    window = _window("window", window)
    return _own(prices, lambda x: x.rolling(window).mean())


@remembered
def ema(prices: pd.DataFrame, window: int) -> pd.DataFrame:
    """Exponential mean with the smoothing 2 / (window + 1), started from the first `window` bars' mean."""
    window = _window("window", window)
    if window == 1:  # TA-Lib starts at 2
        return prices.astype(float)
    return _talib(lambda ta, x: ta.EMA(x, window), prices)


@remembered
def macd(prices: pd.DataFrame, fast: int = 12, slow: int = 26, signal: int = 9) -> Macd:
    """Difference of two exponential means, and the exponential mean of that (Appel 1979).

    All three are known from bar `slow + signal - 1` on. As in TA-Lib, both means first appear at bar
    `slow`: the fast one starts from the mean of the `fast` bars up to there.
    """
    fast, slow = _window("fast", fast, 2), _window("slow", slow, 2)
    signal = _window("signal", signal)
    return Macd(*_talibs(lambda ta, x: ta.MACD(x, fast, slow, signal), 3, prices))


# ---- oscillators


@remembered
def rsi(prices: pd.DataFrame, window: int = 14) -> pd.DataFrame:
    """Relative strength, 0 to 100, with Wilder's smoothing (Wilder 1978); 50 where nothing moved at all.

    First known after `window` changes. It is computed as 50 + CMO / 2, which is the same number:
    TA-Lib's own RSI says 0, as after nothing but losses, where a price stood still.
    """
    window = _window("window", window, 2)
    return _talib(lambda ta, x: 50.0 + ta.CMO(x, window) / 2.0, prices)


@remembered
def adx(bars: Bars, window: int = 14) -> pd.DataFrame:
    """Average directional movement index, 0 to 100, with Wilder's smoothing (1978).

    First known at bar `2 * window`.
    """
    window = _window("window", window, 2)
    return _talib(lambda ta, *x: ta.ADX(*x, window), *_ranges(bars))


@remembered
def zscore(values: pd.DataFrame, window: int) -> pd.DataFrame:
    """Distance from the mean of the last `window` bars in their standard deviations (ddof 1).

    Missing where nothing varied.
    """
    window = _window("window", window, 2)
    return _own(values, lambda x: (x - x.rolling(window).mean()) / _positive(x.rolling(window).std(ddof=1)))


# ---- bands and ranges


@remembered
def bollinger(prices: pd.DataFrame, window: int = 20, width: float = 2.0) -> Bands:
    """Mean of `window` bars and `width` standard deviations (ddof 0) around it (Bollinger 2001)."""
    window = _window("window", window, 2)
    middle = sma(prices, window)
    spread = _own(prices, lambda x: x.rolling(window).std(ddof=0)) * width
    return Bands(middle - spread, middle, middle + spread)


@remembered
def donchian(bars: Bars, window: int = 20) -> Bands:
    """Highest high and lowest low of the `window` bars BEFORE t, and their middle (Donchian 1960)."""
    window = _window("window", window)
    highs, lows, _ = _ranges(bars)
    high = _own(highs, lambda x: x.shift().rolling(window).max())
    low = _own(lows, lambda x: x.shift().rolling(window).min())
    return Bands(low, (low + high) / 2.0, high)


@remembered
def atr(bars: Bars, window: int = 14) -> pd.DataFrame:
    """Average true range in the price's unit, with Wilder's smoothing (1978).

    First known at bar `window + 1`: the first true range needs a close before it.
    """
    window = _window("window", window)
    return _talib(lambda ta, *x: ta.ATR(*x, window), *_ranges(bars))


# ---- returns


@remembered
def simple_returns(prices: pd.DataFrame, bars: int = 1) -> pd.DataFrame:
    """Change over the last `bars` of the symbol's own bars, as a fraction."""
    bars = _window("bars", bars)
    return _own(prices, lambda x: x / x.shift(bars) - 1.0)


@remembered
def lagged(values: pd.DataFrame, bars: int) -> pd.DataFrame:
    """Value of so many of the symbol's own bars ago."""
    bars = _window("bars", bars, 0)  # a negative lag would be the future
    return _own(values, lambda x: x.shift(bars))


@remembered
def realised_volatility(
    prices: pd.DataFrame, window: int, periods_per_year: float | pd.Series
) -> pd.DataFrame:
    """Annual standard deviation of the last `window` simple returns, one degree of freedom less.

    Parameters
    ----------
    periods_per_year : float or Series
        Bars in a year (`tapebook.data.calendar.periods_per_year`); a Series has one a symbol.
    """
    window = _window("window", window, 2)
    plain = _own(prices, lambda x: (x / x.shift() - 1.0).rolling(window).std(ddof=1))
    return plain * periods_per_year**0.5


# ---- crossings


def crossed_above(one: pd.DataFrame, other: pd.DataFrame | float) -> pd.DataFrame:
    """True in the bar in which `one` is above `other` and was known not to be in the symbol's bar before."""
    return _crossed(one, other, 1.0)


def crossed_below(one: pd.DataFrame, other: pd.DataFrame | float) -> pd.DataFrame:
    """True in the bar in which `one` is below `other` and was known not to be in the symbol's bar before."""
    return _crossed(one, other, -1.0)


def _crossed(one: pd.DataFrame, other: pd.DataFrame | float, side: float) -> pd.DataFrame:
    if _alike(one, other):  # the same rows and columns: in numpy, which a sweep does thousands of times
        gap = side * (one.to_numpy() - (other.to_numpy() if isinstance(other, pd.DataFrame) else other))
        if not _holes(gap):
            crossed = np.zeros(gap.shape, bool)
            crossed[1:] = (gap[1:] > 0) & (gap[:-1] <= 0)
            return pd.DataFrame(crossed, one.index, one.columns, copy=False)
    apart = side * (one - other)
    before = _own(apart, lambda x: x.shift())
    return (apart > 0) & (before <= 0)


def _alike(one: Any, other: Any) -> bool:
    if not isinstance(one, pd.DataFrame) or one.empty:
        return False
    if isinstance(other, pd.DataFrame):
        return one.index.is_(other.index) and one.columns.is_(other.columns)
    return isinstance(other, (int, float))


def _holes(values: np.ndarray) -> bool:
    """Whether anything is missing after a column has begun."""
    gone = np.isnan(values)
    return bool(gone.any() and (gone[1:] & ~np.logical_and.accumulate(gone, axis=0)[1:]).any())


# ---- how a column is worked on


def _window(name: str, value: int, least: int = 1) -> int:
    checked: int = Parameter(name, int, least, least, help="bars").check(value)
    return checked


def _positive(spread: Any) -> Any:
    return spread.where(spread > 0)


def _ranges(bars: Bars) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """High, low and close of the bars that have a close, filled as the simulator fills them."""
    opens, highs, lows, close = (bars.values[name] for name in ("open", "high", "low", "close"))
    opens = np.where(np.isnan(opens), close, opens)
    high = np.where(np.isnan(highs), np.maximum(opens, close), highs)
    low = np.where(np.isnan(lows), np.minimum(opens, close), lows)
    gone, shape = np.isnan(close), bars.close
    top, bottom = (
        pd.DataFrame(np.where(gone, np.nan, side), shape.index, shape.columns) for side in (high, low)
    )
    return top, bottom, shape


def _own(frame: pd.DataFrame, work: Callable[[Any], Any]) -> pd.DataFrame:
    """Do `work` on each symbol's own bars; all at once where none is missing."""
    if not frame.isna().to_numpy().any():
        whole: pd.DataFrame = work(frame)
        if isinstance(whole, pd.DataFrame) and isinstance(frame, pd.DataFrame):  # with the very same labels
            return pd.DataFrame(whole.to_numpy(), frame.index, frame.columns, copy=False)
        return whole
    if isinstance(frame, pd.Series):
        alone: pd.DataFrame = work(frame.dropna()).reindex(frame.index)
        return alone
    values = frame.to_numpy(dtype=float)
    gone = np.isnan(values)
    if not (gone[1:] & ~gone[:-1]).any():  # nothing is missing once a symbol has begun
        late: pd.DataFrame = work(frame)
        return pd.DataFrame(late.to_numpy(), frame.index, frame.columns, copy=False)
    rows = np.argsort(~gone, axis=0, kind="stable")  # what is missing first, then its own bars in their order
    close_up = pd.DataFrame(np.take_along_axis(values, rows, axis=0), copy=False)
    answer = np.empty(values.shape)
    np.put_along_axis(answer, rows, work(close_up).to_numpy(dtype=float), axis=0)
    answer[gone] = np.nan
    return pd.DataFrame(answer, frame.index, frame.columns, copy=False)


def _talib(work: Callable[..., np.ndarray], *frames: pd.DataFrame) -> pd.DataFrame:
    return _talibs(lambda *x: (work(*x),), 1, *frames)[0]


def _talibs(work: Callable[..., Any], parts: int, *frames: pd.DataFrame) -> list[pd.DataFrame]:
    """Do `work` column by column on the bars that all `frames` have; it answers with `parts` arrays."""
    import talib

    first = frames[0]
    blocks = [pd.DataFrame(frame).to_numpy(dtype=float) for frame in frames]
    answers = np.full((parts, *blocks[0].shape), np.nan)
    for n in range(blocks[0].shape[1]):
        columns = [block[:, n] for block in blocks]
        rows = np.flatnonzero(~np.any([np.isnan(c) for c in columns], axis=0))
        if len(rows):
            found = work(talib, *(np.ascontiguousarray(c[rows]) for c in columns))
            for part in range(parts):
                answers[part, rows, n] = found[part]
    if isinstance(first, pd.Series):
        return [pd.Series(a[:, 0], first.index, name=first.name) for a in answers]
    return [pd.DataFrame(a, first.index, first.columns) for a in answers]
