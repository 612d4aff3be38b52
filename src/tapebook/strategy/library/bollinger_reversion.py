"""Bollinger reversion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from tapebook.strategy import indicators
from tapebook.strategy.declare import Range, strategy
from tapebook.strategy.signals import Signals

if TYPE_CHECKING:
    from tapebook.data.panel import Bars


@strategy(family="reversion")
def bollinger_reversion(
    bars: Bars,
    *,
    window: Annotated[int, Range(2, 500, "bars in the mean")] = 20,
    width: Annotated[float, Range(0.1, 6, "standard deviations from the mean to the band")] = 2.0,
) -> Signals:
    """Buy when the close falls below the lower band, sell when it is back at the mean.

    Bollinger (2001), "Bollinger on Bollinger Bands". Row t uses closes up to and including t and is
    traded at the symbol's next open. Only the fall through the band buys, so that nothing is bought
    again right after a stop. A missing bar decides nothing and is left out of mean and deviation.
    """
    bands = indicators.bollinger(bars.close, window, width)
    return Signals(indicators.crossed_below(bars.close, bands.lower), bars.close >= bands.middle)
