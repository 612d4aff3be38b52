"""Cross-sectional momentum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
import pandas as pd

from tapebook.errors import BadParameter
from tapebook.strategy import indicators
from tapebook.strategy.declare import Range, strategy

if TYPE_CHECKING:
    from tapebook.data.panel import Bars


@strategy(family="trend")
def cross_momentum(
    bars: Bars,
    *,
    lookback: Annotated[int, Range(5, 1000, "bars over which the return is taken")] = 252,
    skip: Annotated[int, Range(0, 100, "latest bars that are left out")] = 21,
    top: Annotated[int, Range(1, 500, "symbols to hold, in equal parts")] = 2,
) -> pd.DataFrame:
    """Each month, hold the symbols that rose most over the past year without its last month.

    Jegadeesh & Titman (1993), J. of Finance 48(1), long side. Decided at the close of each month's
    first bar from closes up to and including it, traded at the next open; no row in between. A
    symbol without enough history is not held; while fewer than `top` are known, their parts stay cash.
    """
    if skip >= lookback:
        raise BadParameter("skip", skip, f"fewer bars than lookback={lookback}")
    past = indicators.simple_returns(bars.close, lookback - skip)
    if skip:
        past = indicators.lagged(past, skip)
    rank = past.rank(axis=1, ascending=False, method="first")
    weights = (rank <= top).astype(float) / top
    months = bars.index.tz_localize(None).to_period("M")
    fresh = np.concatenate([[False], months[1:] != months[:-1]])[: len(months)]
    known = past.notna().any(axis=1).to_numpy()
    return weights.where(pd.Series(fresh & known, weights.index), axis=0)
