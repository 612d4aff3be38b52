"""Volatility and its regime, by the symbol's own past only."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tapebook.market.trend.series import Series

SPAN, LEAST = 20, 250
"""Returns in a volatility, and volatilities of the past that a regime needs."""
CALM, HIGH = 1.0 / 3.0, 0.8
"""Below this share of its past volatilities a symbol is calm, from that one on its volatility is high."""


def volatilities(every: list[Series], index: pd.DatetimeIndex, periods: float) -> pd.DataFrame:
    """Annualised volatility of the last 20 log returns, shape (T, N), known at each bar; NaN before."""
    return pd.DataFrame({s.symbol: _spread(s, len(index), periods) for s in every}, index=index)


def shares_of_past(volatility: pd.DataFrame) -> pd.DataFrame:
    """Share of the symbol's earlier volatilities that are at most the present one, shape (T, N).

    Row t compares with rows before t only; NaN until 250 of them are known.
    """
    from tapebook.market.trend.kernels import rank_among_past

    told = np.full(volatility.shape, np.nan)
    for n in range(volatility.shape[1]):
        column = volatility.iloc[:, n].to_numpy(dtype=float)
        known = np.flatnonzero(np.isfinite(column))
        told[known, n] = rank_among_past(np.ascontiguousarray(column[known]), LEAST)
    return pd.DataFrame(told, index=volatility.index, columns=volatility.columns)


def regime(share: float) -> str:
    """Word for a share of the past: calm, usual or high; "?" where it is not known.

    >>> regime(0.1), regime(0.5), regime(0.95)
    ('calm', 'usual', 'high')
    """
    if np.isnan(share):
        return "?"
    return "calm" if share < CALM else "high" if share >= HIGH else "usual"


def _spread(series: Series, T: int, periods: float) -> np.ndarray:
    answer = np.full(T, np.nan)
    if len(series.moved) >= SPAN:
        windows = np.lib.stride_tricks.sliding_window_view(series.moved, SPAN)
        answer[series.moved_rows[SPAN - 1 :]] = windows.std(axis=1, ddof=1) * np.sqrt(periods)
    return answer
