# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False
# (numba reads the types from the arguments; annotations here would say less than the shapes below)
"""One account of many symbols, from decisions straight to figures: a sweep of portfolios.

The trading is `kernel.account` itself; what it wrote down becomes the figures of `account_figures.FIGURES`
without a table in between.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types

from tapebook.strategy.simulation import account_figures as c
from tapebook.strategy.simulation.account_figures import figures_to
from tapebook.strategy.simulation.kernel import (
    CASH,
    FEE,
    SLIP,
    T_BARS,
    T_OPEN,
    T_PNL,
    T_RETURN,
    account,
    bare,
)

_f1, _f2, _u2 = types.float64[::1], types.float64[:, ::1], types.uint8[:, ::1]


@bare
def _of_trades(orders, trades, a):
    """Add up what `column` adds up while it trades; trades that are open still count for nothing."""
    a[:] = 0.0
    a[c.BEST], a[c.WORST] = -np.inf, np.inf
    a[c.ORDERS] = orders.shape[0]
    for i in range(orders.shape[0]):
        a[c.PAID] += orders[i, FEE]
        a[c.SLIPPED] += orders[i, SLIP]
    for i in range(trades.shape[0]):
        if trades[i, T_OPEN] != 0.0:
            continue
        pnl, share = trades[i, T_PNL], trades[i, T_RETURN]
        a[c.TRADES] += 1.0
        a[c.BARS] += trades[i, T_BARS]
        a[c.SHARES] += share
        a[c.BEST], a[c.WORST] = max(a[c.BEST], share), min(a[c.WORST], share)
        if pnl > 0.0:
            a[c.WINS] += 1.0
            a[c.WON] += pnl
        elif pnl < 0.0:
            a[c.LOSSES] += 1.0
            a[c.LOST] -= pnl


@bare
def _of_equity(equity, cash, returns):
    """Write the returns, the first against the initial cash; return the deepest drawdown."""
    before, top, deepest = cash, cash, 0.0
    for t in range(equity.shape[0]):
        returns[t] = equity[t] / before - 1.0
        before = equity[t]
        top = max(top, before)
        deepest = min(deepest, before / top - 1.0)
    return deepest


@bare
def _closes_with_a_position(positions, seen):
    """How many closes saw a position of any symbol; `positions` is (N, T)."""
    seen[:] = 0
    for k in range(positions.shape[0]):
        own = positions[k]
        for t in range(seen.shape[0]):
            seen[t] |= own[t] != 0.0
    return seen.sum()


@njit(
    types.void(
        _f2, _f2, _f2, _f2, _u2, _f2, _f2, _f1, types.int64, types.boolean, types.float64, _f1, _f1
    ),
    cache=True,
    nogil=True,
    error_model="numpy",
)  # fmt: skip
def pot(
    open_, high, low, close, flags, weights, volatility, rules, sizing, same_close, periods_per_year, returns,
    out,
):  # fmt: skip
    """Trade one account and write its figures to `out`, its returns to `returns`, shape (T,).

    Arguments as `kernel.account` and `column.column` have them.
    """
    equity, _, positions, orders, trades = account(
        open_, high, low, close, flags, weights, volatility, rules, sizing, same_close
    )
    T = equity.shape[0]
    a = np.empty(c.STATE_WIDTH)
    _of_trades(orders, trades, a)
    deepest = _of_equity(equity, rules[CASH], returns)
    exposed = _closes_with_a_position(positions, np.empty(T, np.uint8))
    still_open = trades.shape[0] - a[c.TRADES]
    figures_to(out, a, returns, rules[CASH], equity[T - 1], deepest, exposed, still_open, periods_per_year)
