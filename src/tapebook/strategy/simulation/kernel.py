# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False
# (numba reads the types from the arguments; annotations here would say less than the shapes below)
"""The simulator's inner loop: one account, bar after bar, compiled once and cached on disk.

Arrays are (N, T), symbols by bars, so that one symbol's history lies in one piece. Everything is
plain numbers, so that another compiled loop can call `account` for each of many columns. It holds
no lock of Python's. The order of things within a bar is that of `tapebook.strategy.simulation.simulate`.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types

LONG, LONG_OUT, SHORT, SHORT_OUT = 1, 2, 4, 8
"""Bits of a decision: enter long, leave long, enter short, leave short."""

CASH, FEES, FIXED, SLIPPAGE, SIZE, STOP, TARGET, TRAIL, LOT = range(9)
"""Places in `rules`; a stop that is not set is NaN, a lot of 0 means fractions."""

PERCENT, VALUE, UNITS, VOLATILITY, WEIGHTS = range(5)
"""Ways of sizing an entry."""

SIGNAL, STOPPED, HIT, TRAILED, END = range(5)
"""Reasons of an order."""

DUST = 1e-9
"""An opening or a correction below this share of the equity is rounding, and no order."""

# places in the table of orders
ROW, SYMBOL, AMOUNT, PRICE, FEE, SLIP, REASON, DECIDED, ORDER_WIDTH = range(9)
# places in the table of trades
(T_SYMBOL, T_SIDE, T_IN, T_OUT, T_UNITS, T_ENTRY, T_EXIT, T_FEES, T_PNL, T_RETURN, T_BARS, T_MAE, T_MFE,
 T_OPEN, T_REASON, TRADE_WIDTH) = range(16)  # fmt: skip
# what is remembered of each symbol: position, its mean price, best price for the trailing stop, last close,
# then of the trade in progress: entry row, units and money in and out, fees, highest and lowest price seen
(HELD, MEAN, PEAK, MARK, IN_ROW, IN_UNITS, IN_MONEY, OUT_UNITS, OUT_MONEY, PAID, HIGHEST, LOWEST,
 STATE_WIDTH) = range(13)  # fmt: skip

_f1, _f2 = types.float64[::1], types.float64[:, ::1]
_answer = types.Tuple((_f1, _f1, _f2, _f2, _f2))
_signature = _answer(
    _f2, _f2, _f2, _f2, types.uint8[:, ::1], _f2, _f2, _f1, types.int64, types.boolean
)  # fmt: skip


bare = njit(cache=True, nogil=True, error_model="numpy", _nrt=False)  # type: ignore[call-overload]
"""Compiled without counting references to arrays, which would take longer than what is done with them here.

