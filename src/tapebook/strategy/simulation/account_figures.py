# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False
# (numba reads the types from the arguments)
"""Figures of one account in a sweep: from what was remembered while it traded, and its returns."""

from __future__ import annotations

import numpy as np
from numba import njit

from tapebook.strategy.simulation.kernel import bare

FIGURES = (
    "total_return",
    "annual_return",
    "annual_volatility",
    "sharpe",
    "sortino",
    "calmar",
    "max_drawdown",
    "skew",
    "kurtosis",
    "exposure",
    "orders",
    "fees_paid",
    "slippage_paid",
    "trades",
    "open_trades",
    "win_rate",
    "payoff",
    "profit_factor",
    "expectancy",
    "expectancy_share",
    "best_trade",
    "worst_trade",
    "average_bars",
)
"""What `figures_to` writes, in this order; each as `tapebook.strategy.performance.figures` computes it."""

# what is remembered of the account: money, position and its mean price, best price for the trailing stop,
# entry row and fee; then what becomes figures of trades
(MONEY, HELD, MEAN, PEAK, ENTERED, ENTRY_FEE, ORDERS, PAID, SLIPPED, TRADES, BARS, SHARES, BEST, WORST, WINS,
 WON, LOSSES, LOST, STATE_WIDTH) = range(19)  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def _moments(returns):
    """Mean, the second to fourth central moment, and the mean square of the losses."""
    T = returns.shape[0]
    total, below = 0.0, 0.0
    for t in range(T):
        total += returns[t]
        below += min(returns[t], 0.0) ** 2
    mean = total / T
    second, third, fourth = 0.0, 0.0, 0.0
    for t in range(T):
        d = returns[t] - mean
        s = d * d
        second += s
        third += s * d
        fourth += s * s
    return mean, second / T, third / T, fourth / T, below / T


@bare
def figures_to(out, a, returns, cash, equity, deepest, exposed, still_open, year):
    """Write the figures: of what is remembered in `a`, returns, last equity, drawdown and exposure."""
    T = returns.shape[0]
    mean, second, third, fourth, below = _moments(returns)
    varies = T > 1 and np.sqrt(second) > 1e-14 * max(1.0, np.sqrt(second + mean * mean))
    spread = np.sqrt(second * T / (T - 1)) if T > 1 else np.nan
    grown, trades = equity / cash, a[TRADES]
    annual = grown ** (year / T) - 1.0 if grown >= 0.0 else np.nan
    out[0], out[1], out[2] = grown - 1.0, annual, spread * np.sqrt(year)
    out[3] = mean / spread * np.sqrt(year) if varies else np.nan
    out[4] = mean / np.sqrt(below) * np.sqrt(year) if below > 0.0 else np.nan
    out[5] = annual / -deepest if deepest < 0.0 else np.nan
    out[6] = deepest
    out[7] = third / second**1.5 if varies else np.nan
    out[8] = fourth / second**2 if varies else np.nan
    out[9], out[10], out[11], out[12] = exposed / T, a[ORDERS], a[PAID], a[SLIPPED]
    out[13], out[14] = trades, still_open
    out[15:23] = np.nan
    if trades > 0.0:
        out[15] = a[WINS] / trades
        if a[WINS] > 0.0 and a[LOSSES] > 0.0:
            out[16] = (a[WON] / a[WINS]) / (a[LOST] / a[LOSSES])
        if a[LOST] > 0.0:
            out[17] = a[WON] / a[LOST]
        out[18], out[19] = (a[WON] - a[LOST]) / trades, a[SHARES] / trades
        out[20], out[21], out[22] = a[BEST], a[WORST], a[BARS] / trades
