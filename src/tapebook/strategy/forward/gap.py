"""Why the ledger and a fresh backtest of the same days differ: each difference has one cause.

The fresh backtest reads today's data and runs the kept code on all of it. From the ledger to it leads one
change at a time: today's opens (fill price), today's other prices (data revision), today's decisions
(signal; a trade that only one of them has is missing or extra); what costs make of it is told apart. The
parts add up to the whole difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tapebook.strategy.forward.book import account, decisions_of
from tapebook.strategy.signals import Signals
from tapebook.strategy.simulation import kernel as k
from tapebook.strategy.simulation.simulate import Simulation, direction, flags_of, simulate

if TYPE_CHECKING:
    from tapebook.data.panel import Bars
    from tapebook.strategy.declare import Strategy
    from tapebook.strategy.rules import Rules

CAUSES = ("fill price", "data revision", "signal", "missing trade", "extra trade", "cost")


def gaps(
    rows: Sequence[Mapping[str, Any]],
    rules: Rules,
    like: Mapping[str, Any],
    fresh: Bars,
    decision: Any,
) -> pd.DataFrame:
    """One row a difference: ts, symbol, cause, money (what the fresh backtest has more).

    Parameters
    ----------
    rows
        Of the ledger, the one of the freeze first.
    fresh : Bars, shape (R, N)
        The same bars as they are read today.
    decision
        What the kept code decides today on those rows; the first as in the ledger.
    """
    bars, ledger = account(rows, rules, like)
    said = decisions_of(rows, bars.symbols, bars.index)
    fresh = replace(fresh, index=bars.index)
    opened = replace(bars, values={**bars.values, "open": _scaled(fresh, bars, "open")})
    year = bars.periods_per_year
    steps = [
        (bars, ledger),
        (opened, simulate(opened, said, rules, periods_per_year=year)),
        (fresh, simulate(fresh, said, rules, periods_per_year=year)),
        (fresh, simulate(fresh, decision, rules, periods_per_year=year)),
    ]
    made = [_profits(*step) for step in steps]
    found: list[tuple[str, np.ndarray]] = [
        ("fill price", made[1][0] - made[0][0]),
        ("data revision", made[2][0] - made[1][0]),
    ]
    turned = made[3][0] - made[2][0]
    old, new = steps[2][1].positions != 0.0, steps[3][1].positions != 0.0
    only_new, only_old = _around(new) & ~_around(old), _around(old) & ~_around(new)
    found += [
        ("missing trade", np.where(only_new, turned, 0.0)),
        ("extra trade", np.where(only_old, turned, 0.0)),
        ("signal", np.where(only_new | only_old, 0.0, turned)),
        ("cost", made[0][1] - made[3][1]),
    ]
    return _table(found, bars)


def _around(held: np.ndarray) -> np.ndarray:
    """Bars in which a position is held or was given up."""
    return np.asarray(held | np.vstack([np.zeros((1, held.shape[1]), bool), held[:-1]]))


def _scaled(fresh: Bars, bars: Bars, name: str) -> np.ndarray:
    """Today's values where the ledger has a bar, the ledger's own elsewhere."""
    now, then = fresh.values[name], bars.values[name]
    return np.where(np.isnan(now), then, now)


def _profits(bars: Bars, done: Simulation) -> tuple[np.ndarray, np.ndarray]:
    """Profit of each symbol in each bar before costs, and the costs paid, both (R, N)."""
    close = pd.DataFrame(bars.values["close"]).ffill().fillna(0.0).to_numpy()
    before = np.vstack([np.zeros((1, close.shape[1])), close[:-1]])
    held = np.vstack([np.zeros((1, close.shape[1])), done.positions[:-1]])
    gross, costs = held * (close - before), np.zeros_like(close)
    for order in done.orders:
        t, n = int(order[k.ROW]), int(order[k.SYMBOL])
        units, price, fee, slipped = order[k.AMOUNT], order[k.PRICE], order[k.FEE], order[k.SLIP]
        gross[t, n] += units * (close[t, n] - price) + slipped
        costs[t, n] += fee + slipped
    return gross, costs


def _table(found: list[tuple[str, np.ndarray]], bars: Bars) -> pd.DataFrame:
    rows = []
    for cause, money in found:
        for t, n in zip(*np.nonzero(np.abs(money) > 1e-9), strict=True):
            rows.append((bars.index[t], bars.symbols[n], cause, float(money[t, n])))
    table = pd.DataFrame(rows, columns=["ts", "symbol", "cause", "money"])
    return table.sort_values(["ts", "symbol", "cause"], kind="stable").reset_index(drop=True)


def decided_today(
    strategy: Strategy,
    params: Mapping[str, Any],
    known: Bars,
    rows: Sequence[Mapping[str, Any]],
    rules: Rules,
) -> tuple[Bars, Any]:
    """Today's bars of the ledger's rows, and what the kept code decides on them with today's history."""
    from tapebook.strategy.simulation.simulate import signals_of

    index = pd.DatetimeIndex([row["ts"] for row in rows])
    at = known.index.get_indexer(index)
    fresh = replace(
        known,
        values={name: block[at] for name, block in known.values.items()},
        index=known.index[at],
        known=None,
    )
    said = strategy(known.between(end=known.index[at[-1]]), **params)
    symbols = list(known.symbols)
    if isinstance(said, Signals):
        flags = flags_of(said, direction(said, rules)).T[at].copy()
        flags[0] = [rows[0]["decision"][symbol] for symbol in symbols]
        return fresh, signals_of(flags, fresh.index, symbols)
    block = said.to_numpy(dtype=float)[at].copy()
    block[0] = [np.nan if (w := rows[0]["decision"][symbol]) is None else w for symbol in symbols]
    return fresh, pd.DataFrame(block, fresh.index, symbols)
