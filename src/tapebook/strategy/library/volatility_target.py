"""Volatility target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import pandas as pd

from tapebook.data.calendar import periods_per_year
from tapebook.strategy import indicators
from tapebook.strategy.declare import Range, strategy

if TYPE_CHECKING:
    from tapebook.data.panel import Bars


@strategy(family="risk")
def volatility_target(
    bars: Bars,
    *,
    target: Annotated[float, Range(0.01, 2, "annual volatility to aim at")] = 0.15,
    window: Annotated[int, Range(5, 500, "bars over which volatility is measured")] = 60,
    every: Annotated[int, Range(1, 250, "bars between two adjustments")] = 5,
) -> pd.DataFrame:
    """Hold every symbol, less of it the more it moves, and cash for the rest.

    Moreira & Muir (2017), "Volatility-Managed Portfolios", J. of Finance 72(4). Each symbol's slot of
    1/N of the equity is filled to target / realised volatility, at most wholly. Row t uses closes up
    to and including t and is traded at the symbol's next open; it is adjusted at every so many of its
    own bars and left alone between. A missing bar decides nothing, nor does one after a stretch in
    which the price stood still.
    """
    close = bars.close
    years = [periods_per_year(bars.calendars[symbol], bars.freq) for symbol in bars.symbols]
    risk = indicators.realised_volatility(close, window, pd.Series(years, close.columns))
    weights = (target / risk.where(risk > 0)).clip(upper=1.0) / len(bars.symbols)
    return weights.where(close.notna().cumsum() % every == 1 % every)
