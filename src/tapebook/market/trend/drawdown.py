"""How far below its peak a symbol is."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tapebook.market.trend.series import Series


def drawdowns(every: list[Series]) -> pd.DataFrame:
    """One row a symbol: `depth` of its last close below its highest so far, share, 0 or less.

    `since_peak` in the symbol's own bars, `deepest` the lowest depth so far, `near` the depth as a share
    of the deepest (0: at its peak, 1: never deeper).
    """
    return pd.DataFrame([_row(series) for series in every])


def _row(series: Series) -> dict[str, object]:
    close = series.close
    below = close / np.maximum.accumulate(close) - 1.0
    depth, deepest = float(below[-1]), float(below.min())
    since = len(close) - 1 - int(np.flatnonzero(below == 0.0)[-1])
    near = depth / deepest if deepest < 0.0 else 0.0
    return {
        "symbol": series.symbol,
        "depth": depth,
        "since_peak": since,
        "deepest": deepest,
        "near": near,
    }
