"""An estimate with the interval that chance allows, and what estimates of trades and of bars share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from tapebook.strategy.backtest.backtest import Backtest

Unit = Literal["share", "ratio", "money", "count", "R"]

MIN_TRADES = 10
"""Closed trades below which there is no interval: too few to be drawn from."""

MIN_BARS = 30
"""Bars below which there is no estimate of bars."""


@dataclass(frozen=True)
class Estimate:
    """One figure and the interval of it; NaN where there is none, with the reason in the convention.

    Unit "share" is a fraction (0.1 is 10 %), "R" a multiple of the initial risk.
    """

    value: float
    low: float
    high: float
    unit: Unit
    convention: str

    def between(self, low: float, high: float, how: str) -> Estimate:
        """Return the same with an interval, and how it was found."""
        if np.isnan(high) and not np.isnan(low):
            how += "; no upper end: some draws have no losing trade"
        return replace(self, low=low, high=high, convention=f"{self.convention}; {how}")

    def said(self, more: str) -> Estimate:
        """Return the same with more in its convention."""
        return replace(self, convention=f"{self.convention}; {more}")

    def record(self) -> dict[str, Any]:
        """Plain values; NaN becomes None."""
        numbers = {"value": self.value, "low": self.low, "high": self.high}
        plain = {name: float(x) if np.isfinite(x) else None for name, x in numbers.items()}
        return plain | {"unit": self.unit, "convention": self.convention}

    def __str__(self) -> str:
        if np.isnan(self.low) and np.isnan(self.high):
            return self._text(self.value)
        return f"{self._text(self.value)} ({self._text(self.low)} to {self._text(self.high)})"

    def _text(self, x: float) -> str:
        if np.isnan(x):
            return "–"
        if self.unit == "share":
            return f"{x:.4%}" if 0.0 < abs(x) < 0.001 else f"{x:.2%}"
        if self.unit == "R":
            return f"{x:,.4f} R" if 0.0 < abs(x) < 0.01 else f"{x:,.2f} R"
        return f"{x:,.0f}" if self.unit == "count" else f"{x:,.2f}"


def absent(unit: Unit, why: str) -> Estimate:
    """Return the absence of an estimate, with its reason."""
    return Estimate(np.nan, np.nan, np.nan, unit, f"none: {why}")


def drawing(block: float, of: str = "") -> str:
    """How a bootstrap drew, in words."""
    how = "one by one" if block <= 1.0 else f"in blocks of {block:.1f} on average"
    return f"{of} drawn {how}" if of else how


def positive(drawn: np.ndarray | None, said: str, of: str, needed: int) -> Estimate:
    """Probability that the mean is above 0, by its draws."""
    if drawn is None:
        return absent("share", f"{needed} {of} are needed, {said}")
    value = float((drawn > 0.0).mean())
    return Estimate(value, np.nan, np.nan, "share", f"share of drawn means above 0, {said}")


def initial_risk(bt: Backtest, closed: pd.DataFrame) -> tuple[float, np.ndarray | float, str]:
    """Return what 1 R is in money: on average (0 if unknown), of each closed trade, and in words."""
    stop, pnl = bt.rules.stop_loss, closed["pnl"].to_numpy(dtype=float)
    if stop is not None:
        risks = stop * (closed["units"].abs() * closed["entry_price"]).to_numpy(dtype=float)
        return (float(risks.mean()) if len(risks) else 0.0), risks, f"the loss at the stop of {stop:.1%}"
    mean = float(-pnl[pnl < 0.0].mean()) if (pnl < 0.0).any() else 0.0
    return mean, mean, "the mean loss (held fixed), since no stop_loss is set"
