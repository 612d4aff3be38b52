"""Time-series momentum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from tapebook.strategy import indicators
from tapebook.strategy.declare import Range, strategy
from tapebook.strategy.signals import Signals

if TYPE_CHECKING:
    from tapebook.data.panel import Bars


@strategy(family="trend")
def momentum(
    bars: Bars, *, lookback: Annotated[int, Range(2, 1000, "bars over which the return is taken")] = 252
) -> Signals:
    """Be long while the return over `lookback` bars is above zero.

    Moskowitz, Ooi & Pedersen (2012), "Time Series Momentum", JFE 104(2), its sign rule without their
    scaling by volatility (take sizing="volatility" for that). Row t uses closes up to and including
    t and is traded at the symbol's next open. Entries are events: the return turns positive, or is
    known for the first time and positive. A missing bar decides nothing; `lookback` counts the bars
    that the symbol has.
    """
    past = indicators.simple_returns(bars.close, lookback)
    up = past > 0
    first = past.notna() & (past.notna().cumsum() == 1)
    return Signals(indicators.crossed_above(past, 0.0) | (first & up), past <= 0)
