"""Buy and hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapebook.strategy.declare import strategy
from tapebook.strategy.signals import Signals

if TYPE_CHECKING:
    from tapebook.data.panel import Bars


@strategy(family="passive")
def buy_and_hold(bars: Bars) -> Signals:
    """Buy each symbol after its first bar and never sell: what every other strategy has to beat.

    Row t is true where bar t is the symbol's first; bought at the open of its second. A symbol that is
    listed late is bought then; missing bars change nothing.
    """
    here = bars.close.notna()
    first = here & (here.cumsum() == 1)
    return Signals(entries=first, exits=first & False)