What is compiled so may not allocate. (The option has an underscore; numba's own sorting uses it so.)
"""


@njit(cache=True, nogil=True)
def _row(table, count):
    """Make room for one more row."""
    if count < table.shape[0]:
        return table
    larger = np.empty((2 * table.shape[0], table.shape[1]))
    larger[:count] = table
    return larger


@njit(cache=True, nogil=True)
def _fill(k, amount, q, slippage, reason, t, decided, state, purse, rules, orders, count):
    """Trade `amount` units of symbol k at the raw price q; return the orders with this one at `count`."""
    p = q * (1.0 + slippage) if amount > 0 else q * (1.0 - slippage)
    fee = abs(amount) * p * rules[FEES] + rules[FIXED]
    purse[0] -= amount * p + fee
    orders = _row(orders, count)
    orders[count, ROW], orders[count, SYMBOL], orders[count, AMOUNT] = t, k, amount
    orders[count, PRICE], orders[count, FEE], orders[count, SLIP] = p, fee, abs(p - q) * abs(amount)
    orders[count, REASON], orders[count, DECIDED] = reason, decided
    held = state[HELD, k]
    state[PAID, k] += fee
    if held * amount >= 0.0:
        if held == 0.0:
            state[IN_ROW, k], state[PAID, k] = t, fee
            state[IN_UNITS, k] = state[IN_MONEY, k] = state[OUT_UNITS, k] = state[OUT_MONEY, k] = 0.0
            state[PEAK, k] = state[HIGHEST, k] = state[LOWEST, k] = p
        state[MEAN, k] = (state[MEAN, k] * abs(held) + p * abs(amount)) / (abs(held) + abs(amount))
        state[IN_UNITS, k] += abs(amount)
        state[IN_MONEY, k] += abs(amount) * p
    else:
        state[OUT_UNITS, k] += abs(amount)
        state[OUT_MONEY, k] += abs(amount) * p
    state[HELD, k] = held + amount
    if state[HELD, k] == 0.0:
        state[MEAN, k] = 0.0
    return orders


@bare
def _see(k, price, state):
    """Remember a price seen while the position is held."""
    state[HIGHEST, k] = max(state[HIGHEST, k], price)
    state[LOWEST, k] = min(state[LOWEST, k], price)


@njit(cache=True, nogil=True)
def _book(k, side, t, price, reason, still_open, state, trades, count):
    """Write down the trade of symbol k that ends at row t; `price` values what is still held."""
    trades = _row(trades, count)
    units, held = state[IN_UNITS, k], abs(state[HELD, k])
    entry = state[IN_MONEY, k] / units
    back = state[OUT_MONEY, k] + held * price
    pnl = side * (back - state[IN_MONEY, k]) - state[PAID, k]
    adverse, good = (
        (state[LOWEST, k], state[HIGHEST, k]) if side > 0 else (state[HIGHEST, k], state[LOWEST, k])
    )
    trades[count, T_SYMBOL], trades[count, T_SIDE] = k, side
    trades[count, T_IN], trades[count, T_OUT], trades[count, T_BARS] = (
        state[IN_ROW, k],
        t,
        t - state[IN_ROW, k],
    )
    trades[count, T_UNITS], trades[count, T_ENTRY] = units, entry
    trades[count, T_EXIT] = back / (state[OUT_UNITS, k] + held)
    trades[count, T_FEES], trades[count, T_PNL], trades[count, T_RETURN] = (
        state[PAID, k],
        pnl,
        pnl / (units * entry),
    )
    trades[count, T_MAE] = min(side * (adverse / entry - 1.0), 0.0) + 0.0
    trades[count, T_MFE] = max(side * (good / entry - 1.0), 0.0) + 0.0
    trades[count, T_OPEN], trades[count, T_REASON] = still_open, reason
    return trades


@njit(cache=True, nogil=True)
def _close(k, q, slippage, reason, t, decided, state, purse, rules, orders, n_orders, trades, n_trades):
    """Leave symbol k wholly: one order, one trade."""
    side = 1.0 if state[HELD, k] > 0 else -1.0
    orders = _fill(k, -state[HELD, k], q, slippage, reason, t, decided, state, purse, rules, orders, n_orders)
    _see(k, orders[n_orders, PRICE], state)
    trades = _book(k, side, t, 0.0, reason, 0.0, state, trades, n_trades)
    return orders, trades


@bare
def _worth(t, price, close, state, purse):
    """Equity and gross exposure: present symbols at `price` of row t, others at their last close."""
    equity, exposure = purse[0], 0.0
    for k in range(price.shape[0]):
        if state[HELD, k] != 0.0:
            mark = state[MARK, k] if np.isnan(close[k, t]) else price[k, t]
            equity += state[HELD, k] * mark
            exposure += abs(state[HELD, k]) * mark
    return equity, exposure


@bare
def _whole(units, lot):
    """Round toward zero to whole lots; a lot of 0 leaves the units as they are."""
    return units if lot == 0.0 else np.trunc(units / lot) * lot


@bare
def _side(flags, held):
    """Which side a decision takes next to a position: 2 leave it, 0 get out, 1 or -1 be there."""
    if held > 0.0:
        return -1 if flags & SHORT else (0 if flags & LONG_OUT else 2)
    if held < 0.0:
        return 1 if flags & LONG else (0 if flags & SHORT_OUT else 2)
    return 1 if flags & LONG else (-1 if flags & SHORT else 2)


@bare
def _units(k, q, p, decided, wish, equity, volatility, rules, sizing):
    """Units that an entry wishes for, before what the account allows; not above 0 for none."""
    if sizing == WEIGHTS:
        return abs(wish)
    if sizing == PERCENT:
        return (rules[SIZE] * equity - rules[FIXED]) / (p * (1.0 + rules[FEES]))
    if sizing == VALUE:
        return rules[SIZE] / q
    if sizing == UNITS:
        return rules[SIZE]
    risk = volatility[k, decided]
    return rules[SIZE] / risk * equity / q if risk > 0.0 else 0.0


@njit(cache=True, nogil=True)
def _carry_out(
    t, price, close, flags, weights, volatility, rules, sizing, state, purse, waiting, wish,
    orders, n_orders, trades, n_trades,
):  # fmt: skip
    """Carry out what waits for the symbols present at row t: all closings first, then the openings."""
    N, slippage, lot = price.shape[0], rules[SLIPPAGE], rules[LOT]
    equity = 0.0
    if sizing == WEIGHTS:
        equity, _ = _worth(t, price, close, state, purse)
    for k in range(N):
        wish[k] = 0.0
        if waiting[k] < 0 or np.isnan(close[k, t]):
            continue
        held, q, decided = state[HELD, k], price[k, t], waiting[k]
        if sizing == WEIGHTS:
            target = _whole(weights[k, decided] * equity / q, lot) if equity > 0.0 else 0.0
            out = held != 0.0 and (target == 0.0 or (target > 0.0) != (held > 0.0))
            wish[k] = target if out else target - held
            if not out and abs(wish[k]) * q <= DUST * equity:
                wish[k] = 0.0
        else:
            side = _side(flags[k, decided], held)
            out = held != 0.0 and side != 2
            wish[k] = 0.0 if side == 2 else side
        if out:
            orders, trades = _close(
                k, q, slippage, SIGNAL, t, decided, state, purse, rules, orders, n_orders, trades, n_trades
            )
            n_orders, n_trades = n_orders + 1, n_trades + 1
        elif held * wish[k] < 0.0:
            orders = _fill(k, wish[k], q, slippage, SIGNAL, t, decided, state, purse, rules, orders, n_orders)
            n_orders, wish[k] = n_orders + 1, 0.0
    equity, exposure = _worth(t, price, close, state, purse)
    spend = 0.0
    for k in range(N):
        if wish[k] != 0.0:
            q, side = price[k, t], (1.0 if wish[k] > 0.0 else -1.0)
            p = q * (1.0 + side * slippage)
            units = _units(k, q, p, waiting[k], wish[k], equity, volatility, rules, sizing)
            wish[k] = side * units if units > 0.0 else 0.0
            if units > 0.0:
                spend += units * p * (1.0 + rules[FEES]) + rules[FIXED]
    power = equity - exposure
    scarce = spend > 0.0 and spend > power * (1.0 + 1e-12)
    share = max(power, 0.0) / spend if scarce else 1.0
    for k in range(N):
        if wish[k] != 0.0:
            q, side, units = price[k, t], (1.0 if wish[k] > 0.0 else -1.0), abs(wish[k])
            if share != 1.0:
                cost = q * (1.0 + side * slippage) * (1.0 + rules[FEES])
                units = ((units * cost + rules[FIXED]) * share - rules[FIXED]) / cost
            units = _whole(units, lot)
            if units * q > DUST * equity:
                orders = _fill(
                    k, side * units, q, slippage, SIGNAL, t, waiting[k], state, purse, rules, orders, n_orders
                )
                n_orders += 1
        if waiting[k] >= 0 and not np.isnan(close[k, t]):
            waiting[k] = -1
    return orders, n_orders, trades, n_trades


@bare
def _stopped(k, t, open_, high, low, state, rules):
    """Whether symbol k leaves within bar t: (reason or -1, raw price, inside the bar)."""
    side = 1.0 if state[HELD, k] > 0.0 else -1.0
    mean, start = state[MEAN, k], open_[k, t]
    adverse, good = (low[k, t], high[k, t]) if side > 0 else (high[k, t], low[k, t])
    stop, reason = -np.inf, STOPPED  # prices times side, so that a higher one is better on both sides
    if not np.isnan(rules[STOP]):
        stop = side * mean * (1.0 - side * rules[STOP])
    if not np.isnan(rules[TRAIL]):
        trail = side * state[PEAK, k] * (1.0 - side * rules[TRAIL])
        if trail > stop:
            stop, reason = trail, TRAILED
    target = side * mean * (1.0 + side * rules[TARGET]) if not np.isnan(rules[TARGET]) else np.inf
    if side * start <= stop:
        return reason, start, False
    if side * start >= target:
        return HIT, start, False
    if side * adverse <= stop:
        return reason, side * stop, True
    if side * good >= target:
        return HIT, side * target, True
    return -1, 0.0, False


@bare
def _decide(t, flags, weights, sizing, waiting):
    """What was decided at the close of row t now waits, in the place of what waited; say if anything does."""
    waits = False
    for k in range(waiting.shape[0]):
        if sizing == WEIGHTS:
            if not np.isnan(weights[k, t]):
                waiting[k] = t
        elif flags[k, t] != 0:
            waiting[k] = t
        waits = waits or waiting[k] >= 0
    return waits


@njit(_signature, cache=True, nogil=True)
def account(open_, high, low, close, flags, weights, volatility, rules, sizing, same_close):
    """Trade one account through T bars of N symbols.

    Parameters
    ----------
    open_, high, low, close : float64, shape (N, T)
        Raw prices; a missing bar has a NaN close, a present one no NaN at all.
    flags : uint8, shape (N, T), or (0, 0) with weights
        Decisions at each close: LONG | LONG_OUT | SHORT | SHORT_OUT.
    weights : float64, shape (N, T), or (0, 0) with signals
        Target fractions of equity, decided at each close; NaN leaves the position alone.
    volatility : float64, shape (N, T), or (0, 0) unless sizing is VOLATILITY
        Annual volatility known at each close.
    rules : float64, shape (9,)
        At the places CASH … LOT.

    Returns
    -------
    equity, cash : shape (T,); positions : (N, T) units; orders : (·, ORDER_WIDTH); trades : (·, TRADE_WIDTH)
    """
    N, T = close.shape
    state, purse = np.zeros((STATE_WIDTH, N)), np.array([rules[CASH]])
    waiting, wish = np.full(N, -1, np.int64), np.zeros(N)
    equity, cash, positions = np.empty(T), np.empty(T), np.empty((N, T))
    orders, trades = np.empty((64, ORDER_WIDTH)), np.empty((32, TRADE_WIDTH))
    n_orders, n_trades, waits = 0, 0, False
    stops = not (np.isnan(rules[STOP]) and np.isnan(rules[TARGET]) and np.isnan(rules[TRAIL]))
    for t in range(T):
        if waits and not same_close:
            orders, n_orders, trades, n_trades = _carry_out(
                t, open_, close, flags, weights, volatility, rules, sizing, state, purse, waiting, wish,
                orders, n_orders, trades, n_trades,
            )  # fmt: skip
        for k in range(N):
            if state[HELD, k] == 0.0 or np.isnan(close[k, t]):
                continue
            if stops:
                reason, q, inside = _stopped(k, t, open_, high, low, state, rules)
                if reason >= 0:
                    if inside:
                        _see(k, open_[k, t], state)
                        if reason == HIT:
                            _see(k, low[k, t] if state[HELD, k] > 0.0 else high[k, t], state)
                    slippage = 0.0 if reason == HIT else rules[SLIPPAGE]
                    orders, trades = _close(
                        k, q, slippage, reason, t, t, state, purse, rules, orders, n_orders, trades, n_trades
                    )
                    n_orders, n_trades = n_orders + 1, n_trades + 1
                    continue
            _see(k, high[k, t], state)
            _see(k, low[k, t], state)
            if state[HELD, k] > 0.0:
                state[PEAK, k] = max(state[PEAK, k], high[k, t])
            else:
                state[PEAK, k] = min(state[PEAK, k], low[k, t])
        if same_close and _decide(t, flags, weights, sizing, waiting):
            orders, n_orders, trades, n_trades = _carry_out(
                t, close, close, flags, weights, volatility, rules, sizing, state, purse, waiting, wish,
                orders, n_orders, trades, n_trades,
            )  # fmt: skip
        worth = purse[0]
        for k in range(N):
            if not np.isnan(close[k, t]):
                state[MARK, k] = close[k, t]
            positions[k, t] = state[HELD, k]
            worth += state[HELD, k] * state[MARK, k]
        equity[t], cash[t] = worth, purse[0]
        waits = not same_close and _decide(t, flags, weights, sizing, waiting)
    for k in range(N):
        if state[HELD, k] != 0.0:
            side = 1.0 if state[HELD, k] > 0.0 else -1.0
            trades = _book(k, side, T - 1, state[MARK, k], END, 1.0, state, trades, n_trades)
            n_trades += 1
    return equity, cash, positions, orders[:n_orders].copy(), trades[:n_trades].copy()
