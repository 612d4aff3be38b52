"""From decisions to orders: what an account that trades a strategy's decisions would have done.

A decision of row t is taken at the close of bar t and carried out at the open of the symbol's next
bar, whenever that comes. Within a bar: first what waited is carried out at the open (closings before
openings, openings scaled alike when the equity does not allow them all, so the order of the columns
never matters); then stops are checked against the bar, also for what was opened in it; then the
position is valued at the last known close. There is no leverage and no margin call, and an opening
below a billionth of the equity is rounding, no order. Positions open at the end stay open.
tests/naive.py says all of this in plain loops.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tapebook.errors import BadParameter
from tapebook.strategy.signals import Signals

if TYPE_CHECKING:
    from tapebook.data.panel import Bars
    from tapebook.strategy.rules import Direction, Rules

SIZINGS = {"percent": 0, "value": 1, "units": 2, "volatility": 3}
WEIGHTS = 4
LONG, LONG_OUT, SHORT, SHORT_OUT = 1, 2, 4, 8


@dataclass(frozen=True)
class Simulation:
    """What happened: shapes (T,) and (T, N); one account, or one for each symbol.

    `equity`, `cash`: money at each close, shape (T,) with one pot, else (T, N), as `accounts` says.
    `positions`: units held at each close, (T, N). `orders`, `trades`: tables of numbers, their columns
    named in `tapebook.strategy.simulation.kernel`. `start_cash`: money of all accounts together at the start.
    """

    equity: np.ndarray
    cash: np.ndarray
    positions: np.ndarray
    orders: np.ndarray
    trades: np.ndarray
    accounts: int
    start_cash: float


def simulate(
    bars: Bars, decision: Signals | pd.DataFrame, rules: Rules, *, periods_per_year: float = 252.0
) -> Simulation:
    """Trade `decision` (signals, or target weights of shape (T, N)) on `bars` under `rules`.

    `periods_per_year` annualises the volatility that sizing "volatility" aims at.

    Raises
    ------
    BadParameter
        If the rules do not fit the decision: a size along with target weights.
    """
    from tapebook.strategy.simulation.kernel import account

    prices = prices_of(bars)
    T, N = bars.shape
    flags, weights, sizing = decided(decision, rules)
    risk = np.empty((0, 0))
    if sizing == SIZINGS["volatility"]:
        risk = volatility(prices[3], rules.volatility_bars, periods_per_year)
    pots = [slice(0, N)] if rules.shared_cash else [slice(n, n + 1) for n in range(N)]
    numbers = numbers_of(rules, N if rules.shared_cash else 1)
    answers = []
    for pot in pots:
        part = [block[pot] for block in (*prices, flags, weights, risk)]
        answers.append(account(*part, numbers, sizing, rules.same_close))  # type: ignore[call-arg]
    return _gathered(answers, rules.cash)


def decided(decision: Signals | pd.DataFrame, rules: Rules) -> tuple[np.ndarray, np.ndarray, int]:
    """A decision as `kernel.account` takes it: flags, weights (one of them empty) and the way of sizing."""
    side = direction(decision, rules)
    if isinstance(decision, Signals):
        return flags_of(decision, side), np.empty((0, 0)), SIZINGS[rules.sizing]
    if rules.size is not None:
        raise BadParameter("size", rules.size, "None: this strategy gives target weights, which say the size")
    return np.empty((0, 0), np.uint8), _weights(decision, side), WEIGHTS


def direction(decision: Signals | pd.DataFrame, rules: Rules) -> Direction:
    """Sides that are traded: as the rules say, else "both" where the decision speaks of shorts."""
    if rules.direction is not None:
        return rules.direction
    if isinstance(decision, Signals):
        return "long" if decision.short_entries is None and decision.short_exits is None else "both"
    return "both"


def prices_of(bars: Bars) -> list[np.ndarray]:
    """Open, high, low, close, shape (N, T): where a bar has only a close, the others follow from it."""
    open_, high, low, close = (
        np.ascontiguousarray(bars.values[name].T) for name in ("open", "high", "low", "close")
    )
    with np.errstate(invalid="ignore"):
        start = np.where(np.isnan(open_), close, open_)
        top = np.where(np.isnan(high), np.maximum(start, close), high)
        bottom = np.where(np.isnan(low), np.minimum(start, close), low)
    return [start, top, bottom, close.copy()]  # compiled code takes no read-only view


def carried(prices: list[np.ndarray]) -> list[np.ndarray]:
    """The same prices as `column.column` takes them: a missing bar has no open, and the close before it."""
    close, missing = prices[3], np.isnan(prices[3])
    rows = np.where(missing, 0, np.arange(close.shape[1]))
    before = np.take_along_axis(close, np.maximum.accumulate(rows, axis=1), axis=1)
    before = np.where(np.isnan(before), 0.0, before)  # before the first bar: nothing is held, nothing valued
    return [*(np.where(missing, np.nan, block) for block in prices[:3]), before]


def flags_of(signals: Signals, side: Direction) -> np.ndarray:
    """Decisions as bits, uint8, shape (N, T); what contradicts itself within a row is left out."""
    enter, leave = _truth(signals.entries), _truth(signals.exits)
    if signals.short_entries is None and signals.short_exits is None:
        return plain_flags(enter, leave, side)
    none = np.zeros_like(enter)
    short = none if signals.short_entries is None else _truth(signals.short_entries)
    cover = none if signals.short_exits is None else _truth(signals.short_exits)
    if side == "long":
        short = cover = none
    if side == "short":
        enter = leave = none
    both = enter & leave
    enter, leave = enter & ~both, leave & ~both
    both = short & cover
    short, cover = short & ~both, cover & ~both
    both = enter & short
    enter, short = enter & ~both, short & ~both
    bits: np.ndarray = enter * LONG + leave * LONG_OUT + short * SHORT + cover * SHORT_OUT
    return np.ascontiguousarray(bits.T.astype(np.uint8))


def signals_of(flags: np.ndarray, index: pd.Index, symbols: Any) -> Signals:
    """Decisions from bits, shape (T, N): what `flags_of` read, both sides spoken of."""
    bits = (LONG, LONG_OUT, SHORT, SHORT_OUT)
    return Signals(*(pd.DataFrame((flags & bit) != 0, index, symbols) for bit in bits))


PLAIN = {"long": (LONG, LONG_OUT), "short": (SHORT_OUT, SHORT), "both": (LONG, SHORT)}
"""What an entry and an exit mean where nothing is said of shorts."""


def plain_flags(enter: np.ndarray, leave: np.ndarray, side: Direction) -> np.ndarray:
    """The same of entries and exits alone, shape (T, N): both at once cancel."""
    one, other = PLAIN[side]
    bits = enter.view(np.uint8) * np.uint8(one)
    bits += leave.view(np.uint8) * np.uint8(other)
    bits[bits == one + other] = 0
    return np.ascontiguousarray(bits.T)


def meaning(shorts: bool, side: Direction | None) -> np.ndarray:
    """What each of the 16 sets of decisions means for the sides traded, uint8 (16,); see `flags_of`."""
    sets = np.arange(16)
    enter, leave, short, cover = (((sets & bit) != 0)[:, None] for bit in (LONG, LONG_OUT, SHORT, SHORT_OUT))
    if not shorts:
        plain: np.ndarray = plain_flags(enter, leave, side or "long")[0]
        return plain
    frames = (pd.DataFrame(part) for part in (enter, leave, short, cover))
    both: np.ndarray = flags_of(Signals(*frames), side or "both")[0]
    return both


def _truth(frame: pd.DataFrame) -> np.ndarray:
    return frame.to_numpy(dtype=bool)


def _weights(weights: pd.DataFrame, side: Direction) -> np.ndarray:
    block = weights.to_numpy(dtype=float).T
    if side == "long":
        block = np.maximum(block, 0.0)
    elif side == "short":
        block = np.minimum(block, 0.0)
    return np.array(block, order="C")


def numbers_of(rules: Rules, n: int) -> np.ndarray:
    """Put the rules at the places that `kernel.account` reads."""
    stops = [np.nan if s is None else s for s in (rules.stop_loss, rules.take_profit, rules.trailing_stop)]
    size = rules.size if rules.size is not None else 1.0 / n
    lot = 0.0 if rules.fractional else rules.lot
    return np.array([rules.cash, rules.fees, rules.fixed_fee, rules.slippage, size, *stops, lot])


def volatility(close: np.ndarray, window: int, periods_per_year: float) -> np.ndarray:
    """Annual volatility known at each close, shape (N, T): NaN until `window` returns are there.

    Of the last `window` simple returns between a symbol's own bars, with one degree of freedom less.
    """
    answer = np.full(close.shape, np.nan)
    for n, prices in enumerate(close):
        rows = np.flatnonzero(~np.isnan(prices))
        if len(rows) > window:
            returns = pd.Series(prices[rows]).pct_change(fill_method=None)
            answer[n, rows] = returns.rolling(window).std(ddof=1).to_numpy() * np.sqrt(periods_per_year)
    return np.array(pd.DataFrame(answer.T).ffill().to_numpy().T, order="C")


def _gathered(answers: list[Any], cash: float) -> Simulation:
    from tapebook.strategy.simulation.kernel import ROW, SYMBOL, T_IN, T_SYMBOL

    positions = np.vstack([a[2] for a in answers]).T
    if len(answers) == 1:
        equity, money, _, orders, trades = answers[0]
        return Simulation(equity, money, positions, orders, _ordered(trades, T_IN, T_SYMBOL), 1, cash)
    for n, answer in enumerate(answers):
        answer[3][:, SYMBOL], answer[4][:, T_SYMBOL] = n, n
    equity, money = (np.column_stack([a[i] for a in answers]) for i in (0, 1))
    orders = _ordered(np.vstack([a[3] for a in answers]), ROW, SYMBOL)
    trades = _ordered(np.vstack([a[4] for a in answers]), T_IN, T_SYMBOL)
    return Simulation(equity, money, positions, orders, trades, len(answers), cash * len(answers))


def _ordered(table: np.ndarray, first: int, then: int) -> np.ndarray:
    return table[np.lexsort((table[:, then], table[:, first]))]
