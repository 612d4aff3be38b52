"""Binary segmentation by a test of one break, and the rows that tell what it found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

Test = Callable[[int, int], tuple[float, float, int]]
"""Of rows start to stop: the bridge's largest size, its range, and rows of the first part."""


def probability(sup: np.ndarray | float, reach: np.ndarray | float) -> np.ndarray:
    """p-value of a bridge's largest size and its range: twice the smaller of Kolmogorov's and Kuiper's."""
    from scipy.special import kolmogorov

    x = np.maximum(np.asarray(reach, dtype=float), 0.4)[..., None]
    square = (np.arange(1, 30) * x) ** 2
    kuiper = np.clip(2.0 * ((4.0 * square - 1.0) * np.exp(-2.0 * square)).sum(axis=-1), 0.0, 1.0)
    told: np.ndarray = np.minimum(2.0 * np.minimum(kolmogorov(sup), kuiper), 1.0)
    return told


def limits(p: float) -> tuple[float, float]:
    """Largest size and range of a bridge, each of which has the p-value p."""
    from scipy.optimize import brentq
    from scipy.special import kolmogi

    reach = brentq(lambda x: float(probability(0.0, x)) - p, 0.7, 12.0)
    return float(kolmogi(p / 2.0)), float(reach)


def segmented(test: Test, n: int, least: int, level: float) -> list[tuple[int, int, int, float]]:
    """Breaks of n rows as (start, at, stop, p) in order; the likeliest alone where none has p ≤ level.

    `at` is the first row after the break, `start` and `stop` its neighbours. p is of the part in which it
    was found, and at least that of the break before it.
    """
    sup, reach, at = test(0, n)
    p = float(probability(sup, reach))
    if p > level:
        return [(0, at, n, p)]
    told, todo = {at: p}, [(0, at, p), (at, n, p)]
    while todo:
        start, stop, above = todo.pop()
        if stop - start < 2 * least:
            continue
        sup, reach, k = test(start, stop)
        p = max(float(probability(sup, reach)), above)
        if p <= level:
            told[start + k] = p
            todo += [(start, start + k, p), (start + k, stop, p)]
    return _again(test, n, least, told)


def _again(test: Test, n: int, least: int, told: dict[int, float]) -> list[tuple[int, int, int, float]]:
    """Date each break once more, between its neighbours only."""
    cuts = sorted(told)
    p = [told[at] for at in cuts]
    for k in range(len(cuts)):
        start, stop = cuts[k - 1] if k else 0, cuts[k + 1] if k + 1 < len(cuts) else n
        if stop - start >= 2 * least:
            cuts[k] = start + test(start, stop)[2]
    edge = [0, *cuts, n]
    return [(edge[k], edge[k + 1], edge[k + 2], p[k]) for k in range(len(cuts))]


def rows(
    found: list[tuple[int, int, int, float]],
    have: np.ndarray,
    index: pd.DatetimeIndex,
    known: Callable[[int, int, int], int],
    level_of: Callable[[int, int], float],
) -> list[dict[str, Any]]:
    """Breaks as rows of a table; `have` are the rows of the index that were tested."""
    return [
        {
            "before": level_of(start, at),
            "after": level_of(at, stop),
            "at": index[have[at - 1]],
            "known": index[known(start, at, stop)],
            "n": stop - start,
            "p": p,
        }
        for start, at, stop, p in found
    ]
