"""On a screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
import pandas as pd

from tapebook.strategy.declare import Choices, Range, strategy
from tapebook.strategy.screen.evaluate import Evaluation, Panel
from tapebook.strategy.screen.hits import read
from tapebook.strategy.screen.windows import shifted, since
from tapebook.strategy.signals import Signals

if TYPE_CHECKING:
    from tapebook.data.panel import Bars


@strategy(family="rule")
def on_screen(
    bars: Bars,
    *,
    expression: Annotated[str, "a condition of the screening language"] = "close > sma(50) and rsi(2) < 10",
    hold: Annotated[int, Range(1, 250, "bars to hold after the screen last found the symbol")] = 20,
    side: Annotated[str, Choices("long", "short", help="what to hold")] = "long",
) -> Signals:
    """Hold each symbol for some bars after a screen has found it.

    The expression is one of `tapebook scan`, such as "close > sma(200) and rsi(14) < 30". Row t uses bars up
    to and including t and is traded at the symbol's next open. Ranks compare the symbols of `bars`.
    """
    _, node, _ = read(expression)
    panel = Panel(bars)
    found = Evaluation(expression, panel).condition(node) == 1.0
    enter = found & ~(shifted(found.astype(float), 1) == 1.0)
    leave = since(found) == hold
    entries, exits = (_frame(bars, panel.spread(block.astype(float))) for block in (enter, leave))
    never = entries & False
    return Signals(never, never, entries, exits) if side == "short" else Signals(entries, exits)


def _frame(bars: Bars, block: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(block == 1.0, bars.index, bars.close.columns)
