"""Backtests side by side: figures with intervals, how much they move together, and whether they differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tapebook import theme
from tapebook.errors import BadInput, NoData
from tapebook.strategy.backtest.combine import Combined, Method, combine
from tapebook.strategy.luck.resampling import block_length, drawn_rows, interval
from tapebook.strategy.performance import metrics as m
from tapebook.strategy.performance.figures import MARK

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from tapebook.strategy.backtest.backtest import Backtest

MIN_BARS = 60
"""Shared bars below which nothing is compared."""


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """What some backtests made on the bars that they share.

    `returns`: simple bar returns on the shared bars, (T, K). `table`: one row a backtest, figures on the
    shared bars, the Sharpe ratio with its interval. `differences`: one row a pair: first less second in
    annual Sharpe ratio and in annual mean return, each with its interval, its p-value, and that after Holm's
    correction for all pairs. `left_out`: bars of each that are not shared.
    """

    returns: pd.DataFrame
    table: pd.DataFrame
    differences: pd.DataFrame
    left_out: dict[str, int]
    periods_per_year: float
    block: float
    draws: int
    warnings: tuple[str, ...]

    @property
    def correlation(self) -> pd.DataFrame:
        """Correlation of the bar returns, (K, K)."""
        return self.returns.corr()

    def combined(self, method: Method = "hrp", **options: Any) -> Combined:
        """Hold all of them as one portfolio, with weights from the past only: `combine.combine`."""
        return combine(self.returns, method, **options)

    def portfolios(self, **options: Any) -> pd.DataFrame:
        """Figures of the four ways to hold them together, each after costs, beside the parts'."""
        from tapebook.strategy.backtest.combine import METHODS

        made = {name: self.combined(name, **options) for name in METHODS}
        rows = {
            f"{name}, all": _figures(part.returns.to_numpy(), self.periods_per_year)
            for name, part in made.items()
        }
        parts = {
            name: _figures(self.returns[name].to_numpy(), self.periods_per_year) for name in self.returns
        }
        return pd.DataFrame.from_dict(parts | rows, orient="index").rename_axis("portfolio")

    def figure(self) -> go.Figure:
        """Draw the growth of 1 of each on the shared bars."""
        import plotly.graph_objects as go

        colours, growth = theme.palette(dark=False), (1.0 + self.returns).cumprod()
        figure = go.Figure()
        for number, name in enumerate(growth):
            line = {"color": colours.series[number % len(colours.series)], "width": 1.8}
            figure.add_scatter(x=growth.index, y=growth[name], name=name, line=line, hovertemplate="%{y:.2f}")
        figure.update_layout(
            template=go.layout.Template(theme.template(dark=False)),
            title="Growth of 1 on the bars that all share"
            + "".join(f"<br><b>⚠ {w}</b>" for w in self.warnings),
            height=420,
            hovermode="x unified",
            legend={"orientation": "h", "y": -0.15, "yanchor": "top"},
            margin={"t": 60 + 24 * len(self.warnings)},
        )
        return figure

    def heatmap(self) -> go.Figure:
        """Draw the correlations."""
        import plotly.graph_objects as go

        found = self.correlation
        figure = go.Figure(
            go.Heatmap(
                z=found, x=found.columns, y=found.index, coloraxis="coloraxis", texttemplate="%{z:.2f}"
            )
        )
        figure.update_layout(
            template=go.layout.Template(theme.template(dark=False)),
            title="Correlation of bar returns",
            height=160 + 60 * len(found),
            coloraxis={"cmin": -1, "cmax": 1},
            yaxis_autorange="reversed",
        )
        return figure

    def __repr__(self) -> str:
        span = " to ".join(f"{self.returns.index[i]:%Y-%m-%d}" for i in (0, -1))
        lines = [f"Comparison of {len(self.table)} on {len(self.returns):,} shared bars, {span}"]
        lines += [f"  {warning}" for warning in self.warnings]
        lines += [f"  {line}" for line in self.table.to_string().splitlines()]
        lines.append("  difference of Sharpe ratios, p-value after Holm's correction:")
        for _, row in self.differences.iterrows():
            span = f"{row['sharpe_low']:+.2f} to {row['sharpe_high']:+.2f}"
            said = f"{row['sharpe']:+.2f} ({span}), p {row['sharpe_p_holm']:.3f}"
            lines.append(f"    {row['first']} less {row['second']}: {said}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from html import escape

        warned = "".join(f"<p><b>{escape(warning)}</b></p>" for warning in self.warnings)
        return f"{warned}{self.table.to_html(border=0)}{self.differences.to_html(index=False, border=0)}"


def compare(
    backtests: Mapping[str, Backtest], *, draws: int = 2000, seed: int = 0, confidence: float = 0.95
) -> Comparison:
    """Put backtests side by side on the bars that they share.

    Differences are tested by drawing the shared past again, both strategies on the same bars (paired
    stationary block bootstrap; Ledoit & Wolf 2008, "Robust performance hypothesis testing with the Sharpe
    ratio", J. of Empirical Finance 15): the p-value is the share of draws whose difference, centred, is at
    least as large as the one seen.

    Raises
    ------
    BadInput
        If there are fewer than two, or their bars differ in length.
    NoData
        If they share fewer than 60 bars.
    """
    if len(backtests) < 2:
        raise BadInput(f"there is nothing to compare: expected two backtests or more, got {len(backtests)}")
    lengths = {name: bt.freq for name, bt in backtests.items()}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{name} has {freq}" for name, freq in lengths.items())
        raise BadInput(f"bars of one length can be compared only: {said}. Run them again on the same `freq`")
    every = {name: bt.returns for name, bt in backtests.items()}
    returns = pd.concat(every, axis=1, join="inner").dropna()
    if len(returns) < MIN_BARS:
        spans = ", ".join(f"{n} {r.index[0]:%Y-%m-%d} to {r.index[-1]:%Y-%m-%d}" for n, r in every.items())
        raise NoData(f"they share {len(returns)} bars: expected at least {MIN_BARS}. They span {spans}")
    year = float(next(iter(backtests.values())).periods_per_year)
    block = max(block_length(returns[name].to_numpy()) for name in returns)
    drawn = _drawn(returns.to_numpy(), draws, block, seed)
    table = _table(backtests, returns, drawn, year, block, confidence)
    marked = [f"{name}: {MARK}" for name, bt in backtests.items() if bt.same_close]
    left_out = {name: len(bt.returns) - len(returns) for name, bt in backtests.items()}
    pairs = _pairs(returns, drawn, year, block, confidence)
    return Comparison(returns, table, pairs, left_out, year, block, draws, tuple(marked))


def _drawn(block: np.ndarray, draws: int, length: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of each column in each drawn past, both (draws, K)."""
    T, means, deviations = len(block), [], []
    for rows in drawn_rows(T, draws, length, seed):
        counts = np.bincount((rows + T * np.arange(len(rows))[:, None]).ravel(), minlength=T * len(rows))
        often = counts.reshape(len(rows), T) / T
        mean = often @ block
        means.append(mean)
        deviations.append(np.sqrt(np.maximum((often @ block**2 - mean**2) * T / (T - 1), 0.0)))
    return np.concatenate(means), np.concatenate(deviations)


def _ratios(drawn: tuple[np.ndarray, np.ndarray], year: float) -> np.ndarray:
    mean, deviation = drawn
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(deviation > 1e-14, mean / deviation, np.nan) * np.sqrt(year))


def _figures(returns: np.ndarray, year: float) -> dict[str, float]:
    return {
        "total_return": m.total_return(returns),
        "annual_return": m.annual_return(returns, year),
        "annual_volatility": m.annual_volatility(returns, year),
        "sharpe": m.sharpe(returns, year),
        "sortino": m.sortino(returns, year),
        "max_drawdown": float(m.drawdowns(np.cumprod(1.0 + returns), 1.0).min()),
    }


def _table(
    backtests: Mapping[str, Backtest],
    returns: pd.DataFrame,
    drawn: tuple[np.ndarray, np.ndarray],
    year: float,
    block: float,
    confidence: float,
) -> pd.DataFrame:
    ratios, rows = _ratios(drawn, year), {}
    for number, (name, bt) in enumerate(backtests.items()):
        low, high = interval(ratios[:, number], confidence, len(returns) / block)
        found = _figures(returns[name].to_numpy(), year)
        at = list(found).index("sharpe") + 1
        parts = list(found.items())
        parts[at:at] = [("sharpe_low", low), ("sharpe_high", high)]
        rows[name] = dict(parts) | {"trades": bt.metrics["trades"].value, "verdict": bt.luck().verdict}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("name")


def _pairs(
    returns: pd.DataFrame,
    drawn: tuple[np.ndarray, np.ndarray],
    year: float,
    block: float,
    confidence: float,
) -> pd.DataFrame:
    ratios, means = _ratios(drawn, year), drawn[0] * year
    real = {
        "sharpe": np.array([m.sharpe(returns[name].to_numpy(), year) for name in returns]),
        "mean_return": returns.mean().to_numpy() * year,
    }
    rows = []
    for i, j in combinations(range(returns.shape[1]), 2):
        row: dict[str, Any] = {"first": returns.columns[i], "second": returns.columns[j]}
        for name, values in (("sharpe", ratios), ("mean_return", means)):
            seen, redrawn = float(real[name][i] - real[name][j]), values[:, i] - values[:, j]
            low, high = interval(redrawn, confidence, len(returns) / block)
            known = redrawn[~np.isnan(redrawn)]
            p = (
                (1 + (np.abs(known - known.mean()) >= abs(seen)).sum()) / (1 + len(known))
                if len(known)
                else np.nan
            )
            row |= {name: seen, f"{name}_low": low, f"{name}_high": high, f"{name}_p": float(p)}
        rows.append(row)
    found = pd.DataFrame(rows)
    for name in ("sharpe", "mean_return"):
        at = found.columns.tolist().index(f"{name}_p") + 1
        found.insert(at, f"{name}_p_holm", holm(found[f"{name}_p"].to_numpy()))
    return found


def holm(p: np.ndarray) -> np.ndarray:
    """P-values after Holm's (1979) correction for all of them.

    >>> holm(np.array([0.01, 0.04, 0.03])).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p)
    stepped = np.maximum.accumulate((len(p) - np.arange(len(p))) * p[order])
    answer = np.empty(len(p))
    answer[order] = np.minimum(stepped, 1.0)
    return answer
