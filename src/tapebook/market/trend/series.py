"""One symbol's own bars: its closes without gaps in between, and the returns that the panel allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tapebook.data.panel import Bars


@dataclass(frozen=True, eq=False)
class Series:
    """The n bars that a symbol has.

    `rows` (n,) their places in the panel; `close` (n,); `moved` (m,) log returns between two consecutive
    rows of the panel that both have a close, and `moved_rows` (m,) the later row of each.
    """

    symbol: str
    rows: np.ndarray
    close: np.ndarray
    moved: np.ndarray
    moved_rows: np.ndarray

    @property
    def log(self) -> np.ndarray:
        """Natural logarithm of the closes, shape (n,)."""
        answer: np.ndarray = np.log(self.close)
        return answer


def series_of(bars: Bars) -> list[Series]:
    """Return every symbol's own bars, in the panel's order."""
    return [one_series(name, bars.values["close"][:, n]) for n, name in enumerate(bars.symbols)]


def one_series(symbol: str, close: np.ndarray) -> Series:
    """Return the bars of one symbol by its closes (T,), NaN where it has none."""
    rows = np.flatnonzero(np.isfinite(close))
    own = np.ascontiguousarray(close[rows])
    beside = np.flatnonzero(np.diff(rows) == 1) + 1
    moved = np.log(own[beside] / own[beside - 1])
    return Series(symbol, rows, own, moved, rows[beside])
