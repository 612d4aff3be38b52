# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False
# (numba reads the types from the arguments; annotations here would say less than the shapes below)
"""One symbol alone, from signals straight to figures: what a sweep runs many thousand times.

The same trading as `kernel.account` (tests hold the two equal), without a record of
orders and trades. It goes from one decision to the next instead of from bar to bar: in between nothing
is traded, and the bars are valued, or looked through for a stop, in one stretch. It holds no lock of
Python's.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types

from tapebook.strategy.simulation.account_figures import (
    BARS,
    BEST,
    ENTERED,
    ENTRY_FEE,
    HELD,
    LOSSES,
    LOST,
    MEAN,
    MONEY,
    ORDERS,
    PAID,
    PEAK,
    SHARES,
    SLIPPED,
    STATE_WIDTH,
    TRADES,
    WINS,
    WON,
    WORST,
    figures_to,
)
from tapebook.strategy.simulation.kernel import (
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
    bare,
)  # fmt: skip

_f1, _u1 = types.float64[::1], types.uint8[::1]
_signature = types.void(
    _f1, _f1, _f1, _f1, _u1, _f1, _f1, types.int64, types.boolean, types.float64, _f1, _f1
)  # fmt: skip


@bare
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


@bare
def _enter(a, t, side, q, risk, rules, sizing):
    """Open a position at the raw price q, if the account allows one."""
    units = _wanted(side, q, a[MONEY], risk, rules, sizing)
    if units > 0.0:
        p = q * (1.0 + side * rules[SLIPPAGE])
        fee = units * p * rules[FEES] + rules[FIXED]
        a[MONEY] -= side * units * p + fee
        a[HELD], a[MEAN], a[PEAK], a[ENTERED], a[ENTRY_FEE] = side * units, p, p, t, fee
        a[ORDERS] += 1.0
        a[PAID] += fee
        a[SLIPPED] += abs(p - q) * units


@bare
def _leave(a, t, q, slippage, rules):
    """Close the position at the raw price q: one trade more."""
    side, units = (1.0 if a[HELD] > 0.0 else -1.0), abs(a[HELD])
    p = q * (1.0 - side * slippage)
    fee = units * p * rules[FEES] + rules[FIXED]
    a[MONEY] += a[HELD] * p - fee
    a[HELD] = 0.0
    a[ORDERS] += 1.0
    a[PAID] += fee
    a[SLIPPED] += abs(p - q) * units
    pnl = side * units * (p - a[MEAN]) - fee - a[ENTRY_FEE]
    share = pnl / (units * a[MEAN])
    a[TRADES] += 1.0
    a[BARS] += t - a[ENTERED]
    a[SHARES] += share
    a[BEST], a[WORST] = max(a[BEST], share), min(a[WORST], share)
    if pnl > 0.0:
        a[WINS] += 1.0
        a[WON] += pnl
    elif pnl < 0.0:
        a[LOSSES] += 1.0
        a[LOST] -= pnl


@bare
def _asked(decided, held):
    """What a decision asks for next to a position: to leave it or not, and the side to enter (0 for none)."""
    if held > 0.0:
        return decided & (SHORT | LONG_OUT) != 0, (-1.0 if decided & SHORT else 0.0)
    if held < 0.0:
        return decided & (LONG | SHORT_OUT) != 0, (1.0 if decided & LONG else 0.0)
    return False, (1.0 if decided & LONG else (-1.0 if decided & SHORT else 0.0))


@bare
def _stopped(a, open_, high, low, start, end, rules):
    """First row of start … end - 1 whose bar stops the position: (row, raw price, slippage); row -1 for none.

    Prices are taken times the side, so that a higher one is better on both sides.
    """
    side, mean, peak = (1.0 if a[HELD] > 0.0 else -1.0), a[MEAN], a[PEAK]
    adverse, good = (low, high) if side > 0.0 else (high, low)
    fixed, target, trail = -np.inf, np.inf, rules[TRAIL] == rules[TRAIL]
    if rules[STOP] == rules[STOP]:
        fixed = side * mean * (1.0 - side * rules[STOP])
    if rules[TARGET] == rules[TARGET]:
        target = side * mean * (1.0 + side * rules[TARGET])
    first, adverse, good = open_[start:end], adverse[start:end], good[start:end]
    for i in range(first.shape[0]):
        level = max(fixed, side * peak * (1.0 - side * rules[TRAIL])) if trail else fixed
        if side * first[i] <= level:
            return start + i, first[i], rules[SLIPPAGE]
        if side * first[i] >= target:
            return start + i, first[i], 0.0
        if side * adverse[i] <= level:
            return start + i, side * level, rules[SLIPPAGE]
        if side * good[i] >= target:
            return start + i, side * target, 0.0
        if side * good[i] > side * peak:
            peak = good[i]
    a[PEAK] = peak
    return -1, 0.0, 0.0


@bare
def _decisions(flags, meaning, rows):
    """Write the rows with a decision to `rows`, and say how many there are."""
    n, whole = 0, flags.shape[0] & -8
    eights = flags[:whole].view(np.uint64)
    for i in range(eights.shape[0]):
        if eights[i] != 0:  # most bars decide nothing
            for t in range(8 * i, 8 * i + 8):
                rows[n] = t
                n += meaning[flags[t] & 15] != 0
    for t in range(whole, flags.shape[0]):
        rows[n] = t
        n += meaning[flags[t] & 15] != 0
    return n


@bare
def _carried_out(rows, d, n, open_, same_close):
    """Number and row of the decision, from the d-th on, that is carried out next (T if none is).

    It is done in the symbol's next bar; what is decided while it waits takes its place.
    """
    T = open_.shape[0]
    if d >= n:
        return d, T
    row = rows[d] if same_close else rows[d] + 1
    while row < T and open_[row] != open_[row]:
        row += 1
    while d + 1 < n and rows[d + 1] < (row + 1 if same_close else row):
        d += 1
    return d, row


@bare
def _note(a, row, starts, held, n):
    """Write down the money and the units from the close of `row` on; say how many such notes there are."""
    if starts[n - 1] != row:
        starts[n] = row
        n += 1
    held[n - 1, 0], held[n - 1, 1] = a[MONEY], a[HELD]
    return n


@bare
def _traded(
    open_, high, low, close, flags, meaning, volatility, rules, sizing, same_close, a, rows, starts, held
):
    """Trade; `held` (·, 2) is the money and the units at the closes from row `starts` on. Say how many."""
    T = close.shape[0]
    a[:] = 0.0
    a[MONEY], a[BEST], a[WORST], starts[0] = rules[CASH], -np.inf, np.inf, 0
    held[0, 0], held[0, 1] = rules[CASH], 0.0
    stops = rules[STOP] == rules[STOP] or rules[TARGET] == rules[TARGET] or rules[TRAIL] == rules[TRAIL]
    noted, checked, decisions = 1, 0, _decisions(flags, meaning, rows)  # rows before `checked` had no stop
    d, row = _carried_out(rows, 0, decisions, open_, same_close)
    while True:
        if stops and a[HELD] != 0.0:
            last = min(row + 1, T) if same_close else row  # an open comes before its bar, a close after it
            hit, q, slippage = _stopped(a, open_, high, low, checked, last, rules)
            if hit >= 0:
                _leave(a, hit, q, slippage, rules)
                noted = _note(a, hit, starts, held, noted)
        if row >= T:
            return noted
        out_of_it, side = _asked(meaning[flags[rows[d]] & 15], a[HELD])
        q = close[row] if same_close else open_[row]
        if out_of_it:
            _leave(a, row, q, rules[SLIPPAGE], rules)
        if side != 0.0:
            risk = volatility[rows[d]] if volatility.shape[0] else 0.0
            _enter(a, row, side, q, risk, rules, sizing)
        if out_of_it or side != 0.0:
            noted = _note(a, row, starts, held, noted)
        checked = row + 1 if same_close else row
        d, row = _carried_out(rows, d + 1, decisions, open_, same_close)


@bare
def _valued(close, starts, held, noted, cash, returns):
    """Write the returns; return the last equity, the deepest drawdown and how many closes saw a position."""
    before, top, deepest, lowest, exposed = cash, cash, 0.0, cash, 0
    starts[noted] = close.shape[0]
    returns[:] = 0.0
    for n in range(noted):
        start, end, money, units = starts[n], starts[n + 1], held[n, 0], held[n, 1]
        if units == 0.0:
            end = start + 1  # nothing changes afterwards
        own, part = close[start:end], returns[start:end]
        part[0] = (money + units * own[0] - before) / before
        for i in range(1, own.shape[0]):
            part[i] = units * (own[i] - own[i - 1]) / (money + units * own[i - 1])
        for i in range(own.shape[0]):
            equity = money + units * own[i]
            if equity > top:
                top = equity
                lowest = (1.0 + deepest) * top
            elif equity < lowest:  # a division is slow: it is made only where a new depth is reached
                lowest, deepest = equity, equity / top - 1.0
        before = money + units * own[own.shape[0] - 1]
        exposed += end - start if units != 0.0 else 0
    return before, deepest, exposed


@bare
def _one(
    open_, high, low, close, flags, meaning, volatility, rules, sizing, same_close, year, a, rows, held,
    returns, out,
):  # fmt: skip
    """Do what `column` says; `meaning` (16,) is what the bits of `flags` stand for.

    `a` (STATE_WIDTH,), `rows` (2, T + 2) and `held` (T + 1, 2) are scratch.
    """
    noted = _traded(
        open_, high, low, close, flags, meaning, volatility, rules, sizing, same_close, a, rows[0], rows[1],
        held,
    )  # fmt: skip
    equity, deepest, exposed = _valued(close, rows[1], held, noted, rules[CASH], returns)
    still_open = 1.0 if a[HELD] != 0.0 else 0.0
    figures_to(out, a, returns, rules[CASH], equity, deepest, exposed, still_open, year)


@njit(_signature, cache=True, nogil=True, error_model="numpy")
def column(
    open_, high, low, close, flags, volatility, rules, sizing, same_close, periods_per_year, returns, out
):  # fmt: skip
    """Trade one symbol; write `account_figures.FIGURES` to `out`, in their order, its returns to `returns`.

    `open_`, `high`, `low`: raw prices, shape (T,), NaN where the symbol has no bar; `close` is carried
    forward over such rows. `flags`, `volatility`: shape (T,), as in `kernel.account` (`volatility` may
    be empty unless sizing is VOLATILITY). `returns`: simple, of each bar, shape (T,).
    """
    T = close.shape[0]
    _one(
        open_, high, low, close, flags, np.arange(16).astype(np.uint8), volatility, rules, sizing,
        same_close, periods_per_year, np.empty(STATE_WIDTH), np.empty((2, T + 2), np.int64),
        np.empty((T + 1, 2)), returns, out,
    )  # fmt: skip


_f2, _u2 = types.float64[:, ::1], types.uint8[:, ::1]


@njit(
    types.void(_f2, _f2, _f2, _f2, _u2, _f2, _f1, types.int64, types.boolean, types.float64, _f2, _f2),
    cache=True,
    nogil=True,
    error_model="numpy",
)
def columns(
    open_, high, low, close, flags, volatility, rules, sizing, same_close, periods_per_year, returns, out
):  # fmt: skip
    """Do what `column` does for N symbols, each alone: the same arrays, with an axis of symbols in front."""
    for n in range(close.shape[0]):
        column(
            open_[n], high[n], low[n], close[n], flags[n], volatility[n], rules, sizing, same_close,
            periods_per_year, returns[n], out[n],
        )  # fmt: skip


DECIDE = types.void(_f1, _f1, _f1, _f1, _f1, _f1, types.uint8[::1])
"""Signature of a compiled strategy: open, high, low, close, volume, parameters, flags."""

_combinations = types.void(
    types.FunctionType(DECIDE), types.UniTuple(_f1, 5), types.int64[::1], types.UniTuple(_f1, 4), _u1, _f1,
    _f2, _f2, types.int64, types.boolean, types.float64, _f2,
)  # fmt: skip


@njit(_combinations, cache=True, nogil=True, error_model="numpy")
def combinations(
    decide, own, rows, prices, meaning, volatility, params, rules, sizing, same_close, periods_per_year, out
):  # fmt: skip
    """Let a compiled strategy decide under each row of `params`, and trade each with `column`.

    `own`: open, high, low, close and volume of the symbol's own bars, which stand at `rows` of
    `prices` (open, high, low, close, shape (T,), as `column` takes them). `meaning`, shape (16,): what
    decided bits mean for the sides that are traded. `params` (combinations, parameters), `rules`
    (combinations, 9), `out` (combinations, figures).
    """
    T, bars = prices[3].shape[0], rows.shape[0]
    said, flags, returns = np.zeros(bars, np.uint8), np.zeros(T, np.uint8), np.empty(T)
    a, places, held = np.empty(STATE_WIDTH), np.empty((2, T + 2), np.int64), np.empty((T + 1, 2))
    for c in range(params.shape[0]):
        said[:] = 0
        decide(own[0], own[1], own[2], own[3], own[4], params[c], said)
        if bars < T:
            for i in range(bars):
                flags[rows[i]] = said[i]
        _one(
            prices[0], prices[1], prices[2], prices[3], flags if bars < T else said, meaning, volatility,
            rules[c], sizing, same_close, periods_per_year, a, places, held, returns, out[c],
        )  # fmt: skip
