"""Returns of some combinations of a sweep, to see how many different ideas were tried in truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tapebook.strategy.sweep import Sweep

MOST = 128
"""Pairs of a combination and a symbol that are drawn."""


@dataclass(frozen=True, eq=False)
class Sample:
    """Some of what a sweep tried. `settings` (what varied) and `symbols` ("" for one pot) a row of `returns`.

    `returns`: simple return of each bar, float64, shape (K, T), the first against the initial cash.
    """

    settings: list[dict[str, Any]]
    symbols: list[str]
    returns: np.ndarray


def sample(sw: Sweep, *, seed: int = 0, most: int = MOST) -> Sample | None:
    """Draw evenly at random from what was done, with the highest Sharpe ratio always among it.

    Traded again here, whatever executor did it before. None if nothing was done.
    """
    rows = _rows(sw.table["sharpe"].to_numpy(dtype=float), seed, most)
    settings: list[dict[str, Any]] = []
    symbols, returns = [], []
    cached: dict[tuple[Any, ...], np.ndarray | None] = {}
    for row in rows:
        chosen = sw.settings_at(row)
        key = tuple(chosen.values())
        if key not in cached:
            cached = {key: _returns(sw, chosen)}  # rows of one combination follow each other
        found = cached[key]
        if found is None:
            continue
        settings.append(chosen)
        symbols.append(str(sw.table["symbol"].iloc[row]) if sw.alone else "")
        returns.append(found[sw.bars.symbols.index(symbols[-1]) if sw.alone else 0].copy())
    return Sample(settings, symbols, np.array(returns)) if returns else None


def _rows(ratios: np.ndarray, seed: int, most: int) -> list[int]:
    """Rows of the table, ascending."""
    if len(ratios) <= most:
        return list(range(len(ratios)))
    chosen: list[int] = np.random.default_rng(seed).choice(len(ratios), most, replace=False).tolist()
    if np.isfinite(ratios).any() and (best := int(np.nanargmax(ratios))) not in chosen:
        chosen[0] = best
    return sorted(chosen)


def _returns(sw: Sweep, chosen: dict[str, Any]) -> np.ndarray | None:
    """Returns of one combination, shape (symbols or 1, T)."""
    bt = sw.traded(chosen)
    if not sw.alone or bt.equity_by_symbol is None:
        return bt.returns.to_numpy(dtype=float)[None, :]
    money = bt.equity_by_symbol.to_numpy(dtype=float).T
    before = np.insert(money[:, :-1], 0, bt.rules.cash, axis=1)
    return np.asarray(money / before - 1.0)
