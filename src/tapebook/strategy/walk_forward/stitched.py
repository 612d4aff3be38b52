"""One account that trades on through folds, each with settings of its own: what a walk forward earned.

A fold begins in the position that its settings' last decision asks for, traded at its first bar's open,
and is closed at the open of the next fold's first bar, unless that one has the same settings: then the
account trades on. So a change of settings costs what it would have cost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tapebook.strategy.rules import Rules, divided
from tapebook.strategy.signals import Signals
from tapebook.strategy.simulation import kernel as k
from tapebook.strategy.simulation.simulate import (
    LONG_OUT,
    SHORT_OUT,
    Simulation,
    direction,
    flags_of,
    signals_of,
    simulate,
)

if TYPE_CHECKING:
    from tapebook.data.panel import Bars
    from tapebook.strategy.declare import Strategy


@dataclass(frozen=True)
class Stretch:
    """Rows that are traded, one after another, and the settings they are traded with."""

    rows: range
    settings: Mapping[str, Any]


def stretches(folds: Sequence[Stretch]) -> list[Stretch]:
    """Join folds that follow each other with the same settings."""
    joined: list[Stretch] = []
    for fold in folds:
        if joined and joined[-1].settings == fold.settings and joined[-1].rows.stop == fold.rows.start:
            joined[-1] = Stretch(range(joined[-1].rows.start, fold.rows.stop), fold.settings)
        else:
            joined.append(fold)
    return joined


def trade(
    strategy: Strategy, bars: Bars, rules: Rules, folds: Sequence[Stretch], *, alone: bool
) -> tuple[Bars, Simulation, Rules]:
    """Trade all folds in one account.

    Parameters
    ----------
    bars : Bars, shape (T, N)
        All history; each stretch is decided on the bars up to its own last one.

    Returns
    -------
    The bars from the one before the first traded row on, what happened on them, and the rules with the
    direction that was meant.
    """
    parts, first = stretches(folds), folds[0].rows.start - 1
    rules = rules.changed(shared_cash=not alone)
    cash, done, meant = rules.cash, [], rules
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        window, decision, said = _decided(strategy, bars, rules, part, closes=not last)
        meant = said
        made = simulate(window, decision, said.changed(cash=cash), periods_per_year=bars.periods_per_year)
        done.append((part.rows.start - 1 - first, made))
        cash = float(np.sum(made.equity[-1])) / made.accounts
    shown = bars.between(bars.index[first], bars.index[parts[-1].rows.stop - 1])
    return shown, _joined(done, len(shown)), meant.changed(cash=rules.cash)


def _decided(
    strategy: Strategy, bars: Bars, rules: Rules, part: Stretch, *, closes: bool
) -> tuple[Bars, Any, Rules]:
    """Bars of one stretch with the one before it (and, if it closes, the one after), and its decisions."""
    params, ruled = divided(strategy.name, strategy.parameters, part.settings)
    known = bars.between(end=bars.index[part.rows.stop - 1])
    decision = strategy(known, **params)
    rules = rules.changed(**ruled)
    rules = rules.changed(direction=direction(decision, rules))
    begin, end = part.rows.start - 1, part.rows.stop + closes
    window = bars.between(bars.index[begin], bars.index[end - 1])
    if isinstance(decision, Signals):
        return window, _signals(decision, rules, window, begin, closes), rules
    return window, _weights(decision, window, begin, closes), rules


def _weights(weights: pd.DataFrame, window: Bars, begin: int, closes: bool) -> pd.DataFrame:
    block = np.full(window.shape, np.nan)
    asked = weights.to_numpy(dtype=float)
    block[: len(asked) - begin] = asked[begin:]
    block[0] = pd.DataFrame(asked[: begin + 1]).ffill().to_numpy()[-1]
    if closes:
        block[-2], block[-1] = 0.0, np.nan
    return pd.DataFrame(block, window.index, weights.columns)


def _signals(signals: Signals, rules: Rules, window: Bars, begin: int, closes: bool) -> Signals:
    flags = flags_of(signals, direction(signals, rules)).T
    block = np.zeros(window.shape, dtype=np.uint8)
    block[: len(flags) - begin] = flags[begin:]
    for n in range(flags.shape[1]):
        before = np.flatnonzero(flags[: begin + 1, n])
        block[0, n] = flags[before[-1], n] if len(before) else 0
    if closes:
        block[-2], block[-1] = LONG_OUT | SHORT_OUT, 0
    return signals_of(block, window.index, signals.entries.columns)


def _joined(done: list[tuple[int, Simulation]], T: int) -> Simulation:
    """Put stretches after one another; a row that two share is the later one's."""
    _, one = done[0]
    shape = (T, *one.equity.shape[1:])
    equity, cash = np.empty(shape), np.empty(shape)
    positions = np.empty((T, one.positions.shape[1]))
    orders, trades = [], []
    for offset, part in done:
        rows = slice(offset + (offset > 0), offset + len(part.equity))
        mine = slice(int(offset > 0), None)
        equity[rows], cash[rows], positions[rows] = part.equity[mine], part.cash[mine], part.positions[mine]
        orders.append(_moved(part.orders, (k.ROW, k.DECIDED), offset))
        trades.append(_moved(part.trades, (k.T_IN, k.T_OUT), offset))
    return Simulation(
        equity, cash, positions, np.vstack(orders), np.vstack(trades), one.accounts, one.start_cash
    )


def _moved(table: np.ndarray, columns: tuple[int, ...], by: int) -> np.ndarray:
    moved = table.copy()
    moved[:, list(columns)] += by
    return moved
