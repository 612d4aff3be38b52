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

STALE = pd.Timedelta(days=10)
"""Age of a close at which a symbol counts as gone: longer than any exchange's holidays."""


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
    symbol that has no bar just then (another exchange's holiday) counts with its latest, up to ten
    days old; with an older one, or without enough history, it is not held. While fewer than `top`
    are known, their parts stay cash.
    """
    if skip >= lookback:
        raise BadParameter("skip", skip, f"fewer bars than lookback={lookback}")
    past = indicators.simple_returns(bars.close, lookback - skip)
    if skip:
        past = indicators.lagged(past, skip)
    past = _latest(past)
    rank = past.rank(axis=1, ascending=False, method="first")
    weights = (rank <= top).astype(float) / top
    months = bars.index.tz_localize(None).to_period("M")
    fresh = np.concatenate([[False], months[1:] != months[:-1]])[: len(months)]
    known = past.notna().any(axis=1).to_numpy()
    return weights.where(pd.Series(fresh & known, weights.index), axis=0)


def _latest(values: pd.DataFrame) -> pd.DataFrame:
    """Each symbol's latest value, as long as it is not stale."""
    known, stamps = values.to_numpy(), pd.DatetimeIndex(values.index).tz_convert(None).to_numpy()
    rows = np.arange(len(values))[:, None]
    seen = np.maximum.accumulate(np.where(np.isnan(known), -1, rows), axis=0)
    fresh = (seen >= 0) & (stamps[:, None] - stamps[seen] <= STALE.to_timedelta64())
    latest = np.take_along_axis(known, np.maximum(seen, 0), axis=0)
    return pd.DataFrame(np.where(fresh, latest, np.nan), values.index, values.columns)
