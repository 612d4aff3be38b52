"""Pairs spread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
import pandas as pd

from tapebook.errors import BadInput, BadParameter
from tapebook.strategy.declare import Range, strategy

if TYPE_CHECKING:
    from tapebook.data.panel import Bars


@strategy(family="reversion")
def pairs_spread(
    bars: Bars,
    *,
    window: Annotated[int, Range(10, 1000, "bars for the hedge ratio and the spread's mean")] = 60,
    enter: Annotated[float, Range(0.1, 6, "spread in standard deviations at which to trade")] = 2.0,
    leave: Annotated[float, Range(0, 6, "spread in standard deviations at which to get out")] = 0.5,
) -> pd.DataFrame:
    """Trade the log-price spread of two symbols back to its mean: short the dear, long the cheap.

    After Gatev, Goetzmann & Rouwenhorst (2006), RFS 19(3), with a rolling regression (first symbol on
    second) for the hedge ratio. Row t uses closes up to and including t and is traded at the next
    open; rows in which nothing changes leave both alone. The sides stand in the proportion 1 to hedge
    ratio, together the whole equity. Nothing is held while the ratio is not above zero: both sides
    would be the same bet. A bar that one of the two lacks, or a price not above zero, is left out.
    Needs exactly two symbols.
    """
    if len(bars.symbols) != 2:
        raise BadInput(
            f"pairs_spread trades exactly two symbols, got {len(bars.symbols)}: {', '.join(bars.symbols[:5])}"
        )
    if leave >= enter:
        raise BadParameter("leave", leave, f"a number below enter={enter:g}")
    close = bars.close
    both = close.where(close > 0).dropna().transform(np.log)
    y, x = both.iloc[:, 0], both.iloc[:, 1]
    spread_x = x.rolling(window).var()
    ratio = x.rolling(window).cov(y) / spread_x.where(spread_x > 0)
    residual = y - ratio * x - (y.rolling(window).mean() - ratio * x.rolling(window).mean())
    noise = (y.rolling(window).var() - ratio**2 * spread_x).clip(lower=0) ** 0.5
    sound = (noise > 0) & (ratio > 0)
    side = _sides((residual / noise).where(sound).to_numpy(), enter, leave)
    hedge = ratio.where(sound, 0.0).to_numpy()
    gross = 1.0 + hedge
    parts = np.column_stack([side / gross, -side * hedge / gross]) + 0.0  # -0.0 becomes 0.0
    parts[side == np.concatenate([[0.0], side])[:-1]] = np.nan
    return pd.DataFrame(parts, both.index, close.columns).reindex(close.index)


def _sides(z: np.ndarray, enter: float, leave: float) -> np.ndarray:
    """Position in the spread after each bar: -1 when it is dear, 1 when cheap, 0 once it is back."""
    side, held = np.zeros(len(z)), 0.0
    for t, now in enumerate(z):
        if np.isnan(now):
            held = 0.0
        elif held == 0.0:
            held = -1.0 if now > enter else (1.0 if now < -enter else 0.0)
        elif held * now > -leave:
            held = 0.0
        side[t] = held
    return side
