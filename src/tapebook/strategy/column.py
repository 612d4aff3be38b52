# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False
# (numba reads the types from the arguments; annotations here would say less than the shapes below)
"""One symbol alone, from signals straight to figures: what a sweep runs many thousand times.

The same trading as `tapebook.strategy.kernel.account` (tests hold the two equal), without a record of
orders and trades. It allocates nothing and holds no lock of Python's.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types

from tapebook.strategy.kernel import (
    CASH,
    DUST,
    FEES,
    FIXED,
    LONG,
    LONG_OUT,
    LOT,
    PERCENT,
    SHORT,
    SHORT_OUT,
    SIZE,
    SLIPPAGE,
    STOP,
    TARGET,
    TRAIL,
    UNITS,
    VALUE,
)  # fmt: skip

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
"""What `column` answers, in this order; each as `tapebook.strategy.figures` computes it."""

_f1 = types.float64[::1]
_signature = types.void(
    _f1, _f1, _f1, _f1, types.uint8[::1], _f1, _f1, types.int64, types.boolean, types.float64, _f1, _f1
)


@njit(cache=True, nogil=True, inline="always")
def _wanted(side, q, cash, risk, rules, sizing):
    """Units of an entry that the account allows, 0 for none; nothing is held, so cash is the equity."""
    p = q * (1.0 + side * rules[SLIPPAGE])
    cost = p * (1.0 + rules[FEES])
    if sizing == PERCENT:
        units = (rules[SIZE] * cash - rules[FIXED]) / cost
    elif sizing == VALUE:
        units = rules[SIZE] / q
    elif sizing == UNITS:
        units = rules[SIZE]
    else:
        units = rules[SIZE] / risk * cash / q if risk > 0.0 else 0.0
    if not units > 0.0:
        return 0.0
    spend = units * cost + rules[FIXED]
    if spend > cash * (1.0 + 1e-12):
        share = max(cash, 0.0) / spend
        units = (spend * share - rules[FIXED]) / cost
    if rules[LOT] != 0.0:
        units = np.trunc(units / rules[LOT]) * rules[LOT]
    return units if units * q > DUST * cash else 0.0


@njit(cache=True, nogil=True)
def _central(returns, total, squares, cubes, fourths):
    """Mean and central moments of the returns, from their sums of powers; exactly where they hardly vary."""
    T = returns.shape[0]
    mean, second = total / T, squares / T - (total / T) ** 2
    if second > 1e-6 * squares / T:
        third = cubes / T - 3.0 * mean * squares / T + 2.0 * mean**3
        fourth = fourths / T - 4.0 * mean * cubes / T + 6.0 * mean**2 * squares / T - 3.0 * mean**4
        return mean, second, third, fourth
    second, third, fourth = 0.0, 0.0, 0.0
    for t in range(T):
        d = returns[t] - mean
        s = d * d
        second, third, fourth = second + s, third + s * d, fourth + s * s
    return mean, second / T, third / T, fourth / T


@njit(cache=True, nogil=True)
def _write(
    out, returns, total, squares, cubes, fourths, below, largest, equity, cash, deepest, year, exposed,
    n_orders, fees, slipped, n_trades, still_open, n_wins, n_losses, won, lost, shares, best, worst,
    bars_held,
):  # fmt: skip
    T = returns.shape[0]
    mean, second, third, fourth = _central(returns, total, squares, cubes, fourths)
    varies = np.sqrt(second) > 1e-14 * max(1.0, largest)
    spread = np.sqrt(second * T / (T - 1)) if T > 1 else np.nan
    grown = equity / cash
    annual = grown ** (year / T) - 1.0 if grown >= 0.0 else np.nan
    out[0], out[1], out[2] = grown - 1.0, annual, spread * np.sqrt(year)
    out[3] = mean / spread * np.sqrt(year) if varies and T > 1 else np.nan
    out[4] = mean / np.sqrt(below / T) * np.sqrt(year) if below > 0.0 else np.nan
    out[5] = annual / -deepest if deepest < 0.0 else np.nan
    out[6] = deepest
    out[7] = third / second**1.5 if varies and T > 1 else np.nan
    out[8] = fourth / second**2 if varies and T > 1 else np.nan
    out[9], out[10], out[11], out[12] = exposed / T, n_orders, fees, slipped
    out[13], out[14] = n_trades, 1.0 if still_open else 0.0
    out[15] = n_wins / n_trades if n_trades else np.nan
    out[16] = (won / n_wins) / (lost / n_losses) if n_wins and n_losses else np.nan
    out[17] = won / lost if lost > 0.0 else np.nan
    out[18] = (won - lost) / n_trades if n_trades else np.nan
    out[19] = shares / n_trades if n_trades else np.nan
    out[20] = best if n_trades else np.nan
    out[21] = worst if n_trades else np.nan
    out[22] = bars_held / n_trades if n_trades else np.nan


@njit(_signature, cache=True, nogil=True)
def column(
    open_, high, low, close, flags, volatility, rules, sizing, same_close, periods_per_year, returns, out
):  # fmt: skip
    """Trade one symbol and write its figures to `out`, shape (len(FIGURES),).

    `open_`, `high`, `low`, `close`, `flags`, `volatility`: shape (T,), as in `kernel.account`
    (`volatility` may be empty unless sizing is VOLATILITY). `returns`: scratch, shape (T,).
    """
    T = close.shape[0]
    cash, held, mean, peak, mark = rules[CASH], 0.0, 0.0, 0.0, 0.0
    waiting, entered, entry_fee = -1, 0, 0.0
    n_orders, fees, slipped = 0, 0.0, 0.0
    n_trades, n_wins, n_losses, won, lost, bars_held, shares = 0, 0, 0, 0.0, 0.0, 0.0, 0.0
    best, worst, exposed = -np.inf, np.inf, 0
    before, top, deepest = rules[CASH], rules[CASH], 0.0
    total, squares, cubes, fourths, below, largest = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    has_stop, has_target = rules[STOP] == rules[STOP], rules[TARGET] == rules[TARGET]
    has_trail = rules[TRAIL] == rules[TRAIL]
    stops = has_stop or has_target or has_trail
    for t in range(T):
        c = close[t]
        here = c == c
        quiet = waiting < 0 and not stops and not same_close  # nothing can be traded in this bar
        for phase in range(0 if quiet else 2):
            # phase 0: what waited is carried out at the open, or stops are checked; phase 1: same close
            if phase == 1:
                if not same_close:
                    break
                if flags[t] != 0:
                    waiting = t
            out_price, out_slip = 0.0, 0.0
            leave = False
            enter = 0.0
            q = c if same_close else open_[t]
            if waiting >= 0 and here and (phase == 1) == same_close:
                f = flags[waiting]
                if held > 0.0:
                    leave = (f & (SHORT | LONG_OUT)) != 0
                    enter = -1.0 if f & SHORT else 0.0
                elif held < 0.0:
                    leave = (f & (LONG | SHORT_OUT)) != 0
                    enter = 1.0 if f & LONG else 0.0
                else:
                    enter = 1.0 if f & LONG else (-1.0 if f & SHORT else 0.0)
                out_price, out_slip = q, rules[SLIPPAGE]
            for turn in range(2):
                # turn 0: a decision; turn 1: a stop, only where phase 0 has the bar before it
                if turn == 1:
                    if phase == 1 or held == 0.0 or not here or not stops:
                        break
                    side = 1.0 if held > 0.0 else -1.0
                    adverse, good = (low[t], high[t]) if side > 0.0 else (high[t], low[t])
                    level = -np.inf
                    if has_stop:
                        level = side * mean * (1.0 - side * rules[STOP])
                    if has_trail:
                        level = max(level, side * peak * (1.0 - side * rules[TRAIL]))
                    target = side * mean * (1.0 + side * rules[TARGET]) if has_target else np.inf
                    start = side * open_[t]
                    leave = True
                    out_slip = rules[SLIPPAGE]
                    if start <= level:
                        out_price = open_[t]
                    elif start >= target:
                        out_price, out_slip = open_[t], 0.0
                    elif side * adverse <= level:
                        out_price = side * level
                    elif side * good >= target:
                        out_price, out_slip = side * target, 0.0
                    else:
                        leave = False
                if leave:
                    side = 1.0 if held > 0.0 else -1.0
                    units = abs(held)
                    p = out_price * (1.0 - side * out_slip)
                    fee = units * p * rules[FEES] + rules[FIXED]
                    cash += held * p - fee
                    pnl = side * units * (p - mean) - fee - entry_fee
                    n_orders, fees, slipped = n_orders + 1, fees + fee, slipped + abs(p - out_price) * units
                    n_trades += 1
                    bars_held += t - entered
                    share = pnl / (units * mean)
                    shares += share
                    best, worst = max(best, share), min(worst, share)
                    if pnl > 0.0:
                        n_wins, won = n_wins + 1, won + pnl
                    elif pnl < 0.0:
                        n_losses, lost = n_losses + 1, lost - pnl
                    held, leave = 0.0, False
                if turn == 0 and enter != 0.0:
                    risk = volatility[waiting] if volatility.shape[0] else 0.0
                    units = _wanted(enter, q, cash, risk, rules, sizing)
                    if units > 0.0:
                        p = q * (1.0 + enter * rules[SLIPPAGE])
                        entry_fee = units * p * rules[FEES] + rules[FIXED]
                        cash -= enter * units * p + entry_fee
                        held, mean, peak, entered = enter * units, p, p, t
                        n_orders, fees, slipped = n_orders + 1, fees + entry_fee, slipped + abs(p - q) * units
                    enter = 0.0
            if waiting >= 0 and here and (phase == 1) == same_close:
                waiting = -1
            if phase == 0 and held != 0.0 and here:
                peak = max(peak, high[t]) if held > 0.0 else min(peak, low[t])
        if here:
            mark = c
        if flags[t] != 0 and not same_close:
            waiting = t
        if quiet and held == 0.0:
            returns[t] = 0.0
            continue
        equity = cash + held * mark
        r = (equity - before) / before
        returns[t] = r
        total, squares, cubes, fourths = (
            total + r,
            squares + r * r,
            cubes + r * r * r,
            fourths + r * r * r * r,
        )
        if r < 0.0:
            below += r * r
        largest = max(largest, abs(r))
        before = equity
        top = max(top, equity)
        deepest = min(deepest, equity / top - 1.0)
        exposed += held != 0.0
    _write(
        out, returns, total, squares, cubes, fourths, below, largest, before, rules[CASH], deepest,
        periods_per_year, exposed, n_orders, fees, slipped, n_trades, held != 0.0, n_wins, n_losses, won,
        lost, shares, best, worst, bars_held,
    )  # fmt: skip


DECIDE = types.void(_f1, _f1, _f1, _f1, _f1, _f1, types.uint8[::1])
"""Signature of a compiled strategy: open, high, low, close, volume, parameters, flags."""

_f2 = types.float64[:, ::1]
_batch = types.void(
    types.FunctionType(DECIDE), types.ListType(_f1), types.int64[::1], types.ListType(_f1), types.uint8[::1],
    _f1, _f2, _f2, types.int64, types.boolean, types.float64, _f2,
)  # fmt: skip


@njit(_batch, cache=True, nogil=True)
def columns(
    decide, own, rows, prices, meaning, volatility, params, rules, sizing, same_close, periods_per_year, out
):  # fmt: skip
    """Let a compiled strategy decide under each row of `params`, and trade each with `column`.

    `own`: open, high, low, close and volume of the symbol's own bars, which stand at `rows` of
    `prices` (open, high, low, close, shape (T,)). `meaning`, shape (16,): what decided bits mean for
    the sides that are traded. `params` (combinations, parameters), `rules` (combinations, 9), `out`
    (combinations, figures).
    """
    T = prices[3].shape[0]
    said, flags, returns = np.zeros(rows.shape[0], np.uint8), np.zeros(T, np.uint8), np.empty(T)
    for c in range(params.shape[0]):
        said[:] = 0
        decide(own[0], own[1], own[2], own[3], own[4], params[c], said)
        for i in range(rows.shape[0]):
            flags[rows[i]] = meaning[said[i] & 15]
        column(
            prices[0], prices[1], prices[2], prices[3], flags, volatility, rules[c], sizing, same_close,
            periods_per_year, returns, out[c],
        )  # fmt: skip
