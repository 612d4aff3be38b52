"""Donchian breakout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from tapebook.strategy import indicators
from tapebook.strategy.declare import Range, strategy
from tapebook.strategy.signals import Signals

if TYPE_CHECKING:
    from tapebook.data.panel import Bars


@strategy(family="trend")
def donchian_breakout(
    bars: Bars,
    *,
    enter: Annotated[int, Range(2, 500, "bars before, whose highest high is broken")] = 20,
    leave: Annotated[int, Range(2, 500, "bars before, whose lowest low is broken")] = 10,
) -> Signals:
    """Buy a close above the highest high of the bars before, sell one below their lowest low.

    Donchian's rule as the Turtles traded it (Faith 2007, "Way of the Turtle"). Row t compares its
    close with the channel of the bars before t and is traded at the symbol's next open. After a stop
    it takes a new high to buy again. A missing bar decides nothing and is no part of a channel.
    """
    upper = indicators.donchian(bars, enter).upper
    lower = indicators.donchian(bars, leave).lower
    return Signals(bars.close > upper, bars.close < lower)
