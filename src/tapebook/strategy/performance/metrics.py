"""Figures of a result, each with its unit and its convention, so that no two libraries' are mixed up.

`returns` are simple, one a bar, not annualised, shape (T,); NaN is left out of means and deviations
but counts as time. `periods_per_year` annualises (252 for daily bars of US stocks; from the
exchange's calendar otherwise). The risk-free rate is 0 throughout.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

Unit = Literal["share", "ratio", "money", "bars", "count"]


@dataclass(frozen=True)
class Metric:
    """One figure. Unit "share" is a fraction: 0.1 is 10 %."""

    value: float
    unit: Unit
    convention: str

    def __str__(self) -> str:
        if np.isnan(self.value):
            return "–"
        if self.unit == "share":
            return f"{self.value:.2%}"
        if self.unit in ("count", "bars"):
            return f"{self.value:,.0f}" if self.value == int(self.value) else f"{self.value:,.1f}"
        return f"{self.value:,.2f}"


class Metrics(Mapping[str, Metric]):
    """Figures by name, in the order in which they are read. A mapping that cannot be changed."""

    def __init__(self, metrics: Mapping[str, Metric]) -> None:
        self._metrics = dict(metrics)

    def __getitem__(self, name: str) -> Metric:
        return self._metrics[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._metrics)

    def __len__(self) -> int:
        return len(self._metrics)

    def frame(self) -> pd.DataFrame:
        """One row a figure: value (a number), shown (as it is read), unit, convention."""
        import pandas as pd

        rows = {name: (m.value, str(m), m.unit, m.convention) for name, m in self.items()}
        columns = ["value", "shown", "unit", "convention"]
        return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("metric")

    def to_json(self) -> dict[str, dict[str, Any]]:
        """Plain values; what is not a number becomes None."""
        return {
            name: {"value": _plain(m.value), "unit": m.unit, "convention": m.convention}
            for name, m in self.items()
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Mapping[str, Any]]) -> Metrics:
        """Read what `to_json` gave."""
        return cls(
            {
                name: Metric(np.nan if m["value"] is None else float(m["value"]), m["unit"], m["convention"])
                for name, m in stored.items()
            }
        )

    def __repr__(self) -> str:
        width = max((len(name) for name in self), default=0)
        return "\n".join(
            f"{name:<{width}}  {metric!s:>14}  {metric.convention}" for name, metric in self.items()
        )

    def _repr_html_(self) -> str:
        frame = self.frame()[["shown", "convention"]]
        return str(frame.to_html(header=False, index_names=False, escape=True, border=0))


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


# ---- of returns


def total_return(returns: np.ndarray) -> float:
    """Growth over the whole span: the product of (1 + r), less 1."""
    return float(np.prod(1.0 + returns[~np.isnan(returns)]) - 1.0)


def annual_return(returns: np.ndarray, periods_per_year: float) -> float:
    """Compound growth a year over T bars; NaN when all is lost and more.

    >>> r = np.array([np.nan, 1, 10, -4, 2, 3, 2, 1, -10]) / 100  # empyrical's own test
    >>> round(annual_return(r, 252), 10)
    1.9135925373
    """
    grown = total_return(returns) + 1.0
    if not len(returns) or grown < 0.0:
        return np.nan
    return float(grown ** (periods_per_year / len(returns)) - 1.0)


def annual_volatility(returns: np.ndarray, periods_per_year: float) -> float:
    """Standard deviation (one degree of freedom less) × sqrt(periods a year)."""
    known = returns[~np.isnan(returns)]
    return float(known.std(ddof=1) * np.sqrt(periods_per_year)) if len(known) > 1 else np.nan


def sharpe(returns: np.ndarray, periods_per_year: float) -> float:
    """Mean over standard deviation × sqrt(periods a year); NaN where nothing varies (Sharpe 1994)."""
    known = returns[~np.isnan(returns)]
    if len(known) < 2 or _constant(known):
        return np.nan
    return float(known.mean() / known.std(ddof=1) * np.sqrt(periods_per_year))


def sortino(returns: np.ndarray, periods_per_year: float) -> float:
    """Mean over root mean square of the losses (all bars count) × sqrt(periods a year)."""
    known = returns[~np.isnan(returns)]
    downside = np.sqrt(np.mean(np.minimum(known, 0.0) ** 2)) if len(known) else 0.0
    return float(known.mean() / downside * np.sqrt(periods_per_year)) if downside > 0.0 else np.nan


def omega(returns: np.ndarray) -> float:
    """Sum of gains over sum of losses, threshold 0; NaN without a loss."""
    losses = -np.nansum(np.minimum(returns, 0.0))
    return float(np.nansum(np.maximum(returns, 0.0)) / losses) if losses > 0.0 else np.nan


def skewness(returns: np.ndarray) -> float:
    """Third standardised moment of the sample, 0 for a normal."""
    return _moment(returns, 3)


def kurtosis(returns: np.ndarray) -> float:
    """Fourth standardised moment of the sample, raw: 3 for a normal."""
    return _moment(returns, 4)


def tail_ratio(returns: np.ndarray) -> float:
    """95th percentile over the 5th, both without sign."""
    known = returns[~np.isnan(returns)]
    if not len(known):
        return np.nan
    high, low = np.abs(np.percentile(known, [95, 5]))
    return float(high / low) if low > 0.0 else np.nan


def value_at_risk(returns: np.ndarray, share: float = 0.05) -> float:
    """Return that the worst `share` of bars do not reach (a percentile, usually negative)."""
    known = returns[~np.isnan(returns)]
    return float(np.percentile(known, 100.0 * share)) if len(known) else np.nan


def conditional_value_at_risk(returns: np.ndarray, share: float = 0.05) -> float:
    """Mean return of the worst `share` of bars."""
    known = np.sort(returns[~np.isnan(returns)])
    return float(known[: int((len(known) - 1) * share) + 1].mean()) if len(known) else np.nan


def _moment(returns: np.ndarray, power: int) -> float:
    known = returns[~np.isnan(returns)]
    if len(known) < 2 or _constant(known):
        return np.nan
    centred = known - known.mean()
    return float(np.mean(centred**power) / np.mean(centred**2) ** (power / 2))


def _constant(known: np.ndarray) -> bool:
    """Whether nothing varies but rounding."""
    return bool(known.std() <= 1e-14 * max(1.0, float(np.abs(known).max())))


# ---- of an equity curve


def drawdowns(equity: np.ndarray, cash: float) -> np.ndarray:
    """Loss from the highest equity so far, the initial cash included, shape (T,), at most 0."""
    peak = np.maximum.accumulate(np.concatenate([[cash], equity]))[1:]
    answer: np.ndarray = equity / peak - 1.0
    return answer


def drawdown_bars(drawdown: np.ndarray) -> int:
    """Longest time below a former peak, in bars; one that lasts until the end counts."""
    under = np.concatenate([[0], (drawdown < 0.0).astype(int), [0]])
    edges = np.flatnonzero(np.diff(under))
    return int((edges[1::2] - edges[::2]).max()) if len(edges) else 0


# ---- against a benchmark


def against(returns: np.ndarray, benchmark: np.ndarray, periods_per_year: float) -> dict[str, float]:
    """Beta, alpha (Jensen 1968, compounded to a year), correlation, information ratio, excess return."""
    met = ~np.isnan(returns) & ~np.isnan(benchmark)
    mine, theirs = returns[met], benchmark[met]
    excess = total_return(mine) - total_return(theirs)
    nothing = {"beta": np.nan, "alpha": np.nan, "correlation": np.nan, "information_ratio": np.nan}
    if len(mine) < 2 or _constant(theirs):
        return nothing | {"excess_return": excess}
    beta = float(np.cov(mine, theirs, ddof=1)[0, 1] / theirs.var(ddof=1))
    alpha = float((1.0 + (mine - beta * theirs).mean()) ** periods_per_year - 1.0)
    correlation = np.nan if _constant(mine) else float(np.corrcoef(mine, theirs)[0, 1])
    return {
        "beta": beta,
        "alpha": alpha,
        "correlation": correlation,
        "information_ratio": sharpe(mine - theirs, periods_per_year),
        "excess_return": excess,
    }
