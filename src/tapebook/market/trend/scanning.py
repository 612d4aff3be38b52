"""Trend scanning that looks back only, judged against random walks."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tapebook.market.trend.null import trend_null
from tapebook.market.trend.series import Series

GRID = 0.05


def windows(horizon: int) -> tuple[int, int]:
    """Shortest and longest look-back of one horizon, in bars: from a quarter of it, at least 5."""
    return max(5, horizon // 4), horizon


def scanned(every: list[Series], horizons: tuple[int, ...], seed: int) -> pd.DataFrame:
    """One row a symbol and horizon: the line with the largest |t| of all look-backs from the last bar.

    López de Prado (2020), Machine Learning for Asset Managers, §5.4, with windows that end (not begin) at
    t, so that nothing after t is used. `effect` is the slope in log % a bar, `window` its length in the
    symbol's own bars, `t` its t-value by ordinary least squares. That t is no test: a line through a random
    walk has |t| > 10 as a rule. `p` compares it with the largest |t| among the same windows of random
    walks whose steps are as autocorrelated as the symbol's (not below 0), and `low`, `high` are the slope's
    interval by inverting that comparison: it leaves out 0 where p < 0.05.
    """
    rows = [_row(series, horizon, seed) for series in every for horizon in horizons]
    return pd.DataFrame([row for row in rows if row is not None])


def _row(series: Series, horizon: int, seed: int) -> dict[str, object] | None:
    from tapebook.market.trend.kernels import strongest

    if len(series.close) < horizon:
        return None
    shortest, longest = windows(horizon)
    window, slope, t = strongest(series.log, shortest, longest)
    null = trend_null(shortest, longest, stickiness(series.moved), seed)
    spread = abs(slope) * null.quantile(0.95) / abs(t) if t else np.nan
    return {
        "question": "trend",
        "symbol": series.symbol,
        "horizon": horizon,
        "effect": 100.0 * slope,
        "low": 100.0 * (slope - spread),
        "high": 100.0 * (slope + spread),
        "unit": "log % a bar",
        "n": window,
        "p": null.p(abs(t)) if t else 1.0,
        "statistic": t,
    }


def stickiness(moved: np.ndarray) -> float:
    """First autocorrelation of returns that counts against a trend: 0 to 0.5, in steps of 0.05.

    An estimate less its error, rounded up. Clipped at 4 robust deviations, so that no crash decides it.
    """
    if len(moved) < 30:
        return 0.0
    centred = moved - np.median(moved)
    scale = 1.4826 * float(np.median(np.abs(centred)))
    if scale > 0.0:
        centred = np.clip(centred, -4.0 * scale, 4.0 * scale)
    phi = float(centred[1:] @ centred[:-1] / (centred @ centred)) if centred.any() else 0.0
    steps = np.ceil((phi - 1.0 / np.sqrt(len(moved))) / GRID)
    return float(np.clip(steps * GRID, 0.0, 0.5))
