"""What the screening language computes beside the indicators, on frames whose bars lie without gaps.

Row t uses rows up to and including t of the same column. A window with a missing value is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable

Block = np.ndarray


def shifted(values: Block, bars: int) -> Block:
    """Values of `bars` bars ago, shape (T, N)."""
    told = np.full(values.shape, np.nan)
    told[bars:] = values[: len(values) - bars]
    return told


def rolled(name: str) -> Callable[[Block, int], Block]:
    """Make the function of (values, window) that pandas' rolling windows call `name`."""

    def work(values: Block, window: int) -> Block:
        told: Block = getattr(pd.DataFrame(values, copy=False).rolling(window), name)().to_numpy()
        return told

    return work


def since(condition: Block) -> Block:
    """Bars since the condition was last true: 0 in such a bar, missing before the first."""
    rows = np.arange(len(condition), dtype=float)[:, None]
    told: Block = rows - _last(condition, np.broadcast_to(rows, condition.shape))
    return told


def days_since(condition: Block, days: Block) -> Block:
    """Calendar days since the condition was last true; `days` of the bars, shape (T, N)."""
    told: Block = days - _last(condition, days)
    return told


def _last(condition: Block, marks: Block) -> Block:
    found = np.maximum.accumulate(np.where(condition == 1.0, marks, -np.inf), axis=0)
    return np.where(np.isfinite(found), found, np.nan)


def ranked(values: Block) -> Block:
    """Place among the symbols of the same row: 1 is the largest; equals share the better place."""
    return _ranks(values, ascending=False, method="min")


def percentile(values: Block) -> Block:
    """Share of the symbols of the same row that are at or below, above 0 to 1; equals share their mean."""
    return _ranks(values, ascending=True, method="average", pct=True)


def _ranks(values: Block, **how: object) -> Block:
    told: Block = pd.DataFrame(values, copy=False).rank(axis=1, **how).to_numpy()  # type: ignore[arg-type]
    return told
