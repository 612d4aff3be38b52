"""On a pattern."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
import pandas as pd

from tapebook.strategy.declare import Choices, Range, strategy
from tapebook.strategy.signals import Signals

if TYPE_CHECKING:
    from tapebook.data.panel import Bars


@strategy(family="pattern")
def on_pattern(
    bars: Bars,
    *,
    pattern: Annotated[str, "name of a pattern, as the scan of patterns lists it"] = "20-bar high",
    hold: Annotated[int, Range(1, 250, "bars to hold after the pattern last occurred")] = 5,
    side: Annotated[str, Choices("long", "short", help="what to hold")] = "long",
) -> Signals:
    """Hold each symbol for some bars after a pattern occurred in it.

    The pattern is one of `tapebook.market.patterns`: a candlestick such as "engulfing pattern bullish", a
    season such as "turn of month", "gap up 1 ATR", "20-bar high", "volume 4x down" or "recurring shape that
    rose". Row t uses bars up to and including t and is traded at the symbol's next open; a pattern that
    occurs again while held starts the count anew. `hold` counts the bars that the symbol has; a missing bar
    decides nothing.
    """
    from tapebook.market.pattern_events import occurrences

    now = occurrences(bars, pattern)
    there = np.isfinite(bars.values["close"])
    own = np.cumsum(there, axis=0)  # own bars so far
    last = np.maximum.accumulate(np.where(now, own, -hold - 1), axis=0)
    entries = _frame(now, bars)
    exits = _frame(there & (own - last == hold), bars)
    if side == "short":
        never = entries & False
        return Signals(never, never, entries, exits)
    return Signals(entries, exits)


def _frame(block: np.ndarray, bars: Bars) -> pd.DataFrame:
    return pd.DataFrame(block, bars.index, bars.close.columns)
