"""Dual moving average."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from tapebook.errors import BadParameter
from tapebook.strategy import indicators
from tapebook.strategy.declare import Range, strategy
from tapebook.strategy.signals import Signals

if TYPE_CHECKING:
    from tapebook.data.panel import Bars


@strategy(family="trend")
def sma_cross(
    bars: Bars,
    *,
    fast: Annotated[int, Range(1, 500, "bars in the fast mean")] = 10,
    slow: Annotated[int, Range(2, 1000, "bars in the slow mean")] = 50,
) -> Signals:
    """Be long from the fast mean's rise above the slow one until it falls below.

    Brock, Lakonishok & LeBaron (1992), J. of Finance 47(5). Row t uses closes up to and including t
    and is traded at the symbol's next open. Only a crossing counts: a symbol that starts with its
    fast mean on top is bought after the next crossing. A missing bar decides nothing and leaves the
    means as they are: they run over the bars that the symbol has.
    """
    if fast >= slow:
        raise BadParameter("fast", fast, f"fewer bars than slow={slow}")
    one, other = indicators.sma(bars.close, fast), indicators.sma(bars.close, slow)
    return Signals(indicators.crossed_above(one, other), indicators.crossed_below(one, other))
