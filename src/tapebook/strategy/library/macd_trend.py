"""MACD trend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from tapebook.errors import BadParameter
from tapebook.strategy import indicators
from tapebook.strategy.declare import Range, strategy
from tapebook.strategy.signals import Signals

if TYPE_CHECKING:
    from tapebook.data.panel import Bars


@strategy(family="trend")
def macd_trend(
    bars: Bars,
    *,
    fast: Annotated[int, Range(2, 250, "bars of the fast exponential mean")] = 12,
    slow: Annotated[int, Range(3, 500, "bars of the slow exponential mean")] = 26,
    signal: Annotated[int, Range(1, 250, "bars of the signal line's exponential mean")] = 9,
) -> Signals:
    """Be long from the MACD line's rise above its signal line until it falls below.

    Appel (1979), "The Moving Average Convergence-Divergence Method", with exponential means. Row t
    uses closes up to and including t and is traded at the symbol's next open. Only a crossing counts.
    A missing bar decides nothing and is left out of the means.
    """
    if fast >= slow:
        raise BadParameter("fast", fast, f"fewer bars than slow={slow}")
    histogram = indicators.macd(bars.close, fast, slow, signal).histogram
    return Signals(indicators.crossed_above(histogram, 0.0), indicators.crossed_below(histogram, 0.0))
