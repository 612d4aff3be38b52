"""Recurring shapes: the nearest earlier window of the same series, and what came after it.

The matrix profile equals that of stumpy (a test says so), by loops of our own: those of stumpy are
compiled anew in every process, which takes half a minute.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from tapebook.market.pattern.kernels import profile

LENGTH = 20
"""Bars of a shape."""
AFTER = 5
"""Bars after the earlier occurrence that say whether it rose or fell."""
REACH = 5_040
"""Bars apart that two windows are compared at most: twenty years of days, two weeks of minutes."""
_MEMORY, _NEAR, _FAR = 250, 0.10, 0.02


def shape_names() -> list[str]:
    """Every pattern of shapes, in the rows' order of `shapes`."""
    return ["recurring shape that rose", "recurring shape that fell", "shape never seen"]


def matrix_profile(
    close: np.ndarray, length: int = LENGTH, *, left: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """z-normalised distance of every window of log closes to its nearest, and where that starts (−1: none).

    Windows start more than ceil(length / 4) bars apart, as stumpy.stump has it, and at most `REACH`.
    `left` is the left matrix profile, of earlier windows only. Yeh et al. (2016), "Matrix Profile I", ICDM.
    """
    windows = max(len(close) - length + 1, 0)
    near, neighbour = np.empty(windows), np.empty(windows, dtype=np.int64)
    if windows:
        x = np.log(np.ascontiguousarray(close, dtype=float))
        profile(x, length, -(-length // 4), REACH, left, near, neighbour)
    distance = np.sqrt(np.maximum(2.0 * length * (1.0 - near), 0.0))
    return np.where(neighbour >= 0, distance, np.nan), neighbour


def shapes(close: np.ndarray) -> np.ndarray:
    """Bars at which a shape of 20 closes recurs, or is like none before, (3, n).

    Recurring: nearer to its nearest earlier window than nine in ten of the 250 windows before were to
    theirs; it rose or fell as the 5 bars after that window did. Never seen: among the farthest 2 %.
    Uses no close after the bar.
    """
    n = len(close)
    out = np.zeros((3, n), dtype=np.bool_)
    if n < LENGTH:
        return out
    distance, neighbour = matrix_profile(close, left=True)
    past = pd.Series(distance).rolling(_MEMORY, min_periods=_MEMORY)
    low, high = past.quantile(_NEAR).shift(1).to_numpy(), past.quantile(1.0 - _FAR).shift(1).to_numpy()
    ends = np.arange(len(distance)) + LENGTH - 1
    then = np.maximum(neighbour, 0) + LENGTH - 1
    rose = close[np.minimum(then + AFTER, ends)] > close[then]
    with np.errstate(invalid="ignore"):
        again = distance < low
        out[0, ends], out[1, ends], out[2, ends] = again & rose, again & ~rose, distance > high
    return out


def motifs(close: np.ndarray, *, length: int = LENGTH, most: int = 3) -> list[tuple[str, int, int, float]]:
    """The nearest pairs of windows and the loneliest ones: (what, number, start, distance to its nearest).

    A motif's further occurrences are the windows within twice its distance. No two overlap.
    """
    distance, neighbour = matrix_profile(close, length)
    free = np.isfinite(distance)
    found: list[tuple[str, int, int, float]] = []
    for number in range(1, most + 1):
        if not free.any():
            break
        start = int(np.nanargmin(np.where(free, distance, np.nan)))
        away = distances(close, start, length)
        reach = max(2.0 * distance[start], 1e-9)
        for at in _apart(away, free, reach, length):
            found.append(("motif", number, at, float(distance[at])))
            free[max(0, at - length + 1) : at + length] = False
    lonely = np.isfinite(distance)
    for number in range(1, most + 1):
        if not lonely.any():
            break
        at = int(np.nanargmax(np.where(lonely, distance, np.nan)))
        found.append(("discord", number, at, float(distance[at])))
        lonely[max(0, at - length + 1) : at + length] = False
    return found


def distances(close: np.ndarray, start: int, length: int = LENGTH) -> np.ndarray:
    """z-normalised distance of every window of log closes to the one that starts at `start`."""
    windows = np.lib.stride_tricks.sliding_window_view(np.log(close), length)
    spread = windows.std(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        z = (windows - windows.mean(axis=1, keepdims=True)) / np.where(spread > 1e-12, spread, np.nan)
    away: np.ndarray = np.sqrt(((z - z[start]) ** 2).sum(axis=1))
    return away


def _apart(away: np.ndarray, free: np.ndarray, reach: float, length: int) -> list[int]:
    """Nearest windows first, each a whole shape away from those taken; at least two if there are two."""
    left = np.where(free, away, np.nan)
    taken: list[int] = []
    while np.isfinite(left).any():
        at = int(np.nanargmin(left))
        if left[at] > reach and len(taken) > 1:
            break
        taken.append(at)
        left[max(0, at - length + 1) : at + length] = np.nan
    return sorted(taken)
