"""The columns that are correlated: log returns, or what factors leave of them; nothing is ever filled."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from tapebook.data.panel import Bars
from tapebook.errors import BadInput, BadParameter

Align = Literal["consecutive", "shared"]


def log_returns(bars: Bars, align: Align = "consecutive") -> pd.DataFrame:
    """Return log returns (T, N), known at the close of their row; NaN where there is none.

    "consecutive": a return lies between two rows of the panel that follow each other, both with a
    close; a holiday of one symbol costs it two returns. "shared": only the rows on which every symbol
    has a close, and returns between those, so that all span the same time; other rows are dropped.
    """
    if align not in ("consecutive", "shared"):
        raise BadParameter("align", align, '"consecutive" or "shared"')
    close = bars.close
    if align == "shared":
        close = close[close.notna().all(axis=1)]
    if bool((close <= 0.0).any(axis=None)):
        raise BadInput("a price at or below 0 has no log return: leave that symbol out")
    return pd.DataFrame(np.log(close.to_numpy()), close.index, close.columns).diff().iloc[1:]


def residuals(returns: pd.DataFrame, factors: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return what is left of each column after a regression on factors, on the rows that it shares with them.

    Without `factors` the one factor is the mean of all columns: the market of the panel. Each column's
    betas are of the whole span given. Rows that the factors lack are NaN. Stamps without a time zone are UTC.
    """
    if factors is None:
        factors = returns.mean(axis=1).to_frame("market")
    index = factors.index
    if isinstance(index, pd.DatetimeIndex) and index.tz is None and getattr(returns.index, "tz", None):
        factors = factors.set_axis(index.tz_localize("UTC"), axis=0)
    if not factors.index.is_unique:
        raise BadInput(f"factors have the stamp {factors.index[factors.index.duplicated()][0]} twice")
    F = factors.reindex(returns.index).to_numpy(dtype=float)
    empty = factors.columns[~np.isfinite(F).any(axis=0)]
    if len(empty):
        raise BadInput(
            f"factor {empty[0]} has no value on a row of the returns: it needs the same stamps, in UTC"
        )
    left = np.full(returns.shape, np.nan)
    for n, name in enumerate(returns.columns):
        y = returns[name].to_numpy()
        rows = np.isfinite(y) & np.isfinite(F).all(axis=1)
        if rows.sum() > F.shape[1] + 2:
            X = np.column_stack([np.ones(rows.sum()), F[rows]])
            left[rows, n] = y[rows] - X @ np.linalg.lstsq(X, y[rows], rcond=None)[0]
    return pd.DataFrame(left, returns.index, returns.columns)
