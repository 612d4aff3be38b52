"""What a strategy can be expected to make, a trade and a bar, and how far chance could move that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from tapebook.errors import BadParameter
from tapebook.strategy.luck.estimates import MIN_BARS, Estimate

if TYPE_CHECKING:
    import pandas as pd

    from tapebook.strategy.backtest.backtest import Backtest

SIZES = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0)


@dataclass(frozen=True, eq=False, repr=False)
class Expectancy:
    """Estimates by name, each with the interval that chance allows. An immutable value.

    `block` is the mean block length of the bootstrap of bars, `ruin` the loss of initial cash that
    counts as ruin.
    """

    estimates: Mapping[str, Estimate]
    draws: int
    seed: int
    confidence: float
    ruin: float
    block: float
    periods_per_year: float
    returns: np.ndarray = field(compare=False)

    def __getitem__(self, name: str) -> Estimate:
        return self.estimates[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.estimates)

    def frame(self) -> pd.DataFrame:
        """One row an estimate, by name: value, low, high (numbers), shown, unit, convention."""
        import pandas as pd

        rows = {n: (e.value, e.low, e.high, str(e), e.unit, e.convention) for n, e in self.estimates.items()}
        columns = ["value", "low", "high", "shown", "unit", "convention"]
        return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("name")

    def to_json(self) -> dict[str, dict[str, Any]]:
        """Plain values by name; what is not a number becomes None."""
        return {name: estimate.record() for name, estimate in self.estimates.items()}

    def sizes(self, sizes: Sequence[float] = SIZES) -> pd.DataFrame:
        """What trading smaller or larger would have done, over the very paths of the estimates.

        Returns
        -------
        DataFrame by `size` (1 is the present size; borrowing costs are left out)
            median_growth (share a year), drawdown_95 (max drawdown that 95 % of paths stay above),
            risk_of_ruin (share of paths that ever lose `ruin` of the initial cash). NaN without bars.
        """
        import pandas as pd

        from tapebook.strategy.luck.bar_estimates import annual_growth, paths

        for size in sizes:
            if not 0.0 < size < np.inf:
                raise BadParameter("sizes", size, "multiples of the present size, above 0")
        T = len(self.returns)
        rows = []
        for size in sizes if T >= MIN_BARS else ():
            drawn = paths(self.returns * size, self.draws, self.block, self.seed)
            growth = annual_growth(float(np.median(drawn.growth)), T, self.periods_per_year)
            rows.append((growth, float(np.quantile(drawn.drawdown, 0.05)), drawn.ruined(self.ruin)))
        columns = ["median_growth", "drawdown_95", "risk_of_ruin"]
        values = rows or np.full((len(sizes), 3), np.nan)
        return pd.DataFrame(values, pd.Index(list(sizes), name="size", dtype=float), columns)

    def __str__(self) -> str:
        width = max(len(name) for name in self.estimates)
        return "\n".join(f"{name:<{width}}  {e!s:>34}  {e.convention}" for name, e in self.estimates.items())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        frame = self.frame()[["shown", "convention"]]
        return str(frame.to_html(header=False, index_names=False, escape=True, border=0))


def expectancy(
    bt: Backtest, *, draws: int = 2000, seed: int = 0, confidence: float = 0.95, ruin: float = 0.5
) -> Expectancy:
    """Estimate what a trade and a bar make, with intervals by stationary block bootstrap.

    Closed trades only, after costs. What cannot be estimated is NaN, and its convention says why.
    The past is drawn again from itself: what never happened in it happens in no draw.

    Parameters
    ----------
    draws : int
        Pasts drawn, at least 100. The same `seed` draws the same ones.
    confidence : float
        Of the intervals, between 0 and 1.
    ruin : float
        Loss of initial cash that counts as ruin, between 0 and 1.

    Source
    ------
    Politis & Romano (1994), "The Stationary Bootstrap", JASA 89; block length by Politis & White (2004).
    """
    from tapebook.strategy.luck.bar_estimates import bar_returns, of_bars
    from tapebook.strategy.luck.resampling import block_length
    from tapebook.strategy.luck.trade_estimates import of_trades
    from tapebook.strategy.performance.figures import MARK

    if draws != int(draws) or draws < 100:
        raise BadParameter("draws", draws, "a whole number of at least 100")
    for name, share in (("confidence", confidence), ("ruin", ruin)):
        if not 0.0 < share < 1.0:
            raise BadParameter(name, share, "a share between 0 and 1: 0.95 is 95 %")
    returns, _ = bar_returns(bt)
    block = block_length(returns)
    found = of_trades(bt, draws, seed, confidence)
    found |= of_bars(bt, block=block, draws=draws, seed=seed, confidence=confidence, ruin=ruin)
    if bt.same_close:
        found = {name: e.said(MARK) for name, e in found.items()}
    return Expectancy(found, draws, seed, confidence, ruin, block, bt.periods_per_year, returns)
