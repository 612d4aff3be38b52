"""Equity curves of a sweep's combinations, thinned, for pages that show them without computing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from tapebook.strategy.sweep.sweep import Sweep

SECONDS = 5.0
"""How long the curves of a sweep may take; what is not reached has none."""


def curves(sw: Sweep, *, points: int = 250, most: int = 400, seconds: float = SECONDS) -> pd.DataFrame:
    """Equity of the combinations, the best by the sweep's own metric first, then spread evenly over the rest.

    Parameters
    ----------
    points : int
        Bars that are kept of each curve, evenly spaced, the last among them.
    most : int
        Combinations at most.
    seconds : float
        Traded again one by one until this time is over: a sweep keeps figures, not curves.

    Returns
    -------
    DataFrame
        One column a combination, named "fast=10 slow=50"; symbols that were traded alone are summed.
    """
    import pandas as pd

    found: dict[str, pd.Series] = {}
    began = time.monotonic()
    for row in _rows(sw, most):
        if found and time.monotonic() - began > seconds:
            break
        settings = sw.settings_at(int(row))
        name = " ".join(f"{key}={value}" for key, value in settings.items())
        if name not in found:
            equity = sw.traded(settings).equity
            equity = equity.sum(axis=1) if isinstance(equity, pd.DataFrame) else equity
            kept = np.unique(np.linspace(0, len(equity) - 1, min(points, len(equity))).round().astype(int))
            found[name] = equity.iloc[kept]
    return pd.DataFrame(found)


def _rows(sw: Sweep, most: int) -> np.ndarray:
    """Rows of the table: the best, then an even spread that grows finer."""
    each = len(sw.bars.symbols) if sw.alone else 1
    starts = np.arange(0, len(sw.table), each)
    figure = sw.table[sw.metric].to_numpy(dtype=float)[starts]
    best = starts[int(np.nanargmax(figure))] if np.isfinite(figure).any() else starts[:1]
    spread = np.random.default_rng(0).permutation(starts)
    return np.concatenate([np.atleast_1d(best), spread])[: most + 1]
