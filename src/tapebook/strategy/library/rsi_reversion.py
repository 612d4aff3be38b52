"""RSI mean reversion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from tapebook.errors import BadParameter
from tapebook.strategy import indicators
from tapebook.strategy.declare import Range, strategy
from tapebook.strategy.signals import Signals

if TYPE_CHECKING:
    from tapebook.data.panel import Bars


@strategy(family="reversion")
def rsi_reversion(
    bars: Bars,
    *,
    window: Annotated[int, Range(2, 250, "bars of Wilder's smoothing")] = 14,
    low: Annotated[float, Range(1, 99, "buy when the RSI falls below")] = 30.0,
    high: Annotated[float, Range(1, 99, "sell when it rises above")] = 55.0,
) -> Signals:
    """Buy what has fallen hard by Wilder's relative strength index, sell when it has recovered.

    Wilder (1978), "New Concepts in Technical Trading Systems". Row t uses closes up to and including
    t and is traded at the symbol's next open. Only the fall through `low` buys. A missing bar decides
    nothing and is left out of the average; a price that never moved has an RSI of 50.
    """
    if low >= high:
        raise BadParameter("low", low, f"a number below high={high:g}")
    strength = indicators.rsi(bars.close, window)
    return Signals(indicators.crossed_below(strength, low), strength > high)
