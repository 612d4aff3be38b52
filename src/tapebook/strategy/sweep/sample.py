"""Returns of some combinations of a sweep, to see how many different ideas were tried in truth."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tapebook.strategy.memory import Memory, remembering

if TYPE_CHECKING:
    from tapebook.strategy.sweep.sweep import Sweep

MOST = 128
"""Pairs of a combination and a symbol that are drawn."""
LEAST, PATIENCE = 16, 10.0
"""Fewer are drawn, but so many at least, where those would take more seconds than this."""


@dataclass(frozen=True, eq=False)
class Sample:
    """Some of what a sweep tried. `settings` (what varied) and `symbols` ("" for one pot) a row of `returns`.

    `returns`: simple return of each bar, float64, shape (K, T), the first against the initial cash.
    """

    settings: list[dict[str, Any]]
    symbols: list[str]
    returns: np.ndarray


def sample(sw: Sweep, *, seed: int = 0, most: int | None = None) -> Sample | None:
    """Draw evenly at random from what was done, with the highest Sharpe ratio always among it.

    Traded again here, whatever executor did it before; fewer where a combination takes long. None if
    nothing was done.
    """
    most = most or _affordable(sw)
    rows = _rows(sw.table["sharpe"].to_numpy(dtype=float), seed, most)
    settings: list[dict[str, Any]] = []
    symbols, returns = [], []
    cached: dict[tuple[Any, ...], np.ndarray | None] = {}
    memory = Memory()
    for row in rows:
        chosen = sw.settings_at(row)
        key = tuple(chosen.values())
        if key not in cached:
            with remembering(memory):
                cached = {key: _returns(sw, chosen)}  # rows of one combination follow each other
        found = cached[key]
        if found is None:
            continue
        settings.append(chosen)
        symbols.append(str(sw.table["symbol"].iloc[row]) if sw.alone else "")
        returns.append(found[sw.bars.symbols.index(symbols[-1]) if sw.alone else 0].copy())
    return Sample(settings, symbols, np.array(returns)) if returns else None


def _affordable(sw: Sweep) -> int:
    """How many: 128, or by halves as few as 16."""
    each, most = sw.seconds * (os.cpu_count() or 1) / max(sw.done, 1), MOST
    while most > LEAST and most * each > PATIENCE:
        most //= 2
    return most


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
    from tapebook.strategy.sweep.work import returns_of

    return returns_of(sw.strategy, sw.bars, sw.rules, sw.fixed | chosen, alone=sw.alone)
