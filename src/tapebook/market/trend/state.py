"""Where every symbol stands: momentum and its rank, its moving average, its ADX."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tapebook.market.trend.series import Series

if TYPE_CHECKING:
    from tapebook.data.panel import Bars

ADX_SPAN, ADX_TREND = 14, 25.0
"""Wilder's (1978) span, and the value from which on he speaks of a trend."""


def states(every: list[Series], horizons: tuple[int, ...]) -> pd.DataFrame:
    """One row a symbol and horizon; bars are the symbol's own.

    `momentum` is the simple return over `horizon` bars and `rank` its place among the symbols (0 lowest,
    1 highest; NaN for one alone). `above`: the close is above its mean over `horizon` bars; `since_cross`
    bars since it went to this side (NaN where it was never seen on the other); `distance` close over mean,
    less 1. NaN and None where the history is too short.
    """
    table = pd.DataFrame([_state(series, horizon) for series in every for horizon in horizons])
    by = table.groupby("horizon")["momentum"]
    among = by.transform("count")
    rank = (by.rank() - 1.0) / (among - 1.0).where(among > 1)
    table.insert(3, "rank", rank)
    return table


def _state(series: Series, horizon: int) -> dict[str, object]:
    close, row = series.close, {"symbol": series.symbol, "horizon": horizon}
    momentum = close[-1] / close[-1 - horizon] - 1.0 if len(close) > horizon else np.nan
    if len(close) < horizon:
        return row | {"momentum": momentum, "above": None, "since_cross": np.nan, "distance": np.nan}
    mean = np.lib.stride_tricks.sliding_window_view(close, horizon).mean(axis=1)
    above = close[horizon - 1 :] > mean
    other = np.flatnonzero(above != above[-1])
    since = float(len(above) - 2 - other[-1]) if len(other) else np.nan
    distance = float(close[-1] / mean[-1] - 1.0)
    return row | {
        "momentum": float(momentum),
        "above": bool(above[-1]),
        "since_cross": since,
        "distance": distance,
    }


def directions(bars: Bars, every: list[Series]) -> pd.DataFrame:
    """One row a symbol: Wilder's `adx` over 14 bars (NaN without highs and lows) and `adx_says`.

    "up" or "down" by the larger of +DI and −DI where ADX is 25 or more, else "no trend"; "?" unknown.
    """
    place = {name: n for n, name in enumerate(bars.symbols)}
    return pd.DataFrame([_direction(bars, place[s.symbol], s) for s in every])


def _direction(bars: Bars, n: int, series: Series) -> dict[str, object]:
    import talib

    high, low = (bars.values[name][series.rows, n] for name in ("high", "low"))
    known = np.isfinite(high) & np.isfinite(low)
    tops, lows, ends = (np.ascontiguousarray(x[known]) for x in (high, low, series.close))
    if len(ends) <= 2 * ADX_SPAN or not known[-1]:
        return {"symbol": series.symbol, "adx": np.nan, "adx_says": "?"}
    adx = float(talib.ADX(tops, lows, ends, ADX_SPAN)[-1])
    up = float(talib.PLUS_DI(tops, lows, ends, ADX_SPAN)[-1])
    down = float(talib.MINUS_DI(tops, lows, ends, ADX_SPAN)[-1])
    says = "no trend" if adx < ADX_TREND else "up" if up > down else "down"
    return {"symbol": series.symbol, "adx": adx, "adx_says": says}
