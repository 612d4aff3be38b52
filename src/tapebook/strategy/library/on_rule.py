"""On a rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
import pandas as pd

from tapebook.errors import BadInput
from tapebook.strategy.declare import Choices, Range, strategy
from tapebook.strategy.signals import Signals

if TYPE_CHECKING:
    from tapebook.data.panel import Bars


@strategy(family="rule")
def on_rule(
    bars: Bars,
    *,
    rule: Annotated[str, "conditions on the state of a symbol"] = "return_20 <= -2",
    hold: Annotated[int, Range(1, 250, "bars to hold after the rule was last true")] = 10,
    side: Annotated[str, Choices("long", "short", help="what to hold")] = "long",
    beside: Annotated[int, Range(0, 50, "last symbols that are only looked at")] = 0,
) -> Signals:
    """Hold each symbol for some bars after a rule on its state was true.

    The rule is one that `tapebook.market.rules` found, or your own: conditions on the features of
    `tapebook.market.states`, such as "volume_5 > 0.5 and return_20 <= -1". Row t uses bars up to and
    including t and is traded at the symbol's next open. The last `beside` symbols are not traded: each of
    them gives features of its own name, as the series of a scan do.
    """
    from tapebook.market.rule_text import parsed, rings
    from tapebook.market.states import states

    conditions = parsed(rule)
    if beside >= len(bars.symbols):
        raise BadInput(
            f"on_rule: {len(bars.symbols)} symbols, {beside} of them only looked at: none is left to trade"
        )
    count = len(bars.symbols) - beside
    traded = bars.select(*bars.symbols[:count])
    series = bars.close.iloc[:, count:] if beside else None
    rung = rings(states(traded, series, only={one.feature for one in conditions}), conditions)
    enter = pd.DataFrame(False, bars.index, bars.close.columns)
    leave = enter.copy()
    for n in range(count):
        own = np.flatnonzero(np.isfinite(bars.values["close"][:, n]))
        enter.iloc[own, n], leave.iloc[own, n] = _held(rung[own, n], hold)
    never = enter & False
    return Signals(never, never, enter, leave) if side == "short" else Signals(enter, leave)


def _held(rung: np.ndarray, hold: int) -> tuple[np.ndarray, np.ndarray]:
    """Where a rule on one symbol's own bars (T,) becomes true, and `hold` bars after it was last true."""
    now = pd.Series(rung)
    lately = now.astype(float).rolling(hold, min_periods=1).max() > 0
    enter = now & ~now.shift(1, fill_value=False)
    leave = ~lately & lately.shift(1, fill_value=False)
    return enter.to_numpy(), leave.to_numpy()
