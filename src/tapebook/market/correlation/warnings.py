"""What makes a correlation less than it seems: stale prices, closes at other times, the same series twice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from tapebook.data.panel import Bars
from tapebook.market.correlation.questions import FEWEST

STALE = 0.1
"""Share of bars without a change of price from which on a price is called stale."""
FEW = 20
"""Symbols below which residuals to their own mean are bound to be correlated."""


def warned(bars: Bars, returns: pd.DataFrame, own_mean: bool) -> tuple[str, ...]:
    """Say what to hold against these correlations; `own_mean`: residuals to the mean of these symbols."""
    told = [_stale(bars, returns), _clocks(bars), _same(returns)]
    N = returns.shape[1]
    if own_mean and N < FEW:
        told.append(
            f"residuals to the mean of only {N} symbols are bound to correlate by about {-1 / (N - 1):.2f}: "
            "give factors from outside (factors=)"
        )
    return tuple(text for text in told if text)


def not_asked(N: int, asked: int, window: int | None, params: Mapping[str, Any]) -> list[str]:
    """Say how many questions of one window had too few rows for an answer."""
    lags, least = params["lags"], params["min_bars"]
    every = N * (N - 1) // 2 + lags * N * (N - 1)
    if asked == every:
        return []
    if params["halflife"] is not None:
        why = (
            f"a half-life of {params['halflife']:g} bars leaves them fewer than {FEWEST} rows of equal weight"
        )
    else:
        rows = min(least, window or least)
        why = f"they share fewer than {rows:,} rows{f' of the last {window:,}' if window else ''}"
    what = "pairs" if lags == 0 else "pairs and lags"
    return [
        f"{every - asked:,} of {every:,} {what} were not asked: {why}, or one of the two does not move there"
    ]


def _stale(bars: Bars, returns: pd.DataFrame) -> str:
    close = bars.close.loc[returns.index]
    same = (close.diff() == 0.0).sum() / close.notna().sum().clip(lower=1)
    stale = same[same > STALE].sort_values(ascending=False)
    if stale.empty:
        return ""
    named = ", ".join(f"{name} ({share:.0%} of bars)" for name, share in stale.head(5).items())
    return f"stale prices: no change in {named}; correlations at lag 0 come out too small, at lag 1 too large"


def _clocks(bars: Bars) -> str:
    """Daily closes by calendars that close at other times of the day are not of one moment."""
    from tapebook.data.align import known_at

    names = tuple(dict.fromkeys(bars.calendars[symbol] for symbol in bars.symbols))
    if len(names) < 2 or bars.freq.intraday:
        return ""
    last = bars.index[-min(len(bars), 30) :]
    closes = {name: known_at(last, bars.freq, (name,)) for name in names}
    hours = {name: float(np.median((at - last).total_seconds())) / 3600.0 for name, at in closes.items()}
    apart = max(hours.values()) - min(hours.values())
    if apart < 0.5:
        return ""
    return (
        f"closes of {', '.join(names)} lie up to {apart:.1f} hours apart: correlations at lag 0 come out too "
        "small and at lag 1 too large; longer bars (bars.resample('1w')) or shared hours help"
    )


def _same(returns: pd.DataFrame) -> str:
    from tapebook.market.correlation.products import correlation_matrix

    R = np.triu(np.nan_to_num(correlation_matrix(returns.to_numpy(dtype=float))), 1)
    first, second = np.nonzero(R > 1.0 - 1e-9)
    if not len(first):
        return ""
    pairs = [
        f"{returns.columns[i]} and {returns.columns[j]}" for i, j in zip(first[:5], second[:5], strict=True)
    ]
    return f"the same series under two names: {'; '.join(pairs)}"
