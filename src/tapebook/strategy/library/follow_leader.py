"""Follow the leader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np

from tapebook.errors import BadInput
from tapebook.strategy.declare import Choices, Range, strategy

if TYPE_CHECKING:
    import pandas as pd

    from tapebook.data.panel import Bars


@strategy(family="pairs")
def follow_leader(
    bars: Bars,
    *,
    lag: Annotated[int, Range(1, 250, "bars by which the second symbol comes after the first")] = 1,
    way: Annotated[str, Choices("with", "against", help="as the leader went, or the other way")] = "with",
    threshold: Annotated[float, Range(0, 10, "leader's return, in its own deviations of 60 bars")] = 0.5,
) -> pd.DataFrame:
    """Hold the second symbol for the one bar that the first symbol's return of `lag` bars before announces.

    After Lo & MacKinlay (1990), "When Are Contrarian Profits Due to Stock Market Overreaction?", RFS 3(2),
    who found that some stocks' returns lead those of others. Row t uses closes up to and including t: what
    the leader did in bar t + 1 − lag speaks for the follower's bar t + 1, and is traded at its open. Long or
    short the whole equity, and flat where the leader moved by less than the threshold. A bar that either
    lacks decides nothing. Needs exactly two symbols, the leader first.
    """
    if len(bars.symbols) != 2:
        raise BadInput(
            f"follow_leader trades the second of exactly two symbols after the first, got "
            f"{len(bars.symbols)}: {', '.join(bars.symbols[:5])}"
        )
    close = bars.close.where(bars.close > 0)
    moved = close.iloc[:, 0].transform(np.log).diff()
    usual = moved.rolling(60, min_periods=20).std().shift(1)
    told = (moved / usual.where(usual > 0)).shift(lag - 1)
    side = np.sign(told).where(told.abs() >= threshold, 0.0) * (1.0 if way == "with" else -1.0)
    parts = close * 0.0
    parts.iloc[:, 1] = side + 0.0
    decided = close.notna().all(axis=1) & told.notna()
    weights: pd.DataFrame = parts.where(decided)
    return weights
