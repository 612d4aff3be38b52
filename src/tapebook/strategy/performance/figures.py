"""All figures of one backtest, in the order in which they are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tapebook.strategy.performance import metrics as m
from tapebook.strategy.performance.metrics import Metric, Metrics

if TYPE_CHECKING:
    import pandas as pd

MARK = "FILLED AT THE SAME CLOSE: not tradable as shown"
"""What every output of a backtest with execution "same_close" carries."""


def figures(
    equity: np.ndarray,
    cash: float,
    periods_per_year: float,
    *,
    invested: np.ndarray,
    orders: pd.DataFrame,
    trades: pd.DataFrame,
    benchmark: np.ndarray | None,
    benchmark_name: str,
    same_close: bool,
) -> Metrics:
    """Return every figure.

    Parameters
    ----------
    equity : shape (T,)
        Money at each close; `cash` is what it started with.
    invested : bool, shape (T,)
        Whether any position was held at the close.
    benchmark : shape (T,), optional
        Money at each close of what the result is compared with.
    """
    returns = np.diff(equity, prepend=cash) / np.concatenate([[cash], equity[:-1]])
    found = _of_equity(equity, cash, returns, periods_per_year)
    found |= _of_activity(equity, invested, orders, periods_per_year)
    found |= _of_trades(trades)
    if benchmark is not None:
        found |= _of_benchmark(returns, benchmark, periods_per_year, benchmark_name)
    if same_close:
        found = {name: Metric(x.value, x.unit, f"{x.convention}; {MARK}") for name, x in found.items()}
    return Metrics(found)


def _of_equity(equity: np.ndarray, cash: float, returns: np.ndarray, year: float) -> dict[str, Metric]:
    drawdown = m.drawdowns(equity, cash)
    worst, grown = float(drawdown.min()), m.annual_return(returns, year)
    a_year = f"{year:,.0f} bars a year"
    return {
        "total_return": Metric(
            float(equity[-1] / cash - 1.0), "share", "last equity over initial cash, less 1"
        ),
        "annual_return": Metric(grown, "share", f"compound, {a_year}"),
        "annual_volatility": Metric(
            m.annual_volatility(returns, year), "share", f"of bar returns, ddof 1, {a_year}"
        ),
        "sharpe": Metric(m.sharpe(returns, year), "ratio", f"annualised, {a_year}, risk-free 0, ddof 1"),
        "sortino": Metric(
            m.sortino(returns, year), "ratio", f"annualised, {a_year}, target 0, losses over all bars"
        ),
        "calmar": Metric(grown / -worst if worst < 0 else np.nan, "ratio", "annual return over max drawdown"),
        "max_drawdown": Metric(worst, "share", "from the highest equity so far, initial cash included"),
        "max_drawdown_bars": Metric(m.drawdown_bars(drawdown), "bars", "longest time below a former peak"),
        "omega": Metric(m.omega(returns), "ratio", "gains over losses of bar returns, threshold 0"),
        "skew": Metric(m.skewness(returns), "ratio", "of bar returns, 0 for a normal"),
        "kurtosis": Metric(m.kurtosis(returns), "ratio", "of bar returns, raw: 3 for a normal"),
        "tail_ratio": Metric(m.tail_ratio(returns), "ratio", "95th over 5th percentile of bar returns"),
        "value_at_risk": Metric(m.value_at_risk(returns), "share", "5th percentile of bar returns"),
        "conditional_value_at_risk": Metric(
            m.conditional_value_at_risk(returns), "share", "mean of the worst 5 % of bar returns"
        ),
        "best_bar": Metric(float(returns.max()), "share", "highest bar return"),
        "worst_bar": Metric(float(returns.min()), "share", "lowest bar return"),
    }


def _of_activity(
    equity: np.ndarray, invested: np.ndarray, orders: pd.DataFrame, year: float
) -> dict[str, Metric]:
    traded = float((orders["units"].abs() * orders["price"]).sum())
    mean = float(equity.mean())
    turnover = traded / 2.0 / mean / (len(equity) / year) if mean > 0 else np.nan
    return {
        "exposure": Metric(float(invested.mean()), "share", "share of closes with any position"),
        "turnover": Metric(turnover, "ratio", "a year: half of all value traded over mean equity"),
        "orders": Metric(len(orders), "count", "fills, a reversal counts twice"),
        "fees_paid": Metric(float(orders["fees"].sum()), "money", "all fees, both sides"),
        "slippage_paid": Metric(
            float(orders["slippage"].sum()), "money", "fill against raw price, both sides"
        ),
    }


def _of_trades(trades: pd.DataFrame) -> dict[str, Metric]:
    closed = trades[trades["status"] == "closed"]
    pnl = closed["pnl"].to_numpy(dtype=float)
    wins, losses = pnl[pnl > 0], pnl[pnl < 0]
    lost = -losses.sum()
    said = "closed trades, after costs"
    return {
        "trades": Metric(len(closed), "count", "closed: from flat to flat of one symbol"),
        "open_trades": Metric(
            len(trades) - len(closed), "count", "still open at the end, in no figure on trades"
        ),
        "win_rate": Metric(len(wins) / len(pnl) if len(pnl) else np.nan, "share", f"{said}, above 0"),
        "payoff": Metric(
            wins.mean() / -losses.mean() if len(wins) and len(losses) else np.nan,
            "ratio",
            f"mean win over mean loss, {said}",
        ),
        "profit_factor": Metric(
            wins.sum() / lost if lost > 0 else np.nan, "ratio", f"sum of wins over sum of losses, {said}"
        ),
        "expectancy": Metric(_mean(pnl), "money", f"mean profit a trade, {said}"),
        "expectancy_share": Metric(
            _mean(closed["return"].to_numpy(dtype=float)), "share", f"mean return on entry value, {said}"
        ),
        "best_trade": Metric(_extreme(closed["return"], max), "share", f"on entry value, {said}"),
        "worst_trade": Metric(_extreme(closed["return"], min), "share", f"on entry value, {said}"),
        "average_bars": Metric(
            _mean(closed["bars"].to_numpy(dtype=float)), "bars", "mean time in a closed trade"
        ),
    }


def _of_benchmark(returns: np.ndarray, benchmark: np.ndarray, year: float, name: str) -> dict[str, Metric]:
    theirs = np.diff(benchmark, prepend=benchmark[0]) / np.concatenate([[benchmark[0]], benchmark[:-1]])
    found, said = m.against(returns, theirs, year), f"against {name}"
    return {
        "benchmark_return": Metric(m.total_return(theirs), "share", f"total return of {name}"),
        "excess_return": Metric(found["excess_return"], "share", f"total return less benchmark's, {said}"),
        "alpha": Metric(found["alpha"], "share", f"Jensen's, compounded to a year, {said}"),
        "beta": Metric(found["beta"], "ratio", f"of bar returns, {said}"),
        "correlation": Metric(found["correlation"], "ratio", f"of bar returns, {said}"),
        "information_ratio": Metric(
            found["information_ratio"], "ratio", f"annualised, active bar returns, {said}"
        ),
    }


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else np.nan


def _extreme(values: pd.Series, which: type | object) -> float:
    return float(which(values)) if len(values) else np.nan  # type: ignore[operator]
